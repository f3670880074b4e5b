"""Clustering as a part of training: the search shared out over the processes, the rest on the first; log and record."""
from __future__ import annotations

import contextlib
import os
import time
from typing import NamedTuple

import numpy as np
import paddle
import paddle.distributed as dist
from ppcls.utils import logger

from ..clustering import (
    EPS_GRID,
    choose_eps,
    cluster_centroids,
    dbscan,
    eps_advice,
    jaccard_distance,
    nearest_neighbours,
    neighbour_recall,
    not_finite,
)
from ..distributed.processes import gather_slices, on_every_process, on_first_process
from ..errors import ISEError
from ..images.reading import shown
from .cluster_settings import ClusterSettings

__all__ = ["Clustering", "cluster_images"]


class Clustering(NamedTuple):
    """What a clustering leaves behind, the same on every process."""

    labels: np.ndarray  #: int64 [N], clusters 0..K-1, -1 is an outlier
    centroids: np.ndarray  #: float32 [K, D], unit rows in label order
    eps: float  #: the radius it was made with: the config's, or the one chosen


def cluster_images(features: paddle.Tensor, names: list[str], settings: ClusterSettings, eps: float | None,
                   record: str, title: str, seconds: dict) -> Clustering:
    """Cluster the training images; called by every process with the same arguments.

    Rank 0 logs one line and writes ``record``.

    Args:
        features: float32 [N, D], row i the unit feature of image i, on the device that shall search.
        names: of the images, for the record and for messages.
        settings: the Cluster block.
        eps: chosen before, where the config's is auto; None at the first clustering of a run.
        record: npz file to write: labels, paths, eps, seconds_* (and recall of an approximate search).
        title: what log line and messages begin with.
        seconds: of the parts before this one.

    Raises:
        ISEError: on every process, for NaN or Inf features (naming the images) and where no cluster is found.
    """
    host = features.numpy()
    _check_finite(host, names, title)
    _warn_of_collapse(host, title)
    seconds = dict(seconds)
    with _timed(seconds, "neighbours"):
        # On a GPU where they are; on the CPU without another copy.
        neighbours = _shared_search(host if features.place.is_cpu_place() else features, settings, title)

    def rest():
        recall = None
        if settings.search == "ivf":
            with _timed(seconds, "recall"):
                recall = neighbour_recall(host, neighbours)
            logger.info(f"{title} approximate search: {100 * recall:.1f} % of the nearest neighbours found (measured "
                        f"on a sample); a larger Cluster.probes than {settings.probes} finds more")
        labels, radius = _assign(host, neighbours, settings, eps, title, seconds)
        with _timed(seconds, "centroids"):
            centroids = cluster_centroids(host, labels)
        _log(labels, title, seconds)
        _write(record, labels=labels, paths=np.array(names), eps=radius,
               **({} if recall is None else {"recall": recall}),
               **{f"seconds_{part}": value for part, value in seconds.items()})
        return Clustering(labels, centroids, radius)

    return on_first_process(rest)


def _check_finite(features, names, title):
    rows = not_finite(features)
    if len(rows):
        some = ", ".join(shown(names[row]) for row in rows[:5]) + (", ..." if len(rows) > 5 else "")
        raise ISEError(f"{title} the features of {len(rows)} of {len(names)} images hold NaN or Inf ({some}): the "
                       "network diverged. Lower the learning rate or switch AMP off and go on from the last good "
                       "checkpoint; if it is always the same few images, look at them")


def _warn_of_collapse(features, title):
    # The mean cosine of all pairs of unit rows is the squared length of their mean.
    cosine = float(np.square(features.mean(axis=0, dtype=np.float64)).sum())
    if cosine > 0.999:
        logger.warning(f"{title} the features of all images are nearly the same (mean cosine {cosine:.5f}): these "
                       "clusters mean nothing. Start from trained weights, -o Arch.Backbone.pretrained=FILE.pdparams")


def _shared_search(features, settings, title) -> np.ndarray:
    """Neighbour lists int32 [N, k] on every process; each searches for its slice of the rows."""
    share = -(-len(features) // dist.get_world_size())
    own = slice(*(min(rank * share, len(features)) for rank in (dist.get_rank(), dist.get_rank() + 1)))

    def search():
        try:
            return nearest_neighbours(features, max(settings.k1, settings.k2), settings.search, settings.block_size,
                                      settings.half, own, probes=settings.probes)
        except (ImportError, ValueError) as error:
            raise ISEError(f"{title} {error}") from error

    found = on_every_process(search)
    found = np.pad(found, ((0, share - len(found)), (0, 0)))  # gathered slices are of one length
    return gather_slices(paddle.to_tensor(found), len(features)).numpy()


def _assign(features, neighbours, settings, eps, title, seconds):
    """(labels, eps) of the neighbour lists."""
    choose = settings.eps == "auto" and eps is None
    if settings.eps != "auto":
        eps = settings.eps
    with _timed(seconds, "jaccard"):
        distance = jaccard_distance(features, settings.k1, settings.k2, EPS_GRID[-1] if choose else eps, neighbours)
    if choose:
        with _timed(seconds, "eps"):
            eps = choose_eps(distance, settings.min_samples)
        logger.info(f"{title} Cluster.eps auto: {eps}, kept from now on")
    with _timed(seconds, "dbscan"):
        labels = dbscan(distance, eps, settings.min_samples)
    if labels.max(initial=-1) < 0:
        distance = jaccard_distance(features, settings.k1, settings.k2, neighbours=neighbours)  # not cut at eps
        raise ISEError(f"{title} no cluster among {len(labels)} images: "
                       + eps_advice(distance, eps, settings.min_samples))
    return labels, eps


def _log(labels, title, seconds):
    sizes = np.bincount(labels[labels >= 0])
    parts = ", ".join(f"{part}: {value:.1f} s" for part, value in seconds.items())
    logger.info(f"{title} images: {len(labels)}, clusters: {len(sizes)}, outliers: {(labels < 0).sum()}, cluster size "
                f"min/median/max: {sizes.min()}/{int(np.median(sizes))}/{sizes.max()}, {parts}")


def _write(target, **arrays):
    temporary = target + ".tmp.npz"
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        np.savez_compressed(temporary, **arrays)
        os.replace(temporary, target)
    except OSError as error:
        raise ISEError(f"the pseudo labels cannot be written to {target} ({error}); free space there or set "
                       "Global.output_dir") from error


@contextlib.contextmanager
def _timed(seconds, part):
    started = time.time()
    yield
    seconds[part] = time.time() - started
