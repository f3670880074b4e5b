"""Products of rows with rows."""
from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from .library import call, library

__all__ = ["products"]


def products(a: NDArray[np.float32], b: NDArray[np.float32], out: NDArray[np.float32] | None = None,
             ) -> NDArray[np.float32]:
    """``a @ b.T``, by numpy where there is no oneDNN.

    Args:
        a: ``[M, D]`` float32. b: ``[N, D]`` float32; of both, the numbers of a row lie side by side.
        out: ``[M, N]`` float32 to write to, of the same kind; default: a new one.

    Returns:
        ``out``.

    Raises:
        ValueError: for another dtype, or shapes that do not fit.
    """
    out = np.empty((len(a), len(b)), np.float32) if out is None else out
    if any(x.dtype != np.float32 for x in (a, b, out)) or a.shape[1] != b.shape[1] or out.shape != (len(a), len(b)):
        raise ValueError("products of float32 rows of one length, got "
                         + ", ".join(f"{x.dtype} {list(x.shape)}" for x in (a, b, out)))
    if library() is None or 0 in (*a.shape, len(b)) or not all(map(_rows, (a, b, out))):
        return np.matmul(a, b.T, out=out)
    size, one, zero = ctypes.c_int64, ctypes.c_float(1), ctypes.c_float(0)
    call("dnnl_sgemm", ctypes.c_char(b"N"), ctypes.c_char(b"T"), size(len(a)), size(len(b)), size(a.shape[1]), one,
         *_place(a), *_place(b), zero, *_place(out))
    return out


def _rows(x: NDArray[np.float32]) -> bool:
    """Whether its rows are contiguous and follow each other in memory."""
    return x.strides[1] == x.itemsize and x.strides[0] >= x.shape[1] * x.itemsize and x.strides[0] % x.itemsize == 0


def _place(x: NDArray[np.float32]) -> tuple[ctypes.c_void_p, ctypes.c_int64]:
    return ctypes.c_void_p(x.ctypes.data), ctypes.c_int64(x.strides[0] // x.itemsize)
