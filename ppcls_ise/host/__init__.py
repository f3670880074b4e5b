"""The host: finds PaddleClas, registers ISE in it and bridges its versions.

The only module that reads Paddle's version number; where other modules meet a difference, they look at what is there.
"""
from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import types

__all__ = ["HostError", "activate", "register"]

HOME_VARIABLE = "PADDLECLAS_HOME"
_WAYS_OUT = (
    "Either:\n"
    "  1. pip install --no-deps paddleclas==2.4.2     (the newest wheel with PaddleClas's engine), or\n"
    f"  2. clone PaddleClas (release/2.5 or develop) and set {HOME_VARIABLE} to the checkout.")
# From these versions on, importing them after PaddlePaddle 2 kills the interpreter (measured with 2.6.2).
_CRASH_WITH_PADDLE_2 = {"scipy": ("scipy", (1, 17)), "sklearn": ("scikit-learn", (1, 8))}


class HostError(ImportError):
    """No PaddleClas that can run here; the message says what was found and the ways out."""


@functools.cache
def activate() -> str:
    """Make ``import ppcls`` give a PaddleClas that has an engine.

    Looked for in this order: the checkout that the environment variable ``PADDLECLAS_HOME`` names, an importable
    ``ppcls``, the ``ppcls`` inside the ``paddleclas`` wheel. The wheel itself is not imported: it prints its model
    table.

    Returns:
        The folder that holds ``ppcls``.

    Raises:
        HostError: if none of them has an engine.
    """
    found = []
    for origin, folder in _candidates():
        if folder is None:
            found.append(f"{origin}: not there")
        elif os.path.isfile(os.path.join(folder, "ppcls", "engine", "engine.py")):
            sys.path.insert(0, folder)  # before any other that is on the path already
            return folder
        else:
            found.append(f"{origin}: {folder} has no ppcls/engine/engine.py")
    raise HostError("No PaddleClas with a training engine.\n  " + "\n  ".join(found) + "\n" + _WAYS_OUT)


def _candidates():
    home = os.environ.get(HOME_VARIABLE)
    if home:
        # A named checkout is meant: falling through to another PaddleClas would hide the mistake.
        yield f"{HOME_VARIABLE}={home}", os.path.abspath(os.path.expanduser(home))
        return
    yield "importable ppcls", _folder_of("ppcls", levels=2)
    yield "paddleclas wheel", _folder_of("paddleclas", levels=1)


def _folder_of(package, levels):
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = list(spec.submodule_search_locations)[0]
    return os.path.dirname(folder) if levels == 2 else folder


@functools.cache
def register() -> None:
    """Make ISE's names known to PaddleClas, which looks them up by name in its own modules."""
    activate()
    _refuse_crash()
    _bridge_visualdl()
    import ppcls.arch
    import ppcls.data
    import ppcls.engine.engine
    import ppcls.engine.evaluation
    import ppcls.engine.train
    import ppcls.loss
    import ppcls.metric
    import ppcls.utils.save_load
    from ppcls.utils.logger import init_logger

    from .. import data, engine, loss, metric
    from ..arch.model import ISEModel

    # PaddleClas's logger fails until the Engine gives it a file; a model may be built without an Engine.
    init_logger()
    ppcls.arch.ISEModel = ISEModel
    for target, source, names in (
            (ppcls.loss, loss, ("ClusterContrastLoss", "LabelPreservingLoss")),
            (ppcls.data, data, ("ReIDImages", "UnlabeledFolder", "PseudoLabelSampler")),
            (ppcls.data.preprocess, data, ("ChannelJitter", "PadCrop", "RandomErase")),
            (ppcls.metric, metric, ("ReIDMetric",)),
            (ppcls.engine.train, engine, ("train_epoch_ise",))):
        for name in names:
            setattr(target, name, getattr(source, name))
    ppcls.data.DataLoader = engine.choose_loader(ppcls.data.DataLoader)
    ppcls.engine.evaluation.retrieval_eval = engine.choose_evaluation(ppcls.engine.evaluation.retrieval_eval)
    ppcls.utils.save_load.save_model = engine.save_whole(ppcls.utils.save_load.save_model)
    ppcls.engine.engine.init_model = engine.load_whole(ppcls.engine.engine.init_model)
    save_load = ppcls.utils.save_load
    save_load.load_dygraph_pretrain = engine.load_pretrained(save_load.load_dygraph_pretrain)
    ppcls.engine.engine.load_dygraph_pretrain = save_load.load_dygraph_pretrain
    _bridge_train_mode(ppcls.engine)
    _bridge_zero_dim_tensors(ppcls.engine.train)


def _refuse_crash():
    """An error instead of a segmentation fault, for PaddleClas imports what PaddlePaddle 2 cannot live with."""
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


def _bridge_visualdl():
    """PaddleClas imports VisualDL whether or not it is to write anything: without it, nothing is written."""
    if "visualdl" in sys.modules or importlib.util.find_spec("visualdl") is not None:
        return

    class LogWriter:
        def __init__(self, *args, **kwargs):
            from ppcls.utils import logger

            logger.warning("Global.use_visualdl: VisualDL is not installed (pip install visualdl), so there will be "
                           "no curves in it; those in the csv files of the output folder are written all the same")

        def add_scalar(self, *args, **kwargs):
            """Nothing to write to."""

        def close(self):
            """Nothing to close."""

    sys.modules["visualdl"] = types.ModuleType("visualdl")
    sys.modules["visualdl"].LogWriter = LogWriter


def _bridge_train_mode(ppcls_engine):
    """2.4.2 and release/2.5 know one epoch function and no ``Global.train_mode``: let that function look it up."""
    module = ppcls_engine.engine
    if not hasattr(module, "train_epoch"):
        return
    default = module.train_epoch

    def train_epoch(engine, epoch_id, print_batch_step):
        mode = engine.config["Global"].get("train_mode")
        function = getattr(ppcls_engine.train, f"train_epoch_{mode}") if mode else default
        return function(engine, epoch_id, print_batch_step)

    module.train_epoch = train_epoch


def _bridge_zero_dim_tensors(train):
    """2.4.2 reads scalars as ``x.numpy()[0]``, which fails on the 0-D tensors of paddle >= 2.5."""
    from ppcls.utils.misc import AverageMeter

    def update(trainer, values, batch_size):
        for key, value in values.items():
            meter = trainer.output_info.setdefault(key, AverageMeter(key, "7.5f"))
            meter.update(float(value), batch_size)

    def update_metric(trainer, out, batch, batch_size):
        if trainer.train_metric_func is not None:
            update(trainer, trainer.train_metric_func(out, batch[-1]), batch_size)

    train.train.update_loss, train.train.update_metric = update, update_metric
