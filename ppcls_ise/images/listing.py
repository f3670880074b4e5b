"""Which images a split holds, and what their names say of identity and camera."""
from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ISEError, some
from .names import MARKET_PATTERN, camera_ids, identity_numbers, search_names
from .reading import shown

__all__ = ["JUNK", "ImageList", "identified_list", "list_images", "neighbourhood"]

JUNK = -1
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
_LABELS = re.compile(r"(\s+-?\d+)+$")


class ImageList(NamedTuple):
    """The images of one split, sorted by path."""

    root: str
    names: list[str]  #: paths relative to ``root``
    pids: NDArray[np.int64] | None  #: int64 [N], identities; 0 is a distractor, -1 junk. None: not known
    camids: NDArray[np.int64] | None  #: int64 [N], cameras. None: not known
    cameras: tuple[str, ...] | None = None  #: name of camera 0, 1, ... where the file names hold no numbers

    def path(self, index: int) -> str:
        """File of image ``index``."""
        return os.path.join(self.root, self.names[index])

    def checksum(self) -> int:
        """CRC-32 of the names in their order: lists of one checksum are taken to hold the same images."""
        return zlib.crc32("\n".join(self.names).encode("utf-8", "surrogateescape"))  # a name may be any bytes

    def take(self, rows: NDArray[np.int64]) -> ImageList:
        """The images ``rows``, in that order."""
        return self._replace(names=[self.names[row] for row in rows],
                             pids=None if self.pids is None else self.pids[rows],
                             camids=None if self.camids is None else self.camids[rows])

    def camera(self, index: int) -> str | None:
        """Name or number of the camera of image ``index``, None where it is not known."""
        if self.camids is None or self.camids[index] < 0:
            return None
        return str(self.camids[index]) if self.cameras is None else self.cameras[self.camids[index]] or None


def list_images(image_root: str, cls_label_path: str | Sequence[str] = ".", image_dir: str = "",
                pattern: str | None = MARKET_PATTERN, keep_junk: bool = False, called: str | None = None) -> ImageList:
    """List a split of a data set, and what its file names say.

    Args:
        image_root: folder of the data set.
        cls_label_path: the split below it: a folder such as ``bounding_box_train`` (with all folders in it, links
            followed), a list file with a path at the start of each line (integers after it are not read), or a list
            of either.
        image_dir: folder below ``image_root`` to which the paths in list files are relative.
        pattern: regular expression, searched in the file name and, where that does not match, in the path below
            ``image_root``. Its groups ``pid`` and ``camid`` are optional: what is not named is not known. A camera
            that is no number counts by its place among the sorted names. None: nothing is known.
        called: what errors call the pattern: the key that its user set, and the value.
        keep_junk: keep images of pid -1 (detections of no use to any protocol) instead of leaving them out.

    Raises:
        ISEError: if the folder or list is missing or empty, or a name does not match.
    """
    root = os.path.expanduser(image_root)
    image_list = identified_list(root, _names(root, cls_label_path, image_dir), pattern, called)
    if image_list.pids is None or keep_junk:
        return image_list
    return image_list.take(np.flatnonzero(image_list.pids != JUNK))


def identified_list(root: str, names: list[str], pattern: str | None, called: str | None = None,
                    everywhere: bool = True) -> ImageList:
    """Images with the identities and cameras that a pattern finds in their names.

    Args:
        root: folder of the images.
        names: N paths below it.
        pattern, called: as of :func:`list_images`.
        everywhere: whether a name without a match is an error; else its identity and camera are -1.

    Raises:
        ISEError: as :func:`ppcls_ise.images.names.identify` does, and for an identity that is no integer of 64 bits.
    """
    if pattern is None:
        return ImageList(root, names, None, None)
    called = called or f"pattern '{pattern}'"
    groups, matches = search_names(names, pattern, called, everywhere)
    rows = [row for row, match in enumerate(matches) if match is not None]
    ids: dict[str, NDArray[np.int64]] = {group: np.full(len(names), -1, np.int64) for group in groups}
    texts = {group: [match[group] for match in matches if match is not None] for group in groups}
    cameras = None
    if "pid" in ids:
        ids["pid"][rows] = identity_numbers(texts["pid"], [names[row] for row in rows], called)
    if "camid" in ids:
        ids["camid"][rows], cameras = camera_ids(texts["camid"])
    return ImageList(root, names, ids.get("pid"), ids.get("camid"), cameras)


def _names(root: str, split: str | Sequence[str], image_dir: str) -> list[str]:
    """Sorted paths below ``root`` of one split: a folder, walked, or list files relative to ``image_dir``."""
    if not isinstance(split, (str, os.PathLike)):
        return sorted(path for part in split for path in _names(root, part, image_dir))
    source = os.path.normpath(os.path.join(root, split))
    if os.path.isfile(source):
        names = [os.path.normpath(os.path.join(image_dir, name)) for name in _lines(source)]
    elif os.path.isdir(source):
        names = [os.path.relpath(path, root) for path in _walk(source)]
    else:
        raise ISEError(f"there is no folder or list file {source}; set image_root and cls_label_path of the data "
                       f"set\n{neighbourhood(root)}")
    if not names:
        raise ISEError(f"no {'/'.join(SUFFIXES)} images in {source}\n{neighbourhood(source)}")
    return sorted(names)


def _lines(path: str) -> list[str]:
    """Paths in a list file: a line less the integers at its end."""
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as lines:
            return [_LABELS.sub("", line.strip()) for line in lines if line.strip()]
    except OSError as error:
        raise ISEError(f"list file {path} cannot be read: {error}") from error


def _walk(folder: str) -> Iterator[str]:
    """Image files below ``folder``, links to folders followed, each folder once: links may form loops."""
    def refuse(error: OSError) -> None:
        raise ISEError(f"folder {shown(error.filename)} cannot be read: {error.strerror}") from error

    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        status = os.stat(place)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        yield from (os.path.join(place, name) for name in files if name.lower().endswith(SUFFIXES))


def neighbourhood(folder: str, limit: int = 8) -> str:
    """What is at ``folder``, for an error: its entries, or those of the nearest folder above that exists."""
    while not os.path.isdir(folder):
        above = os.path.dirname(folder.rstrip(os.sep)) or "."
        if above == folder:
            break
        folder = above
    try:
        entries = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in os.scandir(folder))
    except OSError as error:
        return f"  {shown(folder)} cannot be read: {error.strerror}"
    return f"  in {shown(os.path.abspath(folder))}: {shown(some(entries, limit)) if entries else 'nothing'}"
