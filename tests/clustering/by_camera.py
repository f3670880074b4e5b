"""A clustering with cameras, as a user may write it: it needs every part of the seam."""
import dataclasses

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from ppcls_ise.clustering import Clustering, Clusters, nearest_neighbours
from ppcls_ise.errors import ISEError


@dataclasses.dataclass(frozen=True)
class ByCamera(Clustering):
    """Images that are each other's nearest of a camera are one cluster, and so are those of any two cameras."""

    likeness: float = 0.5
    centre: bool = True

    def __post_init__(self):
        if not -1 < self.likeness < 1:
            raise ISEError(f"likeness must be above -1 and below 1, not {self.likeness!r}")

    def prepare(self, features, cameras):
        if cameras is None or not self.centre:
            return features
        centred = np.stack([row - features[cameras == camera].mean(axis=0) for row, camera in zip(features, cameras)])
        return centred / np.linalg.norm(centred, axis=1, keepdims=True)

    def neighbours(self, features, cameras, rows):
        total, cameras = len(features), np.zeros(len(features), int) if cameras is None else cameras
        own = np.arange(total)[rows]
        within, across = np.zeros((len(own), 1), np.int32), np.full((len(own), 2), -1, np.int64)
        likeness = np.zeros((len(own), 1, 2), np.float32)
        for camera in np.unique(cameras[rows]):
            group, others = np.flatnonzero(cameras == camera), np.flatnonzero(cameras != camera)
            mine = np.flatnonzero(cameras[rows] == camera)
            found = nearest_neighbours(features[group], 2, rows=np.searchsorted(group, own[mine]))
            within[mine, 0] = group[found[:, -1]]
            if len(others):
                products = features[own[mine]] @ features[others].T
                across[mine, 0], likeness[mine, 0, 1] = others[products.argmax(axis=1)], products.max(axis=1)
        likeness[:, 0, 0] = (features[own] * features[within[:, 0]]).sum(axis=1)
        return within, across, likeness

    def assign(self, features, cameras, neighbours, kept):
        within, across, likeness = neighbours
        edges = np.concatenate([self._mutual(within[:, 0], likeness[:, 0, 0]),
                                self._mutual(across[:, 0], likeness[:, 0, 1])])
        graph = csr_matrix((np.ones(len(edges)), edges.T), shape=(len(features),) * 2)
        labels = connected_components(graph, directed=False)[1]
        labels[np.bincount(labels)[labels] < 2] = -1
        labels[labels >= 0] = np.unique(labels[labels >= 0], return_inverse=True)[1]
        joins = int((cameras[edges[:, 0]] != cameras[edges[:, 1]]).sum()) if cameras is not None else 0
        lines = ["no cameras: nothing to join"] if cameras is None else [f"{joins} joins"]
        return Clusters(labels, {"joins": joins}, {"joins": joins, "joins_before": kept.get("joins", -1)}, lines)

    def _mutual(self, nearest, likeness):
        rows = np.arange(len(nearest))
        mutual = (nearest >= 0) & (nearest[nearest] == rows) & (likeness > self.likeness) & (nearest != rows)
        return np.stack([rows[mutual], nearest[mutual]], axis=1)
