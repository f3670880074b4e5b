"""Which cameras see the same persons, and which clusters of two cameras are one."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .camera_matches import BestMatches

__all__ = ["Joins", "beyond_expectation", "join_clusters", "linked_cameras", "more_alike_than_strangers",
           "mutual_counts"]

#: Mutual best matches that say something.
LEAST, MANY = 8, 10
#: Share of a camera's largest count that a pair needs to be among its best.
AMONG_BEST = 0.8
#: Standard deviations, and standard errors, by which matches of two cameras are more alike than strangers.
GAIN, SURE = 0.1, 3


class Joins(NamedTuple):
    """What became of K clusters."""

    labels: NDArray[np.int64]  #: [K], number of the joined cluster, 0..J-1
    pairs: NDArray[np.int64]  #: [P, 2], the pairs that were joined
    refused: int  #: pairs that would have put two clusters of one camera together


def mutual_counts(matches: BestMatches, cameras: NDArray[np.int64],
                  similarity: NDArray[np.float32]) -> NDArray[np.int64]:
    """``[C, C]``: pairs of clusters of two cameras that are each other's most similar cluster of *any* other camera, by
    one of the similarities of the matches."""
    count = matches.clusters.shape[1]
    clusters = np.arange(len(cameras))
    counts = np.zeros((count, count), np.int64)
    partner = matches.clusters[clusters, similarity.argmax(axis=1)]
    mutual = (partner >= 0) & (partner[partner] == clusters)
    np.add.at(counts, (cameras[mutual], cameras[partner[mutual]]), 1)
    return counts


def linked_cameras(matches: BestMatches, cameras: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pairs of cameras that see the same persons: those whose matches are :func:`more_alike_than_strangers`, and where
    too little is known for that, those that have more matches than other pairs, by their :func:`mutual_counts`.

    Cameras of one style have many matches whoever they see, so two counts decide. By the standardized similarity, which
    knows no style, a pair is linked that has :data:`LEAST` matches and is among the best of both its cameras: at least
    :data:`AMONG_BEST` of the largest count of either. By the plain one a pair is that has more than the cameras'
    matches with others predict, unless the first count speaks against it: one of the cameras has :data:`MANY` matches
    with another, and the pair is not among its best.

    Args:
        matches: of :func:`best_matches`.
        cameras: ``[K]`` int, the camera of each cluster, -1 where it is not known.

    Returns:
        ``[C, C]`` bool, symmetric.
    """
    counts = mutual_counts(matches, cameras, matches.standardized)
    largest = counts.max(axis=1, initial=0)
    among_best = counts >= AMONG_BEST * largest
    against = ~among_best & (largest >= MANY)
    return (more_alike_than_strangers(matches, cameras)
            | (counts >= LEAST) & among_best & among_best.T
            | beyond_expectation(mutual_counts(matches, cameras, matches.similarity)) & ~against & ~against.T)


def more_alike_than_strangers(matches: BestMatches, cameras: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where a cluster's most similar one of another camera is more alike than its most similar one of the own camera.

    The latter is a stranger: a camera's clusters are different persons. If the other camera sees other persons, both
    are, and with similarities standardized neither is more alike; if it sees the same ones, many of the former are the
    same person. Over the clusters of both cameras the mean difference has to be :data:`GAIN`, and :data:`SURE` times
    its standard error, with :data:`LEAST` clusters in each. A person split in two clusters of a camera speaks against
    a link, never for one.

    Args:
        matches: of :func:`best_matches`.
        cameras: ``[K]`` int, the camera of each cluster, -1 where it is not known.

    Returns:
        ``[C, C]`` bool, symmetric.
    """
    count = matches.clusters.shape[1]
    of_camera = (cameras[:, None] == np.arange(count)).astype(np.float64)  # [K, C]
    gain = matches.standardized.astype(np.float64) - matches.stranger[:, None]
    known = np.isfinite(gain)
    gain = np.where(known, gain, 0.0)
    sums = (of_camera.T @ values for values in (known.astype(np.float64), gain, gain ** 2))
    number, total, squares = (one + one.T for one in sums)
    mean = total / np.maximum(number, 1)
    error = np.sqrt(np.maximum(squares / np.maximum(number, 1) - mean ** 2, 1e-24) / np.maximum(number, 1))
    enough = of_camera.sum(axis=0) >= LEAST
    return (mean >= GAIN) & (mean >= SURE * error) & enough[:, None] & enough & (number > 0)


def beyond_expectation(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where two cameras have far more matches than those with other cameras predict.

    Did cameras g and h share persons with each other no more than with the others, they would have ``a_g a_h / T``
    matches: a those of each with cameras other than the two, T those among these others. Twice as many are wanted,
    :data:`LEAST`, and a quarter of all matches of the smaller camera.

    Args:
        counts: ``[C, C]`` of :func:`mutual_counts`.
    """
    totals = counts.sum(axis=1)
    others = totals[:, None] - counts
    rest = counts.sum() - 2 * (totals[:, None] + totals[None, :] - counts)
    expected = others * others.T / np.maximum(rest, 1)
    smaller = np.minimum(totals[:, None], totals[None, :])
    return (counts >= LEAST) & (counts >= 2 * expected) & (counts >= smaller / 4)


def join_clusters(matches: BestMatches, cameras: NDArray[np.int64], linked: NDArray[np.bool_]) -> Joins:
    """Make one of clusters that are each other's most similar cluster in two linked cameras.

    The most similar pairs first; a pair that would put two clusters of one camera together is refused.

    Args:
        matches: of :func:`best_matches`.
        cameras: ``[K]`` int, the camera of each cluster, -1 where it is not known.
        linked: ``[C, C]`` bool, symmetric.
    """
    count = matches.clusters.shape[1]
    clusters = np.arange(len(cameras))
    rows, others = np.nonzero(linked[cameras] & (matches.clusters >= 0))
    partners = matches.clusters[rows, others]
    mutual = (rows < partners) & (matches.clusters[partners, cameras[rows]] == rows)
    pairs = np.stack([rows[mutual], partners[mutual]], axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0], -matches.similarity[pairs[:, 0], cameras[pairs[:, 1]]]))]
    root = clusters.copy()
    seen = np.zeros((len(cameras), count), np.bool_)
    seen[clusters, cameras] = True
    kept = np.zeros(len(pairs), np.bool_)
    for place, pair in enumerate(pairs):
        first, second = (_root_of(root, int(cluster)) for cluster in pair)
        if first == second:
            kept[place] = True
        elif not (seen[first] & seen[second]).any():
            root[max(first, second)] = min(first, second)
            seen[min(first, second)] |= seen[max(first, second)]
            kept[place] = True
    roots = np.array([_root_of(root, cluster) for cluster in range(len(clusters))], np.int64)
    return Joins(np.unique(roots, return_inverse=True)[1].reshape(-1), pairs[kept], int((~kept).sum()))


def _root_of(root: NDArray[np.int64], cluster: int) -> int:
    while root[cluster] != cluster:
        root[cluster] = root[root[cluster]]
        cluster = root[cluster]
    return int(cluster)
