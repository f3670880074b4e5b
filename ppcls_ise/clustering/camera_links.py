"""Which cameras see the same persons, and which clusters of two cameras are one."""
from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import onednn

__all__ = ["BestMatches", "Joins", "best_matches", "beyond_expectation", "join_clusters", "linked_cameras",
           "mutual_counts"]

#: Mutual best matches that say something.
LEAST, MANY = 8, 10
#: Share of a camera's largest count that a pair needs to be among its best.
AMONG_BEST = 0.8
#: Clusters of a camera that are compared with as many of another at a time.
BLOCK = 2048


class BestMatches(NamedTuple):
    """For each of K clusters, each within one camera, the most similar cluster of every camera."""

    clusters: NDArray[np.int64]  #: [K, C], the most similar cluster of camera c; -1 in the own camera or an empty one
    similarity: NDArray[np.float32]  #: [K, C], its cosine; -inf likewise
    standardized: NDArray[np.float32]  #: [K, C], the same less the mean of all pairs of the two cameras, over their
    #: standard deviation: without what makes the pictures of two cameras alike whoever is on them


class Joins(NamedTuple):
    """What became of K clusters."""

    labels: NDArray[np.int64]  #: [K], number of the joined cluster, 0..J-1
    pairs: NDArray[np.int64]  #: [P, 2], the pairs that were joined
    refused: int  #: pairs that would have put two clusters of one camera together


def best_matches(means: NDArray[np.float32], cameras: NDArray[np.int64], count: int) -> BestMatches:
    """The most similar cluster of every camera, for each cluster.

    Args:
        means: ``[K, D]`` float32 unit rows, the clusters' means.
        cameras: ``[K]`` int, the camera of each cluster, 0..C-1; -1 where it is not known, such clusters match none.
        count: C.
    """
    members = [np.flatnonzero(cameras == camera) for camera in range(count)]
    found = np.full((len(means), count), -1, np.int64)
    similarity, standardized = (np.full((len(means), count), -np.inf, np.float32) for _ in range(2))
    for first in range(count):
        for second in range(first + 1, count):
            pair = members[first], members[second]
            if not len(pair[0]) or not len(pair[1]):
                continue
            total = squares = 0.0
            for rows, columns in itertools.product(*map(_blocks, pair)):
                block = onednn.products(means[rows], means[columns])
                total += float(block.sum(dtype=np.float64))
                squares += float(np.square(block, dtype=np.float64).sum())
                for own, others, camera, cosines in ((rows, columns, second, block), (columns, rows, first, block.T)):
                    best = cosines.argmax(axis=1)
                    largest = cosines[np.arange(len(own)), best]
                    nearer = largest > similarity[own, camera]
                    found[own[nearer], camera] = others[best[nearer]]
                    similarity[own[nearer], camera] = largest[nearer]
            pairs = len(pair[0]) * len(pair[1])
            mean = total / pairs
            deviation = max(squares / pairs - mean ** 2, 1e-24) ** 0.5
            for own, camera in zip(pair, (second, first)):
                standardized[own, camera] = (similarity[own, camera] - mean) / deviation
    return BestMatches(found, similarity, standardized)


def _blocks(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[start:start + BLOCK] for start in range(0, len(rows), BLOCK)]


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
    """Pairs of cameras that see the same persons, by their :func:`mutual_counts`.

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
    return ((counts >= LEAST) & among_best & among_best.T
            | beyond_expectation(mutual_counts(matches, cameras, matches.similarity)) & ~against & ~against.T)


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
