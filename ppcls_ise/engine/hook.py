"""The clustering hook: what ISE adds to PaddleClas's epoch."""
from __future__ import annotations

import os
import random
import time

import numpy as np
import paddle
import paddle.distributed as dist
from ppcls.utils import logger
from ppcls.utils.misc import AverageMeter

from ..distributed.processes import unwrap
from ..errors import ISEError
from .cluster_settings import ClusterSettings
from .clustering import cluster_images
from .evaluation import evaluation_loader_settings
from .extraction import extract_features
from .loader_blocks import plain_block
from .parallel import average_statistics, check_equal, require_same_images, share_out
from .tables import run_report

__all__ = ["ClusterHook"]


class ClusterHook:
    """Refreshes the pseudo labels and everything that hangs on them.

    Called by :func:`train_epoch_ise`: :meth:`before_epoch` before PaddleClas's step loop (extraction, clustering,
    memory, batches), :meth:`after_step` after every optimiser step (memory update, running statistics),
    :meth:`after_epoch` after the loop. State it keeps: ``labels``, the pseudo labels in force, one per training image,
    and ``eps``, the radius they were found with (None before the first clustering; chosen there if ``Cluster.eps`` is
    auto); the memory and its step are the head's. :meth:`state_dict` has it all, so that a resumed run goes on as if it
    had never been stopped.

    Args:
        engine: PaddleClas's Engine in train mode.
    """

    def __init__(self, engine):
        self.engine = engine
        self.settings = ClusterSettings.from_config(engine.config)
        self.model = unwrap(engine.model)
        self.head = self.model.head
        self.images = engine.train_dataloader.dataset
        require_same_images(self.images.list)
        self.sampler = engine.train_dataloader.batch_sampler
        self.labels: np.ndarray | None = None
        self.eps: float | None = None
        plain = plain_block(engine.config)
        self.plain_images = self.images.with_transforms(plain["dataset"]["transform_ops"])
        self.loader_settings = evaluation_loader_settings({"Query": plain})
        share_out(engine.model, self.sampler.batch_size)
        for optimizer in engine.optimizer:
            self._call_after_step(optimizer)
        self.model.checkpoint_state = self.state_dict
        if hasattr(self.model, "restored_state"):
            self.set_state_dict(self.model.restored_state)
            del self.model.restored_state

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
        run_report(self.engine).begin_epoch()
        # What happens in an epoch depends on its number, not on what was drawn before it: so it can be repeated.
        seed = [self.sampler.seed, epoch_id, dist.get_rank()]
        _seed_generators(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        if self.labels is None or (epoch_id - 1) % self.settings.interval == 0:
            found = self._cluster(epoch_id)
            self.labels, self.eps = found.labels, found.eps
            self._start_epoch(found.centroids, (epoch_id - 1) * self.steps_per_epoch)
            if self.head.active_topk < self.head.topk:
                logger.warning(f"[Cluster][Epoch {epoch_id}] {len(found.centroids)} cluster(s): no {self.head.topk} "
                               "others to interpolate to, so this epoch trains without support samples; a smaller "
                               "Cluster.eps gives more clusters")
        clusters = self.sampler.start_epoch(self.labels, self.images.camids, epoch_id)
        if clusters < self.sampler.clusters_per_batch:
            logger.warning(f"[Cluster][Epoch {epoch_id}] fewer clusters than the {self.sampler.clusters_per_batch} of "
                           f"a batch: batches of {clusters} clusters x {self.sampler.num_instances} images")

    def _start_epoch(self, centroids, step):
        total = self.engine.config["Global"]["epochs"] * self.steps_per_epoch
        self.head.start_epoch(paddle.to_tensor(centroids), step, total)

    def after_step(self) -> None:
        """Show lambda in PaddleClas's log line, let the memory follow the step, and make the processes hold one
        model: DataParallel averages gradients, but not BatchNorm's running statistics."""
        if self.head.topk:
            meter = self.engine.output_info.setdefault("lambda", AverageMeter("lambda", "7.5f"))
            meter.update(2 * self.head.degree)
        self.head.after_step()
        average_statistics(self.model)
        if self.engine.config["Global"].get("check_ranks"):
            check_equal({**self.model.state_dict(), "centroids": self.head.memory.centroids})

    def after_epoch(self, epoch_id: int) -> None:
        """Keep the epoch's figures."""
        run_report(self.engine).write_training(epoch_id)

    def state_dict(self) -> dict[str, np.ndarray]:
        """The state between two epochs, as arrays: ``labels`` int64 [N], ``images`` (checksum of their names), ``eps``,
        ``centroids`` float32 [K, D] of the memory, ``step`` and, with AMP, ``scaler.*``."""
        scaler = self._loss_scaler()
        scaler = scaler.state_dict() if scaler else {}
        return {"labels": self.labels, "images": self.images.list.checksum(), "eps": self.eps,
                "step": self.head.step, "centroids": self.head.memory.centroids.numpy(),
                **{f"scaler.{key}": np.asarray(value) for key, value in scaler.items()}}

    def set_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Go on from what :meth:`state_dict` returned.

        Raises:
            ISEError: if it is of other training images.
        """
        if len(state["labels"]) != len(self.images) or state["images"] != self.images.list.checksum():
            raise ISEError(f"Global.checkpoints is of a run on {len(state['labels'])} training images, other than the "
                           f"{len(self.images)} here; resume with the same images, or start from its weights with "
                           "Global.pretrained_model")
        self.labels, self.eps = state["labels"], float(state["eps"])
        self._start_epoch(state["centroids"], int(state["step"]))
        scaler = {key[len("scaler."):]: value for key, value in state.items() if key.startswith("scaler.")}
        if scaler and self._loss_scaler():
            self._loss_scaler().load_state_dict({key: value.item() if value.ndim == 0 else value
                                                 for key, value in scaler.items()})

    def _loss_scaler(self):
        """Of AMP; without it the engine has none or, in PaddleClas's develop, a stand-in that has no state."""
        scaler = getattr(self.engine, "scaler", None)
        return scaler if hasattr(scaler, "state_dict") else None

    def _extract(self):
        return extract_features(self.engine.model, self.plain_images, name="train", **self.loader_settings)

    def _cluster(self, epoch_id):
        started = time.time()
        features = self._extract()
        record = os.path.join(self.engine.output_dir, "pseudo_labels", f"epoch_{epoch_id}.npz")
        found = cluster_images(features, self.images.list.names, self.settings, self.eps, record,
                               f"[Cluster][Epoch {epoch_id}]", {"extraction": time.time() - started})
        if dist.get_rank() == 0:
            run_report(self.engine).write_clusters(epoch_id, found.labels, self.images, previous=self.labels)
        return found


def _seed_generators(seed):
    paddle.seed(seed)
    np.random.seed(seed)
    random.seed(seed)
