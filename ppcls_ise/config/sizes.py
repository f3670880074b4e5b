"""Images are of one size in training, clustering, evaluation and export: that of ``Global.image_shape``."""
from __future__ import annotations

import numbers
from collections.abc import Iterator
from typing import Any

from ..errors import ISEError
from .loaders import named_blocks

__all__ = ["check_sizes", "complete_sizes"]


def complete_sizes(config: dict[str, Any]) -> None:
    """Give every ``ResizeImage`` that names no size ``[width, height]`` of ``Global.image_shape``.

    Args:
        config: changed in place. What is no complete config is left as it is, for the checks to name.
    """
    settings = config.get("Global")
    size = _size_of_shape(settings.get("image_shape") if isinstance(settings, dict) else None)
    if size is None:
        return
    for _, options, transform in _resizes(config.get("DataLoader")):
        if options is None or not {"size", "resize_short"} & options.keys():
            transform["ResizeImage"] = {"size": list(size), **(options or {})}


def check_sizes(image_shape: Any, loaders: dict[str, Any]) -> None:
    """Refuse sizes that differ: an override easily forgets one of them.

    Args:
        image_shape: ``Global.image_shape``, [3, height, width].
        loaders: ``DataLoader``.

    Raises:
        ISEError: if they differ, with the size of each; if there is none.
    """
    sizes: dict[str, tuple[int, ...]] = {}
    shape = _size_of_shape(image_shape)
    if shape is not None:
        sizes["Global.image_shape"] = shape
    for place, options, _ in _resizes(loaders):
        block, size = place.partition(".dataset")[0], (options or {}).get("size")
        if size is not None:
            sizes[block] = _size(size, f"{place}.ResizeImage.size")
        elif shape is None and not (options or {}).get("resize_short"):
            raise ISEError(f"{block} has a ResizeImage without size, and Global.image_shape is {image_shape!r}; set it "
                           "to [3, height, width]")
    if len(set(sizes.values())) > 1:
        raise ISEError("images are of different sizes (width x height): " + ", ".join(
            f"{name} {'x'.join(map(str, size))}" for name, size in sizes.items()) + "; set Global.image_shape to "
            "[3, height, width] and leave size out of every ResizeImage")


def _size(value: Any, place: str) -> tuple[int, int]:
    """(width, height) of the ``size`` of a ``ResizeImage``."""
    width_height = value if isinstance(value, (list, tuple)) else [value, value]
    if len(width_height) != 2 or not all(map(_is_pixels, width_height)):
        raise ISEError(f"{place} is [width, height], not {value!r}")
    return width_height[0], width_height[1]


def _is_pixels(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) > 0


def _size_of_shape(shape: Any) -> tuple[int, int] | None:
    """(width, height) of ``Global.image_shape``."""
    return (shape[2], shape[1]) if isinstance(shape, (list, tuple)) and len(shape) == 3 else None


def _resizes(loaders: Any) -> Iterator[tuple[str, dict[str, Any] | None, dict[str, Any]]]:
    """(place of the item of ``transform_ops``, options, the item) of every ``ResizeImage``."""
    for place, block in named_blocks(loaders if isinstance(loaders, dict) else None):
        dataset = block.get("dataset") if isinstance(block, dict) else None
        transforms = dataset.get("transform_ops") if isinstance(dataset, dict) else None
        for index, transform in enumerate(transforms if isinstance(transforms, list) else []):
            options = transform.get("ResizeImage", False) if isinstance(transform, dict) else False
            if options is None or isinstance(options, dict):
                yield f"{place}.dataset.transform_ops.{index}", options, transform
