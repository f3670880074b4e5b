"""Cameras of a search: those of the queries, and those that are asked for."""
from __future__ import annotations

from collections.abc import Iterable

from ..errors import ISEError
from ..images.names import MARKET_PATTERN, identify
from ..images.reading import shown
from .entries import number_or_name
from .gallery import Gallery

__all__ = ["check_cameras", "query_cameras"]


def query_cameras(names: list[str], pattern: str | None) -> list[int | str]:
    """Cameras of queries, read off their names as those of the gallery were.

    Args:
        names: of the queries, below the folder that holds them.
        pattern: ``IndexProcess.pattern``.

    Raises:
        ISEError: for a pattern that is none, or does not tell the camera of an image.
    """
    pattern = pattern or MARKET_PATTERN
    found = identify(names, pattern, f"IndexProcess.pattern '{pattern}'")
    if "camid" not in found:
        raise ISEError(f"Search.other_cameras needs the group camid in IndexProcess.pattern, not '{pattern}'")
    cameras = []
    for name, text in zip(names, found["camid"]):
        if text is None:
            raise ISEError(f"Search.other_cameras: {shown(name)} does not tell its camera by IndexProcess.pattern")
        cameras.append(number_or_name(text))
    return cameras


def check_cameras(cameras: Iterable[int | str], gallery: Gallery) -> None:
    """``Search.cameras`` names cameras of the gallery.

    Raises:
        ISEError: naming the one that does not, and those there are.
    """
    for camera in cameras:
        if camera not in gallery.cameras:
            raise ISEError(f"Search.cameras: the gallery has no camera {camera!r}; it has "
                           f"{', '.join(map(repr, gallery.cameras)) or 'none that is known'}")
