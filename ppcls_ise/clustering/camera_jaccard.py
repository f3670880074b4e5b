"""Jaccard distance that looks for neighbours in the own camera and in the others apart: CA-Jaccard."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..errors import ISEError
from .cameras import known_cameras
from .clusters import Clusters
from .distance import NearPairs
from .eps import eps_advice
from .features import Features, as_features
from .k_reciprocal import KReciprocalDBSCAN, check_group_search, check_keys
from .pairs import mirror
from .reciprocal import encode_sets, mutual_neighbours, pair_distances, without_zero_rows
from .registry import register_clustering
from .search.groups import group_neighbours, scan_groups

__all__ = ["CameraJaccardDBSCAN", "camera_jaccard_pairs"]


@register_clustering
@dataclasses.dataclass(frozen=True)
class CameraJaccardDBSCAN(KReciprocalDBSCAN):
    """DBSCAN on the camera-aware Jaccard distance: as many images of other cameras as there are of the own one, or
    more, have a say in who is alike. (CA-Jaccard, Chen et al., CVPR 2024.)

    Where fewer than two cameras are known it is :class:`KReciprocalDBSCAN` with the keys of that. Images of no known
    camera are one camera more.

    Attributes:
        camera_eps: as ``eps``, in this distance. Published: 0.4 for Market-1501, 0.6 for MSMT17.
        camera_min_samples: as ``min_samples``.
        intra_k1: neighbours in the own camera, the image itself included, of which the reciprocal ones count.
        inter_k1: neighbours in all other cameras, likewise.
        intra_k2, inter_k2: of those, the nearest over which an encoding is averaged.
    """

    camera_eps: float | Literal["auto"] = "auto"
    camera_min_samples: int = 3
    intra_k1: int = 6
    inter_k1: int = 20
    intra_k2: int = 2
    inter_k2: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        check_group_search(self.search)
        check_keys(self, "camera_eps", "camera_min_samples", "intra_k1", "inter_k1", "intra_k2")
        if self.inter_k2 < 0:
            raise ISEError(f"inter_k2 must be 0 or above, not {self.inter_k2!r}")

    def scan(self, features: Features, cameras: NDArray[np.int64] | None, part: int,
             parts: int) -> tuple[NDArray[Any], ...]:
        """Candidates among the pairs of one camera, and among those of two."""
        known = known_cameras(cameras)
        if known is None:
            return super().scan(features, cameras, part, parts)
        return tuple(array for k, among in self._lists() for array in
                     scan_groups(features, known, k, among, **self.search_keys, part=part, parts=parts))

    def neighbours(self, features: Features, cameras: NDArray[np.int64] | None, rows: slice,
                   scanned: tuple[NDArray[Any], ...] = ()) -> tuple[NDArray[Any], ...]:
        """Neighbours of the own camera and of the others, int32 ``[M, max(intra_k1, intra_k2)]`` and likewise, -1 where
        there are too few."""
        known = known_cameras(cameras)
        if known is None:
            return super().neighbours(features, cameras, rows, scanned)
        return tuple(group_neighbours(features, known, k, among, rows, **self.search_keys,
                                      scanned=scanned[2 * place:2 * place + 2])
                     for place, (k, among) in enumerate(self._lists()))

    def assign(self, features: NDArray[np.float32], cameras: NDArray[np.int64] | None,
               neighbours: tuple[NDArray[Any], ...], kept: Mapping[str, float]) -> Clusters:
        """Distances and DBSCAN."""
        known = known_cameras(cameras)
        if known is None:
            return super().assign(features, cameras, neighbours, kept)
        clusters = self.by_density(lambda most: self._near(features, neighbours, most), self.camera_eps,
                                   self.camera_min_samples, "camera_eps", kept)
        return self.selected(clusters, known)

    def advice(self, features: NDArray[np.float32], cameras: NDArray[np.int64] | None,
               neighbours: tuple[NDArray[Any], ...], clusters: Clusters) -> str:
        """As of :class:`KReciprocalDBSCAN`, of this distance."""
        if known_cameras(cameras) is None:
            return super().advice(features, cameras, neighbours, clusters)
        return eps_advice(self._near(features, neighbours, 1.0).distances, clusters.figures["eps"],
                          self.camera_min_samples, of_cameras=True)

    def _near(self, features: NDArray[np.float32], neighbours: tuple[NDArray[Any], ...], most: float) -> NearPairs:
        own, others = neighbours
        return camera_jaccard_pairs(features, own, others, self.intra_k1, self.inter_k1, self.intra_k2, self.inter_k2,
                                    max_distance=most)

    def _lists(self) -> tuple[tuple[int, Literal["same", "other"]], ...]:
        return ((max(self.intra_k1, self.intra_k2), "same"), (max(self.inter_k1, self.inter_k2), "other"))


def camera_jaccard_pairs(x: Features, own: NDArray[np.int32], others: NDArray[np.int32], intra_k1: int = 6,
                         inter_k1: int = 20, intra_k2: int = 2, inter_k2: int = 4,
                         max_distance: float = 1.0) -> NearPairs:
    """Camera-aware Jaccard distances (CA-Jaccard, Chen et al., CVPR 2024, section 3).

    R_i are the reciprocal neighbours of image i among the ``intra_k1`` of its own camera and among the ``inter_k1`` of
    all others; V_i the softmax over them of ``-(2 - 2 x_i.x_j)``, then averaged over the first ``intra_k2`` and
    ``inter_k2``; the distance is ``1 - s / (2 - s)``, s the sum of the smaller of V_i and V_j.

    Args:
        x: ``[N, D]`` float32 unit rows.
        own: ``[N, >= intra_k1]`` int32 nearest of the own camera, the row itself first; -1 where there are fewer.
        others: ``[N, >= inter_k1]`` int32 nearest of all other cameras, likewise.
        intra_k1, inter_k1, intra_k2, inter_k2: see above.
        max_distance: pairs farther apart are left out.

    Returns:
        The distances with what they were cut at.
    """
    x = as_features(x)
    own, others = (without_zero_rows(x, lists) for lists in (own, others))
    own[:, 0] = np.arange(len(x))
    first, second = (np.ascontiguousarray(lists[:, :k]) for lists, k in ((own, intra_k1), (others, inter_k1)))
    reciprocal = np.concatenate([mutual_neighbours(first), mutual_neighbours(second)], axis=1)
    averaged = np.concatenate([own[:, :intra_k2], others[:, :inter_k2]], axis=1)
    encoding, columns = encode_sets(x, np.concatenate([first, second], axis=1), reciprocal,
                                    np.zeros((len(x), 0), np.bool_), averaged)
    indptr, indices, data = mirror(*pair_distances(encoding, columns, len(x), max_distance))
    return NearPairs(csr_matrix((data, indices, indptr), shape=(len(x), len(x))), max_distance)
