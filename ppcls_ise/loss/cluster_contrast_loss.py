from __future__ import annotations

from typing import Any

import paddle
from paddle import nn

from ..config.blocks import ClusterContrastLossBlock
from .functional import cluster_contrast

__all__ = ["ClusterContrastLoss"]


class ClusterContrastLoss(nn.Layer):
    """L_SE over the rows that :class:`ppcls_ise.arch.head.ISEHead` puts before the memory.

    In PaddleClas's config: ``Loss: {Train: [- ClusterContrastLoss: {weight: 1.0, temperature: 0.05}]}``.

    Args:
        temperature: tau of the softmax over centroids.
    """

    def __init__(self, temperature: float = ClusterContrastLossBlock.temperature):
        super().__init__()
        self.temperature = temperature

    def forward(self, output: dict[str, Any], _batch_labels: object = None) -> dict[str, paddle.Tensor]:
        """Args: output of ISEHead (global batch; its labels, not the local ones PaddleClas passes second, are used).

        Returns:
            ``{"ClusterContrastLoss": scalar}``.
        """
        loss = cluster_contrast(output["contrast_rows"], output["contrast_labels"], output["centroids"],
                                self.temperature)
        return {"ClusterContrastLoss": loss}
