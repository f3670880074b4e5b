"""The clustering hook: what ISE adds to PaddleClas's epoch."""
from __future__ import annotations

import os
import time

import numpy as np
import paddle
from ppcls.utils import logger
from ppcls.utils.misc import AverageMeter

from ..data import ReIDImages
from .clustering import cluster_images
from .config import ClusterSettings
from .distributed import average_statistics, unwrap
from .evaluation import evaluation_loader_settings
from .extraction import extract_features

__all__ = ["ClusterHook"]


class ClusterHook:
    """Refreshes the pseudo labels and everything that hangs on them.

    Called by :func:`train_epoch_ise`: :meth:`before_epoch` before PaddleClas's step loop (extraction, clustering,
    memory, batches), :meth:`after_step` after every optimiser step (memory update), :meth:`after_epoch` after the
    loop. State it keeps: ``labels``, the pseudo labels in force, one per training image, and ``eps``, the
    radius they were found with (None before the first clustering; chosen there if ``Cluster.eps`` is auto).

    Args:
        engine: PaddleClas's Engine in train mode.
    """

    def __init__(self, engine):
        self.engine = engine
        self.settings = ClusterSettings.from_config(engine.config)
        self.head = unwrap(engine.model).head
        self.images = engine.train_dataloader.dataset
        self.sampler = engine.train_dataloader.batch_sampler
        self.labels: np.ndarray | None = None
        self.eps: float | None = None
        loader = engine.config["DataLoader"]
        plain = {key: value for key, value in loader["Train"]["dataset"].items() if key != "name"}
        evaluation = loader["Eval"]
        transforms = (evaluation.get("Query") or list(evaluation.values())[0])["dataset"]["transform_ops"]
        self.plain_images = ReIDImages(**{**plain, "transform_ops": transforms})
        self.loader_settings = evaluation_loader_settings(evaluation)
        for optimizer in engine.optimizer:
            self._call_after_step(optimizer)

    # PaddleClas calls clear_grad once per optimiser step, in every version, with or without AMP and gradient
    # accumulation: that is where the memory moves.
    def _call_after_step(self, optimizer):
        clear_grad = optimizer.clear_grad

        def clear_grad_and_step(*args, **kwargs):
            clear_grad(*args, **kwargs)
            if optimizer is self.engine.optimizer[-1]:
                self.after_step()

        optimizer.clear_grad = clear_grad_and_step

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of an epoch."""
        # Not the config's: 2.4.2 knows no gradient accumulation, and the others refuse one longer than an epoch.
        return len(self.sampler) // getattr(self.engine, "update_freq", 1)

    def before_epoch(self, epoch_id: int) -> None:
        """Cluster if it is time to, and draw the batches of epoch ``epoch_id`` (counted from 1)."""
        step = (epoch_id - 1) * self.steps_per_epoch
        total = self.engine.config["Global"]["epochs"] * self.steps_per_epoch
        if self.labels is None or (epoch_id - 1) % self.settings.interval == 0:
            found = self._cluster(epoch_id)
            self.labels, self.eps = found.labels, found.eps
            topk = self.head.start_epoch(paddle.to_tensor(found.centroids), step, total)
            if topk < self.head.topk:
                logger.warning(f"[Cluster][Epoch {epoch_id}] {len(found.centroids)} cluster(s): no {self.head.topk} "
                               "others to interpolate to, so this epoch trains without support samples; a smaller "
                               "Cluster.eps gives more clusters")
        clusters = self.sampler.start_epoch(self.labels, self.images.camids, epoch_id)
        if clusters < self.sampler.clusters_per_batch:
            logger.warning(f"[Cluster][Epoch {epoch_id}] fewer clusters than the {self.sampler.clusters_per_batch} of "
                           f"a batch: batches of {clusters} clusters x {self.sampler.num_instances} images")

    def after_step(self) -> None:
        """Show lambda in PaddleClas's log line and let the memory follow the step."""
        if self.head.topk:
            meter = self.engine.output_info.setdefault("lambda", AverageMeter("lambda", "7.5f"))
            meter.update(2 * self.head.degree)
        self.head.after_step()

    def after_epoch(self) -> None:
        """Make the processes hold one model."""
        average_statistics(self.engine.model)

    def _extract(self):
        return extract_features(self.engine.model, self.plain_images, name="train", **self.loader_settings)

    def _cluster(self, epoch_id):
        started = time.time()
        features = self._extract()
        record = os.path.join(self.engine.output_dir, "pseudo_labels", f"epoch_{epoch_id}.npz")
        return cluster_images(features, self.images.list.names, self.settings, self.eps, record,
                              f"[Cluster][Epoch {epoch_id}]", {"extraction": time.time() - started})
