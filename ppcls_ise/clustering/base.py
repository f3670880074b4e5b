"""What a clustering is: features, and cameras where they are known, to pseudo labels."""
from __future__ import annotations

import abc
import contextlib
import dataclasses
import inspect
import numbers
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ISEError
from .features import Features, as_features, for_search

__all__ = ["Clustering", "Clusters", "assigned", "named", "neighbours_of", "prepared", "scanned_by", "timed"]

#: Names that the record of a clustering, its table, or the function that writes the record has for other things.
RECORD_NAMES = ("labels", "paths", "epoch", "file", "allow_pickle")


@dataclasses.dataclass(frozen=True, eq=False)
class Clusters:
    """What a clustering found, and what it has to say of itself.

    Attributes:
        labels: int64 ``[N]`` (any whole numbers are taken), clusters 0..K-1 without gaps, -1 is an outlier.
        kept: name -> number, what the next clustering of the run gets back, such as an ``eps`` that was chosen; a
            checkpoint holds it.
        figures: name -> number, for the record of this clustering and for ``clusters.csv``; not by a name that these
            have for something else, such as ``labels``, ``seconds_...`` or ``purity``.
        lines: for the log.
        seconds: part of the work -> what it took.
    """

    labels: NDArray[np.int64]
    kept: Mapping[str, float] = dataclasses.field(default_factory=dict)
    figures: Mapping[str, float] = dataclasses.field(default_factory=dict)
    lines: Sequence[str] = ()
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        if not np.can_cast(labels.dtype, np.int64, "same_kind"):
            raise ISEError(f"labels must be whole numbers, not {labels.dtype}")
        object.__setattr__(self, "labels", labels.astype(np.int64, copy=False))


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
def named(clustering: Clustering) -> Iterator[None]:
    """Let errors of a clustering's methods say whose they are.

    Raises:
        ISEError: for a ValueError or ImportError: ``ByCamera: ...``. Any other exception passes with a note, since its
            traceback shows the place in a user's file.
    """
    name = type(clustering).__name__
    try:
        yield
    except (ImportError, ValueError) as error:  # ISEError is one
        raise ISEError(f"{name}: {error}") from error
    except Exception as error:
        if hasattr(error, "add_note"):  # Python 3.11
            error.add_note(f"in the clustering {name}")
        raise


def prepared(clustering: Clustering, features: NDArray[np.float32],
             cameras: NDArray[np.int64] | None) -> NDArray[np.float32]:
    """:meth:`Clustering.prepare`, and whether it gives a matrix with a row for each image.

    Raises:
        ISEError: names the clustering.
    """
    with named(clustering):
        found = clustering.prepare(features, cameras)
        if not isinstance(found, np.ndarray) or found.ndim != 2 or len(found) != len(features):
            raise ISEError(f"prepare must return an array [{len(features)}, D], not {_described(found)}")
    return found


def scanned_by(clustering: Clustering, features: Features, cameras: NDArray[np.int64] | None, part: int,
               parts: int) -> tuple[NDArray[Any], ...]:
    """:meth:`Clustering.scan`, and whether it gives arrays with a row for each image.

    Nothing where :meth:`Clustering.neighbours` does not take ``scanned``: a class derived from one that scans may
    search in its own way.

    Raises:
        ISEError: names the clustering.
    """
    if "scanned" not in inspect.signature(clustering.neighbours).parameters:
        return ()
    with named(clustering):
        return _arrays("scan", clustering.scan(features, cameras, part, parts), len(features))


def neighbours_of(clustering: Clustering, features: Features, cameras: NDArray[np.int64] | None, rows: slice,
                  scanned: tuple[NDArray[Any], ...] = ()) -> tuple[NDArray[Any], ...]:
    """:meth:`Clustering.neighbours`, and whether it gives arrays with a row for each image of the share.

    Raises:
        ISEError: names the clustering.
    """
    with named(clustering):
        found = clustering.neighbours(features, cameras, rows, *([scanned] if scanned else []))
        return _arrays("neighbours", found, rows.stop - rows.start)


def assigned(clustering: Clustering, features: NDArray[np.float32], cameras: NDArray[np.int64] | None,
             neighbours: tuple[NDArray[Any], ...], kept: Mapping[str, float],
             reserved: Collection[str] = ()) -> Clusters:
    """:meth:`Clustering.assign`, and whether its result is what :class:`Clusters` says.

    Args:
        clustering, features, cameras, neighbours, kept: see there.
        reserved: names that its figures must not have, beside those of the record.

    Raises:
        ISEError: names the clustering.
    """
    with named(clustering):
        clusters = clustering.assign(features, cameras, neighbours, kept)
        if not isinstance(clusters, Clusters):
            raise ISEError(f"assign must return Clusters(labels), not {_described(clusters)}")
        _check_labels(clusters.labels, len(features))
        for part in ("kept", "figures", "seconds"):
            _check_numbers(part, getattr(clusters, part))
        if isinstance(clusters.lines, str):
            raise ISEError(f"lines must be a list of texts, not {clusters.lines!r}")
        for name in clusters.figures:
            if name in RECORD_NAMES or name.startswith("seconds_") or name in reserved:
                raise ISEError(f"its figure {name!r} needs another name: the record or clusters.csv has one of "
                               "that name already")
    return clusters


def _arrays(method: str, found: object, rows: int) -> tuple[NDArray[Any], ...]:
    if not isinstance(found, (tuple, list)):
        raise ISEError(f"{method} must return a tuple of arrays, not {_described(found)}")
    arrays = tuple(map(np.asarray, found))
    for array in arrays:
        if array.shape[:1] != (rows,):
            raise ISEError(f"{method} must return a row for each of {rows} images, not {_described(array)}")
    return arrays


def _check_labels(labels: NDArray[np.int64], count: int) -> None:
    if labels.shape != (count,):
        raise ISEError(f"labels must be of shape [{count}], one for each image, not {list(labels.shape)}")
    if labels.min(initial=-1) < -1:
        raise ISEError(f"labels must be -1, which is an outlier, or above, not {labels.min()}")
    # Not by bincount: one label of 10**12 would need as much memory.
    found = np.unique(labels[labels >= 0])
    if len(found) and found[-1] != len(found) - 1:
        missing = int(np.flatnonzero(found != np.arange(len(found)))[0])
        raise ISEError(f"labels must be 0..K-1 without gaps, but {missing} is missing below {found[-1]}; number them "
                       "anew: labels[labels >= 0] = np.unique(labels[labels >= 0], return_inverse=True)[1]")


def _check_numbers(part: str, values: object) -> None:
    if not isinstance(values, Mapping):
        raise ISEError(f"{part} must be a dict of numbers, not {_described(values)}")
    for name, value in values.items():
        if not isinstance(name, str) or not isinstance(value, numbers.Real):
            raise ISEError(f"{part} must be a dict of numbers by name, not {name!r}: {value!r}")


def _described(value: object) -> str:
    return f"an array {list(value.shape)}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"


@contextlib.contextmanager
def timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    """Note in ``seconds`` what the block takes."""
    started = time.perf_counter()
    yield
    seconds[part] = time.perf_counter() - started
