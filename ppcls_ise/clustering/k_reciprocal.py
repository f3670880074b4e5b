"""DBSCAN on the k-reciprocal Jaccard distance: how ISE clusters."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ISEError
from .base import Clustering, timed
from .clusters import Clusters
from .density import dbscan
from .eps import EPS_GRID, choose_eps, eps_advice
from .features import Features
from .jaccard import jaccard_distance, near_pairs
from .registry import register_clustering
from .search.neighbours import Method, nearest_neighbours, neighbour_recall, scan_pairs

__all__ = ["KReciprocalDBSCAN", "check_keys"]


@register_clustering
@dataclasses.dataclass(frozen=True)
class KReciprocalDBSCAN(Clustering):
    """Nearest neighbours, k-reciprocal Jaccard distance, DBSCAN; cameras take no part.

    What it keeps: an ``eps`` that it chose. What it records: ``eps``, and ``recall`` of an approximate search.

    Attributes:
        eps: DBSCAN's radius in Jaccard distance, in (0, 1), or ``auto``: chosen at the first clustering
            (:func:`choose_eps`) and kept. Market-1501: 0.4; MSMT17: 0.7.
        min_samples: images within eps (itself included) that make an image the core of a cluster.
        k1: neighbours of the k-reciprocal sets.
        k2: neighbours of the local query expansion; 1 is none.
        search: ``exact`` (where the features are; each pair of images multiplied once), ``faiss`` or ``paddle`` (that
            one on any device, the same neighbours), or ``ivf`` (approximate, for a million images; the log has its
            recall).
        probes: cells searched per image by ``ivf``.
        block_size: rows and columns of the distance block of the Paddle search: 4 * block_size**2 bytes.
        half: float16 scan in the Paddle search, with exact ranking in float32: the same neighbours, faster on a GPU.
    """

    eps: float | Literal["auto"] = 0.4
    min_samples: int = 4
    k1: int = 30
    k2: int = 6
    search: Method = "exact"
    probes: int = 256
    block_size: int = 4096
    half: bool = False

    def __post_init__(self) -> None:
        check_keys(self)
        for key in ("probes", "block_size"):
            if getattr(self, key) < 1:
                raise ISEError(f"{key} must be above 0, not {getattr(self, key)!r}")

    def scan(self, features: Features, cameras: NDArray[np.int64] | None, part: int,
             parts: int) -> tuple[NDArray[Any], ...]:
        """Candidates and their distances among a share of the pairs: :func:`scan_pairs`."""
        return scan_pairs(features, max(self.k1, self.k2), self.search, self.block_size, self.half, part, parts)

    def neighbours(self, features: Features, cameras: NDArray[np.int64] | None, rows: slice,
                   scanned: tuple[NDArray[Any], ...] = ()) -> tuple[NDArray[Any], ...]:
        """The neighbour lists, int32 ``[M, min(max(k1, k2), N)]``."""
        return (nearest_neighbours(features, max(self.k1, self.k2), self.search, self.block_size, self.half, rows,
                                   probes=self.probes, scanned=scanned),)

    def assign(self, features: NDArray[np.float32], cameras: NDArray[np.int64] | None,
               neighbours: tuple[NDArray[Any], ...], kept: Mapping[str, float]) -> Clusters:
        """Distances and DBSCAN; before these the recall of the search, between them eps, where they are wanted."""
        found, lines = neighbours[0], []
        figures: dict[str, float] = {}
        seconds: dict[str, float] = {}
        if self.search == "ivf":
            with timed(seconds, "recall"):
                figures["recall"] = neighbour_recall(features, found)
            lines.append(f"approximate search: {100 * figures['recall']:.1f} % of the nearest neighbours found "
                         f"(measured on a sample); a larger Cluster.probes than {self.probes} finds more")
        eps = kept.get("eps") if self.eps == "auto" else self.eps
        with timed(seconds, "jaccard"):
            near = near_pairs(features, EPS_GRID[-1] if eps is None else eps, self.k1, self.k2, found)
        if eps is None:
            with timed(seconds, "eps"):
                eps = choose_eps(near, self.min_samples)
            lines.append(f"Cluster.eps auto: {eps}, kept from now on")
        with timed(seconds, "dbscan"):
            labels = dbscan(near, eps, self.min_samples)
        # A fixed eps is not kept: a run that goes on from this one with auto shall choose.
        return Clusters(labels, {"eps": eps} if self.eps == "auto" else {}, {"eps": eps, **figures}, lines, seconds)

    def advice(self, features: NDArray[np.float32], cameras: NDArray[np.int64] | None,
               neighbours: tuple[NDArray[Any], ...], clusters: Clusters) -> str:
        """Quantiles of the distances, and an eps that gives clusters."""
        if "eps" not in clusters.figures:  # of a derived class that has an assign of its own
            return super().advice(features, cameras, neighbours, clusters)
        distance = jaccard_distance(features, self.k1, self.k2, neighbours[0])  # not cut at eps
        return eps_advice(distance, clusters.figures["eps"], self.min_samples)


def check_keys(clustering: object, prefix: str = "") -> None:
    """Check ``eps``, ``min_samples``, ``k1`` and ``k2`` of a clustering, whose names may have a prefix.

    Raises:
        ISEError: naming the one that is out of range.
    """
    eps = getattr(clustering, f"{prefix}eps")
    if eps != "auto" and not 0 < eps < 1:
        raise ISEError(f"{prefix}eps must be above 0 and below 1, or auto, not {eps!r}")
    for key in (f"{prefix}min_samples", f"{prefix}k1", f"{prefix}k2"):
        if getattr(clustering, key) < 1:
            raise ISEError(f"{key} must be above 0, not {getattr(clustering, key)!r}")
