"""Weight files into layers: nothing skipped silently, nothing of another shape accepted."""
from __future__ import annotations

from typing import Any

from paddle import nn

from ..errors import ISEError
from ..weights import read_state

__all__ = ["check_fit", "read_weights"]


def read_weights(path: str) -> dict:
    """Read ``path`` (with or without ``.pdparams``) without running what a pickle may name.

    Returns:
        State dict: name -> array.

    Raises:
        ISEError: if there is no such file, or it holds no state dict.
    """
    return read_state(path if path.endswith(".pdparams") else path + ".pdparams")


def check_fit(layer: nn.Layer, state: dict) -> str:
    """Compare a state dict with a layer.

    Returns:
        One line: how many parameters it fills, which are missing, which are left over.

    Raises:
        ISEError: if not one parameter fits, or one has another shape or precision.
    """
    own = layer.state_dict()
    wrong = [f"{key} {list(state[key].shape)} instead of {list(value.shape)}"
             for key, value in own.items() if key in state and list(state[key].shape) != list(value.shape)]
    if wrong:
        raise ISEError(f"weights of another architecture: {_some(wrong)}; those of a training run need its config, "
                       "which is config.yaml in its output folder")
    common = [key for key in own if key in state]
    wrong = [f"{key} {_dtype(state[key])} instead of {_dtype(own[key])}" for key in common
             if _dtype(state[key]) != _dtype(own[key])]
    if wrong:
        raise ISEError(f"weights of another precision: {_some(wrong)}; tools/convert_weights.py --widen makes float32 "
                       "of them")
    if not common:
        raise ISEError(f"none of the {len(state)} weights belongs to the model: they are called {_some(list(state))}, "
                       f"its parameters {_some(list(own))}")
    missing = [key for key in own if key not in state]
    left_over = [key for key in state if key not in own]
    return (f"{len(common)} of {len(own)} parameters loaded; missing: {_some(missing)}; left over: {_some(left_over)}")


def _dtype(value: Any) -> str:
    return str(value.dtype).removeprefix("paddle.")


def _some(names: list, most: int = 6) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return (", ".join(names[:most]) + more) if names else "none"
