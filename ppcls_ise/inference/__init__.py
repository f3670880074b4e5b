"""Exported model -> features -> gallery search; needs neither PaddleClas nor the training code."""
from .extractor import FeatureExtractor

__all__ = ["FeatureExtractor"]
