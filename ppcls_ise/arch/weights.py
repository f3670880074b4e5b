"""Weight files into layers: nothing skipped silently, nothing of another shape accepted."""
from __future__ import annotations

import os

import paddle
from paddle import nn

from ..errors import ISEError

__all__ = ["check_fit", "read_weights"]


def read_weights(path: str) -> dict:
    """Read ``path`` (with or without ``.pdparams``).

    Returns:
        State dict: name -> tensor or array.

    Raises:
        ISEError: if there is no such file, or it holds no state dict.
    """
    file = path if path.endswith(".pdparams") else path + ".pdparams"
    if not os.path.isfile(file):
        raise ISEError(f"weights {file} do not exist")
    try:
        state = paddle.load(file)
    except Exception as error:  # whatever the unpickler of a damaged file comes upon
        raise ISEError(f"weights {file} cannot be read ({type(error).__name__}: {error}); is the file whole?"
                       ) from error
    if not isinstance(state, dict):
        raise ISEError(f"weights {file} hold a {type(state).__name__}, not a dict of parameters")
    return state


def check_fit(layer: nn.Layer, state: dict) -> str:
    """Compare a state dict with a layer.

    Returns:
        One line: how many parameters it fills, which are missing, which are left over.

    Raises:
        ISEError: if not one parameter fits, or one has another shape.
    """
    own = layer.state_dict()
    wrong = [f"{key} {list(state[key].shape)} instead of {list(value.shape)}"
             for key, value in own.items() if key in state and list(state[key].shape) != list(value.shape)]
    if wrong:
        raise ISEError("weights of another architecture: " + _some(wrong))
    common = [key for key in own if key in state]
    if not common:
        raise ISEError(f"none of the {len(state)} weights belongs to the model: they are called {_some(list(state))}, "
                       f"its parameters {_some(list(own))}")
    missing = [key for key in own if key not in state]
    left_over = [key for key in state if key not in own and key != "StructuredToParameterName@@"]
    return (f"{len(common)} of {len(own)} parameters loaded; missing: {_some(missing)}; left over: {_some(left_over)}")


def _some(names: list, most: int = 6) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return (", ".join(names[:most]) + more) if names else "none"
