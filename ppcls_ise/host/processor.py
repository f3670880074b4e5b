"""The processor that Paddle trains on where there is no GPU: what it leaves unused by default.

All of it has to be set before Paddle computes anything, which its import does not do.
"""
from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys

__all__ = ["faster_blas", "keep_memory", "num_cores", "use_threads"]

# Importing Paddle sets it to 1 where it is not set, and so does the launcher for the processes it starts.
_GIVEN = os.environ.get("OMP_NUM_THREADS")
if _GIVEN == "1" and "paddle" in sys.modules:
    _GIVEN = None
_BLAS_SWITCH = "MKL_DEBUG_CPU_TYPE"
# mallopt(3)
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _KEPT = -1, -3, -4, 2 ** 31 - 1


def faster_blas() -> bool:
    """Let the BLAS in Paddle's wheel, MKL of 2019, use AVX2 on processors that have it and are not Intel's.

    By itself it takes SSE there, its oldest path: a quarter of the speed. ``MKL_DEBUG_CPU_TYPE`` in the environment is
    its own switch, which is left alone where it is set (to 0: MKL's own choice).

    Returns:
        Whether the switch is set to AVX2 now.
    """
    if _BLAS_SWITCH not in os.environ and _has_avx2_and_is_not_intels():
        os.environ[_BLAS_SWITCH] = "5"
    return os.environ.get(_BLAS_SWITCH) == "5"


@functools.cache
def _has_avx2_and_is_not_intels() -> bool:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            first = file.read().partition("\n\n")[0]
    except OSError:
        return False
    values = {name.strip(): value.split() for name, _, value in (line.partition(":") for line in first.splitlines())}
    return "avx2" in values.get("flags", []) and values.get("vendor_id") != ["GenuineIntel"]


def num_cores() -> int:
    """Cores for this process: those it may run on, shared with the other processes of the training on this node.

    As many, in a container, as it is given the time of: threads beyond that wait for each other while they are stopped.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _cores_of_container() or cores) // int(os.environ.get("PADDLE_LOCAL_SIZE") or 1))


def _cores_of_container() -> int | None:
    """From ``cpu.max``, microseconds of all cores in so many of the clock (cgroup v2); None where there is no limit."""
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            time, period = map(int, file.read().split())
    except (OSError, ValueError):  # "max" is no limit
        return None
    return -(-time // period)


def use_threads(threads: int | None) -> int:
    """Set ``OMP_NUM_THREADS``, which Paddle's import leaves at 1; its BLAS reads it at the first product.

    Args:
        threads: None for what the variable said before Paddle was imported, or else :func:`num_cores`. A launcher sets
            it to 1 for its processes, so there, and where Paddle was imported before this module, a 1 says nothing.

    Returns:
        How many they are.
    """
    given = _GIVEN
    if "PADDLE_LOCAL_SIZE" in os.environ:
        given = os.environ.get("OMP_NUM_THREADS")
        given = None if given == "1" else given
    first = (given or "").partition(",")[0]
    threads = threads or (int(first) if first.isdecimal() else 0) or num_cores()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    return threads


def keep_memory() -> bool:
    """Keep the memory of a step for the next one, instead of giving it back to the system and taking it again.

    Without it the system clears every page of every large tensor again in every step, which takes as long as the
    convolutions. The price is a higher peak. Of glibc only.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    # Older ones (2.31) refuse a threshold above 32 MiB, less than a map of ResNet-50: there nothing is mapped at all.
    kept = libc.mallopt(_MMAP_THRESHOLD, 2 ** 30) or libc.mallopt(_MMAP_MAX, 0)
    return bool(kept and libc.mallopt(_TRIM_THRESHOLD, _KEPT))
