"""What the clustering room accepts as features."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard, Union

import numpy as np
from numpy.typing import NDArray

from ..finite import check_finite

if TYPE_CHECKING:
    import paddle

__all__ = ["Features", "as_features", "for_search", "is_paddle_tensor"]

#: ``[N, D]``, row i the feature of image i: a numpy array, or a paddle tensor on any device.
Features = Union[NDArray[Any], "paddle.Tensor"]


def is_paddle_tensor(x: Any) -> TypeGuard[paddle.Tensor]:
    """Is ``x`` a paddle tensor?"""
    # By module name, so that this room needs Paddle only where a tensor is really given.
    return type(x).__module__.split(".")[0] == "paddle" and hasattr(x, "numpy")


def as_features(x: Features) -> NDArray[np.float32]:
    """Features as a contiguous numpy float32 matrix on the host.

    Args:
        x: ``[N, D]`` numpy array (any float type) or paddle tensor. Row i is the feature of image i.

    Returns:
        ``[N, D]`` float32; the same memory where it already is that.

    Raises:
        ValueError: not a matrix, or a row with NaN or Inf (the message names the rows).
    """
    array: NDArray[Any] = x.astype("float32").numpy() if is_paddle_tensor(x) else np.asarray(x)
    if array.ndim != 2:
        raise ValueError(f"features must be a matrix [images, dimensions], got shape {list(array.shape)}")
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise ValueError(f"features must be real numbers, got {array.dtype}")
    array = np.ascontiguousarray(array, dtype=np.float32)
    check_finite(array)
    return array


def for_search(features: Features, host: NDArray[np.float32], prepared: NDArray[np.float32]) -> Features:
    """Prepared features where those given are: on a GPU that shall search, or on the CPU without another copy.

    Args:
        features: ``[N, D]`` as they were given. host: the same as :func:`as_features` has them.
        prepared: ``[N, D']`` what became of them; ``host`` itself where nothing was done.
    """
    if not is_paddle_tensor(features) or features.place.is_cpu_place():
        return prepared
    if prepared is host:
        return features
    import paddle

    return paddle.to_tensor(prepared, place=features.place)
