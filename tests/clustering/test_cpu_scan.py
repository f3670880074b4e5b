import numpy as np
import pytest

from ppcls_ise.clustering.search import cpu_scan
from ppcls_ise.clustering.search.cpu_scan import CPUScan, merged
from ppcls_ise.finite import squared_norms
from tests.clustering.twins import features


@pytest.fixture(params=[9, 40, 1024])
def scan(request, monkeypatch):
    monkeypatch.setattr(cpu_scan, "BLOCK", request.param)
    x = features(150, groups=8) * np.random.default_rng(0).uniform(0.5, 3, (150, 1)).astype(np.float32)
    return CPUScan(x, squared_norms(x)), ((x[:, None].astype(np.float64) - x) ** 2).sum(-1)


def test_nearest_and_farthest(scan):
    scan, squared = scan
    farthest = np.full(150, 1e9, np.float32)
    found, near = scan.pairs(20, farthest=farthest)
    np.testing.assert_allclose(near, np.sort(squared)[:, :20], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(squared, found.astype(int), 1), near, atol=1e-5)
    np.testing.assert_allclose(farthest, squared.max(axis=1), rtol=1e-5)
    for rows in (np.arange(33, 61), np.array([149, 0, 7, 7])):
        found, near = scan.rows(20, rows)
        np.testing.assert_allclose(near, np.sort(squared[rows])[:, :20], atol=1e-5)
        np.testing.assert_allclose(np.take_along_axis(squared[rows], found.astype(int), 1), near, atol=1e-5)


def test_a_share_says_where_it_has_fewer_and_all_say_what_one_does(scan):
    scan, _ = scan
    whole = scan.pairs(150)
    shares = [scan.pairs(150, part, 4) for part in range(4)]
    assert any((found < 0).any() for found, _ in shares)
    for found, near in shares:
        np.testing.assert_array_equal(found < 0, np.isinf(near))
        np.testing.assert_array_equal(near, np.sort(near))
    found, near = merged(*map(np.stack, zip(*shares)))
    np.testing.assert_allclose(near, whole[1], atol=1e-5)
    np.testing.assert_array_equal(np.sort(found), np.sort(whole[0]))
    np.testing.assert_array_equal(np.sort(found), np.tile(np.arange(150), (150, 1)))


def test_the_nearest_of_several_shares():
    found = np.array([[[5, 6, 7]], [[1, 2, 3]], [[4, -1, -1]]], np.int32)
    near = np.array([[[1, 4, 6]], [[2, 3, 9]], [[0, np.inf, np.inf]]], np.float32)
    nearest, distances = merged(found, near)
    assert nearest.tolist() == [[4, 5, 1]] and distances.tolist() == [[0, 1, 2]]
    assert found[0].tolist() == [[5, 6, 7]]  # what came in is left as it was
