"""What a clustering is: features, and cameras where they are known, to pseudo labels."""
from __future__ import annotations

import abc
import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .features import Features, as_features, for_search

__all__ = ["Clustering", "Clusters", "timed"]


@dataclasses.dataclass(frozen=True, eq=False)
class Clusters:
    """What a clustering found, and what it has to say of itself.

    Attributes:
        labels: int64 ``[N]`` (any whole numbers are taken), clusters 0..K-1 without gaps, -1 is an outlier.
        kept: name -> number, what the next clustering of the run gets back, such as an ``eps`` that was chosen; a
            checkpoint holds it.
        figures: name -> number, for the record of this clustering.
        lines: for the log.
        seconds: part of the work -> what it took.
    """

    labels: NDArray[np.int64]
    kept: Mapping[str, float] = dataclasses.field(default_factory=dict)
    figures: Mapping[str, float] = dataclasses.field(default_factory=dict)
    lines: Sequence[str] = ()
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", np.asarray(self.labels).astype(np.int64, casting="same_kind", copy=False))


class Clustering(abc.ABC):
    """Base class of the clusterings that ``Cluster.name`` chooses from.

    A concrete one is a frozen dataclass: its fields are the keys of the ``Cluster`` block, their annotations and
    defaults those of the keys. ``__post_init__`` refuses values out of range by an ``ISEError`` whose message begins
    with the name of the key. ``name`` and ``interval`` are keys of training itself, and no fields.

    In training with several processes, :meth:`prepare` and :meth:`neighbours` run on every one of them, the latter for
    a share of the rows, and :meth:`assign` on the first with the results of all; nothing in them may depend on the
    share, on a random number, or on another clustering but by ``kept``, so that any number of processes, and a resumed
    run, finds the same. Calling the object does all of it on one process::

        >>> clustering = KReciprocalDBSCAN(eps=0.5)
        >>> clustering(features).labels

    Arguments of the methods:
        features: float32 ``[N, D]``, row i the unit feature of image i.
        cameras: int64 ``[N]``, -1 where the camera of an image is not known; None where no camera is.
    """

    def prepare(self, features: NDArray[np.float32], cameras: NDArray[np.int64] | None) -> NDArray[np.float32]:
        """Features as the other methods shall see them; called first, on every process, for all rows.

        Centroids are made of the features before.

        Returns:
            float32 ``[N, D']``; by default the features themselves. Those given are not to be changed.
        """
        return features

    def neighbours(self, features: Features, cameras: NDArray[np.int64] | None,
                   rows: slice) -> tuple[NDArray[Any], ...]:
        """The part of the work that goes row by row: what each image of a share needs to know of all others.

        Called on every process, in a thread of its own, with another slice; must not communicate.

        Args:
            features: as :meth:`prepare` left them; a paddle tensor where they are on a GPU.
            cameras: see above.
            rows: the share, a slice ``start:stop`` of the rows; may be empty.

        Returns:
            Arrays ``[M, ...]`` of int32, int64 or float32, row j for image ``rows.start + j``; as many of them, and of
            the same shape but for M, for every share. By default none.
        """
        return ()

    @abc.abstractmethod
    def assign(self, features: NDArray[np.float32], cameras: NDArray[np.int64] | None,
               neighbours: tuple[NDArray[Any], ...], kept: Mapping[str, float]) -> Clusters:
        """The labels; called on the first process only.

        Args:
            features: as :meth:`prepare` left them.
            cameras: see above.
            neighbours: the arrays of :meth:`neighbours` for all rows, ``[N, ...]``.
            kept: of the clustering before this one in the run; empty at the first.

        Returns:
            All outliers where there is no cluster; training ends with :meth:`advice` then.
        """

    def advice(self, features: NDArray[np.float32], cameras: NDArray[np.int64] | None,
               neighbours: tuple[NDArray[Any], ...], clusters: Clusters) -> str:
        """Why there is no cluster and what to do: the end of an error message; called on the first process.

        Args:
            features, cameras, neighbours: as :meth:`assign` got them.
            clusters: what it returned.
        """
        return "change the keys of the Cluster block, or start from other weights"

    def __call__(self, features: Features, cameras: NDArray[np.int64] | None = None,
                 kept: Mapping[str, float] | None = None) -> Clusters:
        """All of it on this process.

        Args:
            features: float32 ``[N, D]`` unit rows, numpy array or paddle tensor.
            cameras: see above.
            kept: see :meth:`assign`.

        Raises:
            ValueError: features with NaN or Inf.
        """
        host = as_features(features)
        prepared = self.prepare(host, cameras)
        neighbours = self.neighbours(for_search(features, host, prepared), cameras, slice(0, len(host)))
        return self.assign(prepared, cameras, neighbours, kept or {})


@contextlib.contextmanager
def timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    """Note in ``seconds`` what the block takes."""
    started = time.perf_counter()
    yield
    seconds[part] = time.perf_counter() - started
