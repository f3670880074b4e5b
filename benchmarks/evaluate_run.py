"""One line of docs/results.md: retrieval under three protocols and the clustering of the training set by its weights.

python benchmarks/evaluate_run.py -c configs/ISE_MobileNetV2_CUHK03.yaml -o Global.pretrained_model=output/.../latest
"""
import argparse

import ppcls_ise

ppcls_ise.register()

from ppcls_ise.config import load_config  # noqa: E402
from ppcls_ise.engine import prepare_config  # noqa: E402
from ppcls_ise.engine.offline import cluster_split, extract_splits  # noqa: E402
from ppcls_ise.metric import PROTOCOLS, Rules, cluster_report, evaluate  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", required=True)
    parser.add_argument("-o", "--override", action="append", default=[])
    arguments = parser.parse_args()
    config = prepare_config(load_config(arguments.config, arguments.override), "train")
    splits = extract_splits(config)
    sides = [(split.features, split.data_set.pids, split.data_set.camids)
             for split in (splits["query"], splits["gallery"])]
    row = {}
    for protocol in PROTOCOLS:
        result = evaluate(*sides[0], *sides[1], Rules(protocol))
        row[f"{protocol} mAP"], row[f"{protocol} rank-1"] = 100 * result["mAP"], 100 * result["cmc"][0]
    train = splits["train"]
    labels = cluster_split(config, train).labels
    row.update(cluster_report(labels, train.data_set.pids, train.data_set.camids))
    for name, value in row.items():
        print(f"{name:22} {value:.3f}" if isinstance(value, float) else f"{name:22} {value}")


if __name__ == "__main__":
    main()
