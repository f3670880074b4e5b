"""k-reciprocal Jaccard distance, sparse: rows of at most a few hundred entries, never N x N."""
from __future__ import annotations

import numpy as np
from numba import njit
from scipy.sparse import csr_matrix

from .features import as_features, over_rows, squared_norms
from .neighbours import nearest_neighbours


def jaccard_distance(x, k1=30, k2=6, max_distance=1.0, neighbours=None, squared_distances=None):
    """k-reciprocal Jaccard distance between images (Zhong et al., CVPR 2017, arXiv 1701.08398, as ISE uses it).

    Two images are near when they have the same neighbours. Only pairs that share a neighbour differ from distance 1,
    so the result is sparse and everything on the way to it too.

    Args:
        x: ``[N, D]`` float32 unit rows, numpy array or paddle tensor; row i is the feature of image i.
        k1 (int): neighbours a row, itself included, of which the reciprocal ones count.
        k2 (int): neighbours, itself included, over which the encoding of a row is averaged; 1 switches that off.
        max_distance (float): pairs farther apart are left out; ``eps`` is enough for DBSCAN. Pairs at distance 1 are
            left out in any case.
        neighbours: ``[N, >= min(k1, N)]`` int from :func:`nearest_neighbours`, searched here when not given.
            -1 stands for "none found".
        squared_distances: ``[N, same]`` float32 of these neighbours; without it they are computed again.

    Returns:
        scipy CSR ``[N, N]`` float32, symmetric, indices sorted. A stored entry is a distance (0 on the diagonal and
        for pairs that are alike), an absent entry means distance 1, or more than ``max_distance``.
        A zero vector has no direction: it is at distance 0 from itself and 1 from everything else.

    Raises:
        ValueError: NaN or Inf in x, k1 or k2 < 1, or neighbours that do not fit x.
    """
    if k1 < 1 or k2 < 1:
        raise ValueError(f"k1 and k2 must be at least 1 (the row itself), got k1={k1}, k2={k2}")
    if not max_distance > 0:
        raise ValueError(f"max_distance must be above 0, got {max_distance}")
    if neighbours is None:
        neighbours, squared_distances = nearest_neighbours(x, max(k1, k2), return_distances=True)
    x = as_features(x)
    neighbours, squared_distances = _checked(x, max(k1, k2), neighbours, squared_distances)
    # round() is half-to-even: 16 of 30 and 11 of 20, but 9 of 17 as of 16.
    half = min(round(k1 / 2) + 1, neighbours.shape[1])
    sets = neighbours[:, :k1]
    reciprocal = _stack(over_rows(_reciprocal, len(x), sets, sets.shape[1]))
    near = _stack(over_rows(_reciprocal, len(x), sets, min(half, k1)))
    encoding = _join(over_rows(_encode, len(x), x, squared_norms(x), sets, squared_distances, reciprocal, near))
    if k2 > 1:
        encoding = _join(over_rows(_average, len(x), neighbours[:, :k2], *encoding))
    columns = _transpose(*encoding, len(x))
    upper = _join(over_rows(_pairs, len(x), *encoding, *columns, np.float32(max_distance)))
    indptr, indices, data = _mirror(*upper)
    return csr_matrix((data, indices, indptr), shape=(len(x), len(x)))


def _checked(x, k, neighbours, squared_distances):
    """The first columns of the neighbour lists, with zero vectors taken out of all lists but their own."""
    neighbours = np.array(neighbours, dtype=np.int32, order="C", ndmin=2)
    k = min(k, len(x))
    if len(neighbours) != len(x) or neighbours.shape[1] < k:
        raise ValueError(f"neighbours must be [{len(x)}, {k}] or wider for {len(x)} features, "
                         f"got {list(neighbours.shape)}")
    if neighbours.size and (neighbours.max() >= len(x) or (neighbours[:, 0] != np.arange(len(x))).any()):
        raise ValueError("neighbours must be indices of rows of x, each row itself in column 0")
    neighbours = np.ascontiguousarray(neighbours[:, :k])
    if squared_distances is None:
        # NaN: to be computed where needed.
        squared_distances = np.full(neighbours.shape, np.nan, np.float32)
    squared_distances = np.ascontiguousarray(np.asarray(squared_distances, np.float32)[:, :k])
    if squared_distances.shape != neighbours.shape:
        raise ValueError(f"squared_distances must have the shape of neighbours, {list(neighbours.shape)}, "
                         f"got {list(squared_distances.shape)}")
    zero = squared_norms(x) == 0
    if zero.any():
        neighbours[zero[neighbours]] = -1
        neighbours[zero, 1:] = -1
        neighbours[zero, 0] = np.flatnonzero(zero)
    return neighbours, squared_distances


@njit(nogil=True, cache=True)
def _reciprocal(neighbours, k, start, stop):
    """``[rows, k]`` bool: is the p-th neighbour reciprocal within the first k."""
    mutual = np.zeros((stop - start, k), np.bool_)
    for i in range(start, stop):
        for p in range(k):
            j = neighbours[i, p]
            if j < 0:
                continue
            for q in range(k):
                if neighbours[j, q] == i:
                    mutual[i - start, p] = True
                    break
    return mutual


@njit(nogil=True, cache=True)
def _grown(array, size, needed):
    if size + needed <= len(array):
        return array
    larger = np.empty(2 * len(array) + needed, array.dtype)
    larger[:size] = array[:size]
    return larger


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})
def _dot(a, b):
    total = np.float32(0.0)
    for d in range(a.shape[0]):
        total += a[d] * b[d]
    return total


@njit(nogil=True, cache=True)
def _encode(x, norms, neighbours, squared, reciprocal, near, start, stop):
    """V before averaging: the expanded reciprocal set of each row and the softmax over it."""
    counts = np.zeros(stop - start, np.int64)
    columns, values = np.empty(64, np.int32), np.empty(64, np.float32)
    # member[j] == 2i + 1: j is in A_i; 2i + 2: added to A*_i. Never reset: every i has its own numbers.
    member = np.zeros(len(neighbours), np.int64)
    half = near.shape[1]
    size = 0
    for i in range(start, stop):
        first = size
        for p in range(neighbours.shape[1]):
            if reciprocal[i, p]:
                j = neighbours[i, p]
                member[j] = 2 * i + 1
                columns, values = _grown(columns, size, 1), _grown(values, size, 1)
                columns[size] = j
                values[size] = squared[i, p]
                size += 1
        original = size
        for a in range(first, original):
            j = columns[a]
            total, common = 0, 0
            for q in range(half):
                if near[j, q]:
                    total += 1
                    common += member[neighbours[j, q]] == 2 * i + 1
            if 3 * common <= 2 * total:
                continue
            columns, values = _grown(columns, size, half), _grown(values, size, half)
            for q in range(half):
                m = neighbours[j, q]
                if near[j, q] and member[m] < 2 * i + 1:
                    member[m] = 2 * i + 2
                    columns[size] = m
                    values[size] = np.nan
                    size += 1
        lowest = np.float32(np.inf)
        for a in range(first, size):
            j = columns[a]
            if np.isnan(values[a]):
                for q in range(1, neighbours.shape[1]):
                    if neighbours[j, q] == i:
                        values[a] = squared[j, q]
                        break
            # 2 - 2 x_i.x_j, also where rows are not of unit length
            if np.isnan(values[a]):
                values[a] = 2 - 2 * _dot(x[i], x[j])
            else:
                values[a] += 2 - norms[i] - norms[j]
            lowest = min(lowest, values[a])
        total_weight = 0.0
        for a in range(first, size):
            total_weight += np.exp(np.float64(lowest - values[a]))
        for a in range(first, size):
            values[a] = np.exp(np.float64(lowest - values[a])) / total_weight
        counts[i - start] = size - first
    return counts, columns[:size].copy(), values[:size].copy()


@njit(nogil=True, cache=True)
def _average(neighbours, indptr, indices, data, start, stop):
    """Mean of V over the first k2 neighbours of each row."""
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
            columns = _grown(columns, size, indptr[j + 1] - indptr[j])
            for a in range(indptr[j], indptr[j + 1]):
                m = indices[a]
                if data[a] > 0:
                    if total[m] == 0:
                        columns[size] = m
                        size += 1
                    total[m] += data[a]
        values = _grown(values, first, size - first)
        for a in range(first, size):
            values[a] = total[columns[a]] / used
            total[columns[a]] = 0
        counts[i - start] = size - first
    return counts, columns[:size].copy(), values[:size].copy()


@njit(nogil=True, cache=True)
def _transpose(indptr, indices, data, size):
    """CSR to CSC; rows ascend within each column."""
    pointer = np.zeros(size + 1, np.int64)
    for m in indices:
        pointer[m + 1] += 1
    for m in range(size):
        pointer[m + 1] += pointer[m]
    place = pointer[:-1].copy()
    rows, values = np.empty(len(indices), np.int32), np.empty(len(indices), np.float32)
    for i in range(size):
        for a in range(indptr[i], indptr[i + 1]):
            m = indices[a]
            rows[place[m]] = i
            values[place[m]] = data[a]
            place[m] += 1
    return pointer, rows, values


@njit(nogil=True, cache=True)
def _pairs(indptr, indices, data, pointer, rows, values, max_distance, start, stop):
    """Distances of each row to the rows after it that share a column with it."""
    counts = np.zeros(stop - start, np.int64)
    columns, distances = np.empty(1024, np.int32), np.empty(1024, np.float32)
    shared = np.zeros(len(indptr) - 1, np.float32)
    touched = np.empty(len(indptr) - 1, np.int32)
    size = 0
    for i in range(start, stop):
        first, num_touched = size, 0
        for a in range(indptr[i], indptr[i + 1]):
            value, m = data[a], indices[a]
            # Rows ascend in a column, so those after i are at its end.
            b = pointer[m + 1] - 1
            while rows[b] > i:
                j = rows[b]
                if shared[j] == 0:
                    touched[num_touched] = j
                    num_touched += 1
                shared[j] += min(value, values[b])
                b -= 1
        columns, distances = _grown(columns, size, num_touched), _grown(distances, size, num_touched)
        for t in range(num_touched):
            j = touched[t]
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
def _mirror(indptr, indices, data):
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


def _stack(parts):
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.bool_)


def _join(parts):
    """CSR pieces of consecutive rows to one: indptr int64, indices int32, data float32."""
    if not parts:
        return np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32)
    counts, columns, values = (np.concatenate(arrays) for arrays in zip(*parts))
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]), columns, values
