import subprocess
import sys

import numpy as np
import paddle
import pytest

from ppcls_ise.clustering import jaccard_distance, near_pairs, nearest_neighbours
from tests.clustering.twins import dense, features, jaccard
from tests.helpers import ROOT, golden, shared


@pytest.mark.parametrize("case, k1, k2", [("N300_k1_30_k2_6", 30, 6), ("N300_k1_20_k2_1", 20, 1)])
def test_golden(case, k1, k2):
    data = np.load(golden(f"jaccard_{case}.npz"))
    expected = data["dist"]  # in the repository its first rows only
    distance = dense(jaccard_distance(data["x"], k1, k2))
    np.testing.assert_allclose(distance[:len(expected)], expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("case, k1, k2", [("N1000_k1_30_k2_6", 30, 6), ("N1000_k1_20_k2_1", 20, 1)])
def test_golden_at_1000(case, k1, k2):
    data = np.load(shared(f"golden/jaccard_{case}.npz"))
    np.testing.assert_allclose(dense(jaccard_distance(data["x"], k1, k2)), data["dist"], atol=2e-6, rtol=0)


def test_golden_cuhk03():
    data = np.load(shared("golden/cuhk03_first_clustering.npz"))
    distance = dense(jaccard_distance(data["features"], int(data["k1"]), int(data["k2"])))
    np.testing.assert_allclose(distance[:100], data["jaccard_rows_0_100"], atol=2e-6, rtol=0)


@pytest.mark.parametrize("k1, k2", [(30, 6), (20, 1), (17, 3), (5, 5), (2, 1), (1, 1), (4, 9)])
@pytest.mark.parametrize("duplicates", [0, 120])
def test_equals_the_dense_program(k1, k2, duplicates):
    x = features(400, seed=k1, duplicates=duplicates)
    distance = jaccard_distance(x, k1, k2)
    np.testing.assert_allclose(dense(distance), jaccard(x, k1, k2), atol=2e-6, rtol=0)
    assert distance.dtype == np.float32 and distance.has_canonical_format
    assert (distance != distance.T).nnz == 0


@pytest.mark.parametrize("count", [1, 2, 3, 7, 29, 30, 31])
def test_fewer_images_than_k1(count):
    x = features(count, groups=2)
    np.testing.assert_allclose(dense(jaccard_distance(x)), jaccard(x, 30, 6), atol=2e-6, rtol=0)


def test_no_image():
    assert jaccard_distance(np.zeros((0, 8), np.float32)).shape == (0, 0)


def test_rows_not_of_unit_length_follow_the_formula():
    for length in (1.5, 15):  # at 15 the weights reach exp(448)
        x = features(90) * length
        np.testing.assert_allclose(dense(jaccard_distance(x, 10, 3)), jaccard(x, 10, 3), atol=4e-6, rtol=0)
    # Weights far below what float32 holds: nothing overflows, nothing turns into NaN.
    distance = jaccard_distance(features(90) * 100, 10, 1)
    assert np.isfinite(distance.data).all() and distance.data.min() >= 0 and distance.data.max() < 1


def test_only_pairs_within_max_distance_are_kept():
    x = features(300)
    whole = jaccard_distance(x)
    limit = np.sort(whole.data)[3000]  # a distance that occurs: it is kept
    cut = near_pairs(x, float(limit))
    assert cut.max_distance == limit
    near = whole.data <= limit
    assert 0 < limit < 1 and 3000 < near.sum() < len(near)
    np.testing.assert_array_equal(cut.distances.data, whole.data[near])
    np.testing.assert_array_equal(cut.distances.indices, whole.indices[near])


def test_distance_zero_is_stored():
    x = np.repeat(features(20, groups=20), 4, axis=0)
    distance = jaccard_distance(x, k1=4, k2=1)
    assert (distance.diagonal() == 0).all()
    assert set(zip(*distance.nonzero())) == set()  # nothing but zeros ...
    assert distance.nnz == 20 * 4 * 4  # ... and all of them stored: each image and its three copies


def test_given_neighbours_are_used():
    x = features(200)
    ranks = nearest_neighbours(x, 40)
    assert (jaccard_distance(x, 12, 4, neighbours=ranks) != jaccard_distance(x, 12, 4)).nnz == 0
    other = np.concatenate([ranks[:, :1], ranks[:, 20:35]], axis=1)
    np.testing.assert_allclose(dense(jaccard_distance(x, 12, 4, neighbours=other)), jaccard(x, 12, 4, other),
                               atol=2e-6, rtol=0)


@pytest.mark.parametrize("found", [3, 10])
def test_missing_neighbours_count_for_nothing(found):
    x = features(100)
    ranks = nearest_neighbours(x, 30)
    expected = jaccard(x, 30, 6, ranks[:, :found])
    ranks[:, found:] = -1
    np.testing.assert_allclose(dense(jaccard_distance(x, 30, 6, neighbours=ranks)), expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("wrong, message", [
    (np.zeros((9, 30), int), "neighbours must be"), (np.zeros((50, 4), int), r"\[50, 30\]"),
    (np.zeros((50, 30), int), "column 0"), (np.arange(50)[:, None] + np.arange(30), "indices of rows"),
])
def test_neighbours_that_do_not_fit(wrong, message):
    with pytest.raises(ValueError, match=message):
        jaccard_distance(features(50), neighbours=wrong)


@pytest.mark.parametrize("arguments", [{"k1": 0}, {"k2": 0}, {"max_distance": 0}])
def test_arguments_out_of_range(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        near_pairs(features(20), **{"max_distance": 1.0, **arguments})


def test_zero_vectors_are_far_from_everything():
    x = features(120, groups=5, noise=0.2)
    x[[5, 60]] = 0
    distance = dense(jaccard_distance(x, 10, 4))
    for row in (5, 60):
        assert distance[row, row] == 0
        assert (np.delete(distance[row], row) == 1).all()
    others = np.delete(np.arange(120), [5, 60])
    # None of the others has a zero vector among its nearest, so to them nothing has changed.
    assert not np.isin(nearest_neighbours(x, 10)[others], [5, 60]).any()
    expected = jaccard(x[others], 10, 4)
    np.testing.assert_allclose(distance[np.ix_(others, others)], expected, atol=2e-6, rtol=0)


def test_threads_and_device_do_not_change_a_bit(monkeypatch):
    x = features(2000, groups=80, duplicates=200)
    results = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        results.append(jaccard_distance(x))
    ranks = nearest_neighbours(paddle.to_tensor(x), 30, method="paddle", block_size=300, half=True)
    results.append(jaccard_distance(paddle.to_tensor(x), neighbours=ranks))
    for other in results[1:]:
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(results[0], part), getattr(other, part))


MEMORY = """
import resource, sys
import numpy as np
from tests.clustering.twins import features
from ppcls_ise.clustering import jaccard_distance, near_pairs, nearest_neighbours
jaccard_distance(features(300))
x = features(20_000, groups=1000)
ranks = nearest_neighbours(x, 30)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
near_pairs(x, 0.6, neighbours=ranks)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.slow
def test_never_all_pairs_in_memory():
    out = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True,
                         env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"})
    assert float(out.stdout) < 150  # MB; one float32 matrix of all pairs would be 1,526
