"""The re-ID retrieval protocol: mAP, mINP, CMC."""
from .evaluate import evaluate

__all__ = ["evaluate"]
