"""Features of a trained network outside of PaddleClas's engine: for pictures and diagnosis."""
from __future__ import annotations

from ppcls.arch import build_model
from ppcls.utils import logger
from ppcls.utils.save_load import load_dygraph_pretrain

from ..config.loaders import plain_block
from ..data.datasets import DATASETS, ReIDImages
from ..errors import ISEError
from .evaluation import SplitFeatures, evaluation_loader_settings
from .extraction import extract_features

__all__ = ["extract_splits"]


def extract_splits(config: dict) -> dict[str, SplitFeatures]:
    """Extract the features of all images that a config names, with the weights that it names.

    Args:
        config: of :func:`prepare_config`. ``Global.flip_test`` concerns query and gallery.

    Returns:
        ``train``, ``query`` and ``gallery``; the last two are one where one set serves as both, and missing where
        their images are.

    Raises:
        ISEError: if there are no training images, or an image cannot be read.
    """
    model = build_model(config)
    if config["Global"]["pretrained_model"]:
        load_dygraph_pretrain(model, config["Global"]["pretrained_model"])
    else:
        logger.warning("Global.pretrained_model is not set: these are the features of an untrained network")
    plain, evaluation = plain_block(config), config["DataLoader"].get("Eval") or {}
    train = config["DataLoader"]["Train"]["dataset"]
    blocks = {"train": {**plain, "dataset": {**train, "transform_ops": plain["dataset"]["transform_ops"]}}}
    for name, block in evaluation.items():
        blocks["query" if len(evaluation) == 1 else name.lower()] = block
    splits = {}
    for name, block in blocks.items():
        options = dict(block["dataset"])
        try:
            images = _data_set(options.pop("name", None))(**options)
        except ISEError as error:
            if name == "train":
                raise
            logger.warning(f"{name}: {error}; so there is nothing to show of retrieval")
            continue
        flip = name != "train" and bool(config["Global"].get("flip_test"))
        features = extract_features(model, images, name=name, flip=flip, **evaluation_loader_settings({name: block}))
        splits[name] = SplitFeatures(features.numpy(), images)
    if len(evaluation) == 1 and "query" in splits:
        splits["gallery"] = splits["query"]
    if "query" not in splits or "gallery" not in splits:
        splits = {"train": splits["train"]}
    return splits


def _data_set(name: str | None) -> type[ReIDImages]:
    if name not in DATASETS:
        raise ISEError(f"dataset.name is {' or '.join(DATASETS)}, not {name!r}")
    return DATASETS[name]
