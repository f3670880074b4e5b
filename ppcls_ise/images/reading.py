"""Image files to RGB pixels: whatever a camera, a phone or a labelling tool has written, or one clear error."""
from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ..errors import ISEError

__all__ = ["Pixels", "file_digest", "read_image", "shown", "threaded", "to_rgb"]

ADVICE = "; repair it, take it out of the folder, or set on_bad_image: skip in the data set"
_ROTATION = 0x0112  # EXIF tag

#: uint8; of an image [H, W, 3] in RGB.
Pixels = NDArray[np.uint8]
Item = TypeVar("Item")
Result = TypeVar("Result")


def read_image(path: str) -> Pixels:
    """Decode an image file.

    Grey, palette and CMYK images become RGB, 16-bit ones keep their upper 8 bits, an EXIF rotation is applied, and
    what is transparent becomes black: the colour below it is an accident of the program that wrote the file.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        ISEError: if the file is no readable image, is cut off, or claims more pixels than
            ``PIL.Image.MAX_IMAGE_PIXELS``.
    """
    try:
        _require_file(path)
        with Image.open(path) as image:
            limit = Image.MAX_IMAGE_PIXELS  # None: no limit
            if limit is not None and image.width * image.height > limit:
                raise ValueError(f"{image.width} x {image.height} pixels are no crop")
            return np.asarray(to_rgb(image))
    # struct.error and the like: Pillow's decoders raise what they please on garbage.
    except Exception as error:
        if isinstance(error, MemoryError):
            raise
        raise ISEError(f"{shown(path)} is no readable image ({type(error).__name__}: {error}){ADVICE}") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """An opened image, decoded, in RGB and upright, as :func:`read_image` says.

    Raises:
        ValueError: for floating point pixels; Pillow's decoders raise what they please on garbage.
    """
    if image.mode == "RGB" and not image.info.get("transparency"):
        return ImageOps.exif_transpose(image) if image.getexif().get(_ROTATION, 1) != 1 else image
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion clips it to white
        grey = np.asarray(image).astype(np.int64) >> 8
        return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("floating point pixels have no known range")
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, image).convert("RGB")
    return image.convert("RGB")


def file_digest(path: str) -> str:
    """What distinguishes a file from every other: the first 16 hexadecimal digits of its SHA-256.

    Raises:
        ISEError: if it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        _require_file(path)
        with open(path, "rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise ISEError(f"{shown(path)} cannot be read ({error})") from error
    return digest.hexdigest()[:16]


def _require_file(path: str) -> None:
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("no regular file")  # opening a pipe would wait for ever


def shown(path: str) -> str:
    """A path as text that any log can hold: file names may be bytes that are no UTF-8."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def threaded(function: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
             ) -> Iterator[Result | ISEError]:
    """Results of ``function`` in the order of ``items``; an :class:`ISEError` it raises is yielded in its place.

    Threads suffice for images: Pillow lets go of the interpreter while it decodes and resizes. Only a few results per
    thread are held at a time.
    """
    threads = threads or min(8, os.cpu_count() or 1)
    waiting: deque[Future[Result | ISEError]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append(pool.submit(_outcome, function, item))
            if len(waiting) >= 8 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _outcome(function: Callable[[Item], Result], item: Item) -> Result | ISEError:
    try:
        return function(item)
    except ISEError as error:
        return error
