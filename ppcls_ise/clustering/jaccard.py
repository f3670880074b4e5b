"""k-reciprocal Jaccard distance, sparse: rows of at most a few hundred entries, never N x N."""
from __future__ import annotations

import numpy as np
from numba import njit
from scipy.sparse import csr_matrix

from .features import as_features, over_rows, squared_norms
from .neighbours import nearest_neighbours


def jaccard_distance(x, k1=30, k2=6, max_distance=1.0, neighbours=None):
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
        neighbours = nearest_neighbours(x, max(k1, k2))
    x = as_features(x)
    neighbours = _checked(x, max(k1, k2), neighbours)
    # round() is half-to-even: 16 of 30 and 11 of 20, but 9 of 17 as of 16.
    half = min(round(k1 / 2) + 1, neighbours.shape[1])
    sets = neighbours[:, :k1]
    reciprocal = _stack(over_rows(_reciprocal, len(x), sets, sets.shape[1]))
    near = _stack(over_rows(_reciprocal, len(x), sets, min(half, k1)))
    log_weights = _stack(over_rows(_log_weights, len(x), x, sets, reciprocal))
    encoding = _join(over_rows(_encode, len(x), x, sets, log_weights, reciprocal, near))
    if k2 > 1:
        encoding = _join(over_rows(_average, len(x), neighbours[:, :k2], *encoding))
    columns = _transpose(*encoding)
    # Back again for rows sorted by column: distances that are 1/2 by rule, as of rows that share four of their six
    # neighbours, then round to the same side as in a dense float32 program, which adds in that order.
    encoding = _transpose(*columns)
    upper = _join(over_rows(_pairs, len(x), *encoding, *columns, np.float32(max_distance)))
    indptr, indices, data = _mirror(*upper)
    return csr_matrix((data, indices, indptr), shape=(len(x), len(x)))


def _checked(x, k, neighbours):
    """The first k columns of the neighbour lists, with zero vectors taken out of all lists but their own."""
    neighbours = np.asarray(neighbours)
    k = min(k, len(x))
    if neighbours.ndim != 2 or len(neighbours) != len(x) or neighbours.shape[1] < k:
        raise ValueError(f"neighbours must be [{len(x)}, {k}] or wider for {len(x)} features, "
                         f"got {list(neighbours.shape)}")
    neighbours = np.array(neighbours[:, :k], dtype=np.int32, order="C")
    if neighbours.size and (neighbours.max() >= len(x) or (neighbours[:, 0] != np.arange(len(x))).any()):
        raise ValueError("neighbours must be indices of rows of x, each row itself in column 0")
    zero = squared_norms(x) == 0
    if zero.any():
        neighbours[zero[neighbours]] = -1
        neighbours[zero, 1:] = -1
        neighbours[zero, 0] = np.flatnonzero(zero)
    return neighbours


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
def _log_weight(a, b):
    """-(2 - 2 a.b), summed in float64: it must not depend on the library or device that found the neighbours."""
    total = 0.0
    for d in range(a.shape[0]):
        total += np.float64(a[d]) * np.float64(b[d])
    return 2 * total - 2


@njit(nogil=True, cache=True)
def _log_weights(x, neighbours, reciprocal, start, stop):
    """``[rows, k1]``: log weight of each reciprocal pair, worked out once, at the row of lower index."""
    out = np.zeros((stop - start, neighbours.shape[1]), np.float64)
    for i in range(start, stop):
        for p in range(neighbours.shape[1]):
            if reciprocal[i, p] and neighbours[i, p] >= i:
                out[i - start, p] = _log_weight(x[i], x[neighbours[i, p]])
    return out


@njit(nogil=True, cache=True)
def _encode(x, neighbours, log_weights, reciprocal, near, start, stop):
    """V before averaging: the expanded reciprocal set of each row and the softmax over it."""
    counts = np.zeros(stop - start, np.int64)
    columns, values = np.empty(64, np.int32), np.empty(64, np.float32)
    logs = np.empty(neighbours.shape[1] * (near.shape[1] + 1), np.float64)
    # member[j] == 2i + 1: j is in A_i; 2i + 2: added to A*_i. Never reset: every i has its own numbers.
    member = np.zeros(len(neighbours), np.int64)
    half = near.shape[1]
    size = 0
    for i in range(start, stop):
        columns = _grown(columns, size, len(logs))
        first = size
        for p in range(neighbours.shape[1]):
            if reciprocal[i, p]:
                j = neighbours[i, p]
                member[j] = 2 * i + 1
                columns[size] = j
                if j >= i:
                    logs[size - first] = log_weights[i, p]
                else:
                    q = 0
                    while neighbours[j, q] != i:
                        q += 1
                    logs[size - first] = log_weights[j, q]
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
            for q in range(half):
                m = neighbours[j, q]
                if near[j, q] and member[m] < 2 * i + 1:
                    member[m] = 2 * i + 2
                    columns[size] = m
                    logs[size - first] = _log_weight(x[i], x[m])
                    size += 1
        values = _grown(values, first, size - first)
        # At most about 0 for unit rows. Others must not overflow.
        highest = logs[:size - first].max()
        shift = highest if highest > 1 else 0.0
        total_weight = np.float32(0)
        for a in range(first, size):
            values[a] = np.exp(logs[a - first] - shift)
            total_weight += values[a]
        for a in range(first, size):
            values[a] /= total_weight
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
def _transpose(indptr, indices, data):
    """CSR to CSC; rows ascend within each column."""
    size = len(indptr) - 1
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
