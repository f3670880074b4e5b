"""Decoded and resized crops, kept in memory or in a file: an epoch reads the training set twice."""
from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cv2
import numpy as np
import PIL

from ..errors import ISEError
from ..files import replacing
from .listing import ImageList
from .reading import Pixels, shown, threaded

__all__ = ["Crops", "make_crops"]

DEFAULT_FOLDER = os.path.join("~", ".cache", "ppcls_ise")
#: To be increased when the same images, recipe and size give other pixels, or another file, than before.
CACHE_FORMAT = 1
_GB = 1e9

Read = Callable[[str], Pixels]
Log = Callable[[str], None]
Progress = Callable[[Iterable[Any]], Iterable[Any]]


class Crops:
    """uint8 crops [N, H, W, 3] of one size, and the files that are no readable image.

    The pixels lie in shared pages: loader processes forked later read the same ones.

    Args:
        pixels: uint8 [N, H, W, 3].
        unreadable: row -> what is wrong with its file; the pixels of these rows mean nothing.
        in_memory: reading hardly ever waits for a disk.
    """

    def __init__(self, pixels: Pixels, unreadable: dict[int, str], in_memory: bool):
        pixels.flags.writeable = False  # a transform that works in place must not change what the next epoch reads
        self.pixels, self.unreadable, self.in_memory = pixels, unreadable, in_memory


def make_crops(image_list: ImageList, read: Read, recipe: str, size: tuple[int, int], cache: str, folder: str | None,
               log: Log, progress: Progress = iter) -> Crops:
    """Read every image once.

    Args:
        image_list: N images.
        read: path -> uint8 [H, W, 3] of ``size``; may raise ISEError.
        recipe: everything but the files that decides the pixels; part of the name of the file.
        size: (H, W).
        cache: ``ram`` or ``disk``.
        folder: of the file of ``disk``; default ``~/.cache/ppcls_ise``. It is kept and used again by all processes
            and later runs, until an image's size, date or permissions change, or Pillow, OpenCV or
            :data:`CACHE_FORMAT`.
        log: called with a line on the size before the work begins.
        progress: wraps the iteration over the images' results.

    Raises:
        ISEError: if the memory or the disk does not suffice.
    """
    shape = (len(image_list.names), *size, 3)
    need = int(np.prod(shape))
    if cache == "ram":
        free, processes = available_memory(), int(os.environ.get("PADDLE_LOCAL_SIZE", 1))
        if free is not None and need * processes > 0.9 * free:
            raise ISEError(f"cache: ram needs {need / _GB:.2f} GB for {shape[0]} crops in each of {processes} "
                           f"processes on this machine, but {free / _GB:.2f} GB of memory are free; set cache: disk "
                           "or none in the data set")
        log(f"cache: ram, {need / _GB:.2f} GB for {shape[0]} crops of {size[0]} x {size[1]} in each of {processes} "
            "processes")
        # Anonymous shared pages and not /dev/shm, which is 64 MB in many containers.
        pixels = np.frombuffer(mmap.mmap(-1, max(need, 1)), np.uint8, need).reshape(shape)
        unreadable = _fill(pixels, image_list, read, progress)
        return Crops(pixels, unreadable, in_memory=True)
    return _on_disk(image_list, read, recipe, shape, folder, log, progress)


def _fill(pixels: Pixels, image_list: ImageList, read: Read, progress: Progress) -> dict[int, str]:
    unreadable = {}
    paths = (image_list.path(row) for row in range(len(image_list.names)))
    for row, crop in enumerate(progress(threaded(read, paths))):
        if isinstance(crop, ISEError):
            unreadable[row] = str(crop)
        else:
            pixels[row] = crop
    return unreadable


def _on_disk(image_list: ImageList, read: Read, recipe: str, shape: tuple[int, ...], folder: str | None, log: Log,
             progress: Progress) -> Crops:
    folder = os.path.expanduser(folder or DEFAULT_FOLDER)
    need = int(np.prod(shape))
    try:
        os.makedirs(folder, exist_ok=True)
        stem = os.path.join(folder, f"crops_{_fingerprint(image_list, recipe, shape)}")
        with _locked(stem + ".lock"):  # the first process makes the file, the others wait for it
            if os.path.isfile(stem + ".json"):
                log(f"cache: disk, {need / _GB:.2f} GB in {stem}.bin, made by an earlier process")
            else:
                log(f"cache: disk, {need / _GB:.2f} GB for {shape[0]} crops of {shape[1]} x {shape[2]} in {stem}.bin")
                _write(stem, image_list, read, shape, progress)
        with open(stem + ".json", encoding="utf-8") as file:
            unreadable = {int(row): message for row, message in json.load(file)["unreadable"].items()}
        # The kernel keeps what has been read, where there is room for it.
        fits = need < 0.9 * (available_memory() or 0)
        return Crops(np.memmap(stem + ".bin", np.uint8, "r", shape=shape), unreadable, in_memory=fits)
    except OSError as error:
        raise ISEError(f"cache: disk in {folder} failed ({error}); {need / _GB:.2f} GB are needed there: set cache_dir "
                       "to another folder, or cache: none") from error


def _write(stem: str, image_list: ImageList, read: Read, shape: tuple[int, ...], progress: Progress) -> None:
    with replacing(stem + ".bin") as new:
        with open(new, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)))  # a full disk is an error now, not a crash later
        pixels = np.memmap(new, np.uint8, "r+", shape=shape)
        unreadable = _fill(pixels, image_list, read, progress)
        pixels.flush()
    # Last: it says that the other is whole.
    with replacing(stem + ".json") as new, open(new, "w", encoding="utf-8") as file:
        json.dump({"shape": shape, "unreadable": unreadable}, file)


def _fingerprint(image_list: ImageList, recipe: str, shape: tuple[int, ...]) -> str:
    # Another Pillow or OpenCV may decode or resize to other pixels.
    made_by = f"format {CACHE_FORMAT}, Pillow {PIL.__version__}, OpenCV {cv2.__version__}"
    content = f"{made_by}\n{os.path.realpath(image_list.root)}\n{recipe}\n{shape}"
    digest = hashlib.sha256(content.encode("utf-8", "backslashreplace"))
    for row, name in enumerate(image_list.names):
        try:
            status = os.stat(image_list.path(row))
            stamp = f"{status.st_size} {status.st_ctime_ns}"  # changes with content, name and permissions
        except OSError as error:
            stamp = str(error.errno)
        digest.update(f"{shown(name)}\n{stamp}\n".encode())
    return digest.hexdigest()[:20]


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    import fcntl  # not on Windows, where the other caches work

    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def available_memory() -> int | None:
    """Bytes that programs can still take, by the kernel and the container's limit; None where neither says."""
    found = []
    with contextlib.suppress(OSError, StopIteration):
        with open("/proc/meminfo") as lines:
            found.append(next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")))
    with contextlib.suppress(OSError, ValueError):
        with open("/sys/fs/cgroup/memory.max") as limit, open("/sys/fs/cgroup/memory.current") as used:
            found.append(int(limit.read()) - int(used.read()))
    return min(found) if found else None
