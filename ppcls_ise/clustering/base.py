"""What a clustering is: features, and cameras where they are known, to pseudo labels."""
from __future__ import annotations

import abc
import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checked import assigned, neighbours_of, prepared
from .clusters import Clusters
from .features import Features, as_features, for_search

__all__ = ["Clustering", "timed"]


class Clustering(abc.ABC):
    """Base class of the clusterings that ``Cluster.name`` chooses from.

    A concrete one is a frozen dataclass: its fields are the keys of the ``Cluster`` block, their annotations and
    defaults those of the keys. ``__post_init__`` refuses values out of range by an ``ISEError`` whose message begins
    with the name of the key. ``name`` and ``interval`` are keys of training itself, and no fields.

    In training with several processes, :meth:`prepare`, :meth:`scan` and :meth:`neighbours` run on every one of them,
    the latter two for a share of the work and of the rows, and :meth:`assign` on the first with the results of all;
    nothing in what these give may depend on the number of processes, on a random number, or on another clustering but
    by ``kept``, so that any number of processes, and a resumed run, finds the same. Calling the object does all of it
    on one process::

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

    def scan(self, features: Features, cameras: NDArray[np.int64] | None, part: int,
             parts: int) -> tuple[NDArray[Any], ...]:
        """The part of the work that does not go row by row, such as by pairs of rows: what a share of it says of each.

        Called before :meth:`neighbours` where there are several processes, on every one of them, in a thread of its
        own, with another ``part``, if :meth:`neighbours` takes ``scanned``; must not communicate.

        Args:
            features, cameras: as of :meth:`neighbours`.
            part: the share, 0 to ``parts - 1``.
            parts: number of processes.

        Returns:
            Arrays ``[N, ...]`` of int32, int64 or float32, row i for image i; as many of them, and of the same shape,
            for every share. By default none.
        """
        return ()

    def neighbours(self, features: Features, cameras: NDArray[np.int64] | None, rows: slice,
                   scanned: tuple[NDArray[Any], ...] = ()) -> tuple[NDArray[Any], ...]:
        """The part of the work that goes row by row: what each image of a share needs to know of all others.

        Called on every process, in a thread of its own, with another slice; must not communicate.

        Args:
            features: as :meth:`prepare` left them; a paddle tensor where they are on a GPU.
            cameras: see above.
            rows: the share, a slice ``start:stop`` of the rows; may be empty.
            scanned: for every array of :meth:`scan` one ``[parts, M, ...]``, its ``rows`` of every share; nothing where
                that was not called. A class without :meth:`scan` may do without this argument.

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
            ISEError: features with NaN or Inf; a method that raises a ValueError or returns what it must not.
        """
        host = as_features(features)
        seen = prepared(self, host, cameras)
        neighbours = neighbours_of(self, for_search(features, host, seen), cameras, slice(0, len(host)))
        return assigned(self, seen, cameras, neighbours, kept or {})


@contextlib.contextmanager
def timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    """Note in ``seconds`` what the block takes."""
    started = time.perf_counter()
    yield
    seconds[part] = time.perf_counter() - started
