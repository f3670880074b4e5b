from __future__ import annotations

from typing import Any

import paddle
from numpy.typing import NDArray
from paddle import nn

from ..config.blocks import HeadBlock
from ..config.fields import read_block
from ..distributed.global_batch import gather_rows
from .memory import ClusterMemory
from .pli import interpolation_degree, support_samples

__all__ = ["ISEHead"]


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

    Raises:
        ISEError: for an unknown key, or a value that its key cannot have.
    """

    def __init__(self, **keys: Any):
        super().__init__()
        settings = read_block(HeadBlock, keys, "Arch.Head")
        self.topk, self.base, self.contrast_supports = settings.topk, settings.base, settings.contrast_supports
        self.memory = ClusterMemory(settings.momentum, settings.update)
        self.step, self.total_steps = 0, 1
        self.active_topk = self.topk  #: support samples per row in this epoch: 0 where there are too few clusters
        self._step_rows: list[tuple[paddle.Tensor, paddle.Tensor]] = []

    def start_epoch(self, centroids: NDArray | paddle.Tensor, step: int, total_steps: int) -> None:
        """Take the clusters of an epoch.

        Args:
            centroids: float32 [K, D], unit rows in label order.
            step: global optimiser step at which the epoch starts.
            total_steps: optimiser steps of the whole training.
        """
        self.memory.reset(centroids)
        self.step, self.total_steps = step, total_steps
        self.active_topk = self.topk if len(centroids) > self.topk else 0
        self._step_rows = []

    @property
    def degree(self) -> float:
        """delta(t) of the current step."""
        return interpolation_degree(self.step, self.total_steps, self.base)

    def forward(self, features: paddle.Tensor, labels: paddle.Tensor) -> dict[str, paddle.Tensor | None]:
        """Make the rows that the losses need.

        Args:
            features: float32 [b, D], unit rows of this process.
            labels: int64 [b] or [b, 1], their pseudo labels.

        Returns:
            A dict about the global batch of B rows: ``global_features`` [B, D], ``labels`` [B],
            ``support_features`` [B * k, D] or None, ``contrast_rows`` [n, D] and ``contrast_labels`` [n] for L_SE
            and the memory, and ``centroids`` [K, D].
        """
        with paddle.amp.auto_cast(enable=False):
            features = gather_rows(features.astype("float32"))
            labels = gather_rows(labels.flatten())
            centroids = self.memory.centroids
            supports, rows, row_labels = None, features, labels
            if self.active_topk:
                supports, _ = support_samples(features, labels, centroids, self.degree, self.active_topk)
                if self.contrast_supports:
                    rows = paddle.concat([features, supports])
                    row_labels = paddle.concat([labels, paddle.repeat_interleave(labels, self.active_topk)])
            self._step_rows.append((rows.detach(), row_labels))
        return {"global_features": features, "labels": labels, "support_features": supports,
                "contrast_rows": rows, "contrast_labels": row_labels, "centroids": centroids}

    def after_step(self) -> None:
        """Move the memory by the rows of the step that the optimiser has just taken, and count the step."""
        if self._step_rows:  # several with gradient accumulation
            rows, labels = zip(*self._step_rows)
            self.memory.update(paddle.concat(rows), paddle.concat(labels))
            self._step_rows = []
        self.step += 1
