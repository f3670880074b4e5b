"""Compare the figures of a TIPC run with recorded ones, so that a silent change in numerics fails.

    python test_tipc/compare_results.py --gt_file test_tipc/results/ISE_demo_lite_train_lite_infer_cpu.json \
        --log_path test_tipc/output/ISE_demo/lite_train_lite_infer

Compared are, chain by chain, the loss of every step, the clusters of every epoch, mAP and rank-1 of the evaluation, and
the first values of the first image's feature in every inference. --record writes such a file from a run.
--features A B compares all features in two logs of predict_rec.py.
"""
from __future__ import annotations

import argparse
import glob
import json
import math
import os
import re
import sys

# quantity -> largest difference that is still the same program, on whatever CPU: see README.md.
TOLERANCES = {"loss": 0.15, "clusters": 2, "mAP": 0.02, "rank1": 0.07, "feature": 0.02}
PATTERNS = {"loss": r"\[Train\]\[Epoch [^\]]*\]\[Iter: [^\]]*\].* loss: ([-\w.]+)",
            "clusters": r"\[Cluster\]\[Epoch \d+\] images: \d+, clusters: (\d+)",
            "mAP": r"\[Eval\]\[Epoch 0\]\[Avg\].*mAP: ([-\w.]+)",
            "rank1": r"\[Eval\]\[Epoch 0\]\[Avg\].*rank1: ([-\w.]+)"}
FEATURE = r"^(\S+\.\w+):\t\[([^\]]*)"  # as predict_rec.py prints it: name, tab, array
SHOWN = 8  # values of a feature that are kept


class ResultsError(Exception):
    """A run or a record that lacks what it should hold; the message names the file."""


def collect(folder: str) -> dict:
    """The figures that a run has left in its logs.

    Args:
        folder: ``test_tipc/output/<model>/<mode>``.

    Returns:
        chain -> quantity -> list of numbers. The quantity of an inference is named ``feature of <log>``.

    Raises:
        ResultsError: if the folder holds no chain, or a log of one lacks a figure.
    """
    names = sorted(os.path.basename(path)[:-len("_eval.log")] for path in glob.glob(os.path.join(folder, "*_eval.log")))
    if not names:
        raise ResultsError(f"{folder} holds no *_eval.log: no chain has run there")
    return {name: {**_quantities(folder, name), **_features(folder, name)} for name in names}


def _quantities(folder, name):
    training, evaluation = (_read(os.path.join(folder, name + end)) for end in (".log", "_eval.log"))
    found = {}
    for quantity, pattern in PATTERNS.items():
        path, text = evaluation if quantity in ("mAP", "rank1") else training
        found[quantity] = [float(value) for value in re.findall(pattern, text)]
        if not found[quantity]:
            raise ResultsError(f"{path} has no line with {quantity}")
    return found


def _features(folder, name):
    found = {}
    for path in sorted(glob.glob(os.path.join(folder, f"python_infer_*_{name}_*.log"))):
        first = re.search(FEATURE, _read(path)[1], re.MULTILINE)
        if not first:
            raise ResultsError(f"{path} has no feature in it")
        values = first[2].replace("...", " ").replace(",", " ").split()
        key = os.path.basename(path)[len("python_infer_"):-len(".log")].replace(f"_{name}", "")
        found[f"feature of {first[1]}, {key}"] = [float(value) for value in values[:SHOWN]]
    if not found:
        raise ResultsError(f"{folder} has no log of an inference of {name}")
    return found


def compare_features(first: str, second: str, tolerance: float = 1e-4) -> bool:
    """Compare the features that two runs of ``predict_rec.py`` printed, image by image, and print the difference."""
    logs = []
    for path in (first, second):
        found = re.findall(FEATURE, _read(path)[1], re.MULTILINE)
        if not found:
            raise ResultsError(f"{path} has no feature in it")
        logs.append({name: [float(value) for value in text.replace("...", " ").split()] for name, text in found})
    if {name: len(row) for name, row in logs[0].items()} != {name: len(row) for name, row in logs[1].items()}:
        raise ResultsError(f"{first} and {second} are not of the same images and the same model")
    difference = max(abs(a - b) for name, row in logs[0].items() for a, b in zip(row, logs[1][name]))
    print(f"features of {len(logs[0])} images differ by at most {difference:.1e} ({tolerance:g} is allowed)")
    return difference <= tolerance


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return path, file.read()
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {error}") from error


def compare(recorded: dict, measured: dict, tolerances: dict[str, float]) -> list[tuple]:
    """Compare two results of :func:`collect`.

    Returns:
        Rows (chain, quantity, largest difference, tolerance, what is wrong or ""). What is recorded and not measured
        is wrong, as is a number that is not finite; what is measured and not recorded is not looked at.
    """
    rows = []
    for chain, quantities in recorded.items():
        for quantity, expected in quantities.items():
            tolerance = tolerances[quantity.split()[0]]
            values = measured.get(chain, {}).get(quantity)
            if values is None:
                rows.append((chain, quantity, math.nan, tolerance, "missing"))
            elif len(values) != len(expected):
                rows.append((chain, quantity, math.nan, tolerance, f"{len(values)} values instead of {len(expected)}"))
            else:
                worst = max((abs(value - other) if math.isfinite(value) else math.inf, index)
                            for index, (value, other) in enumerate(zip(values, expected)))
                wrong = f"value {worst[1]}: {values[worst[1]]:g} instead of {expected[worst[1]]:g}"
                rows.append((chain, quantity, worst[0], tolerance, wrong if worst[0] > tolerance else ""))
    return rows


def show(rows: list[tuple]) -> bool:
    """Print a line per quantity; True if all agree."""
    chain = None
    for name, quantity, difference, tolerance, wrong in rows:
        if name != chain:
            chain = name
            print(chain)
        print(f"  {'DIFFERS' if wrong else 'agrees '} {quantity}: {difference:.5f} of {tolerance:g} {wrong}".rstrip())
    failed = sum(bool(row[-1]) for row in rows)
    print(f"{failed} of {len(rows)} quantities differ" if failed else f"all {len(rows)} quantities agree")
    return bool(rows) and not failed


def load_record(path: str) -> dict:
    """Read a file that ``--record`` wrote."""
    try:
        record = json.loads(_read(path)[1])
        if record["chains"] and set(TOLERANCES) == set(record["tolerances"]):
            return record
    except (ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"{path} is no record of results ({error}); --record writes one") from error
    raise ResultsError(f"{path} is no record of results: it needs chains, and tolerances of {', '.join(TOLERANCES)}")


def save_record(path: str, chains: dict, host: str) -> None:
    record = {"host": host, "tolerances": TOLERANCES, "chains": chains}
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda found: "[" + re.sub(r"\s+", " ", found[1]) + "]",
                  json.dumps(record, indent=1))  # a line per list
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + "\n")


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gt_file", help="recorded results (json)")
    parser.add_argument("--log_path", help="output folder of the run: test_tipc/output/<model>/<mode>")
    parser.add_argument("--scale", type=float, default=1.0, help="of all tolerances (default: %(default)s)")
    parser.add_argument("--record", metavar="HOST", help="write gt_file from this run; HOST says where it was made")
    parser.add_argument("--features", nargs=2, metavar="LOG", help="two logs of predict_rec.py")
    options = parser.parse_args(arguments)
    if not options.features and not (options.gt_file and options.log_path):
        parser.error("--gt_file and --log_path are needed, or --features")
    try:
        if options.features:
            return 0 if compare_features(*options.features) else 1
        measured = collect(options.log_path)
        if options.record:
            save_record(options.gt_file, measured, options.record)
            print(f"recorded {len(measured)} chains in {options.gt_file}")
            return 0
        record = load_record(options.gt_file)
        tolerances = {name: options.scale * value for name, value in record["tolerances"].items()}
        return 0 if show(compare(record["chains"], measured, tolerances)) else 1
    except ResultsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
