import numpy as np
import pytest

from ppcls_ise.metric import Rules, evaluate
from ppcls_ise.visualize import cluster_sheets, rank_lists, spread_by_precision
from ppcls_ise.visualize.embedding import choose_for_map, flatten
from tests.slow_evaluation import ranking


@pytest.mark.parametrize("protocol, cameras", [
    ("market", True), ("all", True), ("same_camera", True), ("all", False), ("market", False)])
def test_rank_lists_are_those_of_the_evaluation(protocol, cameras):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(70, 6)).astype("float32")
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    pids, camids = rng.integers(-1, 5, 70), rng.integers(3, size=70)
    sides = [(x[part], pids[part], camids[part] if cameras else None) for part in (slice(0, 12), slice(8, 70))]
    own = np.array([-1] * 8 + [0, 1, 2, 3])
    ap = evaluate(*sides[0], *sides[1], Rules(protocol, own))["ap"]
    assert np.isfinite(ap).sum() >= 8
    lists = rank_lists(range(12), *sides, ap, Rules(protocol, own), top=100)
    assert [found.query for found in lists] == list(range(12))
    for found in lists:
        expected, distances = ranking(found.query, *sides[0], *sides[1], protocol=protocol, own=own)
        assert found.matches.tolist() == expected.tolist()
        assert found.right.tolist() == (sides[1][1][expected] == sides[0][1][found.query]).tolist()
        np.testing.assert_allclose(found.similarity, 1 - distances / 2, atol=1e-6)
        assert found.ap == ap[found.query] or np.isnan([found.ap, ap[found.query]]).all()


def test_top_and_other_distances():
    eye = np.eye(4, dtype="float32")
    side = eye, np.array([1, 2, 3, 4]), None
    found = rank_lists([2], side, side, top=2)[0]
    assert found.matches.tolist() == [2, 0] and found.right.tolist() == [True, False]
    turned = rank_lists([2], side, side, rules=Rules(distances=lambda part: eye[part].copy()), top=10)[0]
    assert turned.matches.tolist() == [0, 1, 3, 2]


def test_queries_from_worst_to_best():
    ap = np.array([0.5, np.nan, 0.1, 0.9, 0.3])
    assert spread_by_precision(ap, 3).tolist() == [2, 0, 3] or spread_by_precision(ap, 3).tolist() == [2, 4, 3]
    assert spread_by_precision(ap, 10).tolist() == [2, 4, 0, 3]
    assert spread_by_precision(np.array([np.nan]), 3).tolist() == []


def test_sheets():
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, -1, -1])
    pids = np.array([5, 5, 5, 5, 6, 7, 8, 6, 6, 6, 9])
    sheets = cluster_sheets(labels, pids, clusters=2, most=3)
    assert [sheet.title for sheet in sheets["largest"]] == ["Cluster 0, 4 images", "Cluster 1, 3 images"]
    assert sheets["largest"][0].rows.tolist() == [0, 2, 3]
    assert [sheet.title for sheet in sheets["mixed"]] == ["Cluster 1, 3 images of 3 identities"]
    assert [sheet.title for sheet in sheets["split"]] == ["Identity 6, 3 images in 2 clusters and 1 in none"]
    assert sheets["split"][0].rows.tolist() == [4, 7, 8] and sheets["split"][0].groups.tolist() == [1, 2, 2]
    assert sheets["outliers"][0].rows.tolist() == [9, 10]
    assert set(cluster_sheets(labels, None)) == {"largest", "outliers"}
    assert cluster_sheets(np.array([], int), None) == {}


def test_the_map_shows_whole_groups():
    groups = np.repeat(np.arange(10), 5)
    chosen = choose_for_map(groups, limit=23)
    assert len(chosen) == 20 and (np.bincount(groups[chosen]) % 5 == 0).all()
    assert len(choose_for_map(np.zeros(50), limit=7)) == 7
    assert flatten(np.random.default_rng(0).random((20, 8))).shape == (20, 2)
    assert flatten(np.ones((3, 8))).shape == (3, 2)
