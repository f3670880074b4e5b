"""Nearest neighbours within groups of rows, such as the images of one camera."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..features import Features, is_paddle_tensor
from .neighbours import nearest_neighbours, scan_pairs

__all__ = ["group_neighbours", "scan_groups"]


def scan_groups(x: Features, groups: NDArray[np.int64], k: int, part: int, parts: int,
                **search: Any) -> tuple[NDArray[Any], ...]:
    """The share of a process in :func:`group_neighbours`: of the pairs of rows within each group.

    Args:
        x, k: as of :func:`ppcls_ise.clustering.search.neighbours.nearest_neighbours`.
        groups: ``[N]`` int, which group a row is of.
        part, parts: the share, ``part`` of ``parts``, which are equal in work.
        search: ``method``, ``block_size``, ``half`` of :func:`nearest_neighbours`.

    Returns:
        ``[N, C]`` int32 and ``[N, C]`` float32 for :func:`group_neighbours` as ``scanned``; nothing by a method that
        goes by rows.
    """
    arrays: tuple[NDArray[Any], ...] = ()
    for rows in _members(groups):
        found = scan_pairs(_rows(x, rows), k, part=part, parts=parts, **search)
        if found and not arrays:
            arrays = np.full((len(groups), 0), -1, np.int32), np.full((len(groups), 0), np.inf, np.float32)
        arrays = tuple(_put(whole, rows, own) for whole, own in zip(arrays, found))
    return arrays


def group_neighbours(x: Features, groups: NDArray[np.int64], k: int, rows: slice,
                     scanned: tuple[NDArray[Any], ...] = (), **search: Any) -> NDArray[np.int32]:
    """The k nearest rows of the same group, the row itself first.

    Args:
        x, groups, k: as of :func:`scan_groups`.
        rows: rows that are searched for.
        scanned: what :func:`scan_groups` found in every share, for ``rows`` alone: ``[parts, M, C]`` each. Default:
            search here.
        search: further ones of :func:`nearest_neighbours`.

    Returns:
        ``[M, k]`` int32 indices into ``x``; -1 at the end of a row whose group is smaller.
    """
    found = np.full((rows.stop - rows.start, k), -1, np.int32)
    for members in _members(groups):
        first, last = np.searchsorted(members, [rows.start, rows.stop])
        if first == last:
            continue
        own = members[first:last] - rows.start
        candidates = tuple(array[:, own, :len(members)] for array in scanned)
        near = nearest_neighbours(_rows(x, members), k, rows=slice(first, last), scanned=candidates, **search)
        found[own, :near.shape[1]] = np.where(near >= 0, members[near], -1)
    return found


def _members(groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Rows of each group, ascending."""
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1) if len(order) else []


def _rows(x: Features, rows: NDArray[np.int64]) -> Features:
    if is_paddle_tensor(x):
        import paddle

        return paddle.gather(x, paddle.to_tensor(rows, place=x.place))
    return x[rows]


def _put(whole: NDArray[Any], rows: NDArray[np.int64], own: NDArray[Any]) -> NDArray[Any]:
    """``whole`` with ``own`` in its rows, wide enough for it."""
    wider = own.shape[1] - whole.shape[1]
    if wider > 0:
        empty = -1 if whole.dtype == np.int32 else np.inf
        whole = np.pad(whole, [(0, 0), (0, wider)], constant_values=empty)
    whole[rows, :own.shape[1]] = own
    return whole
