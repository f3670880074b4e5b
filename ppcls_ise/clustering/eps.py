"""The radius of DBSCAN: chosen from the distances, and what to say where the chosen one found nothing."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

from ..threads import over_rows
from .density import dbscan
from .distance import NearPairs

__all__ = ["EPS_GRID", "choose_eps", "core_distances", "covering_eps", "eps_advice", "silhouette"]

#: What :func:`choose_eps` averages over.
EPS_GRID = tuple(step / 100 for step in range(10, 91, 2))
#: Share of the highest mean silhouette that is as good as the highest.
FLAT = 0.95


def choose_eps(distance: NearPairs | csr_matrix, min_samples: int = 4, grid: Sequence[float] = EPS_GRID) -> float:
    """The ``eps`` whose clusters are compact and well separated: the middle of the best by :func:`silhouette`.

    Too small an eps leaves most images out, too large a one joins clusters into one that is as near to others as to
    itself; both lower the mean silhouette in which outliers count 0. Of the candidates within 5 % of the highest mean
    silhouette the average is taken, because the highest point of a flat top is a matter of chance, its middle is not.
    Nothing is drawn at random: the same distances give the same eps.

    Args:
        distance: of :func:`near_pairs` with the largest of ``grid`` as ``max_distance``, or of
            :func:`jaccard_distance`. Farther pairs count as at distance 1; without the cut they are many times as many,
            and change nothing.
        min_samples: see :func:`dbscan`.
        grid: candidates, ascending.

    Returns:
        Rounded to 0.01; the largest of ``grid`` where none gives a cluster.
    """
    found = []
    for eps in grid:
        labels = dbscan(distance, eps, min_samples)
        if labels.max(initial=-1) >= 0:
            found.append((silhouette(distance, labels), eps))
    if not found:
        return grid[-1]
    best, _ = max(found)
    return round(float(np.mean([eps for score, eps in found if score >= best - (1 - FLAT) * abs(best)])), 2)


def silhouette(distance: NearPairs | csr_matrix, labels: ArrayLike) -> float:
    """Mean silhouette (Rousseeuw, J. Comput. Appl. Math. 1987) over all images, outliers counted as 0.

    An image with mean distance a to the others of its cluster and b to the images of the nearest other cluster has
    ``(b - a) / max(a, b)``; alone in its cluster it has 0.

    Args:
        distance: of :func:`near_pairs`, or scipy CSR ``[N, N]``; an absent entry means distance 1.
        labels: ``[N]`` int, clusters 0..K-1, negative = outlier.

    Returns:
        -1 to 1.
    """
    labels = np.asarray(labels, np.int64)
    if labels.max(initial=-1) < 0:
        return 0.0
    graph = distance.distances if isinstance(distance, NearPairs) else distance
    sizes = np.bincount(labels[labels >= 0])
    parts = over_rows(_silhouettes, len(labels), graph.indptr, graph.indices, graph.data, labels, sizes)
    return float(np.concatenate(parts).mean())


@njit(nogil=True, cache=True)
def _silhouettes(indptr: NDArray[np.int64], indices: NDArray[np.int32], data: NDArray[np.float32],
                 labels: NDArray[np.int64], sizes: NDArray[np.int64], start: int, stop: int) -> NDArray[np.float64]:
    out = np.zeros(stop - start)
    # Sums of 1 - d, so that absent entries add nothing.
    likeness = np.zeros(len(sizes))
    for i in range(start, stop):
        own = labels[i]
        if own < 0 or sizes[own] == 1:
            continue
        for a in range(indptr[i], indptr[i + 1]):
            if labels[indices[a]] >= 0 and indices[a] != i:
                likeness[labels[indices[a]]] += 1 - np.float64(data[a])
        inside, outside = likeness[own] / (sizes[own] - 1), 0.0
        for a in range(indptr[i], indptr[i + 1]):
            other = labels[indices[a]]
            if other >= 0:
                if other != own:
                    outside = max(outside, likeness[other] / sizes[other])
                likeness[other] = 0
        # Now a = 1 - inside and b = 1 - outside; the nearest cluster is at most at distance 1.
        larger = max(1 - inside, 1 - outside)
        if larger > 0:
            out[i - start] = (inside - outside) / larger
    return out


def covering_eps(distance: NearPairs | csr_matrix, min_samples: int, share: float,
                 grid: Sequence[float] = EPS_GRID) -> float:
    """The smallest ``eps`` that leaves no more images out than a share: as pure as clusters of so many images can be.

    Args:
        distance: as of :func:`choose_eps`.
        min_samples: of :func:`dbscan`.
        share: of the images that are to be in a cluster, 0 to 1.
        grid: candidates, ascending.

    Returns:
        One of the candidates; the largest where none is enough.
    """
    count = distance.distances.shape[0] if isinstance(distance, NearPairs) else distance.shape[0]
    for eps in grid:
        if (dbscan(distance, eps, min_samples) >= 0).sum() >= share * count:
            return eps
    return grid[-1]


def core_distances(distance: csr_matrix, min_samples: int) -> NDArray[np.float64]:
    """``[N]`` float64: the eps from which on each image is a core, its distance to the min_samples-th nearest image.

    Args:
        distance: of :func:`jaccard_distance`.
        min_samples: itself included; 1.0 stands where fewer images are nearer than 1.
    """
    core = np.ones(distance.shape[0])
    for row in np.flatnonzero(np.diff(distance.indptr) >= min_samples):
        values = distance.data[distance.indptr[row]:distance.indptr[row + 1]]
        core[row] = np.partition(values, min_samples - 1)[min_samples - 1]
    return core


def eps_advice(distance: csr_matrix, eps: float, min_samples: int, of_cameras: bool = False) -> str:
    """Why ``eps`` gave no cluster and what would: a sentence for an error message.

    Args: as of :func:`core_distances`, and the eps that failed; ``of_cameras``: its keys are ``camera_eps`` and
        ``camera_min_samples``.
    """
    eps_key, least_key = (f"Cluster.{'camera_' * of_cameras}{name}" for name in ("eps", "min_samples"))
    if distance.shape[0] < min_samples:
        return f"fewer images than {least_key} {min_samples}"
    quantiles = np.quantile(core_distances(distance, min_samples), [0.05, 0.25, 0.5])
    if quantiles[1] >= 1:
        return (f"three quarters of the images have fewer than {min_samples} images at any distance below 1; "
                f"lower {least_key}, or start from other weights: these features hardly tell who is alike")
    return (f"the distance of an image to its {min_samples - 1} nearest others is at most {quantiles[0]:.3f} "
            f"for 5 % of the images, {quantiles[1]:.3f} for 25 % and {quantiles[2]:.3f} for half; {eps_key} is "
            f"{eps}, try {min(quantiles[1] + 0.005, 0.99):.2f} (or a smaller {least_key})")
