"""The images that a ``dataset`` block of a config names: one listing for training, evaluation and checks."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ISEError
from .layouts import find_layout
from .listing import ImageList, list_images

__all__ = ["LISTINGS", "NOT_UNLABELED", "list_data_set", "list_reid_images", "list_unlabeled_folder"]

#: Keys of ReIDImages alone, and why.
NOT_UNLABELED = dict.fromkeys(("layout", "split", "pattern", "keep_junk"),
                              "UnlabeledFolder knows no identities; use ReIDImages")
#: The name of an image's folder, as ``cameras: folder`` of UnlabeledFolder.
_FOLDER = r"(?P<camid>[^/\\]+)[/\\][^/\\]+$"
#: Keys of a block that do not say which images it names.
_NOT_LISTING = ("name", "transform_ops", "cache", "cache_dir", "on_bad_image")


def list_reid_images(image_root: str = ".", layout: str | None = None, split: str | None = None,
                     **where: Any) -> ImageList:
    """The images of ``ReIDImages``: a split of a layout, or what :func:`list_images` finds.

    Args:
        image_root: folder of the data set.
        layout: a name in :data:`ppcls_ise.images.layouts.LAYOUTS`, such as ``Market1501``; with it
        split: ``train``, ``query`` or ``gallery``. Without them:
        where: ``cls_label_path``, ``image_dir``, ``pattern``, ``keep_junk`` of :func:`list_images`; ``pattern`` and
            ``keep_junk`` also go with a layout.

    Raises:
        ISEError: as :func:`find_layout` and :func:`list_images` do.
    """
    if layout or split:
        if "cls_label_path" in where:
            raise ISEError("a data set has layout and split, or cls_label_path, not both")
        form, part = find_layout(layout or "Market", image_root, split)
        where = {"pattern": form.pattern, **where, "cls_label_path": part.source, "image_dir": part.image_dir}
    return list_images(image_root, **where)


def list_unlabeled_folder(image_root: str = ".", cls_label_path: str | list[str] = ".", cameras: str | None = None,
                          **options: Any) -> ImageList:
    """The images of ``UnlabeledFolder``, of which at most the camera is known.

    Args:
        image_root: the folder; all images below it are taken, links to folders followed.
        cls_label_path: a folder or list file below it, or a list of those; default all of it.
        cameras: None if unknown; ``folder`` if each camera has a folder of its own; or a regular expression with the
            group ``camid``, searched in the file name, then in the path.
        options: ``image_dir`` of :func:`list_images`.

    Raises:
        ISEError: for a key that knows identities, and as :func:`list_images` does.
    """
    for key, reason in NOT_UNLABELED.items():
        if key in options:
            raise ISEError(f"UnlabeledFolder has no {key}: {reason}")
    pattern, called = (_FOLDER, "cameras: folder") if cameras == "folder" else (cameras, f"cameras '{cameras}'")
    if pattern and "(?P<pid>" in pattern:
        raise ISEError("UnlabeledFolder knows no identities: cameras has the group camid only")
    return list_images(image_root, cls_label_path, pattern=pattern, called=called, **options)


#: Name of a data set of ours in a config -> its listing.
LISTINGS: dict[str, Callable[..., ImageList]] = {"ReIDImages": list_reid_images,
                                                 "UnlabeledFolder": list_unlabeled_folder}


def list_data_set(block: dict) -> ImageList:
    """List the images of a ``dataset`` block, without opening any.

    Args:
        block: its ``name`` is one of :data:`LISTINGS`; keys that say how images are read are passed over.

    Raises:
        ISEError: as the listing does.
    """
    return LISTINGS[block["name"]](**{key: value for key, value in block.items() if key not in _NOT_LISTING})
