"""Features to pseudo labels and to the first memory, in one call each."""
from __future__ import annotations

import numpy as np

from .density import dbscan
from .eps import EPS_GRID, choose_eps
from .features import as_features
from .jaccard import jaccard_distance
from .search.neighbours import nearest_neighbours


def pseudo_labels(x, eps, min_samples=4, k1=30, k2=6, method="exact", block_size=4096, half=False):
    """Cluster labels of images from their features: neighbours, Jaccard distance, DBSCAN.

    Args:
        x: ``[N, D]`` float32 unit rows, numpy array or paddle tensor; row i is the feature of image i.
        eps, min_samples: see :func:`dbscan`; with eps ``auto``, :func:`choose_eps`.
        k1, k2: see :func:`jaccard_distance`.
        method, block_size, half: see :func:`nearest_neighbours`.

    Returns:
        ``[N]`` int64: clusters 0..K-1, -1 = outlier. No image: empty. Fewer images than ``k1``: all of them are
        neighbours, nothing else changes. A zero vector is an outlier.

    Raises:
        ValueError: features with NaN or Inf, or parameters out of range.

    Example:
        >>> import numpy as np
        >>> pseudo_labels(np.repeat(np.eye(2, 8, dtype="float32"), 5, axis=0), eps=0.5, k1=5)
        array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    """
    neighbours = nearest_neighbours(x, max(k1, k2), method, block_size, half)
    farthest = EPS_GRID[-1] if eps == "auto" else min(eps, 1.0)
    distance = jaccard_distance(x, k1, k2, max_distance=farthest, neighbours=neighbours)
    if eps == "auto":
        eps = choose_eps(distance, min_samples)
    return dbscan(distance, eps, min_samples)


def cluster_centroids(x, labels):
    """One centroid a cluster: the L2-normalised mean of its members' features; the initial memory of an epoch.

    Args:
        x: ``[N, D]`` float32 unit rows, numpy array or paddle tensor.
        labels: ``[N]`` int, clusters 0..K-1, negative = outlier (no part in any centroid).

    Returns:
        ``[K, D]`` float32 unit rows, row j the centroid of cluster j.

    Raises:
        ValueError: as many labels as features are needed, and every label of 0..K-1 must occur.
    """
    x, labels = as_features(x), np.asarray(labels)
    if labels.shape != (len(x),):
        raise ValueError(f"{len(x)} features need labels [{len(x)}], got {list(labels.shape)}")
    order = np.argsort(labels, kind="stable")
    order = order[np.searchsorted(labels[order], 0):]
    found, starts = np.unique(labels[order], return_index=True)
    if not np.array_equal(found, np.arange(len(found))):
        missing = np.setdiff1d(np.arange(found[-1] + 1), found)[0]
        raise ValueError(f"cluster {missing} has no image: labels must be 0..K-1 without gaps, for row j of the "
                         "memory is the centroid of cluster j")
    centroids = np.empty((len(found), x.shape[1]), np.float32)
    for label, members in enumerate(np.split(order, starts[1:]) if len(found) else []):
        # One cluster at a time: a float64 copy of all features would be the largest array of the epoch.
        mean = x[members].mean(axis=0, dtype=np.float64)
        centroids[label] = mean / max(np.linalg.norm(mean), 1e-12)
    return centroids
