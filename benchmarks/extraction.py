"""Extraction on the CPU through oneDNN, as by default, beside Paddle's own layers with MKL as it comes and switched.

python benchmarks/extraction.py [--configs ISE_R50.yaml] [--images 256] [--threads 2] [--before CHECKOUT]

Each rival has a process of its own, for MKL reads its switch once; in turns, the fastest of ``--rounds`` counts. A call
of ``extract_features`` is timed whole, but for decoding: the images are in memory. The weights are random, the same for
all; *difference* is the largest of any number of a feature. ``--before``: a checkout of this repository from before
oneDNN, whose package comes first as it is by default, in one thread; the ratios are to it.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
#: Name -> MKL_DEBUG_CPU_TYPE, None for the package's choice, and Global.use_onednn. Ratios are to the first.
RIVALS = {"Paddle's layers": ("0", False), "Paddle's layers, MKL on AVX2": ("5", False), "oneDNN": (None, True)}
BATCH = 64


def calibrate(model, images):
    """Running statistics of these images: with those of a fresh BatchNorm all features are nearly one."""
    import paddle

    from ppcls_ise.arch.bn_groups import batch_norms

    model.train()
    for norm in batch_norms(model):
        norm._momentum = 0.0
    with paddle.no_grad():
        model(images)


def extract(config, count, use_onednn, threads, weights, target):
    """Seconds of one rival, in this process; ``weights`` are read, or made and written."""
    import ppcls_ise

    ppcls_ise.register()
    import paddle
    from ppcls.arch import build_model

    from ppcls_ise.config import load_config
    from ppcls_ise.engine import extract_features

    if use_onednn is not None:
        from ppcls_ise.engine import prepare_processor

        prepare_processor(threads, use_onednn)
    paddle.set_device("cpu")
    paddle.seed(0)
    config = load_config(config, ["Arch.Backbone.pretrained=False"])
    if use_onednn is not None:
        config["Arch"]["use_onednn"] = use_onednn
    _, height, width = config["Global"]["image_shape"]
    coarse = np.random.default_rng(0).normal(size=(BATCH, 3, height // 8, width // 8)).astype(np.float32)
    images = coarse.repeat(8, 2).repeat(8, 3)
    model = build_model(config)
    if os.path.exists(weights):
        model.set_state_dict(paddle.load(weights))
    else:
        calibrate(model, paddle.to_tensor(images[:32]))
        paddle.save(model.state_dict(), weights)

    class Images(paddle.io.Dataset):
        def __len__(self):
            return count

        def __getitem__(self, row):
            return images[row % BATCH], row

    extract_features(model, paddle.io.Subset(Images(), range(8)), 8)
    started = time.perf_counter()
    features = extract_features(model, Images(), BATCH)
    seconds = time.perf_counter() - started
    np.save(target, features.numpy())
    return seconds


def run(rival, config, arguments, folder):
    """Seconds of one rival, in a process of its own."""
    switch, use_onednn = RIVALS.get(rival, ("0", None))
    environment = {key: value for key, value in os.environ.items() if key != "MKL_DEBUG_CPU_TYPE"}
    environment |= {"PYTHONPATH": str(ROOT if rival in RIVALS else arguments.before),
                    **({"MKL_DEBUG_CPU_TYPE": switch} if switch else {})}
    task = [config, arguments.images, use_onednn, arguments.threads, f"{folder}/weights.pdparams",
            f"{folder}/{rival}.npy"]
    done = subprocess.run([sys.executable, __file__, "--task", json.dumps(task)], text=True, stdout=subprocess.PIPE,
                          env=environment, check=True, cwd=ROOT)
    return float(done.stdout.splitlines()[-1])


def compare(config, arguments):
    """Rows of all rivals for one config."""
    with tempfile.TemporaryDirectory() as folder:
        rivals = ["before", *RIVALS] if arguments.before else [*RIVALS]
        rounds = [{rival: run(rival, config, arguments, folder) for rival in rivals} for _ in range(arguments.rounds)]
        features = {rival: np.load(f"{folder}/{rival}.npy") for rival in rivals}
    first = rivals[0]
    best = {rival: min(row[rival] for row in rounds) for rival in rivals}
    for rival, seconds in best.items():
        print(f"| {config} | {rival} | {arguments.images / seconds:,.1f} | {best[first] / seconds:.2f} | "
              f"{np.abs(features[rival] - features[first]).max():.1e} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", nargs="+", default=["ISE_R50.yaml", "ISE_MobileNetV2_CUHK03.yaml"])
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--before", metavar="CHECKOUT")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        print(extract(*json.loads(arguments.task)))
        return
    print("| config | | images/s | ratio | difference |\n|---|---|---|---|---|", flush=True)
    for config in arguments.configs:
        compare(config, arguments)


if __name__ == "__main__":
    main()
