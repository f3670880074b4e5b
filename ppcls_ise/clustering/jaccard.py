"""k-reciprocal Jaccard distance, sparse: rows of at most a few hundred entries, never N x N."""
from __future__ import annotations

from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix

from .distance import NearPairs
from .features import Features, as_features
from .pairs import mirror
from .reciprocal import checked_neighbours, encode_rows, pair_distances
from .search.neighbours import nearest_neighbours

__all__ = ["jaccard_distance", "near_pairs"]


def jaccard_distance(x: Features, k1: int = 30, k2: int = 6, neighbours: ArrayLike | None = None) -> csr_matrix:
    """k-reciprocal Jaccard distance between images (Zhong et al., CVPR 2017, arXiv 1701.08398, as ISE uses it).

    Two images are near when they have the same neighbours. Only pairs that share a neighbour differ from distance 1,
    so the result is sparse and everything on the way to it too.

    Args:
        x: ``[N, D]`` float32 unit rows, numpy array or paddle tensor; row i is the feature of image i.
        k1: neighbours a row, itself included, of which the reciprocal ones count.
        k2: neighbours, itself included, over which the encoding of a row is averaged; 1 switches that off.
        neighbours: ``[N, >= min(max(k1, k2), N)]`` int from :func:`nearest_neighbours`, searched here when not given.
            -1 stands for "none found".

    Returns:
        scipy CSR ``[N, N]`` float32, symmetric, indices sorted. A stored entry is a distance (0 on the diagonal and
        for pairs that are alike), an absent entry means distance 1.
        A zero vector has no direction: it is at distance 0 from itself and 1 from everything else.

    Raises:
        ValueError: NaN or Inf in x, k1 or k2 < 1, or neighbours that do not fit x.
    """
    return near_pairs(x, 1.0, k1, k2, neighbours).distances


def near_pairs(x: Features, max_distance: float, k1: int = 30, k2: int = 6,
               neighbours: ArrayLike | None = None) -> NearPairs:
    """The entries of :func:`jaccard_distance` up to a distance: ``eps`` is enough for DBSCAN, and far fewer.

    Args:
        x, k1, k2, neighbours: see :func:`jaccard_distance`.
        max_distance: pairs farther apart are left out. Pairs at distance 1 are left out in any case.

    Returns:
        The distances with what they were cut at.

    Raises:
        ValueError: as :func:`jaccard_distance`; max_distance not above 0.
    """
    if k1 < 1 or k2 < 1:
        raise ValueError(f"k1 and k2 must be at least 1 (the row itself), got k1={k1}, k2={k2}")
    if not max_distance > 0:
        raise ValueError(f"max_distance must be above 0, got {max_distance}")
    if neighbours is None:
        neighbours = nearest_neighbours(x, max(k1, k2))
    x = as_features(x)
    neighbours = checked_neighbours(x, max(k1, k2), neighbours)
    # round() is half-to-even: 16 of 30 and 11 of 20, but 9 of 17 as of 16.
    encoding, columns = encode_rows(x, neighbours, k1, round(k1 / 2) + 1, k2)
    indptr, indices, data = mirror(*pair_distances(encoding, columns, len(x), max_distance))
    return NearPairs(csr_matrix((data, indices, indptr), shape=(len(x), len(x))), max_distance)
