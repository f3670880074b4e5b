from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..errors import ISEError
from ..images.reading import read_image, threaded
from .extractor import FeatureExtractor

__all__ = ["readable_features"]


def readable_features(extractor: FeatureExtractor, paths: Iterable[str], unreadable: Callable[[int, ISEError], None],
                      read: Callable[[str], NDArray[np.uint8]] = read_image
                      ) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    """Features of files a batch at a time, those that are no image left out.

    Args:
        extractor: has the size of a batch.
        paths: of the files.
        unreadable: called with the row of such a file and the error, which it may raise.
        read: path -> uint8 [h, w, 3]; called from several threads.

    Yields:
        Rows of ``paths`` and their features, float32 [n, D].
    """
    rows: list[int] = []
    images: list[NDArray[np.uint8]] = []
    for row, outcome in enumerate(threaded(read, paths)):
        if isinstance(outcome, ISEError):
            unreadable(row, outcome)
        else:
            rows.append(row)
            images.append(outcome)
        if len(images) == extractor.batch_size:
            yield rows, extractor(images)
            rows, images = [], []
    if images:
        yield rows, extractor(images)
