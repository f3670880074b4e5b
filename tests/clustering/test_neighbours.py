import numpy as np
import paddle
import pytest

from ppcls_ise import onednn
from ppcls_ise.clustering import nearest_neighbours, neighbour_recall, scan_pairs
from ppcls_ise.clustering.search import cpu_scan
from ppcls_ise.clustering.search.refine import ranked
from tests.clustering.twins import features, neighbours
from tests.helpers import golden

PADDLE = [{"method": "paddle"}, {"method": "paddle", "block_size": 37}, {"method": "paddle", "half": True},
          {"method": "paddle", "half": True, "block_size": 50}]
# With tiles of that size, and with the products of numpy, where oneDNN is not.
CPU = [{}, {"tile": 37}, {"tile": 64, "library": None}]


@pytest.fixture(params=[*CPU, {"method": "faiss"}, *PADDLE], ids=str)
def exact(request, monkeypatch):
    return set_up(request.param, monkeypatch)


@pytest.fixture(params=[*CPU, *PADDLE], ids=str)
def by_pairs(request, monkeypatch):
    return set_up(request.param, monkeypatch)


def set_up(arguments, monkeypatch):
    """Arguments of the search, without what is set here."""
    monkeypatch.setattr(cpu_scan, "BLOCK", arguments.get("tile", cpu_scan.BLOCK))
    if "library" in arguments:
        monkeypatch.setattr(onednn.matmul, "library", lambda: None)
        monkeypatch.setattr(onednn, "version", lambda: None)
    return {key: value for key, value in arguments.items() if key not in ("tile", "library")}


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


@pytest.mark.parametrize("parts", range(1, 6))
@pytest.mark.parametrize("duplicates", [0, 150])
def test_shares_of_the_pairs_make_up_the_whole(by_pairs, parts, duplicates):
    x = features(211, duplicates=duplicates, seed=parts)
    shares = [scan_pairs(x, 12, part=part, parts=parts, **by_pairs) for part in range(parts)]
    scanned = tuple(map(np.stack, zip(*shares)))
    assert [array.dtype for array in scanned] == [np.int32, np.float32]
    found = [nearest_neighbours(x, 12, rows=rows, scanned=tuple(array[:, rows] for array in scanned), **by_pairs)
             for rows in (slice(0, 100), slice(100, 211), slice(211, 211))]
    np.testing.assert_array_equal(np.concatenate(found), neighbours(x, 12))
    # No share has found them alone.
    assert parts == 1 or not any(np.array_equal(np.sort(share[0][:, :12]), np.sort(neighbours(x, 12)))
                                 for share in shares)


@pytest.mark.parametrize("seed", range(40))
def test_random_cases(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(cpu_scan, "BLOCK", int(rng.integers(5, 90)))
    count, k, parts = int(rng.integers(1, 260)), int(rng.integers(1, 40)), int(rng.integers(1, 6))
    x = features(count, dim=int(rng.integers(1, 70)), noise=rng.choice([0.01, 0.6]), seed=seed)
    if seed % 2:  # a grid: ties, duplicates, zero vectors
        x = np.round(x * np.float32(rng.choice([1, 3])))
    if seed % 3 == 0:
        x *= rng.choice([1e-3, 1, 40], (count, 1)).astype(np.float32)
    expected = neighbours(x, k)
    np.testing.assert_array_equal(nearest_neighbours(x, k), expected)
    np.testing.assert_array_equal(nearest_neighbours(x, k, "faiss"), expected)
    rows = rng.permutation(count)[:int(rng.integers(1, count + 1))]
    np.testing.assert_array_equal(nearest_neighbours(x, k, rows=rows), expected[rows])
    scanned = tuple(map(np.stack, zip(*[scan_pairs(x, k, part=part, parts=parts) for part in range(parts)])))
    np.testing.assert_array_equal(nearest_neighbours(x, k, scanned=scanned), expected)


@pytest.mark.parametrize("method", ["faiss", "ivf"])
def test_nothing_is_to_be_shared_of_a_search_by_rows(method):
    assert scan_pairs(features(3000, dim=4), 5, method) == ()
    assert scan_pairs(features(0), 5) == ()


def test_the_work_is_half_of_all_products_and_shared_out_evenly(monkeypatch):
    done, products = [], onednn.products

    def spy(a, b, out):
        done.append(len(a) * len(b))
        return products(a, b, out)

    monkeypatch.setattr(onednn, "products", spy)
    monkeypatch.setattr(cpu_scan, "BLOCK", 50)
    x, work = features(1000), []
    for part in range(3):
        scan_pairs(x, 5, part=part, parts=3)
        work.append(sum(done))
        done.clear()
    assert sum(work) == 1000 * 1050 / 2 and all(abs(share - sum(work) / 3) <= 50 for share in work)
    nearest_neighbours(x, 5)
    assert sum(done) == 1000 * 1050 / 2
    done.clear()
    nearest_neighbours(x, 5, rows=slice(7, 130))
    assert sum(done) == 123 * 1000


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
    assert len(shapes) == 15 and max(max(shape) for shape in shapes) == 64  # each pair of 5 blocks once


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
