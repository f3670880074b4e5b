"""The shell scripts of test_tipc, mostly on a stub in place of the tools: quick, and able to fail in every way."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT

pytestmark = pytest.mark.slow  # runs TIPC's scripts

STUB = f"{Path(__file__).with_name('stub.py')}"
DEMO = (ROOT / "test_tipc" / "configs" / "ISE" / "ISE_demo_train_infer_python.txt").read_text().splitlines()
STUBBED = {2: "model_name:stub", 3: f"python:{sys.executable}", 4: "gpu_list:-1",
           16: f"norm_train:{STUB} train work", 24: f"eval:{STUB} eval work", 30: f"norm_export:{STUB} export work",
           40: f"inference:{STUB} predict work", 42: "-o Global.enable_mkldnn:False", 44: "-o Global.batch_size:1"}


@pytest.fixture
def tipc(tmp_path):
    """``tipc(mode, {number: line})`` runs the chain with some lines of the demo's file replaced."""

    class Run:
        def __init__(self, mode, changes=(), script="test_train_inference_python.sh", more=(), drop=()):
            lines = list(DEMO)
            for number, line in {**STUBBED, **dict(changes)}.items():
                lines[number - 1] = line
            file = tmp_path / "stub.txt"
            file.write_text("\n\n".join(line for n, line in enumerate(lines, 1) if n not in drop))  # blanks vanish
            calls = tmp_path / "calls.jsonl"
            calls.write_text("")
            environment = {**os.environ, "TIPC_OUTPUT": str(tmp_path), "TIPC_STUB_CALLS": str(calls),
                           "BENCHMARK_LOG_DIR": str(tmp_path / "benchmark"), "PYTHONPATH": str(ROOT)}
            done = subprocess.run(["bash", str(ROOT / "test_tipc" / script), str(file), mode, *more], cwd=tmp_path,
                                  env=environment, text=True, capture_output=True, timeout=200)
            self.code, self.out = done.returncode, done.stdout + done.stderr
            self.calls = [json.loads(line) for line in calls.read_text().splitlines()]
            self.steps = [call["step"] for call in self.calls]
            results = tmp_path / "stub" / mode / "results_python.log"
            self.results = results.read_text().splitlines() if results.exists() else []

        def failed(self):
            return [line for line in self.results if " Run failed with command - stub - " in line]

    return Run


def test_a_chain_obeys_its_lines(tipc):
    run = tipc("lite_train_lite_infer")
    assert run.code == 0, run.out
    assert run.steps == ["train", "eval", "export", "predict"]
    assert len(run.results) == 4
    for line in run.results:
        assert " Run successfully with command - stub - " in line and line.endswith(" ! \033[0m")
    train, evaluation, _, predict = run.calls
    assert train["Global.epochs"] == "2" and train["Global.device"] == "cpu" and train["AMP.use_amp"] == "False"
    assert train["DataLoader.Train.sampler.batch_size"] == "32" and train["Global.iter_per_epoch"] == "5"
    assert evaluation["Global.pretrained_model"] == train["Global.output_dir"] + "/ISEModel/latest"
    assert predict["cwd"] == "deploy" and predict["Global.infer_imgs"] == "../dataset/tipc/query"


def test_whole_training_is_the_recipe_itself(tipc):
    run = tipc("whole_train_whole_infer", {5: "-o Global.device:gpu"})
    train, predict = run.calls[0], run.calls[-1]
    assert train["Global.epochs"] == "20" and train["Global.device"] == "cpu"  # -1 in line 4 is the CPU
    assert "DataLoader.Train.sampler.batch_size" not in train and "Global.iter_per_epoch" not in train
    assert predict["Global.infer_imgs"] == "../dataset/tipc/bounding_box_test"


def test_alternatives_multiply(tipc):
    run = tipc("lite_train_whole_infer", {6: "-o Global.auto_cast:null|amp", 41: "-o Global.use_gpu:True|False",
                                          43: "-o Global.cpu_num_threads:1|2", 44: "-o Global.batch_size:1|8"})
    assert run.code == 0, run.out
    assert run.steps.count("train") == 2 and run.steps.count("predict") == 8  # and none on a GPU: line 4 is -1
    assert [call["AMP.use_amp"] for call in run.calls if call["step"] == "train"] == ["False", "True"]
    assert all(call["Global.epochs"] == "2" for call in run.calls if call["step"] == "train")


def test_a_killed_training_is_a_failure(tipc):
    assert tipc("lite_train_lite_infer").code == 0
    run = tipc("lite_train_lite_infer", {16: f"norm_train:{STUB} train die"})
    assert run.code == 1 and run.steps == ["train"]  # and the weights of the first run are not evaluated
    assert len(run.failed()) == len(run.results) == 1
    assert "last words" in run.out and "exit code 137" in run.out


def test_weights_that_are_not_there_are_a_failure(tipc):
    run = tipc("lite_train_lite_infer", {16: f"norm_train:{STUB} train nothing"})
    assert run.code == 1 and run.steps == ["train", "eval", "export"] and len(run.failed()) == 2


def test_the_other_chains_go_on_after_a_failure(tipc):
    run = tipc("lite_train_lite_infer", {15: "trainer:pact_train|norm_train", 17: f"pact_train:{STUB} train die"})
    assert run.code == 1 and len(run.failed()) == 1
    assert run.steps == ["train", "train", "eval", "export", "predict"]


def test_a_failing_inference_is_a_failure(tipc):
    run = tipc("lite_train_lite_infer", {40: f"inference:{STUB} predict die"})
    assert run.code == 1 and len(run.failed()) == 1 and len(run.results) == 4


@pytest.mark.parametrize("manner", ["work", "die"])
def test_two_processes_on_the_cpu(tipc, manner):
    run = tipc("lite_train_lite_infer", {4: "gpu_list:0,1", 16: f"norm_train:{STUB} train {manner}", 24: "eval:null"})
    assert sorted(call["rank"] for call in run.calls if call["step"] == "train") == [0, 1]
    assert (run.code, len(run.failed())) == ((0, 0) if manner == "work" else (1, 1)), run.out


def test_a_wrong_key_and_an_export_without_weights_with_the_real_tools(tipc, people):
    override = f"-c configs/ISE_demo.yaml -o Global.image_root={people}"
    run = tipc("lite_train_lite_infer", {16: f"norm_train:tools/train.py {override} -o Cluster.epsilon=0.5"})
    assert run.code == 1 and len(run.failed()) == 1 and "Cluster.epsilon is no known key" in run.out
    run = tipc("lite_train_lite_infer", {16: f"norm_train:{STUB} train nothing", 24: "eval:null",
                                         30: f"norm_export:tools/export_model.py {override}"})
    assert run.code == 1 and len(run.failed()) == 1 and "there is no file" in run.out


def test_whole_infer_needs_no_training(tipc, tmp_path):
    model = {37: f"infer_model:{tmp_path / 'model'}"}
    assert tipc("whole_infer", model).code == 1  # no model there
    (tmp_path / "model").mkdir()
    weights = tmp_path / "trained.pdparams"
    weights.touch()
    run = tipc("whole_infer", {**model, 36: f"pretrained_model_url:{weights}", 38: "infer_export:True"})
    assert run.code == 0 and run.steps == ["export", "predict"], run.out


def test_benchmark_reports_the_speed(tipc):
    run = tipc("benchmark_train", {4: "gpu_list:0", 9: "-o DataLoader.Train.sampler.batch_size:32"},
               script="benchmark_train.sh", more=["dynamic_bs64_fp32_DP_N1C1"])
    assert run.code == 0 and run.steps == ["train"], run.out
    assert run.calls[0]["DataLoader.Train.sampler.batch_size"] == "64" and run.calls[0]["Global.epochs"] == "1"
    assert run.calls[0]["Global.iter_per_epoch"] == "20"
    assert json.loads(run.out.splitlines()[-1])["ips"] == 32.0
    assert tipc("benchmark_train", {16: f"norm_train:{STUB} train die"}, script="benchmark_train.sh").code == 1


@pytest.mark.parametrize("mode, changes, drop, message", [
    ("lite_train_lite_infer", {}, [12], "54"),
    ("lite_train_lite_infer", {12: "train_params:x", 21: "null:null\nnull:null"}, [], "lines 23 and 27"),
    ("lite_train_lite_infer", {7: "-o Global.epochs:whole_train_whole_infer=3"}, [], "line 7"),
    ("lite_train_lite_infer", {15: "trainer:norm_trian"}, [], "norm_trian"),
    ("lite_train_lite_infer", {16: "norm_train:null"}, [], "nothing was run"),
    ("lite_train", {}, [], "unknown mode"),
])
def test_a_file_that_is_wrong_is_told_by_line(tipc, mode, changes, drop, message):
    run = tipc(mode, changes, drop=drop)
    assert run.code == 2 and message in run.out and not run.steps
