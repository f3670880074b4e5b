"""The re-ID retrieval protocol: mAP, mINP, CMC."""
from .evaluate import PROTOCOLS, evaluate
from .reid_metric import ReIDMetric

__all__ = ["PROTOCOLS", "ReIDMetric", "evaluate"]
