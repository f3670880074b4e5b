"""Transforms: the published augmentation where PaddleClas has none or one that is off, and a white-balance jitter."""
from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..config.blocks import ChannelJitterBlock, PadCropBlock, RandomEraseBlock

__all__ = ["ChannelJitter", "PadCrop", "PixelTable", "RandomErase"]


class PadCrop(PadCropBlock):
    """Pad all sides with black and crop the original size at a uniformly random offset in ``0 .. 2 * padding``.

    Args:
        padding: pixels on every side.
    """

    def __call__(self, image: NDArray) -> NDArray:
        """Args: image uint8 [H, W, 3]. Returns: uint8 [H, W, 3]."""
        pad = self.padding
        top, left = random.randint(0, 2 * pad), random.randint(0, 2 * pad)
        padded = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_CONSTANT)
        return padded[top:top + image.shape[0], left:left + image.shape[1]]


class PixelTable:
    """What another transform makes of every possible pixel value, looked up: uint8 [H, W, 3] -> float32 [H, W, 3].

    For transforms that treat each pixel and channel by itself. The numbers are the other transform's own to the last
    bit; PaddleClas's ``NormalizeImage`` takes several times as long as the rest of the augmentation together.

    Args:
        transform: of images [H, W, 3].
    """

    def __init__(self, transform: Callable[[NDArray], NDArray]):
        self.transform = transform
        values = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
        self.table = np.ascontiguousarray(transform(values))

    @classmethod
    def instead_of(cls, transform: Any) -> Any:
        """A table for PaddleClas's ``NormalizeImage`` where it makes float32 [H, W, 3]; any other as it is."""
        if type(transform).__name__ == "NormalizeImage" and transform.order == "hwc":
            table = cls(transform)
            if table.table.shape == (1, 256, 3) and table.table.dtype == np.float32:
                return table
        return transform

    def __call__(self, image: NDArray) -> NDArray:
        """Args: image uint8 [H, W, 3] (others go through the transform itself). Returns: float32 [H, W, 3]."""
        if image.dtype != np.uint8 or image.shape[2] != 3:
            return self.transform(image)
        return cv2.LUT(image, self.table)


class ChannelJitter(ChannelJitterBlock):
    """Another camera's white balance: a random gain and offset per colour channel of a normalised image.

    Not part of the published recipe. It helps where cameras differ in colour and no pre-training has seen that.

    Args:
        gain: standard deviation of the gain about 1.
        offset: standard deviation of the offset, in units of the normalised image.
    """

    def __call__(self, image: NDArray) -> NDArray:
        """Args: image float32 [H, W, 3]. Returns: float32 [H, W, 3]."""
        gain = 1 + self.gain * np.random.standard_normal(3)
        offset = self.offset * np.random.standard_normal(3)
        return (image * gain + offset).astype(np.float32)


class RandomErase(RandomEraseBlock):
    """Random erasing (Zhong et al., AAAI 2020) of a normalised image, as the re-ID literature uses it.

    Args:
        probability: of erasing at all.
        area: lower and upper bound of the erased share of the image.
        min_aspect: the rectangle's height/width is uniform in ``min_aspect .. 1 / min_aspect``.
        fill: value per channel, written into the *normalised* image (the published recipe fills in ImageNet's mean).
    """

    attempts = 100

    def __call__(self, image: NDArray) -> NDArray:
        """Args: image float32 [H, W, 3]. Returns: float32 [H, W, 3], a copy if erased."""
        if random.random() >= self.probability:
            return image
        height, width = image.shape[:2]
        for _ in range(self.attempts):
            target = random.uniform(*self.area) * height * width
            aspect = random.uniform(self.min_aspect, 1 / self.min_aspect)
            h, w = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
            if h < height and w < width:
                top, left = random.randint(0, height - h), random.randint(0, width - w)
                image = image.copy()
                image[top:top + h, left:left + w] = self.fill
                return image
        return image
