from __future__ import annotations

import json
import os

import yaml

from .config import plain_block

__all__ = ["export"]


def export(engine) -> str:
    """Export through PaddleClas's engine and write ``inference.yml``: what the model wants to be fed with.

    Args:
        engine: PaddleClas's Engine in export mode.

    Returns:
        The path of ``inference.yml``, beside the model.
    """
    engine.export()
    config = json.loads(json.dumps(engine.config))  # plain dicts, which yaml can write
    description = {"Global": {"image_shape": config["Global"]["image_shape"]},
                   "PreProcess": {"transform_ops": plain_block(config)["dataset"]["transform_ops"]}}
    path = os.path.join(config["Global"]["save_inference_dir"], "inference.yml")
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump(description, file, sort_keys=False)
    return path
