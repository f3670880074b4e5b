"""The library, its engine and its stream; objects of it, destroyed with their last owner."""
from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import platform
import weakref
from typing import Any

__all__ = ["Handle", "OneDNNError", "attributes", "call", "library", "new", "session", "use_threads", "version"]

#: The interface is the same in all of them.
MAJOR = 3
_NAMES = (f"libdnnl.so.{MAJOR}", f"libdnnl.{MAJOR}.dylib", "dnnl.dll", "mkldnn.dll")


class OneDNNError(RuntimeError):
    """oneDNN could not do what it was asked; the message has its status."""


class _Version(ctypes.Structure):
    _fields_ = [("major", ctypes.c_int), ("minor", ctypes.c_int), ("patch", ctypes.c_int)]


@functools.cache
def library() -> ctypes.CDLL | None:
    """oneDNN of the installed Paddle; None where there is none, or none for this processor. Imports no Paddle."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return None  # elsewhere its kernels are plain C++, slower than Paddle's own
    spec = importlib.util.find_spec("paddle")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for name in _NAMES:
            path = os.path.join(folder, "libs", name)
            if os.path.exists(path):
                return _load(path)
    return None


def _load(path: str) -> ctypes.CDLL | None:
    try:
        loaded = ctypes.CDLL(path)
        loaded.dnnl_version.restype = ctypes.POINTER(_Version)
        found = loaded.dnnl_version().contents.major == MAJOR
    except (OSError, AttributeError):
        return None
    loaded.dnnl_primitive_desc_query_md.restype = ctypes.c_void_p
    loaded.dnnl_memory_desc_get_size.restype = ctypes.c_size_t
    return loaded if found else None


def version() -> str | None:
    """``3.6.2``, or None where :func:`library` is."""
    loaded = library()
    if loaded is None:
        return None
    found = loaded.dnnl_version().contents
    return f"{found.major}.{found.minor}.{found.patch}"


def call(name: str, *arguments: Any) -> None:
    """Call a function that returns a status.

    Raises:
        OneDNNError: if that is no success.
    """
    status = getattr(library(), name)(*arguments)
    if status:
        raise OneDNNError(f"{name}: status {status}")


def use_threads(threads: int) -> None:
    """Let what the calling thread, and no other, asks of oneDNN run in so many threads.

    Its OpenMP is the system's, not the one of Paddle's BLAS, and reads ``OMP_NUM_THREADS`` when it is loaded.
    """
    loaded = library()
    if loaded is not None and hasattr(loaded, "omp_set_num_threads"):
        loaded.omp_set_num_threads(ctypes.c_int(threads))


class Handle:
    """Owns an object of the library.

    Args:
        kind: ``memory_desc``, ``primitive_desc``, ``primitive_attr``, ``primitive``, ``memory``, ``engine`` or
            ``stream``.
        pointer: to the object.
    """

    def __init__(self, kind: str, pointer: ctypes.c_void_p):
        self._as_parameter_ = pointer
        weakref.finalize(self, getattr(library(), f"dnnl_{kind}_destroy"), pointer).atexit = False


def new(kind: str, function: str, *arguments: Any) -> Handle:
    """What ``function`` creates and puts into its first argument.

    Raises:
        OneDNNError: see :func:`call`.
    """
    pointer = ctypes.c_void_p()
    call(function, ctypes.byref(pointer), *arguments)
    return Handle(kind, pointer)


@functools.cache
def session() -> tuple[Handle, Handle]:
    """The engine of the processor, and a stream that runs what it is given in order and at once."""
    engine = new("engine", "dnnl_engine_create", ctypes.c_int(1), ctypes.c_size_t(0))
    return engine, new("stream", "dnnl_stream_create", engine, ctypes.c_uint(1))


@functools.cache
def attributes() -> Handle:
    """What primitives are made with: they work in memory that is handed to them.

    The library's own belongs to a thread: a primitive crashes in any but the one that made it.
    """
    made = new("primitive_attr", "dnnl_primitive_attr_create")
    call("dnnl_primitive_attr_set_scratchpad_mode", made, ctypes.c_int(1))
    return made
