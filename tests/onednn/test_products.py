import numpy as np
import pytest

from ppcls_ise import onednn
from ppcls_ise.onednn import library, matmul


def rows(count, dim, seed=0):
    return np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)


@pytest.mark.parametrize("m, n, dim", [(1, 1, 1), (5, 3, 7), (64, 130, 33), (3, 0, 4), (0, 3, 4), (2, 2, 0)])
def test_rows_are_multiplied_with_rows(m, n, dim):
    a, b = rows(m, dim), rows(n, dim, 1)
    np.testing.assert_allclose(onednn.products(a, b), a.astype(np.float64) @ b.T.astype(np.float64), atol=1e-5)


def test_parts_of_arrays_are_read_and_written_in_place():
    a, b, out = rows(9, 12), rows(8, 12, 1), np.zeros((10, 20), np.float32)
    result = onednn.products(a[2:6, :10], b[::2, 2:], out[1:5, 3:7])
    np.testing.assert_allclose(result, a[2:6, :10] @ b[::2, 2:].T, atol=1e-6)
    np.testing.assert_array_equal(out[1:5, 3:7], result)
    out[1:5, 3:7] = 0
    assert not out.any()


def test_rows_that_do_not_lie_side_by_side_are_multiplied_all_the_same():
    a, b = rows(10, 6).T, rows(7, 10, 1)[::-1]
    np.testing.assert_allclose(onednn.products(a, b), np.asarray(a) @ np.asarray(b).T, atol=1e-5)


def test_without_onednn_numpy_multiplies(monkeypatch):
    monkeypatch.setattr(matmul, "library", lambda: None)
    a, b = rows(5, 7), rows(4, 7, 1)
    np.testing.assert_array_equal(onednn.products(a, b), a @ b.T)


@pytest.mark.parametrize("a, b, out", [
    (rows(2, 3).astype(np.float64), rows(2, 3), None), (rows(2, 3), rows(2, 4), None),
    (rows(2, 3), rows(2, 3), np.empty((2, 3), np.float32)), (rows(2, 3), rows(2, 3), np.empty((2, 2)))])
def test_what_does_not_fit_is_refused(a, b, out):
    with pytest.raises(ValueError, match="float32 rows of one length"):
        onednn.products(a, b, out)


def test_a_library_of_another_generation_is_not_used(monkeypatch):
    if onednn.version() is None:
        pytest.skip("no oneDNN in this Paddle")
    monkeypatch.setattr(library, "MAJOR", 2)
    spec = library.importlib.util.find_spec("paddle")
    assert library._load(f"{spec.submodule_search_locations[0]}/libs/{library._NAMES[0]}") is None
    assert library._load("/no/such/file.so") is None


def test_a_failure_says_what_failed():
    if onednn.version() is None:
        pytest.skip("no oneDNN in this Paddle")
    with pytest.raises(library.OneDNNError, match="dnnl_memory_desc_create_with_tag: status"):
        library.new("memory_desc", "dnnl_memory_desc_create_with_tag", -1, None, 3, 1)
