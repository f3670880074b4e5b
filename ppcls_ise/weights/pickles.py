"""Pickles of tensors, read without running anything.

``pickle`` calls whatever function a file names. Here the names that files of Paddle and PyTorch need are stood in for
by the few inert functions and classes below, and any other name ends the reading: a pickle can then do no more than
make dicts, lists, numbers and arrays.
"""
from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np

from ..errors import ISEError

__all__ = ["TORCH_DTYPES", "Storage", "load_pickle"]

#: names of torch's storages -> dtypes; bfloat16, which numpy lacks, as its bits
TORCH_DTYPES = {"FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2", "BFloat16Storage": "V2",
                "LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1",
                "ByteStorage": "u1", "BoolStorage": "?"}
_NUMBERS = set("biufc?") | {"b1", *(kind + size for kind in "iufc" for size in ("1", "2", "4", "8", "16"))}


class Storage:
    """The numbers that tensors of a torch file are views of. ``data``: array [N], filled in when they are read."""

    def __init__(self, dtype: np.dtype, count: int):
        self.dtype, self.count, self.data = dtype, count, None


class TensorView:
    """A tensor of a torch file: shape and strides on a :class:`Storage` that may not have been read yet."""

    def __init__(self, storage, offset, shape, strides):
        if not isinstance(storage, Storage) or len(shape) != len(strides):
            raise pickle.UnpicklingError("a tensor without storage")
        # torch itself reads beyond the storage where these lie
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides))
        if min((offset, *shape, *strides)) < 0 or (0 not in shape and last >= storage.count):
            raise pickle.UnpicklingError(f"a tensor of shape {shape} lies outside its storage of {storage.count}")
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self) -> np.ndarray:
        if 0 in self.shape:
            return np.empty(self.shape, self.storage.dtype)
        data = self.storage.data[self.offset:]
        steps = [stride * data.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(data, self.shape, steps).copy()


def _rebuild_tensor(storage, offset, shape, strides, *_):
    return TensorView(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(tensor, *_):
    return tensor


class _Dict(dict):
    """OrderedDict; torch hangs version numbers on it, which nothing here needs."""

    def __setstate__(self, _):
        pass


class _DType:
    def __init__(self, text, *_):
        if text not in _NUMBERS:
            raise pickle.UnpicklingError(f"numbers of type {text!r}")
        self.text, self.order = text, "="

    def __setstate__(self, state):
        self.order = state[1] if state[1] in "<>=" else "="

    @property
    def dtype(self):
        return np.dtype(self.text).newbyteorder(self.order)


class _Array:
    """numpy.ndarray as pickle makes it: empty first, then its state."""

    value = None

    def __setstate__(self, state):
        _, shape, dtype, column_major, data = state
        data = data.encode("latin1") if isinstance(data, str) else data
        self.value = np.frombuffer(data, dtype.dtype).reshape(shape, order="F" if column_major else "C").copy()


def _reconstruct(*_):
    return _Array()


def _scalar(dtype, data):
    data = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(data, dtype.dtype)[0]


def _encode(text, *_):
    return text.encode("latin1")


def _tuple(items=()):
    return tuple(items)


_KNOWN = {("collections", "OrderedDict"): _Dict, ("builtins", "tuple"): _tuple, ("__builtin__", "tuple"): _tuple,
          ("_codecs", "encode"): _encode, ("numpy", "dtype"): _DType, ("numpy", "ndarray"): _Array,
          **{(f"numpy.{core}.multiarray", name): function for core in ("core", "_core")
             for name, function in (("_reconstruct", _reconstruct), ("scalar", _scalar))},
          ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
          ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
          ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
          **{("torch", name): np.dtype(kind) for name, kind in TORCH_DTYPES.items()}}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file, persistent_load):
        super().__init__(file, encoding="latin1")
        if persistent_load is not None:
            self.persistent_load = persistent_load

    def find_class(self, module, name):
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise ISEError(f"it names {module}.{name}, which is no part of a file of weights: nothing in it was run. "
                           "If you trust the file, read it with the program that wrote it and save the plain state "
                           "dict") from None


def load_pickle(file, persistent_load: Callable | None = None):
    """Read one pickle from a binary file.

    Args:
        file: open for reading.
        persistent_load: what turns a persistent id (a tuple) into an object; torch's storages are such.

    Returns:
        Dicts, lists, tuples, numbers, strings, arrays, and :class:`TensorView` for torch's tensors.

    Raises:
        ISEError: if the pickle names a function or class that weights do not need.
        Exception: whatever a damaged pickle comes upon.
    """
    return _plain(_Unpickler(file, persistent_load).load())


def _plain(value):
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    return value
