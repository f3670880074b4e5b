"""The clusters of other cameras that are most like a cluster, and how much more alike they are than strangers."""
from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import onednn

__all__ = ["BestMatches", "best_matches"]

#: Clusters of a camera that are compared with as many of another at a time.
BLOCK = 2048


class BestMatches(NamedTuple):
    """For each of K clusters, each within one camera, the most similar cluster of every camera."""

    clusters: NDArray[np.int64]  #: [K, C], the most similar cluster of camera c; -1 in the own camera or an empty one
    similarity: NDArray[np.float32]  #: [K, C], its cosine; -inf likewise
    standardized: NDArray[np.float32]  #: [K, C], the same less the mean of all pairs of the two cameras, over their
    #: standard deviation: without what makes the pictures of two cameras alike whoever is on them
    own: NDArray[np.float32]  #: [K], cosine of the most similar other cluster of the own camera; -inf where it is alone
    stranger: NDArray[np.float32]  #: [K], the same, standardized likewise; inf in a camera of fewer than three clusters


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
    own_best, stranger = (np.full(len(means), sign * np.inf, np.float32) for sign in (-1, 1))
    for first, second in itertools.combinations_with_replacement(range(count), 2):
        within, pair = first == second, (members[first], members[second])
        pairs = len(pair[0]) * (len(pair[1]) - within)
        if not pairs:
            continue
        total = squares = 0.0
        for rows, columns in itertools.product(*map(_blocks, pair)):
            block = onednn.products(means[rows], means[columns])
            itself = rows[:, None] == columns
            block[itself] = 0
            total += float(block.sum(dtype=np.float64))
            squares += float(np.square(block, dtype=np.float64).sum())
            block[itself] = -np.inf
            sides = [(rows, columns, second, block), (columns, rows, first, block.T)]
            for own, others, camera, cosines in sides[within:]:
                best = cosines.argmax(axis=1)
                largest = cosines[np.arange(len(own)), best]
                nearer = largest > similarity[own, camera]
                found[own[nearer], camera] = others[best[nearer]]
                similarity[own[nearer], camera] = largest[nearer]
        mean = total / pairs
        deviation = max(squares / pairs - mean ** 2, 1e-24) ** 0.5
        if within:
            own_best[pair[0]] = similarity[pair[0], first]
            if len(pair[0]) > 2:  # the one pair of two has no deviation
                stranger[pair[0]] = (own_best[pair[0]] - mean) / deviation
            found[pair[0], first], similarity[pair[0], first] = -1, -np.inf
        else:
            for own, camera in zip(pair, (second, first)):
                standardized[own, camera] = (similarity[own, camera] - mean) / deviation
    return BestMatches(found, similarity, standardized, own_best, stranger)


def _blocks(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[start:start + BLOCK] for start in range(0, len(rows), BLOCK)]
