"""Features to pseudo labels: nearest neighbours, k-reciprocal Jaccard distance, DBSCAN, centroids.

Knows neither PaddleClas nor the engine: arrays in, arrays out.
"""
from .density import dbscan
from .eps import EPS_GRID, choose_eps, eps_advice, silhouette
from .features import not_finite
from .jaccard import jaccard_distance
from .labels import cluster_centroids, pseudo_labels
from .search.neighbours import METHODS, nearest_neighbours, neighbour_recall

__all__ = [
    "EPS_GRID",
    "METHODS",
    "choose_eps",
    "cluster_centroids",
    "dbscan",
    "eps_advice",
    "jaccard_distance",
    "nearest_neighbours",
    "neighbour_recall",
    "not_finite",
    "pseudo_labels",
    "silhouette",
]
