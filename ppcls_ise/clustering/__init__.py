"""Features, and cameras where they are known, to pseudo labels.

``Cluster.name`` chooses a :class:`Clustering`; :class:`KReciprocalDBSCAN` (nearest neighbours, k-reciprocal Jaccard
distance, DBSCAN) is the default. Its parts are functions. Knows neither PaddleClas nor the engine: arrays in and out.
"""
from .base import Clustering, timed
from .camera_jaccard import CameraJaccardDBSCAN
from .cameras import camera_codes, camera_proxies, known_cameras, standardized_by_camera
from .clusters import Clusters
from .cross_camera import CrossCameraDBSCAN
from .density import dbscan
from .distance import NearPairs
from .eps import EPS_GRID, choose_eps, eps_advice, silhouette
from .jaccard import jaccard_distance, near_pairs
from .k_reciprocal import KReciprocalDBSCAN
from .labels import cluster_centroids, pseudo_labels
from .registry import CLUSTERINGS, register_clustering
from .search.neighbours import METHODS, nearest_neighbours, neighbour_recall, scan_pairs

__all__ = [
    "CLUSTERINGS",
    "EPS_GRID",
    "METHODS",
    "CameraJaccardDBSCAN",
    "Clustering",
    "Clusters",
    "CrossCameraDBSCAN",
    "KReciprocalDBSCAN",
    "NearPairs",
    "camera_codes",
    "camera_proxies",
    "choose_eps",
    "cluster_centroids",
    "dbscan",
    "eps_advice",
    "jaccard_distance",
    "known_cameras",
    "near_pairs",
    "nearest_neighbours",
    "neighbour_recall",
    "pseudo_labels",
    "register_clustering",
    "scan_pairs",
    "silhouette",
    "standardized_by_camera",
    "timed",
]
