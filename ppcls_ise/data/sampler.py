"""Which image, under which pseudo label, with which augmentation: decided before an epoch, for all processes alike."""
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import paddle.distributed as dist
from numpy.typing import NDArray
from paddle.io import BatchSampler

from ..config.blocks import ArchBlock
from ..errors import ISEError

__all__ = ["Draw", "PseudoLabelSampler", "draw_clusters"]


class Draw(NamedTuple):
    """One row of a training batch."""

    index: int  # type: ignore[assignment]  #: image, row of the data set
    label: int  #: pseudo label
    seed: int  #: of the random augmentation, below 2**32
    camera: int = -1  #: code of the image's camera, 0..C-1; -1 where it is not known


def draw_clusters(labels: NDArray[np.int64], camids: NDArray[np.int64] | None, clusters_per_batch: int,
                  num_instances: int, batches: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw an epoch of batches.

    A pass takes the clusters in random order, cut into batches; what does not fill a batch is dropped and a new pass
    begins. Of each cluster one random anchor image, then ``num_instances - 1`` more from other cameras than the
    anchor's if there are any, else from the cluster's other images; without replacement where they suffice. A cluster
    of one image repeats it. With fewer clusters than ``clusters_per_batch`` a pass holds some of them twice.

    Args:
        labels: int64 [N], pseudo labels; -1 takes no part.
        camids: int64 [N] camera ids, or None.
        clusters_per_batch: P.
        num_instances: images per cluster, ni.
        batches: batches of the epoch, T.
        rng: source of all randomness.

    Returns:
        int64 [T, P, ni]: rows of the data set; ``[t, p]`` are of one cluster, the anchor first.
    """
    order = np.argsort(labels, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    members = [rows for rows in members if labels[rows[0]] >= 0]
    repeats = -(-clusters_per_batch // len(members))
    epoch: list[NDArray[np.int64]] = []
    while len(epoch) < batches * clusters_per_batch:
        one_pass = np.concatenate([rng.permutation(len(members)) for _ in range(repeats)])
        whole = len(one_pass) // clusters_per_batch * clusters_per_batch
        epoch.extend(_instances(members[c], camids, num_instances, rng) for c in one_pass[:whole])
    return np.stack(epoch[:batches * clusters_per_batch]).reshape(batches, clusters_per_batch, num_instances)


def _instances(rows: NDArray, camids: NDArray | None, num_instances: int, rng: np.random.Generator) -> NDArray:
    anchor = rows[rng.integers(len(rows))]
    pool = rows[camids[rows] != camids[anchor]] if camids is not None else rows[:0]
    if not len(pool):
        pool = rows[rows != anchor] if len(rows) > 1 else rows
    more = rng.choice(pool, num_instances - 1, replace=len(pool) < num_instances - 1)
    return np.concatenate([[anchor], more])


class PseudoLabelSampler(BatchSampler):
    """Batches of P clusters x ni images, all of one cluster contiguous; each process gets its share of the clusters.

    Every process draws the same global batches from ``(seed, epoch)`` and takes its own contiguous clusters, so that
    the batches depend neither on the number of processes nor on that of loader workers. PaddleClas builds the sampler
    before there are labels; :meth:`start_epoch` fills it.

    Args:
        dataset: not used; PaddleClas passes it.
        batch_size: images per step on **all** devices together, P * ni.
        num_instances: images per cluster, ni.
        iter_per_epoch: batches of an epoch, T.
        seed: with the epoch number decides everything random here and in the augmentation.
        group_size: images of a BatchNorm group; batches of fewer clusters than P still fill such groups.

    Raises:
        ISEError: if the batch does not divide into clusters and processes.
    """

    def __init__(self, dataset: object, batch_size: int, num_instances: int, iter_per_epoch: int, seed: int = 0,
                 group_size: int | None = ArchBlock.bn_group_size):
        self.processes, self.rank = dist.get_world_size(), dist.get_rank()
        self.num_instances, self.iter_per_epoch, self.seed = num_instances, iter_per_epoch, seed
        if num_instances < 2 or batch_size % (num_instances * self.processes):
            raise ISEError(
                f"DataLoader.Train.sampler: batch_size {batch_size} is that of all devices and must be a multiple of "
                f"num_instances {num_instances} (at least 2) times the number of processes {self.processes}")
        self.clusters_per_batch = batch_size // num_instances
        self.clusters_per_group = (group_size or num_instances) // num_instances
        self.batch_size = batch_size // self.processes
        self._draws: list[list[Draw]] | None = None

    def start_epoch(self, labels: NDArray[np.int64], camids: NDArray[np.int64] | None, epoch: int) -> int:
        """Draw epoch ``epoch``; ``labels`` and ``camids`` as in :func:`draw_clusters`, negative where not known.

        Returns:
            Clusters per global batch: P, or as many as there are, rounded so that the processes hold equally many
            and, where there are enough, whole BatchNorm groups.
        """
        count = int(labels.max()) + 1
        clusters = self.clusters_per_batch
        if count < clusters:
            unit = self.clusters_per_group * self.processes
            if count < unit:
                unit = self.processes
            clusters = max(count // unit, 1) * unit
        rng = np.random.Generator(np.random.PCG64([self.seed, epoch]))
        rows = draw_clusters(labels, camids, clusters, self.num_instances, self.iter_per_epoch, rng)
        seeds = rng.integers(2 ** 32, size=rows.shape)
        share = clusters // self.processes
        own = slice(self.rank * share, (self.rank + 1) * share)
        cameras = np.full(len(labels), -1) if camids is None else camids
        draws = np.stack([rows, labels[rows], seeds, cameras[rows]], -1)[:, own].reshape(self.iter_per_epoch, -1, 4)
        self._draws = [[Draw(*row) for row in batch] for batch in draws.tolist()]
        return clusters

    def __iter__(self) -> Iterator[list[Draw]]:  # type: ignore[override]
        if self._draws is None:
            raise ISEError("the training sampler has no pseudo labels yet; set Global.train_mode: ise")
        return iter(self._draws)

    def __len__(self) -> int:
        return self.iter_per_epoch
