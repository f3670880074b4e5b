from __future__ import annotations

from typing import Any

import paddle
from paddle import nn

from ..config.blocks import ClusterContrastLossBlock
from .functional import camera_entropy_weights, cluster_contrast

__all__ = ["ClusterContrastLoss"]


class ClusterContrastLoss(nn.Layer):
    """L_SE over the rows that :class:`ppcls_ise.arch.head.ISEHead` puts before the memory.

    In PaddleClas's config: ``Loss: {Train: [- ClusterContrastLoss: {weight: 1.0, temperature: 0.05}]}``.

    Args:
        temperature: tau of the softmax over centroids.
        camera_entropy: weigh rows by :func:`camera_entropy_weights`, where cameras are known.
    """

    def __init__(self, temperature: float = ClusterContrastLossBlock.temperature,
                 camera_entropy: bool = ClusterContrastLossBlock.camera_entropy):
        super().__init__()
        self.temperature, self.camera_entropy = temperature, camera_entropy

    def forward(self, output: dict[str, Any], _batch_labels: object = None) -> dict[str, paddle.Tensor]:
        """Args: output of ISEHead (global batch; its labels, not the local ones PaddleClas passes second, are used).

        Returns:
            ``{"ClusterContrastLoss": scalar}``.
        """
        rows, labels, rivals = output["contrast_rows"], output["contrast_labels"], output["rivals"]
        weights = None
        if self.camera_entropy and output["cameras"] is not None:
            weights = camera_entropy_weights(output["labels"], output["cameras"])
        if len(labels) > len(output["labels"]):  # supports follow the rows that they were made of
            supports = len(labels) // len(output["labels"]) - 1
            rivals, weights = (None if values is None else paddle.concat([values, _repeated(values, supports)])
                               for values in (rivals, weights))
        loss = cluster_contrast(rows, labels, output["centroids"], self.temperature, rivals, weights)
        return {"ClusterContrastLoss": loss}


def _repeated(rows: paddle.Tensor, times: int) -> paddle.Tensor:
    """Every row so many times, one after the other."""
    return rows.unsqueeze(1).expand([len(rows), times, *rows.shape[1:]]).reshape([-1, *rows.shape[1:]])
