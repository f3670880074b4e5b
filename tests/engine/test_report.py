"""What a run leaves behind: csv files, VisualDL, and the lines on best and last."""
import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest
from helpers import ROOT

from ppcls_ise.engine import log_best_and_last
from ppcls_ise.engine.report import RunReport
from ppcls_ise.metric import cluster_report
from ppcls_ise.metric.epoch_table import EpochTable, read_table


def test_a_table_outlives_the_run(tmp_path):
    path = str(tmp_path / "out" / "t.csv")
    table = EpochTable(path)
    table.put(1, {"a": 1, "b": 0.25})
    table.put(2, {"a": 2, "c": 1e-7})
    assert (tmp_path / "out" / "t.csv").read_text() == "epoch,a,b,c\n1,1,0.25,\n2,2,,1e-07\n"
    resumed = EpochTable(path, resumed=True)
    resumed.put(2, {"a": 7, "c": 3})
    resumed.put(3, {"a": 9})
    assert read_table(path) == {1: {"epoch": 1, "a": 1, "b": 0.25}, 2: {"epoch": 2, "a": 7, "c": 3},
                                3: {"epoch": 3, "a": 9}}
    EpochTable(path).put(1, {"a": 5})
    assert list(read_table(path)) == [1]
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["t.csv"]


def test_training_leaves_its_figures(train):
    engine, lines = train("Global.use_visualdl=True", "Global.eval_during_train=True", "Global.epochs=3",
                          "Optimizer.lr.step_size=1")
    tables = {name: read_table(f"{engine.output_dir}/{name}.csv") for name in ("clusters", "training", "evaluation")}
    assert all(list(table) == [1, 2, 3] for table in tables.values())
    labels = [np.load(f"{engine.output_dir}/pseudo_labels/epoch_{epoch}.npz")["labels"] for epoch in (2, 3)]
    images = engine.train_dataloader.dataset
    expected = cluster_report(labels[1], images.pids, images.camids, previous=labels[0])
    assert tables["clusters"][3] == {"epoch": 3, **{key: pytest.approx(v, rel=1e-5) for key, v in expected.items()}}
    assert "ari_to_last" not in tables["clusters"][1]
    assert [row["lr"] for row in tables["training"].values()] == pytest.approx([0.003, 0.0003, 0.00003])
    average = next(line for line in lines if line.startswith("ppcls INFO: [Train][Epoch 2/3][Avg]"))
    assert tables["training"][2]["loss"] == pytest.approx(float(average.split(", loss: ")[1].split(",")[0]), abs=1e-4)
    assert any("[Cluster][Epoch 2] ari_to_last: " in line and "purity: " in line for line in lines)
    visualdl = pytest.importorskip("visualdl")
    reader = visualdl.LogReader(file_path=str(next(pathlib.Path(engine.output_dir).rglob("vdlrecords*"))))
    assert {"cluster/purity", "cluster/clusters", "eval/mAP", "train_lambda", "train_loss"} <= set(
        reader.get_tags()["scalar"])


def engine(tmp_path, **settings):
    return types.SimpleNamespace(output_dir=str(tmp_path), vdl_writer=None, mode="train",
                                 config={"Global": {"checkpoints": None, **settings}})


def test_best_and_last_are_told(tmp_path, monkeypatch):
    from ppcls.utils import logger

    lines = []
    monkeypatch.setattr(logger, "info", lambda text, *rest: lines.append(text))
    run = engine(tmp_path, best_metric="rank1")
    log_best_and_last(run)
    assert not lines  # nothing was evaluated
    for epoch, mean_ap, rank1 in ((1, 0.1, 0.5), (2, 0.2, 0.7), (3, 0.3, 0.6)):
        run.run_report.write_evaluation(epoch, {"mAP": mean_ap, "rank1": rank1})
    log_best_and_last(run)
    assert lines[0] == "[Eval] last epoch 3: mAP: 0.30000, rank1: 0.60000"
    assert lines[1] == "[Eval] best epoch 2: mAP: 0.20000, rank1: 0.70000"
    assert "picked by rank1 on the test set" in lines[2]
    resumed = RunReport(engine(tmp_path, checkpoints="latest"))
    assert resumed.best_epoch("rank1") == 2 and resumed.evaluation.rows[2]["rank1"] == 0.7
    resumed.write_clusters(4, np.array([0, 0]), types.SimpleNamespace(pids=None, camids=None), None)
    assert RunReport(engine(tmp_path)).best_epoch("mAP") is None


def test_clusters_without_identities(tmp_path):
    report = RunReport(engine(tmp_path))
    images = types.SimpleNamespace(pids=None, camids=None)
    report.write_clusters(1, np.array([0, 0, -1]), images, None)
    # Another number of images, as after a change of the data set: churn means nothing then.
    report.write_clusters(2, np.array([0, 0, -1, 1]), images, previous=np.array([0, 0, -1]))
    assert read_table(str(tmp_path / "clusters.csv"))[2] == {
        "epoch": 2, "clusters": 2, "outliers": 1, "size_min": 1, "size_q25": 1.25, "size_median": 1.5,
        "size_q75": 1.75, "size_max": 2}


def test_visualdl_may_be_absent():
    program = ("import sys\n"
               "import importlib.util; find = importlib.util.find_spec\n"
               "importlib.util.find_spec = lambda name, *a: None if name == 'visualdl' else find(name, *a)\n"
               "import ppcls_ise; ppcls_ise.register()\n"
               "from ppcls.engine.engine import LogWriter\n"
               "writer = LogWriter(logdir='x'); writer.add_scalar(tag='a', step=1, value=2); writer.close()\n")
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("VisualDL is not installed") == 1
