"""Clustering as a stage of training: search on every process, the rest on the first; log and record."""
from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import paddle
import paddle.distributed as dist
from numpy.typing import NDArray
from ppcls.utils import logger

from ..clustering import Clustering, Clusters, KReciprocalDBSCAN, cluster_centroids, timed
from ..clustering.cameras import (
    SIMILARITIES,
    CameraProxies,
    camera_codes,
    camera_proxies,
    camera_similarity,
    known_cameras,
)
from ..clustering.checked import assigned, named, neighbours_of, prepared, scanned_by
from ..clustering.features import Features, for_search
from ..distributed.processes import exchange_slices, gather_slices, on_every_process, on_first_process
from ..errors import ISEError
from ..files import replacing
from ..finite import check_finite
from ..images.reading import shown
from ..metric.clusters import FIGURES
from .cluster_block import kept_name

__all__ = ["Clustered", "cluster_images", "kept_of", "state_of"]

KEPT = "kept."


class Clustered(NamedTuple):
    """What a clustering leaves behind, the same on every process."""

    labels: NDArray[np.int64]  #: [N], clusters 0..K-1, -1 is an outlier
    centroids: NDArray[np.float32]  #: [K, D], unit rows in label order
    kept: dict[str, float]  #: for the next clustering of the run, and for a checkpoint: :func:`state_of`
    figures: dict[str, float]  #: what the clustering reports of itself
    proxies: CameraProxies | None  #: of the clusters; None where fewer than two cameras are known


def cluster_images(features: paddle.Tensor, cameras: NDArray[np.int64] | None, names: Sequence[str],
                   clustering: Clustering, kept: Mapping[str, float], record: str, title: str,
                   seconds: Mapping[str, float]) -> Clustered:
    """Cluster the training images; called by every process with the same arguments.

    The first process logs what the clustering has to say and one line on its clusters, and writes ``record``.

    Args:
        features: float32 [N, D], row i the unit feature of image i, on the device that shall search.
        cameras: int64 [N], -1 where not known, or None.
        names: of the images, for the record and for messages.
        clustering: of the Cluster block.
        kept: of the clustering before this one, empty at the first of a run.
        record: npz file to write: labels, paths, the figures of the clustering (eps, ...), seconds_*; and, where links
            between cameras were found, ``linked`` [C, C] and ``camera_ids`` [C].
        title: what log lines and messages begin with.
        seconds: of the parts before this one.

    Raises:
        ISEError: on every process, for NaN or Inf features (naming the images), where no cluster is found, and what
            the clustering raises or returns in error.
    """
    taken = dict(seconds)
    host = features.numpy()
    with _titled(title):
        check_finite(host, name=lambda row: shown(names[row]))
    _warn_of_collapse(host, title)
    with timed(taken, "neighbours"):
        with _titled(title):
            seen = prepared(clustering, host, cameras)
        neighbours = _shared_search(clustering, for_search(features, host, seen), cameras, title)

    def rest() -> Clustered:
        with _titled(title):
            clusters = _assign(clustering, seen, cameras, neighbours, kept, title)
        taken.update(clusters.seconds)
        with timed(taken, "centroids"):
            centroids = cluster_centroids(host, clusters.labels)
        known, proxies = known_cameras(cameras), None
        figures = dict(clusters.figures)
        linked = {}
        if known is not None:
            proxies = camera_proxies(host, clusters.labels, camera_codes(known), clusters.linked)
            figures.update(camera_similarity(proxies))
            if clusters.linked is not None:
                linked = {"linked": clusters.linked, "camera_ids": np.unique(known[known >= 0])}
            if not len(proxies.labels):  # the clusters are of images of no known camera
                proxies = None
        _log(clusters.labels, title, taken)
        _write(record, {"labels": clusters.labels, "paths": np.array(names), **figures, **linked,
                        **{f"seconds_{part}": value for part, value in taken.items()}})
        kept_now, figures = ({name: float(value) for name, value in numbers.items()}
                             for numbers in (clusters.kept, figures))
        return Clustered(clusters.labels, centroids, kept_now, figures, proxies)

    return on_first_process(rest)


def state_of(block: dict | None, kept: Mapping[str, float]) -> dict[str, float]:
    """What the clustering of a ``Cluster`` block keeps, as a part of a checkpoint's state; :func:`kept_of` gives it
    again."""
    return {f"{KEPT}{kept_name(block)}.{name}": value for name, value in kept.items()}


def kept_of(block: dict | None, state: Mapping[str, Any]) -> dict[str, float]:
    """What the last clustering of a run kept, from the state of its checkpoint; empty where that was another one than
    the ``Cluster`` block has."""
    place = f"{KEPT}{kept_name(block)}."
    kept = {name.removeprefix(place): float(value) for name, value in state.items() if name.startswith(place)}
    if "eps" in state and kept_name(block) == KReciprocalDBSCAN.__name__:  # of the time when there was no other
        kept["eps"] = float(state["eps"])
    return kept


@contextlib.contextmanager
def _titled(title: str) -> Iterator[None]:
    try:
        yield
    except ISEError as error:
        raise ISEError(f"{title} {error}") from error


def _warn_of_collapse(features: NDArray[np.float32], title: str) -> None:
    # The mean cosine of all pairs of unit rows is the squared length of their mean.
    cosine = float(np.square(features.mean(axis=0, dtype=np.float64)).sum())
    if cosine > 0.999:
        logger.warning(f"{title} the features of all images are nearly the same (mean cosine {cosine:.5f}): these "
                       "clusters mean nothing. Start from trained weights, -o Arch.Backbone.pretrained=FILE.pdparams")


def _shared_search(clustering: Clustering, features: Features, cameras: NDArray[np.int64] | None,
                   title: str) -> tuple[NDArray[Any], ...]:
    """The arrays of ``clustering.neighbours`` for all rows, on every process; each does a share of the work."""
    total, rank, processes = len(features), dist.get_rank(), dist.get_world_size()
    share = -(-total // processes)
    own = slice(*(min(start * share, total) for start in (rank, rank + 1)))

    def scan() -> tuple[NDArray[Any], ...]:
        with _titled(title):
            return scanned_by(clustering, features, cameras, rank, processes)

    def search() -> tuple[NDArray[Any], ...]:
        with _titled(title):
            return neighbours_of(clustering, features, cameras, own, scanned)

    scanned: tuple[NDArray[Any], ...] = ()
    if processes > 1:
        # Slices that are gathered or exchanged are of one length.
        scanned = tuple(exchange_slices(_padded(array, processes * share)).numpy()[:, :own.stop - own.start]
                        for array in on_every_process(scan))
    found = on_every_process(search)
    return tuple(gather_slices(_padded(array, share), total).numpy() for array in found)


def _padded(array: NDArray[Any], length: int) -> paddle.Tensor:
    return paddle.to_tensor(np.pad(array, [(0, length - len(array)), *[(0, 0)] * (array.ndim - 1)]))


def _assign(clustering: Clustering, features: NDArray[np.float32], cameras: NDArray[np.int64] | None,
            neighbours: tuple[NDArray[Any], ...], kept: Mapping[str, float], title: str) -> Clusters:
    """Labels that can be trained with; says what the clustering says."""
    clusters = assigned(clustering, features, cameras, neighbours, kept, (*FIGURES, *SIMILARITIES))
    for line in clusters.lines:
        logger.info(f"{title} {line}")
    if clusters.labels.max(initial=-1) < 0:
        with named(clustering):
            advice = clustering.advice(features, cameras, neighbours, clusters)
        raise ISEError(f"no cluster among {len(features)} images: {advice}")
    return clusters


def _log(labels: NDArray[np.int64], title: str, seconds: Mapping[str, float]) -> None:
    sizes = np.bincount(labels[labels >= 0])
    parts = ", ".join(f"{part}: {value:.1f} s" for part, value in seconds.items())
    logger.info(f"{title} images: {len(labels)}, clusters: {len(sizes)}, outliers: {(labels < 0).sum()}, cluster size "
                f"min/median/max: {sizes.min()}/{int(np.median(sizes))}/{sizes.max()}, {parts}")


def _write(target: str, arrays: Mapping[str, Any]) -> None:
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with replacing(target) as new, open(new, "wb") as file:
            np.savez_compressed(file, **arrays)
    except OSError as error:
        raise ISEError(f"the pseudo labels cannot be written to {target} ({error}); free space there or set "
                       "Global.output_dir") from error
