"""Building a gallery, adding images to it, taking them out."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..config.deployment import IndexSettings
from ..errors import ISEError
from ..images.reading import file_digest, read_image, shown
from ..inference.batches import readable_features
from ..inference.extractor import FeatureExtractor
from .entries import Entry, listed_entries
from .files import locked, make_folder, next_id
from .gallery import Gallery

__all__ = ["Counts", "update_gallery"]

#: What PaddleClas calls a kind of ours.
_OTHER_NAMES = {"HNSW": "HNSW32"}


class Counts(NamedTuple):
    """What a change of a gallery did, in images."""

    added: int = 0
    replaced: int = 0
    removed: int = 0
    unknown: int = 0  #: listed to be removed, but not there
    unreadable: int = 0


def update_gallery(settings: IndexSettings, extractor: FeatureExtractor | None,
                   progress: Callable[[list[str]], Iterable[str]] = iter) -> tuple[Gallery, Counts]:
    """Do what ``index_operation`` says: new, append or remove.

    Args:
        settings: of the gallery.
        extractor: None for ``remove``, which needs none.
        progress: wraps the list of paths while their features are extracted, as tqdm does.

    Returns:
        The gallery as it is on disk now, and what was done.

    Raises:
        ISEError: for keys that do not fit, a missing or damaged gallery, an unreadable image (unless
            ``on_bad_image: skip``), or a gallery of another model.
    """
    folder = _checked_folder(settings, extractor)
    entries, root = listed_entries(settings), os.path.abspath(os.path.expanduser(settings.image_root or ""))
    # Whole paths: the gallery may be of another root, where the same name is another image.
    entries = [{**entry, "path": os.path.join(root, entry["path"])} for entry in entries]
    make_folder(folder)  # before the features are extracted, which takes long
    if settings.index_operation == "remove":
        return _remove(folder, entries)
    assert extractor is not None
    features, readable = _features(extractor, entries, settings.on_bad_image == "skip", progress)
    counts = Counts(unreadable=len(entries) - len(readable))
    with locked(folder):
        if settings.index_operation == "new":
            kind = _OTHER_NAMES.get(settings.index_method, settings.index_method)
            gallery = Gallery(features, readable, kind, root, extractor.model, next_id(folder))
            counts = counts._replace(added=len(gallery))
        else:
            gallery = Gallery.open(folder)
            gallery.check_model(extractor)
            known = len(gallery.ids_of([entry["path"] for entry in readable]))
            counts = counts._replace(added=len(gallery.append(features, readable)) - known, replaced=known)
        gallery.save(folder)
    return gallery, counts


def _remove(folder: str, entries: list[Entry]) -> tuple[Gallery, Counts]:
    with locked(folder):
        gallery = Gallery.open(folder)
        known = gallery.ids_of([entry["path"] for entry in entries])
        listed = len({os.path.normpath(entry["path"]) for entry in entries})
        counts = Counts(removed=gallery.remove(known), unknown=listed - len(known))
        gallery.save(folder)
    return gallery, counts


def _checked_folder(settings: IndexSettings, extractor: FeatureExtractor | None) -> str:
    if not settings.index_dir:
        raise ISEError("IndexProcess.index_dir is missing: the folder of the gallery")
    if settings.index_operation == "remove" and not settings.data_file:
        raise ISEError("index_operation remove takes the images that IndexProcess.data_file lists; it is not set")
    size = settings.embedding_size
    if extractor and size and size != extractor.dimension:
        raise ISEError(f"IndexProcess.embedding_size is {size}, the model gives {extractor.dimension} numbers")
    return os.path.expanduser(settings.index_dir)


def _features(extractor: FeatureExtractor, entries: list[Entry], skip: bool,
              progress: Callable[[list[str]], Iterable[str]]) -> tuple[NDArray[np.float32], list[Entry]]:
    """Features [n, D] and entries, with ``digest``, of the files that can be read."""
    digests: dict[str, str] = {}

    def read(path: str) -> NDArray[np.uint8]:
        digests[path] = file_digest(path)  # first: where the file is overwritten now, better no picture than another's
        return read_image(path)

    def unreadable(row: int, error: ISEError) -> None:
        if not skip:
            raise error

    paths = [entry["path"] for entry in entries]
    rows: list[int] = []
    parts: list[NDArray[np.float32]] = []
    for done, features in readable_features(extractor, progress(paths), unreadable, read):
        rows += done
        parts.append(features)
    if not rows:
        raise ISEError(f"none of {len(paths)} images can be read, the first is {shown(paths[0])}")
    return np.concatenate(parts), [{**entries[row], "digest": digests[paths[row]]} for row in rows]
