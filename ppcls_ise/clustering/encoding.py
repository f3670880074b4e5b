"""V, the encoding of each row over its reciprocal neighbours: compiled, each function for a slice of the rows."""
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["average", "encode", "grown", "in_place", "log_weights", "mutual"]

# A note on rounding. Many distances are simple fractions by rule: rows of which four of the k2 = 6 nearest are the same
# and nothing else have d = 1/2 exactly, and eps is such a fraction too. On which side of eps these fall is decided by
# the last bit. So every sum here is made in one fixed order, in float32 by ascending column as in a dense program, from
# products that depend on nothing but the features: the labels are the same for any device, library, number of threads
# or processes, and on the golden data the same as the authors'.


@njit(nogil=True, cache=True)
def mutual(neighbours: NDArray[np.int32], k: int, start: int, stop: int) -> NDArray[np.bool_]:
    """``[rows, k]`` bool: is the p-th neighbour reciprocal within the first k."""
    found = np.zeros((stop - start, k), np.bool_)
    for i in range(start, stop):
        for p in range(k):
            j = neighbours[i, p]
            if j < 0:
                continue
            for q in range(k):
                if neighbours[j, q] == i:
                    found[i - start, p] = True
                    break
    return found


@njit(nogil=True, cache=True)
def grown(array: NDArray[Any], size: int, needed: int | np.int64) -> NDArray[Any]:
    """``array`` with room for ``needed`` more than the first ``size``: itself, or a copy at least twice as long."""
    if size + needed <= len(array):
        return array
    larger = np.empty(2 * len(array) + needed, array.dtype)
    larger[:size] = array[:size]
    return larger


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})
def _log_weight(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """-(2 - 2 a.b), summed in float64: it must not depend on the library or device that found the neighbours."""
    total = 0.0
    for d in range(a.shape[0]):
        total += np.float64(a[d]) * np.float64(b[d])
    return 2 * total - 2


@njit(nogil=True, cache=True)
def log_weights(x: NDArray[np.float32], neighbours: NDArray[np.int32], reciprocal: NDArray[np.bool_],
                order: NDArray[np.int64], out: NDArray[np.float64], start: int, stop: int) -> None:
    """Into ``[N, k1]``: log weight of each reciprocal pair, worked out once, at the row of lower index; for the rows
    ``order[start:stop]``."""
    for i in order[start:stop]:
        for p in range(neighbours.shape[1]):
            if reciprocal[i, p] and neighbours[i, p] >= i:
                out[i, p] = _log_weight(x[i], x[neighbours[i, p]])


@njit(nogil=True, cache=True)
def encode(x: NDArray[np.float32], neighbours: NDArray[np.int32], logs_of_pairs: NDArray[np.float64],
           reciprocal: NDArray[np.bool_], near: NDArray[np.bool_], order: NDArray[np.int64], start: int,
           stop: int) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """V before averaging: the expanded reciprocal set of each row and the softmax over it, for ``order[start:stop]``.

    Returns:
        Entries a row, their columns and their values.
    """
    counts = np.zeros(stop - start, np.int64)
    columns, values = np.empty(64, np.int32), np.empty(64, np.float32)
    logs = np.empty(neighbours.shape[1] * (near.shape[1] + 1), np.float64)
    # member[j] == mark: j is in A_i; mark + 1: added to A*_i. Never reset: every i has marks of its own.
    member = np.zeros(len(neighbours), np.int64)
    half = near.shape[1]
    size = 0
    for place in range(start, stop):
        i, mark = order[place], 2 * place + 1
        columns = grown(columns, size, len(logs))
        first = size
        for p in range(neighbours.shape[1]):
            if reciprocal[i, p]:
                j = neighbours[i, p]
                member[j] = mark
                columns[size] = j
                if j >= i:
                    logs[size - first] = logs_of_pairs[i, p]
                else:
                    q = 0
                    while neighbours[j, q] != i:
                        q += 1
                    logs[size - first] = logs_of_pairs[j, q]
                size += 1
        original = size
        for a in range(first, original):
            j = columns[a]
            total, common = 0, 0
            for q in range(half):
                if near[j, q]:
                    total += 1
                    common += member[neighbours[j, q]] == mark
            if 3 * common <= 2 * total:
                continue
            for q in range(half):
                m = neighbours[j, q]
                if near[j, q] and member[m] < mark:
                    member[m] = mark + 1
                    columns[size] = m
                    logs[size - first] = _log_weight(x[i], x[m])
                    size += 1
        values = grown(values, first, size - first)
        # By column, the order in which a dense program sums the softmax (see the note on rounding above).
        for a in range(first + 1, size):
            j, log = columns[a], logs[a - first]
            b = a - 1
            while b >= first and columns[b] > j:
                columns[b + 1], logs[b + 1 - first] = columns[b], logs[b - first]
                b -= 1
            columns[b + 1], logs[b + 1 - first] = j, log
        # At most about 0 for unit rows. Others must not overflow.
        highest = logs[:size - first].max()
        shift = highest if highest > 1 else 0.0
        total_weight = np.float32(0)
        for a in range(first, size):
            values[a] = np.exp(logs[a - first] - shift)
            total_weight += values[a]
        for a in range(first, size):
            values[a] /= total_weight
        counts[place - start] = size - first
    return counts, columns[:size].copy(), values[:size].copy()


@njit(nogil=True, cache=True)
def in_place(order: NDArray[np.int64], indptr: NDArray[np.int64], indices: NDArray[np.int32],
             data: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """CSR rows, of which the first is row ``order[0]`` and so on, each in its place."""
    starts, columns, values = np.zeros_like(indptr), np.empty_like(indices), np.empty_like(data)
    for place, i in enumerate(order):
        starts[i + 1] = indptr[place + 1] - indptr[place]
    for i in range(len(order)):
        starts[i + 1] += starts[i]
    for place, i in enumerate(order):
        columns[starts[i]:starts[i + 1]] = indices[indptr[place]:indptr[place + 1]]
        values[starts[i]:starts[i + 1]] = data[indptr[place]:indptr[place + 1]]
    return starts, columns, values


@njit(nogil=True, cache=True)
def average(neighbours: NDArray[np.int32], indptr: NDArray[np.int64], indices: NDArray[np.int32],
            data: NDArray[np.float32], start: int,
            stop: int) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Mean of V over the first k2 neighbours of each row; returns as :func:`encode`."""
    counts = np.zeros(stop - start, np.int64)
    columns, values = np.empty(64, np.int32), np.empty(64, np.float32)
    total = np.zeros(len(neighbours), np.float32)
    size = 0
    for i in range(start, stop):
        first, used = size, 0
        for p in range(neighbours.shape[1]):
            j = neighbours[i, p]
            if j < 0:
                continue
            used += 1
            columns = grown(columns, size, indptr[j + 1] - indptr[j])
            for a in range(indptr[j], indptr[j + 1]):
                m = indices[a]
                if data[a] > 0:
                    if total[m] == 0:
                        columns[size] = m
                        size += 1
                    total[m] += data[a]
        values = grown(values, first, size - first)
        for a in range(first, size):
            values[a] = total[columns[a]] / used
            total[columns[a]] = 0
        counts[i - start] = size - first
    return counts, columns[:size].copy(), values[:size].copy()
