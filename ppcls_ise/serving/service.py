"""What the service does, without HTTP: decode an upload, search, append, remove. Called from worker threads."""
from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import math
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..config.deployment import ServingSettings
from ..errors import ISEError
from ..files import replacing
from ..gallery import Gallery
from ..gallery.entries import Entry, number_or_name
from ..gallery.files import current_generation, locked
from ..gallery.gallery import Camera
from ..images.reading import file_digest, read_image, shown
from ..inference import FeatureExtractor
from .uploads import RefusedError, decode

__all__ = ["SearchService"]

THUMBNAIL = (192, 384)
UPLOADS = "uploads"
logger = logging.getLogger("uvicorn.error")


class SearchService:
    """A gallery on disk and its model.

    Args:
        extractor: the model that the gallery was built with.
        index_dir: folder of the gallery. What another program writes there is taken up within a second.
        limits: of an upload.

    Raises:
        ISEError: if there is no gallery, or it is of another model.
    """

    def __init__(self, extractor: FeatureExtractor, index_dir: str, limits: ServingSettings):
        self.extractor, self.index_dir, self.limits = extractor, os.path.abspath(index_dir), limits
        self.gallery = self._opened()
        self._looked, self._refreshing = time.monotonic(), threading.Lock()

    def search(self, data: bytes, k: int, threshold: float, cameras: str | None = None,
               not_cameras: str | None = None) -> dict[str, Any]:
        """The most similar images of an uploaded one.

        Args:
            data: the file.
            k: matches, at most.
            threshold: least cosine.
            cameras, not_cameras: names between commas, or one name that may hold commas; None: no such condition.

        Raises:
            RefusedError: if the upload is no image within the limits.
        """
        feature = self._feature(decode(data, self.limits.max_megapixels))
        gallery = self._current()
        chosen = None if cameras is None else _named(cameras, gallery.cameras)
        left_out = _named(not_cameras or "", gallery.cameras)
        matches = gallery.search(feature, k, chosen, left_out, threshold)[0]
        return {"matches": [{**self._shown(match.entry), "similarity": round(match.similarity, 6)}
                            for match in matches]}

    def append(self, data: bytes, pid: int | None, camid: str | None) -> dict[str, Any]:
        """Keep an uploaded image in the gallery, camera as text; the same pixels again replace it.

        Raises:
            RefusedError: if the upload is no image within the limits.
        """
        pixels = decode(data, self.limits.max_megapixels)
        feature, file = self._feature(pixels), io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        # Named by its own pixels and written from these: nothing of the client's file or its name reaches the disk.
        name = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()[:32] + ".png"
        path = os.path.join(self.index_dir, UPLOADS, name)
        camera = number_or_name(camid.strip()) if camid and camid.strip() else None
        entry = {"path": path, **{key: value for key, value in (("pid", pid), ("camid", camera)) if value is not None}}
        with self._exclusive() as gallery, self._kept(gallery, path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with replacing(path) as new, open(new, "wb") as target:
                target.write(file.getvalue())
            ids = gallery.append(feature, [{**entry, "digest": file_digest(path)}])
        return {"id": ids[0], "images": len(gallery)}

    def remove(self, number: int) -> dict[str, Any]:
        """Take an image out; an uploaded one is deleted from the disk.

        Raises:
            RefusedError: if there is no such image.
        """
        with self._exclusive() as gallery:
            if number not in gallery.entries:
                raise RefusedError(404, f"the gallery has no image {number}")
            with self._kept(gallery, gallery.image_path(number)):
                gallery.remove([number])
        return {"removed": number, "images": len(gallery)}

    def page(self, start: int, count: int, camera: str | None) -> dict[str, Any]:
        """A part of the gallery, in the order it was built; camera as text, None for all."""
        gallery = self._current()
        entries = [entry for entry in list(gallery.entries.values())
                   if camera is None or entry.get("camid") is not None and _text(entry["camid"]) == camera]
        return {"images": len(entries), "start": start,
                "entries": [self._shown(entry) for entry in entries[start:start + count]]}

    def picture(self, number: int) -> bytes:
        """A gallery image as a JPEG file of at most :data:`THUMBNAIL` pixels.

        Raises:
            RefusedError: if there is no such image, or its file is gone.
        """
        gallery, buffer = self._current(), io.BytesIO()
        try:
            image = Image.fromarray(read_image(gallery.image_path(number)))
            gallery.checked_image_path(number)  # after it was read: whenever it is overwritten, it is noticed
        except KeyError:
            raise RefusedError(404, f"the gallery has no image {number}") from None
        except ISEError as error:
            logger.warning("gallery image %d: %s", number, error)
            raise RefusedError(404, f"the file of image {number} cannot be read, or is not the one that was added"
                               ) from None
        image.thumbnail(THUMBNAIL)
        image.save(buffer, "JPEG", quality=85)
        return buffer.getvalue()

    def health(self) -> dict[str, Any]:
        """What is served."""
        gallery = self._current()
        return {"status": "ok", "images": len(gallery), "cameras": [_text(camid) for camid in gallery.cameras],
                "index": gallery.kind, "dimension": gallery.dimension, "model": self.extractor.model,
                "max_upload_mb": self.limits.max_upload_mb}

    def _feature(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            return self.extractor([pixels])
        except ISEError as error:
            logger.warning("an upload of %d x %d pixels: %s", pixels.shape[1], pixels.shape[0], error)
            raise RefusedError(422, "the model gives this image no feature that can be compared") from None

    def _shown(self, entry: Entry) -> dict[str, Any]:
        """An entry for clients: not where its file lies."""
        known = {key: _presentable(value) for key, value in entry.items() if key not in ("path", "digest")}
        return {**known, "name": shown(os.path.basename(entry["path"])), "picture": f"gallery/{entry['id']}/picture"}

    def _opened(self) -> Gallery:
        gallery = Gallery.open(self.index_dir)
        gallery.check_model(self.extractor)
        return gallery

    def _current(self) -> Gallery:
        """The gallery as it is on disk, looked at once a second."""
        if time.monotonic() - self._looked > 1 and self._refreshing.acquire(blocking=False):
            try:
                self._looked = time.monotonic()
                if current_generation(self.index_dir) != self.gallery.generation:
                    self.gallery = self._opened()
                    logger.info("%s: now %d images", self.index_dir, len(self.gallery))
            except (ISEError, OSError) as error:
                logger.warning("the gallery on disk cannot be served, the old one still is: %s", error)
            finally:
                self._refreshing.release()
        return self.gallery

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[Gallery]:
        """The newest gallery, while nobody else may change it."""
        try:
            with self._refreshing, locked(self.index_dir, self.limits.answer_seconds / 2):
                if current_generation(self.index_dir) != self.gallery.generation:
                    self.gallery = self._opened()
                yield self.gallery
        except (ISEError, OSError) as error:
            logger.error("the gallery in %s cannot be changed: %s", shown(self.index_dir), error)
            raise RefusedError(503, "the gallery cannot be changed now, and is as it was; the server's log says why"
                               ) from error

    @contextlib.contextmanager
    def _kept(self, gallery: Gallery, path: str) -> Iterator[None]:
        """Keep the changes of the block on disk, or none of them; then the upload ``path`` is there if it is known."""
        try:
            yield
            gallery.save(self.index_dir)
        except Exception:
            gallery.generation = -1  # what it holds now was never kept: opened again here, or by the next request
            self.gallery = self._opened()
            self._tidy(path)
            raise
        self._tidy(path)

    def _tidy(self, path: str) -> None:
        uploaded = os.path.dirname(path) == os.path.join(self.index_dir, UPLOADS)
        if uploaded and not self.gallery.ids_of([path]):
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)


def _text(camid: Camera) -> str:
    """A camera as clients name it."""
    return shown(str(camid))


def _named(text: str, cameras: list[Camera]) -> list[Camera]:
    """Those of the cameras that a field of a form names."""
    names = {text.strip()} | {part.strip() for part in text.split(",")}
    return [camid for camid in cameras if _text(camid).strip() in names]


def _presentable(value: Any) -> Any:
    """What a list of the user's says of an image, as JSON that any client can read."""
    if isinstance(value, dict):
        return {shown(key): _presentable(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_presentable(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return shown(value) if isinstance(value, str) else value
