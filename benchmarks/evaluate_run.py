"""One line of docs/results.md: retrieval under three protocols and the clustering of the training set by its weights.

python benchmarks/evaluate_run.py -c configs/ISE_MobileNetV2_CUHK03.yaml -o Global.pretrained_model=output/.../latest
"""
import argparse
import os
import sys

import numpy as np

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "..")))

import ppcls_ise  # noqa: E402

ppcls_ise.register()

from ppcls.arch import build_model  # noqa: E402
from ppcls.utils.save_load import load_dygraph_pretrain  # noqa: E402
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score  # noqa: E402

from ppcls_ise.clustering import pseudo_labels  # noqa: E402
from ppcls_ise.data import ReIDImages  # noqa: E402
from ppcls_ise.engine import ClusterSettings, extract_features, load_config, prepare_config  # noqa: E402
from ppcls_ise.metric import evaluate  # noqa: E402


def cluster_quality(labels, pids, camids):
    """Clusters, outliers, ARI and NMI over all images (each outlier its own class), and the share of same-identity
    pairs of one camera, and of two, that lie in one cluster."""
    own_class = np.where(labels >= 0, labels, labels.max() + 1 + np.arange(len(labels)))
    first, second = np.triu_indices(len(labels), 1)
    positive = pids[first] == pids[second]
    first, second = first[positive], second[positive]
    together = own_class[first] == own_class[second]
    same_camera = camids[first] == camids[second]
    return {"clusters": labels.max() + 1, "outliers": (labels < 0).sum(),
            "ARI": adjusted_rand_score(pids, own_class), "NMI": normalized_mutual_info_score(pids, own_class),
            "recall same-cam": together[same_camera].mean(), "recall cross-cam": together[~same_camera].mean()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", required=True)
    parser.add_argument("-o", "--override", action="append", default=[])
    arguments = parser.parse_args()
    config = prepare_config(load_config(arguments.config, arguments.override), "train")
    model = build_model(config)
    if config["Global"]["pretrained_model"]:
        load_dygraph_pretrain(model, config["Global"]["pretrained_model"])
    loaders = config["DataLoader"]
    plain = loaders["Eval"]["Query"]["dataset"]["transform_ops"]
    blocks = {"train": loaders["Train"], "query": loaders["Eval"]["Query"], "gallery": loaders["Eval"]["Gallery"]}
    sets, features = {}, {}
    for name, block in blocks.items():
        options = {key: value for key, value in block["dataset"].items() if key != "name"}
        sets[name] = ReIDImages(**{**options, "transform_ops": plain})
        features[name] = extract_features(model, sets[name], 64, name=name).numpy()
    row = {}
    for protocol in ("all", "same_camera", "market"):
        result = evaluate(features["query"], sets["query"].pids, sets["query"].camids, features["gallery"],
                          sets["gallery"].pids, sets["gallery"].camids, protocol=protocol)
        row[f"{protocol} mAP"], row[f"{protocol} rank-1"] = 100 * result["mAP"], 100 * result["cmc"][0]
    settings = ClusterSettings.from_config(config)
    labels = pseudo_labels(features["train"], settings.eps, settings.min_samples, settings.k1, settings.k2)
    row.update(cluster_quality(labels, sets["train"].pids, sets["train"].camids))
    for name, value in row.items():
        print(f"{name:18} {value:.3f}" if isinstance(value, float) else f"{name:18} {value}")


if __name__ == "__main__":
    main()
