"""What every clustering is given and gives, by one that needs all of it."""
import dataclasses

import numpy as np
import paddle
import pytest

from ppcls_ise.clustering import (
    CLUSTERINGS,
    Clustering,
    Clusters,
    KReciprocalDBSCAN,
    nearest_neighbours,
    register_clustering,
)
from ppcls_ise.clustering.checked import neighbours_of, scanned_by
from ppcls_ise.clustering.features import for_search
from ppcls_ise.errors import ISEError
from tests.clustering.by_camera import ByCamera
from tests.clustering.twins import features

X, CAMERAS = features(301, groups=40, noise=0.3), np.arange(301) % 4


def in_shares(clustering, count, cameras=CAMERAS, kept=None, features=X):
    """As training does with ``count`` processes."""
    prepared = clustering.prepare(features, cameras)
    edges = [len(features) * part // count for part in range(count + 1)]
    shares = [scanned_by(clustering, prepared, cameras, part, count) for part in range(count)]
    scanned = tuple(map(np.stack, zip(*shares)))
    parts = [neighbours_of(clustering, prepared, cameras, rows, tuple(array[:, rows] for array in scanned))
             for rows in (slice(*ends) for ends in zip(edges, edges[1:]))]
    return clustering.assign(prepared, cameras, tuple(map(np.concatenate, zip(*parts))), kept or {})


@dataclasses.dataclass(frozen=True)
class OwnSearch(KReciprocalDBSCAN):
    """Searches in its own way, and knows nothing of :meth:`Clustering.scan`."""

    def neighbours(self, features, cameras, rows):
        found, = super().neighbours(features, cameras, rows)
        return (found[:, :20],)

    def assign(self, features, cameras, neighbours, kept):
        return KReciprocalDBSCAN(self.eps, k1=20, k2=1).assign(features, cameras, neighbours, kept)


@pytest.mark.parametrize("clustering", [ByCamera(), ByCamera(centre=False), KReciprocalDBSCAN("auto"), OwnSearch(0.5),
                                        KReciprocalDBSCAN(0.5, search="paddle", block_size=50)], ids=str)
@pytest.mark.parametrize("count", [1, 2, 3, 400])  # 400: most shares are empty
def test_any_number_of_shares_gives_the_same(clustering, count):
    whole, shared = clustering(X, CAMERAS), in_shares(clustering, count)
    assert whole.labels.max() > 10
    np.testing.assert_array_equal(shared.labels, whole.labels)
    assert (shared.figures, shared.kept, shared.lines) == (whole.figures, whole.kept, whole.lines)


def test_cameras_and_prepared_features_reach_what_needs_them():
    with_cameras, plain, without = ByCamera()(X, CAMERAS), ByCamera(centre=False)(X, CAMERAS), ByCamera()(X)
    assert with_cameras.lines == [f"{with_cameras.figures['joins']} joins"] and with_cameras.figures["joins"] > 20
    assert without.lines == ["no cameras: nothing to join"] and without.figures["joins"] == 0
    for other in (plain, without):
        assert not np.array_equal(other.labels, with_cameras.labels)
    np.testing.assert_array_equal(ByCamera(centre=False)(ByCamera().prepare(X, CAMERAS), CAMERAS).labels,
                                  with_cameras.labels)
    np.testing.assert_array_equal(ByCamera()(paddle.to_tensor(X), CAMERAS).labels, with_cameras.labels)


def test_what_is_kept_comes_back():
    first = ByCamera()(X, CAMERAS)
    assert first.figures["joins_before"] == -1
    assert ByCamera()(X, CAMERAS, first.kept).figures["joins_before"] == first.figures["joins"]


def test_eps_is_chosen_once_and_kept_whatever_the_config_says():
    first = KReciprocalDBSCAN("auto")(X)
    assert first.kept == {"eps": first.figures["eps"]} and 0.1 < first.kept["eps"] < 0.9
    assert first.lines == [f"Cluster.eps auto: {first.kept['eps']}, kept from now on"]
    again = KReciprocalDBSCAN("auto")(X, kept={"eps": 0.37})
    assert again.kept == {"eps": 0.37} and not again.lines
    np.testing.assert_array_equal(again.labels, KReciprocalDBSCAN(0.37)(X, kept={"eps": 0.9}).labels)
    fixed = KReciprocalDBSCAN(0.37)(X)
    assert fixed.kept == {} and fixed.figures == {"eps": 0.37}
    assert set(first.seconds) == {"jaccard", "eps", "dbscan"} and set(again.seconds) == {"jaccard", "dbscan"}


@dataclasses.dataclass(frozen=True)
class Alternating(Clustering):
    """Needs nothing but :meth:`assign`."""

    def assign(self, features, cameras, neighbours, kept):
        assert neighbours == () and kept == {} and cameras is None
        return Clusters([row % 3 - 1 for row in range(len(features))])


def test_only_assign_is_needed():
    labels = Alternating()(X[:5]).labels
    assert labels.dtype == np.int64 and labels.tolist() == [-1, 0, 1, -1, 0]
    assert "Cluster block" in Alternating().advice(X, None, (), Clusters(labels))
    with pytest.raises(TypeError, match="assign"):
        dataclasses.dataclass(frozen=True)(type("Nothing", (Clustering,), {}))()


def test_labels_are_whole_numbers():
    assert Clusters(np.array([0, -1], np.int32)).labels.dtype == np.int64
    with pytest.raises(ISEError, match="labels must be whole numbers, not float64"):
        Clusters([0.5, 1.0])


@dataclasses.dataclass(frozen=True, eq=False)
class Returning(Clustering):
    """Gives, or raises, whatever a user's class may; by method."""

    prepare: object = lambda features, cameras: features
    neighbours: object = lambda features, cameras, rows, scanned=(): ()
    result: object = None
    scan: object = lambda features, cameras, part, parts: ()

    def assign(self, features, cameras, neighbours, kept):
        return self.result(len(features))


def labels_of(make):
    return {"result": lambda count: Clusters(make(np.arange(count)))}


def with_parts(**parts):
    return {"result": lambda count: Clusters(np.arange(count) % 3, **parts)}


def raising(error):
    def method(*arguments):
        raise error
    return method


MISTAKES = {
    "none": ({"result": lambda count: None}, r"assign must return Clusters\(labels\), not a NoneType"),
    "array": ({"result": np.arange}, r"assign must return Clusters\(labels\), not an array \[301\]"),
    "short": (labels_of(lambda n: n[1:] % 3), r"labels must be of shape \[301\], one for each image, not \[300\]"),
    "2-D": (labels_of(lambda n: n[:, None] % 3), r"labels must be of shape \[301\], .* not \[301, 1\]"),
    "float": (labels_of(lambda n: n / 3), "labels must be whole numbers, not float64"),
    "gap": (labels_of(lambda n: n % 3 * 2), "labels must be 0..K-1 without gaps, but 1 is missing below 4"),
    "huge": (labels_of(lambda n: n * 10**12), "labels must be .* but 1 is missing below 300000000000000"),
    "no zero": (labels_of(lambda n: n % 3 + 1), "labels must be 0..K-1 without gaps, but 0 is missing below 3"),
    "below -1": (labels_of(lambda n: n % 3 - 2), "labels must be -1, which is an outlier, or above, not -2"),
    "kept text": (with_parts(kept={"q": "text"}), "kept must be a dict of numbers by name, not 'q': 'text'"),
    "figures text": (with_parts(figures={"q": "text"}), "figures must be a dict of numbers by name, not 'q': 'text'"),
    "figures none": (with_parts(figures=None), "figures must be a dict of numbers, not a NoneType"),
    "seconds": (with_parts(seconds={"x": None}), "seconds must be a dict of numbers by name, not 'x': None"),
    "lines": (with_parts(lines="all well"), "lines must be a list of texts, not 'all well'"),
    **{name: (with_parts(figures={name: 1.0}), f"its figure '{name}' needs another name")
       for name in ("labels", "paths", "seconds_x", "epoch", "file")},
    "linked": (with_parts(linked=np.ones((1, 1), bool)), r"linked must be bool of shape \[0, 0\], .* bool \[1, 1\]"),
    "prepare": ({"prepare": raising(ValueError("says no"))}, "says no"),
    "prepared": ({"prepare": lambda features, cameras: features[1:]}, r"prepare must .* \[301, D\], not .* \[300,"),
    "neighbours": ({"neighbours": raising(ImportError("says no"))}, "says no"),
    "list": ({"neighbours": lambda *_: np.zeros(301)}, r"neighbours must return a tuple .*, not an array \[301\]"),
    "rows": ({"neighbours": lambda *_: [np.zeros(3)]}, r"neighbours must .* each of 301 images, not an array \[3\]"),
    "assign": ({"result": raising(ValueError("says no"))}, "says no"),
}


@pytest.mark.parametrize("parts, message", MISTAKES.values(), ids=MISTAKES)
def test_what_a_clustering_does_wrong_is_an_error_that_names_it(parts, message):
    with pytest.raises(ISEError, match=f"^Returning: {message}"):
        Returning(**parts)(X)


@pytest.mark.parametrize("scan, message", [
    (raising(ValueError("says no")), "says no"),
    (lambda *_: np.zeros(301), r"scan must return a tuple of arrays, not an array \[301\]"),
    (lambda *_: [np.zeros(3)], r"scan must return a row for each of 301 images, not an array \[3\]")])
def test_what_a_scan_does_wrong_is_an_error_that_names_the_clustering(scan, message):
    with pytest.raises(ISEError, match=f"^Returning: {message}"):
        scanned_by(Returning(scan=scan), X, CAMERAS, 0, 2)


def test_a_scan_reaches_the_neighbours_that_take_it():
    def neighbours(features, cameras, rows, scanned=()):
        return scanned

    def scan(features, cameras, part, parts):
        return [np.full(301, 10 * parts + part)]

    scanned, = scanned_by(Returning(scan=scan, neighbours=neighbours), X, CAMERAS, 1, 3)
    assert scanned.tolist() == [31] * 301
    found, = neighbours_of(Returning(neighbours=neighbours), X, CAMERAS, slice(0, 301), (scanned,))
    assert found is scanned
    old = Returning(scan=scan, neighbours=lambda features, cameras, rows: ())
    assert scanned_by(old, X, CAMERAS, 1, 3) == () == neighbours_of(old, X, CAMERAS, slice(0, 9))


def test_what_a_clustering_may_give():
    parts = {"kept": {"a": np.float32(1)}, "figures": {"b": 2, "c": np.int64(3)}, "lines": ["x"], "seconds": {"d": 1.0}}
    assert Returning(**with_parts(**parts))(X).figures == parts["figures"]
    assert (Returning(**labels_of(lambda n: n * 0 - 1))(X).labels == -1).all()


def test_advice_of_a_derived_class_that_records_no_eps():
    class Derived(KReciprocalDBSCAN):
        def assign(self, features, cameras, neighbours, kept):
            return Clusters(np.full(len(features), -1))

    assert "Cluster block" in Derived().advice(X, None, (np.zeros((301, 30), np.int32),), Derived()(X))


def test_a_bug_in_a_clustering_keeps_its_traceback_and_says_whose_it_is():
    with pytest.raises(KeyError, match="q") as caught:
        Returning(result=raising(KeyError("q")))(X)
    assert caught.traceback[-1].name == "method"
    assert getattr(caught.value, "__notes__", ["in the clustering Returning"]) == ["in the clustering Returning"]


def test_features_that_are_no_numbers_are_refused_before_anything():
    bad = X.copy()
    bad[3, 0] = np.nan
    with pytest.raises(ISEError, match="rows 3"):
        ByCamera()(bad, CAMERAS)


def test_features_are_searched_where_they_are():
    class OnGPU:
        """As a tensor there: only its place is asked for."""

        __module__, numpy = "paddle", None
        place = type("Place", (), {"is_cpu_place": lambda self: False})()

    tensor = OnGPU()
    assert for_search(tensor, X, X) is tensor  # no second copy of what was not changed
    other = X[:, ::-1].copy()
    assert for_search(X, X, other) is other and for_search(paddle.to_tensor(X), X, other) is other


@pytest.mark.parametrize("keys, message", [
    ({"eps": 0.0}, "eps must be above 0 and below 1"), ({"eps": 1.0}, "eps must be above 0 and below 1"),
    ({"eps": float("nan")}, "eps must be"), ({"min_samples": 0}, "min_samples must be above 0"),
    ({"k1": -1}, "k1 must be above 0"), ({"k2": 0}, "k2 must be above 0"), ({"probes": 0}, "probes must be above 0"),
    ({"block_size": 0}, "block_size must be above 0")])
def test_a_message_on_a_key_begins_with_it(keys, message):
    with pytest.raises(ISEError, match=f"^{message}"):
        KReciprocalDBSCAN(**keys)


def test_registered_by_the_name_of_the_class(monkeypatch):
    monkeypatch.setitem(CLUSTERINGS, "Alternating", None)  # so that it is taken out in the end
    del CLUSTERINGS["Alternating"]
    assert register_clustering(Alternating) is Alternating is CLUSTERINGS["Alternating"]
    register_clustering(Alternating)  # a file may be run twice
    with pytest.raises(ISEError, match="k_reciprocal has registered a clustering KReciprocalDBSCAN; .* another name"):
        register_clustering(type("KReciprocalDBSCAN", (Alternating,), {"__module__": "somewhere"}))
    assert CLUSTERINGS["KReciprocalDBSCAN"] is KReciprocalDBSCAN


def test_neighbours_of_the_default_are_the_public_search():
    found, = KReciprocalDBSCAN(k1=5, k2=9).neighbours(X, None, slice(7, 50))
    np.testing.assert_array_equal(found, nearest_neighbours(X, 9)[7:50])
