"""Train with the true identities in place of pseudo labels: what the loop gives where clustering is no limit.

    python benchmarks/true_label_control.py -c configs/ISE_MobileNetV2_CUHK03.yaml -o Global.pretrained_model=...

A control for the implementation only. The package itself never reads identities in training.
"""
import argparse
import dataclasses

import numpy as np

import ppcls_ise

ppcls_ise.register()

from ppcls.engine.engine import Engine  # noqa: E402

from ppcls_ise.clustering import Clustering, Clusters, register_clustering  # noqa: E402
from ppcls_ise.config import load_config  # noqa: E402
from ppcls_ise.engine import prepare_config  # noqa: E402


def use_identities(engine):
    """Let the engine's next clusterings be the identities of its training images."""
    labels = np.unique(engine.train_dataloader.dataset.pids, return_inverse=True)[1]

    @register_clustering
    @dataclasses.dataclass(frozen=True)
    class TrueLabels(Clustering):
        def assign(self, features, cameras, neighbours, kept):
            return Clusters(labels)

    engine.config["Cluster"] = {"name": "TrueLabels", "interval": engine.config["Cluster"].get("interval", 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", required=True)
    parser.add_argument("-o", "--override", action="append", default=[])
    arguments = parser.parse_args()
    engine = Engine(prepare_config(load_config(arguments.config, arguments.override), "train"), mode="train")
    use_identities(engine)
    engine.train()


if __name__ == "__main__":
    main()
