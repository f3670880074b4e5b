from __future__ import annotations

import hashlib
import os

import yaml
from ppcls.utils import logger

from .config import plain_dicts
from .loader_blocks import plain_block

__all__ = ["export"]


def export(engine, onnx: bool = False) -> str:
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
    normalize = engine.config["Arch"].get("export_normalize", True)
    if not normalize:
        engine.config["Arch"]["infer_output_key"] = "neck"
    engine.export()
    config = plain_dicts(engine.config)
    described = {"image_shape": config["Global"]["image_shape"],
                 "feature_size": config["Arch"]["Neck"]["num_features"], "normalized": bool(normalize),
                 "model": _digest(os.path.join(config["Global"]["save_inference_dir"], "inference.pdiparams"))}
    transforms = plain_block(config)["dataset"]["transform_ops"]
    description = {"Global": described, "PreProcess": {"transform_ops": transforms}}
    folder = config["Global"]["save_inference_dir"]
    path = os.path.join(folder, "inference.yml")
    with open(path + ".new", "w", encoding="utf-8") as file:
        yaml.safe_dump(description, file, sort_keys=False)
    os.replace(path + ".new", path)
    stale = os.path.join(folder, "inference.onnx")
    if os.path.isfile(stale):
        os.remove(stale)  # of an earlier export, so of another model
    if onnx:
        from ..inference import write_onnx  # here, so that training does not load what only deployment needs

        file, cosine, difference = write_onnx(folder)
        logger.info(f"[Export] {file}: cosine {cosine:.7f}, difference {difference:.1e} to Paddle Inference")
    return path


def _digest(path):
    """A name that no other weights have; a gallery keeps it, so that it is not searched with another model."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:16]
