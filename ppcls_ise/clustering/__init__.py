"""Features to pseudo labels: nearest neighbours, k-reciprocal Jaccard distance, DBSCAN, centroids.

Knows neither PaddleClas nor the engine: arrays in, arrays out.
"""
from .dbscan import dbscan
from .jaccard import jaccard_distance
from .neighbours import nearest_neighbours, neighbour_recall
from .pseudo_labels import cluster_centroids, pseudo_labels

__all__ = [
    "cluster_centroids",
    "dbscan",
    "jaccard_distance",
    "nearest_neighbours",
    "neighbour_recall",
    "pseudo_labels",
]
