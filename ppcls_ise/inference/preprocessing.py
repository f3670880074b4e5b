from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ISEError

__all__ = ["Preprocessing"]

_PILLOW = {name: Image.Resampling[name.upper()] for name in ("nearest", "bilinear", "bicubic", "box", "lanczos",
                                                              "hamming")}
_OPENCV = {"nearest": "INTER_NEAREST", "bilinear": "INTER_LINEAR", "bicubic": "INTER_CUBIC", "area": "INTER_AREA",
           "lanczos": "INTER_LANCZOS4"}


class Preprocessing:
    """PaddleClas's ``ResizeImage``, ``NormalizeImage``, ``ToCHWImage`` without PaddleClas, the same numbers.

    Args:
        transform_ops: the list of transforms as a config or ``inference.yml`` has it.

    Raises:
        ISEError: for any other transform, or one that makes no image of a fixed size.
    """

    def __init__(self, transform_ops: Sequence[dict[str, Any]]):
        steps = {name: dict(options or {}) for op in transform_ops for name, options in op.items()}
        names = list(steps)
        if names != ["ResizeImage", "NormalizeImage", "ToCHWImage"] or len(names) != len(transform_ops):
            raise ISEError("the transforms of a deployed model are ResizeImage, NormalizeImage, ToCHWImage, not "
                           f"{', '.join(name for op in transform_ops for name in op) or 'none'}; take augmentation "
                           "out of the block DataLoader.Eval and export again")
        self._set_resize(**steps["ResizeImage"])
        self._table = _pixel_table(**steps["NormalizeImage"])

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Args: image uint8 [h, w, 3], RGB. Returns: float32 [3, H, W]."""
        pixels = self._resize(image)
        return np.stack([self._table[:, channel][pixels[..., channel]] for channel in range(3)])

    def _set_resize(self, size: int | Sequence[int] | None = None, interpolation: str | None = None,
                    backend: str = "cv2", **others: object) -> None:
        others.pop("return_numpy", None)
        if others or not size:
            raise ISEError(f"ResizeImage of a deployed model has a size [width, height], not {', '.join(others)}")
        self.width, self.height = (size, size) if isinstance(size, int) else size
        wanted = (self.width, self.height)
        backend, name = str(backend).lower(), str(interpolation or "bilinear").lower()
        known = list(_PILLOW if backend == "pil" else _OPENCV)
        if name not in known:
            raise ISEError(f"ResizeImage.interpolation with backend {backend} is {', '.join(known)}, not {name}")
        if backend == "pil":
            self._resize = lambda image: np.asarray(Image.fromarray(image).resize(wanted, _PILLOW[name]))
        else:
            import cv2

            self._resize = lambda image: cv2.resize(image, wanted, interpolation=getattr(cv2, _OPENCV[name]))


def _pixel_table(scale: str | float | None = None, mean: Sequence[float] | None = None,
                 std: Sequence[float] | None = None, order: str = "chw", **others: object) -> NDArray[np.float32]:
    """float32 [256, 3]: what a pixel value becomes in each channel, in PaddleClas's order of operations."""
    others.pop("channel_num", None)
    if order not in ("hwc", "") or others:
        raise ISEError("NormalizeImage of a deployed model has order hwc (before ToCHWImage) and scale, mean and std, "
                       f"not order {order!r}{''.join(', ' + key for key in others)}")
    means = np.array([0.485, 0.456, 0.406] if mean is None else mean, np.float32)
    stds = np.array([0.229, 0.224, 0.225] if std is None else std, np.float32)
    values = np.arange(256, dtype=np.float32)[:, None]
    return (values * _number(1 / 255 if scale is None else scale) - means) / stds


def _number(text: str | float) -> np.float32:
    """``1.0/255.0`` as PaddleClas's configs write it, or a number."""
    numerator, _, denominator = str(text).partition("/")
    try:
        return np.float32(float(numerator) / float(denominator or 1))
    except (ValueError, ZeroDivisionError):
        raise ISEError(f"NormalizeImage.scale is a number or a fraction such as 1.0/255.0, not {text!r}") from None
