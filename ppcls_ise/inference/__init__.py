"""Exported model -> features -> gallery search; needs neither PaddleClas nor the training code."""
from .extractor import FeatureExtractor
from .gallery import Gallery, Match
from .onnx_model import write_onnx

__all__ = ["FeatureExtractor", "Gallery", "Match", "write_onnx"]
