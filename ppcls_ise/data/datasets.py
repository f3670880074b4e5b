"""Person images as PaddleClas data sets."""
from __future__ import annotations

import copy
import json
import os
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from paddle.io import Dataset

from ..config.blocks import ReIDImagesBlock, UnlabeledFolderBlock
from ..config.fields import read_block
from ..errors import ISEError, some
from ..images.crops import Crops, make_crops
from ..images.data_set import list_data_set
from ..images.reading import ADVICE, read_image, threaded
from .sampler import Draw
from .transforms import PixelTable

__all__ = ["DATASETS", "ReIDImages", "UnlabeledFolder"]

T = TypeVar("T")


class ReIDImages(Dataset):
    """Person crops as a PaddleClas data set, for training, clustering, query and gallery alike.

    Indexed by an int an item is ``(image, pid, camid)``, for evaluation and extraction; -1 where they are not known.
    Indexed by a :class:`Draw`, as the training sampler does, it is ``(image, [pseudo label, camera])``: identities are
    out of reach there.

    Args:
        transform_ops: PaddleClas's list of transforms, applied to a uint8 RGB image [H, W, 3].
        image_root: folder of the data set.
        keys: the others of :class:`ppcls_ise.config.blocks.ReIDImagesBlock`, its defaults for those that are not
            given. ``layout``, ``split``, ``cls_label_path``, ``image_dir``, ``pattern``, ``keep_junk``: which images,
            as of :func:`ppcls_ise.images.data_set.list_reid_images`.

            ``cache``: where decoded and resized crops are kept: ``none``, ``ram``, or ``disk`` (:func:`make_crops`).
            Needs ``ResizeImage`` with a ``size`` as the first transform. ``cache_dir``: folder of ``disk``.

            ``on_bad_image``: ``error`` or ``skip``. With ``skip`` (and with a cache) every file is read at the start,
            and what is no readable image is left out, with a count in the log. No other image ever takes its place.

    Attributes:
        list: the :class:`ImageList`; ``pids`` and ``camids`` are its int64 [N], or None where they are not known.

    Raises:
        ISEError: for an unknown key or a value that its key cannot have; as the listing and :func:`make_crops` do; for
            unreadable images, naming them.
    """

    block: type[ReIDImagesBlock | UnlabeledFolderBlock] = ReIDImagesBlock

    def __init__(self, transform_ops: Sequence[dict] | None = None,
                 image_root: str | os.PathLike[str] = ReIDImagesBlock.image_root, **keys: Any):
        given = {**keys, "transform_ops": transform_ops, "image_root": os.fspath(image_root)}
        settings = read_block(self.block, given, type(self).__name__)
        self.list = list_data_set(vars(settings))
        self.crops: Crops | None = None
        self._crop_rows: NDArray[np.int64] | None = None
        self._set_transforms(transform_ops or [])
        if settings.cache != "none":
            self.crops = make_crops(self.list, self._read, *self._cached_recipe(), settings.cache, settings.cache_dir,
                                    _log, self._with_progress)
            self._leave_out(self.crops.unreadable, settings.on_bad_image)
        elif settings.on_bad_image == "skip":
            paths = map(self.list.path, range(len(self.list.names)))
            outcomes = self._with_progress(threaded(_verify, paths))
            self._leave_out({row: str(outcome) for row, outcome in enumerate(outcomes) if outcome is not None},
                            settings.on_bad_image)

    @property
    def pids(self) -> NDArray[np.int64] | None:
        return self.list.pids

    @property
    def camids(self) -> NDArray[np.int64] | None:
        return self.list.camids

    @property
    def in_memory(self) -> bool:
        """Whether items need neither decoding nor a disk."""
        return self.crops is not None and self.crops.in_memory

    def with_transforms(self, transform_ops: Sequence[dict]) -> ReIDImages:
        """The same images, and the same cached crops if the first transform is the same, otherwise transformed."""
        other, recipe = copy.copy(self), self._recipe
        other._set_transforms(transform_ops)
        if other._recipe != recipe:
            other.crops = None
        return other

    def __len__(self) -> int:
        return len(self.list.names)

    def __getitem__(self, item: int | Draw) -> tuple[Any, ...]:
        if isinstance(item, Draw):
            return self._augmented(item), np.array([item.label, item.camera], np.int64)
        return self._transformed(item), *(np.int64(-1) if ids is None else ids[item]
                                          for ids in (self.pids, self.camids))

    def _set_transforms(self, transform_ops: Sequence[dict]) -> None:
        from ppcls.data import create_operators

        operators = create_operators(list(copy.deepcopy(transform_ops)))
        resizes = bool(operators) and type(operators[0]).__name__ == "ResizeImage"
        self._resize = operators.pop(0) if resizes else None
        self._recipe = dict(transform_ops[0]["ResizeImage"]) if resizes else None
        self.transforms = [PixelTable.instead_of(operator) for operator in operators]

    def _cached_recipe(self) -> tuple[str, tuple[int, int]]:
        """What decides the pixels of a crop, as text, and its (height, width)."""
        if not self._recipe or not self._recipe.get("size"):
            raise ISEError("a data set with a cache needs ResizeImage with a size as its first transform")
        size = self._recipe["size"]
        width, height = (size, size) if isinstance(size, int) else size
        return json.dumps(self._recipe, sort_keys=True), (height, width)

    def _read(self, path: str) -> NDArray[np.uint8]:
        image = read_image(path)
        return image if self._resize is None else self._resize(image)

    def _transformed(self, index: int) -> NDArray:
        if self.crops is not None and self._crop_rows is not None:
            image = self.crops.pixels[self._crop_rows[index]]
        else:
            image = self._read(self.list.path(index))
        for transform in self.transforms:
            image = transform(image)
        return image

    def _augmented(self, draw: Draw) -> NDArray:
        # PaddleClas's transforms use the global generators. Seeding them per image makes the augmentation depend on
        # (seed, epoch, row) alone, not on workers, processes or what was drawn before.
        states = random.getstate(), np.random.get_state()
        random.seed(draw.seed)
        np.random.seed(draw.seed)
        try:
            return self._transformed(draw.index)
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])

    def _leave_out(self, unreadable: dict[int, str], policy: str) -> None:
        """Leave the unreadable images (row -> message) out, or raise."""
        count, total = len(unreadable), len(self.list.names)
        if count and (policy == "error" or count == total):
            more = f"\n{count} of {total} images are unreadable; tools/check_data.py lists them all" * (count > 1)
            raise ISEError(next(iter(unreadable.values())) + more)
        kept = np.array([row for row in range(total) if row not in unreadable])
        if count:
            messages = some(message.split(ADVICE)[0] for message in unreadable.values())
            _log(f"{count} of {total} images are unreadable and left out (on_bad_image: skip): {messages}",
                 level="warning")
            self.list = self.list.take(kept)
        self._crop_rows = kept

    def _with_progress(self, outcomes: Iterable[T], seconds_between_lines: float = 10.0) -> Iterator[T]:
        logged = time.time()
        for done, outcome in enumerate(outcomes, 1):
            yield outcome
            if time.time() - logged > seconds_between_lines:
                logged = time.time()
                _log(f"read {done} of {len(self.list.names)} images")


class UnlabeledFolder(ReIDImages):
    """Images of which nothing is known, or at most the camera: any tree of images, or a list file.

    Args:
        transform_ops: as of :class:`ReIDImages`.
        image_root: the folder. All images below it are taken, links to folders followed.
        keys: the others of :class:`ppcls_ise.config.blocks.UnlabeledFolderBlock`. ``cls_label_path``: a folder or list
            file below the root, or a list of those; default all of it. ``image_dir``, ``cache``, ``cache_dir``,
            ``on_bad_image``: as of :class:`ReIDImages`.

            ``cameras``: None if unknown; ``folder`` if each camera has a folder of its own; or a regular expression
            with the group ``camid``, searched in the file name, then in the path: ``cam(?P<camid>\\d+)``. The sampler
            mixes cameras where it knows them.

    Raises:
        ISEError: as :class:`ReIDImages` does.
    """

    block = UnlabeledFolderBlock


#: Data sets that this package trains on, by the name that a config gives them.
DATASETS: dict[str, type[ReIDImages]] = {kind.block.name: kind for kind in (ReIDImages, UnlabeledFolder)}


def _verify(path: str) -> None:
    read_image(path)


def _log(text: str, level: str = "info") -> None:
    from ppcls.utils import logger

    getattr(logger, level)(f"[Data] {text}")
