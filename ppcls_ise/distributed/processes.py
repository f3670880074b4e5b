"""What the processes of one training say to each other outside of a step."""
from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import paddle
import paddle.distributed as dist
from paddle import nn

from ..errors import ErrorText

__all__ = ["exchange_slices", "gather_slices", "on_every_process", "on_first_process", "raise_everywhere", "unwrap"]

#: Seconds between signs of life of a process at work; gloo gives up on a process after 30.
HEARTBEAT = 5.0

Result = TypeVar("Result")


def unwrap(model: nn.Layer) -> nn.Layer:
    """The model inside DataParallel, or the model itself."""
    return getattr(model, "_layers", model)


def on_every_process(function: Callable[[], Result]) -> Result:
    """Call ``function`` on every process, however long and however unevenly it takes; each gets its own result.

    ``function`` runs in a thread of its own and must not communicate: the processes do so meanwhile.

    Raises:
        Exception: what ``function`` raised here, or an error with the same message if it failed on another process.
    """
    if dist.get_world_size() == 1:
        return function()
    box: dict[str, Any] = {}
    thread = threading.Thread(target=_call, args=(function, box, paddle.get_device()))
    thread.start()
    while not _all_ended(thread):
        pass
    raise_everywhere(box.get("error"))
    return box["result"]


def on_first_process(function: Callable[[], Result]) -> Result:
    """Call ``function`` on rank 0, however long it takes; its result, or its error, reaches every process.

    Raises:
        Exception: on rank 0 what ``function`` raised, on the others an error with the same message.
    """
    here: Callable[[], Any] = function if dist.get_rank() == 0 else lambda: None
    outcome = [on_every_process(here)]
    if dist.get_world_size() > 1:
        dist.broadcast_object_list(outcome, src=0)
    return outcome[0]


def _call(function: Callable[[], Any], box: dict[str, Any], device: str) -> None:
    try:
        paddle.set_device(device)  # a new thread starts on the first device
        box["result"] = function()
    except Exception as error:  # it must reach the processes that wait
        box["error"] = error


def _all_ended(thread: threading.Thread) -> bool:
    """A sign of life: waits a while for the thread, then for the other processes to have done so."""
    thread.join(HEARTBEAT)
    ended = paddle.to_tensor([int(not thread.is_alive())], dtype="int32")
    dist.all_reduce(ended, op=dist.ReduceOp.MIN)
    return bool(ended.item())


def raise_everywhere(error: Exception | None) -> None:
    """Raise on every process if any of them came here with an error, so that none waits for one that has died."""
    errors: list[Any] = []  # for each process None, or its ErrorText as a plain tuple
    if dist.get_world_size() > 1:
        count = paddle.to_tensor([int(error is not None)], dtype="int32")
        dist.all_reduce(count)  # cheap enough for every step
        if count.item():
            own = ErrorText.of(error) if error else None
            dist.all_gather_object(errors, own and (own.known, own.text))
    if error is not None:
        raise error
    for text in errors:
        if text is not None:
            raise ErrorText(*text).rebuilt("another process failed: ")


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


def exchange_slices(rows: paddle.Tensor) -> paddle.Tensor:
    """To each process its slice of the rows of every process.

    Args:
        rows: [P * n, ...] with P the number of processes, of one shape on all of them.

    Returns:
        [P, n, ...]: element i is rows ``rank * n`` to ``(rank + 1) * n`` of process i. Twice the memory of ``rows`` is
        needed on the way, whatever P.
    """
    processes = dist.get_world_size()
    if processes == 1:
        return rows.unsqueeze(0)
    length, own = len(rows) // processes, rows
    for rank in range(processes):
        parts: list[paddle.Tensor] = []
        dist.all_gather(parts, rows[rank * length:(rank + 1) * length])  # gloo has no all-to-all
        if rank == dist.get_rank():
            own = paddle.stack(parts)
    return own
