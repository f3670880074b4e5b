"""The re-ID retrieval protocol: mAP, mINP, CMC."""
from .evaluate import evaluate
from .reid_metric import ReIDMetric

__all__ = ["ReIDMetric", "evaluate"]
