"""The images that a ``dataset`` block of a config names: one listing for training, evaluation and checks."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ISEError
from .layouts import find_layout
from .listing import ImageList, list_images
from .names import MARKET_PATTERN

__all__ = ["LISTINGS", "list_data_set", "list_reid_images", "list_unlabeled_folder"]

#: The name of an image's folder, as ``cameras: folder`` of UnlabeledFolder.
_FOLDER = r"(?P<camid>[^/\\]+)[/\\][^/\\]+$"
#: Keys of a block that do not say which images it names.
_NOT_LISTING = ("name", "transform_ops", "cache", "cache_dir", "on_bad_image")


def list_reid_images(image_root: str = ".", layout: str | None = None, split: str | None = None,
                     cls_label_path: str | Sequence[str] = ".", image_dir: str = "", pattern: str | None = "auto",
                     keep_junk: bool = False) -> ImageList:
    """The images of ``ReIDImages``: a split of a layout, or what :func:`list_images` finds.

    Args:
        image_root: folder of the data set.
        layout: a name in :data:`ppcls_ise.images.layouts.LAYOUTS`, such as ``Market1501``; with it
        split: ``train``, ``query`` or ``gallery``. Without them:
        cls_label_path, image_dir: as of :func:`list_images`.
        pattern: as of :func:`list_images`; ``auto``: the layout's, without one Market-1501's.
        keep_junk: as of :func:`list_images`.

    Raises:
        ISEError: as :func:`find_layout` and :func:`list_images` do; for a layout and ``cls_label_path``.
    """
    if not (layout or split):
        return list_images(image_root, cls_label_path, image_dir, MARKET_PATTERN if pattern == "auto" else pattern,
                           keep_junk)
    if cls_label_path != ".":
        raise ISEError("a data set has layout and split, or cls_label_path, not both; set the others to null")
    form, part = find_layout(layout or "Market", image_root, split)
    return list_images(image_root, part.source, part.image_dir, form.pattern if pattern == "auto" else pattern,
                       keep_junk)


def list_unlabeled_folder(image_root: str = ".", cls_label_path: str | Sequence[str] = ".", image_dir: str = "",
                          cameras: str | None = None) -> ImageList:
    """The images of ``UnlabeledFolder``, of which at most the camera is known.

    Args:
        image_root: the folder; all images below it are taken, links to folders followed.
        cls_label_path: a folder or list file below it, or a list of those; default all of it.
        image_dir: as of :func:`list_images`.
        cameras: None if unknown; ``folder`` if each camera has a folder of its own; or a regular expression with the
            group ``camid``, searched in the file name, then in the path.

    Raises:
        ISEError: as :func:`list_images` does.
    """
    pattern, called = (_FOLDER, "cameras: folder") if cameras == "folder" else (cameras, f"cameras '{cameras}'")
    return list_images(image_root, cls_label_path, image_dir, pattern, called=called)


#: Name of a data set of ours in a config -> its listing.
LISTINGS: dict[str, Callable[..., ImageList]] = {"ReIDImages": list_reid_images,
                                                 "UnlabeledFolder": list_unlabeled_folder}


def list_data_set(block: dict[str, Any]) -> ImageList:
    """List the images of a ``dataset`` block, without opening any.

    Args:
        block: its ``name`` is one of :data:`LISTINGS`; keys that say how images are read are passed over.

    Raises:
        ISEError: as the listing does.
    """
    return LISTINGS[block["name"]](**{key: value for key, value in block.items() if key not in _NOT_LISTING})
