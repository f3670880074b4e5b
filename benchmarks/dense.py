"""The k-reciprocal encoding with N x N matrices and loops over rows, as programs of the field write it: what the sparse
clustering and re-ranking are compared with."""
import numpy as np


def encode(squared, ranks, k1, half_k1):
    """Weights of every image's k-reciprocal set, expanded (Zhong et al., CVPR 2017, eqs. 3 to 5, 7).

    Args:
        squared: float32 [N, N], squared distances.
        ranks: int [N, at least k1], the nearest images of each, itself first.
        k1, half_k1: columns of ``ranks`` of the sets and of the half sets that expand them.

    Returns:
        float32 [N, N], rows with sum 1.
    """
    count = len(ranks)

    def reciprocal(i, k):
        near = ranks[i, :k]
        return near[(ranks[near, :k] == i).any(axis=1)]

    half = [reciprocal(i, half_k1) for i in range(count)]
    v = np.zeros((count, count), np.float32)
    for i in range(count):
        own = members = reciprocal(i, k1)
        for j in own:
            if 3 * np.isin(half[j], own).sum() > 2 * len(half[j]):
                members = np.append(members, half[j])
        members = np.unique(members)
        weights = np.exp(-squared[i, members])
        v[i, members] = weights / weights.sum()
    return v


def jaccard_rows(v, columns):
    """Jaccard distances between encodings (eq. 10), a row at a time.

    Args:
        v: float32 [n, N], encodings, rows with sum 1.
        columns: float32 [N, m], the encodings of the others, transposed.

    Yields:
        float32 [m], for each row of ``v``.
    """
    having = [np.flatnonzero(column) for column in columns]
    for row in v:
        shared = np.zeros(columns.shape[1], np.float32)
        for m in np.flatnonzero(row):
            shared[having[m]] += np.minimum(row[m], columns[m, having[m]])
        yield 1 - shared / (2 - shared)
