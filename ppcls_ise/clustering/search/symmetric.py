"""Nearest candidates and farthest distance of every row, from one pass over half of all pairs."""
from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...threads import over_rows

__all__ = ["symmetric_scan"]

GROUP, CHUNK = 16, 64


def symmetric_scan(x: NDArray[np.float32], norms: NDArray[np.float32], candidates: int, block_size: int = 4096,
                   ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Each pair of blocks is multiplied once and read for the rows of both.

    Args:
        x: ``[N, D]`` float32, finite. norms: ``[N]`` float32, squared lengths.
        candidates: neighbours kept a row, at most N.
        block_size: rows of a block; one block of products of this size squared exists at a time.

    Returns:
        ``[N, candidates]`` int32 and ``[N, candidates]`` float32, candidates by ascending squared distance, and
        ``[N]`` float32, the largest squared distance of each row.
    """
    count = len(x)
    found = np.full((count, candidates), -1, np.int32)
    near = np.full((count, candidates), np.inf, np.float32)
    farthest = np.full(count, -np.inf, np.float32)
    for start in range(0, count, block_size):
        rows = slice(start, start + block_size)
        for other in range(start, count, block_size):
            columns = slice(other, other + block_size)
            products = x[rows] @ x[columns].T
            for transposed, own, others in ((False, rows, columns), (True, columns, rows))[:1 + (other > start)]:
                over_rows(_keep_nearest, len(norms[own]), products, transposed, norms[others], others.start,
                          found[own], near[own], farthest[own])
    near += norms[:, None]
    farthest += norms
    return found, near, farthest


@njit(nogil=True, cache=True)
def _keep_nearest(products: NDArray[np.float32], transposed: bool, norms: NDArray[np.float32], first_column: int,
                  found: NDArray[np.int32], near: NDArray[np.float32], farthest: NDArray[np.float32],
                  start: int, stop: int) -> None:
    """Merges a block into the sorted lists of rows ``start..stop``; their own norm, the same for all, is left out."""
    size = len(norms)
    # Some rows at a time, so that columns too are read by whole cache lines.
    distances = np.empty((GROUP, size), np.float32)
    for first in range(start, stop, GROUP):
        group = min(GROUP, stop - first)
        if transposed:
            for c in range(size):
                for g in range(group):
                    distances[g, c] = norms[c] - 2 * products[c, first + g]
        else:
            for g in range(group):
                for c in range(size):
                    distances[g, c] = norms[c] - 2 * products[first + g, c]
        for g in range(group):
            r = first + g
            farthest[r] = _merge(distances[g], first_column, found[r], near[r], farthest[r])


@njit(nogil=True, cache=True)
def _merge(distances: NDArray[np.float32], first_column: int, found: NDArray[np.int32], near: NDArray[np.float32],
           largest: np.float32) -> np.float32:
    last = len(near) - 1
    for begin in range(0, len(distances), CHUNK):
        chunk = distances[begin:begin + CHUNK]
        low, high = _extremes(chunk)
        largest = max(largest, high)
        if low >= near[last]:
            continue  # nearly always: a row has few neighbours
        for c in range(len(chunk)):
            distance, place = chunk[c], last
            if distance >= near[last]:
                continue
            while place > 0 and near[place - 1] > distance:
                near[place], found[place] = near[place - 1], found[place - 1]
                place -= 1
            near[place], found[place] = distance, first_column + begin + c
    return largest


@njit(nogil=True, cache=True, fastmath={"nnan", "nsz", "reassoc"})
def _extremes(values: NDArray[np.float32]) -> tuple[np.float32, np.float32]:
    """Smallest and largest, compiled to vector instructions as there is no NaN among them."""
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for value in values:
        low, high = min(low, value), max(high, value)
    return low, high
