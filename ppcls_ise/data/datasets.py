"""Person images as PaddleClas data sets."""
from __future__ import annotations

import copy
import json
import random
import time

import numpy as np
from paddle.io import Dataset

from ..errors import ISEError
from ..images.crops import CACHES, make_crops
from ..images.data_set import list_reid_images, list_unlabeled_folder
from ..images.listing import MARKET_PATTERN, ImageList, list_images
from ..images.reading import ADVICE, read_image, threaded
from .sampler import Draw
from .transforms import PixelTable

__all__ = ["DATASETS", "MARKET_PATTERN", "ImageList", "ReIDImages", "UnlabeledFolder", "list_images", "read_image"]

BAD_IMAGE_POLICIES = ("error", "skip")


class ReIDImages(Dataset):
    """Person crops as a PaddleClas data set, for training, clustering, query and gallery alike.

    Indexed by an int an item is ``(image, pid, camid)``, for evaluation and extraction; -1 where they are not known.
    Indexed by a :class:`Draw`, as the training sampler does, it is ``(image, pseudo label)``: identities are out of
    reach there.

    Args:
        transform_ops: PaddleClas's list of transforms, applied to a uint8 RGB image [H, W, 3].
        image_root, where: which images, as of :func:`ppcls_ise.images.data_set.list_reid_images`.
        cache: where decoded and resized crops are kept: ``none``, ``ram``, or ``disk`` (:func:`make_crops`). Needs
            ``ResizeImage`` with a ``size`` as the first transform.
        cache_dir: folder of ``disk``.
        on_bad_image: ``error`` or ``skip``. With ``skip`` (and with a cache) every file is read at the start, and what
            is no readable image is left out, with a count in the log. No other image ever takes its place.

    Attributes:
        list: the :class:`ImageList`; ``pids`` and ``camids`` are its int64 [N], or None where they are not known.

    Raises:
        ISEError: as the listing and :func:`make_crops` do; for unreadable images, naming them.
    """

    _listed = staticmethod(list_reid_images)

    def __init__(self, transform_ops=None, image_root: str = ".", cache: str = "none", cache_dir: str | None = None,
                 on_bad_image: str = "error", **where):
        for key, value, known in (("cache", cache, CACHES), ("on_bad_image", on_bad_image, BAD_IMAGE_POLICIES)):
            if value not in known:
                raise ISEError(f"{key} of a data set is {', '.join(known)}, not {value!r}")
        self.list = self._listed(image_root, **where)
        self.crops = self._crop_rows = None
        self._set_transforms(transform_ops or [])
        if cache != "none":
            self.crops = make_crops(self.list, self._read, *self._cached_recipe(), cache, cache_dir, _log, self._told)
            self._leave_out(self.crops.unreadable, on_bad_image)
        elif on_bad_image == "skip":
            paths = map(self.list.path, range(len(self.list.names)))
            self._leave_out({row: str(outcome) for row, outcome in enumerate(self._told(threaded(_verify, paths)))
                             if outcome is not None}, on_bad_image)

    @property
    def pids(self):
        return self.list.pids

    @property
    def camids(self):
        return self.list.camids

    @property
    def in_memory(self) -> bool:
        """Whether items need neither decoding nor a disk."""
        return self.crops is not None and self.crops.in_memory

    def with_transforms(self, transform_ops) -> ReIDImages:
        """The same images, and the same cached crops if the first transform is the same, otherwise transformed."""
        other, recipe = copy.copy(self), self._recipe
        other._set_transforms(transform_ops)
        if other._recipe != recipe:
            other.crops = None
        return other

    def __len__(self) -> int:
        return len(self.list.names)

    def __getitem__(self, item):
        if isinstance(item, Draw):
            return self._augmented(item), np.int64(item.label)
        return self._transformed(item), *(np.int64(-1) if ids is None else ids[item]
                                          for ids in (self.pids, self.camids))

    def _set_transforms(self, transform_ops):
        from ppcls.data import create_operators

        operators = create_operators(list(copy.deepcopy(transform_ops)))
        resizes = bool(operators) and type(operators[0]).__name__ == "ResizeImage"
        self._resize = operators.pop(0) if resizes else None
        self._recipe = dict(transform_ops[0]["ResizeImage"]) if resizes else None
        self.transforms = [PixelTable.instead_of(operator) for operator in operators]

    def _cached_recipe(self):
        """What decides the pixels of a crop, as text, and its (height, width)."""
        if not self._recipe or not self._recipe.get("size"):
            raise ISEError("a data set with a cache needs ResizeImage with a size as its first transform")
        size = self._recipe["size"]
        width, height = (size, size) if isinstance(size, int) else size
        return json.dumps(self._recipe, sort_keys=True), (height, width)

    def _read(self, path):
        image = read_image(path)
        return image if self._resize is None else self._resize(image)

    def _transformed(self, index):
        if self.crops is not None:
            image = self.crops.pixels[self._crop_rows[index]]
        else:
            image = self._read(self.list.path(index))
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

    def _leave_out(self, unreadable, policy):
        """Leave the unreadable images (row -> message) out, or raise."""
        count, total = len(unreadable), len(self.list.names)
        if count and (policy == "error" or count == total):
            more = f"\n{count} of {total} images are unreadable; tools/check_data.py lists them all" * (count > 1)
            raise ISEError(next(iter(unreadable.values())) + more)
        kept = np.array([row for row in range(total) if row not in unreadable])
        if count:
            first = "; ".join(message.split(ADVICE)[0] for message in list(unreadable.values())[:3])
            _log(f"{count} of {total} images are unreadable and left out (on_bad_image: skip): {first}"
                 + "; ..." * (count > 3), level="warning")
            self.list = self.list.take(kept)
        self._crop_rows = kept

    def _told(self, outcomes, seconds_between_lines=10.0):
        told = time.time()
        for done, outcome in enumerate(outcomes, 1):
            yield outcome
            if time.time() - told > seconds_between_lines:
                told = time.time()
                _log(f"read {done} of {len(self.list.names)} images")


class UnlabeledFolder(ReIDImages):
    """Images of which nothing is known, or at most the camera: any tree of images, or a list file.

    Args:
        transform_ops: as of :class:`ReIDImages`.
        image_root: the folder. All images below it are taken, links to folders followed.
        cls_label_path: a folder or list file below it, or a list of those; default all of it.
        cameras: None if unknown; ``folder`` if each camera has a folder of its own; or a regular expression with the
            group ``camid``, searched in the file name, then in the path: ``cam(?P<camid>\\d+)``. The sampler mixes
            cameras where it knows them.
        options: ``image_dir``, ``cache``, ``cache_dir``, ``on_bad_image``, as of :class:`ReIDImages`.

    Raises:
        ISEError: as :class:`ReIDImages` does.
    """

    _listed = staticmethod(list_unlabeled_folder)

    def __init__(self, transform_ops=None, image_root: str = ".", cls_label_path=".", cameras: str | None = None,
                 **options):
        super().__init__(transform_ops, image_root, cls_label_path=cls_label_path, cameras=cameras, **options)


#: Data sets that this package trains on, by the name that a config gives them.
DATASETS = {"ReIDImages": ReIDImages, "UnlabeledFolder": UnlabeledFolder}


def _verify(path):
    read_image(path)


def _log(text, level="info"):
    from ppcls.utils import logger

    getattr(logger, level)(f"[Data] {text}")
