import itertools

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from ppcls_ise.metric import cluster_report
from ppcls_ise.metric.clusters import FIGURES


def test_by_hand():
    # Cluster 0: A A B; cluster 1: A; cluster 2: C C; outliers: C, unknown. Cameras as written below.
    report = cluster_report([0, 0, 0, 1, 2, 2, -1, -1], pids=[1, 1, 2, 1, 3, 3, 3, -1],
                            camids=[1, 2, 1, 1, 4, 4, 4, 4], previous=[5, 5, 5, 5, 2, 2, -1, -1])
    assert (report["clusters"], report["outliers"]) == (3, 2)
    assert [report[f"size_{q}"] for q in ("min", "q25", "median", "q75", "max")] == [1, 1.5, 2, 2.5, 3]
    assert report["purity"] == pytest.approx(5 / 6)
    assert report["identities_per_cluster"] == pytest.approx(4 / 3) and report["mixed"] == pytest.approx(1 / 3)
    assert report["clusters_per_identity"] == pytest.approx(4 / 3) and report["split"] == pytest.approx(1 / 3)
    assert report["cross_camera"] == pytest.approx(1 / 3)
    # Pairs of one identity and camera: A A (not together), C C C (one of three together).
    assert report["recall_same_camera"] == pytest.approx(1 / 4)
    assert report["recall_cross_camera"] == pytest.approx(1 / 2)
    assert 0 < report["ari_to_last"] < 1
    assert tuple(report) == FIGURES  # what is known of everything


def slow_pairs(labels, pids, camids, same_camera):
    positive = [(i, j) for i, j in itertools.combinations(range(len(labels)), 2)
                if pids[i] == pids[j] and (camids[i] == camids[j]) == same_camera]
    return np.mean([labels[i] == labels[j] >= 0 for i, j in positive])


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_slow_count(seed):
    rng = np.random.default_rng(seed)
    labels, pids, camids = rng.integers(-1, 9, 80), rng.integers(1, 8, 80), rng.integers(3, size=80)
    labels[labels == 4] = -1  # a label that does not occur
    report = cluster_report(labels, pids, camids)
    clusters = [np.flatnonzero(labels == label) for label in np.unique(labels[labels >= 0])]
    assert report["clusters"] == len(clusters)
    assert report["purity"] == pytest.approx(sum(np.bincount(pids[c]).max() for c in clusters) / (labels >= 0).sum())
    assert report["mixed"] == pytest.approx(np.mean([len(set(pids[c])) > 1 for c in clusters]))
    where = [set(labels[(pids == pid) & (labels >= 0)]) for pid in np.unique(pids)]
    assert report["clusters_per_identity"] == pytest.approx(np.mean([len(s) for s in where if s]))
    assert report["split"] == pytest.approx(np.mean([len(s) > 1 for s in where if s]))
    spanning = [len(set(camids[c])) > 1 for c in clusters]
    assert report["cross_camera"] == pytest.approx(np.mean(spanning))
    assert report["cross_camera_images"] == pytest.approx(
        sum(len(camids[c]) for c, many in zip(clusters, spanning) if many) / len(labels))
    own = [label if label >= 0 else 100 + i for i, label in enumerate(labels)]
    assert report["ari"] == pytest.approx(adjusted_rand_score(pids, own))
    assert report["nmi"] == pytest.approx(normalized_mutual_info_score(pids, own))
    for name, same in (("recall_same_camera", True), ("recall_cross_camera", False)):
        assert report[name] == pytest.approx(slow_pairs(labels, pids, camids, same))


def test_joins_across_cameras_that_are_kept():
    rng = np.random.default_rng(0)
    previous, labels, camids = rng.integers(-1, 5, 60), rng.integers(-1, 5, 60), rng.integers(3, size=60)
    before = [(i, j) for i in range(60) for j in range(i) if previous[i] == previous[j] >= 0 and camids[i] != camids[j]]
    kept = [pair for pair in before if labels[pair[0]] == labels[pair[1]] >= 0]
    found = cluster_report(labels, None, camids, previous)["cross_camera_kept"]
    assert found == pytest.approx(len(kept) / len(before)) and 0 < found < 1
    assert "cross_camera_kept" not in cluster_report(labels, None, camids, camids)  # nothing spanned cameras


def test_perfect_and_unchanged():
    pids = np.repeat([3, 9, 4], 4)
    labels = np.repeat([0, 1, 2], 4)
    report = cluster_report(labels, pids, previous=labels[::-1][::-1])
    assert report["purity"] == report["ari"] == report["ari_to_last"] == 1
    assert report["identities_per_cluster"] == report["clusters_per_identity"] == 1
    assert report["mixed"] == report["split"] == 0
    assert "cross_camera" not in report and "recall_same_camera" not in report


def test_what_is_not_known_is_left_out():
    for pids in (None, [-1, -1, -1]):
        report = cluster_report([0, 0, -1], pids)
        assert set(report) == {"clusters", "outliers", "size_min", "size_q25", "size_median", "size_q75", "size_max"}
    nothing = cluster_report([-1, -1, -1], [1, 1, 2], [0, 1, 0])
    assert nothing["clusters"] == 0 and nothing["outliers"] == 3 and "purity" not in nothing
    assert nothing["recall_cross_camera"] == 0 and "recall_same_camera" not in nothing


def test_arrays_that_do_not_fit():
    with pytest.raises(ValueError, match="3 labels need as many camids, got .2."):
        cluster_report([0, 0, 1], [1, 2, 3], [1, 2])


def test_images_of_no_known_camera_count_in_no_figure_about_cameras():
    labels, pids, cameras = [0, 0, 0, 1, 1, 2, 2], [7, 7, 7, 8, 8, 9, 9], [2, 2, -1, 3, 3, 1, 4]
    found = cluster_report(labels, pids, cameras, previous=labels)
    assert found["cross_camera"] == 1 / 3 and found["cross_camera_images"] == 2 / 6
    assert found["cross_camera_kept"] == found["recall_cross_camera"] == found["recall_same_camera"] == 1
    known = [place for place, camera in enumerate(cameras) if camera >= 0]
    alone = cluster_report(*([ids[place] for place in known] for ids in (labels, pids, cameras)))
    assert all(alone[name] == found[name] for name in ("cross_camera", "cross_camera_images", "recall_cross_camera"))
