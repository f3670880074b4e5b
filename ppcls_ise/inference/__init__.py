"""Exported model -> features; needs neither PaddleClas nor the training code."""
from .extractor import FeatureExtractor
from .onnx_model import write_onnx

__all__ = ["FeatureExtractor", "write_onnx"]
