"""Features and clusters of a trained network outside of PaddleClas's engine: for pictures and diagnosis."""
from __future__ import annotations

from ppcls.arch import build_model
from ppcls.utils import logger
from ppcls.utils.save_load import load_dygraph_pretrain

from ..clustering import Clusters
from ..config.loaders import plain_block
from ..data.datasets import DATASETS, ReIDImages
from ..errors import ISEError
from .checkpoints import read_run_state
from .cluster_block import clustering_of
from .cluster_stage import kept_of
from .evaluation import SplitFeatures
from .extraction import extract_features, loader_settings

__all__ = ["cluster_split", "extract_splits"]


def cluster_split(config: dict, split: SplitFeatures) -> Clusters:
    """Cluster images as a run does that goes on from the weights that a config names.

    Args:
        config: of :func:`prepare_config`: its ``Cluster`` block, and what the run of ``Global.pretrained_model`` kept
            for its next clustering, such as an eps that it chose.
        split: ``train`` of :func:`extract_splits`.

    Returns:
        Its clusters; all images are outliers where there is none.
    """
    block = config.get("Cluster")
    clustering, _ = clustering_of(block)
    weights = config["Global"]["pretrained_model"]
    kept = kept_of(block, read_run_state(weights)) if weights else None
    return clustering(split.features, split.data_set.camids, kept)


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
        features = extract_features(model, images, name=name, flip=flip, **loader_settings(block))
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
