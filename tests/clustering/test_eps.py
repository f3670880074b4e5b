import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import adjusted_rand_score, silhouette_samples

from ppcls_ise.clustering import choose_eps, dbscan, eps_advice, jaccard_distance, silhouette
from ppcls_ise.clustering.eps import core_distances
from tests.clustering.twins import dense, features
from tests.helpers import shared


def test_silhouette_of_scikit_learn():
    distance = jaccard_distance(features(400, groups=30))
    for eps in (0.3, 0.45, 0.6):
        labels = dbscan(distance, eps)
        inside = labels >= 0
        full = dense(distance).astype(np.float64)[np.ix_(inside, inside)]
        expected = silhouette_samples(full, labels[inside], metric="precomputed").sum() / 400
        assert labels.max() > 2 and expected != 0 and not inside.all()
        assert silhouette(distance, labels) == pytest.approx(expected, abs=1e-6)


def test_silhouette_by_hand():
    near = np.array([[0, 0.2, 0.6, 1], [0.2, 0, 1, 1], [0.6, 1, 0, 0.5], [1, 1, 0.5, 0]])
    distance = csr_matrix((near[near < 1], np.nonzero(near < 1)), shape=(4, 4))
    # a = .2 .2 .5 .5; b = .8 1 .8 1
    assert silhouette(distance, [0, 0, 1, 1]) == pytest.approx((0.75 + 0.8 + 0.375 + 0.5) / 4)
    assert silhouette(distance, [0, 0, -1, -1]) == pytest.approx(0.8 * 2 / 4)  # no other cluster: b = 1
    assert silhouette(distance, [0, 1, 2, -1]) == 0  # each alone
    assert silhouette(distance, [-1] * 4) == 0


def test_alike_images_in_two_clusters_have_silhouette_0():
    distance = csr_matrix((np.zeros(16), np.nonzero(np.ones((4, 4)))), shape=(4, 4))
    assert silhouette(distance, [0, 0, 1, 1]) == 0


def test_eps_is_chosen_near_the_best_and_alike_for_other_samples():
    chosen = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        centres, owner = rng.standard_normal((60, 24)), rng.integers(60, size=700)
        x = centres[owner] + 0.6 * rng.standard_normal((700, 24))
        distance = jaccard_distance(x / np.linalg.norm(x, axis=1, keepdims=True), 20, 6)
        agreement = {step / 20: adjusted_rand_score(owner, dbscan(distance, step / 20)) for step in range(2, 19)}
        chosen.append(choose_eps(distance))
        assert min(agreement.values()) < 0.1 and max(agreement.values()) > 0.8  # a grid on which a choice matters
        assert adjusted_rand_score(owner, dbscan(distance, chosen[-1])) > 0.95 * max(agreement.values())
    assert max(chosen) - min(chosen) < 0.06


def test_eps_on_real_crops():
    data = np.load(shared("golden/cuhk03_first_clustering.npz"))
    owner = [int(name[:4]) for name in data["names"]]
    distance = jaccard_distance(data["features"], 20, 6)

    def agreement(eps):
        labels = dbscan(distance, eps, 2)
        outliers = np.flatnonzero(labels < 0)
        labels[outliers] = labels.max() + 1 + np.arange(len(outliers))
        return adjusted_rand_score(owner, labels)

    chosen = choose_eps(distance, 2)
    assert agreement(chosen) > 0.95 * max(agreement(step / 20) for step in range(4, 17))


def test_without_any_cluster_the_largest_of_the_grid():
    assert choose_eps(jaccard_distance(np.eye(9, dtype=np.float32), 1, 1)) == 0.9
    assert choose_eps(csr_matrix((0, 0), dtype=np.float32)) == 0.9


def test_core_distances():
    row, column, near = [0, 0, 0, 1, 1, 2, 2], [0, 1, 2, 0, 1, 0, 2], [0, 0.3, 0.1, 0.3, 0, 0.1, 0]
    distance = csr_matrix((near, (row, column)), shape=(3, 3))
    for min_samples, expected in ((1, [0, 0, 0]), (2, [0.1, 0.3, 0.1]), (3, [0.3, 1, 1]), (4, [1, 1, 1])):
        np.testing.assert_allclose(core_distances(distance, min_samples), expected)


def test_advice_names_an_eps_that_works():
    distance = jaccard_distance(features(300))
    advice = eps_advice(distance, 0.001, 4)
    assert "Cluster.eps is 0.001" in advice
    eps = float(advice.split("try ")[1].split()[0])
    assert dbscan(distance, 0.001).max() < 0 <= dbscan(distance, eps).max()
    assert "fewer images than Cluster.min_samples 301" in eps_advice(distance, 0.5, 301)
    assert "hardly tell who is alike" in eps_advice(jaccard_distance(np.eye(9, dtype=np.float32), 1, 1), 0.5, 4)
