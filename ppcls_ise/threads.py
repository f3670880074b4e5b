"""Compiled functions over slices of the rows, in threads."""
from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["num_threads", "over_rows"]


def num_threads() -> int:
    """Threads for the compiled parts: NUMBA_NUM_THREADS where set, else the cores this process may use."""
    if os.environ.get("NUMBA_NUM_THREADS"):
        return max(1, int(os.environ["NUMBA_NUM_THREADS"]))
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def over_rows(function: Callable[..., Any], num_rows: int, *args: Any, chunk: int | None = None) -> list[Any]:
    """Run ``function(*args, start, stop)`` over slices of the rows in threads.

    The functions are numba code that releases the GIL. Plain threads rather than numba's own parallel loops: those
    rest on OpenMP, and a data loader that forks after an OpenMP region is killed by libgomp.

    Args:
        function: compiled with ``nogil``.
        num_rows: rows in all.
        args: what it takes before the slice.
        chunk: rows of a slice; default: several slices a thread.

    Returns:
        What it returned for each slice, in row order; empty where there is no row.
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
