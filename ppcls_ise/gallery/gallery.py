from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ISEError
from ..images.reading import file_digest, shown
from ..inference.extractor import FeatureExtractor
from .entries import Entry, check_entries
from .files import read_gallery, write_gallery
from .index import KINDS, new_index, search_parameters

__all__ = ["Camera", "Gallery", "Match"]

#: HNSW cannot forget: removed images stay in its graph, unseen, until they are this part of it.
MOST_REMOVED = 1 / 3


#: A number or a name.
Camera = int | str


class Match(NamedTuple):
    """A gallery image that was found."""

    id: int  #: never given to another image, not even by a gallery that takes this one's place
    similarity: float  #: cosine, in -1 .. 1
    entry: Entry  #: ``path`` and whatever else is known: ``pid``, ``camid``, ...


class Gallery:
    """Features of images and what is known of them, to be searched; may be used from several threads at once.

    An image is known by its file: appending one that is there already replaces it, whichever way its path is written.

    Args:
        features: float32 [N, D], unit rows.
        entries: what is known of each, with ``path`` at least; ``camid`` is a number or a text; anything else that JSON
            can hold. Where ``digest`` (:func:`~ppcls_ise.images.reading.file_digest`) is among it, the picture of the
            image is only ever made of that very file.
        kind: one of :data:`~.index.KINDS`.
        image_root: folder to which paths are relative, and below which they are kept so.
        model: which model the features are of (``FeatureExtractor.model``); None if unknown.
        first_id: ids begin here or above; :func:`~.files.next_id` of a gallery whose place it is to take.

    Attributes:
        entries: id -> entry, in the order they came.

    Raises:
        ISEError: for an unknown kind, or rows and entries that do not fit.
    """

    def __init__(self, features: NDArray[np.float32], entries: Sequence[Entry], kind: str = "Flat",
                 image_root: str = "", model: str | None = None, first_id: int = 0):
        if kind not in KINDS:
            raise ISEError(f"a gallery's index is {', '.join(KINDS)}, not {kind!r}")
        features = np.ascontiguousarray(features, np.float32)
        if features.ndim != 2 or not len(features):
            raise ISEError(f"a gallery is built of features [N, D] with N at least 1, not {list(features.shape)}")
        self.kind, self.image_root, self.model = kind, os.path.abspath(image_root) if image_root else "", model
        self.dimension = features.shape[1]
        self.entries: dict[int, Entry] = {}
        self.generation = 0  # of the files it was read from or written to
        self._next_id = first_id
        self._ids: dict[str, int] = {}  # of paths
        self._cameras: dict[Camera | None, NDArray[np.int64]] | None = None
        self._lock = threading.RLock()
        self._index = new_index(kind, features)
        self.append(features, entries)

    def __len__(self) -> int:
        return len(self.entries)

    def append(self, features: NDArray[np.float32], entries: Sequence[Entry]) -> list[int]:
        """Add images; one whose path is in the gallery replaces it, of a path given twice the last counts.

        A file that is unchanged since (``digest``) is the same image: it keeps its id, and only what is known of it is
        replaced.

        Returns:
            Ids of what was added or replaced, in order.

        Raises:
            ISEError: for rows and entries that do not fit.
        """
        features = np.ascontiguousarray(features, np.float32)
        if features.shape != (len(entries), self.dimension) or not np.isfinite(features).all():
            raise ISEError(f"{len(entries)} entries need finite features [{len(entries)}, {self.dimension}], not "
                           f"{list(features.shape)}")
        check_entries(entries)
        last = {self._kept_path(entry["path"]): row for row, entry in enumerate(entries)}
        last = dict(sorted(last.items(), key=lambda item: item[1]))
        with self._lock:
            same = {path: self._ids[path] for path, row in last.items() if self._is_same(path, entries[row])}
            new = [path for path in last if path not in same]
            self.remove(self.ids_of(new))
            # Microseconds since 1970, or one more than the last: so no gallery in the place of an older one, nor one
            # that was restored from a backup, gives an id again that a client may still hold.
            first = max(self._next_id, time.time_ns() // 1000)
            numbers = {**same, **{path: first + count for count, path in enumerate(new)}}
            if new:
                self._index.add_with_ids(features[[last[path] for path in new]],
                                         np.array([numbers[path] for path in new], np.int64))
                self._next_id = first + len(new)
            for path, row in last.items():
                self.entries[numbers[path]] = {**entries[row], "path": path, "id": numbers[path]}
                self._ids[path] = numbers[path]
            self._cameras = None
        return [numbers[path] for path in last]

    def _is_same(self, path: str, entry: Entry) -> bool:
        known = self._ids.get(path)
        return known is not None and entry.get("digest") is not None \
            and self.entries[known].get("digest") == entry["digest"]

    def remove(self, ids: Collection[int]) -> int:
        """Take images out. Returns: how many there were; unknown ids are passed over."""
        with self._lock:
            known = [number for number in set(ids) if number in self.entries]
            if not known:
                return 0
            if self.kind != "HNSW32":
                self._index.remove_ids(np.array(known, np.int64))
            for number in known:
                path = self._kept_path(self.entries.pop(number)["path"])
                if self._ids.get(path) == number:
                    del self._ids[path]
            self._cameras = None
            if self.kind == "HNSW32" and len(self) < (1 - MOST_REMOVED) * self._index.ntotal:
                self._rebuild_graph()
        return len(known)

    def ids_of(self, paths: Collection[str]) -> list[int]:
        """Ids of the images of these paths (absolute, or below ``image_root``), without those that are not there."""
        kept = dict.fromkeys(map(self._kept_path, paths))
        return [self._ids[path] for path in kept if path in self._ids]

    @property
    def cameras(self) -> list[Camera]:
        """Cameras of the images, sorted; without None."""
        known = [camid for camid in self._by_camera() if camid is not None]
        return sorted(known, key=lambda camid: (isinstance(camid, str), camid))

    def search(self, features: NDArray[np.float32], k: int = 10, cameras: Collection[Camera] | None = None,
               not_cameras: Collection[Camera] = (), threshold: float = -1.0) -> list[list[Match]]:
        """The most similar images of each query.

        Args:
            features: float32 [Q, D], unit rows.
            k: matches a query, at most.
            cameras: only images of these; None: of all.
            not_cameras: no images of these, such as the query's own.
            threshold: only images at least as similar.

        Returns:
            For each query its matches, best first.
        """
        features = np.ascontiguousarray(features, np.float32)
        if features.ndim != 2 or features.shape[1] != self.dimension:
            raise ISEError(f"the gallery has features of {self.dimension} numbers, the query {list(features.shape)}; "
                           "use the model that the gallery was built with")
        with self._lock:
            allowed = self._allowed(cameras, set(not_cameras))
            k = min(k, len(self) if allowed is None else len(allowed))
            if k < 1:
                return [[] for _ in features]
            similarity, ids = self._index.search(features, k, params=search_parameters(self.kind, self._index, allowed))
            return [[Match(number, min(float(value), 1.0), self.entries[number])
                     for number, value in zip(row, values) if number >= 0 and value >= threshold]
                    for row, values in zip(ids.tolist(), similarity)]

    def save(self, folder: str) -> None:
        """Write it to a folder, in place of what is there; a reader, or a kill, sees the old or the new, whole."""
        with self._lock:
            self.generation = write_gallery(folder, {
                "kind": self.kind, "dimension": self.dimension, "image_root": self.image_root, "model": self.model,
                "next_id": self._next_id}, self._index, self.entries.values())

    @classmethod
    def open(cls, folder: str) -> Gallery:
        """Read what :meth:`save` wrote.

        Raises:
            ISEError: if there is no gallery or it is damaged.
        """
        description, index, entries = read_gallery(folder)
        gallery = cls.__new__(cls)
        gallery.kind, gallery.dimension = description["kind"], description["dimension"]
        gallery.image_root, gallery.model = description["image_root"], description["model"]
        if gallery.image_root:
            gallery.image_root = os.path.normpath(gallery.image_root)
        gallery.generation, gallery._next_id = description["generation"], description["next_id"]
        try:
            check_entries(entries)
            gallery.entries = {entry["id"]: entry for entry in entries}
        except (ISEError, KeyError, TypeError, AttributeError) as error:
            raise ISEError(f"{folder}: an entry of the gallery is of no use ({error}); build it again") from error
        gallery._ids = {gallery._kept_path(entry["path"]): entry["id"] for entry in entries}
        gallery._index, gallery._cameras, gallery._lock = index, None, threading.RLock()
        if gallery.kind != "HNSW32" and index.ntotal != len(entries):
            raise ISEError(f"{folder}: the index has {index.ntotal} images and the entries {len(entries)}; build it "
                           "again")
        return gallery

    def check_model(self, extractor: FeatureExtractor) -> None:
        """Raises: ISEError: if the features of the gallery are of another model than the extractor's."""
        if self.dimension != extractor.dimension or None not in (self.model, extractor.model) \
                and self.model != extractor.model:
            raise ISEError("the gallery was built with another model than the one that is to search it; build it again "
                           f"(index_operation: new): {self.model} against {extractor.model}")

    def image_path(self, number: int) -> str:
        """File of an image. Raises: KeyError: if there is no such id."""
        return os.path.join(self.image_root, self.entries[number]["path"])

    def checked_image_path(self, number: int) -> str:
        """File of an image that still is what it was when the image was added.

        Raises:
            KeyError: if there is no such id.
            ISEError: if the file is gone or has been overwritten since.
        """
        path, digest = self.image_path(number), self.entries[number].get("digest")
        if digest and file_digest(path) != digest:
            raise ISEError(f"{shown(path)} is no longer the file that was added to the gallery; append it again")
        return path

    def _kept_path(self, path: str) -> str:
        """One spelling of a path for each file: below ``image_root`` relative to it."""
        whole = os.path.normpath(os.path.join(self.image_root, path))
        below = os.path.join(self.image_root, "")
        return whole[len(below):] if self.image_root and whole.startswith(below) else whole

    def _by_camera(self) -> dict[Camera | None, NDArray[np.int64]]:
        """camid -> ids."""
        with self._lock:
            if self._cameras is None:
                cameras: dict[Camera | None, list[int]] = {}
                for number, entry in self.entries.items():
                    cameras.setdefault(entry.get("camid"), []).append(number)
                self._cameras = {camid: np.array(ids, np.int64) for camid, ids in cameras.items()}
            return self._cameras

    def _allowed(self, cameras: Collection[Camera] | None, not_cameras: Collection[Camera]
                 ) -> NDArray[np.int64] | None:
        """int64 [n], ids that may be found; None for all."""
        if cameras is None and not not_cameras and self._index.ntotal == len(self):
            return None
        return np.concatenate([np.zeros(0, np.int64), *(
            ids for camid, ids in self._by_camera().items()
            if (cameras is None or camid in cameras) and camid not in not_cameras)])

    def _rebuild_graph(self) -> None:
        ids = np.array(list(self.entries), np.int64)
        features = np.array([self._index.reconstruct(int(number)) for number in ids], np.float32)
        self._index = new_index(self.kind, features.reshape(-1, self.dimension))
        self._index.add_with_ids(features.reshape(-1, self.dimension), ids)
