"""What each piece of training with cameras is worth: taken out of the whole, and added to plain ISE.

    python benchmarks/ablation.py OUTPUT -o Global.image_root=... -o Global.pretrained_model=... [--seeds 1 2 3]
    python benchmarks/ablation.py OUTPUT --table

Every run trains in a folder of OUTPUT with evaluation after each epoch, and is evaluated by its last weights with
evaluate_run.py; what is already there is not run again. The table: means over the seeds and their standard deviation.
"follows": the rank correlation, over the epochs of each run, of Global.best_metric unlabelled with Market mAP.
"""
import argparse
import csv
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
from scipy.stats import spearmanr

ROOT = pathlib.Path(__file__).resolve().parents[1]
CAMERAS, PLAIN = "ISE_MobileNetV2_CUHK03_cameras.yaml", "ISE_MobileNetV2_CUHK03.yaml"
COLUMNS = {"Market mAP": "market mAP", "same-camera mAP": "same_camera mAP", "all mAP": "all mAP", "ARI": "ari",
           "recall across": "recall_cross_camera"}


def losses(proxies=False, **contrast):
    blocks = [{"ClusterContrastLoss": {"weight": 1.0, **contrast}}, {"LabelPreservingLoss": {"weight": 0.1}}]
    return f"Loss.Train={blocks + [{'CameraProxyLoss': {'weight': 1.0}}] * proxies}"


VARIANTS = {
    "plain ISE": (PLAIN,),
    "+ same-camera negatives": (PLAIN, "Arch.Head.negatives=same_camera"),
    "+ average of the weights": (PLAIN, "Global.ema_decay=0.98"),
    "+ camera proxies": (PLAIN, losses(proxies=True)),
    "+ clusters per camera, joined": (PLAIN, "Cluster.name=CrossCameraDBSCAN"),
    "+ camera-aware Jaccard": (PLAIN, "Cluster.name=CameraJaccardDBSCAN"),
    "+ camera-normalised features": (PLAIN, "Cluster.camera_norm=True"),
    "+ only clusters across cameras": (PLAIN, "Cluster.drop_single_camera=True"),
    "+ camera entropy": (PLAIN, losses(camera_entropy=True)),
    "the whole": (CAMERAS,),
    "- same-camera negatives": (CAMERAS, "Arch.Head.negatives=all"),
    "- average of the weights": (CAMERAS, "Global.ema_decay=0.0"),
    "- camera proxies": (CAMERAS, losses()),
    "- clusters per camera": (CAMERAS, "Cluster.name=KReciprocalDBSCAN"),
    "- joins and links": (CAMERAS, "Cluster.camera_links=none"),
    "- choice of links (all linked)": (CAMERAS, "Cluster.camera_links=all"),
}


def folder(output, variant, seed):
    return output / f"{variant} {seed}".replace(" ", "_")


def run(place, variant, seed, overrides):
    config, *own = VARIANTS[variant]
    options = ["-c", f"configs/{config}"]
    for override in (f"Global.seed={seed}", f"Global.output_dir={place}", "Global.eval_during_train=True",
                     "Global.best_metric=unlabelled", *overrides, *own):
        options += ["-o", override]
    place.mkdir(parents=True, exist_ok=True)
    call = {"cwd": ROOT, "env": {**os.environ, "PYTHONPATH": str(ROOT)}, "check": True, "text": True}
    with open(place / "log.txt", "w") as log:
        subprocess.run([sys.executable, "tools/train.py", *options], stdout=log, stderr=log, **call)
        printed = subprocess.run([sys.executable, "benchmarks/evaluate_run.py", *options, "-o",
                                  f"Global.pretrained_model={place}/ISEModel/latest"], stdout=subprocess.PIPE,
                                 stderr=log, **call).stdout
    printed = dict(map(str.strip, line.rsplit(None, 1)) for line in printed.splitlines() if " " in line)
    (place / "row.json").write_text(json.dumps({name: float(printed[name]) for name in COLUMNS.values()}))


def follows(place):
    with open(place / "evaluation.csv") as file:
        epochs = [(float(row["unlabelled"]), float(row["mAP"])) for row in csv.DictReader(file)]
    comparable = [epoch for epoch in epochs if epoch[0] > -1]
    return spearmanr(*zip(*comparable))[0] if len(comparable) > 2 else float("nan")


def table(output, seeds):
    print(f"| | {' | '.join(COLUMNS)} | follows |\n|{'---|' * (len(COLUMNS) + 2)}")
    for variant in VARIANTS:
        places = [place for place in (folder(output, variant, seed) for seed in seeds) if (place / "row.json").exists()]
        if not places:
            continue
        rows = [json.loads((place / "row.json").read_text()) for place in places]
        cells = []
        for column in COLUMNS.values():
            values = [row[column] for row in rows]
            digits = 1 if column.endswith("mAP") else 3
            spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):.{digits}f}{spread}")
        print(f"| {variant} | {' | '.join(cells)} | {', '.join(f'{follows(place):.2f}' for place in places)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("-o", "--override", action="append", default=[], help="of every run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--table", action="store_true", help="print the table of what is there, run nothing")
    arguments = parser.parse_args()
    output = arguments.output.resolve()
    for seed in [] if arguments.table else arguments.seeds:
        for variant in arguments.variants:
            place = folder(output, variant, seed)
            if not (place / "row.json").exists():
                run(place, variant, seed, arguments.override)
                print(place.name, (place / "row.json").read_text(), flush=True)
    table(output, arguments.seeds)


if __name__ == "__main__":
    main()
