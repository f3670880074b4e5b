"""From encodings to distances: compiled."""
from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .encoding import grown

__all__ = ["mirror", "pairs", "transpose"]


@njit(nogil=True, cache=True)
def transpose(indptr: NDArray[np.int64], indices: NDArray[np.int32], data: NDArray[np.float32],
              ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """CSR to CSC, without zeros; rows ascend within each column."""
    size = len(indptr) - 1
    pointer = np.zeros(size + 1, np.int64)
    for a in range(len(indices)):
        pointer[indices[a] + 1] += data[a] > 0  # weights of rows that are not of unit length may underflow to 0
    for m in range(size):
        pointer[m + 1] += pointer[m]
    place = pointer[:-1].copy()
    rows, values = np.empty(pointer[size], np.int32), np.empty(pointer[size], np.float32)
    for i in range(size):
        for a in range(indptr[i], indptr[i + 1]):
            if data[a] > 0:
                m = indices[a]
                rows[place[m]] = i
                values[place[m]] = data[a]
                place[m] += 1
    return pointer, rows, values


@njit(nogil=True, cache=True)
def pairs(indptr: NDArray[np.int64], indices: NDArray[np.int32], data: NDArray[np.float32],
          pointer: NDArray[np.int64], rows: NDArray[np.int32], values: NDArray[np.float32],
          max_distance: float, start: int, stop: int,
          ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Distances of each row to the rows after it that share a column with it: entries a row, columns, values."""
    # The innermost loop runs thousands of times a row. Unsigned indices spare it numba's test for negative ones, and
    # counting without a branch the mispredictions: together a third of the time.
    one = np.uint64(1)
    counts = np.zeros(stop - start, np.int64)
    columns, distances = np.empty(1024, np.int32), np.empty(1024, np.float32)
    shared = np.zeros(len(indptr) - 1, np.float32)
    touched = np.empty(len(indptr), np.int32)
    size = 0
    for i in range(start, stop):
        first, num_touched = size, np.uint64(0)
        for a in range(indptr[i], indptr[i + 1]):
            value = data[a]
            # Rows ascend in a column, so those after i are at its end.
            b = np.uint64(pointer[indices[a] + 1] - 1)
            j = np.uint64(rows[b])
            while j > np.uint64(i):
                touched[num_touched] = j
                num_touched += np.uint64(shared[j] == 0)
                shared[j] += min(value, values[b])
                b -= one
                j = np.uint64(rows[b])
        columns = grown(columns, size, np.int64(num_touched))
        distances = grown(distances, size, np.int64(num_touched))
        for t in range(num_touched):
            j = np.uint64(touched[t])
            s = shared[j]
            shared[j] = 0
            d = max(np.float32(0), np.float32(1) - s / (np.float32(2) - s))
            if d <= max_distance and d < 1:
                columns[size] = j
                distances[size] = d
                size += 1
        counts[i - start] = size - first
    return counts, columns[:size].copy(), distances[:size].copy()


@njit(nogil=True, cache=True)
def mirror(indptr: NDArray[np.int64], indices: NDArray[np.int32], data: NDArray[np.float32],
           ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Symmetric CSR with sorted rows and a zero diagonal from the part above the diagonal."""
    size = len(indptr) - 1
    pointer = np.zeros(size + 1, np.int64)
    for i in range(size):
        pointer[i + 1] += indptr[i + 1] - indptr[i] + 1
        for a in range(indptr[i], indptr[i + 1]):
            pointer[indices[a] + 1] += 1
    for i in range(size):
        pointer[i + 1] += pointer[i]
    columns, distances = np.empty(pointer[size], np.int32), np.empty(pointer[size], np.float32)
    place = pointer[:-1].copy()
    for i in range(size):
        # Left of the diagonal: i ascends, so every row is filled in order. The diagonal follows.
        columns[place[i]] = i
        distances[place[i]] = 0
        place[i] += 1
        for a in range(indptr[i], indptr[i + 1]):
            j = indices[a]
            columns[place[j]] = i
            distances[place[j]] = data[a]
            place[j] += 1
    for j in range(size):
        # Right of the diagonal, read off the sorted left part, again ascending.
        for a in range(pointer[j], pointer[j + 1]):
            i = columns[a]
            if i >= j:
                break
            columns[place[i]] = j
            distances[place[i]] = distances[a]
            place[i] += 1
    return pointer, columns, distances
