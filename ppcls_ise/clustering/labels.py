"""Features to pseudo labels and to the first memory, in one call each."""
from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .features import Features, as_features
from .k_reciprocal import KReciprocalDBSCAN
from .search.neighbours import Method

__all__ = ["cluster_centroids", "pseudo_labels"]


def pseudo_labels(x: Features, eps: float | Literal["auto"], min_samples: int = 4, k1: int = 30, k2: int = 6,
                  method: Method = "exact", block_size: int = 4096, half: bool = False) -> NDArray[np.int64]:
    """Cluster labels of images from their features: the labels of :class:`KReciprocalDBSCAN`.

    Args:
        x: ``[N, D]`` float32 unit rows, numpy array or paddle tensor; row i is the feature of image i.
        eps, min_samples, k1, k2, block_size, half: see :class:`KReciprocalDBSCAN`.
        method: its ``search``.

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
    return KReciprocalDBSCAN(eps, min_samples, k1, k2, method, block_size=block_size, half=half)(x).labels


def cluster_centroids(x: Features, labels: ArrayLike) -> NDArray[np.float32]:
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
