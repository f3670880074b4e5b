from __future__ import annotations

from typing import Any

import paddle
from paddle import nn

from ..config.blocks import LabelPreservingLossBlock
from .functional import label_preserving

__all__ = ["LabelPreservingLoss"]


class LabelPreservingLoss(nn.Layer):
    """L_LP between the actual and the support samples of the global batch.

    In PaddleClas's config: ``Loss: {Train: [..., - LabelPreservingLoss: {weight: 0.1}]}``. In an epoch without
    support samples (a single cluster) it is 0.

    Args:
        temperature: of the exponentials, 0.6 in the paper.
    """

    def __init__(self, temperature: float = LabelPreservingLossBlock.temperature):
        super().__init__()
        self.temperature = temperature

    def forward(self, output: dict[str, Any], _batch_labels: object = None) -> dict[str, paddle.Tensor]:
        """Args: output of ISEHead. Returns: ``{"LabelPreservingLoss": scalar}``."""
        supports = output["support_features"]
        if supports is None:
            return {"LabelPreservingLoss": paddle.zeros([])}
        loss = label_preserving(output["global_features"], supports, output["labels"], self.temperature,
                                output["rivals"])
        return {"LabelPreservingLoss": loss}
