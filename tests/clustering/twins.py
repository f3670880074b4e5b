"""Slow, obvious re-implementations of the clustering room, dense and row by row, straight from method.md."""
import numpy as np


def neighbours(x, k):
    """k nearest rows by squared L2 rounded to float32, itself first, then by distance, then by index."""
    x = np.asarray(x, np.float64)
    squared = ((x[:, None] - x[None]) ** 2).sum(-1).astype(np.float32)
    np.fill_diagonal(squared, -1)
    return np.argsort(squared, axis=1, kind="stable")[:, :k]


def jaccard(x, k1, k2, ranks=None):
    x = np.asarray(x, np.float64)
    count = len(x)
    ranks = neighbours(x, max(k1, k2)) if ranks is None else ranks

    def reciprocal(i, k):
        return {j for j in ranks[i, :k] if i in ranks[j, :k]}

    full = [reciprocal(i, k1) for i in range(count)]
    half = [reciprocal(i, min(k1, round(k1 / 2) + 1)) for i in range(count)]
    v = np.zeros((count, count))
    for i in range(count):
        members = set(full[i])
        for j in full[i]:
            if 3 * len(half[j] & full[i]) > 2 * len(half[j]):
                members |= half[j]
        members = sorted(members)
        weights = np.exp(-(2 - 2 * x[members] @ x[i]))
        v[i, members] = weights / weights.sum()
    if k2 > 1:
        v = np.stack([v[ranks[i, :k2]].mean(axis=0) for i in range(count)])
    shared = np.stack([np.minimum(v[i], v).sum(axis=1) for i in range(count)])
    return np.maximum(0, 1 - shared / (2 - shared))


def dense(distance):
    """The sparse result as the dense matrix it stands for."""
    distance = distance.tocoo()
    full = np.ones(distance.shape, np.float32)
    full[distance.row, distance.col] = distance.data
    return full


def features(count, dim=16, groups=12, noise=0.6, seed=0, duplicates=0):
    """Unit rows around random centres; the last ``duplicates`` rows repeat earlier ones."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(groups, dim))[rng.integers(groups, size=count)] + noise * rng.normal(size=(count, dim))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    if duplicates:
        x[-duplicates:] = x[rng.integers(count // 8, size=duplicates)]
    return x
