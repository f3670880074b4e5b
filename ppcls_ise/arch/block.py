"""The block ``Arch`` of a config."""
from __future__ import annotations

import ppcls.arch.backbone

from ..config.keys import check_keys, check_name, parameters_of, require_keys
from ..errors import ISEError
from .head import ISEHead
from .pooling import GeM

__all__ = ["check_arch"]

#: Keys of ``Arch`` that are no parameters of the model, and who reads them.
OTHER_KEYS = (
    "name", "use_sync_bn",  # PaddleClas's build_model
    "infer_output_key", "infer_add_softmax",  # its export
    "export_normalize",  # ppcls_ise.engine.export
    "is_rec", "class_num")  # its Engine, which puts Global.class_num here
NECK_KEYS = ("name", "num_features", "weight_attr", "bias_attr", "use_global_stats")  # PaddleClas's BNNeck


def check_arch(arch: dict, model: type) -> None:
    """Refuse an ``Arch`` block with a key that nothing reads, or without one that is needed.

    Args:
        arch: the block.
        model: ISEModel, whose parameters are keys of the block.

    Raises:
        ISEError: naming the key; for a backbone, neck, head or pooling that ISEModel cannot use.
    """
    check_keys(arch, [*parameters_of(model, "feature_cache"), *OTHER_KEYS], "Arch",
               {"feature_cache": "set Global.feature_cache"})
    for part in ("Backbone", "Neck", "Head"):
        require_keys(arch.get(part), ["name"], f"Arch.{part}")
    backbone, neck, head = (arch[part]["name"] for part in ("Backbone", "Neck", "Head"))
    check_name(backbone, ppcls.arch.backbone, "Arch.Backbone.name")
    if (neck, head) != ("BNNeck", "ISEHead"):
        raise ISEError(f"ISEModel has Neck BNNeck and Head ISEHead, not {neck!r} and {head!r}")
    check_keys(arch["Neck"], NECK_KEYS, "Arch.Neck")
    require_keys(arch["Neck"], ["num_features"], "Arch.Neck")
    check_keys(arch["Head"], ["name", *parameters_of(ISEHead)], "Arch.Head")
    _check_pooling(arch.get("Pooling"), arch.get("BackboneStopLayer"))


def _check_pooling(pooling, stop):
    check_keys(pooling, ["name", *parameters_of(GeM)], "Arch.Pooling")
    if pooling and pooling.get("name") not in ("avg", "gem"):
        raise ISEError(f"Arch.Pooling.name is avg or gem, not {pooling.get('name')!r}")
    check_keys(stop, ["name"], "Arch.BackboneStopLayer")
    if stop:
        require_keys(stop, ["name"], "Arch.BackboneStopLayer")
