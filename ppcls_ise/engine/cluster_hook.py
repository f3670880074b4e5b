"""The clustering hook: new pseudo labels, and everything that hangs on them."""
from __future__ import annotations

import os
import random
import time
import zlib
from typing import Any

import numpy as np
import paddle
import paddle.distributed as dist
from ppcls.utils import logger
from ppcls.utils.misc import AverageMeter

from ..clustering.cameras import CameraProxies, camera_codes, camera_proxies, camera_similarity, known_cameras
from ..config.loaders import plain_block
from ..distributed.processes import on_first_process, unwrap
from ..errors import ISEError
from ..host.bridges import update_freq
from .averaging import averaged_weights
from .cameras import needs_cameras
from .cluster_block import clustering_of
from .cluster_stage import Clustered, cluster_images, kept_of, state_of
from .extraction import extract_features, loader_settings
from .parallel import require_same_images, share_out
from .run import Hook, State

__all__ = ["ClusterHook"]

PROXIES = "proxies."
#: By how much the margin of the cameras falls below that of the first clustering before it is a warning.
DRIVEN_APART = 0.02


class ClusterHook(Hook):
    """Refreshes the pseudo labels and everything that hangs on them.

    Before an epoch: extraction, clustering, memory, batches. After a step: the memory follows it. State it keeps:
    ``labels``, the pseudo labels in force, one per training image, ``proxies``, what the cameras saw of their clusters,
    ``cameras``, a checksum of the images' cameras, ``first_margin``, how alike clusters of two cameras were at first,
    ``warned``, whether it was said that this fell, and ``kept``, what the last clustering keeps for the next one (empty
    before the first), such as an eps that was chosen; the memory and its step are the head's.

    Args:
        engine: PaddleClas's Engine in train mode.
    """

    def __init__(self, engine: Any):
        self.engine = engine
        self.block = engine.config.get("Cluster")
        self.clustering, self.interval = clustering_of(self.block)
        self.head = unwrap(engine.model).head
        self.data_set = engine.train_dataloader.dataset
        camids = self.data_set.camids
        self.codes = None if camids is None else camera_codes(camids)
        self.cameras = None if known_cameras(camids) is None else self.codes
        self.proxies: CameraProxies | None = None
        self.first_margin: float | None = None
        self.warned = False
        self.extracted: paddle.Tensor | None = None
        require_same_images(self.data_set.list)
        self.sampler = engine.train_dataloader.batch_sampler
        self.labels: np.ndarray | None = None
        self.kept: dict[str, float] = {}
        plain = plain_block(engine.config)
        self.plain_data_set = self.data_set.with_transforms(plain["dataset"]["transform_ops"])
        self.loader_settings = loader_settings(plain)
        share_out(engine.model, self.sampler.batch_size)

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of an epoch."""
        return len(self.sampler) // update_freq(self.engine)

    def before_epoch(self, epoch: int) -> None:
        """Cluster if it is time to, and draw the batches."""
        # What happens in an epoch depends on its number, not on what was drawn before it: so it can be repeated.
        seed = [self.sampler.seed, epoch, dist.get_rank()]
        _seed_generators(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        if self.labels is None or (epoch - 1) % self.interval == 0:
            found, previous = self._cluster(epoch), self.labels
            self.labels, self.kept, self.proxies = found.labels, found.kept, found.proxies
            self.run.after_clustering(epoch, found.labels, previous, found.figures)
            self._watch_cameras(epoch, found.figures.get("camera_margin"))
            self._start_epoch(found.centroids, (epoch - 1) * self.steps_per_epoch)
            if self.head.active_topk < self.head.topk:
                logger.warning(f"[Cluster][Epoch {epoch}] {len(found.centroids)} cluster(s): no {self.head.topk} "
                               "others to interpolate to, so this epoch trains without support samples; a smaller "
                               "Cluster.eps gives more clusters")
        self.extracted = None  # of weights that change now
        clusters = self.sampler.start_epoch(self.labels, self.codes, epoch)
        if clusters < self.sampler.clusters_per_batch:
            logger.warning(f"[Cluster][Epoch {epoch}] fewer clusters than the {self.sampler.clusters_per_batch} of "
                           f"a batch: batches of {clusters} clusters x {self.sampler.num_instances} images")

    def require_cameras(self) -> np.ndarray:
        """int64 ``[N]``, codes of cameras, -1 where not known.

        Raises:
            ISEError: if the training images tell fewer than two.
        """
        if self.cameras is None:
            raise ISEError("Global.best_metric unlabelled compares cameras, and the training images tell fewer than "
                           "two: set DataLoader.Train.dataset.cameras or its pattern, or another best_metric")
        return self.cameras

    def camera_margin(self) -> float:
        """``camera_margin`` of :func:`camera_similarity`: the pseudo labels in force with the features of the present
        weights; -1 where no two clusters can be compared. Collective; the next clustering takes the features over.

        Raises:
            ISEError: on every process, as :meth:`require_cameras`.
        """
        cameras, labels = self.require_cameras(), self.labels
        assert labels is not None  # since the first epoch
        self.extracted = features = self._extract()

        def measured() -> float:
            found = camera_similarity(camera_proxies(features.numpy(), labels, cameras))
            if not found:
                logger.info("[Cameras] no camera has two clusters to compare: this epoch is not the best one")
            return found.get("camera_margin", -1.0)

        return on_first_process(measured)

    def _watch_cameras(self, epoch: int, margin: float | None) -> None:
        """Warn, once, where clusters of other cameras fall behind those of the own one."""
        if margin is None:
            return
        if self.first_margin is None:
            self.first_margin = margin
        if margin < self.first_margin - DRIVEN_APART and not self.warned:
            self.warned = True
            remedy = ("Global.anchor below 1 or a lower learning rate stays nearer to the start, and docs/cameras.md "
                      "says more" if needs_cameras(self.engine.config) else
                      "docs/cameras.md and configs/*_cameras.yaml say what stops it")
            logger.warning(f"[Cameras][Epoch {epoch}] camera_margin fell from {self.first_margin:.3f} to {margin:.3f}: "
                           f"this training drives apart what different cameras see of a person. {remedy}")

    def _start_epoch(self, centroids: np.ndarray, step: int) -> None:
        total = self.engine.config["Global"]["epochs"] * self.steps_per_epoch
        self.head.start_epoch(paddle.to_tensor(centroids), step, total, self.proxies)

    def after_step(self) -> None:
        """Show lambda in PaddleClas's log line, and let the memory follow the step."""
        if self.head.topk:
            meter = self.engine.output_info.setdefault("lambda", AverageMeter("lambda", "7.5f"))
            meter.update(2 * self.head.degree)
        self.head.after_step()

    def state_dict(self) -> State:
        """``labels`` int64 [N], ``images`` (checksum of their names), ``kept.*``, ``proxies.*``, and of the head
        ``centroids`` float32 [K, D] and ``step``."""
        proxies = {} if self.proxies is None else self.proxies._asdict()
        return {"labels": self.labels, "images": self.data_set.list.checksum(), "step": self.head.step,
                "centroids": self.head.memory.centroids.numpy(), **state_of(self.block, self.kept),
                **{f"{PROXIES}{name}": array for name, array in proxies.items()},
                **({} if self.cameras is None else {"cameras": zlib.crc32(self.cameras.tobytes())}),
                **({} if self.first_margin is None else {"first_margin": self.first_margin, "warned": self.warned})}

    def load_state_dict(self, state: State) -> None:
        """Go on from what :meth:`state_dict` returned.

        Raises:
            ISEError: if it is of other training images.
        """
        if len(state["labels"]) != len(self.data_set) or state["images"] != self.data_set.list.checksum():
            raise ISEError(f"Global.checkpoints is of a run on {len(state['labels'])} training images, other than the "
                           f"{len(self.data_set)} here; resume with the same images, or start from its weights with "
                           "Global.pretrained_model")
        self.labels, self.kept = state["labels"], kept_of(self.block, state)
        if self.cameras is not None:
            if "cameras" in state and int(state["cameras"]) != zlib.crc32(self.cameras.tobytes()):
                raise ISEError("Global.checkpoints is of a run whose images told other cameras; resume with the data "
                               "set's pattern or cameras of then, or start from its weights with "
                               "Global.pretrained_model")
            self.proxies = _proxies_of(state)
            if "first_margin" in state:
                self.first_margin, self.warned = float(state["first_margin"]), bool(state.get("warned", False))
        self._start_epoch(state["centroids"], int(state["step"]))

    def _extract(self) -> paddle.Tensor:
        with averaged_weights(self.engine.model):
            return extract_features(self.engine.model, self.plain_data_set, name="train", **self.loader_settings)

    def _cluster(self, epoch: int) -> Clustered:
        started = time.time()
        features = self._extract() if self.extracted is None else self.extracted
        record = os.path.join(self.engine.output_dir, "pseudo_labels", f"epoch_{epoch}.npz")
        return cluster_images(features, self.data_set.camids, self.data_set.list.names, self.clustering, self.kept,
                              record, f"[Cluster][Epoch {epoch}]", {"extraction": time.time() - started})


def _proxies_of(state: State) -> CameraProxies | None:
    """None in a checkpoint from before there were any, up to the next clustering."""
    names = [f"{PROXIES}{name}" for name in CameraProxies._fields]
    return CameraProxies(*(state[name] for name in names)) if all(name in state for name in names) else None


def _seed_generators(seed: int) -> None:
    paddle.seed(seed)
    np.random.seed(seed)
    random.seed(seed)
