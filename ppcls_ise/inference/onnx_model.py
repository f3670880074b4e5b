from __future__ import annotations

import os
import tempfile

import numpy as np

from ..errors import ISEError
from ..images.reading import file_digest
from .description import read_description, write_description
from .extractor import FeatureExtractor
from .runtimes import model_files

__all__ = ["write_onnx"]

#: What ONNX Runtime may differ from Paddle Inference.
LOWEST_COSINE, LARGEST_DIFFERENCE = 0.99999, 1e-4
OPSET = 13


def write_onnx(model_dir: str) -> tuple[str, float, float]:
    """Convert an exported model with paddle2onnx, and check it against the original in ONNX Runtime.

    Args:
        model_dir: folder of the exported model and its ``inference.yml``; ``inference.onnx`` is written there.

    Returns:
        The file, the lowest cosine and the largest absolute difference of the features of noise, in batches of one
        and three.

    Raises:
        ISEError: if paddle2onnx or onnxruntime is not installed, the conversion fails, or the features differ; no
            file is written then.
    """
    try:
        import onnxruntime  # noqa: F401  to say so before the conversion
        import paddle2onnx
    except ImportError as error:
        raise ISEError("--onnx needs paddle2onnx and onnxruntime: pip install paddle2onnx onnxruntime") from error
    with tempfile.TemporaryDirectory(dir=model_dir) as folder:
        # inference.yml beside it, so that it is checked as it will be used.
        file, target = os.path.join(folder, "inference.onnx"), os.path.join(model_dir, "inference.onnx")
        description = read_description(model_dir)
        description["Global"].pop("onnx", None)
        write_description(folder, description)
        try:
            # Its optimisers install packages on their own; ONNX Runtime optimises the graph when it loads it.
            paddle2onnx.export(*model_files(model_dir), file, opset_version=OPSET, enable_onnx_checker=True,
                               enable_optimize=False, optimize_tool="None")
        except (RuntimeError, OSError, AssertionError, NameError) as error:  # NameError: after its own report
            raise ISEError(f"paddle2onnx cannot convert {model_dir}: {error}") from error
        if not os.path.isfile(file):
            raise ISEError(f"paddle2onnx has converted nothing of {model_dir}; its messages are above")
        cosine, difference = _compare(FeatureExtractor(model_dir), FeatureExtractor(folder, "onnx"))
        if cosine < LOWEST_COSINE or difference > LARGEST_DIFFERENCE:
            raise ISEError(f"the ONNX file of {model_dir} gives other features than the model: cosine {cosine:.6f}, "
                           f"difference {difference:.1e}; it is not kept")
        description["Global"]["onnx"] = file_digest(file)
        os.replace(file, target)
        write_description(model_dir, description)
    return target, cosine, difference


def _compare(first: FeatureExtractor, second: FeatureExtractor) -> tuple[float, float]:
    noise = np.random.default_rng(0).integers(0, 256, (3, 64, 32, 3), dtype=np.uint8)
    pairs = [(first(batch), second(batch)) for batch in (list(noise[:1]), list(noise))]
    return (float(min((a * b).sum(1).min() for a, b in pairs)), float(max(np.abs(a - b).max() for a, b in pairs)))
