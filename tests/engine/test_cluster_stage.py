"""Clustering as a stage of training: log, record, keys, any clustering, every odd data set with its defined outcome."""
import dataclasses
import pathlib
import re

import numpy as np
import paddle
import pytest
import yaml

from ppcls_ise.clustering import choose_eps, cluster_centroids, near_pairs, pseudo_labels, scan_pairs
from ppcls_ise.clustering.cameras import SIMILARITIES, camera_proxies, camera_similarity
from ppcls_ise.clustering.checked import scanned_by
from ppcls_ise.clustering.search import neighbours
from ppcls_ise.engine import clustering_of
from ppcls_ise.engine.cluster_stage import cluster_images, kept_of, state_of
from ppcls_ise.engine.extraction import extract_features
from ppcls_ise.errors import ISEError
from ppcls_ise.metric.epoch_table import read_table
from tests.clustering.twins import features
from tests.helpers import ROOT
from tests.training import cluster_hook


@pytest.fixture
def cluster(tmp_path):
    """Cluster features as the hook does, by a Cluster block; returns (Clustered, record)."""

    def run(x, kept=None, cameras=None, **block):
        clustering, _ = clustering_of(block)
        file = tmp_path / "labels" / "epoch_3.npz"
        names = [f"{row:04d}.jpg" for row in range(len(x))]
        found = cluster_images(paddle.to_tensor(x), cameras, names, clustering, kept or {}, str(file),
                               "[Cluster][Epoch 3]", {"x": 1.0})
        return found, np.load(file)

    return run


def test_clusters_of_no_known_camera_have_no_proxies(cluster):
    x = np.eye(40, dtype=np.float32)[np.arange(60) % 40]  # rows 0 to 19 twice, the others once
    cameras = np.where(np.arange(60) % 40 < 20, -1, np.arange(60) % 2)
    found, _ = cluster(x, cameras=cameras, k1=4, k2=1, eps=0.5, min_samples=2)
    assert found.labels.max() == 19 and found.proxies is None and "camera_margin" not in found.figures


def test_the_record(cluster, tmp_path):
    x = features(300, groups=20)
    found, record = cluster(x, kept={"eps": 0.2}, min_samples=3)
    np.testing.assert_array_equal(found.labels, pseudo_labels(x, 0.4, 3))  # the config's eps, not the one kept
    np.testing.assert_array_equal(record["labels"], found.labels)
    assert record["paths"].tolist()[:2] == ["0000.jpg", "0001.jpg"] and record["eps"] == found.figures["eps"] == 0.4
    assert found.kept == {}  # so that a run that goes on with auto chooses
    assert {key for key in record.files if key.startswith("seconds_")} == {
        f"seconds_{part}" for part in ("x", "neighbours", "jaccard", "dbscan", "centroids")}
    assert [file.name for file in (tmp_path / "labels").iterdir()] == ["epoch_3.npz"]


def test_a_record_that_cannot_be_written_is_named(cluster, tmp_path):
    (tmp_path / "labels").write_text("a file where the folder should be")
    with pytest.raises(ISEError, match="cannot be written to .*labels/epoch_3.npz .*Global.output_dir"):
        cluster(features(300, groups=20))


@pytest.mark.parametrize("block", [{"search": "faiss"}, {"search": "paddle"}, {"search": "paddle", "block_size": 50},
                                   {"search": "paddle", "half": True}, {"search": "ivf"}], ids=str)
def test_any_search_gives_the_same_labels(cluster, block):
    x = features(300, groups=20, duplicates=40)
    found, _ = cluster(x, **block)
    assert found.labels.max() > 5
    np.testing.assert_array_equal(found.labels, pseudo_labels(x, 0.4))


def test_settings_reach_the_search(cluster, monkeypatch):
    from ppcls_ise.clustering.search import paddle_scan

    seen = []

    class Spy(paddle_scan.PaddleScan):
        def __init__(self, x, block_size, half, *groups):
            super().__init__(x, block_size, half, *groups)
            self.seen = type(x), block_size, half

        def ranked(self, rows, found, near, k):
            seen.append((self.seen[0], k, len(rows), *self.seen[1:]))
            return super().ranked(rows, found, near, k)

    monkeypatch.setattr(paddle_scan, "PaddleScan", Spy)
    cluster(features(100), search="paddle", block_size=32, half=True, k1=9)
    # What a GPU does by itself: the tensor is searched where it is.
    monkeypatch.setattr(neighbours, "_choose", lambda x: "paddle")
    cluster(features(100), k1=9)
    assert seen == [(np.ndarray, 9, 100, 32, True), (np.ndarray, 9, 100, 4096, False)]


def test_recall_of_an_approximate_search_is_measured_and_told(cluster, monkeypatch):
    from ppcls.utils import logger

    lines = []
    monkeypatch.setattr(logger, "info", lines.append)
    _, record = cluster(features(3000, groups=150, noise=0.3), search="ivf", probes=2, min_samples=2)
    assert 0.5 < record["recall"] < 1
    reported = next(line for line in lines if "approximate" in line)
    assert f"{100 * record['recall']:.1f} % of the nearest" in reported and "Cluster.probes than 2" in reported


def test_eps_auto_is_chosen_once_and_kept(cluster):
    x = features(300, groups=20, noise=0.4)
    chosen, record = cluster(x, eps="auto")
    eps = chosen.kept["eps"]
    assert eps == record["eps"] == choose_eps(near_pairs(x, 0.9))
    assert "seconds_eps" in record.files
    np.testing.assert_array_equal(chosen.labels, pseudo_labels(x, eps))
    kept, record = cluster(x, kept={"eps": 0.37}, eps="auto")
    assert kept.kept["eps"] == record["eps"] == 0.37 != eps and "seconds_eps" not in record.files
    np.testing.assert_array_equal(kept.labels, pseudo_labels(x, 0.37))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_no_numbers_name_their_images(cluster, bad):
    x = features(50)
    x[[17, 31], 3] = bad
    with pytest.raises(ISEError, match=r"Epoch 3\] the features of 2 of 50 images hold NaN .*0017.jpg, 0031.jpg"):
        cluster(x)


def test_no_cluster_names_distances_and_an_eps_that_works(cluster):
    x = features(400, groups=100, noise=0.8)
    with pytest.raises(ISEError, match="no cluster among 400 images.*at most .* for 5 %") as error:
        cluster(x, eps=0.01)
    found, _ = cluster(x, eps=float(str(error.value).split("try ")[1].split()[0]))
    assert found.labels.max() >= 0
    with pytest.raises(ISEError, match="no cluster among 9 images: three quarters of the images"):
        cluster(np.eye(9, dtype=np.float32), eps="auto", k1=1, k2=1)


@pytest.mark.parametrize("count", [1, 3])
def test_fewer_images_than_min_samples(cluster, count):
    with pytest.raises(ISEError, match="fewer images than Cluster.min_samples 4"):
        cluster(features(count))


@pytest.mark.parametrize("x, clusters, outliers", [
    (features(30), 1, 0),  # no more images than k1: all are each other's neighbours
    (np.repeat(features(1), 50, axis=0), 1, 0),  # one image, fifty times
    (np.concatenate([np.repeat(np.eye(4, 16, dtype=np.float32), 50, axis=0), np.zeros((3, 16), np.float32)]), 4, 3),
], ids=["few", "duplicates", "zero vectors"])
@pytest.mark.parametrize("eps", [0.4, "auto"])
def test_odd_sets_have_a_defined_outcome(cluster, x, clusters, outliers, eps):
    found, _ = cluster(x, eps=eps)
    assert found.labels.max() + 1 == len(found.centroids) == clusters and (found.labels < 0).sum() == outliers
    np.testing.assert_allclose(np.linalg.norm(found.centroids, axis=1), 1, atol=1e-6)


def test_no_image():
    with pytest.raises(ISEError, match="train: there is no image"):
        extract_features(paddle.nn.Identity(), [], batch_size=4, name="train")


def test_collapsed_features_are_told(monkeypatch):
    from ppcls_ise.engine import cluster_stage

    lines = []
    monkeypatch.setattr(cluster_stage.logger, "warning", lines.append)
    rng = np.random.default_rng(0)
    spread = rng.standard_normal((20, 8))
    for rows, reported in ((spread, 0), (np.ones((20, 8)) + 1e-3 * spread, 1)):
        lines.clear()
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        cluster_stage._warn_of_collapse(rows.astype("float32"), "[Cluster]")
        assert len(lines) == reported


BY_CAMERA = f"{ROOT / 'tests/clustering/by_camera.py'}:ByCamera"


def test_any_clustering_is_run_with_cameras_and_says_what_it_has_to_say(cluster, monkeypatch):
    from ppcls.utils import logger

    lines, x, cameras = [], features(300, groups=20), np.arange(300) % 3
    monkeypatch.setattr(logger, "info", lines.append)
    found, record = cluster(x, {"joins": 7}, cameras, name=BY_CAMERA)
    expected = clustering_of({"name": BY_CAMERA})[0](x, cameras, {"joins": 7})
    np.testing.assert_array_equal(found.labels, expected.labels)
    proxies = camera_proxies(x, found.labels, cameras)
    assert found.figures == {**expected.figures, **camera_similarity(proxies)}
    assert found.kept == expected.kept and found.figures["joins_before"] == 7
    for own, other in zip(found.proxies, proxies):
        np.testing.assert_array_equal(own, other)
    np.testing.assert_allclose(found.centroids, cluster_centroids(x, found.labels))  # not of the prepared features
    assert set(record.files) == {"labels", "paths", "joins", "joins_before", *SIMILARITIES, "seconds_x",
                                 "seconds_neighbours", "seconds_centroids"}
    assert record["joins"] == found.figures["joins"]
    assert lines[0] == f"[Cluster][Epoch 3] {found.figures['joins']:.0f} joins" and "] images: 300, clus" in lines[1]


def test_no_cluster_of_any_clustering(cluster):
    with pytest.raises(ISEError, match=r"^\[Cluster\]\[Epoch 3\] no cluster among 9 images: change the keys"):
        cluster(np.eye(9, dtype=np.float32), name=BY_CAMERA)


WRONG = """import dataclasses
import numpy as np
from ppcls_ise.clustering import Clustering, Clusters

@dataclasses.dataclass(frozen=True)
class Wrong(Clustering):
    how: str

    def prepare(self, features, cameras):
        if self.how == "prepare":
            raise ValueError("says no")
        return features

    def neighbours(self, features, cameras, rows):
        return (np.zeros(1 if self.how == "rows" else rows.stop - rows.start),)

    def assign(self, features, cameras, neighbours, kept):
        labels = np.arange(len(features)) % 3
        if self.how == "bug":
            return {}["how"]
        return Clusters(labels * 2 if self.how == "gap" else labels, figures={self.how: 99.0})
"""


@pytest.mark.parametrize("how, message", [
    ("prepare", "says no"), ("rows", "neighbours must return a row for each of 100 images"),
    ("gap", "labels must be 0..K-1 without gaps"), ("paths", "its figure 'paths' needs another name"),
    ("clusters", "its figure 'clusters' needs another name"), ("purity", "its figure 'purity' needs another name")])
def test_what_a_clustering_does_wrong_is_an_error_with_title_and_name(cluster, tmp_path, how, message):
    (tmp_path / "wrong.py").write_text(WRONG)
    with pytest.raises(ISEError, match=rf"^\[Cluster\]\[Epoch 3\] Wrong: {message}"):
        cluster(features(100), name=f"{tmp_path / 'wrong.py'}:Wrong", how=how)
    assert not (tmp_path / "labels").exists()


def test_figures_of_any_other_name_are_recorded_and_a_bug_keeps_its_traceback(cluster, tmp_path):
    (tmp_path / "wrong.py").write_text(WRONG)
    for how in ("target", "record", "x"):
        assert cluster(features(100), name=f"{tmp_path / 'wrong.py'}:Wrong", how=how)[1][how] == 99
    with pytest.raises(KeyError, match="how") as caught:
        cluster(features(100), name=f"{tmp_path / 'wrong.py'}:Wrong", how="bug")
    assert str(caught.traceback[-1].path).endswith("wrong.py")


def test_what_is_kept_lies_in_a_checkpoint():
    kept, ours, other = {"eps": 0.37, "joins": 12.0}, {"eps": "auto"}, {"name": "a.py:ByCamera"}
    state = {name: np.asarray(value) for name, value in state_of(ours, kept).items()}
    assert kept_of(ours, {"labels": np.zeros(3), **state}) == kept
    assert kept_of(other, state) == {}  # of another clustering: means nothing to this one
    assert kept_of({"name": "KReciprocalDBSCAN"}, state) == kept
    before = {"eps": np.asarray(0.4), "step": np.asarray(3)}  # as checkpoints were once
    assert kept_of(ours, before) == {"eps": 0.4} and kept_of(other, before) == {}
    assert kept_of(ours, {}) == kept_of(None, {}) == {}


@pytest.mark.parametrize("name, same", [
    ("dir/a.py:C", True), ("./dir/a.py:C", True), ("dir//a.py:C", True), ("b.py:C", False), ("other/a.py:C", False),
    ("dir/a.py:D", False), ("dir.a:C", False), ("C", False), ("KReciprocalDBSCAN", False)])
def test_what_a_class_keeps_is_not_read_by_one_of_that_name_in_another_file(tmp_path, name, same):
    np.savez(tmp_path / "state.npz", **state_of({"name": "dir/a.py:C"}, {"radius": 2.0}))
    with np.load(tmp_path / "state.npz") as state:
        assert kept_of({"name": name}, dict(state)) == ({"radius": 2.0} if same else {})


@pytest.mark.slow
def test_a_resumed_run_gets_back_what_was_kept(train, losses):
    overrides = [f"Cluster={{'name': '{BY_CAMERA}', 'likeness': 0.1}}", "Global.save_interval=1"]
    whole, lines = train(*overrides, "Global.epochs=3")
    stem = str(next(pathlib.Path(whole.output_dir).rglob("epoch_1.pdparams")))[:-len(".pdparams")]
    resumed, again = train(*overrides, "Global.epochs=3", f"Global.checkpoints={stem}", name="resumed")
    assert len(losses(again)) == 6 and losses(lines)[-6:] == losses(again)
    tables = [read_table(f"{engine.output_dir}/clusters.csv") for engine in (whole, resumed)]
    assert tables[0][1]["joins_before"] == -1 and tables[0][2] == tables[1][2]
    for table in tables:
        assert table[3]["joins_before"] == table[2]["joins"] > 0


def test_the_methods_of_the_documents_share_the_work_of_its_file_by_pairs():
    page = (ROOT / "docs/clustering.md").read_text()
    file, methods = (re.search(rf"^```{kind}\n(.*?)^```", page, re.M | re.S)[1] for kind in ("py", "python"))
    names = {"scan_pairs": scan_pairs, "__name__": "documents"}
    exec(f"{file}\n\nclass Shared(SimilarImages):\n{methods}", names)
    x, rows = features(300, groups=20), slice(100, 170)
    whole = names["SimilarImages"](k=9).neighbours(x, None, rows)
    shares = [scanned_by(names["Shared"](k=9), x, None, part, 3) for part in range(3)]
    scanned = tuple(np.stack(arrays)[:, rows] for arrays in zip(*shares))
    found, similarity = names["Shared"](k=9).neighbours(x, None, rows, scanned)
    np.testing.assert_array_equal(found, whole[0])
    np.testing.assert_allclose(similarity, whole[1], atol=1e-6)
    assert scanned_by(names["SimilarImages"](), x, None, 0, 3) == ()


@pytest.mark.slow
def test_the_file_of_the_documents_trains(train, tmp_path, monkeypatch):
    page = (ROOT / "docs/clustering.md").read_text()
    (tmp_path / "my_clustering.py").write_text(re.search(r"^```py\n(.*?)^```", page, re.M | re.S)[1])
    config = yaml.safe_load(re.search(r"^```text\n(.*?)^```", page, re.M | re.S)[1])
    monkeypatch.chdir(tmp_path)
    assert set(config["Cluster"]) == {"_delete_", "name", "above"}
    block = {"name": config["Cluster"]["name"], "above": 0.92}  # of an untrained network all features are alike
    engine, lines = train(f"Cluster={block}", "Global.epochs=1", "Global.iter_per_epoch=1")
    record = np.load(f"{engine.output_dir}/pseudo_labels/epoch_1.npz")
    assert record["labels"].max() > 3 and record["joined"] > len(record["labels"])
    assert dataclasses.asdict(cluster_hook(engine).clustering) == {"above": block["above"], "k": 10}
