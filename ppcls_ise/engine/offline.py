"""Features of a trained network outside of PaddleClas's engine: for pictures and diagnosis."""
from __future__ import annotations

from ppcls.arch import build_model
from ppcls.utils import logger
from ppcls.utils.save_load import load_dygraph_pretrain

from ..data import ReIDImages
from ..errors import ISEError
from .evaluation import Split, evaluation_loader_settings
from .extraction import extract_features

__all__ = ["extract_splits"]


def extract_splits(config: dict) -> dict[str, Split]:
    """Extract the features of all images that a config names, with the weights that it names.

    Args:
        config: of :func:`prepare_config`. ``Global.flip_test`` concerns query and gallery.

    Returns:
        ``train``, ``query`` and ``gallery``; the last two are one where one set serves as both, and missing where
        their images are.

    Raises:
        ISEError: if there are no training images, or an image cannot be read.
    """
    evaluation = config["DataLoader"].get("Eval")
    if not evaluation:
        raise ISEError("DataLoader.Eval is missing: the page of a run needs labelled images as Query and Gallery. For "
                       "a folder without labels: python tools/cluster_report.py NAME=OUTPUT_DIR, and its csv files")
    model = build_model(config)
    if config["Global"]["pretrained_model"]:
        load_dygraph_pretrain(model, config["Global"]["pretrained_model"])
    else:
        logger.warning("Global.pretrained_model is not set: these are the features of an untrained network")
    blocks = {"train": config["DataLoader"]["Train"]}
    blocks.update({name.lower(): block for name, block in evaluation.items()} if len(evaluation) > 1
                  else {"query": next(iter(evaluation.values()))})
    transforms = next(iter(evaluation.values()))["dataset"]["transform_ops"]
    splits = {}
    for name, block in blocks.items():
        options = {key: value for key, value in block["dataset"].items() if key != "name"}
        try:
            images = ReIDImages(**{**options, "transform_ops": transforms})
        except ISEError as error:
            if name == "train":
                raise
            logger.warning(f"{name}: {error}; so there is nothing to show of retrieval")
            continue
        flip = name != "train" and bool(config["Global"].get("flip_test"))
        features = extract_features(model, images, name=name, flip=flip, **evaluation_loader_settings(evaluation))
        splits[name] = Split(features.numpy(), images)
    if len(evaluation) == 1 and "query" in splits:
        splits["gallery"] = splits["query"]
    if "query" not in splits or "gallery" not in splits:
        splits = {"train": splits["train"]}
    return splits
