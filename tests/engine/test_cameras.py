"""Training that tells cameras apart, and what becomes of it where there are none."""
import pathlib

import numpy as np
import paddle
import pytest

import ppcls_ise.engine.cluster_hook as cluster_module
from ppcls_ise.clustering.cameras import camera_proxies, camera_similarity
from ppcls_ise.engine import extract_features, run_of
from ppcls_ise.engine.averaging import WeightAverage, automatic_decay
from ppcls_ise.engine.cameras import needs_cameras
from ppcls_ise.engine.tables import tables_of
from ppcls_ise.errors import ISEError
from ppcls_ise.metric.epoch_table import read_table
from tests.training import CAMERAS, cluster_hook

ONE_CAMERA = r"DataLoader.Train.dataset.pattern=(?P<pid>\d+)_c\d+s\d+_\d+_0(?P<camid>1)"
NO_CAMERA = r"DataLoader.Train.dataset.pattern=(?P<pid>\d+)_c"


def parameters(engine):
    return {name: value.numpy() for name, value in engine.model.state_dict().items()}


def saved(engine, name="latest"):
    stem = next(pathlib.Path(engine.output_dir).rglob(f"{name}.pdparams"))
    return {name: np.asarray(value) for name, value in paddle.load(str(stem)).items()}


def test_cameras_reach_head_and_losses(train, losses):
    engine, lines = train(*CAMERAS)
    assert all("CameraProxyLoss" in dict(step) and float(dict(step)["CameraProxyLoss"]) > 0 for step in losses(lines))
    assert sum("clusters within 3 cameras" in line for line in lines) == 2
    hook, head = cluster_hook(engine), engine.model.head
    assert hook.proxies.cameras.max() == 2 and len(head.proxies.labels) == len(hook.proxies.labels)
    assert not any("fewer than two cameras" in line for line in lines)
    record = np.load(pathlib.Path(engine.output_dir) / "pseudo_labels/epoch_2.npz")
    assert record["linked"].shape == (3, 3) and record["linked"].sum() == 2 * record["linked_cameras"]
    np.testing.assert_array_equal(record["camera_ids"], np.unique(hook.data_set.camids))


def test_losses_of_paddleclas_see_labels_not_cameras(train):
    blocks = "[{'ClusterContrastLoss':{'weight':1.0}},{'TripletLossV2':{'weight':1.0,'margin':0.3}}]"
    _, lines = train("Global.epochs=1", f"Loss.Train={blocks}")
    assert sum("TripletLossV2: " in line for line in lines if "[Iter" in line) == 3


@pytest.mark.parametrize("pattern", [ONE_CAMERA, NO_CAMERA])
def test_without_cameras_the_result_is_that_of_plain_ise(train, pattern):
    expected, _ = train(pattern, name="plain")
    found, lines = train(*CAMERAS, pattern, name="cameras")
    for name, value in parameters(expected).items():
        assert np.array_equal(parameters(found)[name], value), name
    for name, value in saved(expected).items():
        assert np.array_equal(saved(found)[name], value), name
    line, = [line for line in lines if "[Cameras]" in line]
    assert all(name in line for name in ("CrossCameraDBSCAN", "same_camera", "CameraProxyLoss", "ema_decay auto"))


def test_cameras_that_are_driven_apart_are_a_warning(train):
    engine, lines = train("Global.epochs=1")
    hook = cluster_hook(engine)
    assert hook.first_margin is not None and hook.state_dict()["first_margin"] == hook.first_margin
    assert not any("camera_margin fell" in line for line in lines) and any("camera_margin: " in line for line in lines)
    log, first = next(pathlib.Path(engine.output_dir).rglob("train.log")), hook.first_margin
    for epoch, margin in ((2, first + 0.1), (3, first - 0.01), (4, first - 0.03), (5, first - 0.04), (6, None)):
        hook._watch_cameras(epoch, margin)
    line, = [line for line in log.read_text().splitlines() if "camera_margin fell" in line]
    assert "[Epoch 4]" in line and "docs/cameras.md" in line


@pytest.mark.parametrize("evaluates", [False, True])
def test_the_best_model_is_picked_without_labels(train, monkeypatch, evaluates):
    expected, _ = train(f"Global.eval_during_train={evaluates}", name="plain")
    extracted = []
    monkeypatch.setattr(cluster_module, "extract_features",
                        lambda *args, **keys: extracted.append(1) or extract_features(*args, **keys))
    engine, lines = train(f"Global.eval_during_train={evaluates}", "Global.best_metric=unlabelled", name="unlabelled")
    assert len(extracted) == 3  # before, between and after two epochs
    for name, value in parameters(expected).items():
        assert np.array_equal(parameters(engine)[name], value), name
    rows = read_table(f"{engine.output_dir}/evaluation.csv")
    assert all(("mAP" in row) == evaluates for row in rows.values())
    hook = cluster_hook(engine)
    x = extract_features(engine.model, hook.plain_data_set, **hook.loader_settings).numpy()
    margin = camera_similarity(camera_proxies(x, hook.labels, hook.cameras))["camera_margin"]
    assert rows[2]["unlabelled"] == pytest.approx(margin, abs=1e-6) and any("unlabelled: " in line for line in lines)
    tables = tables_of(engine)
    assert tables.best_model_epoch() == tables.best_epoch("unlabelled") == max(
        rows, key=lambda epoch: rows[epoch]["unlabelled"])
    assert "picked without labels" in tables.summarise("unlabelled")[2]


def test_nothing_is_picked_without_labels_where_there_are_no_cameras(train):
    with pytest.raises(ISEError, match="best_metric unlabelled compares cameras"):
        train("Global.best_metric=unlabelled", ONE_CAMERA)


def test_the_average_is_evaluated_and_saved_and_training_goes_on_without_it(train):
    plain, _ = train(name="plain")
    engine, _ = train("Global.ema_decay=0.9", "Global.anchor=0.5", name="average")
    hook = run_of(engine.model).hook(WeightAverage)
    raw, average, start = (({name: tensor.numpy() for name, tensor in tensors.items()})
                           for tensors in (hook.weights, hook.average, hook.start))
    for name in raw:
        np.testing.assert_allclose(saved(engine)[name], start[name] + 0.5 * (average[name] - start[name]), atol=1e-6)
    state = dict(np.load(next(pathlib.Path(engine.output_dir).rglob("latest.ise.npz"))))
    assert all(np.array_equal(state[f"raw.{name}"], raw[name]) for name in raw)
    best, _ = train("Global.epochs=1", "Global.ema_decay=0.9", "Global.eval_during_train=True", name="best")
    hook = run_of(best.model).hook(WeightAverage)
    for name, tensor in hook.average.items():
        np.testing.assert_array_equal(saved(best, "best_model")[name], tensor.numpy())
    # Features for clustering are the average's, so that only the first epoch is that of a training without it.
    first, second = (np.load(pathlib.Path(one.output_dir) / "pseudo_labels/epoch_1.npz")["labels"]
                     for one in (plain, engine))
    np.testing.assert_array_equal(first, second)


def test_the_average_is_what_its_formula_says(train):
    engine, _ = train("Global.epochs=1", "Global.ema_decay=0.5", name="average")
    hook = run_of(engine.model).hook(WeightAverage)
    expected = {name: tensor.numpy().astype(np.float64) for name, tensor in hook.average.items()}
    for _ in range(3):
        for tensor in hook.weights.values():
            tensor.set_value(tensor + 0.25)
        hook.after_step()
        for name, tensor in hook.weights.items():
            expected[name] = 0.5 * expected[name] + 0.5 * tensor.numpy()
    for name, value in expected.items():
        np.testing.assert_allclose(hook.average[name].numpy(), value, atol=1e-5)
    raw = {name: tensor.numpy() for name, tensor in hook.weights.items()}
    with hook.applied():
        assert all(np.array_equal(tensor.numpy(), hook.average[name].numpy()) for name, tensor in hook.weights.items())
    assert all(np.array_equal(tensor.numpy(), raw[name]) for name, tensor in hook.weights.items())


def test_the_decay_fits_the_learning_rate():
    assert automatic_decay({"learning_rate": 1e-4}) == pytest.approx(0.98)
    assert automatic_decay(3.5e-4) == pytest.approx(0.93)
    assert automatic_decay({"learning_rate": 0.1}) == 0.9
    assert automatic_decay({"name": "Piecewise", "values": [2e-4, 1e-5]}) == pytest.approx(0.96)


def test_everything_that_needs_cameras_is_named():
    config = {"Global": {"ema_decay": "auto"}, "Arch": {"Head": {"negatives": "same_camera"}},
              "Cluster": {"name": "CameraJaccardDBSCAN", "camera_norm": True, "drop_single_camera": True},
              "Loss": {"Train": [{"ClusterContrastLoss": {"weight": 1.0, "camera_entropy": True}},
                                 {"CameraProxyLoss": {"weight": 0.5}}]}}
    assert needs_cameras(config) == [
        "Cluster.name CameraJaccardDBSCAN", "Cluster.camera_norm", "Cluster.drop_single_camera",
        "Arch.Head.negatives same_camera", "ClusterContrastLoss.camera_entropy", "CameraProxyLoss",
        "Global.ema_decay auto"]
    plain = {"Global": {"ema_decay": 0.9}, "Arch": {}, "Loss": {"Train": [{"ClusterContrastLoss": {"weight": 1.0}}]}}
    assert needs_cameras(plain) == []
