"""From nothing to a search page on the CPU, on synthetic persons.

    ise demo

Draws the persons, trains, evaluates before and after, exports, builds a gallery and searches it: about three minutes.
Writes to dataset/synthetic and output/ISE_demo of the current folder, where ise serve then serves the gallery.
"""
from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time

from ..errors import ISEError
from . import program

__all__ = ["main", "parser"]

CONFIG = "ISE_demo.yaml"
OUTPUT = "output/ISE_demo"  # these two as the config has them
DATASET = "dataset/synthetic"
QUERIES, MATCHES = 6, 8


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    return program.make_parser("demo", __doc__)


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns: the exit code."""
    return program.run(parser(), _demo, arguments)


def _demo(options: argparse.Namespace) -> None:
    started = time.time()
    config = ["-c", CONFIG]
    before = _figures(_run("eval", *config))
    _run("train", *config)
    weights = f"Global.pretrained_model={_trained_weights()}"
    after = _figures(_run("eval", *config, "-o", weights))
    _run("export", *config, "-o", weights, "-o", f"Global.save_inference_dir={OUTPUT}/inference")
    _run("gallery")
    picture = os.path.join(OUTPUT, "rank_lists.png")
    _rank_lists(os.path.join(OUTPUT, "inference"), DATASET, picture)
    print("\n            " + "".join(f"{name:>8}" for name in before))
    for name, values in (("untrained", before), ("after ISE", after)):
        print(f"  {name:10}" + "".join(f"{100 * value:8.1f}" for value in values.values()))
    print(f"\n  {picture}: queries left, green frames are right. {time.time() - started:.0f} seconds in all.\n"
          "  ise serve: a page to search the gallery with a picture.")


def _run(*command: str) -> str:
    """Run a command as a user would, show it, and return what it printed."""
    print("\n$ ise " + " ".join(command), flush=True)
    lines = []
    with subprocess.Popen([sys.executable, "-m", "ppcls_ise.cli", *command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if re.search(r"\[(Train|Eval|Cluster|Synthetic)\]|error|Error|Export succeeded|images \(", line):
                print("  " + line.split("INFO: ")[-1].rstrip(), flush=True)
    if process.returncode:
        raise ISEError("".join(["ise ", command[0], " failed:\n", *lines[-30:]]).rstrip())
    return "".join(lines)


def _figures(output: str) -> dict[str, float]:
    """The last evaluation in a log: name -> fraction."""
    line = [line for line in output.splitlines() if "[Avg]mAP" in line][-1]
    return {name: float(value) for name, value in re.findall(r"(mAP|rank\d+): ([\d.]+)", line)}


def _trained_weights() -> str:
    """The newest ``latest``: in the output folder itself or, with PaddleClas 2.x, below it under the model's name."""
    stems = [os.path.join(OUTPUT, *part, "latest") for part in ((), ("ISEModel",))]
    return max((stem for stem in stems if os.path.isfile(stem + ".pdparams")),
               key=lambda stem: os.path.getmtime(stem + ".pdparams"))


def _rank_lists(model_dir: str, folder: str, target: str) -> None:
    """Search the gallery with some queries through Paddle Inference and draw what was found."""
    import numpy as np

    from ..images.listing import list_images
    from ..inference import FeatureExtractor
    from ..visualize import contact_sheet, rank_lists
    from ..visualize.pictures import BAD, GOOD, PLAIN

    extractor = FeatureExtractor(model_dir)
    queries, gallery = list_images(folder, "query"), list_images(folder, "bounding_box_test")
    assert queries.pids is not None and gallery.pids is not None and queries.camids is not None  # they are in the names
    chosen = np.linspace(0, len(queries.names) - 1, QUERIES).astype(int)
    found = rank_lists(
        range(len(chosen)),
        (extractor([queries.path(i) for i in chosen]), queries.pids[chosen], queries.camids[chosen]),
        (extractor([gallery.path(i) for i in range(len(gallery.names))]), gallery.pids, gallery.camids), top=MATCHES)
    print("\n  query (identity, camera) -> nearest gallery images of other cameras: identity (similarity), * is right")
    sheet = []
    for query, row in zip(chosen, found):
        cells = [(gallery.path(g), GOOD if right else BAD, f"{gallery.pids[g]}{'*' * bool(right)} ({similarity:.2f})")
                 for g, right, similarity in zip(row.matches, row.right, row.similarity)]
        sheet.append([(queries.path(query), PLAIN, str(queries.pids[query])), *cells])
        print(f"  {queries.pids[query]:4d}, c{queries.camids[query]} -> "
              + "  ".join(caption for _, _, caption in cells[:5]))
    contact_sheet(sheet).save(target)
