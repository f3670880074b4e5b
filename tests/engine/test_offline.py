import types

import numpy as np
import pytest

from ppcls_ise.config import load_config
from ppcls_ise.engine import prepare_config
from ppcls_ise.engine import progress as progress_module
from ppcls_ise.engine.cluster_stage import state_of
from ppcls_ise.engine.evaluation import SplitFeatures
from ppcls_ise.engine.offline import cluster_split, extract_splits
from ppcls_ise.engine.progress import Progress
from ppcls_ise.errors import ISEError
from tests.helpers import ROOT
from tests.training import TINY


def splits(people, *overrides):
    overrides = [*TINY, f"Global.image_root={people}", *overrides]
    return extract_splits(prepare_config(load_config(str(ROOT / "configs/ISE_demo.yaml"), overrides), "train"))


def test_features_of_all_images(people):
    found = splits(people)
    assert set(found) == {"train", "query", "gallery"}
    for split in found.values():
        assert split.features.shape == (len(split.data_set), 128)
        np.testing.assert_allclose(np.linalg.norm(split.features, axis=1), 1, rtol=1e-5)


def test_what_is_missing(people):
    assert set(splits(people, "DataLoader.Eval.Gallery.dataset.cls_label_path=nowhere")) == {"train"}
    with pytest.raises(ISEError, match="nowhere"):
        splits(people, "DataLoader.Train.dataset.cls_label_path=nowhere")


def test_one_set_is_query_and_gallery(people):
    config = prepare_config(load_config(str(ROOT / "configs/ISE_demo.yaml"), [*TINY, f"Global.image_root={people}"]),
                            "train")
    config["DataLoader"]["Eval"] = {"All": config["DataLoader"]["Eval"]["Query"]}
    found = extract_splits(config)
    assert found["query"] is found["gallery"]


def test_clusters_are_those_of_the_run(people, tmp_path):
    base = [*TINY, f"Global.image_root={people}", "Cluster.eps=auto"]
    train = splits(people)["train"]

    def clustered(*overrides):
        config = prepare_config(load_config(str(ROOT / "configs/ISE_demo.yaml"), [*base, *overrides]), "train")
        return cluster_split(config, train)

    by_itself = clustered()
    (tmp_path / "latest.pdparams").touch()
    np.savez(tmp_path / "latest.ise.npz", **state_of(None, {"eps": 0.3}))
    kept = clustered(f"Global.pretrained_model={tmp_path / 'latest'}")
    assert kept.kept == {"eps": 0.3} != by_itself.kept
    np.testing.assert_array_equal(kept.labels, clustered("Cluster.eps=0.3").labels)
    name = f"{ROOT / 'tests/clustering/by_camera.py'}:ByCamera"
    assert clustered("Cluster.search=ivf").figures["recall"] == 1
    assert set(clustered(f"Cluster={{'name': '{name}'}}").figures) == {"joins", "joins_before"}


def test_clusters_that_are_none_do_not_reach_the_pictures(tmp_path):
    (tmp_path / "gaps.py").write_text(
        "import dataclasses\nimport numpy as np\nfrom ppcls_ise.clustering import Clustering, Clusters\n"
        "@dataclasses.dataclass(frozen=True)\nclass Gaps(Clustering):\n"
        "    def assign(self, features, cameras, neighbours, kept):\n"
        "        return Clusters(np.arange(len(features)) % 3 * 2)\n")
    config = {"Cluster": {"name": f"{tmp_path / 'gaps.py'}:Gaps"}, "Global": {"pretrained_model": None}}
    split = SplitFeatures(np.eye(9, dtype=np.float32), types.SimpleNamespace(camids=None))
    with pytest.raises(ISEError, match="^Gaps: labels must be 0..K-1 without gaps"):
        cluster_split(config, split)


def test_progress_tells_when_it_will_be_done(monkeypatch):
    lines, clock = [], [100.0]
    monkeypatch.setattr(progress_module.time, "time", lambda: clock[0])
    monkeypatch.setattr(progress_module.logger, "info", lines.append)
    progress = Progress("[Eval] ranking", "queries", seconds=10)
    for seconds, done in ((5, 10), (20, 40), (25, 50), (31, 60)):
        clock[0] = 100.0 + seconds
        progress(done, 100)
    assert lines == ["[Eval] ranking: 40/100 queries, eta: 30 s", "[Eval] ranking: 60/100 queries, eta: 21 s"]
