"""Clusters within each camera, joined across the cameras that see the same persons."""
from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .camera_links import join_clusters, linked_cameras
from .camera_matches import best_matches
from .cameras import camera_codes, known_cameras
from .clusters import Clusters
from .distance import NearPairs
from .eps import covering_eps, eps_advice
from .features import Features
from .jaccard import near_pairs
from .k_reciprocal import KReciprocalDBSCAN, check_group_search, check_keys
from .labels import cluster_centroids
from .registry import register_clustering
from .search.groups import group_neighbours, scan_groups
from .silhouette import simplified_silhouette

__all__ = ["CrossCameraDBSCAN"]

#: Share of the images that are in a cluster of the first clustering where ``camera_eps`` is ``auto``.
COVERED = 0.6
#: ``camera_k1`` where it is ``auto``, and the share of the best silhouette that the first of them needs to be taken.
SIZES, ENOUGH = (6, 12, 24), 0.75


@register_clustering
@dataclasses.dataclass(frozen=True)
class CrossCameraDBSCAN(KReciprocalDBSCAN):
    """:class:`KReciprocalDBSCAN` within each camera; then clusters that are each other's most similar one in two linked
    cameras become one.

    Where fewer than two cameras are known it is :class:`KReciprocalDBSCAN` with the keys of that. Images of no known
    camera are one camera more, which is linked to no other.

    What it records: ``eps`` and ``camera_k1`` within cameras, ``camera_clusters`` (clusters before they are joined),
    ``joins``, ``refused_joins`` and ``linked_cameras`` (pairs of cameras).

    Attributes:
        camera_eps: as ``eps``, within a camera. ``auto``: the smallest at which 60 % of the images are in a cluster
            (:func:`covering_eps`), at the first clustering, and kept.
        camera_min_samples: as ``min_samples``. With 2, two images that are each other's nearest are a cluster: most of
            these are a part of a person, to be driven apart from the rest.
        camera_k1: as ``k1``: somewhat more than the images that a camera has of a person. ``auto``: the smallest of 6,
            12 and 24 whose clusters are told apart nearly as well as the best of the three
            (:func:`simplified_silhouette`), at the first clustering, and kept.
        camera_k2: as ``k2``. ``auto``: a third of ``camera_k1``.
        camera_links: between which cameras clusters are joined. ``auto``: those that see the same persons, found from
            the matches; ``all``: any two; ``none``: no clusters are joined.
    """

    camera_eps: float | Literal["auto"] = "auto"
    camera_min_samples: int = 3
    camera_k1: int | Literal["auto"] = "auto"
    camera_k2: int | Literal["auto"] = "auto"
    camera_links: Literal["auto", "all", "none"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_group_search(self.search)
        check_keys(self, "camera_eps", "camera_min_samples", "camera_k1", "camera_k2")

    def scan(self, features: Features, cameras: NDArray[np.int64] | None, part: int,
             parts: int) -> tuple[NDArray[Any], ...]:
        """As of :class:`KReciprocalDBSCAN`, among the pairs of one camera."""
        known = known_cameras(cameras)
        if known is None:
            return super().scan(features, cameras, part, parts)
        return scan_groups(features, known, self._neighbours, "same", **self.search_keys, part=part, parts=parts)

    def neighbours(self, features: Features, cameras: NDArray[np.int64] | None, rows: slice,
                   scanned: tuple[NDArray[Any], ...] = ()) -> tuple[NDArray[Any], ...]:
        """The neighbours of the same camera, int32 ``[M, max(camera_k1, camera_k2)]``, -1 where there are too few."""
        known = known_cameras(cameras)
        if known is None:
            return super().neighbours(features, cameras, rows, scanned)
        return (group_neighbours(features, known, self._neighbours, "same", rows, **self.search_keys, scanned=scanned),)

    def assign(self, features: NDArray[np.float32], cameras: NDArray[np.int64] | None,
               neighbours: tuple[NDArray[Any], ...], kept: Mapping[str, float]) -> Clusters:
        """Clusters within the cameras, links between these, joins."""
        known = known_cameras(cameras)
        if known is None:
            return super().assign(features, cameras, neighbours, kept)
        within = self._within(features, known, neighbours[0], kept)
        inside = within.labels >= 0
        means = cluster_centroids(features, within.labels)
        codes, ids = camera_codes(known), np.unique(known[known >= 0])
        camera_of = np.full(len(means), -1)
        camera_of[within.labels[inside]] = codes[inside]
        matches = best_matches(means, camera_of, len(ids))
        linked = (linked_cameras(matches, camera_of) if self.camera_links == "auto" else
                  np.full((len(ids),) * 2, self.camera_links == "all") & ~np.eye(len(ids), dtype=bool))
        joins = join_clusters(matches, camera_of, linked)
        labels = np.full(len(features), -1)
        labels[inside] = joins.labels[within.labels[inside]]
        pairs = np.argwhere(np.triu(linked))
        names = [f"{ids[first]}-{ids[second]}" for first, second in pairs]
        every = len(names) == len(ids) * (len(ids) - 1) // 2
        line = (f"{len(means)} clusters within {len(ids)} cameras, {len(joins.pairs)} joins, {joins.refused} refused; "
                f"linked cameras: {'all' if every else ', '.join(names) or 'none'}")
        figures = {**within.figures, "camera_clusters": len(means), "linked_cameras": len(pairs),
                   "joins": len(joins.pairs), "refused_joins": joins.refused}
        lines = [*within.lines, line]
        return self.selected(dataclasses.replace(within, labels=labels, figures=figures, lines=lines,
                                                 linked=linked), known)

    def advice(self, features: NDArray[np.float32], cameras: NDArray[np.int64] | None,
               neighbours: tuple[NDArray[Any], ...], clusters: Clusters) -> str:
        """As of :class:`KReciprocalDBSCAN`, of the distances within cameras."""
        if known_cameras(cameras) is None or "camera_k1" not in clusters.figures:
            return super().advice(features, cameras, neighbours, clusters)
        k1 = int(clusters.figures["camera_k1"])
        return eps_advice(near_pairs(features, 1.0, k1, self._k2(k1), neighbours[0]).distances,
                          clusters.figures["eps"], self.camera_min_samples, of_cameras=True)

    @property
    def _neighbours(self) -> int:
        return max(max(k1, self._k2(k1)) for k1 in self._sizes)

    @property
    def _sizes(self) -> tuple[int, ...]:
        return SIZES if self.camera_k1 == "auto" else (self.camera_k1,)

    def _k2(self, k1: int) -> int:
        return max(1, round(k1 / 3)) if self.camera_k2 == "auto" else self.camera_k2

    def _within(self, features: NDArray[np.float32], cameras: NDArray[np.int64], neighbours: NDArray[np.int32],
                kept: Mapping[str, float]) -> Clusters:
        """Clusters within cameras, with the ``camera_k1`` that was kept or is chosen."""
        sizes = self._sizes
        if self.camera_k1 == "auto" and "camera_k1" in kept:
            sizes = (int(kept["camera_k1"]),)
        elif len(sizes) > 1:
            kept = {}  # an eps without its k1
        tried = {}
        for k1 in sizes:
            near = functools.partial(near_pairs, features, k1=k1, k2=self._k2(k1), neighbours=neighbours)
            tried[k1] = self.by_density(near, self.camera_eps, self.camera_min_samples, "camera_eps", kept, _covering)
        chosen, lines = sizes[0], []
        if len(tried) > 1:
            quality = {k1: simplified_silhouette(features, found.labels, cameras) for k1, found in tried.items()}
            best = max(quality.values())
            chosen = next(k1 for k1 in sizes if quality[k1] >= min(best, ENOUGH * best))  # best may be below 0
            every = ", ".join(f"{k1}: {value:.3f}" for k1, value in quality.items())
            lines = [f"Cluster.camera_k1 auto: {chosen}, kept from now on (silhouettes {every})"]
        within = tried[chosen]
        seconds = {part: sum(found.seconds.get(part, 0.0) for found in tried.values()) for part in within.seconds}
        return dataclasses.replace(
            within, kept={**within.kept, **({"camera_k1": chosen} if self.camera_k1 == "auto" else {})},
            figures={**within.figures, "camera_k1": chosen}, lines=[*lines, *within.lines], seconds=seconds)


def _covering(near: NearPairs, min_samples: int) -> float:
    return covering_eps(near, min_samples, COVERED)
