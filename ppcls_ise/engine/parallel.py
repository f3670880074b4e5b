"""One model on several processes: what PaddleClas leaves to each of them by itself."""
from __future__ import annotations

import zlib
from typing import Any

import paddle
import paddle.distributed as dist
from paddle import nn

from ..arch.bn_groups import batch_norms
from ..distributed.processes import unwrap
from ..errors import ISEError
from ..host.bridges import average_gradients_ourselves
from ..images.listing import ImageList
from .run import Hook

__all__ = ["OneModel", "average_statistics", "check_equal", "require_same_images", "share_out"]


class OneModel(Hook):
    """Makes the processes hold one model: DataParallel averages gradients, but not BatchNorm's running statistics.

    After every step it gives all processes the mean of the statistics; with ``Global.check_ranks`` it compares all
    that they hold. It keeps no state.

    Args:
        engine: PaddleClas's Engine in train mode.
    """

    def __init__(self, engine: Any):
        self.model = unwrap(engine.model)
        self.check_ranks = bool(engine.config["Global"].get("check_ranks"))

    def after_step(self) -> None:
        average_statistics(self.model)
        if self.check_ranks:
            check_equal({**self.model.state_dict(), "centroids": self.model.head.memory.centroids})


def require_same_images(images: ImageList) -> None:
    """Pseudo labels travel by row number, so row i has to be the same image on every process.

    Raises:
        ISEError: on every process, if their lists of images differ.
    """
    if dist.get_world_size() == 1:
        return
    lists: list = []
    dist.all_gather_object(lists, (len(images.names), images.checksum()))
    if len(set(map(tuple, lists))) > 1:
        counts = ", ".join(str(count) for count, _ in lists)
        raise ISEError(f"the processes see different training images ({counts} of them); each machine needs the same "
                       "files, readable by all (tools/check_data.py on each lists those that are not)")


def share_out(model: nn.Layer, rows: int) -> None:
    """Prepare an ISEModel for ``rows`` images of a batch on each process; ``model`` may be its DataParallel."""
    own = unwrap(model)
    if own.bn_group_size and own.bn_group_size > rows:
        own.span_processes(own.bn_group_size // rows)
    if own.feature_cache:
        # The model averages the gradients itself, after its last group; DataParallel would after the first.
        average_gradients_ourselves(model)


@paddle.no_grad()
def average_statistics(model: nn.Layer) -> None:
    """Give all processes the mean of their BatchNorm running statistics: one model, whoever extracts or saves."""
    if dist.get_world_size() == 1:
        return
    statistics = [tensor for layer in batch_norms(unwrap(model)) for tensor in (layer._mean, layer._variance)]
    if not statistics:
        return
    together = paddle.concat([tensor.astype("float32") for tensor in statistics])  # one message, not two per layer
    dist.all_reduce(together)
    together /= dist.get_world_size()
    for tensor, mean in zip(statistics, together.split([tensor.shape[0] for tensor in statistics])):
        tensor.set_value(mean.astype(tensor.dtype))


def check_equal(tensors: dict[str, paddle.Tensor]) -> None:
    """Check that all processes hold the same bits (``Global.check_ranks``, for debugging: it costs a copy to the host).

    Raises:
        ISEError: on every process, naming the tensors that differ.
    """
    own = {name: zlib.crc32(tensor.numpy().tobytes()) for name, tensor in tensors.items()}
    everyone: list[dict] = [own]
    if dist.get_world_size() > 1:
        everyone = []
        dist.all_gather_object(everyone, own)
    different = [name for name in own if len({checksums.get(name) for checksums in everyone}) > 1]
    if different:
        raise ISEError(f"the processes no longer hold the same model: {different[0]} and {len(different) - 1} more "
                       "tensors differ")
