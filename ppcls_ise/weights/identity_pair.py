"""The convolution-BatchNorm pair that PaddleClas's MobileNetV2 and ResNet-18/34 have and torchvision's lack.

MobileNetV2: the expansion of ``conv2``, which torchvision leaves out where it expands by 1. ResNet-18/34: the shortcut
of the first block, which torchvision has only where the width changes. Converted weights need something there: an
identity convolution and a BatchNorm of mean 0 and variance 1. That is an identity in evaluation only. In training
BatchNorm normalises by the *batch*, and that is another network than the one whose weights these are: measured in
``docs/results.md``. With the statistics of its real input as running statistics and as weight and bias
(:func:`calibrated`) the pair is an identity in both modes.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ISEError

if TYPE_CHECKING:
    import paddle

__all__ = ["PAIRS", "calibrated", "is_identity", "pair_tensors"]

#: architecture -> (layer, its convolution, its BatchNorm), PaddleClas's names
PAIRS = {"MobileNetV2": ("conv2._first_block._expand_conv", "_conv", "_batch_norm"),
         "ResNet18": ("blocks.0.short", "conv", "bn"), "ResNet34": ("blocks.0.short", "conv", "bn")}
_EPS = 1e-5  # of every BatchNorm in these networks


def pair_tensors(architecture: str, mean: NDArray[Any], variance: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The pair as an identity.

    Args:
        architecture: a key of :data:`PAIRS`.
        mean, variance: [C], what its BatchNorm takes for the statistics of its input. The pair is an identity in
            training, too, if they are those of the real input.

    Returns:
        PaddleClas's names -> float32 arrays.
    """
    layer, conv, norm = PAIRS[architecture]
    width = len(mean)
    tensors = {f"{conv}.weight": np.eye(width)[:, :, None, None], f"{norm}.weight": np.sqrt(variance + _EPS),
               f"{norm}.bias": mean, f"{norm}._mean": mean, f"{norm}._variance": variance}
    return {f"{layer}.{name}": value.astype("float32") for name, value in tensors.items()}


def is_identity(architecture: str, state: dict[str, NDArray[Any]], tolerance: float = 1e-4) -> bool:
    """Whether the pair in ``state`` changes nothing in evaluation, up to ``tolerance`` of scale and shift."""
    layer, conv, norm = PAIRS[architecture]
    weight = state[f"{layer}.{conv}.weight"][:, :, 0, 0]
    scale, shift, mean, variance = (state[f"{layer}.{norm}.{name}"] for name in ("weight", "bias", "_mean",
                                                                                 "_variance"))
    scale = scale / np.sqrt(variance + _EPS)
    return (np.allclose(weight, np.eye(len(weight)), atol=tolerance) and np.allclose(scale, 1, atol=tolerance)
            and np.allclose(shift, mean * scale, atol=tolerance))


def calibrated(architecture: str, backbone: paddle.nn.Layer, batches: Iterable[NDArray[np.float32]]
               ) -> dict[str, NDArray[Any]]:
    """The pair with the statistics of its real input.

    Args:
        architecture: a key of :data:`PAIRS`.
        backbone: PaddleClas's network with the converted weights, a Paddle layer.
        batches: iterable of image batches, float32 arrays [B, 3, H, W] as the test transforms make them.

    Raises:
        ISEError: if there are no images.
    """
    import paddle

    sums = []

    def collect(layer: paddle.nn.Layer, inputs: tuple[paddle.Tensor, ...]) -> None:
        x = inputs[0].numpy().astype("float64")
        sums.append((x.sum(axis=(0, 2, 3)), (x ** 2).sum(axis=(0, 2, 3)), x.size // x.shape[1]))

    layer = dict(backbone.named_sublayers())[PAIRS[architecture][0]]
    backbone.eval()
    hook = layer.register_forward_pre_hook(collect)  # type: ignore[arg-type]  # a hook may return nothing
    with paddle.no_grad():
        for batch in batches:
            backbone(paddle.to_tensor(batch))
    hook.remove()
    if not sums:
        raise ISEError("there are no images to calibrate with")
    total, squares, count = (sum(values) for values in zip(*sums))
    mean = total / count
    return pair_tensors(architecture, mean, np.maximum(squares / count - mean ** 2, 0))
