"""What a config says that only PaddleClas's modules, or a room that knows no config, can check."""
from __future__ import annotations

from typing import Any

import ppcls.arch.backbone
import ppcls.data.preprocess
import ppcls.loss
import ppcls.metric

from ..config.blocks import GlobalBlock
from ..config.check import is_ise
from ..config.fields import drop_unset, read_block
from ..config.keys import check_name, named_items, require_block
from ..config.loaders import named_blocks, transforms_of
from ..errors import ISEError
from ..images.synthetic import SyntheticSet
from ..metric import PROTOCOLS, ReIDMetric
from ..metric.epoch_table import UNLABELLED
from .cluster_block import clustering_of, is_own

__all__ = ["check_names"]


def check_names(config: dict[str, Any], mode: str) -> None:
    """Refuse names that PaddleClas would look up in vain, and what clustering, metric or synthetic set cannot do.

    Args:
        config: that :func:`ppcls_ise.config.check.check_config` has passed; null is dropped where it means unset.
        mode: as of :func:`ppcls_ise.engine.prepare_config`; a clustering of the user's own is looked for in ``train``.

    Raises:
        ISEError: naming the key, and the nearest name that is there.
    """
    for place, block in named_blocks(config.get("DataLoader")):
        for item, name, _ in transforms_of(place, block):
            check_name(name, ppcls.data.preprocess, item)
    if is_ise(config):
        check_name(config["Arch"]["Backbone"]["name"], ppcls.arch.backbone, "Arch.Backbone.name")
        if mode == "train" or not is_own(config.get("Cluster")):
            clustering_of(config.get("Cluster"))
        for place, name, _ in named_items((config.get("Loss") or {}).get("Train"), "Loss.Train"):
            check_name(name, ppcls.loss, place)
    if config.get("Synthetic") is not None:
        read_block(SyntheticSet, config["Synthetic"], "Synthetic")
        drop_unset(SyntheticSet, config["Synthetic"])
    _check_metrics(config)


def _check_metrics(config: dict[str, Any]) -> None:
    require_block(config.get("Metric"), "Metric")
    names, others = None, []
    for place, name, options in named_items((config.get("Metric") or {}).get("Eval"), "Metric.Eval"):
        if is_ise(config):
            check_name(name, ppcls.metric, place)
        if name == "ReIDMetric":
            names = read_block(ReIDMetric, options, f"{place}.{name}").names
            drop_unset(ReIDMetric, options)
        else:
            others.append(name)
    settings = config["Global"]
    if settings.get("protocol", GlobalBlock.protocol) not in PROTOCOLS:
        raise ISEError(f"Global.protocol is {', '.join(PROTOCOLS)}, not {settings['protocol']!r}")
    if "best_metric" in settings:  # before training, not after its first epoch
        chosen = settings["best_metric"]
        if names is None and (chosen != UNLABELLED or others):
            raise ISEError("Global.best_metric needs Metric.Eval: [- ReIDMetric]; PaddleClas's own metrics pick the "
                           "best model by the first in the list")
        known = (*(names or ()), *(UNLABELLED,) * is_ise(config))
        if chosen not in known:
            raise ISEError(f"Global.best_metric is {', '.join(known)}, not {chosen!r}")
