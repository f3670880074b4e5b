"""Cluster memory: one unit centroid per pseudo label, moved once per optimiser step."""
from __future__ import annotations

import paddle
from numpy.typing import NDArray
from paddle import nn

from ..config.blocks import MemoryBlock
from ..config.fields import read_block
from ..unit import unit_rows

__all__ = ["ClusterMemory"]


class ClusterMemory(nn.Layer):
    """Centroids of the clusters of this epoch (Cluster Contrast, Dai et al., ACCV 2022, as ISE uses it).

    An update moves a centroid c by a row x: ``c <- unit(m * c + (1 - m) * x)``, m = ``momentum``.

    * ``hard``: one update per label present, with the row least similar to its centroid (first on a tie).
    * ``all``: every row in input order, each followed by normalisation (the authors call it ``ori``).

    The centroids are a non-persistable buffer: their number changes with every clustering, so a checkpoint of the
    model must not hold them.

    Args:
        momentum: weight of the *old* centroid, in ``[0, 1)``.
        update: ``"hard"`` or ``"all"``.

    Raises:
        ISEError: for another ``update`` or a momentum outside ``[0, 1)``.
    """

    def __init__(self, momentum: float = MemoryBlock.momentum, update: str = MemoryBlock.update):
        super().__init__()
        settings = read_block(MemoryBlock, {"momentum": momentum, "update": update}, "ClusterMemory")
        self.momentum = settings.momentum
        self.rule = _hard_update if settings.update == "hard" else _sequential_update
        self.register_buffer("centroids", paddle.zeros([0, 0]), persistable=False)

    def reset(self, centroids: NDArray | paddle.Tensor) -> None:
        """Start an epoch with ``centroids``, float32 [K, D]: the unit mean of every cluster, in label order."""
        self.centroids = paddle.to_tensor(centroids, dtype="float32").detach()

    @paddle.no_grad()
    def update(self, rows: paddle.Tensor, labels: paddle.Tensor) -> None:
        """Move the centroids of the labels present.

        Args:
            rows: float32 [n, D]. Actual rows, then support rows, of the global batch; normalised here.
            labels: int64 [n]. Pseudo label of each row.
        """
        rows = unit_rows(rows.detach().astype("float32"))
        # A new tensor, not an in-place write: a graph that still holds the old centroids stays valid.
        self.centroids = self.rule(self.centroids, rows, labels, self.momentum)


def _hard_update(centroids: paddle.Tensor, rows: paddle.Tensor, labels: paddle.Tensor,
                 momentum: float) -> paddle.Tensor:
    present: paddle.Tensor = paddle.unique(labels)  # type: ignore[assignment]  # a pair only where it is asked for
    similarity = (rows * paddle.gather(centroids, labels)).sum(axis=-1)
    member = present.unsqueeze(1) == labels.unsqueeze(0)
    similarity = paddle.where(member, similarity.unsqueeze(0), paddle.full([1], float("inf")))
    hardest = paddle.gather(rows, paddle.argmin(similarity, axis=1))
    moved = unit_rows(momentum * paddle.gather(centroids, present) + (1 - momentum) * hardest)
    return paddle.scatter(centroids, present, moved)


def _sequential_update(centroids: paddle.Tensor, rows: paddle.Tensor, labels: paddle.Tensor,
                       momentum: float) -> paddle.Tensor:
    # Rows of different labels do not touch each other: all labels take their r-th row at once, so that the loop is
    # as long as the largest label of the batch (num_instances * (1 + topk)), not as the batch.
    # Distinct keys make the sort stable in every Paddle version.
    order = paddle.argsort(labels * len(labels) + paddle.arange(len(labels), dtype=labels.dtype))
    present, counts = paddle.unique(labels, return_counts=True)  # type: ignore[misc]
    first = paddle.cumsum(counts) - counts
    moved = paddle.gather(centroids, present)
    for r in range(int(counts.max())):
        index = paddle.gather(order, paddle.minimum(first + r, first + counts - 1))
        step = unit_rows(momentum * moved + (1 - momentum) * paddle.gather(rows, index))
        moved = paddle.where((counts > r).unsqueeze(1), step, moved)
    return paddle.scatter(centroids, present, moved)
