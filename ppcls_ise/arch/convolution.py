"""Convolutions of eager Paddle on the CPU, by oneDNN."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import paddle
from paddle import nn
from paddle.autograd import PyLayer
from paddle.jit.sot.psdb import in_sot

from .. import onednn

__all__ = ["OneDNNConv2D", "compute_by_onednn"]


def compute_by_onednn(model: nn.Layer) -> int:
    """Let the ``Conv2D`` layers of a model compute through oneDNN wherever :class:`OneDNNConv2D` does.

    Layers, parameters and names stay the same.

    Returns:
        How many layers do; 0 where there is no oneDNN.
    """
    if onednn.version() is None:
        return 0
    layers = [layer for layer in model.sublayers(include_self=True) if type(layer) is nn.Conv2D
              and layer._padding_mode == "zeros" and layer._data_format == "NCHW"
              and layer._padding_algorithm == "EXPLICIT"]
    for layer in layers:
        layer.__class__ = OneDNNConv2D
    return len(layers)


class OneDNNConv2D(nn.Conv2D):
    """Paddle's ``Conv2D``, through oneDNN for float32 images on the CPU in eager mode; else as it is.

    Paddle's own runs a matrix product per image, a depthwise one a product per channel, which is many times slower.

    As of any PyLayer of Paddle's there is one backward pass: no second one over a kept graph (Paddle crashes), no
    gradient of a gradient, no ``paddle.grad`` without the weights among its inputs.
    """

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Args: x [N, C, H, W]. Returns: [N, O, H', W']."""
        # Where Paddle traces bytecode, dynamic mode is what it sees.
        if in_sot() or not _can_take(x, self.weight, self._groups):
            return nn.Conv2D.forward(self, x)  # Paddle 2 traces no super()
        y = _Convolution.apply(x, self.weight, tuple(self._stride), _four(self._updated_padding),
                               tuple(self._dilation), self._groups)
        return y if self.bias is None else y + self.bias.reshape([1, -1, 1, 1])


def _can_take(x: paddle.Tensor, weight: paddle.Tensor, groups: int) -> bool:
    """What it cannot take, images that do not fit among it, is Paddle's to compute or to refuse."""
    # Where the device is a GPU, tensors on the CPU are brought there.
    return (paddle.in_dynamic_mode() and paddle.get_device() == "cpu" and x.place.is_cpu_place()
            and weight.place.is_cpu_place() and x.dtype == weight.dtype == paddle.float32
            and x.ndim == 4 and 0 not in x.shape and x.shape[1] == weight.shape[1] * groups)


def _four(padding: int | list[int]) -> tuple[int, ...]:
    """Above, below, left, right."""
    values = [padding] * 2 if isinstance(padding, int) else padding
    return tuple(values) if len(values) == 4 else (values[0], values[0], values[1], values[1])


class _Convolution(PyLayer):
    @staticmethod
    def forward(context: Any, x: paddle.Tensor, weight: paddle.Tensor, *geometry: Any) -> paddle.Tensor:
        convolution = onednn.convolution(tuple(x.shape), tuple(weight.shape), *geometry)
        y = _empty(convolution.y)
        convolution.forward(x.contiguous(), weight.contiguous(), y, _working_memory)
        context.save_for_backward(x, weight)
        context.convolution, context.version = convolution, x.inplace_version
        return y

    @staticmethod
    def backward(context: Any, gradient: paddle.Tensor) -> Any:  # [N, C, H, W] and [O, C / groups, h, w], or None
        x, weight = context.saved_tensor()
        if x.inplace_version != context.version:  # Paddle's layers refuse it, a PyLayer does not
            raise RuntimeError("the input of a convolution was changed in place before its backward pass")
        gradient, of_x, of_weight = gradient.contiguous(), None, None
        if not x.stop_gradient:
            of_x = _empty(x.shape)
            context.convolution.backward_data(gradient, weight.contiguous(), of_x, _working_memory)
        if not weight.stop_gradient:
            of_weight = _empty(weight.shape)
            context.convolution.backward_weights(x.contiguous(), gradient, of_weight, _working_memory)
        return of_x, of_weight


def _empty(shape: Sequence[int]) -> paddle.Tensor:
    return paddle.empty(shape, "float32")  # whatever the default dtype


def _working_memory(size: int) -> paddle.Tensor:
    return _empty([size])
