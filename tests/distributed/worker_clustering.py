"""Run by paddle.distributed.launch: clusterings by several searches, and two that go wrong."""
import sys

import numpy as np
import paddle
import paddle.distributed as dist

import ppcls_ise

ppcls_ise.register()

from ppcls_ise.distributed import processes as distributed  # noqa: E402
from ppcls_ise.engine import ClusterSettings, clustering  # noqa: E402
from ppcls_ise.errors import ISEError  # noqa: E402


def cluster(x, record, **settings):
    names = [f"{row}.jpg" for row in range(len(x))]
    return clustering.cluster_images(paddle.to_tensor(x), names, ClusterSettings(**settings), None, record,
                                     "[Cluster]", {})


def results(x, record):
    """Labels, centroids and eps by all searches, as a dict of arrays."""
    return {f"{search} {name}": value for search in ("exact", "paddle", "ivf")
            for name, value in cluster(x, record, eps="auto", search=search, block_size=300)._asdict().items()}


def message(x, record):
    """Of the error that a clustering must end with."""
    try:
        cluster(x, record)
    except (ISEError, RuntimeError, TypeError) as error:
        return str(error)
    raise AssertionError("no error came here")


def main(source, target):
    dist.init_parallel_env()
    distributed.HEARTBEAT = 0.01  # so that signs of life are given within this test
    x, record = np.load(source), f"{target}.record.npz"
    found = results(x, record)
    found["too few"] = message(x[:2], record)
    if dist.get_rank() == dist.get_world_size() - 1:
        clustering.nearest_neighbours = None
    found["broken on the last"] = message(x, record)
    np.savez(f"{target}_{dist.get_rank()}.npz", **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
