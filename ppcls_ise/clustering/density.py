"""DBSCAN on a sparse distance matrix."""
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse

from .distance import NearPairs

__all__ = ["dbscan"]


def dbscan(distance: NearPairs | csr_matrix | NDArray[Any], eps: float, min_samples: int = 4) -> NDArray[np.int64]:
    """Clusters by density (Ester et al., KDD 1996): the labels scikit-learn's DBSCAN gives on the dense matrix.

    Args:
        distance: of :func:`near_pairs`; or scipy sparse ``[N, N]`` as of :func:`jaccard_distance`, where a stored 0 is
            distance 0 and an absent entry is distance 1; or a dense ``[N, N]`` array.
        eps: two images within this distance are neighbours.
        min_samples: an image with that many neighbours, itself included, is the core of a cluster.

    Returns:
        ``[N]`` int64: clusters 0, 1, ... in the order of their first core image, -1 for outliers. An image at the
        border of several clusters belongs to the first.

    Raises:
        ValueError: eps not above 0, or above the ``max_distance`` of near pairs; min_samples < 1; a matrix
            that is not square.
    """
    if not eps > 0:
        raise ValueError(f"eps must be above 0, got {eps}: Jaccard distances lie between 0 and 1, try 0.4 to 0.7")
    if min_samples < 1:
        raise ValueError(f"min_samples must be at least 1, got {min_samples}")
    if isinstance(distance, NearPairs):
        if distance.max_distance < min(eps, 1.0):
            raise ValueError(f"pairs farther apart than {distance.max_distance} were left out, so that eps={eps} would "
                             f"miss neighbours: call near_pairs with max_distance={eps} or more")
        distance = distance.distances
    if len(distance.shape) != 2 or distance.shape[0] != distance.shape[1]:
        raise ValueError(f"distance must be square [N, N], got {list(distance.shape)}")
    if issparse(distance):
        if eps >= 1:  # absent entries are within reach too: everything is everything's neighbour
            enough = distance.shape[0] >= min_samples
            return np.full(distance.shape[0], 0 if enough else -1, np.int64)
        graph = csr_matrix(distance)
        kept = graph.data <= graph.data.dtype.type(eps)
        indptr, indices = graph.indptr, graph.indices
    else:
        # The stored values are all 1, so that distances of 0 survive as entries.
        graph = csr_matrix(distance <= eps)
        indptr, indices, kept = graph.indptr, graph.indices, np.ones(graph.nnz, np.bool_)
    return _grow_clusters(indptr, indices, kept, min_samples)


@njit(nogil=True, cache=True)
def _grow_clusters(indptr: NDArray[np.int64], indices: NDArray[np.int32], kept: NDArray[np.bool_],
                   min_samples: int) -> NDArray[np.int64]:
    """One cluster after the other from its first core, depth first; only cores pass the label on."""
    size = len(indptr) - 1
    core = np.zeros(size, np.bool_)
    for i in range(size):
        # The image itself counts whether or not the diagonal is stored.
        count = 1
        for a in range(indptr[i], indptr[i + 1]):
            count += kept[a] and indices[a] != i
        core[i] = count >= min_samples
    labels = np.full(size, -1, np.int64)
    stack = np.empty(size, np.int64)
    label = 0
    for seed in range(size):
        if labels[seed] >= 0 or not core[seed]:
            continue
        labels[seed] = label
        stack[0] = seed
        depth = 1
        while depth > 0:
            depth -= 1
            i = stack[depth]
            for a in range(indptr[i], indptr[i + 1]):
                j = indices[a]
                if kept[a] and labels[j] < 0:
                    labels[j] = label
                    if core[j]:
                        stack[depth] = j
                        depth += 1
        label += 1
    return labels
