"""Products of rows by the oneDNN library in Paddle's wheel, else by numpy; Paddle itself is not imported."""
from __future__ import annotations

import ctypes
import functools
import importlib.util
import pathlib

import numpy as np
from numpy.typing import NDArray

from ...threads import num_threads

__all__ = ["num_workers", "products", "use_one_thread"]


def products(a: NDArray[np.float32], b: NDArray[np.float32], out: NDArray[np.float32]) -> NDArray[np.float32]:
    """``a @ b.T`` into ``out``; all float32 and C-contiguous, ``[n, D]``, ``[m, D]`` and ``[n, m]``."""
    library = _library()
    if library is None:
        return np.matmul(a, b.T, out=out)
    failed = library.dnnl_sgemm(b"N", b"T", len(a), len(b), a.shape[1], 1.0, a.ctypes.data, max(1, a.shape[1]),
                                b.ctypes.data, max(1, b.shape[1]), 0.0, out.ctypes.data, max(1, out.shape[1]))
    return np.matmul(a, b.T, out=out) if failed else out


def num_workers() -> int:
    """Threads that shall multiply at a time: one where each product takes all threads by itself (numpy)."""
    return num_threads() if _library() else 1


def use_one_thread() -> None:
    """Let the products of the calling thread take no other one; for :func:`num_workers` threads."""
    library = _library()
    if library is not None:
        library.omp_set_num_threads(1)  # of this thread, not of the process


@functools.cache
def _library() -> ctypes.CDLL | None:
    paddle = importlib.util.find_spec("paddle")
    if paddle is None or paddle.origin is None:
        return None
    try:
        library = ctypes.CDLL(str(pathlib.Path(paddle.origin).parent / "libs" / "libdnnl.so.3"))
        size, pointer, number = ctypes.c_int64, ctypes.c_void_p, ctypes.c_float
        library.dnnl_sgemm.argtypes = [ctypes.c_char, ctypes.c_char, size, size, size, number, pointer, size, pointer,
                                       size, number, pointer, size]
        library.omp_set_num_threads.argtypes = [ctypes.c_int]
    except (OSError, AttributeError):
        return None
    return library
