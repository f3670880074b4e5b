"""A gallery on disk: ``gallery.json``, which names an index and the entries that belong to it.

Every write makes new files and replaces ``gallery.json`` last, so that at any moment it names a whole gallery.
"""
from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any

import faiss

from ..errors import ISEError
from ..files import replacing
from .entries import Entry

__all__ = ["current_generation", "locked", "make_folder", "next_id", "read_gallery", "write_gallery"]

DESCRIPTION = "gallery.json"
#: 1 had ids from 0; programs of its time cannot search others.
FORMATS = 1, 2
_GENERATION_FILE = re.compile(r"(index-\d+\.faiss|entries-\d+\.jsonl|gallery\.json)(\.[0-9a-f]{8})?(\.new)?$")


def write_gallery(folder: str, description: dict[str, Any], index: faiss.Index, entries: Iterable[Entry]) -> int:
    """Write a gallery in place of what is in the folder; the caller holds :func:`locked` if others may write too.

    Returns:
        Its generation: microseconds since 1970, so that a folder which was emptied meanwhile does not go unnoticed.

    Raises:
        ISEError: if it cannot be written; what was there is as it was.
    """
    try:
        return _write_files(folder, description, index, entries)
    except (OSError, RuntimeError) as error:  # the second is faiss's, of a full disk for one
        raise ISEError(f"the gallery cannot be written to {folder} ({str(error).splitlines()[0]}); what was there is "
                       "as it was") from error


def _write_files(folder: str, description: dict[str, Any], index: faiss.Index, entries: Iterable[Entry]) -> int:
    make_folder(folder)
    # Also above what a killed writer left: its files must not be taken for ours.
    last = max([int(number) for name in os.listdir(folder) for number in re.findall(r"-(\d+)\.", name)], default=0)
    generation = max(last + 1, current_generation(folder) + 1, time.time_ns() // 1000)
    names = f"index-{generation}.faiss", f"entries-{generation}.jsonl"
    paths = [os.path.join(folder, name) for name in names]
    faiss.write_index(index, paths[0])
    with open(paths[1], "w", encoding="utf-8") as file:
        file.writelines(json.dumps(entry) + "\n" for entry in entries)
    for path in paths:
        _flush(path)
    whole = {"format": FORMATS[-1], "generation": generation, **description,
             "files": {name: os.path.getsize(path) for name, path in zip(names, paths)}}
    target = os.path.join(folder, DESCRIPTION)
    with replacing(target, durable=True) as new, open(new, "w", encoding="utf-8") as file:
        json.dump(whole, file, indent=1)
    for name in os.listdir(folder):
        if _GENERATION_FILE.match(name) and name not in (*names, DESCRIPTION):
            os.remove(os.path.join(folder, name))
    return generation


def read_gallery(folder: str) -> tuple[dict[str, Any], faiss.Index, list[Entry]]:
    """Returns: the description, the faiss index and the list of entries.

    Raises:
        ISEError: if there is no gallery, or a file of it is missing or damaged.
    """
    attempts = 3
    while True:
        attempts -= 1
        description = _description(folder)
        if description is None:
            raise ISEError(f"{folder} holds no gallery ({DESCRIPTION}); ise gallery builds one")
        try:
            return description, *_read_files(folder, description)
        except FileNotFoundError as error:  # a writer may have replaced it since
            if not attempts:
                raise ISEError(f"{folder}: {error.filename} is missing; build the gallery again") from error
            time.sleep(0.1)


def current_generation(folder: str) -> int:
    """Which writing of the gallery the folder holds; 0 for none. Costs the reading of a small file."""
    description = _description(folder)
    return 0 if description is None else description["generation"]


def next_id(folder: str) -> int:
    """The first id that the gallery in a folder has given to no image; 0 where there is none."""
    description = _description(folder)
    return 0 if description is None else description["next_id"]


def make_folder(folder: str) -> None:
    """Raises: ISEError: if the folder cannot be made or written to."""
    try:
        os.makedirs(folder, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "no permission to write there")
    except OSError as error:
        raise ISEError(f"{folder} cannot be the folder of a gallery: {error.strerror}") from error


@contextlib.contextmanager
def locked(folder: str, patience: float = 60.0) -> Iterator[None]:
    """Be the only writer; a killed one holds nothing.

    Raises:
        ISEError: if another writes for longer than ``patience`` seconds.
    """
    import fcntl

    make_folder(folder)
    with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as file:
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise ISEError(f"another process has been writing {folder} for {patience:g} seconds; wait for it "
                                   "or end it") from None
                time.sleep(0.05)
        yield


def _description(folder: str) -> dict[str, Any] | None:
    path = os.path.join(folder, DESCRIPTION)
    try:
        with open(path, encoding="utf-8") as file:
            description = json.load(file)
        if description["format"] not in FORMATS:
            raise ISEError(f"{path} has format {description['format']}, which is newer than this program")
        missing = {"generation", "kind", "dimension", "image_root", "model", "next_id", "files"} - set(description)
        if missing:
            raise KeyError(sorted(missing)[0])
        return description
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ISEError(f"{path} cannot be read: {error.strerror}") from error
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ISEError(f"{path} is damaged ({type(error).__name__}: {error}); build the gallery again with "
                       "index_operation: new in an empty folder") from error


def _read_files(folder: str, description: dict[str, Any]) -> tuple[faiss.Index, list[Entry]]:
    paths = [os.path.join(folder, name) for name in description["files"]]
    for path, size in zip(paths, description["files"].values()):
        if os.path.getsize(path) != size:
            raise ISEError(f"{path} has {os.path.getsize(path)} bytes instead of {size}; build the gallery again")
    try:
        with open(paths[1], encoding="utf-8") as lines:
            entries = [json.loads(line) for line in lines]
        return faiss.read_index(paths[0]), entries
    except (RuntimeError, json.JSONDecodeError) as error:
        if not all(map(os.path.isfile, paths)):
            raise FileNotFoundError(2, "gone", paths[0]) from error
        raise ISEError(f"{folder}: the gallery is damaged ({str(error).splitlines()[0]}); build it again") from error


def _flush(path: str) -> None:
    """To the disk itself: after a power cut gallery.json must not name files that the kernel still held."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
