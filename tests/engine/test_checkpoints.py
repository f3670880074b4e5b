"""Checkpoints: whole whenever the program dies, and a resumed run is the run that was never stopped."""
import os
import pathlib
import types

import numpy as np
import paddle
import pytest

from ppcls_ise.engine import checkpoints, run_of
from ppcls_ise.engine.tables import RunTables
from ppcls_ise.errors import ISEError
from ppcls_ise.host.bridges import loss_scaler
from tests.training import CAMERAS


def weights(folder, name="latest"):
    stem = str(next(pathlib.Path(folder).rglob(f"{name}.pdparams")))
    return {key: value.numpy() for key, value in paddle.load(stem).items() if hasattr(value, "numpy")}


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert np.array_equal(value, second[name]), name


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [
    [],
    ["Cluster.interval=3", "Arch.Backbone.dropout_prob=0.3"],  # labels and memory of epoch 1 in epoch 3; random layers
    ["Cluster.interval=3", *CAMERAS, "Global.anchor=0.8"],
    [*CAMERAS, "Global.best_metric=unlabelled"],
    ["Optimizer.lr={'name':'Cosine','learning_rate':0.001,'warmup_epoch':1}"]])
def test_a_resumed_run_ends_as_one_that_was_never_stopped(train, overrides):
    overrides = ["Global.epochs=4", "Global.eval_during_train=True", "Global.save_interval=1", *overrides]
    whole, lines = train(*overrides, name="whole")
    stem = str(next(pathlib.Path(whole.output_dir).rglob("epoch_2.pdparams")))[:-len(".pdparams")]
    resumed, resumed_lines = train(*overrides, f"Global.checkpoints={stem}", name="resumed")
    assert_equal(weights(whole.output_dir), weights(resumed.output_dir))
    steps = [line.split(", batch_cost")[0] for line in lines if "[Iter" in line]
    assert [line.split(", batch_cost")[0] for line in resumed_lines if "[Iter" in line] == steps[6:]
    states = [checkpoints.verify(str(next(pathlib.Path(engine.output_dir).rglob("latest.pdparams")))[:-9])
              for engine in (whole, resumed)]
    for name in states[0].keys() - {"crc32.pdparams", "crc32.pdopt", "crc32.pdstates"}:  # paddle's pickles differ
        assert np.array_equal(states[0][name], states[1][name]), name


def resume(train, first, *overrides):
    stem = str(next(pathlib.Path(first.output_dir).rglob("latest.pdparams")))[:-9]
    return train(*overrides, "Global.epochs=2", f"Global.checkpoints={stem}", name="resumed")[0]


def test_a_run_with_other_cameras_is_not_resumed(train):
    first, _ = train("Global.epochs=1", name="first")
    with pytest.raises(ISEError, match="told other cameras"):
        resume(train, first, r"DataLoader.Train.dataset.pattern=(?P<pid>\d+)_c\d+s(?P<camid>\d)_\d+_0\d")


def test_training_goes_on_with_the_weights_where_there_is_no_average_any_more(train):
    plain, _ = train(name="plain")
    averaged, _ = train("Global.ema_decay=0.9", "Global.save_interval=1", name="averaged")
    stem = str(next(pathlib.Path(averaged.output_dir).rglob("epoch_1.pdparams")))[:-9]
    resumed, _ = train(f"Global.checkpoints={stem}", name="resumed")
    assert_equal(weights(plain.output_dir), weights(resumed.output_dir))


def test_an_anchor_needs_the_start(train):
    first, _ = train("Global.epochs=1", "Global.ema_decay=0.9", name="first")
    with pytest.raises(ISEError, match="Global.anchor cannot be set"):
        resume(train, first, "Global.ema_decay=0.9", "Global.anchor=0.5")


def test_a_worse_epoch_does_not_become_the_best_model_of_a_resumed_run(train):
    first, _ = train("Global.epochs=1", "Global.eval_during_train=True", name="first")
    stem = str(next(pathlib.Path(first.output_dir).rglob("latest.pdparams")))[:-9]
    run_of(first.model).best_metric = 1.0  # no epoch is better than that
    from ppcls.utils import save_load

    save_load.save_model(first.model, first.optimizer, {"metric": 0.5, "epoch": 1}, os.path.dirname(stem),
                         prefix="latest")
    resumed, _ = train("Global.epochs=2", "Global.eval_during_train=True", f"Global.checkpoints={stem}", name="resumed")
    assert not list(pathlib.Path(resumed.output_dir).rglob("best_model.pdparams"))


@pytest.mark.slow
def test_a_folder_may_be_called_anything(train, monkeypatch):
    synced, fsync, folder = set(), os.fsync, "run[1]*?"
    monkeypatch.setattr(checkpoints.os, "fsync",
                        lambda handle: synced.add(os.readlink(f"/proc/self/fd/{handle}")) or fsync(handle))
    whole, _ = train("Global.save_interval=1", "Global.eval_during_train=True", name=folder)
    names = {os.path.basename(path) for path in synced}
    assert {"latest.pdparams", "latest.pdopt", "latest.pdstates", "latest.ise.npz", "best_model.pdparams"} <= names
    stem = str(next(pathlib.Path(whole.output_dir).rglob("epoch_1.pdparams")))[:-9]
    expected = weights(whole.output_dir)
    resumed, _ = train("Global.save_interval=1", "Global.eval_during_train=True", f"Global.checkpoints={stem}",
                       name=folder)
    assert resumed.output_dir == whole.output_dir
    assert_equal(expected, weights(resumed.output_dir))
    pathlib.Path(stem + ".pdopt").write_bytes(b"")
    with pytest.raises(ISEError, match="damaged") as error:
        train(f"Global.checkpoints={stem}", name=folder)
    assert str(error.value).endswith(f"-o Global.checkpoints={os.path.dirname(stem)}/latest (epoch 2)")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """``save(epoch)`` saves a small model as ``latest``; returns (save, stem)."""
    import paddle
    from ppcls.utils import save_load

    folder = tmp_path_factory.mktemp("saved")
    model = paddle.nn.Linear(3, 2)
    optimizer = paddle.optimizer.Adam(parameters=model.parameters())

    def save(epoch, prefix="latest"):
        model.weight.set_value(paddle.full([3, 2], float(epoch)))
        save_load.save_model(model, [optimizer], {"metric": 0.0, "epoch": epoch}, str(folder), prefix=prefix)

    return save, str(folder / "latest")


def test_of_equal_epochs_the_first_is_the_best_model(tmp_path):
    # As PaddleClas's develop calls it, which saves equal ones as well.
    from ppcls.utils import save_load

    model = paddle.nn.Linear(3, 2)
    optimizer = paddle.optimizer.Adam(parameters=model.parameters())
    kept, report = [], RunTables(types.SimpleNamespace(output_dir=str(tmp_path), model=model, vdl_writer=None,
                                                       config={"Global": {}, "Arch": {"name": "ISEModel"}}))
    for epoch, metric in enumerate([0.5, 0.5, 0.25, 0.75, 0.75], 1):
        report.after_evaluation(epoch, {"mAP": metric})
        save_load.save_model(model, [optimizer], {"metric": metric, "epoch": epoch}, str(tmp_path),
                             prefix="best_model")
        kept.append(int(checkpoints.read_run_state(str(tmp_path / "best_model"))["epoch"]))
        assert report.best_epoch("mAP") == report.best_model_epoch() == kept[-1]
    assert kept == [1, 1, 1, 4, 4]


def test_a_best_model_that_could_not_be_saved_is_tried_again(tmp_path, monkeypatch):
    from ppcls.utils import save_load

    model = paddle.nn.Linear(3, 2)
    optimizer = paddle.optimizer.Adam(parameters=model.parameters())

    def save(epoch):
        save_load.save_model(model, [optimizer], {"metric": 0.5, "epoch": epoch}, str(tmp_path), prefix="best_model")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.np, "savez", lambda *a, **b: (_ for _ in ()).throw(OSError("no space left")))
        with pytest.raises(OSError, match="no space"):
            save(1)
    save(2)
    assert int(checkpoints.read_run_state(str(tmp_path / "best_model"))["epoch"]) == 2
    assert run_of(model).best_metric == 0.5


class Killed(BaseException):
    """What a kill does to the function it meets: nothing after it happens."""


CALLS = [(checkpoints.os, "rename"), (checkpoints.os, "replace"), (checkpoints.os, "fsync"),
         (checkpoints.np, "savez"), (checkpoints.shutil, "rmtree"), (checkpoints.os, "makedirs")]


def test_a_kill_between_any_two_calls_leaves_a_whole_checkpoint(saved, monkeypatch):
    import paddle

    save, stem = saved
    places = 0
    for module, name in [*CALLS, (paddle, "save")]:
        original = getattr(module, name)
        for dies_after in range(20):
            save(1)
            calls = []

            def dying(*arguments, _original=original, _last=dies_after, _calls=calls, **options):
                if len(_calls) == _last:
                    raise Killed
                _calls.append(arguments)
                return _original(*arguments, **options)

            monkeypatch.setattr(module, name, dying)
            try:
                save(2)
                survived = True
            except Killed:
                survived = False
            monkeypatch.setattr(module, name, original)
            if survived:
                break
            places += 1
            checkpoints.settle(stem)
            epoch = int(checkpoints.verify(stem)["epoch"])
            state = paddle.load(stem + ".pdstates")
            assert epoch == state["epoch"] in (1, 2)
            assert float(paddle.load(stem + ".pdparams")["weight"][0, 0]) == epoch, (name, dies_after)
        else:
            raise AssertionError(f"{name} is called more than 20 times")
    assert places > 15


@pytest.mark.parametrize("part", [".pdparams", ".pdopt", ".pdstates", ".ise.npz"])
def test_a_damaged_file_is_named_with_the_newest_sound_checkpoint(saved, part):
    save, stem = saved
    for epoch, prefix in ((1, "epoch_1"), (2, "epoch_2"), (3, "latest")):
        save(epoch, prefix)
    content = bytearray(pathlib.Path(stem + part).read_bytes())
    content[len(content) // 2] ^= 255
    pathlib.Path(stem + part).write_bytes(content)
    with pytest.raises(ISEError, match=f"latest{part} is damaged") as error:
        checkpoints.wrap_init_model(None)({"checkpoints": stem}, None, [])
    assert f"Global.checkpoints={os.path.dirname(stem)}/epoch_2 (epoch 2)" in str(error.value)


def test_mistakes_are_told(train, saved):
    save, stem = saved
    save(1)
    with pytest.raises(ISEError, match="none of the 2 weights belongs to the model"):
        train(f"Global.checkpoints={stem}")
    first, _ = train("Global.epochs=1", name="first")
    stem = str(next(pathlib.Path(first.output_dir).rglob("latest.pdparams")))[:-9]
    with pytest.raises(ISEError, match="weights of another architecture"):
        train(f"Global.checkpoints={stem}", "Arch.Backbone.name=PPLCNet_x0_25", "Arch.Backbone.class_expand=320",
              "Arch.Neck.num_features=320")
    with pytest.raises(ISEError, match="other than the"):
        train(f"Global.checkpoints={stem}", "DataLoader.Train.dataset.cls_label_path=bounding_box_test",
              "Global.epochs=2", name="other")
    _, lines = train(f"Global.checkpoints={stem}", "Global.epochs=1", name="again")
    assert any("nothing is left to train" in line for line in lines)


@pytest.mark.parametrize("overrides, message", [
    (["Arch.bn_group_size=7"], "does not divide DataLoader.Train.sampler.batch_size 16"),
    (["Arch.bn_group_size=2"], "must be a multiple of num_instances 4"),
    (["Arch.bn_group_size=many"], "is a whole number of images"),
    (["Global.feature_cache=True", "Arch.bn_group_size=None"], "set Arch.bn_group_size")])
def test_group_sizes_that_cannot_be(train, overrides, message):
    with pytest.raises(ISEError, match=message):
        train(*overrides)


def test_amp_is_ignored_on_the_cpu(train):
    engine, _ = train("AMP={'use_amp':True,'scale_loss':128.0,'use_dynamic_loss_scaling':True,'level':'O1'}",
                      "Global.epochs=1", "Global.iter_per_epoch=1")
    assert engine.config["AMP"] is None


@pytest.mark.slow
def test_groups_and_cache_train_and_resume(train):
    overrides = ["Arch.bn_group_size=8", "Global.feature_cache=True", "Global.check_ranks=True",
                 "Global.save_interval=1"]
    whole, _ = train(*overrides, name="whole")
    stem = str(next(pathlib.Path(whole.output_dir).rglob("epoch_1.pdparams")))[:-9]
    resumed, _ = train(*overrides, f"Global.checkpoints={stem}", name="resumed")
    assert_equal(weights(whole.output_dir), weights(resumed.output_dir))
    without, _ = train("Arch.bn_group_size=8", name="without")
    for name, value in weights(without.output_dir).items():
        assert np.abs(value - weights(whole.output_dir)[name]).max() < 1e-3, name


def test_a_loss_scaler_without_a_state_is_none():
    # PaddleClas's develop has one where AMP is off: a run could not save.
    for scaler in (object(), None, paddle.amp.GradScaler()):
        found = loss_scaler(types.SimpleNamespace(scaler=scaler))
        assert (found is None) == (not isinstance(scaler, paddle.amp.GradScaler))
