"""Clusterings with cameras against slow, obvious re-implementations."""
import dataclasses

import numpy as np
import pytest
from sklearn.cluster import DBSCAN

from ppcls_ise.clustering import (
    CameraJaccardDBSCAN,
    CrossCameraDBSCAN,
    KReciprocalDBSCAN,
    camera_codes,
    camera_matches,
    camera_proxies,
    standardized_by_camera,
)
from ppcls_ise.clustering.camera_jaccard import camera_jaccard_pairs
from ppcls_ise.clustering.camera_links import beyond_expectation, join_clusters, mutual_counts
from ppcls_ise.clustering.camera_matches import best_matches
from ppcls_ise.clustering.cameras import SIMILARITIES, camera_similarity, known_cameras, spanning_cameras
from ppcls_ise.clustering.checked import neighbours_of
from ppcls_ise.clustering.clusters import Clusters
from ppcls_ise.clustering.search.groups import group_neighbours
from ppcls_ise.clustering.silhouette import simplified_silhouette
from ppcls_ise.errors import ISEError
from tests.clustering.test_base import in_shares
from tests.clustering.twins import dense, jaccard

PLAIN = {"eps": 0.5, "min_samples": 2, "k1": 15, "k2": 3}


def people(seed=0, people=40, cameras=4, each=5, style=0.6, noise=0.35, dim=24, pairs=None):
    """Features, identities and cameras: persons seen by all cameras, or by one of the pairs of cameras."""
    rng = np.random.default_rng(seed)
    owner, camera = [], []
    for person in range(people):
        for seen_by in pairs[person % len(pairs)] if pairs else range(cameras):
            owner += [person] * each
            camera += [seen_by] * each
    owner, camera = np.array(owner), np.array(camera)
    x = rng.normal(size=(people, dim))[owner] + style * rng.normal(size=(cameras, dim))[camera]
    x += noise * rng.normal(size=x.shape) + 0.3 * rng.normal(size=(people, cameras, dim))[owner, camera]
    order = rng.permutation(len(x))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)[order], owner[order], camera[order]


def same_partition(one, other):
    """Equal but for the numbers of the clusters."""
    assert ((one < 0) == (other < 0)).all()
    pairs = {(a, b) for a, b in zip(one, other) if a >= 0}
    return len(pairs) == len(set(one[one >= 0])) == len(set(other[other >= 0]))


def two_stages(x, cameras, eps, min_samples, k1, k2):
    """Camera by camera with the dense Jaccard distance and scikit-learn; then greedily, the most similar pair first."""
    members = []
    for camera in sorted(set(cameras.tolist()) - {-1}):
        rows = np.flatnonzero(cameras == camera)
        labels = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit_predict(jaccard(x[rows], k1, k2))
        members += [(camera, rows[labels == label]) for label in range(labels.max() + 1)]
    means = np.array([x[rows].astype(np.float64).mean(axis=0) for _, rows in members])
    cosine = (means / np.linalg.norm(means, axis=1, keepdims=True)) @ (means / np.linalg.norm(means, axis=1)[:, None]).T
    of = np.array([camera for camera, _ in members])
    ids = sorted(set(of.tolist()))

    def best(cluster, allowed, likeness=cosine):
        return max((other for other in range(len(members)) if of[other] in allowed and of[other] != of[cluster]),
                   key=lambda other: likeness[cluster, other])

    scaled = cosine.copy()
    for g in ids:
        for h in ids:
            block = np.ix_(of == g, of == h)
            scaled[block] = (cosine[block] - cosine[block].mean()) / cosine[block].std()
    counts, plain = ({(g, h): 0 for g in ids for h in ids} for _ in range(2))
    for found, likeness in ((counts, scaled), (plain, cosine)):
        for cluster in range(len(members)):
            partner = best(cluster, ids, likeness)
            found[of[cluster], of[partner]] += best(partner, ids, likeness) == cluster
    strangers = np.full(len(members), np.nan)
    for g in ids:
        own = np.flatnonzero(of == g)
        others = cosine[np.ix_(own, own)][~np.eye(len(own), dtype=bool)].reshape(len(own), -1)
        strangers[own] = (others.max(axis=1) - others.mean()) / others.std()
    linked = set()
    for g in ids:
        for h in ids:
            gains = [scaled[a, of == other].max() - strangers[a] for one, other in ((g, h), (h, g))
                     for a in np.flatnonzero(of == one)]
            alike = np.mean(gains) >= max(0.1, 3 * np.std(gains) / len(gains) ** 0.5) and min(
                (of == one).sum() for one in (g, h)) >= 8
            a_g, a_h = (sum(plain[one, k] for k in ids if k not in (g, h)) for one in (g, h))
            rest = sum(plain[k, m] for k in ids for m in ids if not {k, m} & {g, h})
            smaller = min(sum(plain[one, k] for k in ids) for one in (g, h))
            predicted = plain[g, h] >= max(8, 2 * a_g * a_h / max(rest, 1), smaller / 4)
            largest = [max(counts[one, k] for k in ids) for one in (g, h)]
            best_of_both = all(counts[g, h] >= 0.8 * most for most in largest)
            contradicted = any(most >= 10 and counts[g, h] < 0.8 * most for most in largest)
            if g != h and (alike or counts[g, h] >= 8 and best_of_both or predicted and not contradicted):
                linked.add((g, h))
    joins = [(cosine[a, b], a, b) for a in range(len(members)) for b in range(a) if (of[a], of[b]) in linked
             and best(a, [of[b]]) == b and best(b, [of[a]]) == a]
    groups = [{cluster} for cluster in range(len(members))]
    for _, a, b in sorted(joins, reverse=True):
        one, other = (next(group for group in groups if cluster in group) for cluster in (a, b))
        if one is not other and not {of[c] for c in one} & {of[c] for c in other}:
            groups.remove(other)
            one |= other
    labels = np.full(len(x), -1)
    for number, group in enumerate(groups):
        for cluster in group:
            labels[members[cluster][1]] = number
    return labels, linked


@pytest.mark.parametrize("pairs", [None, [(0, 1), (2, 3)], [(0, 1, 2), (3,)]], ids=str)
@pytest.mark.parametrize("eps", [0.4, 0.6])
def test_two_stages_are_the_definition(pairs, eps):
    x, owner, cameras = people(pairs=pairs)
    found = CrossCameraDBSCAN(**PLAIN, camera_eps=eps, camera_min_samples=2, camera_k1=6, camera_k2=2)(x, cameras)
    expected, linked = two_stages(x, cameras, eps, 2, 6, 2)
    assert same_partition(found.labels, expected) and found.labels.max() > 20
    assert found.figures["linked_cameras"] == len(linked) / 2
    if pairs == [(0, 1), (2, 3)]:
        assert linked == {(0, 1), (1, 0), (2, 3), (3, 2)}
    if pairs is None:  # all see everybody
        assert found.figures["linked_cameras"] == 6


@pytest.mark.parametrize("cameras, seen_by", [(6, None), (6, [(0, 1, 2), (3, 4, 5)]), (15, None)], ids=str)
def test_all_cameras_are_linked_that_see_the_same_persons(cameras, seen_by):
    x, _, camera_of = people(people=150, cameras=cameras, pairs=seen_by, dim=64, noise=0.5)
    found = CrossCameraDBSCAN(**PLAIN)(x, camera_of)
    together = np.eye(cameras, dtype=bool)
    for group in seen_by or [range(cameras)]:
        together[np.ix_(group, group)] = True
    np.testing.assert_array_equal(found.linked | np.eye(cameras, dtype=bool), together)


def camera_jaccard(x, cameras, intra_k1, inter_k1, intra_k2, inter_k2):
    x = x.astype(np.float64)
    squared = ((x[:, None] - x[None]) ** 2).sum(-1).astype(np.float32)
    np.fill_diagonal(squared, -1)
    same = cameras[:, None] == cameras[None]
    lists = [[np.flatnonzero(own)[np.argsort(row[own], kind="stable")] for row, own in zip(squared, mask)]
             for mask in (same, ~same)]
    v = np.zeros((len(x), len(x)))
    for i in range(len(x)):
        members = sorted(j for ranks, k in zip(lists, (intra_k1, inter_k1)) for j in ranks[i][:k] if i in ranks[j][:k])
        weights = np.exp(-(2 - 2 * x[members] @ x[i]))
        v[i, members] = weights / weights.sum()
    v = np.stack([v[np.concatenate([lists[0][i][:intra_k2], lists[1][i][:inter_k2]])].mean(axis=0)
                  for i in range(len(x))])
    shared = np.stack([np.minimum(v[i], v).sum(axis=1) for i in range(len(x))])
    return np.maximum(0, 1 - shared / (2 - shared))


@pytest.mark.parametrize("sizes", [(6, 20, 2, 4), (6, 5, 2, 1), (3, 8, 1, 0)])
def test_camera_jaccard_is_the_definition(sizes):
    x, _, cameras = people(1, people=20)
    cameras[:17] = 9  # a small camera cuts its list
    x, cameras = x[:170], cameras[:170]
    intra_k1, inter_k1, intra_k2, inter_k2 = sizes
    own, others = (group_neighbours(x, cameras, k, among, slice(0, 170)) for k, among in
                   ((max(intra_k1, intra_k2), "same"), (max(inter_k1, inter_k2), "other")))
    found = camera_jaccard_pairs(x, own, others, *sizes).distances
    np.testing.assert_allclose(dense(found), camera_jaccard(x, cameras, *sizes), atol=1e-6)


@pytest.mark.parametrize("clustering", [
    CrossCameraDBSCAN(**PLAIN), CrossCameraDBSCAN(**PLAIN, search="paddle", block_size=50),
    CrossCameraDBSCAN(**PLAIN, camera_norm=True), CameraJaccardDBSCAN(**PLAIN, drop_single_camera=True),
    CameraJaccardDBSCAN(**PLAIN, search="paddle", block_size=50), KReciprocalDBSCAN(**PLAIN, camera_norm=True),
], ids=str)
class TestAll:
    def test_any_number_of_shares_gives_the_same(self, clustering):
        x, _, cameras = people(2)
        cameras[::50] = -1
        whole = clustering(x, cameras)
        for count in (2, 3):
            shared = in_shares(clustering, count, cameras, features=x)
            np.testing.assert_array_equal(shared.labels, whole.labels)
            assert (shared.figures, shared.kept, shared.lines) == (whole.figures, whole.kept, whole.lines)

    def test_the_order_of_images_does_not_matter(self, clustering):
        x, _, cameras = people(3)
        order = np.random.default_rng(0).permutation(len(x))
        assert same_partition(clustering(x[order], cameras[order]).labels, clustering(x, cameras).labels[order])

    def test_without_cameras_it_is_the_plain_clustering(self, clustering):
        x, _, cameras = people(4)
        expected = KReciprocalDBSCAN(**PLAIN)(x).labels
        for known in (None, np.full(len(x), -1), np.zeros(len(x), np.int64)):
            np.testing.assert_array_equal(clustering(x, known).labels, expected)


def test_paddle_search_gives_the_same():
    x, _, cameras = people(5)
    for clustering in (CrossCameraDBSCAN(**PLAIN), CameraJaccardDBSCAN(**PLAIN)):
        other = dataclasses.replace(clustering, search="paddle", block_size=64, half=True)
        np.testing.assert_array_equal(other(x, cameras).labels, clustering(x, cameras).labels)


def test_two_clusters_of_one_camera_are_not_put_together():
    # 0 and 3 are of camera 0, 1 of camera 1, 2 of camera 2; 0-1, 2-3 and, less so, 1-2 are each other's best.
    means = np.array([[1, 0.2, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0.5], [0.8, 0, 0, 0.8]], np.float32)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    cameras = np.array([0, 1, 2, 0])
    joins = join_clusters(best_matches(means, cameras, 3), cameras, ~np.eye(3, dtype=bool))
    assert (joins.labels.tolist(), joins.pairs.tolist(), joins.refused) == ([0, 0, 1, 1], [[0, 1], [2, 3]], 1)
    chain = np.array([[0, 1], [1, 0]], bool)
    matches = best_matches(means[[0, 1, 3]], np.array([0, 1, 0]), 2)
    assert join_clusters(matches, np.array([0, 1, 0]), chain).labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize("kind", [CrossCameraDBSCAN, CameraJaccardDBSCAN])
def test_no_cluster_is_an_error_with_advice(kind):
    x = np.random.default_rng(0).normal(size=(300, 24)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    cameras = np.arange(300) % 3
    clustering = kind(camera_eps=0.05)
    neighbours = neighbours_of(clustering, x, cameras, slice(0, 300), ())
    found = clustering.assign(x, cameras, neighbours, {})
    assert found.labels.max() == -1
    advice = clustering.advice(x, cameras, neighbours, found)
    tried = float(advice.split("Cluster.camera_eps is 0.05, try ")[1].split()[0])
    assert kind(camera_eps=tried)(x, cameras).labels.max() >= 0


@pytest.mark.parametrize("block", [3, 2048])
def test_matches_are_found_block_by_block(block, monkeypatch):
    x, owner, cameras = people(15, people=30)
    proxies = camera_proxies(x, owner, cameras)
    monkeypatch.setattr(camera_matches, "BLOCK", block)
    found = best_matches(proxies.features, proxies.cameras, 4)
    cosine = proxies.features @ proxies.features.T
    for cluster, camera in np.ndindex(len(cosine), 4):
        others, own = (np.flatnonzero(proxies.cameras == one) for one in (camera, proxies.cameras[cluster]))
        if camera == proxies.cameras[cluster]:
            assert found.clusters[cluster, camera] == -1 and found.similarity[cluster, camera] == -np.inf
            among = cosine[np.ix_(own, own)].astype(np.float64)
            among, best = among[~np.eye(len(own), dtype=bool)], cosine[cluster, own[own != cluster]].max()
            assert found.own[cluster] == pytest.approx(best, abs=1e-6)
            assert found.stranger[cluster] == pytest.approx((best - among.mean()) / among.std(), abs=1e-4)
            continue
        assert found.clusters[cluster, camera] == others[cosine[cluster, others].argmax()]
        pairs, best = cosine[np.ix_(own, others)].astype(np.float64), cosine[cluster, others].max()
        assert found.similarity[cluster, camera] == pytest.approx(best, abs=1e-6)
        assert found.standardized[cluster, camera] == pytest.approx((best - pairs.mean()) / pairs.std(), abs=1e-4)


def test_links_are_where_matches_are_more_than_the_others_predict():
    pairs = np.array([[0, 30, 1, 0], [30, 0, 0, 2], [1, 0, 0, 12], [0, 2, 12, 0]])
    assert np.argwhere(np.triu(beyond_expectation(pairs))).tolist() == [[0, 1], [2, 3]]
    assert not beyond_expectation(np.zeros((3, 3), int)).any()


def test_clusters_of_no_known_camera_stay_by_themselves():
    x, _, cameras = people(6, pairs=[(0, 1), (2, 3)])
    hidden = np.where(np.arange(len(x)) % 3 == 0, -1, cameras)
    found = CrossCameraDBSCAN(**PLAIN)(x, hidden)
    unknown = set(found.labels[hidden < 0]) - {-1}
    assert unknown and not unknown & set(found.labels[hidden >= 0])


def test_cameras_are_told_apart_where_there_are_two():
    assert known_cameras(None) is known_cameras([-1, 3, 3]) is None
    assert known_cameras([5, -1, 3]).tolist() == [5, -1, 3]
    assert camera_codes([5, -1, 3, 5]).tolist() == [1, -1, 0, 1]


def test_proxies_are_the_means_of_what_a_camera_saw_of_a_cluster():
    x, owner, cameras = people(7, people=5)
    labels = np.where(np.arange(len(x)) % 7 == 0, -1, owner)
    cameras[::5] = -1
    features, of_label, of_camera, partners = camera_proxies(x, labels, cameras)
    np.testing.assert_array_equal(partners, ~np.eye(4, dtype=bool))
    assert list(zip(of_label, of_camera)) == sorted(set(zip(labels, cameras)) - {
        (label, camera) for label in range(-1, 5) for camera in range(-1, 4) if label < 0 or camera < 0})
    for proxy, label, camera in zip(features, of_label, of_camera):
        mean = x[(labels == label) & (cameras == camera)].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(proxy, mean / np.linalg.norm(mean), atol=1e-6)
    nothing = camera_proxies(x, np.full(len(x), -1), cameras)
    assert [array.shape for array in nothing] == [(0, 24), (0,), (0,), (4, 4)]
    linked = np.zeros((4, 4), bool)
    linked[0, 1] = linked[1, 0] = True
    assert camera_proxies(x, labels, cameras, linked).partners.astype(int).tolist() == [
        [0, 1, 0, 0], [1, 0, 0, 0], [1, 1, 0, 1], [1, 1, 1, 0]]


@pytest.mark.parametrize("pairs", [None, [(0, 1), (2, 3)]], ids=str)
def test_similarity_of_clusters_within_cameras_and_across_them(pairs):
    x, owner, cameras = people(12, pairs=pairs)
    proxies = camera_proxies(x, owner, cameras)
    cosine = proxies.features.astype(np.float64) @ proxies.features.T
    np.fill_diagonal(cosine, -np.inf)
    same = proxies.cameras[:, None] == proxies.cameras
    linked = ~same & (pairs is None or proxies.cameras[:, None] // 2 == proxies.cameras // 2)
    expected = [np.where(mask, cosine, -np.inf).max(axis=1).mean() for mask in (same, ~same, linked)]
    expected.append(cosine[~same].mean())
    found = camera_similarity(proxies)
    assert list(found) == list(SIMILARITIES)
    np.testing.assert_allclose(list(found.values()), [*expected, expected[2] - expected[3]], rtol=1e-4)


def test_similarity_needs_two_clusters_of_one_camera_and_two_cameras():
    x = np.eye(4, dtype=np.float32)
    for labels, cameras in (([-1] * 4, [0, 1, 0, 1]), ([0, 1, 2, 3], [0] * 4), ([0, 1, 2, 3], [0, 1, 2, 3])):
        assert camera_similarity(camera_proxies(x, labels, cameras)) == {}
    found = camera_similarity(camera_proxies(x, [0, 1, 2, 3], [0, 1, 0, 1]))
    assert found == dict.fromkeys(SIMILARITIES, 0.0)


def test_standardized_features_have_no_camera_in_them():
    x, _, cameras = people(8)
    found = standardized_by_camera(x, cameras)
    for camera in range(4):
        rows = x[cameras == camera].astype(np.float64)
        expected = (rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1e-6)
        np.testing.assert_allclose(found[cameras == camera], expected / np.linalg.norm(expected, axis=1)[:, None],
                                   atol=1e-5)
    cameras[cameras == 3] = np.arange((cameras == 3).sum()) + 3  # of one image each: the statistics of all
    rows = x.astype(np.float64)
    expected = ((rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1e-6))[cameras >= 3]
    np.testing.assert_allclose(standardized_by_camera(x, cameras)[cameras >= 3],
                               expected / np.linalg.norm(expected, axis=1)[:, None], atol=1e-5)


def test_clusters_of_one_camera_are_left_out():
    labels, cameras = [0, 0, 1, 1, 2, 2, -1, 3, 3], [0, 0, 0, 1, 2, -1, 0, 5, 4]
    assert spanning_cameras(labels, cameras).tolist() == [-1, -1, 0, 0, -1, -1, -1, 1, 1]
    assert spanning_cameras([], []).tolist() == []


def test_cameras_of_one_style_are_not_linked_for_that():
    # 0 sees whom 1 sees, and 2 whom 3 sees; but 0 and 2 have one style, 1 and 3 another.
    x, _, cameras = people(11, people=60, pairs=[(0, 1), (2, 3)], style=0.2, noise=0.25)
    styles = 1.2 * np.random.default_rng(0).normal(size=(2, 24)) / 24 ** 0.5
    x = x + styles[cameras % 2].astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    means = np.stack([x[cameras == camera].mean(axis=0) for camera in range(4)])
    assert means[0] @ means[2] > means[0] @ means[1] + 0.2  # style is what is most alike
    found = CrossCameraDBSCAN(**PLAIN)(x, cameras)
    assert found.linked.astype(int).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]


def test_eps_covers_a_share_of_the_images():
    x, _, cameras = people(10, noise=0.8, dim=12)
    found = CrossCameraDBSCAN(**PLAIN)(x, cameras)
    eps = found.kept["camera_eps"]
    assert 0.6 <= (found.labels >= 0).mean() < 0.8 and found.figures["eps"] == eps
    assert found.lines[1] == f"Cluster.camera_eps auto: {eps}, kept from now on"
    smaller = CrossCameraDBSCAN(**PLAIN, camera_eps=eps - 0.02, camera_k1=int(found.kept["camera_k1"]))(x, cameras)
    assert (smaller.labels >= 0).mean() < 0.6
    again = CrossCameraDBSCAN(**PLAIN)(x, cameras, kept={"camera_eps": 0.3, "camera_k1": 6})
    assert again.figures["eps"] == 0.3 and again.kept == {"camera_eps": 0.3, "camera_k1": 6}


@pytest.mark.parametrize("block_size", [7, 4096])
def test_the_silhouette_is_its_formula(block_size):
    x, owner, cameras = people(13, people=8)
    labels = np.where(np.arange(len(x)) % 5 == 0, -1, owner * 4 + cameras)
    scores = []
    for row in np.flatnonzero(labels >= 0):
        within = np.flatnonzero(labels == labels[row])
        others = [x[labels == label].astype(np.float64).mean(axis=0)
                  for label in set(labels[cameras == cameras[row]]) - {-1, labels[row]}]
        own = x[within[within != row]].astype(np.float64).mean(axis=0)
        a, b = (1 - max(x[row] @ mean / np.linalg.norm(mean) for mean in means) for means in ([own], others))
        scores.append((b - a) / max(a, b))
    assert simplified_silhouette(x, labels, cameras, block_size) == pytest.approx(np.mean(scores), abs=1e-5)
    assert simplified_silhouette(x, np.full(len(x), -1), cameras) == -1
    assert simplified_silhouette(x, np.where(labels == labels.max(), 0, -1), cameras) == -1
    halves = np.where(np.arange(len(x)) % 2, owner * 4 + cameras, 32 + owner * 4 + cameras)
    whole = simplified_silhouette(x, owner * 4 + cameras, cameras)
    pairs = simplified_silhouette(x, owner // 2 * 4 + cameras, cameras)
    assert simplified_silhouette(x, halves, cameras) < whole > pairs


@pytest.mark.parametrize("each, expected", [(5, 6), (18, 12), (30, 24)])
def test_neighbours_fit_the_images_a_camera_has_of_a_person(each, expected):
    x, _, cameras = people(14, people=20, cameras=2, each=each, noise=0.7)
    clustering = CrossCameraDBSCAN(**PLAIN)
    found = clustering(x, cameras)
    assert found.figures["camera_k1"] == found.kept["camera_k1"] == expected
    assert found.lines[0].startswith(f"Cluster.camera_k1 auto: {expected}, kept from now on (silhouettes 6: ")
    again = clustering(x, cameras, kept=found.kept)
    np.testing.assert_array_equal(again.labels, found.labels)
    assert again.kept == found.kept and not any("auto" in line for line in again.lines)
    fixed = CrossCameraDBSCAN(**PLAIN, camera_k1=expected)(x, cameras)
    np.testing.assert_array_equal(fixed.labels, found.labels)
    assert "camera_k1" not in fixed.kept


def test_links_can_be_said():
    x, _, cameras = people(6, pairs=[(0, 1), (2, 3)])
    everything, nothing = (CrossCameraDBSCAN(**PLAIN, camera_links=links)(x, cameras) for links in ("all", "none"))
    assert (everything.linked == ~np.eye(4, dtype=bool)).all() and everything.figures["linked_cameras"] == 6
    assert not nothing.linked.any() and nothing.figures["joins"] == 0
    assert nothing.labels.max() + 1 == nothing.figures["camera_clusters"] > everything.labels.max() + 1


@pytest.mark.parametrize("keys", [{"camera_eps": 1.5}, {"camera_k1": 0},
                                  {"camera_min_samples": 0}])
def test_values_out_of_range_are_errors(keys):
    with pytest.raises(ISEError, match=next(iter(keys))):
        CrossCameraDBSCAN(**keys)
    with pytest.raises(ISEError, match="inter_k2"):
        CameraJaccardDBSCAN(inter_k2=-1)
    with pytest.raises(ISEError, match="exact or paddle"):
        CrossCameraDBSCAN(search="faiss")
    with pytest.raises(ISEError, match="exact or paddle"):
        CameraJaccardDBSCAN(search="ivf")


def test_mutual_counts_need_a_partner():
    matches = best_matches(np.eye(3, dtype=np.float32), np.array([0, 0, -1]), 2)
    assert not mutual_counts(matches, np.array([0, 0, -1]), matches.similarity).any()


def test_clusters_of_one_camera_are_kept_where_none_spans_two():
    x, pids, cameras = people(6)
    apart = cameras * 1000 + pids  # every camera sees other persons
    clustering = KReciprocalDBSCAN(**PLAIN, drop_single_camera=True)
    found = clustering.selected(Clusters(apart), cameras)
    np.testing.assert_array_equal(found.labels, apart)
    assert found.lines == ["drop_single_camera: no cluster spans cameras yet, so none is left out"]
