"""k-reciprocal Jaccard distance, sparse: rows of at most a few hundred entries, never N x N."""
from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from .encoding import average, encode, log_weights, mutual
from .features import as_features, over_rows, squared_norms
from .pairs import mirror, pairs, transpose
from .search.neighbours import nearest_neighbours


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
    sets = np.ascontiguousarray(neighbours[:, :k1])
    reciprocal = _stack(over_rows(mutual, len(x), sets, sets.shape[1]))
    near = _stack(over_rows(mutual, len(x), sets, min(half, k1)))
    logs = _stack(over_rows(log_weights, len(x), x, sets, reciprocal))
    encoding = _join(over_rows(encode, len(x), x, sets, logs, reciprocal, near))
    if k2 > 1:
        encoding = _join(over_rows(average, len(x), np.ascontiguousarray(neighbours[:, :k2]), *encoding))
    columns = transpose(*encoding)
    encoding = transpose(*columns)  # back again: now each row is sorted by column
    upper = _join(over_rows(pairs, len(x), *encoding, *columns, np.float32(max_distance)))
    indptr, indices, data = mirror(*upper)
    distance = csr_matrix((data, indices, indptr), shape=(len(x), len(x)))
    distance.max_distance = max_distance  # so that dbscan can refuse an eps beyond it
    return distance


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


def _stack(parts):
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.bool_)


def _join(parts):
    """CSR pieces of consecutive rows to one: indptr int64, indices int32, data float32."""
    if not parts:
        return np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32)
    counts, columns, values = (np.concatenate(arrays) for arrays in zip(*parts))
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]), columns, values
