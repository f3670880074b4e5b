"""Features must be numbers: which rows are not, and the one message that says so."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import ISEError, some

__all__ = ["check_finite", "not_finite", "refuse", "squared_norms"]


def squared_norms(x: NDArray[np.float32], block: int = 4096) -> NDArray[np.float32]:
    """``[N]`` float32 squared lengths of the rows of ``x`` ``[N, D]``, without a temporary of the size of ``x``."""
    norms = np.empty(len(x), np.float32)
    for start in range(0, len(x), block):
        part = x[start:start + block]
        np.einsum("nd,nd->n", part, part, out=norms[start:start + block])
    return norms


def not_finite(x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Indices of the rows of ``x`` ``[N, D]`` float32 that hold NaN or Inf (or overflow when squared)."""
    return np.flatnonzero(~np.isfinite(squared_norms(x)))


def check_finite(x: NDArray[np.float32], what: str = "images",
                 name: Callable[[int], str] | None = None) -> None:
    """Refuse features that are no numbers.

    Args:
        x: ``[N, D]`` float32, row i the feature of image i.
        what: they are of, in the plural: ``query images``.
        name: of an image, by its row; default: the row.

    Raises:
        ISEError: as of :func:`refuse`.
    """
    refuse(not_finite(x), len(x), what, name)


def refuse(rows: ArrayLike, total: int, what: str = "images", name: Callable[[int], str] | None = None) -> None:
    """Raise the error of :func:`check_finite` for rows found elsewhere, as on a GPU; no row, no error.

    Args:
        rows: ``[n]`` int, those that hold NaN or Inf.
        total: rows that there are. what, name: as of :func:`check_finite`.

    Raises:
        ISEError: naming the first rows, and what to do.
    """
    bad = [int(row) for row in np.asarray(rows)]
    if bad:
        named = "rows " + some(bad) if name is None else some(map(name, bad))
        raise ISEError(f"the features of {len(bad)} of {total} {what} hold NaN or Inf ({named}): the network diverged. "
                       "Lower the learning rate or switch AMP off and go on from the last good checkpoint; if it is "
                       "always the same few images, look at them")
