import numpy as np
import paddle
import pytest

from ppcls_ise.clustering import nearest_neighbours, neighbour_recall
from ppcls_ise.clustering.search.refine import ranked
from tests.clustering.twins import features, neighbours
from tests.helpers import golden

EXACT = [{"method": "faiss"}, {"method": "paddle"}, {"method": "paddle", "block_size": 37},
         {"method": "paddle", "half": True}, {"method": "paddle", "half": True, "block_size": 50}]


@pytest.fixture(params=EXACT, ids=str)
def exact(request):
    return request.param


@pytest.mark.parametrize("case", ["N300_k1_30_k2_6", "N300_k1_20_k2_1"])
def test_golden(exact, case):
    data = np.load(golden(f"jaccard_{case}.npz"))
    found = nearest_neighbours(data["x"], data["initial_rank"].shape[1], **exact)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, data["initial_rank"])


@pytest.mark.parametrize("duplicates", [0, 150])
def test_equals_the_slow_search(exact, duplicates):
    x = features(331, duplicates=duplicates, seed=duplicates)
    np.testing.assert_array_equal(nearest_neighbours(x, 17, **exact), neighbours(x, 17))


def test_rows_of_any_length(exact):
    x = features(200) * np.random.default_rng(1).uniform(0.1, 30, (200, 1)).astype(np.float32)
    np.testing.assert_array_equal(nearest_neighbours(x, 9, **exact), neighbours(x, 9))


def test_crowd_of_duplicates_larger_than_the_candidates(exact):
    x = features(260)
    x[60:200] = x[3]
    found = nearest_neighbours(x, 12, **exact)
    np.testing.assert_array_equal(found, neighbours(x, 12))
    np.testing.assert_array_equal(found[150], [150, 3, *range(60, 70)])


def test_equal_as_float32_goes_by_index(exact):
    # The squared distance of row 1 from row 0 is 6e-8 more than that of row 2, 2.5: less than float32 resolves.
    x = np.zeros((40, 3), np.float32)
    x[:, 0] = np.arange(40) * 10
    x[1], x[2] = [0.5 + 2 ** -24, 1.5, 0], [0.5, 1.5, 0]
    assert nearest_neighbours(x, 3, **exact)[0].tolist() == [0, 1, 2]


def test_paddle_tensor_is_searched_with_any_method(exact):
    x = features(120)
    np.testing.assert_array_equal(nearest_neighbours(paddle.to_tensor(x), 8, **exact), neighbours(x, 8))


def test_shares_of_the_processes_make_up_the_whole(exact):
    x = features(230, duplicates=60)
    parts = [nearest_neighbours(x, 15, rows=slice(start, start + 77), **exact) for start in range(0, 230, 77)]
    np.testing.assert_array_equal(np.concatenate(parts), neighbours(x, 15))
    picked = np.array([200, 7, 111])
    np.testing.assert_array_equal(nearest_neighbours(x, 15, rows=picked, **exact), neighbours(x, 15)[picked])
    assert nearest_neighbours(x, 15, rows=slice(0, 0), **exact).shape == (0, 15)


def test_distances(exact):
    x = features(150, duplicates=30)
    found, squared = nearest_neighbours(x, 10, return_distances=True, **exact)
    expected = ((x[:, None].astype(np.float64) - x[found]) ** 2).sum(-1)
    np.testing.assert_allclose(squared, expected, atol=2e-6)
    assert (squared[:, 0] == 0).all()


def test_half_precision_alone_would_be_wrong():
    # Rows so alike that float16 cannot tell which are the nearest 42: only the repeated search finds them.
    x = np.ones((300, 8), np.float32) + np.random.default_rng(0).normal(0, 0.02, (300, 8)).astype(np.float32)
    assert not np.array_equal(neighbours(x.astype(np.float16), 10), neighbours(x, 10))
    np.testing.assert_array_equal(nearest_neighbours(x, 10, method="paddle", half=True), neighbours(x, 10))


def test_memory_of_the_paddle_path_is_a_block(monkeypatch):
    shapes = []
    matmul = paddle.matmul

    def spy(*args, **kwargs):
        out = matmul(*args, **kwargs)
        shapes.append(out.shape)
        return out

    monkeypatch.setattr(paddle, "matmul", spy)
    nearest_neighbours(features(300), 5, method="paddle", block_size=64)
    assert len(shapes) == 25 and max(max(shape) for shape in shapes) == 64


def test_fewer_rows_than_k(exact):
    x = features(6)
    np.testing.assert_array_equal(nearest_neighbours(x, 30, **exact), neighbours(x, 6))
    assert nearest_neighbours(x[:1], 30, **exact).tolist() == [[0]]
    assert nearest_neighbours(x[:0], 30, **exact).shape == (0, 0)


@pytest.mark.slow
def test_ivf_finds_nearly_all_and_says_how_many():
    x = features(4000, groups=60, noise=0.3)
    found, squared = nearest_neighbours(x, 10, method="ivf", probes=1, return_distances=True)
    assert (found[:, 0] == np.arange(4000)).all()
    assert all(len(set(row) - {-1}) == (np.array(row) >= 0).sum() for row in found.tolist())
    expected = np.where(found >= 0, ((x[:, None].astype(np.float64) - x[found]) ** 2).sum(-1), np.inf)
    np.testing.assert_allclose(squared, expected, atol=2e-6)
    recall = neighbour_recall(x, found, sample=300)
    assert 0.7 < recall < 0.95
    assert neighbour_recall(x, nearest_neighbours(x, 10, method="ivf", probes=6), sample=300) > 0.99
    true = nearest_neighbours(x, 10)
    assert neighbour_recall(x, true) == 1
    true[:, 7:] = -1  # three of nine forgotten
    assert neighbour_recall(x, true) == pytest.approx(6 / 9)


def test_ivf_shares_of_the_processes_make_up_the_whole():
    x = features(3001, dim=15, groups=60, duplicates=300)  # an odd number of dimensions, too
    whole = nearest_neighbours(x, 10, method="ivf", probes=8)
    parts = [nearest_neighbours(x, 10, method="ivf", probes=8, rows=slice(at, at + 1001)) for at in (0, 1001, 2002)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_ivf_on_a_small_set_is_exact():
    x = features(300)
    np.testing.assert_array_equal(nearest_neighbours(x, 10, method="ivf", probes=1), neighbours(x, 10))


def test_ivf_with_duplicates_keeps_the_row_itself_first():
    x = np.repeat(features(60), 50, axis=0)
    found = nearest_neighbours(x, 10, method="ivf")
    assert (found[:, 0] == np.arange(3000)).all()
    assert all(len(set(row)) == 10 for row in found.tolist())
    assert (found // 50 == np.arange(3000)[:, None] // 50).all()


def test_candidates_are_ranked_by_distance_then_index_the_row_itself_first():
    x = np.array([[0], [3], [1], [-1], [2]], np.float32)
    found, squared = ranked(x, np.array([0, 4]), np.array([[3, 1, 2, -1], [4, -1, 2, -1]]), 4, 0, 2)
    assert found.tolist() == [[0, 2, 3, 1], [4, 2, -1, -1]]
    assert squared.tolist() == [[0, 1, 1, 9], [0, 1, np.inf, np.inf]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("wrap", [np.asarray, paddle.to_tensor])
def test_not_a_number_names_its_rows(bad, wrap):
    x = features(50)
    x[[17, 31], 3] = bad
    with pytest.raises(ValueError, match=r"2 of 50 .*rows 17, 31.*learning rate"):
        nearest_neighbours(wrap(x), 5)


@pytest.mark.parametrize("arguments, message", [
    ({"k": 0}, "at least 1"), ({"k": 3, "method": "flann"}, "faiss, paddle, ivf"),
])
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        nearest_neighbours(features(5), **arguments)


def test_features_must_be_a_matrix():
    with pytest.raises(ValueError, match="matrix"):
        nearest_neighbours(np.zeros(5, np.float32), 2)
    with pytest.raises(ValueError, match="real numbers"):
        nearest_neighbours(np.zeros((5, 2), complex), 2)
