import importlib.util
import json

import pytest

from tests.helpers import ROOT

spec = importlib.util.spec_from_file_location("compare_results", ROOT / "test_tipc" / "compare_results.py")
compare_results = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compare_results)

STEP = "[Train][Epoch 1/2][Iter: {}/2]lr(StepDecay): 0.003, ClusterContrastLoss: 9.0, loss: {}, batch_cost: 0.1s\n"


@pytest.fixture
def run(tmp_path):
    """``run(losses, ...)`` writes the logs of a run and returns their folder."""

    def write(losses=(3.5, 4.25), clusters=20, accuracy=0.125, feature="0.6 0.8\n  0.1"):
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        (folder / "norm.log").write_text(
            f"[Cluster][Epoch 1] images: 144, clusters: {clusters}, outliers: 3\n"
            + "".join(STEP.format(step, loss) for step, loss in enumerate(losses)))
        (folder / "norm_eval.log").write_text(f"[Eval][Epoch 0][Avg]mAP: {accuracy}, mINP: 0.1, rank1: 0.5, rank5: 1\n")
        (folder / "python_infer_cpu_norm_batchsize_1.log").write_text(f"W note\na.jpg:\t[{feature}]\nb.jpg:\t[1 1 1]\n")
        return str(folder)

    return write


@pytest.fixture
def call(tmp_path):
    def run(folder, *more):
        return compare_results.main(["--gt_file", str(tmp_path / "gt.json"), "--log_path", folder, *more])

    return run


def test_what_is_collected(run):
    assert compare_results.collect(run()) == {"norm": {
        "loss": [3.5, 4.25], "clusters": [20], "mAP": [0.125], "rank1": [0.5],
        "feature of a.jpg, cpu_batchsize_1": [0.6, 0.8, 0.1]}}


@pytest.mark.parametrize("change, code", [
    ({}, 0), ({"losses": (3.5001, 4.2499)}, 0),
    ({"losses": (3.5, 4.45)}, 1), ({"losses": (3.5, "nan")}, 1), ({"losses": (3.5,)}, 1),
    ({"losses": (3.5, 4.25, 4.25)}, 1), ({"clusters": 30}, 1), ({"accuracy": 0.225}, 1),
    ({"feature": "0.6 0.7 0.1"}, 1), ({"feature": "0.6 0.8"}, 1), ({"losses": ()}, 2),
])
def test_a_change_beyond_the_tolerance_fails(run, call, change, code):
    assert call(run(), "--record", "here") == 0
    assert call(run(**change)) == code


def test_a_chain_that_did_not_run_fails(run, call, tmp_path):
    assert call(run(), "--record", "here") == 0
    record = json.loads((tmp_path / "gt.json").read_text())
    record["chains"]["other"] = record["chains"]["norm"]
    (tmp_path / "gt.json").write_text(json.dumps(record))
    assert call(run()) == 1


def test_a_record_that_is_none_is_told(run, call, tmp_path, capsys):
    for text in ("", "{}", '{"chains": {}, "tolerances": {}}'):
        (tmp_path / "gt.json").write_text(text)
        assert call(run()) == 2 and "gt.json" in capsys.readouterr().err
    assert compare_results.main(["--gt_file", "x", "--log_path", str(tmp_path / "none")]) == 2


def test_features_of_two_logs(tmp_path, capsys):
    for name, value in (("a", 0.8), ("b", 0.80001), ("c", 0.81)):
        (tmp_path / name).write_text(f"x.jpg:\t[0.6\n {value}]\ny.jpg:\t[1.0 0.0]\n")
    (tmp_path / "d").write_text("x.jpg:\t[0.6 0.8]\n")
    paths = {name: str(tmp_path / name) for name in "abcd"}
    assert compare_results.main(["--features", paths["a"], paths["b"]]) == 0
    assert "of 2 images differ by at most 1.0e-05" in capsys.readouterr().out
    assert compare_results.main(["--features", paths["a"], paths["c"]]) == 1
    assert compare_results.main(["--features", paths["a"], paths["d"]]) == 2


def test_the_shipped_record_has_both_chains():
    record = compare_results.load_record(str(ROOT / "test_tipc/results/ISE_demo_lite_train_lite_infer_cpu.json"))
    assert len(record["chains"]) == 2
    assert all(len(chain["loss"]) == 10 and len(chain["clusters"]) == 2 for chain in record["chains"].values())
