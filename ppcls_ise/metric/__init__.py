"""The re-ID retrieval protocol (mAP, mINP, CMC) and the comparison of clusters with identities."""
from .clusters import cluster_report
from .ranking import Evaluation, evaluate
from .reid_metric import ReIDMetric
from .rules import PROTOCOLS, Rules, find_removal

__all__ = ["PROTOCOLS", "Evaluation", "ReIDMetric", "Rules", "cluster_report", "evaluate", "find_removal"]
