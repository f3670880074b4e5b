"""What a training config may hold: what nothing reads is a mistake, and an error before anything is built."""
from __future__ import annotations

from typing import Any

from ..errors import ISEError
from .blocks import LOSSES, AnyGlobalBlock, ArchBlock, GlobalBlock
from .fields import check_block, drop_unset, keys_of, read_block
from .keys import check_keys, named_items, nearest, require_block, require_text
from .loaders import check_loaders, drop_unset_of_loaders

__all__ = ["check_config", "drop_unset_keys", "is_ise"]

#: Blocks of ours, and of PaddleClas.
BLOCKS = (
    "Global Cluster Arch Loss Optimizer AMP DataLoader Metric Synthetic "
    "EMA IndexProcess Infer MLDecoder SSL Slim UnLabelLoss profiler_options").split()


def check_config(config: dict[str, Any], mode: str) -> None:
    """Refuse a misspelt block or key, a value that its key cannot have, and a block that lacks what the mode needs.

    What is PaddleClas's own is left to it: its optimisers, models, data sets, and blocks that resemble no known one.
    What only PaddleClas's modules or another room can tell is checked by :func:`ppcls_ise.engine.prepare_config`.

    Args:
        config: not changed.
        mode: as of :func:`ppcls_ise.engine.prepare_config`.

    Raises:
        ISEError: naming the key, and the nearest known one.
    """
    for name in config:
        near = nearest(name, BLOCKS, cutoff=0.85)
        if name not in BLOCKS and near:
            raise ISEError(f"the config has a block {name}, did you mean {near}?")
    for name in ("Global", "Arch"):
        if not isinstance(config.get(name), dict):
            raise ISEError(f"the config has no block {name}")
    require_text(config["Arch"].get("name"), "Arch.name")
    if is_ise(config):
        if config.get("EMA"):
            raise ISEError("the block EMA is of PaddleClas's own training loops; for ISE set Global.ema_decay")
        read = read_block if mode == "train" else check_block
        read(GlobalBlock, config["Global"], "Global")
        read_block(ArchBlock, config["Arch"], "Arch")
    else:
        known = [*keys_of(GlobalBlock), *(GlobalBlock.host_keys or ())]
        check_keys(config["Global"], known, "Global", GlobalBlock.instead)
        check_block(AnyGlobalBlock, config["Global"], "Global")
    check_loaders(config.get("DataLoader"), is_ise(config), mode)
    require_block(config.get("Loss"), "Loss")
    for place, name, options in named_items((config.get("Loss") or {}).get("Train"), "Loss.Train"):
        if name in LOSSES:
            read_block(LOSSES[name], options, f"{place}.{name}")


def drop_unset_keys(config: dict[str, Any]) -> None:
    """Take the keys out of a checked config's blocks of ours that are null and so have their default; changes it."""
    drop_unset(GlobalBlock if is_ise(config) else AnyGlobalBlock, config["Global"])
    if is_ise(config):
        drop_unset(ArchBlock, config["Arch"])
    drop_unset_of_loaders(config.get("DataLoader"), is_ise(config))
    for _, name, options in named_items((config.get("Loss") or {}).get("Train"), "Loss.Train"):
        if name in LOSSES:
            drop_unset(LOSSES[name], options)


def is_ise(config: dict[str, Any]) -> bool:
    """Whether the config is of an ISEModel, not of another model of PaddleClas."""
    return config["Arch"].get("name") == ArchBlock.name
