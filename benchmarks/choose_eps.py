"""What Cluster.eps auto gives at the first clustering, against a grid of eps; for docs/clustering.md.

python benchmarks/choose_eps.py -c configs/ISE_demo.yaml [-o Global.pretrained_model=...] [--seeds 1 2 3]

A line per seed of the weights: the eps chosen, and for it and every eps of the grid the adjusted Rand index with the
true identities, each outlier a cluster of its own.
"""
import argparse
import os
import sys

import paddle

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "..")))

from evaluate_run import build_model, cluster_quality, load_dygraph_pretrain  # noqa: E402

from ppcls_ise.clustering import EPS_GRID, choose_eps, dbscan, jaccard_distance  # noqa: E402
from ppcls_ise.data import ReIDImages  # noqa: E402
from ppcls_ise.engine import ClusterSettings, extract_features, load_config, prepare_config  # noqa: E402

GRID = [step / 20 for step in range(4, 17)]


def first_features(config, seed):
    """Training images and their features ``[N, D]`` by the weights that a run with this seed starts from."""
    paddle.seed(seed)
    model = build_model(config)
    if config["Global"]["pretrained_model"]:
        load_dygraph_pretrain(model, config["Global"]["pretrained_model"])
    loaders = config["DataLoader"]
    options = {key: value for key, value in loaders["Train"]["dataset"].items() if key != "name"}
    images = ReIDImages(**{**options, "transform_ops": loaders["Eval"]["Query"]["dataset"]["transform_ops"]})
    return images, extract_features(model, images, 64, name="train").numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", required=True)
    parser.add_argument("-o", "--override", action="append", default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--min-samples", type=int, nargs="+", help="default: the config's")
    arguments = parser.parse_args()
    config = prepare_config(load_config(arguments.config, arguments.override), "train")
    settings = ClusterSettings.from_config(config)
    print("| seed | min_samples | auto | clusters, outliers | ARI | "
          + " | ".join(f"{eps:.2f}" for eps in GRID) + " |\n" + "|---" * (5 + len(GRID)) + "|")
    for seed in arguments.seeds:
        images, features = first_features(config, seed)
        distance = jaccard_distance(features, settings.k1, settings.k2, EPS_GRID[-1])
        for least in arguments.min_samples or [settings.min_samples]:
            chosen = choose_eps(distance, least)
            rows = [cluster_quality(dbscan(distance, eps, least), images.pids, images.camids)
                    for eps in (chosen, *GRID)]
            print(f"| {seed} | {least} | {chosen} | {rows[0]['clusters']}, {rows[0]['outliers']} | "
                  + " | ".join(f"{row['ARI']:.3f}" for row in rows) + " |", flush=True)


if __name__ == "__main__":
    main()
