"""What a run leaves behind: csv files, VisualDL, and the lines on best and last."""
import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest

from ppcls_ise.clustering.cameras import SIMILARITIES
from ppcls_ise.engine import log_best_and_last
from ppcls_ise.engine.run import Run
from ppcls_ise.engine.tables import RunTables, tables_of
from ppcls_ise.metric import cluster_report
from ppcls_ise.metric.epoch_table import EpochTable, best_epoch, read_table
from ppcls_ise.visualize import cluster_history
from tests.helpers import ROOT


def test_a_table_outlives_the_run(tmp_path):
    path = str(tmp_path / "out" / "t.csv")
    table = EpochTable(path)
    table.put(1, {"a": 1, "b": 0.25})
    table.put(2, {"a": 2, "c": 1e-7})
    assert (tmp_path / "out" / "t.csv").read_text() == "epoch,a,b,c\n1,1,0.25,\n2,2,,1e-07\n"
    resumed = EpochTable(path, resumed=2)
    resumed.put(2, {"a": 7, "c": 3})
    resumed.put(3, {"a": 9})
    assert read_table(path) == {1: {"epoch": 1, "a": 1, "b": 0.25}, 2: {"epoch": 2, "a": 7, "c": 3},
                                3: {"epoch": 3, "a": 9}}
    resumed = EpochTable(path, resumed=1)
    assert list(resumed.rows) == [1] and list(read_table(path)) == [1, 2, 3]
    assert resumed.trim() and list(read_table(path)) == [1] and not resumed.trim()
    assert EpochTable(path, resumed=0).trim() and not (tmp_path / "out" / "t.csv").exists()
    assert not EpochTable(path, resumed=0).trim()
    EpochTable(path).put(1, {"a": 5})
    assert list(read_table(path)) == [1]
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["t.csv"]


def test_figures_come_back_as_they_were(tmp_path):
    # Six digits made 1/3 of before a resume less than 1/3 of after it, so the later epoch the best one.
    table = EpochTable(str(tmp_path / "t.csv"))
    table.put(1, {"mAP": 1 / 3, "rank1": np.float64(2 / 3)})
    rows = EpochTable(table.path, resumed=1).rows
    assert rows == {1: {"epoch": 1, "mAP": 1 / 3, "rank1": 2 / 3}}
    assert best_epoch({**rows, 2: {"epoch": 2, "mAP": 1 / 3}}, "mAP") == 1 and best_epoch({}, "mAP") is None


def test_training_leaves_its_figures(train):
    engine, lines = train("Global.use_visualdl=True", "Global.eval_during_train=True", "Global.epochs=3",
                          "Optimizer.lr.step_size=1")
    tables = {name: read_table(f"{engine.output_dir}/{name}.csv") for name in ("clusters", "training", "evaluation")}
    assert all(list(table) == [1, 2, 3] for table in tables.values())
    labels = [np.load(f"{engine.output_dir}/pseudo_labels/epoch_{epoch}.npz")["labels"] for epoch in (2, 3)]
    images = engine.train_dataloader.dataset
    expected = cluster_report(labels[1], images.pids, images.camids, previous=labels[0])
    found = {key: value for key, value in tables["clusters"][3].items() if key not in SIMILARITIES}
    assert len(found) == len(tables["clusters"][3]) - len(SIMILARITIES)
    assert found == {"epoch": 3, "eps": 0.5, **{key: pytest.approx(v, rel=1e-5) for key, v in expected.items()}}
    assert "ari_to_last" not in tables["clusters"][1]
    assert [row["lr"] for row in tables["training"].values()] == pytest.approx([0.003, 0.0003, 0.00003])
    average = next(line for line in lines if line.startswith("ppcls INFO: [Train][Epoch 2/3][Avg]"))
    assert tables["training"][2]["loss"] == pytest.approx(float(average.split(", loss: ")[1].split(",")[0]), abs=1e-4)
    assert any("[Cluster][Epoch 2] ari_to_last: " in line and "purity: " in line for line in lines)
    visualdl = pytest.importorskip("visualdl")
    reader = visualdl.LogReader(file_path=str(next(pathlib.Path(engine.output_dir).rglob("vdlrecords*"))))
    assert {"cluster/purity", "cluster/clusters", "eval/mAP", "train_lambda", "train_loss"} <= set(
        reader.get_tags()["scalar"])


def engine(tmp_path, resumed=None, **settings):
    run, data_set = Run(), types.SimpleNamespace(pids=None, camids=None)
    run.resumed_epoch = resumed
    return types.SimpleNamespace(output_dir=str(tmp_path), vdl_writer=None, mode="train",
                                 model=types.SimpleNamespace(ise_run=run),
                                 train_dataloader=types.SimpleNamespace(dataset=data_set),
                                 config={"Global": settings, "Arch": {"name": "ISEModel"}})


@pytest.fixture
def lines(monkeypatch):
    """What is logged."""
    from ppcls.utils import logger

    lines = []
    for level in ("info", "warning"):
        monkeypatch.setattr(logger, level, lambda text, *rest: lines.append(text))
    return lines


def best_model(folder, epoch):
    folder.mkdir(exist_ok=True)
    np.savez(folder / "best_model.ise.npz", epoch=epoch)


def test_best_and_last_are_told(tmp_path, lines):
    run = engine(tmp_path, best_metric="rank1")
    log_best_and_last(run)
    assert not lines  # nothing was evaluated
    for epoch, mean_ap, rank1 in ((1, 0.1, 0.5), (2, 0.2, 0.7), (3, 0.3, 0.6)):
        tables_of(run).after_evaluation(epoch, {"mAP": mean_ap, "rank1": rank1})
    log_best_and_last(run)
    assert lines[0] == "[Eval] last epoch 3: mAP: 0.30000, rank1: 0.60000"
    assert lines[1] == "[Eval] best epoch 2: mAP: 0.20000, rank1: 0.70000"
    assert "best_model: the best epoch was picked by rank1 on the test set" in lines[2]
    assert "best_model in" in lines[3] and "is missing" in lines[3]
    best_model(tmp_path / "ISEModel", 2)
    log_best_and_last(run)
    assert lines[4:] == lines[:3]
    resumed = tables_of(engine(tmp_path, resumed=3))
    assert resumed.best_epoch("rank1") == 2 and resumed.evaluation.rows[2]["rank1"] == 0.7
    resumed.after_clustering(4, np.array([0, 0]), None, {})
    assert tables_of(engine(tmp_path)).best_epoch("mAP") is None


def test_a_resumed_run_forgets_the_epochs_that_it_abandons(tmp_path, lines):
    run = engine(tmp_path)
    for epoch, mean_ap in enumerate([0.2, 0.5, 0.4, 0.6], 1):
        for table in (RunTables.after_evaluation, lambda report, *row: report.training.put(*row),
                      lambda report, *row: report.clusters.put(*row)):
            table(tables_of(run), epoch, {"mAP": mean_ap})
    best_model(tmp_path, 4)
    tables_of(engine(tmp_path, resumed=4))
    assert not lines  # nothing is abandoned
    resumed = engine(tmp_path, resumed=3)
    report = tables_of(resumed)
    assert lines[0].startswith("going on from epoch 3: rows of later epochs were removed from clusters.csv, "
                               "training.csv, evaluation.csv")
    assert "best_model in" in lines[1] and "is of epoch 4 of the run before" in lines[1]
    # At once, not with the first row: a run that is killed before that leaves no mixture.
    for name in ("clusters", "training", "evaluation"):
        assert list(read_table(f"{tmp_path}/{name}.csv")) == [1, 2, 3]
    report.after_evaluation(4, {"mAP": 0.3})
    del lines[:]
    log_best_and_last(resumed)
    assert lines[0] == "[Eval] last epoch 4: mAP: 0.30000" and lines[1] == "[Eval] best epoch 2: mAP: 0.50000"
    assert lines[3].endswith("is of epoch 4: the weights of the best epoch are not there")
    best_model(tmp_path, 2)
    del lines[:]
    log_best_and_last(resumed)
    assert len(lines) == 3


@pytest.mark.slow
def test_a_run_that_goes_on_from_epoch_1_of_3(train):
    overrides = ["Global.eval_during_train=True", "Global.save_interval=1", "Global.iter_per_epoch=1"]
    whole, _ = train(*overrides, "Global.epochs=3")
    stem = str(next(pathlib.Path(whole.output_dir).rglob("epoch_1.pdparams")))[:-len(".pdparams")]
    resumed, lines = train(*overrides, "Global.epochs=2", f"Global.checkpoints={stem}")
    assert any("rows of later epochs were removed from clusters.csv, training.csv, evaluation.csv" in line
               for line in lines)
    for name in ("clusters", "training", "evaluation"):
        assert list(read_table(f"{whole.output_dir}/{name}.csv")) == [1, 2], name
    assert list(cluster_history(whole.output_dir)) == [1, 2]  # though the record of epoch 3 is there
    assert (pathlib.Path(whole.output_dir) / "pseudo_labels" / "epoch_3.npz").exists()
    assert tables_of(resumed).summarise("mAP")[0].startswith("last epoch 2:")


def test_clusters_without_identities(tmp_path):
    report = tables_of(engine(tmp_path))
    report.after_clustering(1, np.array([0, 0, -1]), None, {})
    # Another number of images, as after a change of the data set: churn means nothing then.
    report.after_clustering(2, np.array([0, 0, -1, 1]), np.array([0, 0, -1]), {"links": 3.0})
    assert read_table(str(tmp_path / "clusters.csv"))[2] == {
        "epoch": 2, "clusters": 2, "outliers": 1, "size_min": 1, "size_q25": 1.25, "size_median": 1.5,
        "size_q75": 1.75, "size_max": 2, "links": 3}


@pytest.mark.slow
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
