"""The clustering hook: what ISE adds to PaddleClas's epoch."""
from __future__ import annotations

import os
import random
import time
import zlib

import numpy as np
import paddle
import paddle.distributed as dist
from ppcls.utils import logger
from ppcls.utils.misc import AverageMeter

from ..clustering import cluster_centroids, dbscan, jaccard_distance, nearest_neighbours
from ..errors import ISEError
from .config import ClusterSettings, plain_block
from .distributed import average_statistics, check_equal, on_first_process, require_same_images, share_out, unwrap
from .evaluation import evaluation_loader_settings
from .extraction import extract_features
from .report import run_report

__all__ = ["ClusterHook"]


class ClusterHook:
    """Refreshes the pseudo labels and everything that hangs on them.

    Called by :func:`train_epoch_ise`: :meth:`before_epoch` before PaddleClas's step loop (extraction, clustering,
    memory, batches), :meth:`after_step` after every optimiser step (memory update, running statistics). State it
    keeps: ``labels``, the pseudo labels in force, one per training image; the memory and its step are the head's.
    :meth:`state_dict` has both, so that a resumed run goes on as if it had never been stopped.

    Args:
        engine: PaddleClas's Engine in train mode.
    """

    def __init__(self, engine):
        self.engine = engine
        self.settings = ClusterSettings.from_config(engine.config)
        self.model = unwrap(engine.model)
        self.head = self.model.head
        self.images = engine.train_dataloader.dataset
        require_same_images(self.images.list.names)
        self.sampler = engine.train_dataloader.batch_sampler
        self.labels: np.ndarray | None = None
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
            features = self._extract()
            self.labels, centroids = on_first_process(lambda: self._cluster(features, epoch_id))
            self._start_epoch(centroids, (epoch_id - 1) * self.steps_per_epoch)
            if self.head.active_topk < self.head.topk:
                logger.warning(f"[Cluster][Epoch {epoch_id}] {len(centroids)} cluster(s): no {self.head.topk} others "
                               "to interpolate to, so this epoch trains without support samples; a smaller "
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
        """The state between two epochs, as arrays: ``labels`` int64 [N], ``images`` (checksum of their names),
        ``centroids`` float32 [K, D] of the memory, ``step`` and, with AMP, ``scaler.*``."""
        scaler = self._loss_scaler()
        scaler = scaler.state_dict() if scaler else {}
        return {"labels": self.labels, "images": self._images_checksum(), "step": self.head.step,
                "centroids": self.head.memory.centroids.numpy(),
                **{f"scaler.{key}": np.asarray(value) for key, value in scaler.items()}}

    def set_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Go on from what :meth:`state_dict` returned.

        Raises:
            ISEError: if it is of other training images.
        """
        if len(state["labels"]) != len(self.images) or state["images"] != self._images_checksum():
            raise ISEError(f"Global.checkpoints is of a run on {len(state['labels'])} training images, other than the "
                           f"{len(self.images)} here; resume with the same images, or start from its weights with "
                           "Global.pretrained_model")
        self.labels = state["labels"]
        self._start_epoch(state["centroids"], int(state["step"]))
        scaler = {key[len("scaler."):]: value for key, value in state.items() if key.startswith("scaler.")}
        if scaler and self._loss_scaler():
            self._loss_scaler().load_state_dict({key: value.item() if value.ndim == 0 else value
                                                 for key, value in scaler.items()})

    def _loss_scaler(self):
        """Of AMP; without it the engine has none or, in PaddleClas's develop, a stand-in that has no state."""
        scaler = getattr(self.engine, "scaler", None)
        return scaler if hasattr(scaler, "state_dict") else None

    def _images_checksum(self):
        return zlib.crc32("\n".join(self.images.list.names).encode())

    def _extract(self):
        started = time.time()
        features = extract_features(self.engine.model, self.plain_images, name="train", **self.loader_settings)
        self.seconds = {"extraction": time.time() - started}
        return features

    def _cluster(self, features, epoch_id):
        """Rank 0: features -> (labels int64 [N], centroids float32 [K, D]); logs one line and writes the labels."""
        labels = self._assign(features.numpy(), epoch_id)
        sizes = np.bincount(labels[labels >= 0])
        seconds = ", ".join(f"{part}: {value:.1f} s" for part, value in self.seconds.items())
        logger.info(f"[Cluster][Epoch {epoch_id}] images: {len(labels)}, clusters: {len(sizes)}, outliers: "
                    f"{(labels < 0).sum()}, cluster size min/median/max: {sizes.min()}/{int(np.median(sizes))}/"
                    f"{sizes.max()}, {seconds}")
        run_report(self.engine).write_clusters(epoch_id, labels, self.images, previous=self.labels)
        self._write(labels, epoch_id)
        return labels, cluster_centroids(features.numpy(), labels)

    def _assign(self, features: np.ndarray, epoch_id: int) -> np.ndarray:
        """Pseudo labels int64 [N] of float32 features [N, D]; -1 is an outlier."""
        settings = self.settings
        started = time.time()
        try:
            neighbours = nearest_neighbours(features, max(settings.k1, settings.k2))
            self.seconds["neighbours"] = time.time() - started
            started = time.time()
            distance = jaccard_distance(features, settings.k1, settings.k2, settings.eps, neighbours)
            self.seconds["jaccard"] = time.time() - started
        except ValueError as error:
            raise ISEError(f"[Cluster][Epoch {epoch_id}] {error}") from error
        started = time.time()
        labels = dbscan(distance, settings.eps, settings.min_samples)
        self.seconds["dbscan"] = time.time() - started
        if labels.max(initial=-1) < 0:
            distance = jaccard_distance(features, settings.k1, settings.k2, neighbours=neighbours)
            raise ISEError(f"[Cluster][Epoch {epoch_id}] no cluster among {len(labels)} images: "
                           + _advice(distance, settings))
        return labels

    def _write(self, labels, epoch_id):
        folder = os.path.join(self.engine.output_dir, "pseudo_labels")
        os.makedirs(folder, exist_ok=True)
        target = os.path.join(folder, f"epoch_{epoch_id}.npz")
        temporary = target + ".tmp.npz"
        np.savez_compressed(temporary, labels=labels, paths=np.array(self.images.list.names), eps=self.settings.eps,
                            **{f"seconds_{part}": value for part, value in self.seconds.items()})
        os.replace(temporary, target)


def _seed_generators(seed):
    paddle.seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def _advice(distance, settings) -> str:
    """What the distances say about ``eps`` when it gave no cluster."""
    count = distance.shape[0]
    if count < settings.min_samples:
        return f"fewer images than Cluster.min_samples {settings.min_samples}"
    # An image is the core of a cluster as soon as eps reaches its min_samples-th nearest image, itself included.
    core = np.ones(count)
    for row in range(count):
        values = np.sort(distance.data[distance.indptr[row]:distance.indptr[row + 1]])
        if len(values) >= settings.min_samples:
            core[row] = values[settings.min_samples - 1]
    quantiles = np.quantile(core, [0.05, 0.25, 0.5])
    if quantiles[1] >= 1:
        return (f"three quarters of the images have fewer than {settings.min_samples} images at any distance below 1; "
                "lower Cluster.min_samples, or start from other weights: these features hardly tell who is alike")
    return (f"the distance of an image to its {settings.min_samples - 1} nearest others is at most {quantiles[0]:.3f} "
            f"for 5 % of the images, {quantiles[1]:.3f} for 25 % and {quantiles[2]:.3f} for half; Cluster.eps is "
            f"{settings.eps}, try {min(quantiles[1] + 0.005, 0.99):.2f} (or a smaller Cluster.min_samples)")
