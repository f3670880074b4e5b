"""The block ``DataLoader`` of a config."""
from __future__ import annotations

from ..config.keys import check_keys, require_keys
from ..config.loaders import named_blocks
from ..data.blocks import check_dataset, check_plain_dataset, check_sampler
from ..data.datasets import DATASETS
from ..errors import ISEError

__all__ = ["check_loaders", "complete_loaders", "plain_block"]

PARTS = ("dataset", "sampler", "loader")


def check_loaders(loaders: dict | None, ise: bool, mode: str) -> None:
    """Refuse a key of ``DataLoader`` that nothing reads, and a block that lacks what the mode needs.

    Args:
        loaders: the block; None counts as empty.
        ise: whether they feed an ISEModel. If not, only the blocks with a data set of ours are looked at: the others
            are PaddleClas's affair.
        mode: as of :func:`ppcls_ise.engine.prepare_config`.

    Raises:
        ISEError: naming the key.
    """
    if ise:
        check_keys(loaders, ("Train", "Eval", "Cluster"), "DataLoader")
    blocks = {place: block for place, block in named_blocks(loaders) if ise or _is_ours(block)}
    evaluation = [place.split(".")[-1] for place in blocks if ".Eval." in place]
    if len(evaluation) > 1:  # one alone may have any name
        check_keys(dict.fromkeys(evaluation), ("Query", "Gallery"), "DataLoader.Eval")
    for place, block in blocks.items():
        check_keys(block, PARTS, place)
        _check_parts(block or {}, place)
        if mode == "train" or (mode == "eval" and ".Eval." in place):
            _require_parts(block, place)


def _is_ours(block):
    dataset = block.get("dataset") if isinstance(block, dict) else None
    return isinstance(dataset, dict) and dataset.get("name") in DATASETS


def _check_parts(block, place):
    if place == "DataLoader.Cluster":
        check_plain_dataset(block.get("dataset"), f"{place}.dataset")
    elif _is_ours(block):
        check_dataset(block["dataset"], f"{place}.dataset")
    if place == "DataLoader.Train" and _draws_clusters(block):
        check_sampler(block["sampler"], f"{place}.sampler")
    elif place != "DataLoader.Train" and "name" not in (block.get("sampler") or {}):  # else keys of another sampler
        check_keys(block.get("sampler"), ("name", "batch_size", "shuffle", "drop_last"), f"{place}.sampler")
    check_keys(block.get("loader"), ("num_workers", "use_shared_memory"), f"{place}.loader")


def _require_parts(block, place):
    """What PaddleClas's ``build_dataloader`` takes for granted, and clustering and evaluation."""
    require_keys(block, PARTS, place)
    require_keys(block["loader"], ["num_workers"], f"{place}.loader")
    if place == "DataLoader.Train":
        needed = ["batch_size", "num_instances"] if _draws_clusters(block) else []
    elif place == "DataLoader.Cluster" or "name" in block["sampler"]:
        needed = ["batch_size"]
    else:
        needed = ["batch_size", "shuffle", "drop_last"]
    require_keys(block["sampler"], needed, f"{place}.sampler")


def _draws_clusters(block):
    sampler = block.get("sampler")
    return isinstance(sampler, dict) and sampler.get("name") == "PseudoLabelSampler"


def complete_loaders(root: str | None, loaders: dict) -> None:
    """Defaults of the blocks with a data set of ours; changes ``DataLoader``.

    ``Global.image_root`` is the root of every data set that names none; PaddleClas wants ``use_shared_memory`` said.
    """
    for _, block in named_blocks(loaders):
        if _is_ours(block):
            if root:
                block["dataset"].setdefault("image_root", root)
            if block.get("loader"):
                block["loader"].setdefault("use_shared_memory", True)


def plain_block(config: dict) -> dict:
    """The block that says how images are read without augmentation, for clustering and export.

    It is ``DataLoader.Cluster`` if there is one, else the ``Query`` (or only block) of ``DataLoader.Eval``.

    Returns:
        ``dataset`` with ``transform_ops``, ``sampler`` with ``batch_size``, ``loader``.

    Raises:
        ISEError: if there is neither, or it has no transforms.
    """
    loaders = config.get("DataLoader") or {}
    place, block, evaluation = "DataLoader.Cluster", loaders.get("Cluster"), loaders.get("Eval")
    if not block:
        if not evaluation:
            raise ISEError("DataLoader.Eval is missing, and there is no DataLoader.Cluster: one of them has to name "
                           "the transforms without augmentation")
        name = "Query" if evaluation.get("Query") else next(iter(evaluation))
        place, block = f"DataLoader.Eval.{name}", evaluation[name]
    require_keys(block, ["dataset"], place)
    require_keys(block["dataset"], ["transform_ops"], f"{place}.dataset")
    return block
