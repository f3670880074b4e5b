from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import paddle
from numpy.typing import NDArray
from paddle import nn

from ..config.blocks import HeadBlock
from ..config.fields import read_block
from ..distributed.global_batch import gather_rows
from .memory import ClusterMemory
from .pli import interpolation_degree, support_samples

__all__ = ["ISEHead", "Proxies"]


class Proxies(NamedTuple):
    """What each camera saw of each cluster, on the device."""

    features: paddle.Tensor  #: float32 [M, D], unit rows
    labels: paddle.Tensor  #: int64 [M]
    cameras: paddle.Tensor  #: int64 [M]
    partners: paddle.Tensor  #: bool [C, C], cameras that a camera may share persons with


class ISEHead(nn.Layer):
    """Support samples and cluster memory, as a PaddleClas head (``Arch.Head`` of :class:`ISEModel`).

    The head has no parameters and nothing of it is saved with the model. The clustering hook starts every epoch with
    :meth:`start_epoch` and calls :meth:`after_step` once per optimiser step.

    Args:
        keys: of :class:`ppcls_ise.config.blocks.HeadBlock`, its defaults for the others.

            ``topk``: support samples per row; 0 turns PLI off (the cluster-contrast baseline).
            ``base``: lambda_0 of the degree schedule.
            ``contrast_supports``: whether L_SE and the memory see the support samples as well as the actual ones. ISE
            and "+PLI": True. "+LP" alone: False.
            ``momentum``: weight of the old centroid in the memory update.
            ``update``: ``"hard"`` or ``"all"``, see :class:`ClusterMemory`.
            ``negatives``: clusters that a row is held against in both losses and interpolated to: ``"all"``, or
            ``"same_camera"``, those that hold an image of the row's camera (MCNL, AAAI 2020, for clusters).

    Raises:
        ISEError: for an unknown key, or a value that its key cannot have.
    """

    def __init__(self, **keys: Any):
        super().__init__()
        settings = read_block(HeadBlock, keys, "Arch.Head")
        self.topk, self.base, self.contrast_supports = settings.topk, settings.base, settings.contrast_supports
        self.memory = ClusterMemory(settings.momentum, settings.update)
        self.same_camera = settings.negatives == "same_camera"
        self.step, self.total_steps = 0, 1
        self.active_topk = self.topk  #: support samples per row in this epoch: 0 where there are too few clusters
        self.proxies: Proxies | None = None  #: of this epoch; None where no cameras are known
        self._seen: paddle.Tensor | None = None  # bool [C + 1, K]
        self._step_rows: list[tuple[paddle.Tensor, paddle.Tensor]] = []

    def start_epoch(self, centroids: NDArray | paddle.Tensor, step: int, total_steps: int,
                    proxies: Sequence[NDArray] | None = None) -> None:
        """Take the clusters of an epoch.

        Args:
            centroids: float32 [K, D], unit rows in label order.
            step: global optimiser step at which the epoch starts.
            total_steps: optimiser steps of the whole training.
            proxies: of :func:`ppcls_ise.clustering.camera_proxies`, if cameras shall be told apart.
        """
        self.memory.reset(centroids)
        self.step, self.total_steps = step, total_steps
        self.active_topk = self.topk if len(centroids) > self.topk else 0
        self._step_rows = []
        self.proxies = self._seen = None
        if proxies is not None:
            self.proxies = Proxies(*map(paddle.to_tensor, proxies))
            if self.same_camera:
                self._seen = _clusters_seen(self.proxies, len(centroids))

    @property
    def degree(self) -> float:
        """delta(t) of the current step."""
        return interpolation_degree(self.step, self.total_steps, self.base)

    def forward(self, features: paddle.Tensor, labels: paddle.Tensor) -> dict[str, Any]:
        """Make the rows that the losses need.

        Args:
            features: float32 [b, D], unit rows of this process.
            labels: int64 [b] or [b, 1], their pseudo labels, or [b, 2] with their cameras, -1 where not known.

        Returns:
            A dict about the global batch of B rows: ``global_features`` [B, D], ``labels`` [B],
            ``support_features`` [B * k, D] or None, ``contrast_rows`` [n, D] and ``contrast_labels`` [n] for L_SE
            and the memory, ``centroids`` [K, D]; and where cameras are told apart, else None: ``cameras`` [B],
            ``proxies``, and ``rivals`` bool [B, K], the clusters that a row is held against, its own among them.
        """
        with paddle.amp.auto_cast(enable=False):
            features = gather_rows(features.astype("float32"))
            columns = gather_rows(labels.reshape([len(labels), -1]))
            labels, cameras, rivals = columns[:, 0], None, None
            centroids = self.memory.centroids
            if self.proxies is not None:
                cameras = columns[:, 1]
                rivals = None if self._seen is None else _rivals(labels, cameras, self._seen)
            supports, rows, row_labels = None, features, labels
            if self.active_topk:
                supports, _ = support_samples(features, labels, centroids, self.degree, self.active_topk,
                                              rivals)
                if self.contrast_supports:
                    rows = paddle.concat([features, supports])
                    row_labels = paddle.concat([labels, paddle.repeat_interleave(labels, self.active_topk)])
            self._step_rows.append((rows.detach(), row_labels))
        return {"global_features": features, "labels": labels, "support_features": supports,
                "contrast_rows": rows, "contrast_labels": row_labels, "centroids": centroids,
                "cameras": cameras, "proxies": self.proxies, "rivals": rivals}

    def after_step(self) -> None:
        """Move the memory by the rows of the step that the optimiser has just taken, and count the step."""
        if self._step_rows:  # several with gradient accumulation
            rows, labels = zip(*self._step_rows)
            self.memory.update(paddle.concat(rows), paddle.concat(labels))
            self._step_rows = []
        self.step += 1


def _clusters_seen(proxies: Proxies, clusters: int) -> paddle.Tensor:
    """bool [C + 1, K]: whether a camera saw a cluster. The last row is for images of no known camera: all are seen."""
    seen = paddle.scatter_nd(paddle.stack([proxies.cameras, proxies.labels], 1), paddle.ones_like(proxies.labels),
                             [int(proxies.cameras.max()) + 1, clusters])
    return paddle.concat([seen, paddle.ones([1, clusters], seen.dtype)]) > 0


def _rivals(labels: paddle.Tensor, cameras: paddle.Tensor, seen: paddle.Tensor) -> paddle.Tensor:
    known = paddle.where(cameras < 0, paddle.full_like(cameras, len(seen) - 1), cameras)
    own = labels.unsqueeze(1) == paddle.arange(seen.shape[1], dtype=labels.dtype).unsqueeze(0)
    return (paddle.gather(seen.astype("int32"), known) > 0) | own  # Paddle 2.6 gathers no bool
