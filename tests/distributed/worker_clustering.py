"""Run by paddle.distributed.launch: clusterings by several searches and by cameras, and some that go wrong."""
import pathlib
import sys

import numpy as np
import paddle
import paddle.distributed as dist

import ppcls_ise

ppcls_ise.register()

from ppcls_ise.clustering import KReciprocalDBSCAN, k_reciprocal  # noqa: E402
from ppcls_ise.distributed import processes  # noqa: E402
from ppcls_ise.engine import clustering_of  # noqa: E402
from ppcls_ise.engine.cluster_stage import cluster_images  # noqa: E402
from ppcls_ise.errors import ISEError  # noqa: E402

BY_CAMERA = f"{pathlib.Path(__file__).parent.parent / 'clustering/by_camera.py'}:ByCamera"


def cluster(x, record, clustering, cameras=None):
    """Labels, centroids, and all numbers, as a dict of arrays."""
    names = [f"{row}.jpg" for row in range(len(x))]
    found = cluster_images(paddle.to_tensor(x), cameras, names, clustering, {}, record, "[Cluster]", {})
    return {"labels": found.labels, "centroids": found.centroids, **found.figures, **found.kept,
            **{f"proxies {name}": array for name, array in found.proxies._asdict().items()}}


def results(x, record):
    """By all searches, and by cameras."""
    blocks = {search: {"eps": "auto", "search": search, "block_size": 300}
              for search in ("exact", "faiss", "paddle", "ivf")}
    blocks["half"] = {**blocks["paddle"], "half": True}
    for search in ("exact", "paddle"):
        for name in ("CrossCameraDBSCAN", "CameraJaccardDBSCAN"):
            blocks[f"{name} {search}"] = {"name": name, "search": search, "block_size": 300}
    blocks["cameras"], cameras = {"name": BY_CAMERA}, np.arange(len(x)) % 3
    return {f"{kind} {name}": value for kind, block in blocks.items()
            for name, value in cluster(x, record, clustering_of(block)[0], cameras).items()}


def message(x, record):
    """Of the error that a clustering must end with."""
    try:
        cluster(x, record, KReciprocalDBSCAN())
    except (ISEError, RuntimeError, TypeError) as error:
        return str(error)
    raise AssertionError("no error came here")


def main(source, target):
    dist.init_parallel_env()
    processes.HEARTBEAT = 0.01  # so that signs of life are given within this test
    x, record = np.load(source), f"{target}.record.npz"
    found = results(x, record)
    found["too few"] = message(x[:2], record)
    if dist.get_rank() == dist.get_world_size() - 1:
        k_reciprocal.nearest_neighbours = None
    found["broken on the last"] = message(x, record)
    if dist.get_rank() == 0:
        k_reciprocal.scan_pairs = None
    found["scan broken on the first"] = message(x, record)
    rows = paddle.arange(dist.get_world_size() * 6).reshape([-1, 3]) + dist.get_rank() * 100
    found["slices"] = processes.exchange_slices(rows).numpy()
    np.savez(f"{target}_{dist.get_rank()}.npz", **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
