"""An uploaded file becomes pixels, or the client learns why not."""
from __future__ import annotations

import io
import logging

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..images.reading import to_rgb

__all__ = ["FORMATS", "RefusedError", "decode"]

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
logger = logging.getLogger("uvicorn.error")


class RefusedError(Exception):
    """A request that the client has to change: HTTP status and one sentence."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def decode(data: bytes, max_megapixels: float) -> NDArray[np.uint8]:
    """uint8 [h, w, 3] RGB of an upload; what it is, is seen from its content.

    Raises:
        RefusedError: if it is empty, no image of a known format, cut off, or has too many pixels.
    """
    if not data:
        raise RefusedError(400, "the upload is empty")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            size = image.size
            if size[0] * size[1] <= max_megapixels * 1e6:
                return np.asarray(to_rgb(image))
    except Image.DecompressionBombError:
        raise RefusedError(413, f"an image has at most {max_megapixels:g} megapixels") from None
    except Image.UnidentifiedImageError:
        raise RefusedError(415, f"the upload is no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image") from None
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise what they please on garbage
        logger.info("undecodable upload: %s: %s", type(error).__name__, error)
        raise RefusedError(400, "the image is damaged or cut off") from None
    raise RefusedError(413, f"the image has {size[0]} x {size[1]} pixels, more than {max_megapixels:g} "
                            "megapixels")
