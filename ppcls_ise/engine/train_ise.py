from __future__ import annotations

from ppcls.engine.train.train import train_epoch

from .hook import ClusterHook

__all__ = ["train_epoch_ise"]


def train_epoch_ise(engine, epoch_id: int, print_batch_step: int) -> None:
    """``Global.train_mode: ise``: an epoch of ISE around PaddleClas's own step loop.

    Args:
        engine: PaddleClas's Engine in train mode.
        epoch_id: counted from 1.
        print_batch_step: steps between log lines.
    """
    if not hasattr(engine, "cluster_hook"):
        engine.cluster_hook = ClusterHook(engine)
    engine.cluster_hook.before_epoch(epoch_id)
    # develop keeps its iterator over epochs: it would go on with the batches of the old pseudo labels.
    if hasattr(engine, "train_dataloader_iter"):
        del engine.train_dataloader_iter
    train_epoch(engine, epoch_id, print_batch_step)
    engine.cluster_hook.after_epoch(epoch_id)
