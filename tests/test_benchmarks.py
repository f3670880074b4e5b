"""The benchmarks run, at a size that says nothing of speed, and what they compare agrees."""
import json
import re
import subprocess
import sys

import pytest
from helpers import ROOT


def run(name, *arguments):
    result = subprocess.run([sys.executable, f"benchmarks/{name}.py", *arguments], cwd=ROOT, capture_output=True,
                            text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_clustering_equals_the_dense_program():
    row = run("clustering", "--n", "400", "--dim", "32").splitlines()[-1]
    assert re.search(r"^\| 400 \|.*same labels, distances to \d.\de-\d+ \|$", row), row


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


def test_loaders_are_compared():
    printed = run("loader", "--images", "64", "--batch", "32", "--rounds", "1", "--workers", "1")
    assert re.search(r"^\| PaddleClas Market1501 \| \d+ \| 1.0 \|", printed, re.M)
    assert len(re.findall(r"^\| ours, cache: \w+ \| \d+ \|", printed, re.M)) > 1
