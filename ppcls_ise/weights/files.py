"""Files of weights: read and written, whatever program they are of."""
from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ISEError, some
from ..files import replacing
from .pickles import load_pickle
from .torch_file import read_torch

__all__ = ["FORMATS", "State", "read_state", "write_state"]

#: Name -> array, in the order of the file.
State = dict[str, NDArray[Any]]
FORMATS = (".pdparams", ".pth", ".pt", ".tar", ".npz", ".safetensors")
_WRAPPERS = ("state_dict", "model_state_dict", "model")  # of checkpoints that hold more than the weights
_NAME_TABLE = "StructuredToParameterName@@"


def read_state(path: str) -> State:
    """Read the weights in ``path``; what kind of file it is, its suffix says. No code in it is run.

    Returns:
        Name -> array, in the order of the file.

    Raises:
        ISEError: if the file is missing, damaged, of an unknown kind, or holds something else than a dict of arrays.
    """
    suffix = os.path.splitext(path)[1]
    if suffix not in FORMATS:
        raise ISEError(f"weights {path}: known are {', '.join(FORMATS)}, not {suffix or 'a file without suffix'}")
    if not os.path.isfile(path):
        raise ISEError(f"weights {path} do not exist")
    try:
        state = _READERS.get(suffix, read_torch)(path)
    except ISEError as error:
        raise ISEError(f"weights {path} were not read: {error}") from error
    except Exception as error:  # whatever the reader of a damaged file comes upon
        raise ISEError(f"weights {path} cannot be read ({type(error).__name__}: {error}); is the file whole?"
                       ) from error
    if not isinstance(state, dict):
        raise ISEError(f"weights {path} hold a {type(state).__name__}, not a dict of parameters")
    for wrapper in _WRAPPERS:
        if isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    state.pop(_NAME_TABLE, None)
    others = [str(key) for key, value in state.items() if not isinstance(value, np.ndarray)]
    if others or not state:
        raise ISEError(f"weights {path} hold no plain dict of parameters: "
                       f"{some(others) + ' are no arrays' if others else 'it is empty'}")
    if any(value.dtype.kind == "V" for value in state.values()):
        raise ISEError(f"weights {path} are bfloat16; save them as float32 first: "
                       "{name: value.float() for name, value in state.items()}")
    return state


def _read_pdparams(path: str) -> Any:
    with open(path, "rb") as file:
        state = load_pickle(file)
    if not isinstance(state, dict):
        return state
    # Paddle saves a lone tensor as (its name, its numbers)
    return {key: value[1] if isinstance(value, tuple) and len(value) == 2 else value for key, value in state.items()}


def _read_npz(path: str) -> State:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _read_safetensors(path: str) -> State:
    return _optional("safetensors.numpy", path).load_file(path)


_READERS: dict[str, Callable[[str], Any]] = {
    ".pdparams": _read_pdparams, ".npz": _read_npz, ".safetensors": _read_safetensors}


def write_state(path: str, state: State) -> None:
    """Write weights as Paddle's (``.pdparams``), torch's (``.pth``, ``.pt``), ``.npz`` or ``.safetensors``.

    A file that is there is replaced when the new one is complete.

    Raises:
        ISEError: for another suffix, or if the package that writes such files is missing.
    """
    suffix = os.path.splitext(path)[1]
    if suffix not in _WRITERS:
        raise ISEError(f"{path}: weights are written as {', '.join(_WRITERS)}")
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    if suffix in _NEEDS:
        _optional(_NEEDS[suffix], path)  # a message names the file that is meant, not the one written before it
    contiguous = {name: np.ascontiguousarray(value).reshape(value.shape) for name, value in state.items()}
    with replacing(path) as new:
        _WRITERS[suffix](new, contiguous)


def _write_pdparams(path: str, state: State) -> None:
    paddle = _optional("paddle", path)
    paddle.save({name: paddle.to_tensor(value) for name, value in state.items()}, path)


def _write_torch(path: str, state: State) -> None:
    torch = _optional("torch", path)
    with open(path, "wb") as file:  # given the path, torch would write its name into the file
        torch.save({name: torch.from_numpy(value.copy()) for name, value in state.items()}, file)


def _write_npz(path: str, state: State) -> None:
    with open(path, "wb") as file:  # given the path, numpy would add .npz to it
        np.savez(file, **state)  # type: ignore[arg-type]  # numpy has its own keywords in mind


def _write_safetensors(path: str, state: State) -> None:
    _optional("safetensors.numpy", path).save_file(state, path)


_WRITERS: dict[str, Callable[[str, State], None]] = {
    ".pdparams": _write_pdparams, ".pth": _write_torch, ".pt": _write_torch, ".npz": _write_npz,
    ".safetensors": _write_safetensors}


_NEEDS = {".pdparams": "paddle", ".pth": "torch", ".pt": "torch", ".safetensors": "safetensors.numpy"}


def _optional(module: str, path: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ISEError(f"{path} needs the package {package} (pip install {package}); .npz needs none") from error
