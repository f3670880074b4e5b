"""How well clusters are told apart, without knowing what they should be."""
from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import onednn
from .features import Features, as_features

__all__ = ["simplified_silhouette"]


def simplified_silhouette(x: Features, labels: ArrayLike, groups: ArrayLike, block_size: int = 4096) -> float:
    """Mean silhouette of the clustered rows, by cosine distance to centroids.

    ``(b - a) / max(a, b)``: a the distance of a row to the mean of the *others* of its cluster, b to the nearest
    centroid of another cluster of its group (Rousseeuw, 1987; with centroids, so that no N x N matrix is needed). It
    falls where a cluster is cut in two, and where two are one.

    Args:
        x: ``[N, D]`` float32 unit rows.
        labels: ``[N]`` int, clusters 0..K-1, each within one group; negative = outlier.
        groups: ``[N]`` int, such as cameras.
        block_size: rows that are compared at a time.

    Returns:
        From -1 to 1; -1 where no group has two clusters.
    """
    x, labels, groups = as_features(x), np.asarray(labels, np.int64), np.asarray(groups)
    total, count = 0.0, 0
    for group in np.unique(groups):
        rows = np.flatnonzero((groups == group) & (labels >= 0))
        own = np.unique(labels[rows], return_inverse=True)[1].reshape(-1)
        clusters = own.max(initial=-1) + 1
        if clusters < 2:
            continue
        sums = np.zeros((clusters, x.shape[1]), np.float32)
        np.add.at(sums, own, x[rows])
        centroids = _unit(sums)
        for start in range(0, len(rows), block_size):
            some, mine = rows[start:start + block_size], own[start:start + block_size]
            cosines = onednn.products(x[some], centroids)
            cosines[np.arange(len(some)), mine] = -np.inf
            within = 1 - (x[some] * _unit(sums[mine] - x[some])).sum(axis=1)
            across = 1 - cosines.max(axis=1)
            total += float(((across - within) / np.maximum(np.maximum(across, within), 1e-12)).sum(dtype=np.float64))
        count += len(rows)
    return total / count if count else -1.0


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = rows / np.maximum(norms, 1e-6)
    return unit
