"""The re-ID retrieval protocol (mAP, mINP, CMC) and the comparison of clusters with identities."""
from ._ranking import remove_unranked
from .cluster_report import cluster_report
from .evaluate import PROTOCOLS, evaluate
from .reid_metric import ReIDMetric

__all__ = ["PROTOCOLS", "ReIDMetric", "cluster_report", "evaluate", "remove_unranked"]
