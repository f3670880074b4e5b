"""Images per second of the training loader beside PaddleClas's own, in one run: its Market1501 data set with the same
augmentation made of its own transforms, shuffled, against ours without a cache, with cache: ram and cache: disk.

    python benchmarks/loader.py [--images 2048] [--workers 2]

Crops are synthetic, 128 x 64 as Market-1501's; read to 256 x 128. "extraction" is a pass without augmentation.
"""
import argparse
import os
import tempfile
import time
from functools import partial

import ppcls_ise

ppcls_ise.register()

import numpy as np  # noqa: E402
from paddle.io import DataLoader  # noqa: E402

from ppcls_ise.config import load_config  # noqa: E402
from ppcls_ise.data import PseudoLabelSampler, ReIDImages  # noqa: E402
from ppcls_ise.data.loader import ImageLoader  # noqa: E402
from ppcls_ise.images.synthetic import make_synthetic  # noqa: E402

INSTANCES = 16
NORMALIZE = {"NormalizeImage": {"scale": "1.0/255.0", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
                                "order": "hwc"}}
RESIZE = {"ResizeImage": {"size": [128, 256], "interpolation": "bicubic", "backend": "pil", "return_numpy": False}}
# Its Pad wants PIL images, so everything before NormalizeImage stays one.
THEIRS = [RESIZE, {"RandFlipImage": {"flip_code": 1}}, {"Pad": {"padding": 10}},
          {"RandCropImageV2": {"size": [128, 256]}}, NORMALIZE,
          {"RandomErasing": {"EPSILON": 0.5, "mean": [0.485, 0.456, 0.406]}}, {"ToCHWImage": None}]


def ours():
    """The published augmentation and the plain transforms, as the config has them."""
    config = load_config("ISE_R50.yaml")["DataLoader"]
    return (config["Train"]["dataset"]["transform_ops"], config["Eval"]["Query"]["dataset"]["transform_ops"])


def seconds(loader):
    """Of a whole pass, start of the workers included, as in every epoch."""
    started = time.perf_counter()
    count = sum(images.shape[0] for images, *_ in loader)
    return count, time.perf_counter() - started


def make_loaders(root, arguments):
    """Name -> function that gives a loader: (augmented training pass, extraction pass)."""
    from ppcls.data import Market1501

    options = {"num_workers": arguments.workers, "use_shared_memory": arguments.shared_memory}
    augmented, plain = ours()
    folder = os.path.join(root, "market1501", "Market-1501-v15.09.15")
    batch = arguments.batch

    def theirs(ops, shuffle):
        images = Market1501(root, "bounding_box_train", ops, backend="pil")
        return partial(DataLoader, images, batch_size=batch, shuffle=shuffle, drop_last=shuffle, **options)

    their_plain = [RESIZE, NORMALIZE, {"ToCHWImage": None}]
    loaders = {"PaddleClas Market1501": (theirs(THEIRS, shuffle=True), theirs(their_plain, shuffle=False))}
    for cache in ("none", "ram", "disk"):
        started = time.perf_counter()
        images = ReIDImages(augmented, folder, layout="Market1501", split="train", cache=cache,
                            cache_dir=os.path.join(root, "cache"))
        print(f"cache: {cache}: {time.perf_counter() - started:.2f} s to set up", flush=True)
        sampler = PseudoLabelSampler(None, batch, INSTANCES, len(images) // batch)
        sampler.start_epoch(np.arange(len(images)) // INSTANCES, None, 1)
        rows = [range(start, min(start + batch, len(images))) for start in range(0, len(images), batch)]
        loaders[f"ours, cache: {cache}"] = (
            partial(ImageLoader, images, batch_sampler=sampler, **options),
            partial(ImageLoader, images.with_transforms(plain), batch_sampler=rows, **options))
    return loaders


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("images", 2048), ("workers", 2), ("batch", 64), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--shared-memory", action="store_true", help="use_shared_memory of all loaders")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        make_synthetic(os.path.join(root, "market1501", "Market-1501-v15.09.15"), test_identities=2,
                       identities=arguments.images // INSTANCES, images_per_identity=INSTANCES, height=128, width=64)
        loaders = make_loaders(root, arguments)
        # In turns, so that what else the machine does hits all alike; the fastest of the rounds counts.
        rates = {name: [[], []] for name in loaders}
        for _ in range(arguments.rounds):
            for name, kinds in loaders.items():
                for kind, make in enumerate(kinds):
                    count, needed = seconds(make())
                    rates[name][kind].append(count / needed)
        base = [max(rates["PaddleClas Market1501"][kind]) for kind in (0, 1)]
        print(f"\n{arguments.images} images, {arguments.workers} workers, use_shared_memory {arguments.shared_memory}\n"
              "\n| loader | training, images/s | ratio | extraction, images/s | ratio |\n|---|---|---|---|---|")
        for name, kinds in rates.items():
            cells = [f"{max(kind):.0f} | {max(kind) / reference:.1f}" for kind, reference in zip(kinds, base)]
            print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
