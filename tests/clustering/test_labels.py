import numpy as np
import paddle
import pytest
from sklearn.cluster import DBSCAN

from ppcls_ise.clustering import choose_eps, cluster_centroids, near_pairs, pseudo_labels
from tests.clustering.twins import features, jaccard
from tests.helpers import golden, shared

CASES = [("N300_k1_30_k2_6", 30, 6), ("N300_k1_20_k2_1", 20, 1)]
LARGE_CASES = [("N1000_k1_30_k2_6", 30, 6), ("N1000_k1_20_k2_1", 20, 1)]


def check_golden(file, k1, k2):
    data = np.load(file)
    for eps in (0.4, 0.6, 0.7):
        for method in ("faiss", "paddle"):
            labels = pseudo_labels(data["x"], eps, 4, k1, k2, method=method)
            np.testing.assert_array_equal(labels, data[f"eps{eps}__labels"])
        np.testing.assert_allclose(cluster_centroids(data["x"], labels), data[f"eps{eps}__centroids"], atol=1e-6)


@pytest.mark.parametrize("case, k1, k2", CASES)
def test_golden(case, k1, k2):
    check_golden(golden(f"jaccard_{case}.npz"), k1, k2)


@pytest.mark.parametrize("case, k1, k2", LARGE_CASES)
def test_golden_at_1000(case, k1, k2):
    check_golden(shared(f"golden/jaccard_{case}.npz"), k1, k2)


@pytest.mark.parametrize("method", ["faiss", "paddle"])
def test_golden_cuhk03(method):
    data = np.load(shared("golden/cuhk03_first_clustering.npz"))
    labels = pseudo_labels(data["features"], float(data["eps"]), int(data["min_samples"]), int(data["k1"]),
                           int(data["k2"]), method=method)
    assert labels.max() + 1 == 210 and (labels < 0).sum() == 1114
    np.testing.assert_array_equal(labels, data["labels"])


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_dense_program_and_scikit_learn(seed):
    x = features(400, groups=30, seed=seed, duplicates=40 * seed)
    full = jaccard(x, 30, 6)
    assert np.abs(full - 0.55).min() > 1e-5  # no pair so near to eps that rounding decides
    expected = DBSCAN(eps=0.55, min_samples=4, metric="precomputed").fit_predict(full)
    assert expected.max() > 3
    np.testing.assert_array_equal(pseudo_labels(x, 0.55), expected)
    np.testing.assert_array_equal(pseudo_labels(paddle.to_tensor(x), 0.55), expected)


def test_degenerate_sets():
    x = features(40)
    assert pseudo_labels(x[:0], 0.5).tolist() == []
    assert pseudo_labels(x[:1], 0.5).tolist() == [-1]
    assert pseudo_labels(x[:1], 0.5, min_samples=1).tolist() == [0]
    assert pseudo_labels(np.repeat(x[:1], 50, axis=0), 0.5).tolist() == [0] * 50  # one image, fifty times
    assert pseudo_labels(np.zeros((50, 8), np.float32), 0.5).tolist() == [-1] * 50
    # No more images than k1: everything is everything's neighbour, so one cluster.
    assert pseudo_labels(x[:30], 0.5).tolist() == [0] * 30


def test_two_groups_smaller_than_k1():
    x = np.repeat(np.eye(2, 8, dtype=np.float32), 5, axis=0)
    assert pseudo_labels(x, eps=0.5, k1=5).tolist() == [0] * 5 + [1] * 5


def test_zero_vectors_are_outliers_and_change_no_other_label():
    x = features(200, groups=8, noise=0.2)
    with_zeros = np.insert(x, [3, 100], 0, axis=0)
    labels = pseudo_labels(with_zeros, 0.5, k1=15)
    assert labels[3] == labels[101] == -1
    np.testing.assert_array_equal(np.delete(labels, [3, 101]), pseudo_labels(x, 0.5, k1=15))


def test_duplicate_images_share_their_label():
    x = features(120, groups=6, noise=0.3)
    labels = pseudo_labels(np.concatenate([x, x]), 0.6)
    assert labels.max() > 2
    np.testing.assert_array_equal(labels[:120], labels[120:])


def test_not_a_number_is_named():
    x = features(40)
    x[7] = np.nan
    with pytest.raises(ValueError, match="rows 7"):
        pseudo_labels(x, 0.5)
    with pytest.raises(ValueError, match="rows 7"):
        cluster_centroids(x, np.zeros(40, int))


def test_eps_auto():
    x = features(400, groups=30)
    chosen = choose_eps(near_pairs(x, 0.9), 4)
    np.testing.assert_array_equal(pseudo_labels(x, "auto"), pseudo_labels(x, chosen))
    assert not np.array_equal(pseudo_labels(x, chosen), pseudo_labels(x, 0.9))


def test_centroids_by_hand():
    x = np.array([[1, 0], [0, 1], [0, 1], [0.6, 0.8]], np.float32)
    centroids = cluster_centroids(x, [1, 0, -1, 1])
    assert centroids.dtype == np.float32
    np.testing.assert_allclose(centroids, [[0, 1], [1.6 / np.sqrt(3.2), 0.8 / np.sqrt(3.2)]], atol=1e-7)
    np.testing.assert_array_equal(cluster_centroids(paddle.to_tensor(x), [1, 0, -1, 1]), centroids)


def test_centroids_without_clusters():
    assert cluster_centroids(features(9), np.full(9, -1)).shape == (0, 16)
    assert cluster_centroids(features(9)[:0], np.zeros(0, int)).shape == (0, 16)


def test_opposite_rows_give_no_nan():
    assert cluster_centroids(np.array([[1, 0], [-1, 0]], np.float32), [0, 0]).tolist() == [[0, 0]]


def test_labels_must_fit_and_have_no_gap():
    with pytest.raises(ValueError, match=r"9 features need labels \[9\]"):
        cluster_centroids(features(9), np.zeros(8, int))
    with pytest.raises(ValueError, match="cluster 1 has no image"):
        cluster_centroids(features(3), [0, 2, -1])
