"""What Cluster.eps auto gives at the first clustering, against a grid of eps; for docs/clustering.md.

python benchmarks/choose_eps.py -c configs/ISE_demo.yaml [-o Global.pretrained_model=...] [--seeds 1 2 3]

A line per seed of the weights: the eps chosen, and for it and every eps of the grid the adjusted Rand index with the
true identities, each outlier a cluster of its own.
"""
import argparse
import dataclasses

import paddle

import ppcls_ise

ppcls_ise.register()

from ppcls_ise.config import load_config  # noqa: E402
from ppcls_ise.engine import clustering_of, prepare_config  # noqa: E402
from ppcls_ise.engine.offline import extract_splits  # noqa: E402
from ppcls_ise.metric import cluster_report  # noqa: E402

GRID = [step / 20 for step in range(4, 17)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", required=True)
    parser.add_argument("-o", "--override", action="append", default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--min-samples", type=int, nargs="+", help="default: the config's")
    arguments = parser.parse_args()
    config = prepare_config(load_config(arguments.config, arguments.override), "train")
    clustering, _ = clustering_of(config.get("Cluster"))
    print("| seed | min_samples | auto | clusters, outliers | ARI | "
          + " | ".join(f"{eps:.2f}" for eps in GRID) + " |\n" + "|---" * (5 + len(GRID)) + "|")
    for seed in arguments.seeds:
        paddle.seed(seed)
        train = extract_splits(config)["train"]
        features, images = train.features, train.data_set
        neighbours = clustering.neighbours(features, images.camids, slice(0, len(features)))
        for least in arguments.min_samples or [clustering.min_samples]:
            found = [dataclasses.replace(clustering, eps=eps, min_samples=least).assign(
                features, images.camids, neighbours, {}) for eps in ("auto", *GRID)]
            rows = [cluster_report(clusters.labels, images.pids, images.camids) for clusters in found]
            print(f"| {seed} | {least} | {found[0].figures['eps']} | {rows[0]['clusters']}, {rows[0]['outliers']} | "
                  + " | ".join(f"{row['ari']:.3f}" for row in rows) + " |", flush=True)


if __name__ == "__main__":
    main()
