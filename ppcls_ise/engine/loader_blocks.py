"""The block ``DataLoader`` of a config."""
from __future__ import annotations

from ..data.images import DATASETS
from ..errors import ISEError

__all__ = ["check_sizes", "complete_image_root", "plain_block"]


def complete_image_root(root: str | None, loaders: dict) -> None:
    """``Global.image_root`` is the root of every data set that names none; changes ``DataLoader``."""
    evaluation = loaders.get("Eval") or {}
    for block in [loaders.get("Train"), *evaluation.values()]:
        dataset = (block or {}).get("dataset") or {}
        if root and dataset.get("name") in DATASETS:
            dataset.setdefault("image_root", root)


def check_sizes(image_shape: list | None, loaders: dict) -> None:
    """Training, clustering, evaluation and export see images of one size; an override easily forgets one of them.

    Args:
        image_shape: ``Global.image_shape``, [3, height, width].
        loaders: ``DataLoader``.

    Raises:
        ISEError: if they differ, with the size of each.
    """
    blocks = {"Train": loaders.get("Train"), "Cluster": loaders.get("Cluster"),
              **{f"Eval.{name}": block for name, block in (loaders.get("Eval") or {}).items()}}
    sizes = {}
    if isinstance(image_shape, (list, tuple)) and len(image_shape) == 3:
        sizes["Global.image_shape"] = image_shape[2], image_shape[1]
    for name, block in blocks.items():
        for transform in ((block or {}).get("dataset") or {}).get("transform_ops") or []:
            size = (transform.get("ResizeImage") or {}).get("size") if isinstance(transform, dict) else None
            if size:
                sizes[f"DataLoader.{name}"] = (size, size) if isinstance(size, int) else tuple(size)
    if len(set(sizes.values())) > 1:
        raise ISEError("images are of different sizes (width x height): " + ", ".join(
            f"{name} {'x'.join(map(str, size))}" for name, size in sizes.items()) + "; give every ResizeImage.size "
            "[width, height] and Global.image_shape [3, height, width] one size")


def plain_block(config: dict) -> dict:
    """The block that says how images are read without augmentation, for clustering and export.

    It is ``DataLoader.Cluster`` if there is one, else the ``Query`` (or only block) of ``DataLoader.Eval``.

    Returns:
        ``dataset`` with ``transform_ops``, ``sampler`` with ``batch_size``, ``loader``.

    Raises:
        ISEError: if there is neither, or ``Cluster`` names images of its own.
    """
    loaders = config.get("DataLoader") or {}
    block, evaluation = loaders.get("Cluster"), loaders.get("Eval")
    if block:
        others = set(block.get("dataset") or {}) - {"transform_ops"}
        if others or not block.get("dataset"):
            raise ISEError("DataLoader.Cluster.dataset has transform_ops only: the images are those of "
                           f"DataLoader.Train{', so leave out ' + ', '.join(sorted(others)) if others else ''}")
        return block
    if not evaluation:
        raise ISEError("DataLoader.Eval is missing, and there is no DataLoader.Cluster: one of them has to name the "
                       "transforms without augmentation")
    return evaluation.get("Query") or next(iter(evaluation.values()))
