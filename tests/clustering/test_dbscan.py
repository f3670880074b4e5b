import copy
import pickle

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.cluster import DBSCAN

from ppcls_ise.clustering import dbscan, jaccard_distance, near_pairs
from tests.clustering.twins import dense, features


def sparse(full):
    """CSR of the entries below 1, zeros included."""
    row, column = np.nonzero(full < 1)
    return csr_matrix((full[row, column], (row, column)), shape=full.shape)


def random_distances(seed, count=90, symmetric=True):
    rng = np.random.default_rng(seed)
    full = rng.uniform(0, 1, (count, count)).astype(np.float32) ** 0.3
    full[rng.uniform(size=full.shape) < 0.02] = 0  # pairs that are alike
    full[rng.uniform(size=full.shape) < 0.6] = 1
    if symmetric:
        full = np.triu(full, 1) + np.triu(full, 1).T
    np.fill_diagonal(full, 0)
    return full


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("eps, min_samples", [(0.2, 2), (0.3, 1), (0.3, 4), (0.35, 5), (0.4, 8), (0.95, 30)])
def test_labels_of_scikit_learn(seed, eps, min_samples):
    full = random_distances(seed, symmetric=seed % 3 > 0)
    expected = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit_predict(full)
    labels = dbscan(sparse(full), eps, min_samples)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(dbscan(full, eps, min_samples), expected)


def test_the_random_cases_are_of_all_kinds():
    labels = [dbscan(random_distances(seed), 0.3, 4) for seed in range(12)]
    assert any((found == -1).any() for found in labels) and max(found.max() for found in labels) > 5


def test_on_jaccard_distances():
    distance = jaccard_distance(features(500, groups=40, duplicates=40))
    for eps in (0.3, 0.5, 0.7):
        expected = DBSCAN(eps=eps, min_samples=4, metric="precomputed").fit_predict(dense(distance))
        assert expected.max() > 2
        np.testing.assert_array_equal(dbscan(distance, eps), expected)


def test_exactly_eps_is_near():
    full = np.array([[0, 0.6], [0.6, 0]], np.float32)
    assert dbscan(sparse(full), 0.6, 2).tolist() == [0, 0]
    assert dbscan(sparse(full), 0.5999, 2).tolist() == [-1, -1]


def test_stored_zeros_are_neighbours():
    full = np.ones((5, 5), np.float32)
    full[:4, :4] = 0
    full[4, 4] = 0
    assert dbscan(sparse(full), 0.1, 4).tolist() == [0, 0, 0, 0, -1]


def test_an_image_counts_itself_also_without_a_diagonal():
    full = np.full((3, 3), 0.2, np.float32)
    full[np.diag_indices(3)] = 1  # not stored
    assert dbscan(sparse(full), 0.3, 3).tolist() == [0, 0, 0]
    assert dbscan(sparse(full), 0.3, 4).tolist() == [-1, -1, -1]


def test_border_image_belongs_to_the_first_cluster():
    # 4 is near a core of both clusters, but no core itself.
    near = {(0, 1), (0, 2), (1, 2), (5, 6), (5, 7), (6, 7), (0, 3), (1, 3), (5, 8), (6, 8), (4, 0), (4, 8)}
    full = np.ones((9, 9), np.float32)
    for i, j in near:
        full[i, j] = full[j, i] = 0.1
    np.fill_diagonal(full, 0)
    expected = DBSCAN(eps=0.2, min_samples=4, metric="precomputed").fit_predict(full)
    assert dbscan(sparse(full), 0.2, 4).tolist() == expected.tolist()
    assert expected[4] == 0


def test_eps_of_one_reaches_everything():
    full = random_distances(3)
    assert (dbscan(sparse(full), 1.0, 4) == 0).all()
    assert (dbscan(sparse(full)[:3, :3], 1.0, 4) == -1).all()


def test_no_image():
    assert dbscan(csr_matrix((0, 0), dtype=np.float32), 0.5).shape == (0,)


def test_eps_beyond_the_cut_is_refused():
    x = features(100)
    near = near_pairs(x, 0.5)
    np.testing.assert_array_equal(dbscan(near, 0.5), dbscan(jaccard_distance(x), 0.5))
    with pytest.raises(ValueError, match="max_distance=0.6"):
        dbscan(near, 0.6)


def test_a_part_of_cut_distances_cannot_be_had_without_the_cut():
    near = near_pairs(features(100), 0.5)
    for part in (lambda: near[:9], lambda: near[:9, :9], lambda: near.T, lambda: 2 * near, lambda: near.tocsr()):
        with pytest.raises((TypeError, AttributeError)):
            part()
    for same in (copy.copy(near), copy.deepcopy(near), pickle.loads(pickle.dumps(near))):
        with pytest.raises(ValueError, match="max_distance=0.6"):
            dbscan(same, 0.6)


@pytest.mark.parametrize("arguments, message", [
    ({"eps": 0}, "eps"), ({"eps": -1}, "eps"), ({"eps": float("nan")}, "eps"),
    ({"eps": 0.5, "min_samples": 0}, "min_samples"),
])
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        dbscan(np.zeros((3, 3)), **arguments)


def test_matrix_must_be_square():
    with pytest.raises(ValueError, match=r"\[3, 4\]"):
        dbscan(np.zeros((3, 4)), 0.5)
