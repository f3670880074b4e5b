"""What the clustering room accepts as features, and what it says when it does not."""
from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np


def is_paddle_tensor(x):
    # By module name, so that this room needs Paddle only where a tensor is really given.
    return type(x).__module__.split(".")[0] == "paddle" and hasattr(x, "numpy")


def as_features(x):
    """Features as a contiguous numpy float32 matrix on the host.

    Args:
        x: ``[N, D]`` numpy array (any float type) or paddle tensor. Row i is the feature of image i.

    Returns:
        ``[N, D]`` float32; the same memory where it already is that.

    Raises:
        ValueError: not a matrix, or a row with NaN or Inf (the message names the rows).
    """
    x = x.astype("float32").numpy() if is_paddle_tensor(x) else np.asarray(x)
    if x.ndim != 2:
        raise ValueError(f"features must be a matrix [images, dimensions], got shape {list(x.shape)}")
    if not (np.issubdtype(x.dtype, np.floating) or np.issubdtype(x.dtype, np.integer)):
        raise ValueError(f"features must be real numbers, got {x.dtype}")
    x = np.ascontiguousarray(x, dtype=np.float32)
    check_finite(x)
    return x


def check_finite(x):
    """Raises ValueError naming the first rows of ``x`` ``[N, D]`` that hold NaN or Inf (or overflow when squared)."""
    bad = not_finite(x)
    if len(bad):
        shown = ", ".join(str(row) for row in bad[:5]) + (", ..." if len(bad) > 5 else "")
        raise ValueError(
            f"{len(bad)} of {len(x)} feature rows hold NaN or Inf (rows {shown}): the network diverged or an image "
            "is damaged. Lower the learning rate or switch AMP off, restart from the last good checkpoint, or look "
            "at the images of these rows.")


def not_finite(x):
    """Indices of the rows of ``x`` ``[N, D]`` float32 that hold NaN or Inf (or overflow when squared)."""
    return np.flatnonzero(~np.isfinite(squared_norms(x)))


def squared_norms(x, block=4096):
    """``[N]`` float32 squared lengths of the rows of ``x`` ``[N, D]``, without a temporary of the size of ``x``."""
    norms = np.empty(len(x), np.float32)
    for start in range(0, len(x), block):
        part = x[start:start + block]
        np.einsum("nd,nd->n", part, part, out=norms[start:start + block])
    return norms


def num_threads():
    """Threads for the compiled parts: NUMBA_NUM_THREADS where set, else the cores this process may use."""
    if os.environ.get("NUMBA_NUM_THREADS"):
        return max(1, int(os.environ["NUMBA_NUM_THREADS"]))
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def over_rows(function, num_rows, *args, chunk=None):
    """Runs ``function(*args, start, stop)`` over slices of the rows in threads; results in row order.

    The functions are numba code that releases the GIL. Plain threads rather than numba's own parallel loops: those
    rest on OpenMP, and a data loader that forks after an OpenMP region is killed by libgomp.
    """
    threads = num_threads()
    if chunk is None:
        # Several chunks a thread, since rows differ in cost; not too small, since each chunk owns O(N) scratch.
        chunk = max(256, -(-num_rows // (threads * 8)))
    starts = list(range(0, num_rows, chunk))
    if len(starts) <= 1 or threads == 1:
        return [function(*args, start, min(start + chunk, num_rows)) for start in starts]
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(function, *args, start, min(start + chunk, num_rows)) for start in starts]
        return [job.result() for job in jobs]
