"""What the processes of one training tell each other outside of a step."""
from __future__ import annotations

from typing import Callable

import paddle
import paddle.distributed as dist
from paddle import nn

__all__ = ["average_statistics", "gather_slices", "on_first_process", "unwrap"]


def unwrap(model: nn.Layer) -> nn.Layer:
    """The model inside DataParallel, or the model itself."""
    return getattr(model, "_layers", model)


def on_first_process(function: Callable):
    """Call ``function`` on rank 0; its result, or the exception it raised, reaches every process."""
    if dist.get_world_size() == 1:
        return function()
    outcome = [None, None]
    if dist.get_rank() == 0:
        try:
            outcome[0] = function()
        except Exception as error:  # raised on every process below: one that waits for the others would hang
            outcome[1] = error
    dist.broadcast_object_list(outcome, src=0)
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]


def gather_slices(rows: paddle.Tensor, total: int) -> paddle.Tensor:
    """Concatenate equal slices of all processes in rank order and cut the padding of the last.

    Args:
        rows: [n, D], n equal on every process.
        total: rows to keep.

    Returns:
        [total, D].
    """
    if dist.get_world_size() == 1:
        return rows[:total]
    parts: list[paddle.Tensor] = []
    dist.all_gather(parts, rows)
    return paddle.concat(parts)[:total]


@paddle.no_grad()
def average_statistics(model: nn.Layer) -> None:
    """Give all processes the mean of their BatchNorm running statistics: one model, whoever extracts or saves."""
    if dist.get_world_size() == 1:
        return
    for layer in unwrap(model).sublayers():
        for name in ("_mean", "_variance"):
            statistic = getattr(layer, name, None)
            if isinstance(statistic, paddle.Tensor):
                dist.all_reduce(statistic)
                statistic.set_value(statistic / dist.get_world_size())
