"""The re-ID retrieval protocol (mAP, mINP, CMC) and the comparison of clusters with identities."""
from .clusters import cluster_report
from .kernels import remove_unranked
from .ranking import PROTOCOLS, evaluate
from .reid_metric import ReIDMetric

__all__ = ["PROTOCOLS", "ReIDMetric", "cluster_report", "evaluate", "remove_unranked"]
