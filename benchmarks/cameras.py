"""What telling cameras apart costs, as a share of the same without.

    python benchmarks/cameras.py clustering [--n 12936 32621] [--cameras 6 15]
    python benchmarks/cameras.py step
    python benchmarks/cameras.py sizes

``clustering``: seconds of the stage of training (search, distances, labels, centroids, and what the cameras saw of the
clusters), the fastest of --rounds in turns, over those of KReciprocalDBSCAN; "first" is the clustering that chooses
``auto``. ``step``: milliseconds of what comes to a step of MobileNetV2 with 64 images of 128x64, over that step.
``sizes``: which camera_k1 ``auto`` chooses on drawn features with 3 to 40 images of a person in a camera, and the
adjusted Rand index of the clusters within cameras by each.
"""
import argparse
import functools
import tempfile
import time
import types

import numpy as np
import paddle
from clustering import K1, K2, MIN_SAMPLES, agreement, make_features
from head import batch, head_step, seconds
from training import ise_model, ise_step, prepared

from ppcls_ise.arch import ISEHead
from ppcls_ise.clustering import CameraJaccardDBSCAN, CrossCameraDBSCAN, KReciprocalDBSCAN
from ppcls_ise.clustering.cameras import camera_proxies
from ppcls_ise.clustering.cross_camera import SIZES
from ppcls_ise.loss import CameraProxyLoss

KEYS = {"eps": 0.5, "min_samples": MIN_SAMPLES, "k1": K1, "k2": K2}
PLAIN = "KReciprocalDBSCAN"


def clustering(sizes, dim, rounds):
    print("| images, cameras | clustering | seconds | ratio | clusters |\n|---|---|---|---|---|")
    kinds = {PLAIN: KReciprocalDBSCAN(**KEYS), "CrossCameraDBSCAN": CrossCameraDBSCAN(**KEYS),
             "CameraJaccardDBSCAN": CameraJaccardDBSCAN(**KEYS), "camera_norm": KReciprocalDBSCAN(**KEYS,
                                                                                                 camera_norm=True)}
    for count, cameras in sizes:
        x, _, seen_by = make_features(count, dim, cameras=cameras)
        stages, kept, best = {name: stage(kind, x, seen_by) for name, kind in kinds.items()}, {}, {}
        for name, run in stages.items():
            started = time.perf_counter()
            found = run({})
            best[f"{name}, first"] = time.perf_counter() - started
            kept[name] = found.kept
        for name, run in [*stages.items()] * rounds:
            started = time.perf_counter()
            found = run(kept[name])
            best[name] = min(best.get(name, np.inf), time.perf_counter() - started)
            best[f"{name} clusters"] = len(found.centroids)
        for name in (*kinds, *(f"{name}, first" for name in kinds if kept[name])):
            print(f"| {count:,}, {cameras} | {name} | {best[name]:.2f} | {best[name] / best[PLAIN]:.2f} | "
                  f"{best.get(f'{name} clusters', '')} |", flush=True)


def stage(kind, x, cameras):
    """The stage as training runs it: from what was kept to what it found."""
    from ppcls_ise.engine.cluster_stage import cluster_images

    names, features = [str(row) for row in range(len(x))], paddle.to_tensor(x)

    def run(kept):
        with tempfile.TemporaryDirectory() as folder:
            return cluster_images(features, cameras, names, kind, kept, f"{folder}/record.npz", "[Cluster]", {})

    run_small = functools.partial(cluster_images, features[:400], cameras[:400], names[:400], kind, {})
    with tempfile.TemporaryDirectory() as folder:
        run_small(f"{folder}/record.npz", "[Cluster]", {})  # compiles
    return run


def sizes(persons=100, cameras=6, seen_by=4, dim=64):
    print(f"| noise | images | chosen | {' | '.join(f'ARI by {k1}' for k1 in SIZES)} |\n|{'---|' * (3 + len(SIZES))}")
    for noise in (0.8, 1.0, 1.2):
        for images in (3, 5, 10, 20, 40):
            x, owner, camera = drawn(persons, cameras, seen_by, images, noise, dim)
            found = {k1: CrossCameraDBSCAN(camera_k1=k1, camera_links="none")(x, camera) for k1 in ("auto", *SIZES)}
            agreed = [agreement(found[k1].labels, owner * cameras + camera) for k1 in SIZES]
            print(f"| {noise} | {images} | {found['auto'].figures['camera_k1']} | "
                  + " | ".join(f"{value:.3f}" for value in agreed) + " |", flush=True)


def drawn(persons, cameras, seen_by, images, noise, dim):
    """Unit rows, whose they are and by which camera: about ``images`` of a person in each of ``seen_by`` cameras."""
    rng = np.random.default_rng(0)
    own, style = (unit(rng.standard_normal(shape)) for shape in ((persons, dim), (persons, cameras, dim)))
    owner, camera = (np.concatenate(parts) for parts in zip(*(
        (np.full(count, person), np.full(count, one)) for person in range(persons)
        for one in rng.choice(cameras, seen_by, replace=False) for count in [max(1, rng.poisson(images))])))
    x = own[owner] + 0.45 * style[owner, camera] + noise * 1.6 * rng.standard_normal((len(owner), dim)) / dim ** 0.5
    return unit(x).astype(np.float32), owner, camera


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def step(repeats=30):
    from ppcls_ise.engine.averaging import WeightAverage

    model, optimizer = ise_model("MobileNetV2")
    pictures, given = paddle.rand([64, 3, 128, 64]), paddle.arange(64) // 8
    network = seconds(lambda: ise_step(model, optimizer, pictures, given), 7)
    features, labels, centroids = batch(64, 1280, 210, 8)
    rng = np.random.default_rng(0)
    owner, cameras = np.repeat(np.arange(210), 12), rng.integers(6, size=210 * 12)
    images = centroids[owner] + 0.5 * rng.standard_normal((len(owner), 1280)).astype(np.float32) / 36
    proxies = camera_proxies(images / np.linalg.norm(images, axis=1, keepdims=True), owner, cameras)
    rows = paddle.to_tensor(features, stop_gradient=False)
    plain_labels = paddle.to_tensor(labels)
    camera_labels = paddle.to_tensor(np.stack([labels, rng.integers(6, size=64)], axis=1))

    def head(negatives, given, *told_apart):
        layer = ISEHead(negatives=negatives)
        layer.start_epoch(centroids, 50, 100, *told_apart)
        return seconds(lambda: head_step(layer, rows, given), repeats)

    plain, told_apart = head("all", plain_labels), head("same_camera", camera_labels, proxies)
    output = {"proxies": tuple(map(paddle.to_tensor, proxies)), "labels": plain_labels,
              "cameras": camera_labels[:, 1]}
    loss = CameraProxyLoss()

    def proxy_loss():
        given = {**output, "global_features": paddle.nn.functional.normalize(rows, axis=1)}
        value = loss(given)["CameraProxyLoss"]
        value.backward()
        return float(value)

    engine = types.SimpleNamespace(model=model, config={"Global": {"ema_decay": 0.98}})
    costs = {"negatives: same_camera": told_apart - plain, "CameraProxyLoss": seconds(proxy_loss, repeats),
             "ema_decay": seconds(WeightAverage(engine, True).after_step, repeats)}
    print(f"| {len(proxies.labels)} proxies | ms | share of a step ({1000 * network:.0f} ms) |\n|---|---|---|")
    for name, cost in costs.items():
        print(f"| {name} | {1000 * cost:.2f} | {100 * cost / network:.2f} % |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("clustering", "step", "sizes"))
    parser.add_argument("--n", type=int, nargs="+", default=[12936, 32621], help="images of each set")
    parser.add_argument("--cameras", type=int, nargs="+", default=[6, 15], help="cameras of each set")
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    prepared(None)
    if arguments.part == "step":
        step()
    elif arguments.part == "sizes":
        sizes()
    else:
        clustering(list(zip(arguments.n, arguments.cameras, strict=True)), arguments.dim, arguments.rounds)


if __name__ == "__main__":
    main()
