"""BatchNorm groups: BatchNorm sees as many images as the recipe says, on however many devices.

The global batch is cut into groups of ``bn_group_size`` consecutive rows, and each is normalised by itself. A device
that holds several groups runs the network once per group (:func:`batch_norms`, :class:`GroupStatistics`); a group
that spans devices is normalised by :class:`SpanningBatchNorm`.
"""
from __future__ import annotations

from typing import Any

import paddle
import paddle.distributed as dist
from paddle import nn
from paddle.autograd import PyLayer

from ..errors import ISEError

__all__ = ["GroupStatistics", "batch_norms", "check_group_size", "span_batch_norms"]


def batch_norms(model: nn.Layer) -> list[nn.Layer]:
    """The BatchNorm layers of a model, of whatever class: those with running statistics."""
    return [layer for layer in model.sublayers()
            if isinstance(getattr(layer, "_mean", None), paddle.Tensor) and hasattr(layer, "_momentum")]


def check_group_size(size: int, batch_size: int, num_instances: int, processes: int) -> None:
    """Check ``Arch.bn_group_size`` against the batch.

    Args:
        size: images that BatchNorm sees together, at least 2.
        batch_size: images of a step on all processes together.
        num_instances: images per cluster.
        processes: that share the batch equally.

    Raises:
        ISEError: unless groups hold whole clusters, fill the batch, and are shared evenly by the processes.
    """
    own = batch_size // processes
    if batch_size % size:
        raise ISEError(f"Arch.bn_group_size {size} does not divide DataLoader.Train.sampler.batch_size {batch_size}; "
                       "set it to the same, or to null")
    if size % num_instances:
        raise ISEError(f"Arch.bn_group_size {size} must be a multiple of num_instances {num_instances}: a group holds "
                       "whole clusters")
    if own % size and size % own:
        raise ISEError(f"each of {processes} processes holds {own} images: neither whole groups of Arch.bn_group_size "
                       f"{size} nor an equal part of one; use a number of processes that divides the "
                       f"{batch_size // size} groups, or a multiple of it")


class GroupStatistics:
    """Lets every group of a step weigh alike in the running statistics.

    A BatchNorm layer that runs g times in a step would forget with the power g and weigh the last group most. With
    the momenta set here the result is one update with the mean over the groups,
    ``running <- momentum * running + (1 - momentum) * mean(batch statistics)``, which depends neither on the number
    of devices nor on how many groups each holds.

    Args:
        layers: of :func:`batch_norms`.
    """

    def __init__(self, layers: list[nn.Layer]):
        self.layers = layers
        self.momenta = [layer._momentum for layer in layers]

    def start_group(self, index: int, groups: int) -> None:
        """Before the network runs group ``index`` of ``groups``."""
        for layer, momentum in zip(self.layers, self.momenta):
            share = (1 - momentum) / groups
            layer._momentum = (1 - (groups - index) * share) / (1 - (groups - index - 1) * share)

    def hold(self) -> None:
        """Before the network runs a group again, for its gradient: the running statistics stay as they are."""
        for layer in self.layers:
            layer._momentum = 1.0


def span_batch_norms(model: nn.Layer, processes: int) -> None:
    """Replace every BatchNorm of ``model`` by one over the rows of ``processes`` consecutive processes.

    Parameters, statistics and their names stay the same.
    """
    for parent in [model, *model.sublayers()]:
        for name, layer in parent.named_children():
            if layer in batch_norms(parent):
                setattr(parent, name, SpanningBatchNorm(layer, processes))


class SpanningBatchNorm(nn.Layer):
    """BatchNorm over the rows of several processes, on any device.

    Args:
        layer: the BatchNorm layer to take over, with its parameters and running statistics.
        processes: consecutive processes that share a group, each with equally many rows.
    """

    def __init__(self, layer: nn.Layer, processes: int):
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self._mean, self._variance = layer._mean, layer._variance
        self._momentum, self._epsilon, self._act = layer._momentum, layer._epsilon, getattr(layer, "_act", None)
        self.processes = processes

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Args: x [b, C] or [b, C, H, W], equal on every process. Returns: the same shape."""
        if self.training:
            y, mean, variance = _Normalise.apply(x, self.weight, self.bias, self._epsilon, self.processes)
            with paddle.no_grad():
                for running, batch in ((self._mean, mean), (self._variance, variance)):
                    running.set_value(self._momentum * running + (1 - self._momentum) * batch)
        else:
            y = nn.functional.batch_norm(x, self._mean, self._variance, self.weight, self.bias, epsilon=self._epsilon)
        return getattr(nn.functional, self._act)(y) if self._act else y


class _Normalise(PyLayer):
    """y = weight * (x - mean) / sqrt(variance + epsilon) + bias over the rows of all processes of a group."""

    # Every process hears the few numbers of all and takes those of its group: a communicator for each group would be
    # one more thing to go wrong.
    @staticmethod
    def of_group(own: paddle.Tensor, processes: int) -> paddle.Tensor:
        parts: list[paddle.Tensor] = []
        dist.all_gather(parts, own)
        first = dist.get_rank() // processes * processes
        return paddle.stack(parts[first:first + processes])

    @staticmethod
    def forward(context: Any, x: paddle.Tensor, weight: paddle.Tensor, bias: paddle.Tensor, epsilon: float,
                processes: int) -> tuple[paddle.Tensor, ...]:
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
        values = x.astype("float32")  # statistics of half-precision rows are taken in float32
        own_mean = values.mean(axes)
        own_variance = (values - own_mean.reshape(shape)).square().mean(axes)
        parts = _Normalise.of_group(paddle.stack([own_mean, own_variance]), processes)
        mean = parts[:, 0].mean(0)
        variance = (parts[:, 1] + (parts[:, 0] - mean).square()).mean(0)
        inverse = paddle.rsqrt(variance + epsilon)
        unit = (values - mean.reshape(shape)) * inverse.reshape(shape)
        context.save_for_backward(unit.astype(x.dtype), weight, inverse)
        context.axes, context.shape, context.processes = axes, shape, processes
        y = unit * weight.reshape(shape) + bias.reshape(shape)
        mean.stop_gradient = variance.stop_gradient = True
        return y.astype(x.dtype), mean, variance

    @staticmethod
    def backward(context: Any, gradient: paddle.Tensor, _mean_gradient: paddle.Tensor,
                 _variance_gradient: paddle.Tensor) -> tuple[paddle.Tensor, ...]:
        unit, weight, inverse = context.saved_tensor()
        axes, shape = context.axes, context.shape
        dtype, gradient, unit = gradient.dtype, gradient.astype("float32"), unit.astype("float32")
        of_bias, of_weight = gradient.sum(axes), (gradient * unit).sum(axes)
        sums = _Normalise.of_group(paddle.stack([of_bias, of_weight]), context.processes).sum(0)
        count = gradient.size // gradient.shape[1] * context.processes
        mean_gradient, mean_product = (sums / count).unstack()
        of_x = (gradient - mean_gradient.reshape(shape) - unit * mean_product.reshape(shape)) \
            * (weight * inverse).reshape(shape)
        return of_x.astype(dtype), of_weight, of_bias
