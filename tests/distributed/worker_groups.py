"""Run by paddle.distributed.launch: steps of a small ISEModel on this process's share of a global batch of 64, with
cameras and an average of the weights.

python worker_groups.py TARGET GROUP_SIZE FEATURE_CACHE STEPS
"""
import sys
import types

import numpy as np
import paddle
import paddle.distributed as dist

import ppcls_ise

ppcls_ise.register()

from ppcls_ise.arch.model import ISEModel  # noqa: E402
from ppcls_ise.clustering import camera_proxies  # noqa: E402
from ppcls_ise.distributed.processes import unwrap  # noqa: E402
from ppcls_ise.engine.averaging import WeightAverage  # noqa: E402
from ppcls_ise.engine.parallel import average_statistics, check_equal, share_out  # noqa: E402
from ppcls_ise.loss import CameraProxyLoss, ClusterContrastLoss, LabelPreservingLoss  # noqa: E402


def main(target, group_size, feature_cache, steps):
    if dist.get_world_size() > 1:
        dist.init_parallel_env()
    rng = np.random.default_rng(0)
    images = rng.standard_normal((64, 3, 32, 16)).astype("float32")
    labels, cameras = np.repeat(rng.permutation(20)[:16], 4), rng.integers(-1, 3, size=64)
    centroids = rng.standard_normal((20, 128)).astype("float32")
    clustered, of_camera = rng.standard_normal((80, 128)).astype("float32"), rng.integers(3, size=80)
    losses = ClusterContrastLoss(camera_entropy=True), LabelPreservingLoss(), CameraProxyLoss()
    paddle.seed(0)
    model = ISEModel(Backbone={"name": "PPLCNet_x0_25", "class_expand": 128, "dropout_prob": 0.0},
                     Neck={"name": "BNNeck", "num_features": 128},
                     Head={"name": "ISEHead", "negatives": "same_camera"},
                     bn_group_size=group_size, feature_cache=feature_cache)
    model.train()
    linked = [[False, True, False], [True, False, False], [False, False, False]]
    proxies = camera_proxies(clustered, np.arange(80) % 20, of_camera, linked)
    model.head.start_epoch(centroids / np.linalg.norm(centroids, axis=1, keepdims=True), 50, 100, proxies)
    parallel = paddle.DataParallel(model) if dist.get_world_size() > 1 else model
    rows = 64 // dist.get_world_size()
    share_out(parallel, rows)
    own = slice(dist.get_rank() * rows, (dist.get_rank() + 1) * rows)
    settings = {"Global": {"ema_decay": 0.9}}
    average = WeightAverage(types.SimpleNamespace(config=settings, model=parallel), True)
    optimizer = paddle.optimizer.SGD(0.1, parameters=model.parameters())
    for _ in range(steps):
        columns = np.stack([labels[own], cameras[own]], axis=1)
        output = parallel(paddle.to_tensor(images[own]), paddle.to_tensor(columns))
        loss = sum(next(iter(each(output).values())) for each in losses)
        loss.backward()
        gradients = {f"gradient {name}": value.grad.numpy() for name, value in model.named_parameters()
                     if value.grad is not None}
        optimizer.step()
        optimizer.clear_grad()
        model.head.after_step()
        average_statistics(parallel)
        average.after_step()
        check_equal({f"average {name}": value for name, value in average.average.items()})
        check_equal({**unwrap(parallel).state_dict(), "centroids": model.head.memory.centroids})
    if dist.get_rank() == 0:
        statistics = {name: value.numpy() for name, value in model.state_dict().items()
                      if name.endswith(("_mean", "_variance"))}
        np.savez(target, loss=float(loss), centroids=model.head.memory.centroids.numpy(), **gradients, **statistics,
                 **{f"average {name}": value.numpy() for name, value in average.average.items()})


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "True", int(sys.argv[4]))
