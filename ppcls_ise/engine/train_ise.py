from __future__ import annotations

from typing import Any

from ppcls.engine.train.train import train_epoch

from ..host.bridges import call_after_step, forget_batches, losses_see_labels_alone
from .averaging import WeightAverage
from .cameras import say_what_is_off
from .cluster_hook import ClusterHook
from .evaluation import picks_without_labels
from .parallel import OneModel
from .run import Run, run_of
from .scaler import LossScalerState
from .tables import tables_of

__all__ = ["train_epoch_ise"]


def train_epoch_ise(engine: Any, epoch_id: int, print_batch_step: int) -> None:
    """``Global.train_mode: ise``: an epoch of ISE around PaddleClas's own step loop.

    Args:
        engine: PaddleClas's Engine in train mode.
        epoch_id: counted from 1.
        print_batch_step: steps between log lines.
    """
    run = run_of(engine.model)
    if run.hook(ClusterHook) is None:
        _begin(run, engine)
    run.before_epoch(epoch_id)
    forget_batches(engine)
    train_epoch(engine, epoch_id, print_batch_step)
    run.after_epoch(epoch_id)


def _begin(run: Run, engine: Any) -> None:
    tables_of(engine)
    clusters = run.join(ClusterHook(engine))
    for hook in (OneModel(engine), LossScalerState(engine)):
        run.join(hook)
    if picks_without_labels(engine):
        clusters.require_cameras()
        engine.config["Global"]["eval_during_train"] = True  # for PaddleClas's loop, which asks for a figure by that
    told_apart = clusters.cameras is not None
    if not told_apart:
        say_what_is_off(engine.config)
    average = WeightAverage(engine, told_apart)
    if average.is_needed:
        run.join(average)
    else:
        run.restore(average)  # training goes on with the weights, not with their average
    losses_see_labels_alone(engine)
    call_after_step(engine, run.after_step)
