from __future__ import annotations

import contextlib
import os
from typing import Any

from ppcls.utils import logger

from ..config.blocks import ArchBlock
from ..config.loaders import plain_block
from ..config.plain import plain_dicts
from ..images.reading import file_digest

__all__ = ["export_model"]

#: Of an earlier export, in the order they go; either Paddle writes a program of its own kind.
FILES = ("inference.yml", "inference.onnx", "inference.json", "inference.pdmodel", "inference.pdiparams")


def export_model(engine: Any, onnx: bool = False) -> str:
    """Export through PaddleClas's engine and write ``inference.yml``: what the model wants to be fed with.

    The model takes any batch and gives unit features; with ``Arch.export_normalize: False`` it gives the output of
    the neck as it is.

    Args:
        engine: PaddleClas's Engine in export mode.
        onnx: write ``inference.onnx`` too, checked against the model.

    Returns:
        The path of ``inference.yml``, beside the model.

    Raises:
        ISEError: as :func:`ppcls_ise.inference.write_onnx` does.
    """
    from ..inference.description import write_description

    config = plain_dicts(engine.config)
    normalize = config["Arch"].get("export_normalize", ArchBlock.export_normalize)
    folder = config["Global"]["save_inference_dir"]
    transforms = plain_block(config)["dataset"]["transform_ops"]
    for name in FILES:  # the description first: without it nobody takes what is half there for a model
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, name))
    engine.export()
    path = write_description(folder, {
        "Global": {"image_shape": config["Global"]["image_shape"],
                   "feature_size": config["Arch"]["Neck"]["num_features"], "normalized": bool(normalize),
                   "model": file_digest(os.path.join(folder, "inference.pdiparams"))},
        "PreProcess": {"transform_ops": transforms}})
    if onnx:
        from ..inference import write_onnx

        file, cosine, difference = write_onnx(folder)
        logger.info(f"[Export] {file}: cosine {cosine:.7f}, difference {difference:.1e} to Paddle Inference")
    return path
