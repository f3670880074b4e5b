"""Person images from a folder, with what their names tell."""
from __future__ import annotations

import os
import random
import re

import numpy as np
from paddle.io import Dataset
from PIL import Image

from ..errors import ISEError
from .sampler import Draw

__all__ = ["MARKET_PATTERN", "ReIDImages"]

MARKET_PATTERN = r"(?P<pid>-?\d+)_c(?P<camid>\d+)"
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


class ReIDImages(Dataset):
    """A folder of person crops whose names tell identity and camera, sorted by name.

    The default pattern reads Market-1501 (12,936 training images of 751 identities, 3,368 queries, 15,913 gallery
    images; Zheng et al., ICCV 2015) and every set in its naming: ``0002_c1s1_000451_03.jpg`` is identity 2, camera 1.
    Another naming is another ``pattern``.

    Indexed by an int an item is ``(image, pid, camid)``, for evaluation and extraction. Indexed by a :class:`Draw`,
    as the training sampler does, it is ``(image, pseudo label)``: identities are out of reach there.

    Args:
        image_root: folder of the data set.
        cls_label_path: folder of the split below it, such as ``bounding_box_train``.
        transform_ops: PaddleClas's list of transforms, applied to a uint8 RGB image [H, W, 3].
        pattern: regular expression with the groups ``pid`` and ``camid``, searched in the file name.
        keep_junk: keep images of pid -1 (detections of no use to any protocol) instead of leaving them out.

    Raises:
        ISEError: if the folder is missing or empty, or a name does not match.
    """

    def __init__(self, image_root: str, cls_label_path: str, transform_ops=None, pattern: str = MARKET_PATTERN,
                 keep_junk: bool = False):
        from ppcls.data import create_operators

        self.folder = os.path.join(os.path.expanduser(image_root), cls_label_path)
        self.paths, self.pids, self.camids = _list(self.folder, re.compile(pattern), keep_junk)
        self.transforms = create_operators(list(transform_ops or []))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, item):
        if isinstance(item, Draw):
            return self._augmented(item), np.int64(item.label)
        return self._transformed(item), self.pids[item], self.camids[item]

    def _transformed(self, index):
        image = read_image(self.paths[index])
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


def _list(folder, pattern, keep_junk):
    if not os.path.isdir(folder):
        raise ISEError(f"there is no folder {folder}; set image_root and cls_label_path of the data set to the folder "
                       "that holds the images")
    names = sorted(name for name in os.listdir(folder) if name.lower().endswith(_SUFFIXES))
    matches = [pattern.search(name) for name in names]
    if not names:
        raise ISEError(f"no {'/'.join(_SUFFIXES)} images in {folder}")
    if None in matches:
        raise ISEError(f"{os.path.join(folder, names[matches.index(None)])} does not match the pattern "
                       f"{pattern.pattern!r} for identity and camera; set the data set's pattern")
    rows = [(name, int(match["pid"]), int(match["camid"])) for name, match in zip(names, matches)]
    rows = [row for row in rows if keep_junk or row[1] != -1]
    names, pids, camids = zip(*rows) if rows else ((), (), ())
    return [os.path.join(folder, name) for name in names], np.array(pids, np.int64), np.array(camids, np.int64)
