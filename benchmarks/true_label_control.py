"""Train with the true identities in place of pseudo labels: what the loop gives where clustering is no limit.

    python benchmarks/true_label_control.py -c configs/ISE_MobileNetV2_CUHK03.yaml -o Global.pretrained_model=...

A control for the implementation only. The package itself never reads identities in training.
"""
import argparse
import os
import sys

import numpy as np

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "..")))

import ppcls_ise  # noqa: E402

ppcls_ise.register()

from ppcls.engine.engine import Engine  # noqa: E402

from ppcls_ise.engine import ClusterHook, load_config, prepare_config  # noqa: E402


def true_labels(hook, _features, _epoch_id):
    return np.unique(hook.data_set.pids, return_inverse=True)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", required=True)
    parser.add_argument("-o", "--override", action="append", default=[])
    arguments = parser.parse_args()
    ClusterHook._assign = true_labels
    Engine(prepare_config(load_config(arguments.config, arguments.override), "train"), mode="train").train()


if __name__ == "__main__":
    main()
