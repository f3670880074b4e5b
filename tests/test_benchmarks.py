"""The benchmarks run, at a size that says nothing of speed, and what they compare agrees."""
import argparse
import json
import os
import re
import subprocess
import sys

import pytest

from benchmarks import ablation, house
from ppcls_ise.config import load_config
from ppcls_ise.engine import prepare_config
from tests.helpers import ROOT


def run(name, *arguments):
    result = subprocess.run([sys.executable, f"benchmarks/{name}.py", *arguments], cwd=ROOT, capture_output=True,
                            text=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.slow
def test_clustering_equals_the_dense_program():
    row = run("clustering", "--n", "400", "--dim", "32", "--processes", "2").splitlines()[-1]
    assert re.search(r"^\| 400 \|.*\| same neighbours \|.*same labels, distances to \d.\de-\d+ \|$", row), row


@pytest.mark.slow
def test_re_ranking_equals_the_dense_program():
    lines = [line.partition(" ") for line in run("evaluation", "rerank", "--scale", "0.02", "--programs", "ours",
                                                 "dense").splitlines() if line.startswith(("ours", "dense", "agree"))]
    figures = {name: json.loads(text) for name, _, text in lines}
    assert figures["ours"]["mAP"] == pytest.approx(figures["dense"]["mAP"], abs=1e-6) and figures["ours"]["mAP"] > 0.5
    assert figures["agreement"]["queries with the same 100 first images"] == "67 of 67"


def test_every_kind_of_gallery_finds():
    printed = run("gallery", "--images", "500", "--dimension", "16", "--queries", "10")
    recall = dict(re.findall(r"^\| (\w+) \| ([\d.]+) \|", printed, re.M))
    assert set(recall) == {"Flat", "IVF", "HNSW32", "SQ8"} and min(map(float, recall.values())) > 0.5


@pytest.mark.slow
def test_loaders_are_compared():
    printed = run("loader", "--images", "64", "--batch", "32", "--rounds", "1", "--workers", "1")
    assert re.search(r"^\| PaddleClas Market1501 \| \d+ \| 1.0 \|", printed, re.M)
    assert len(re.findall(r"^\| ours, cache: \w+ \| \d+ \|", printed, re.M)) > 1


@pytest.mark.slow
def test_extraction_is_the_same_through_onednn():
    printed = run("extraction", "--configs", "ISE_demo.yaml", "--images", "16", "--rounds", "1")
    differences = re.findall(r"^\| ISE_demo.yaml \| .* \| ([\d.e+-]+) \|$", printed, re.M)
    assert len(differences) == 3 and max(map(float, differences)) < 1e-5, printed


@pytest.mark.slow
@pytest.mark.parametrize("arguments, rows", [
    (["clustering", "--n", "600", "--cameras", "3", "--dim", "32", "--rounds", "1"],
     r"^\| 600, 3 \| [\w, ]+ \| [\d.]+ \| [\d.]+ \| \d* \|$"),
    (["step"], r"^\| [\w :]+ \| -?[\d.]+ \| -?[\d.]+ % \|$")])
def test_what_cameras_cost_is_measured(arguments, rows):
    printed = run("cameras", *arguments)
    assert len(re.findall(rows, printed, re.M)) == (6 if arguments[0] == "clustering" else 3), printed


def test_variants_of_the_ablation_are_configs_and_the_table_has_their_mean(tmp_path, capsys):
    for config, *overrides in ablation.VARIANTS.values():
        prepare_config(load_config(str(ROOT / "configs" / config), overrides), "train")
    for seed, (mean_ap, follows) in enumerate([(20.0, (0.3, 0.2)), (23.0, (0.2, 0.3))], 1):
        place = ablation.folder(tmp_path, "plain ISE", seed)
        place.mkdir()
        place.joinpath("row.json").write_text(json.dumps({**dict.fromkeys(ablation.COLUMNS.values(), 0.5),
                                                          "market mAP": mean_ap}))
        place.joinpath("evaluation.csv").write_text("epoch,unlabelled,mAP\n1,-1.0,0.9\n2,0.1,0.1\n" + "".join(
            f"{3 + row},{0.2 + row},{value}\n" for row, value in enumerate(follows)))
    ablation.table(tmp_path, [1, 2, 3])
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| plain ISE | 21.5 ± 2.1 | 0.5 ± 0.0 | 0.5 ± 0.0 | 0.500 ± 0.000 | 0.500 ± 0.000 | 0.50, 1.00 |"]


@pytest.mark.slow
def test_training_steps_are_timed():
    printed = run("training", "steps", "--network", "MobileNetV2", "--rounds", "1", "--count", "1", "--before", ".")
    programs = re.findall(r"^\| MobileNetV2, 64 images of 128x64 \| (\w+) \| [\d.]+ \|", printed, re.M)
    assert programs == ["before", "ours"], printed


@pytest.mark.slow
def test_the_feature_cache_is_measured():
    printed = run("feature_cache", "--case", "64", "False")
    assert re.search(r"^result( [\d.]+){4}$", printed, re.M), printed


def test_numbers_of_the_code():
    files = {
        "ppcls_ise/room/one.py": """
class One:
    def __init__(self, a: int, *rest: int):
        self.a = a

    def bare(self, a: int) -> None:
        def inner(x, y, z, more):
            return x

    @staticmethod
    def static(a, *, b: int) -> None: ...

def _private(x): ...
""",
        "ppcls_ise/host.py": "import paddle\nprint(paddle.__version__)\n",
        "tools/tool.py": """
import sys
from unittest import mock
sys.path.insert(0, "here")
sys.path[:0] = ["there"]
print(sys.path[0], mock, metadata.version("paddlepaddle"))
def main() -> None: ...
""",
        "tests/test_one.py": "import sys\nfrom unittest.mock import patch\nsys.path.append('x')\n",
        "configs/_base_/one.yaml": "# said\n\nGlobal:\n  # said\n  epochs: 1   # said\n",
        "benchmarks/one.py": "if paddle.version.full_version < '3': pass\n",
        "docs/one.py": "print(PIL.__version__, metadata.version('six'))\n",
        "deploy/one.yaml": "Global:\n",
    }
    assert house.numbers(files) == {
        "lines of Python: ppcls_ise": "15", "lines of Python: tests": "3",
        "lines of Python: tools, deploy, benchmarks": "8",
        "modules": "3", "lines of a module: median / p90 / max": "7 / 13 / 13 (`ppcls_ise/room/one.py`)",
        "functions": "6", "lines of a function: median / p90 / max": "1.5 / 3 / 3 (`ppcls_ise/room/one.py:One.bare`)",
        "longest parameter list": "4 (`ppcls_ise/room/one.py:One.bare.inner`)",
        "public functions fully annotated": "75 % (3 of 4)", "lines of yaml in configs": "2",
        "edits of sys.path outside tests": "2 in 1 files",
        "files that read a version of Paddle or PaddleClas, outside host and tests":
            "2 (`tools/tool.py`, `benchmarks/one.py`)",
        "files that use unittest.mock outside tests": "1 (`tools/tool.py`)",
    }
    assert house.rooms(files) == {"room": "66 % (2 of 3)"}


def test_numbers_of_two_trees_stand_beside_each_other():
    assert house.table("what", {"old": {"a": "1"}, "new": {"b": "2"}}, dict) == (
        "| what | old | new |\n| --- | --- | --- |\n| a | 1 |  |\n| b |  | 2 |")


@pytest.mark.slow
def test_numbers_of_this_code():
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout of git")
    commit, tree = (re.search(r"^\| functions \| (\d+) \|", run("house", *given), re.M) for given in (["HEAD"], []))
    assert commit and tree and min(int(commit[1]), int(tree[1])) > 100


@pytest.fixture
def device_report(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import device_report

    return device_report


@pytest.mark.slow
def test_the_report_of_a_device_finds_the_cpu_to_be_the_cpu():
    printed = run("device_report", "--device", "cpu", "--small")
    rows = {cells[0]: cells[1:] for cells in (line.strip("| ").split(" | ") for line in printed.splitlines()
                                              if line.startswith("| "))}
    verdicts = [cells[-1] for cells in rows.values()]
    assert verdicts.count("ok") == 17 and not [verdict for verdict in verdicts if verdict.startswith(("DIF", "failed"))]
    assert rows["labels, float16 scan"][2] == "the same"
    assert rows["training stopped after an epoch and resumed"][-2] == "equal bit for bit"
    for name in ("L_SE", "small network: gradients", "the demo's network, 16 images: step",
                 "the demo's network: extraction, images/s", "batch check, 2 processes: steps with and without"):
        assert any(re.search("[1-9]", cell) for cell in rows[name]), name


def test_a_part_of_the_report_that_fails_is_a_row(device_report, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(device_report.PARTS, "broken", device_report.Part("device_parity:losses"))
    options = argparse.Namespace(device="cpu", small=True)
    row, = device_report.rows_of("broken", options, tmp_path)  # which the process of the part does not know
    assert row.is_bad and row.check == "broken" and "KeyError" in row.verdict
    monkeypatch.setitem(device_report.PARTS, "broken", device_report.Part("math:sqrt"))
    with pytest.raises(TypeError):
        device_report.run_part("broken", None)
    assert '"verdict": "failed: TypeError: must be real number' in capsys.readouterr().out


def test_a_difference_is_found(device_report):
    from device_tools import compared

    assert not compared("a", [1.0, 2.0], [1.0, 2.0001], 1e-4).is_bad
    assert compared("a", [1.0, 2.0], [1.0, 2.001], 1e-4).is_bad
    assert compared("a", [1.0, 2.0], [1.0, float("nan")], 1e-4).is_bad
    assert compared("a", [1.0, 2.0], [[1.0, 2.0]], 1e-4).is_bad


def test_the_report_wants_the_device_that_it_is_to_be_of(device_report, monkeypatch, capsys):
    import paddle

    if paddle.is_compiled_with_cuda():
        pytest.skip("a PaddlePaddle of GPUs")
    monkeypatch.setattr(sys, "argv", ["device_report.py"])
    assert device_report.main() == 1
    assert "built for the CPU only" in capsys.readouterr().err


def test_the_report_fails_where_a_row_does(device_report, monkeypatch, tmp_path):
    from device_tools import Row

    import ppcls_ise.images.synthetic

    monkeypatch.setattr(ppcls_ise.images.synthetic, "make_synthetic", lambda *_, **__: None)
    for verdict, code in (("ok", 0), ("skipped: why", 0), ("", 0), ("DIFFERS", 1), ("failed: why", 1)):
        monkeypatch.setattr(device_report, "rows_of", lambda *_, verdict=verdict: [Row("a", "", "", "", verdict)])
        options = argparse.Namespace(device="cpu", small=True, parts=["losses"])
        assert device_report.report(options, tmp_path) == code, verdict
