"""What is near, and what is far, out of tiles of products: compiled."""
from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["farthest_of_columns", "farthest_of_rows", "merge", "read_columns", "read_rows"]

CHUNK = 64  # elements that are compared together
TWO = np.float32(2)
VECTORISED = {"nnan", "nsz", "reassoc", "contract"}  # as features are finite


@njit(nogil=True, cache=True)
def _insert(found: NDArray[np.int32], near: NDArray[np.float32], row: int, index: int, distance: np.float32) -> None:
    place = near.shape[1] - 1
    while place > 0 and near[row, place - 1] > distance:
        near[row, place], found[row, place] = near[row, place - 1], found[row, place - 1]
        place -= 1
    near[row, place], found[row, place] = distance, index


@njit(nogil=True, cache=True)
def read_rows(block: NDArray[np.float32], norms: NDArray[np.float32], first: int, found: NDArray[np.int32],
              near: NDArray[np.float32]) -> None:
    """Takes what is near out of a tile into the sorted lists of its rows; its columns are rows ``first``... of x."""
    last, width = near.shape[1] - 1, block.shape[1]
    for r in range(block.shape[0]):
        for start in range(0, width, CHUNK):
            stop = min(start + CHUNK, width)
            if _least(block, norms, r, start, stop) >= near[r, last]:
                continue  # nearly always: a row has few neighbours
            for c in range(start, stop):
                distance = norms[c] - TWO * block[r, c]
                if distance < near[r, last]:
                    _insert(found, near, r, first + c, distance)


@njit(nogil=True, cache=True, fastmath=VECTORISED)
def _least(block: NDArray[np.float32], norms: NDArray[np.float32], r: int, start: int, stop: int) -> np.float32:
    least = np.float32(np.inf)
    for c in range(start, stop):
        least = min(least, norms[c] - TWO * block[r, c])
    return least


@njit(nogil=True, cache=True)
def read_columns(block: NDArray[np.float32], norms: NDArray[np.float32], first: int, found: NDArray[np.int32],
                 near: NDArray[np.float32]) -> None:
    """As :func:`read_rows` for the transposed tile, yet along its rows, as they lie in memory."""
    last, width = near.shape[1] - 1, block.shape[1]
    farthest_kept = near[:, last].copy()  # side by side
    for r in range(block.shape[0]):
        for start in range(0, width, CHUNK):
            stop = min(start + CHUNK, width)
            if _least_beyond(block, norms[r], farthest_kept, r, start, stop) >= 0:
                continue
            for c in range(start, stop):
                distance = norms[r] - TWO * block[r, c]
                if distance < farthest_kept[c]:
                    _insert(found, near, c, first + r, distance)
                    farthest_kept[c] = near[c, last]


@njit(nogil=True, cache=True, fastmath=VECTORISED)
def _least_beyond(block: NDArray[np.float32], norm: np.float32, bounds: NDArray[np.float32], r: int, start: int,
                  stop: int) -> np.float32:
    least = np.float32(np.inf)
    for c in range(start, stop):
        least = min(least, norm - TWO * block[r, c] - bounds[c])
    return least


@njit(nogil=True, cache=True, fastmath=VECTORISED)
def farthest_of_rows(block: NDArray[np.float32], norms: NDArray[np.float32], farthest: NDArray[np.float32]) -> None:
    for r in range(block.shape[0]):
        for c in range(block.shape[1]):
            farthest[r] = max(farthest[r], norms[c] - TWO * block[r, c])


@njit(nogil=True, cache=True, fastmath=VECTORISED)
def farthest_of_columns(block: NDArray[np.float32], norms: NDArray[np.float32], farthest: NDArray[np.float32]) -> None:
    for r in range(block.shape[0]):
        for c in range(block.shape[1]):
            farthest[c] = max(farthest[c], norms[r] - TWO * block[r, c])


@njit(nogil=True, cache=True)
def merge(found: NDArray[np.int32], near: NDArray[np.float32], nearest: NDArray[np.int32],
          distances: NDArray[np.float32], start: int, stop: int) -> None:
    last = near.shape[2] - 1
    for part in range(1, near.shape[0]):
        for r in range(start, stop):
            for c in range(last + 1):
                if near[part, r, c] >= distances[r, last]:
                    break  # the rest is farther still
                _insert(nearest, distances, r, found[part, r, c], near[part, r, c])
