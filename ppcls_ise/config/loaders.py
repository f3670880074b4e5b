"""The block ``DataLoader`` of a config."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import ISEError
from .blocks import (
    DATA_SETS,
    TRANSFORMS,
    ClusterImagesBlock,
    ClusterSamplerBlock,
    LoaderBlock,
    PlainSamplerBlock,
    SamplerBlock,
)
from .fields import Block, check_block, drop_unset, read_block
from .keys import check_keys, named_items, require_block, require_keys, require_text

__all__ = ["check_loaders", "complete_loaders", "drop_unset_of_loaders", "named_blocks", "plain_block", "transforms_of"]

PARTS = ("dataset", "sampler", "loader")
CLUSTER, TRAIN = "DataLoader.Cluster", "DataLoader.Train"


def named_blocks(loaders: dict[str, Any] | None) -> Iterator[tuple[str, Any]]:
    """(place, block) of what is trained on, clustered and evaluated."""
    loaders = loaders or {}
    for name in ("Train", "Cluster"):
        if loaders.get(name) is not None:
            yield f"DataLoader.{name}", loaders[name]
    evaluation = loaders.get("Eval")
    for name, block in evaluation.items() if isinstance(evaluation, dict) else ():
        yield f"DataLoader.Eval.{name}", block


def check_loaders(loaders: dict[str, Any] | None, ise: bool, mode: str) -> None:
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
    require_block((loaders or {}).get("Eval"), "DataLoader.Eval")
    blocks = {place: block for place, block in named_blocks(loaders) if ise or _is_ours(block)}
    evaluation = [place.split(".")[-1] for place in blocks if ".Eval." in place]
    if len(evaluation) > 1:  # one alone may have any name
        check_keys(dict.fromkeys(evaluation), ("Query", "Gallery"), "DataLoader.Eval")
    for place, block in blocks.items():
        check_keys(block, PARTS, place)
        for part in PARTS:
            require_block((block or {}).get(part), f"{place}.{part}")
            require_text(((block or {}).get(part) or {}).get("name"), f"{place}.{part}.name")
        for part, kind in _kinds(block or {}, place).items():
            check_block(kind, (block or {}).get(part), f"{place}.{part}")
        for item, name, options in transforms_of(place, block):
            if name in TRANSFORMS:
                read_block(TRANSFORMS[name], options, f"{item}.{name}")
        if mode == "train" or (mode == "eval" and ".Eval." in place):
            _require_parts(block, place)


def _require_parts(block: dict[str, Any] | None, place: str) -> None:
    """What PaddleClas's ``build_dataloader`` takes for granted, and clustering and evaluation."""
    require_keys(block, PARTS, place)
    assert block is not None
    kinds = _kinds(block, place)
    for part in ("sampler", "loader"):
        if part in kinds:
            read_block(kinds[part], block[part], f"{place}.{part}")
        elif place != TRAIN:  # a sampler of another name
            require_keys(block[part], ["batch_size"], f"{place}.{part}")


def drop_unset_of_loaders(loaders: dict[str, Any] | None, ise: bool) -> None:
    """:func:`~.fields.drop_unset` of the blocks that :func:`check_loaders` has passed."""
    for place, block in named_blocks(loaders):
        if ise or _is_ours(block):
            for part, kind in _kinds(block, place).items():
                drop_unset(kind, block.get(part))
            for _, name, options in transforms_of(place, block):
                if name in TRANSFORMS:
                    drop_unset(TRANSFORMS[name], options)


def complete_loaders(root: str | None, loaders: dict[str, Any]) -> None:
    """Defaults of the blocks with a data set of ours; changes ``DataLoader``.

    ``Global.image_root`` is the root of every data set that names none; PaddleClas wants ``use_shared_memory`` said.
    """
    for _, block in named_blocks(loaders):
        if _is_ours(block):
            if root:
                block["dataset"].setdefault("image_root", root)
            if block.get("loader"):
                block["loader"].setdefault("use_shared_memory", LoaderBlock.use_shared_memory)


def plain_block(config: dict[str, Any]) -> dict[str, Any]:
    """The block that says how images are read without augmentation, for clustering and export.

    It is ``DataLoader.Cluster`` if there is one, else the ``Query`` (or only block) of ``DataLoader.Eval``.

    Returns:
        ``dataset`` with ``transform_ops``, ``sampler`` with ``batch_size``, ``loader``.

    Raises:
        ISEError: if there is neither, or it has no transforms.
    """
    loaders = config.get("DataLoader") or {}
    place, block, evaluation = CLUSTER, loaders.get("Cluster"), loaders.get("Eval")
    if not block:
        if not evaluation:
            raise ISEError("DataLoader.Eval is missing, and there is no DataLoader.Cluster: one of them has to name "
                           "the transforms without augmentation")
        name = "Query" if evaluation.get("Query") else next(iter(evaluation))
        place, block = f"DataLoader.Eval.{name}", evaluation[name]
    require_keys(block, ["dataset"], place)
    require_keys(block["dataset"], ["transform_ops"], f"{place}.dataset")
    return block


def transforms_of(place: str, block: dict[str, Any] | None) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    """The transforms of a block of ``DataLoader`` whose images a data set of ours reads, as :func:`named_items`."""
    dataset = (block or {}).get("dataset") or {}
    if place == CLUSTER or _is_ours(block):
        yield from named_items(dataset.get("transform_ops"), f"{place}.dataset.transform_ops")


def _is_ours(block: Any) -> bool:
    dataset = block.get("dataset") if isinstance(block, dict) else None
    name = dataset.get("name") if isinstance(dataset, dict) else None
    return isinstance(name, str) and name in DATA_SETS


def _kinds(block: dict[str, Any], place: str) -> dict[str, type[Block]]:
    """Part of a block of ``DataLoader`` -> what it is read into; without those that are PaddleClas's affair."""
    kinds: dict[str, type[Block]] = {"loader": LoaderBlock}
    if place == CLUSTER:
        kinds["dataset"] = ClusterImagesBlock
    elif _is_ours(block):
        kinds["dataset"] = DATA_SETS[block["dataset"]["name"]]
    sampler = block.get("sampler") or {}
    if sampler.get("name") == SamplerBlock.name:
        kinds["sampler"] = SamplerBlock
    elif "name" not in sampler and place != TRAIN:
        kinds["sampler"] = ClusterSamplerBlock if place == CLUSTER else PlainSamplerBlock
    return kinds
