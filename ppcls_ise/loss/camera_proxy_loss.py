from __future__ import annotations

from typing import Any

import paddle
from paddle import nn

from ..config.blocks import CameraProxyLossBlock
from .functional import camera_proxy_contrast

__all__ = ["CameraProxyLoss"]


class CameraProxyLoss(nn.Layer):
    """L_cam over the actual rows of the global batch: nearer to what other cameras saw of the same cluster, and of the
    clusters most like it.

    In PaddleClas's config: ``Loss: {Train: [..., - CameraProxyLoss: {weight: 1.0}]}``. Where no camera is known, or
    only one, it is 0.

    Args:
        temperature, positives, negatives: as of :func:`camera_proxy_contrast`.
    """

    def __init__(self, temperature: float = CameraProxyLossBlock.temperature,
                 positives: int = CameraProxyLossBlock.positives, negatives: int = CameraProxyLossBlock.negatives):
        super().__init__()
        self.temperature, self.positives, self.negatives = temperature, positives, negatives

    def forward(self, output: dict[str, Any], _batch_labels: object = None) -> dict[str, paddle.Tensor]:
        """Args: output of ISEHead. Returns: ``{"CameraProxyLoss": scalar}``."""
        if output["proxies"] is None:
            return {"CameraProxyLoss": paddle.zeros([])}
        proxies, labels, cameras, partners = output["proxies"]
        loss = camera_proxy_contrast(output["global_features"], output["labels"], output["cameras"], proxies, labels,
                                     cameras, partners, self.temperature, self.positives, self.negatives)
        return {"CameraProxyLoss": loss}
