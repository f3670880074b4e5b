"""The methods of a clustering, called, and what they return, checked: it may be of a user's own file."""
from __future__ import annotations

import contextlib
import inspect
import numbers
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ISEError
from .clusters import Clusters
from .features import Features

if TYPE_CHECKING:
    from .base import Clustering

__all__ = ["assigned", "named", "neighbours_of", "prepared", "scanned_by"]

#: Names that the record of a clustering, its table, or the function that writes the record has for other things.
RECORD_NAMES = ("labels", "paths", "epoch", "file", "allow_pickle")


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
        _check_linked(clusters, cameras)
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


def _check_linked(clusters: Clusters, cameras: NDArray[np.int64] | None) -> None:
    if clusters.linked is None:
        return
    linked = np.asarray(clusters.linked)
    ids = 0 if cameras is None else len(np.unique(cameras[cameras >= 0]))
    if linked.shape != (ids, ids) or linked.dtype != np.bool_ or (linked != linked.T).any():
        raise ISEError(f"linked must be bool of shape [{ids}, {ids}], symmetric, a row for each known camera, not "
                       f"{linked.dtype} {list(linked.shape)}")


def _check_numbers(part: str, values: object) -> None:
    if not isinstance(values, Mapping):
        raise ISEError(f"{part} must be a dict of numbers, not {_described(values)}")
    for name, value in values.items():
        if not isinstance(name, str) or not isinstance(value, numbers.Real):
            raise ISEError(f"{part} must be a dict of numbers by name, not {name!r}: {value!r}")


def _described(value: object) -> str:
    return f"an array {list(value.shape)}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
