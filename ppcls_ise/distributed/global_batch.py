"""The batch of all processes, seen by each of them."""
from __future__ import annotations

from collections.abc import Iterable

import paddle
import paddle.distributed as dist
from paddle.distributed.fleet.utils.hybrid_parallel_util import fused_allreduce_gradients

__all__ = ["average_gradients", "gather_rows"]


def average_gradients(parameters: Iterable[paddle.Tensor]) -> None:
    """Give every process the mean of the processes' gradients, where DataParallel does not do it."""
    if dist.get_world_size() > 1:
        fused_allreduce_gradients(list(parameters), None)


def gather_rows(rows: paddle.Tensor) -> paddle.Tensor:
    """Concatenate the rows of all processes in rank order, with gradient into this process's own rows.

    Every process then computes the loss of the *global* batch. DataParallel averages the processes' gradients, but
    each holds only the part that came through its own rows, so the true gradient is their sum: it is scaled by the
    number of processes here, where the split is made.

    Args:
        rows: [n, ...] of any dtype; n is equal on every process.

    Returns:
        [n * world_size, ...]; ``rows`` itself on a single process.
    """
    world_size = dist.get_world_size()
    if world_size == 1:
        return rows
    parts: list[paddle.Tensor] = []
    dist.all_gather(parts, rows.detach())
    if not rows.stop_gradient:
        own = paddle.assign(rows)
        own.register_hook(lambda gradient: gradient * world_size)
        parts[dist.get_rank()] = own
    return paddle.concat(parts)
