"""Checkpoints that a kill at any moment leaves whole, and that hold everything a resumed run needs.

PaddleClas writes ``latest.pdparams``, ``latest.pdopt`` and ``latest.pdstates`` one after the other, over the old ones:
a kill in between leaves a mixture. Here they are written into a folder of their own, which is renamed when it is
complete (:data:`READY`), and then moved over the old files; whoever finds such a folder finishes the move. Beside them
lies ``latest.ise.npz``: the state of the run (:class:`~ppcls_ise.engine.run.Run`) and the checksums of the other three.
"""
from __future__ import annotations

import functools
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import paddle.distributed as dist
from paddle import nn
from ppcls.utils import logger

from ..arch.fit import check_fit, read_weights
from ..distributed.processes import unwrap
from ..errors import ISEError
from ..host.bridges import naming
from .averaging import averaged_weights
from .run import State, run_of

__all__ = ["read_run_state", "save_whole", "settle", "verify", "wrap_init_model", "wrap_load_pretrained",
           "wrap_save_model"]

READY, SAVING, STATE = ".{}.saved", ".{}.saving", ".ise.npz"
PARTS = (".pdparams", ".pdopt", ".pdstates")
BEST = "best_model"  # PaddleClas's name


def wrap_save_model(default: Callable) -> Callable:
    """Wrap PaddleClas's ``save_model``: the same files, all new or all old, with the state of the run; ``best_model``
    only where it is better than the one before."""

    @functools.wraps(default)
    def save_model(net: nn.Layer, optimizer: Any, metric_info: dict, model_path: str, *arguments: Any,
                   prefix: str = "ppcls", **options: Any) -> None:
        if dist.get_rank() != 0:
            return
        run, best = run_of(net), run_of(net).best_metric
        if prefix == BEST:
            # Of equal epochs the first is the best, here and in the tables. PaddleClas's develop would save the last.
            if metric_info["metric"] <= best:
                return
            best = metric_info["metric"]

        def write(folder: str) -> None:
            with naming(folder, model_path), averaged_weights(net):
                default(net, optimizer, metric_info, folder, *arguments, prefix=prefix, **options)

        save_whole(write, model_path, prefix, {**run.state_dict(metric_info["epoch"]), "best_metric": best})
        run.best_metric = best  # only now: a save that failed is tried again at the next figure as good

    return save_model


def save_whole(write: Callable[[str], None], folder: str, prefix: str, state: State) -> None:
    """Save a checkpoint so that whoever kills the program finds the old one or the new one.

    Args:
        write: called with a folder, writes ``<prefix>.pdparams`` and the others of :data:`PARTS` into it or below it.
        folder: where the checkpoint shall be: here, or at the same place below it.
        prefix: name of the checkpoint.
        state: name -> array, beside them in ``<prefix>.ise.npz`` with their checksums.
    """
    staging = os.path.join(folder, SAVING.format(prefix))
    shutil.rmtree(staging, ignore_errors=True)  # of a save that was killed
    os.makedirs(staging)
    write(staging)
    inner = next(place for place, _, names in os.walk(staging) if prefix + ".pdparams" in names)
    final = os.path.normpath(os.path.join(folder, os.path.relpath(inner, staging)))
    stem = os.path.join(inner, prefix)
    state = {**state, **{"crc32" + part: _crc32(stem + part) for part in PARTS}}
    np.savez(stem + STATE, **state)
    os.makedirs(final, exist_ok=True)
    settle(os.path.join(final, prefix))  # before a newer one takes its place
    _sync(inner)
    os.rename(inner, os.path.join(final, READY.format(prefix)))
    shutil.rmtree(staging, ignore_errors=True)
    settle(os.path.join(final, prefix))


def _crc32(path: str) -> int:
    checksum = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            checksum = zlib.crc32(block, checksum)
    return checksum


def _sync(folder: str) -> None:
    """To the disk itself: a power cut is no kinder than a kill."""
    for inner, _, names in os.walk(folder):
        for path in (*(os.path.join(inner, name) for name in names), inner):
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)


def settle(stem: str) -> None:
    """Finish a save of checkpoint ``stem`` (path without suffix) that was killed after it was complete.

    Several processes may do so at once.
    """
    folder, prefix = os.path.split(stem)
    ready = os.path.join(folder, READY.format(prefix))
    for inner, _, names in os.walk(ready):
        target = os.path.join(folder, os.path.relpath(inner, ready))
        os.makedirs(target, exist_ok=True)
        for name in names:
            try:
                os.replace(os.path.join(inner, name), os.path.join(target, name))
            except FileNotFoundError:
                pass  # another process has moved it
    shutil.rmtree(ready, ignore_errors=True)


def verify(stem: str) -> State:
    """Check that the files of checkpoint ``stem`` are whole and belong together.

    Returns:
        The state that was saved with it: name -> array; empty for a checkpoint that PaddleClas wrote by itself.

    Raises:
        ISEError: naming the file that is missing or damaged.
    """
    for part in PARTS:
        if not os.path.isfile(stem + part):
            raise ISEError(f"Global.checkpoints: there is no file {stem + part}")
    state = read_run_state(stem)
    for part in PARTS if state else ():
        if _crc32(stem + part) != state.get("crc32" + part):
            raise ISEError(f"checkpoint file {stem + part} is damaged: its checksum is not that of when it was saved")
    return state


def read_run_state(stem: str) -> State:
    """The state that was saved with checkpoint ``stem``, name -> array; empty where there is none.

    Raises:
        ISEError: if its file is damaged.
    """
    if not os.path.isfile(stem + STATE):
        return {}
    try:
        with np.load(stem + STATE, allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise ISEError(f"checkpoint file {stem + STATE} is damaged ({error})") from error


def wrap_load_pretrained(default: Callable) -> Callable:
    """Wrap PaddleClas's ``load_dygraph_pretrain``, which is what ``Global.pretrained_model`` is read by: a damaged
    file, or one that holds more than weights, is an error that names it instead of a traceback or of code that runs."""

    @functools.wraps(default)
    def load(model: Any, path: str, *arguments: Any, **options: Any) -> None:
        if path.startswith(("http://", "https://")):
            default(model, path, *arguments, **options)
            return
        parameters = read_weights(path)
        for layer in model if isinstance(model, list) else [model]:
            if hasattr(layer, "set_dict"):
                layer.set_dict(parameters)

    return load


def wrap_init_model(default: Callable) -> Callable:
    """Wrap PaddleClas's ``init_model``: a resumed run gets sound files of its own architecture, its state, and the best
    metric so far, which PaddleClas's develop forgets."""

    @functools.wraps(default)
    def init_model(config: dict, net: nn.Layer, optimizer: Sequence | None = None, *arguments: Any,
                   **options: Any) -> dict | None:
        stem = config.get("checkpoints")
        if not stem or optimizer is None:
            return default(config, net, optimizer, *arguments, **options)
        try:
            state = verify(stem)
        except ISEError as error:
            raise ISEError(f"{error}; {_advice(stem)}") from error
        _check_architecture(unwrap(net), stem)
        metric_info, run = default(config, net, optimizer, *arguments, **options), run_of(net)
        run.load_state_dict(int(metric_info["epoch"]), state or None)
        if state:
            metric_info["metric"] = run.best_metric
        else:
            logger.warning(f"{stem} has no {STATE} beside it: the resumed run makes new pseudo labels and keeps no "
                           "best metric")
        if metric_info["epoch"] >= config["epochs"]:
            logger.warning(f"{stem} is of epoch {metric_info['epoch']} and Global.epochs is {config['epochs']}: "
                           "nothing is left to train")
        return metric_info

    return init_model


def _check_architecture(model: nn.Layer, stem: str) -> None:
    parameters = read_weights(stem)
    check_fit(model, parameters)
    missing = [name for name in model.state_dict() if name not in parameters]
    if missing:
        raise ISEError(f"checkpoint {stem}.pdparams is of another architecture: it lacks {missing[0]} and "
                       f"{len(missing) - 1} more parameters")


def _advice(stem: str) -> str:
    """The newest sound checkpoint around a damaged one."""
    folder, sound = os.path.dirname(stem), []
    for name in os.listdir(folder or ".") if os.path.isdir(folder or ".") else ():
        if not name.endswith(STATE):
            continue
        path = os.path.join(folder, name[:-len(STATE)])
        try:
            sound.append((int(verify(path)["epoch"]), path))
        except ISEError:
            continue
    if not sound:
        return "there is no sound checkpoint beside it"
    epoch, newest = max(sound)
    return f"the newest sound checkpoint is -o Global.checkpoints={newest} (epoch {epoch})"
