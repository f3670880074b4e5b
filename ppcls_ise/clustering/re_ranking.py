"""k-reciprocal re-ranking of a gallery, on the sparse encodings of the Jaccard distance."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..finite import squared_norms
from .features import Features, as_features
from .reciprocal import checked_neighbours, encode_rows, pair_distances
from .search.cpu_scan import CPUScan
from .search.refine import refine

__all__ = ["ReRanking"]


class ReRanking:
    """Re-ranked distances of queries to a gallery (Zhong et al., CVPR 2017, arXiv 1701.08398).

    The final distance is ``lambda_value * d + (1 - lambda_value) * Jaccard``, where d is the squared Euclidean
    distance divided by that of the query to its farthest image, and the Jaccard distance is taken over queries and
    gallery together. Memory is linear in the images; a dense program holds several ``[Q + G, Q + G]`` matrices.

    Args:
        query: ``[Q, D]`` float32 unit rows, numpy array or paddle tensor. gallery: ``[G, D]``, likewise.
        k1: neighbours, the image itself not counted, of which the reciprocal ones matter.
        k2: neighbours, the image itself included, over which an encoding is averaged; 1 switches that off.
        lambda_value: weight of the original distance, 0 to 1.

    Attributes:
        k1, k2, lambda_value: as given.

    Raises:
        ValueError: k1 or k2 < 1, lambda_value outside 0..1, NaN or Inf in the features.

    Example:
        >>> import numpy as np
        >>> eye = np.eye(3, dtype="float32")
        >>> ReRanking(eye, eye, k1=1, k2=1)(slice(0, 2)).argmin(axis=1)
        array([0, 1])
    """

    def __init__(self, query: Features, gallery: Features, k1: int = 20, k2: int = 6,
                 lambda_value: float = 0.3) -> None:
        if k1 < 1 or k2 < 1:
            raise ValueError(f"k1 and k2 must be at least 1, got k1={k1}, k2={k2}")
        if not 0 <= lambda_value <= 1:
            raise ValueError(f"lambda_value is a weight from 0 to 1, got {lambda_value}")
        self.k1, self.k2, self.lambda_value = k1, k2, lambda_value
        self._x = np.concatenate([as_features(query), as_features(gallery)])
        self._queries = len(query)
        self._norms = squared_norms(self._x)
        # Zhong et al. do not count the image itself among the k1.
        neighbours, self._farthest = _search(self._x, self._norms, max(k1 + 1, k2))
        self._similarity = self._jaccard(neighbours)

    def __call__(self, part: slice) -> NDArray[np.float32]:
        """``[q, G]`` float32 distances of a slice of the queries, ascending = better."""
        gallery = self._x[self._queries:]
        rows = np.arange(self._queries)[part]
        distances = self._x[rows] @ gallery.T
        distances *= -2
        distances += self._norms[self._queries:]
        distances += self._norms[rows, None]
        distances *= (self.lambda_value / self._farthest[rows])[:, None]
        distances += 1 - self.lambda_value
        near = self._similarity[rows].tocoo()
        distances[near.row, near.col] -= (1 - self.lambda_value) * near.data
        return distances

    def _jaccard(self, neighbours: NDArray[np.int32]) -> csr_matrix:
        """CSR ``[Q, G]``: 1 - Jaccard distance; an absent entry is 0."""
        count = len(self._x)
        neighbours = checked_neighbours(self._x, max(self.k1 + 1, self.k2), neighbours)
        encoding, columns = encode_rows(self._x, neighbours, self.k1 + 1, round(self.k1 / 2) + 1, self.k2,
                                        self._farthest)
        # Queries come first, so the pairs of a query with the rows after it are those with the whole gallery.
        indptr, indices, distances = pair_distances(encoding, columns, self._queries)
        similarity = csr_matrix((1 - distances, indices, indptr), shape=(self._queries, count))
        return similarity[:, self._queries:]


def _search(x: NDArray[np.float32], norms: NDArray[np.float32],
            k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k nearest rows of each row, as :func:`nearest_neighbours`, and the squared distance to its farthest."""
    k = min(k, len(x))
    scan, farthest = CPUScan(x, norms), np.empty(len(x), np.float32)
    found, distances = scan.pairs(min(len(x), k + scan.extra), farthest=farthest)
    found, _ = refine(x, norms, np.arange(len(x)), found, distances, k)
    return found, np.where(farthest > 0, farthest, np.float32(1))  # 1 where all rows are the same
