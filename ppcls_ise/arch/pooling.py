from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from ..config.blocks import PoolingBlock
from ..errors import ISEError

__all__ = ["GeM", "pooled_feature", "use_gem"]


class GeM(nn.Layer):
    """Generalised-mean pooling (Radenovic et al., TPAMI 2019): ``(mean x^p)^(1/p)`` over the map; p is trained.

    Args:
        p: initial exponent; 1 is average pooling, infinity is max pooling.
        eps: lower bound on the activations, so that the power has a gradient.
    """

    def __init__(self, p: float = PoolingBlock.p, eps: float = PoolingBlock.eps):
        super().__init__()
        self.p = self.create_parameter([1], default_initializer=nn.initializer.Constant(p))
        self.eps = eps

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Args: x float32 [B, C, H, W]. Returns: float32 [B, C, 1, 1]."""
        return F.adaptive_avg_pool2d(x.clip(min=self.eps) ** self.p, 1) ** (1.0 / self.p)


def pooled_feature(backbone: nn.Layer, name: str) -> None:
    """Make ``backbone`` return its pooled feature: its classifier, the last linear layer, becomes the identity.

    Unlike PaddleClas's ``BackboneStopLayer`` it works for backbones that are no TheseusLayer (MobileNetV2, ViT, ...).

    Raises:
        ISEError: if there is no linear layer.
    """
    _replace_last(backbone, "Linear", nn.Identity(),
                  f"Arch.Backbone {name} has no linear classifier to take off; name the layer whose output is the "
                  f"feature in Arch.BackboneStopLayer.name")


def use_gem(backbone: nn.Layer, name: str, pooling: GeM) -> None:
    """Put ``pooling`` in place of the backbone's last global average pooling.

    Raises:
        ISEError: if there is no such pooling.
    """
    _replace_last(backbone, "AdaptiveAvgPool2D", pooling,
                  f"Arch.Backbone {name} has no AdaptiveAvgPool2D to replace by GeM; leave Arch.Pooling out")


def _replace_last(root: nn.Layer, class_name: str, new: nn.Layer, message: str) -> None:
    names = [path for path, layer in root.named_sublayers() if type(layer).__name__ == class_name]
    if not names:
        raise ISEError(message)
    *parents, leaf = names[-1].split(".")
    for part in parents:
        root = getattr(root, part)
    setattr(root, leaf, new)
