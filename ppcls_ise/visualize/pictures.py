"""Images as they stand in a page or on a sheet."""
from __future__ import annotations

import base64
import io

from PIL import Image, ImageDraw, ImageOps

from ..images.reading import read_image, shown

__all__ = ["BAD", "GOOD", "PLAIN", "THUMB", "camera_label", "contact_sheet", "data_uri", "thumbnail"]

#: width, height of a crop in pixels: twice what the page shows on a phone, once on a laptop.
THUMB = (64, 128)
GOOD, BAD, PLAIN = "#1a9850", "#d73027", "#8a94a3"
GAP, FRAME = 8, 3


def thumbnail(path: str) -> Image.Image:
    """The image at a size of :data:`THUMB`, filled out in the colour of its edge where its shape is another.

    Raises:
        ISEError: if the file is no readable image.
    """
    pixels = read_image(path)
    red, green, blue = (int(value) for value in pixels[0, 0])
    return ImageOps.pad(Image.fromarray(pixels), THUMB, Image.Resampling.BICUBIC, color=(red, green, blue))


def data_uri(path: str) -> str:
    """The thumbnail as a ``data:`` address, so that a page needs no other file."""
    buffer = io.BytesIO()
    thumbnail(path).save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def camera_label(camera: int | str | None) -> str:
    """A camera in a caption: ``c3`` for a number, a name as it is, nothing where it is not known."""
    return "" if camera is None else f"c{camera}" if isinstance(camera, int) else shown(camera)


def contact_sheet(rows: list[list[tuple[str, str, str]]]) -> Image.Image:
    """Rows of framed crops on one picture.

    Args:
        rows: for every crop (path, colour of the frame, caption below it).
    """
    width, height = THUMB[0] + 2 * GAP, THUMB[1] + 2 * GAP + 12
    sheet = Image.new("RGB", (max(map(len, rows), default=1) * width, max(1, len(rows)) * height), "white")
    draw = ImageDraw.Draw(sheet)
    for down, row in enumerate(rows):
        for across, (path, colour, caption) in enumerate(row):
            left, top = across * width + GAP, down * height + GAP
            sheet.paste(thumbnail(path), (left, top))
            draw.rectangle((left - FRAME, top - FRAME, left + THUMB[0] + FRAME - 1, top + THUMB[1] + FRAME - 1),
                           outline=colour, width=FRAME)
            draw.text((left, top + THUMB[1] + FRAME), caption, fill="#333333")
    return sheet
