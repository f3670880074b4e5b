import importlib.util
import subprocess
import sys
import types

import pytest

from ppcls_ise.host import processor

CPU = "processor\t: 0\nvendor_id\t: {}\nflags\t\t: fpu sse2 {}\n\nprocessor\t: 1\nflags\t\t: none\n"


@pytest.fixture
def environ(monkeypatch):
    system = types.SimpleNamespace(environ={}, sched_getaffinity=lambda _: set(range(8)))
    monkeypatch.setattr(processor, "os", system)
    monkeypatch.setattr(processor, "_cores_of_container", lambda: None)
    return system.environ


@pytest.mark.parametrize("vendor, flag, switched", [
    ("AuthenticAMD", "avx2", True), ("HygonGenuine", "avx2", True), ("GenuineIntel", "avx2", False),
    ("AuthenticAMD", "avx", False)])
def test_the_blas_is_switched_where_it_helps(environ, monkeypatch, tmp_path, vendor, flag, switched):
    (tmp_path / "cpuinfo").write_text(CPU.format(vendor, flag))
    monkeypatch.setattr(processor, "open", lambda *_, **__: open(tmp_path / "cpuinfo"), raising=False)
    processor._has_avx2_and_is_not_intels.cache_clear()
    try:
        assert processor.faster_blas() is switched
    finally:
        processor._has_avx2_and_is_not_intels.cache_clear()
    assert environ == ({"MKL_DEBUG_CPU_TYPE": "5"} if switched else {})


def test_a_switch_that_is_set_is_left_alone(environ):
    environ["MKL_DEBUG_CPU_TYPE"] = "0"
    assert not processor.faster_blas()
    assert environ == {"MKL_DEBUG_CPU_TYPE": "0"}


@pytest.mark.parametrize("asked, given, launched, expected", [
    (None, None, None, 8), (3, "2", None, 3), (None, "2", None, 2), (None, "1", None, 1), (None, "6,2", None, 6),
    (None, "1", "2", 4),  # the launcher has set it
    (None, "1", "16", 1), (None, "2", "2", 2), (1, "2", "2", 1), (None, "many", None, 8), (None, "0", None, 8)])
def test_threads_are_those_asked_for_or_the_cores(environ, monkeypatch, asked, given, launched, expected):
    monkeypatch.setattr(processor, "_GIVEN", given)
    variables = {"OMP_NUM_THREADS": given, "PADDLE_LOCAL_SIZE": launched}
    environ.update({name: value for name, value in variables.items() if value})
    assert processor.use_threads(asked) == expected
    assert environ["OMP_NUM_THREADS"] == str(expected)


@pytest.mark.parametrize("limit, expected", [
    ("max 100000", 8), ("200000 100000", 2), ("50000 100000", 1), ("250000 100000", 3), ("1600000 100000", 8), ("", 8)])
def test_threads_of_a_container_are_those_it_has_time_for(monkeypatch, tmp_path, limit, expected):
    (tmp_path / "cpu.max").write_text(limit)
    monkeypatch.setattr(processor, "os", types.SimpleNamespace(environ={}, sched_getaffinity=lambda _: set(range(8))))
    monkeypatch.setattr(processor, "open", lambda *_, **__: open(tmp_path / "cpu.max"), raising=False)
    assert processor.num_cores() == expected


@pytest.mark.parametrize("given, expected", [("3", "3"), ("1", None), (None, None)])
def test_what_was_given_counts_though_paddle_came_first(monkeypatch, given, expected):
    # Paddle has set it to 1 where it was not set.
    monkeypatch.setenv("OMP_NUM_THREADS", given or "1")
    monkeypatch.setitem(sys.modules, "paddle", types.ModuleType("paddle"))
    spec = importlib.util.find_spec(processor.__name__)
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    assert again._GIVEN == expected


def test_paddle_and_onednn_compute_in_so_many_threads():
    """Each has an OpenMP of its own; Paddle's import sets the variable to 1."""
    program = """
import ctypes, pathlib
from ppcls_ise import onednn
from ppcls_ise.host import processor
import paddle
threads = processor.use_threads(3)
onednn.use_threads(threads)
blas = pathlib.Path(paddle.__file__).parent / "libs/libiomp5.so"
runtimes = [onednn.library.library(), ctypes.CDLL(str(blas)) if blas.exists() else None]
print({runtime.omp_get_max_threads() for runtime in runtimes if runtime is not None} - {threads})
"""
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert out.strip() == "set()"


def test_memory_of_a_step_is_kept_for_the_next():
    program = """
import resource, sys
from ppcls_ise.host import processor
import numpy as np
if not processor.keep_memory():
    sys.exit("no glibc")
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        np.ones(2 ** 24, np.float32)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
assert faults() < 1000, faults()  # 16,384 pages an array
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    if done.stderr.strip() == "no glibc":
        pytest.skip("not on glibc")
    assert done.returncode == 0, done.stderr


def test_memory_is_kept_by_an_old_glibc_too(monkeypatch):
    asked = []

    def mallopt(parameter, value):
        asked.append((parameter, value))
        return int(parameter != processor._MMAP_THRESHOLD or value <= 2 ** 25)

    monkeypatch.setattr(processor.platform, "libc_ver", lambda: ("glibc", "2.31"))
    monkeypatch.setattr(processor.ctypes, "CDLL", lambda _: types.SimpleNamespace(mallopt=mallopt))
    assert processor.keep_memory()
    assert (processor._MMAP_MAX, 0) in asked and (processor._TRIM_THRESHOLD, 2 ** 31 - 1) in asked
