"""A convolution and its gradients."""
from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

from .library import Handle, attributes, new, session
from .operation import DIFF_DST, DIFF_SRC, DIFF_WEIGHTS, DST, SRC, WEIGHTS, Operation, any_layout, dims, plain

__all__ = ["Convolution", "convolution"]

_FORWARD_TRAINING, _DIRECT = ctypes.c_int(64), ctypes.c_int(1)


class Convolution:
    """y = conv2d(x, weights), without bias, for arrays of fixed shapes; what is not used is not built.

    Args:
        x: N, C, H, W.
        weights: O, C / groups, height, width.
        stride: down, right. dilation: likewise.
        padding: above, below, left, right.
        groups: C and O are cut into so many.

    Attributes:
        y: N, O, H', W'.

    The arguments of the operations are dense float32 tensors of Paddle on the CPU with these shapes; the last is
    written to.

    Raises:
        OneDNNError: if oneDNN has no such convolution.
    """

    def __init__(self, x: tuple[int, ...], weights: tuple[int, ...], stride: tuple[int, int],
                 padding: tuple[int, int, int, int], dilation: tuple[int, int], groups: int):
        images, _, *size = x
        first, last = padding[0::2], padding[1::2]
        out = [(length + before + after - step * (kernel - 1) - 1) // stride_ + 1 for
               length, before, after, step, kernel, stride_ in zip(size, first, last, dilation, weights[2:], stride)]
        self.y = (images, weights[0], *out)
        self._x, self._weights, self._groups = x, weights, groups
        self._geometry = [dims(values) for values in (stride, [step - 1 for step in dilation], first, last)]

    def forward(self, x: Any, weights: Any, y: Any, empty: Callable[[int], Any]) -> None:
        """``y`` from ``x`` and ``weights``."""
        self._forward_operation([x, weights], y, empty)

    def backward_data(self, y_gradient: Any, weights: Any, x_gradient: Any, empty: Callable[[int], Any]) -> None:
        """The gradient of ``x``."""
        self._data_operation([y_gradient, weights], x_gradient, empty)

    def backward_weights(self, x: Any, y_gradient: Any, weights_gradient: Any, empty: Callable[[int], Any]) -> None:
        """The gradient of ``weights``."""
        self._weights_operation([x, y_gradient], weights_gradient, empty)

    def _shapes(self) -> tuple[tuple[int, ...], ...]:
        weights = self._weights
        if self._groups > 1:
            weights = (self._groups, weights[0] // self._groups, *weights[1:])
        return self._x, weights, self.y

    def _plain(self) -> tuple[Handle, ...]:
        return tuple(map(plain, self._shapes()))

    def _described(self, kind: str, *arguments: Any) -> Handle:
        engine, _ = session()
        return new("primitive_desc", f"dnnl_convolution_{kind}_primitive_desc_create", engine, *arguments,
                   attributes())

    @functools.cached_property
    def _forward(self) -> Handle:
        x, weights, y = map(any_layout, self._shapes())
        return self._described("forward", _FORWARD_TRAINING, _DIRECT, x, weights, None, y, *self._geometry)

    @functools.cached_property
    def _forward_operation(self) -> Operation:
        x, weights, y = self._plain()
        return Operation(self._forward, {SRC: x, WEIGHTS: weights}, (DST, y))

    @functools.cached_property
    def _data_operation(self) -> Operation:
        x, weights, y = map(any_layout, self._shapes())
        described = self._described("backward_data", _DIRECT, x, weights, y, *self._geometry, self._forward)
        x, weights, y = self._plain()
        return Operation(described, {DIFF_DST: y, WEIGHTS: weights}, (DIFF_SRC, x))

    @functools.cached_property
    def _weights_operation(self) -> Operation:
        x, weights, y = map(any_layout, self._shapes())
        described = self._described("backward_weights", _DIRECT, x, weights, None, y, *self._geometry, self._forward)
        x, weights, y = self._plain()
        return Operation(described, {SRC: x, DIFF_DST: y}, (DIFF_WEIGHTS, weights))


#: One for all layers of the same shapes. A network has a few dozen of them for each size of batch, and each takes half
#: a megabyte: a program whose batches are of any size must not keep all of them.
convolution = functools.lru_cache(maxsize=512)(Convolution)
