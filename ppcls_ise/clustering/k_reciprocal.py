"""DBSCAN on the k-reciprocal Jaccard distance: how ISE clusters."""
from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ISEError
from .base import Clustering, timed
from .cameras import known_cameras, spanning_cameras, standardized_by_camera
from .clusters import Clusters
from .density import dbscan
from .distance import NearPairs
from .eps import EPS_GRID, choose_eps, eps_advice
from .features import Features
from .jaccard import jaccard_distance, near_pairs
from .registry import register_clustering
from .search.neighbours import Method, nearest_neighbours, neighbour_recall, scan_pairs

__all__ = ["KReciprocalDBSCAN", "check_group_search", "check_keys"]


@register_clustering
@dataclasses.dataclass(frozen=True)
class KReciprocalDBSCAN(Clustering):
    """Nearest neighbours, k-reciprocal Jaccard distance, DBSCAN; cameras take no part unless a key says so.

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
        camera_norm: cluster by features without the mean and the deviation of their camera
            (:func:`standardized_by_camera`); for cameras that see the same mix of persons.
        drop_single_camera: leave clusters out that one camera alone has seen, if there are others; likewise.
    """

    eps: float | Literal["auto"] = 0.4
    min_samples: int = 4
    k1: int = 30
    k2: int = 6
    search: Method = "exact"
    probes: int = 256
    block_size: int = 4096
    half: bool = False
    camera_norm: bool = False
    drop_single_camera: bool = False

    def __post_init__(self) -> None:
        check_keys(self, "eps", "min_samples", "k1", "k2", "probes", "block_size")

    def prepare(self, features: NDArray[np.float32], cameras: NDArray[np.int64] | None) -> NDArray[np.float32]:
        """The features themselves, or by ``camera_norm`` those without the style of their camera."""
        known = known_cameras(cameras) if self.camera_norm else None
        return features if known is None else standardized_by_camera(features, known)

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
        clusters = self.by_density(lambda most: near_pairs(features, most, self.k1, self.k2, found), self.eps,
                                   self.min_samples, "eps", kept)
        clusters = dataclasses.replace(clusters, figures={**clusters.figures, **figures},
                                       lines=[*lines, *clusters.lines], seconds={**seconds, **clusters.seconds})
        return self.selected(clusters, cameras)

    def selected(self, clusters: Clusters, cameras: NDArray[np.int64] | None) -> Clusters:
        """Without the clusters that ``drop_single_camera`` leaves out, where cameras are known; all where that would
        be all of them."""
        known = known_cameras(cameras) if self.drop_single_camera else None
        if known is None:
            return clusters
        labels = spanning_cameras(clusters.labels, known)
        before, after = (found.max(initial=-1) + 1 for found in (clusters.labels, labels))
        if not after:
            line = "drop_single_camera: no cluster spans cameras yet, so none is left out"
            return dataclasses.replace(clusters, lines=[*clusters.lines, line])
        line = f"drop_single_camera: {before - after} of {before} clusters left out"
        return dataclasses.replace(clusters, labels=labels, lines=[*clusters.lines, line])

    @staticmethod
    def by_density(distances: Callable[[float], NearPairs], eps: float | str, min_samples: int, key: str,
                   kept: Mapping[str, float],
                   choose: Callable[[NearPairs, int], float] = choose_eps) -> Clusters:
        """DBSCAN, with an eps that is chosen where it is ``auto``.

        Args:
            distances: from the largest distance that is wanted to the near pairs.
            eps, min_samples: as of the class; ``key``: what the former is called in the ``Cluster`` block.
            kept: of the clustering before.
            choose: from near pairs and ``min_samples`` to eps.
        """
        lines: list[str] = []
        seconds: dict[str, float] = {}
        radius = kept.get(key) if eps == "auto" else float(eps)
        with timed(seconds, "jaccard"):
            near = distances(EPS_GRID[-1] if radius is None else radius)
        if radius is None:
            with timed(seconds, "eps"):
                radius = choose(near, min_samples)
            lines.append(f"Cluster.{key} auto: {radius}, kept from now on")
        with timed(seconds, "dbscan"):
            labels = dbscan(near, radius, min_samples)
        # A fixed eps is not kept: a run that goes on from this one with auto shall choose.
        return Clusters(labels, {key: radius} if eps == "auto" else {}, {"eps": radius}, lines, seconds)

    @property
    def search_keys(self) -> dict[str, Any]:
        """Those of the search within groups of rows."""
        return {"method": self.search, "block_size": self.block_size, "half": self.half}

    def advice(self, features: NDArray[np.float32], cameras: NDArray[np.int64] | None,
               neighbours: tuple[NDArray[Any], ...], clusters: Clusters) -> str:
        """Quantiles of the distances, and an eps that gives clusters."""
        if "eps" not in clusters.figures:  # of a derived class that has an assign of its own
            return super().advice(features, cameras, neighbours, clusters)
        distance = jaccard_distance(features, self.k1, self.k2, neighbours[0])  # not cut at eps
        return eps_advice(distance, clusters.figures["eps"], self.min_samples)


def check_group_search(search: str) -> None:
    """Check ``search`` of a clustering that searches within cameras.

    Raises:
        ISEError: if it cannot.
    """
    if search not in ("exact", "paddle"):
        raise ISEError(f"search must be exact or paddle where neighbours are looked for by camera, not {search!r}")


def check_keys(clustering: object, *keys: str) -> None:
    """Check that the ``eps`` among the keys lie in (0, 1), and that the others are at least 1; ``auto`` passes.

    Raises:
        ISEError: naming the one that is out of range.
    """
    for key in keys:
        value = getattr(clustering, key)
        if value == "auto":
            continue
        if key.endswith("eps"):
            if not 0 < value < 1:
                raise ISEError(f"{key} must be above 0 and below 1, or auto, not {value!r}")
        elif value < 1:
            raise ISEError(f"{key} must be above 0, not {value!r}")
