"""Paddle's DataLoader, made to end with a message where it would hang."""
from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from paddle.io import DataLoader, Dataset

from ..distributed.processes import raise_everywhere
from ..errors import ErrorText, ISEError
from .datasets import ReIDImages

__all__ = ["ImageLoader", "wrap_data_loader"]


def wrap_data_loader(default: Callable) -> Callable:
    """Wrap the DataLoader that PaddleClas builds: ReIDImages get an :class:`ImageLoader`, other data sets theirs."""

    def loader(dataset: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(dataset, ReIDImages):
            return ImageLoader(dataset, *args, **kwargs)
        return default(dataset, *args, **kwargs)

    return loader


class ImageLoader(DataLoader):
    """Paddle's DataLoader for items that may fail.

    Paddle's own hangs if an item raises in its reading thread, and loses the text if one does in a worker process.
    Here errors travel with the batch and are raised where the batches are used, on every process of a training: all of
    them take as many batches. An error stays: PaddleClas develop swallows the first one and starts the epoch again.

    Crops that lie in memory are read by the thread that Paddle has for it, whatever ``num_workers`` says: there is
    nothing left to decode, and handing a float batch from process to process takes longer than making it.

    Args:
        dataset: items are tuples of arrays or numbers; whatever they raise is raised by the iteration.
        args, kwargs: of ``paddle.io.DataLoader``; ``collate_fn`` is used on batches without errors.

    Raises:
        ISEError: from the iteration, if an item raised one.
    """

    def __init__(self, dataset: Dataset, *args: Any, **kwargs: Any):
        super().__init__(dataset, *args, **kwargs)
        self._failure: Exception | None = None

    def __iter__(self) -> Iterator[list[Any]]:  # type: ignore[override]
        if self._failure is not None:
            raise self._failure
        return self._checked_batches()

    def _checked_batches(self) -> Iterator[list[Any]]:
        loader = copy.copy(self)
        loader.dataset = _Guarded(self.dataset)
        loader.collate_fn = _Collate(self.collate_fn or _stack)  # type: ignore[assignment]
        if getattr(self.dataset, "in_memory", False):
            loader.num_workers, loader.use_shared_memory = 0, False
        for *batch, errors in DataLoader.__iter__(loader):
            error = ErrorText(*errors[0]).rebuilt("reading an image failed:\n") if errors else None
            try:
                raise_everywhere(error)
            except Exception as failure:
                self._failure = failure
                raise
            yield batch


class _Guarded(Dataset):
    """Items of a data set, or in their place the text of what they raised."""

    def __init__(self, dataset: Any):
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, row: Any) -> Any:
        try:
            return self.dataset[row]
        except Exception as error:  # a broken transform as well
            return ErrorText.of(error, traceback.format_exc())


class _Collate:
    """Batches with the errors of their items as the last field."""

    def __init__(self, collate: Callable[[list[Any]], Any]):
        self.collate = collate

    def __call__(self, items: list[Any]) -> list[Any]:
        errors = [item for item in items if isinstance(item, ErrorText)]
        if not errors:
            try:
                return [*self.collate(items), []]
            except Exception as error:  # here, too, Paddle's thread would die and its user wait
                errors = [ErrorText.of(error, traceback.format_exc())]
        return [np.zeros(0, np.float32), [tuple(error) for error in errors[:1]]]


def _stack(items: list[Any]) -> list[NDArray]:
    shapes = {np.shape(item[0]) for item in items}
    if len(shapes) > 1:
        raise ISEError(f"the images of a batch have different shapes ({', '.join(map(str, sorted(shapes)))}); "
                       "transform_ops needs ResizeImage with a size")
    return [np.stack(field) for field in zip(*items)]
