"""Person images from a folder, with what their names tell."""
from __future__ import annotations

import os
import random
import re
from typing import NamedTuple

import numpy as np
from paddle.io import Dataset
from PIL import Image

from ..errors import ISEError
from .sampler import Draw

__all__ = ["MARKET_PATTERN", "ImageList", "ReIDImages", "list_images", "read_image"]

MARKET_PATTERN = r"(?P<pid>-?\d+)_c(?P<camid>\d+)"
JUNK = -1
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


class ImageList(NamedTuple):
    """The images of one split, sorted by path."""

    root: str
    names: list[str]  #: paths relative to ``root``
    pids: np.ndarray  #: int64 [N], identities; 0 is a distractor, -1 junk
    camids: np.ndarray  #: int64 [N], cameras

    def path(self, index: int) -> str:
        """File of image ``index``."""
        return os.path.join(self.root, self.names[index])


def list_images(image_root: str, cls_label_path, image_dir: str = "", pattern: str = MARKET_PATTERN,
                keep_junk: bool = False) -> ImageList:
    """List a split of a data set by what its file names tell.

    The default pattern reads Market-1501 (12,936 training images of 751 identities, 3,368 queries, 15,913 gallery
    images without junk; Zheng et al., ICCV 2015) and every set in its naming: ``0002_c1s1_000451_03.jpg`` is identity
    2, camera 1.

    Args:
        image_root: folder of the data set.
        cls_label_path: the split below it: a folder such as ``bounding_box_train`` (with all folders in it), a list
            file with a path at the start of each line, or a list of either.
        image_dir: folder below ``image_root`` to which the paths in list files are relative.
        pattern: regular expression with the groups ``pid`` and ``camid``, searched in the file name.
        keep_junk: keep images of pid -1 (detections of no use to any protocol) instead of leaving them out.

    Raises:
        ISEError: if the folder or list is missing or empty, or a name does not match.
    """
    root = os.path.expanduser(image_root)
    expression = re.compile(pattern)
    rows = [(name, *_identify(name, expression)) for name in _names(root, cls_label_path, image_dir)]
    rows = [row for row in rows if keep_junk or row[1] != JUNK]
    return ImageList(root, [name for name, _, _ in rows], np.array([pid for _, pid, _ in rows], np.int64),
                     np.array([camid for _, _, camid in rows], np.int64))


class ReIDImages(Dataset):
    """Person crops as a PaddleClas data set, for training, clustering, query and gallery alike.

    Indexed by an int an item is ``(image, pid, camid)``, for evaluation and extraction. Indexed by a :class:`Draw`,
    as the training sampler does, it is ``(image, pseudo label)``: identities are out of reach there.

    Args:
        transform_ops: PaddleClas's list of transforms, applied to a uint8 RGB image [H, W, 3].
        where: ``image_root``, ``cls_label_path``, ... of :func:`list_images`.

    Raises:
        ISEError: as :func:`list_images` does.
    """

    def __init__(self, transform_ops=None, **where):
        from ppcls.data import create_operators

        self.list = list_images(**where)
        self.pids, self.camids = self.list.pids, self.list.camids
        self.transforms = create_operators(list(transform_ops or []))

    def __len__(self) -> int:
        return len(self.list.names)

    def __getitem__(self, item):
        if isinstance(item, Draw):
            return self._augmented(item), np.int64(item.label)
        return self._transformed(item), self.pids[item], self.camids[item]

    def _transformed(self, index):
        image = read_image(self.list.path(index))
        for transform in self.transforms:
            image = transform(image)
        return image

    def _augmented(self, draw):
        # PaddleClas's transforms use the global generators. Seeding them per image makes the augmentation depend on
        # (seed, epoch, row) alone, not on workers, processes or what was drawn before.
        states = random.getstate(), np.random.get_state()
        random.seed(draw.seed)
        np.random.seed(draw.seed)
        try:
            return self._transformed(draw.index)
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


def read_image(path: str) -> np.ndarray:
    """Decode an image file.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        ISEError: if the file is no readable image.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ISEError(f"{path} is no readable image ({error}); mend it or take it out of the folder") from error


def _names(root, split, image_dir):
    """Paths below ``root`` of one split: a folder, walked, or list files ``path ...`` relative to ``image_dir``."""
    if isinstance(split, (list, tuple)):
        return sorted(path for part in split for path in _names(root, part, image_dir))
    source = os.path.join(root, split)
    if os.path.isfile(source):
        with open(source, encoding="utf-8") as lines:
            return sorted(os.path.join(image_dir, line.split()[0]) for line in lines if line.strip())
    if not os.path.isdir(source):
        raise ISEError(f"there is no folder or list file {source}; set image_root and cls_label_path of the data set")
    found = [os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(source)
             for name in names if name.lower().endswith(_SUFFIXES)]
    if not found:
        raise ISEError(f"no {'/'.join(_SUFFIXES)} images in {source}")
    return sorted(found)


def _identify(path, pattern):
    match = pattern.search(os.path.basename(path))
    if match is None:
        raise ISEError(f"{path} does not match the pattern {pattern.pattern!r} for identity and camera; set the data "
                       "set's pattern")
    return int(match["pid"]), int(match["camid"])
