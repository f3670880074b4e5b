"""The benchmarks run, at a size that says nothing of speed, and what they compare agrees."""
import json
import os
import re
import subprocess
import sys

import pytest

from benchmarks import house
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
