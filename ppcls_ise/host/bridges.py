"""What differs between the versions of PaddleClas and Paddle, and what they have no public interface for."""
from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import logging
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from .find import HostError

__all__ = ["NoLogWriter", "attribute_dict", "average_gradients_ourselves", "call_after_step", "forget_batches",
           "loss_scaler", "losses_see_labels_alone", "naming", "refuse_crash", "save_memory", "silence_flags",
           "stand_in_for_visualdl", "switch_off_onednn", "update_freq", "update_loss", "update_metric", "weight_stems",
           "wrap_train_epoch"]

# From these versions on, importing them after PaddlePaddle 2 kills the interpreter (measured with 2.6.2).
_CRASH_WITH_PADDLE_2 = {"scipy": ("scipy", (1, 17)), "sklearn": ("scikit-learn", (1, 8))}


def refuse_crash() -> None:
    """An error instead of a segmentation fault, for PaddleClas imports what PaddlePaddle 2 cannot live with.

    Raises:
        HostError: naming the package and the version that works.
    """
    import paddle

    if not paddle.__version__.startswith("2."):
        return
    for module, (package, first) in _CRASH_WITH_PADDLE_2.items():
        if module in sys.modules or importlib.util.find_spec(module) is None:
            continue  # imported before PaddlePaddle it does no harm
        version = importlib.metadata.version(package)
        if tuple(int(part) for part in version.split(".")[:2]) >= first:
            limit = ".".join(map(str, first))
            raise HostError(f"{package} {version} crashes PaddlePaddle {paddle.__version__}. Either:\n"
                            f"  1. pip install '{package}<{limit}', or\n  2. install PaddlePaddle 3.")


class NoLogWriter:
    """In the place of VisualDL's LogWriter: writes nothing, and says so once."""

    def __init__(self, *args: Any, **kwargs: Any):
        from ppcls.utils import logger

        logger.warning("Global.use_visualdl: VisualDL is not installed (pip install visualdl), so there will be "
                       "no curves in it; those in the csv files of the output folder are written all the same")

    def add_scalar(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to write to."""

    def close(self) -> None:
        """Nothing to close."""


def stand_in_for_visualdl() -> None:
    """PaddleClas imports VisualDL whether or not it is to write anything: where it is missing, nothing is written."""
    if "visualdl" in sys.modules or importlib.util.find_spec("visualdl") is not None:
        return
    module = types.ModuleType("visualdl")
    module.LogWriter = NoLogWriter  # type: ignore[attr-defined]
    sys.modules["visualdl"] = module


def wrap_train_epoch(default: Callable) -> Callable:
    """2.4.2 and release/2.5 know one epoch function and no ``Global.train_mode``: let that function look it up."""

    def train_epoch(engine: Any, epoch_id: int, print_batch_step: int) -> None:
        import ppcls.engine.train

        mode = engine.config["Global"].get("train_mode")
        function = getattr(ppcls.engine.train, f"train_epoch_{mode}") if mode else default
        function(engine, epoch_id, print_batch_step)

    return train_epoch


def update_loss(trainer: Any, values: dict[str, Any], batch_size: int) -> None:
    """Add the scalars of a step to PaddleClas's meters, 0-D tensors or not."""
    from ppcls.utils.misc import AverageMeter

    for key, value in values.items():
        meter = trainer.output_info.setdefault(key, AverageMeter(key, "7.5f"))
        meter.update(float(value), batch_size)


def update_metric(trainer: Any, out: Any, batch: Any, batch_size: int) -> None:
    """As :func:`update_loss`, for the metrics of a step."""
    if trainer.train_metric_func is not None:
        update_loss(trainer, trainer.train_metric_func(out, batch[-1]), batch_size)


def call_after_step(engine: Any, function: Callable[[], None]) -> None:
    """Let ``function`` follow every optimiser step of the engine.

    PaddleClas calls ``clear_grad`` of every optimiser once per step, in every version, with or without AMP and gradient
    accumulation: ``function`` follows that of the last.
    """
    optimizer = engine.optimizer[-1]
    clear_grad = optimizer.clear_grad

    def clear_grad_and_call(*args: Any, **kwargs: Any) -> None:
        clear_grad(*args, **kwargs)
        function()

    optimizer.clear_grad = clear_grad_and_call


def losses_see_labels_alone(engine: Any) -> None:
    """Hand the losses the first column ``[b, 1]`` of a batch's labels ``[b, 2]``: in the second are the cameras, which
    PaddleClas's own losses would take for labels."""
    losses = getattr(engine.train_loss_func, "_layers", engine.train_loss_func)  # DataParallel, if they have weights
    for loss in losses.loss_func:
        loss.register_forward_pre_hook(lambda _, inputs: (inputs[0], inputs[1][:, :1]))


def forget_batches(engine: Any) -> None:
    """Begin the epoch with new batches: develop keeps its iterator, with batches of the old pseudo labels in it."""
    if hasattr(engine, "train_dataloader_iter"):
        del engine.train_dataloader_iter


def update_freq(engine: Any) -> int:
    """Batches of an optimiser step: the engine's, not the config's, which 2.4.2 does not know and others correct."""
    return getattr(engine, "update_freq", 1)


def loss_scaler(engine: Any) -> Any | None:
    """AMP's loss scaler; without AMP the engine has none or, in develop, a stand-in that has no state."""
    scaler = getattr(engine, "scaler", None)
    return scaler if hasattr(scaler, "state_dict") else None


def average_gradients_ourselves(model: Any) -> None:
    """Keep DataParallel, if ``model`` is one, from averaging gradients after a backward pass."""
    model.grad_need_sync = False


def attribute_dict(config: dict) -> Any:
    """A config as PaddleClas's engine wants it: ``config.Global`` and ``config["Global"]``."""
    from ppcls.utils.config import AttrDict, create_attr_dict

    config = AttrDict(config)
    create_attr_dict(config)
    return config


def weight_stems(output_dir: str, arch: str, prefix: str) -> list[str]:
    """Where checkpoint ``prefix`` of a run may lie, without suffix: develop writes to the folder itself, the versions
    before it to one below, named as the model."""
    return [f"{output_dir}/{prefix}", f"{output_dir}/{arch}/{prefix}"]


@contextlib.contextmanager
def naming(written: str, final: str) -> Iterator[None]:
    """While PaddleClas writes to the folder ``written``, let its log lines name the folder ``final``."""
    log = logging.getLogger("ppcls")

    def rename(record: logging.LogRecord) -> bool:
        record.msg = str(record.msg).replace(written, final)
        return True

    log.addFilter(rename)
    try:
        yield
    finally:
        log.removeFilter(rename)


def save_memory(config: Any, program: str) -> None:
    """Let Paddle Inference reuse memory where it can: Paddle 3 fails on its own programs with it.

    Args:
        config: ``paddle.inference.Config``.
        program: ``inference.pdmodel`` of Paddle 2 or ``inference.json`` of Paddle 3.
    """
    if program.endswith(".pdmodel"):
        config.enable_memory_optim()


def switch_off_onednn(config: Any) -> None:
    """Run without oneDNN, which Paddle 3 has on by default, and Paddle 2 has no switch for."""
    if hasattr(config, "disable_mkldnn"):
        config.disable_mkldnn()


def silence_flags() -> None:
    """Let Paddle list, when processes join, those of its flags that the environment sets, not those it sets itself.

    For programs alone.
    """
    from paddle.distributed import parallel

    show = getattr(parallel, "_print_modified_flags", None)
    if show is not None:
        parallel._print_modified_flags = lambda flags: show([flag for flag in flags if flag.name in os.environ])
