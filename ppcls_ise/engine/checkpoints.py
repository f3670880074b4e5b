"""Checkpoints that a kill at any moment leaves whole, and that hold everything a resumed run needs.

PaddleClas writes ``latest.pdparams``, ``latest.pdopt`` and ``latest.pdstates`` one after the other, over the old ones:
a kill in between leaves a mixture. Here they are written into a folder of their own, which is renamed when it is
complete (:data:`READY`), and then moved over the old files; whoever finds such a folder finishes the move. Beside them
lies ``latest.ise.npz``: the state of the clustering hook and the checksums of the other three.
"""
from __future__ import annotations

import functools
import os
import shutil
import zipfile
import zlib
from typing import Callable
from unittest import mock

import numpy as np
import paddle.distributed as dist
from paddle import nn
from ppcls.utils import logger

from ..arch.fit import check_fit, read_weights
from ..distributed.processes import unwrap
from ..errors import ISEError

__all__ = ["load_pretrained", "load_whole", "read_state", "save_whole", "settle", "verify"]

READY, SAVING, STATE = ".{}.saved", ".{}.saving", ".ise.npz"
PARTS = (".pdparams", ".pdopt", ".pdstates")
BEST = "best_model"  # PaddleClas's name


def save_whole(default: Callable) -> Callable:
    """Wrap PaddleClas's ``save_model``: the same files, all new or all old, and the hook's state; ``best_model`` only
    where it is better than the one before.

    The state is what ``checkpoint_state()`` of the model returns, if it has one: a dict of arrays.
    """

    @functools.wraps(default)
    def save_model(net: nn.Layer, optimizer, metric_info: dict, model_path: str, *arguments, prefix="ppcls", **options):
        # Of equal epochs the first is the best, here and in the report. PaddleClas's develop would save the last.
        if dist.get_rank() != 0 or prefix == BEST and metric_info["metric"] <= _best_metric(net):
            return
        staging = os.path.join(model_path, SAVING.format(prefix))
        shutil.rmtree(staging, ignore_errors=True)  # of a save that was killed
        os.makedirs(staging)
        with mock.patch.dict(default.__globals__, logger=_FinalPaths(staging, model_path)):
            default(net, optimizer, metric_info, staging, *arguments, prefix=prefix, **options)
        # PaddleClas's versions differ in the subfolder that they write to.
        inner = next(folder for folder, _, names in os.walk(staging) if prefix + ".pdparams" in names)
        folder = os.path.normpath(os.path.join(model_path, os.path.relpath(inner, staging)))
        _write_state(os.path.join(inner, prefix), unwrap(net), metric_info, best=prefix == BEST)
        os.makedirs(folder, exist_ok=True)
        settle(os.path.join(folder, prefix))  # before a newer one takes its place
        _sync(inner)
        os.rename(inner, os.path.join(folder, READY.format(prefix)))
        shutil.rmtree(staging, ignore_errors=True)
        settle(os.path.join(folder, prefix))

    return save_model


class _FinalPaths:
    """PaddleClas's logger for its ``save_model``: names the final place instead of the one it writes to."""

    def __init__(self, staging, final):
        self.staging, self.final = staging, final

    def info(self, message):
        logger.info(message.replace(self.staging, self.final))


def _best_metric(net):
    return getattr(unwrap(net), "best_metric", -1.0)


def _write_state(stem, model, metric_info, best):
    if best:
        model.best_metric = metric_info["metric"]
    state = model.checkpoint_state() if hasattr(model, "checkpoint_state") else {}
    state["epoch"] = metric_info["epoch"]
    state["best_metric"] = _best_metric(model)
    for part in PARTS:
        state["crc32" + part] = _crc32(stem + part)
    np.savez(stem + STATE, **state)


def _crc32(path):
    checksum = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            checksum = zlib.crc32(block, checksum)
    return checksum


def _sync(folder):
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


def verify(stem: str) -> dict:
    """Check that the files of checkpoint ``stem`` are whole and belong together.

    Returns:
        The state that was saved with it: name -> array; empty for a checkpoint that PaddleClas wrote by itself.

    Raises:
        ISEError: naming the file that is missing or damaged.
    """
    for part in PARTS:
        if not os.path.isfile(stem + part):
            raise ISEError(f"Global.checkpoints: there is no file {stem + part}")
    state = read_state(stem)
    for part in PARTS if state else ():
        if _crc32(stem + part) != state.get("crc32" + part):
            raise ISEError(f"checkpoint file {stem + part} is damaged: its checksum is not that of when it was saved")
    return state


def read_state(stem: str) -> dict:
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


def load_pretrained(default: Callable) -> Callable:
    """Wrap PaddleClas's ``load_dygraph_pretrain``, which is what ``Global.pretrained_model`` is read by: a damaged
    file, or one that holds more than weights, is an error that names it instead of a traceback or of code that runs."""

    @functools.wraps(default)
    def load(model, path, *arguments, **options):
        if path.startswith(("http://", "https://")):
            return default(model, path, *arguments, **options)
        parameters = read_weights(path)
        for layer in model if isinstance(model, list) else [model]:
            if hasattr(layer, "set_dict"):
                layer.set_dict(parameters)

    return load


def load_whole(default: Callable) -> Callable:
    """Wrap PaddleClas's ``init_model``: a resumed run gets sound files of its own architecture, the best metric so
    far (PaddleClas's develop forgets it) and, as ``resumed_epoch`` and ``restored_state`` of the model, the epoch that
    it goes on from and the state of the hook."""

    @functools.wraps(default)
    def init_model(config, net, optimizer=None, *arguments, **options):
        stem = config.get("checkpoints")
        if not stem or optimizer is None:
            return default(config, net, optimizer, *arguments, **options)
        try:
            state = verify(stem)
        except ISEError as error:
            raise ISEError(f"{error}; {_advice(stem)}") from error
        model = unwrap(net)
        parameters = read_weights(stem)
        check_fit(model, parameters)
        missing = [name for name in model.state_dict() if name not in parameters]
        if missing:
            raise ISEError(f"checkpoint {stem}.pdparams is of another architecture: it lacks {missing[0]} and "
                           f"{len(missing) - 1} more parameters")
        metric_info = default(config, net, optimizer, *arguments, **options)
        model.resumed_epoch = int(metric_info["epoch"])
        if state:
            model.restored_state = state
            model.best_metric = metric_info["metric"] = float(state["best_metric"])
        else:
            logger.warning(f"{stem} has no {STATE} beside it: the resumed run makes new pseudo labels and keeps no "
                           "best metric")
        if metric_info["epoch"] >= config["epochs"]:
            logger.warning(f"{stem} is of epoch {metric_info['epoch']} and Global.epochs is {config['epochs']}: "
                           "nothing is left to train")
        return metric_info

    return init_model


def _advice(stem):
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
