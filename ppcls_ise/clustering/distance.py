"""Distances of near images only, and up to where they are known."""
from __future__ import annotations

import dataclasses

from scipy.sparse import csr_matrix

__all__ = ["NearPairs"]


@dataclasses.dataclass(frozen=True, eq=False)
class NearPairs:
    """The pairs of images up to a distance; of the others it is known only that they are farther apart.

    Not a matrix itself, on purpose: a part, a transpose or a copy of a matrix would not say where that was cut, and
    :func:`dbscan` with an ``eps`` beyond the cut would miss neighbours unseen.

    Attributes:
        distances: CSR ``[N, N]`` float32, symmetric, indices sorted; a stored 0 is distance 0, an absent entry more
            than ``max_distance``, or 1.
        max_distance: the pairs at no more than this distance, and nearer than 1, are stored.
    """

    distances: csr_matrix
    max_distance: float
