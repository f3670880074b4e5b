"""PyTorch's .pth, .pt and .tar without PyTorch: the zip form of torch >= 1.6 and the one before it."""
from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from ..errors import ISEError
from .pickles import Storage, TensorView, load_pickle

__all__ = ["read_torch"]

_MAGIC = 0x1950a86a20f9469cfc6c  # first number of a file of torch < 1.6


def read_torch(path: str) -> Any:
    """Read a file that ``torch.save`` wrote.

    Returns:
        The saved object with arrays in place of tensors.

    Raises:
        ISEError: if it holds more than tensors, or is no such file.
        Exception: whatever a damaged file comes upon.
    """
    with open(path, "rb") as file:
        saved = _read_zip(file) if zipfile.is_zipfile(path) else _read_legacy(file)
    return _arrays(saved)


def _storages() -> tuple[Callable[[tuple], Storage], dict[str, Storage]]:
    """A ``persistent_load`` and the storages that it has been asked for: key -> Storage."""
    known: dict[str, Storage] = {}

    def load(identity: tuple) -> Storage:
        if identity[0] != "storage" or not isinstance(identity[1], np.dtype):
            raise pickle.UnpicklingError(f"a persistent id {identity[0]!r}")
        _, dtype, key, _, count, *view = identity
        if view and view[0] is not None:
            raise pickle.UnpicklingError("a view of a storage")  # torch < 0.4
        return known.setdefault(key, Storage(dtype, count))

    return load, known


def _read_zip(file: BinaryIO) -> Any:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        main = [name for name in names if name.endswith("/data.pkl")]
        if len(main) != 1:
            raise ISEError("it is a zip file, but not one of torch.save")
        folder = main[0][:-len("data.pkl")]
        if folder + "constants.pkl" in names:
            raise ISEError("it is a TorchScript program; save the state_dict() of the module instead")
        if folder + "byteorder" in names and archive.read(folder + "byteorder") != b"little":
            raise ISEError("it was written on a big-endian machine")
        load, known = _storages()
        saved = load_pickle(io.BytesIO(archive.read(main[0])), load)
        for key, storage in known.items():
            name = f"{folder}data/{key}"
            if archive.getinfo(name).file_size != storage.count * storage.dtype.itemsize:
                raise pickle.UnpicklingError(f"{name} has not the {storage.count} numbers that were announced")
            storage.data = np.frombuffer(archive.read(name), storage.dtype)
    return saved


def _read_legacy(file: BinaryIO) -> Any:
    if load_pickle(file) != _MAGIC:
        raise ISEError("it is no file of torch.save")
    load_pickle(file), load_pickle(file)  # version of the format, sizes of C's types
    load, known = _storages()
    saved = load_pickle(file, load)
    for key in load_pickle(file):
        storage = known[key]
        count = int(np.frombuffer(file.read(8), "<i8")[0])
        data = file.read(storage.count * storage.dtype.itemsize)
        if count != storage.count or len(data) != count * storage.dtype.itemsize:
            raise EOFError(f"storage {key} is cut short")
        storage.data = np.frombuffer(data, storage.dtype)
    return saved


def _arrays(value: Any) -> Any:
    if isinstance(value, TensorView):
        return value.array()
    if isinstance(value, dict):
        return {key: _arrays(item) for key, item in value.items()}
    return value
