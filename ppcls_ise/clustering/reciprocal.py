"""The encoding of rows over their reciprocal neighbours, from neighbour lists to what distances are made of.

One chain for clustering and re-ranking: mutual neighbours, their weights, the expanded set, the mean over the nearest.
Zhong et al., Re-ranking person re-identification with k-reciprocal encoding, CVPR 2017, arXiv 1701.08398.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..finite import squared_norms
from ..threads import over_rows
from .encoding import average, encode, in_place, log_weights, mutual
from .pairs import pairs, transpose

__all__ = ["Sparse", "checked_neighbours", "encode_rows", "encode_sets", "mutual_neighbours", "pair_distances",
           "without_zero_rows"]


class Sparse(NamedTuple):
    """A sparse matrix, row by row as CSR has it."""

    indptr: NDArray[np.int64]  #: [rows + 1]
    indices: NDArray[np.int32]  #: columns of the entries
    data: NDArray[np.float32]  #: the entries


def checked_neighbours(x: NDArray[np.float32], k: int, neighbours: ArrayLike) -> NDArray[np.int32]:
    """The first k columns of the neighbour lists, with zero vectors taken out of all lists but their own.

    Args:
        x: ``[N, D]`` float32.
        k: columns wanted; no more than N are needed.
        neighbours: ``[N, >= min(k, N)]`` int, each row itself in column 0, -1 for "none found".

    Returns:
        ``[N, min(k, N)]`` int32, a copy.

    Raises:
        ValueError: lists that do not fit x.
    """
    found = np.asarray(neighbours)
    k = min(k, len(x))
    if found.ndim != 2 or len(found) != len(x) or found.shape[1] < k:
        raise ValueError(f"neighbours must be [{len(x)}, {k}] or wider for {len(x)} features, got {list(found.shape)}")
    found = np.array(found[:, :k], dtype=np.int32, order="C")
    if found.size and (found.max() >= len(x) or (found[:, 0] != np.arange(len(x))).any()):
        raise ValueError("neighbours must be indices of rows of x, each row itself in column 0")
    own = found[:, :1].copy()
    found = without_zero_rows(x, found)
    found[:, :1] = own
    return found


def without_zero_rows(x: NDArray[np.float32], neighbours: NDArray[np.int32]) -> NDArray[np.int32]:
    """The lists with -1 in place of zero vectors, which have no direction, and in the lists of these."""
    zero = squared_norms(x) == 0
    if zero.any():
        neighbours = np.where((neighbours < 0) | zero[neighbours] | zero[:, None], np.int32(-1), neighbours)
    return neighbours


def encode_rows(x: NDArray[np.float32], neighbours: NDArray[np.int32], k1: int, half: int, k2: int,
                scale: NDArray[np.float32] | None = None) -> tuple[Sparse, Sparse]:
    """V: each row as a distribution over its k-reciprocal neighbours, averaged over its nearest.

    Args:
        x: ``[N, D]`` float32 unit rows.
        neighbours: ``[N, >= max(k1, k2)]`` of :func:`checked_neighbours` (fewer columns: fewer neighbours).
        k1: neighbours, the row itself included, of which the reciprocal ones count.
        half: likewise, of the sets that expand those.
        k2: neighbours, the row itself included, over which V is averaged; 1 switches that off.
        scale: ``[N]`` float32, what the squared distances of a row are divided by; default: nothing.

    Returns:
        V ``[N, N]``, its rows sorted by column, and its transpose: what :func:`pair_distances` takes.
    """
    sets = np.ascontiguousarray(neighbours[:, :k1])
    return encode_sets(x, sets, mutual_neighbours(sets), mutual_neighbours(sets[:, :half]), neighbours[:, :k2], scale)


def mutual_neighbours(neighbours: NDArray[np.int32]) -> NDArray[np.bool_]:
    """``[N, k]`` bool: whether the row is in the list of its neighbour, too.

    Args:
        neighbours: ``[N, k]`` int32, -1 for "none found".
    """
    lists = np.ascontiguousarray(neighbours)
    return _stacked(over_rows(mutual, len(lists), lists, lists.shape[1]))


def encode_sets(x: NDArray[np.float32], sets: NDArray[np.int32], reciprocal: NDArray[np.bool_],
                near: NDArray[np.bool_], averaged: NDArray[np.int32],
                scale: NDArray[np.float32] | None = None) -> tuple[Sparse, Sparse]:
    """V from sets of neighbours, of which the reciprocal ones count.

    Args:
        x: ``[N, D]`` float32 unit rows.
        sets: ``[N, k1]`` int32 neighbours, -1 for none, no row twice in a list.
        reciprocal: ``[N, k1]`` bool, where i and ``sets[i, p]`` are in each other's lists.
        near: ``[N, half]`` bool, likewise among the first ``half`` of each: the sets that expand those; half 0: none.
        averaged: ``[N, k2]`` int32, -1 for none: rows over which V is averaged, the row itself first.
        scale: as of :func:`encode_rows`.

    Returns:
        As :func:`encode_rows`.
    """
    count = len(x)
    # Rows with a neighbour in common one after the other, while their features lie in the cache.
    order = np.argsort(np.where(reciprocal, sets, count).min(axis=1, initial=count), kind="stable")
    logs = np.zeros(sets.shape, np.float64)
    over_rows(log_weights, count, x, sets, reciprocal, order, logs)
    encoding = Sparse(*in_place(order, *_joined(over_rows(encode, count, x, sets, logs, reciprocal, near, order))))
    if scale is not None and count:
        encoding = _scaled(encoding, scale)
    if averaged.shape[1] > 1:
        encoding = _joined(over_rows(average, count, np.ascontiguousarray(averaged), *encoding))
    columns = Sparse(*transpose(*encoding))
    return Sparse(*transpose(*columns)), columns  # back again: now each row is sorted by column


def pair_distances(encoding: Sparse, columns: Sparse, rows: int, max_distance: float = 1.0) -> Sparse:
    """Jaccard distances of pairs of rows, from their encodings.

    Args:
        encoding, columns: V and its transpose, of :func:`encode_rows`.
        rows: pairs are wanted of which one is among the first ``rows`` rows.
        max_distance: pairs farther apart, and those at distance 1, are left out.

    Returns:
        ``[rows, N]``, each pair once, at the row of lower index; not sorted by column.
    """
    return _joined(over_rows(pairs, rows, *encoding, *columns, np.float32(max_distance)))


def _scaled(encoding: Sparse, scale: NDArray[np.float32]) -> Sparse:
    """encode() gives softmax(-d); the softmax of -d / scale is that to the power of 1 / scale, normalised."""
    indptr, columns, weights = encoding
    lengths = np.diff(indptr)
    weights **= np.repeat(1 / scale, lengths)
    weights /= np.repeat(np.add.reduceat(weights, indptr[:-1]), lengths)
    return Sparse(indptr, columns, weights)


def _stacked(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.bool_)


def _joined(parts: Sequence[tuple[NDArray[Any], ...]]) -> Sparse:
    """CSR pieces of consecutive rows to one."""
    if not parts:
        return Sparse(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
    counts, columns, values = (np.concatenate(arrays) for arrays in zip(*parts))
    return Sparse(np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]), columns, values)
