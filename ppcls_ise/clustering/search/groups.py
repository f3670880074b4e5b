"""Nearest neighbours within a group of rows, such as the images of one camera, or of all other groups."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..features import Features, as_features, is_paddle_tensor
from .cpu_scan import merged
from .neighbours import Method, checked_method, scan_of
from .refine import refine
from .tiles import Among

__all__ = ["group_neighbours", "scan_groups"]


def scan_groups(x: Features, groups: NDArray[np.int64], k: int, among: Among, method: Method = "exact",
                block_size: int = 4096, half: bool = False, part: int = 0, parts: int = 1,
                ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The share of a process in the search for :func:`group_neighbours`: of the pairs of rows, each multiplied once.

    Args:
        x, k, block_size, half: as of :func:`ppcls_ise.clustering.nearest_neighbours`.
        groups: ``[N]`` int, the group of each row.
        among: ``same``: neighbours are of the row's own group; ``other``: of any other.
        method: ``exact`` or ``paddle``.
        part, parts: the share, ``part`` of ``parts``, which are equal in work.

    Returns:
        ``[N, C]`` int32 and ``[N, C]`` float32, the nearest that each row has in this share and their squared
        distances; -1 and inf where there are fewer.

    Raises:
        ValueError: another method, k < 1, or features with NaN or Inf.
    """
    if method not in ("exact", "paddle"):
        raise ValueError(f"neighbours in groups are searched by exact or paddle, not by {method!r}")
    method = checked_method(x, k, method)
    # Rows of one group follow each other, so that a tile of products is of one group or of two.
    order = np.argsort(groups, kind="stable")
    sizes = np.unique(groups, return_counts=True)[1].tolist()
    ordered = _taken(x, order)
    scan, _ = scan_of(ordered, as_features(ordered), method, block_size, half, sizes, among)
    found, near = scan.pairs(min(len(groups), k + scan.extra), part, parts)
    own = np.empty_like(order)
    own[order] = np.arange(len(order))
    found = np.where(found < 0, -1, order[found]).astype(np.int32)
    return found[own], near[own]


def group_neighbours(x: Features, groups: NDArray[np.int64], k: int, among: Among, rows: slice,
                     method: Method = "exact", block_size: int = 4096, half: bool = False,
                     scanned: tuple[NDArray[Any], ...] = ()) -> NDArray[np.int32]:
    """The k nearest rows of the same group, the row itself first; or the k nearest of all other groups.

    In the order of :func:`ppcls_ise.clustering.nearest_neighbours`, the same for any device and number of processes.

    Args:
        x, groups, k, among, method, block_size, half: as of :func:`scan_groups`.
        rows: rows that are searched for.
        scanned: what :func:`scan_groups` found in every share, for ``rows`` alone: ``[parts, M, C]`` each. Default:
            search all here.

    Returns:
        ``[M, k]`` int32 indices into ``x``; -1 at the end of a row that has fewer.

    Raises:
        ValueError: as :func:`scan_groups`.
    """
    host, own = as_features(x), np.arange(len(groups))[rows]
    out = np.full((len(own), k), -1, np.int32)
    if not len(own):
        return out
    if scanned:
        found, near = merged(*scanned)
    else:
        found, near = scan_groups(x, groups, k, among, method, block_size, half)
        found, near = found[rows], near[rows]
    if among == "other":  # the row itself stands before them, as it does among those of its own group
        found = np.concatenate([own[:, None].astype(np.int32), found], axis=1)
        near = np.concatenate([np.zeros((len(own), 1), np.float32), near], axis=1)
    wanted = min(k + (among == "other"), found.shape[1])
    scan, norms = scan_of(x, host, checked_method(x, k, method), block_size, half)
    found, near, doubtful = scan.ranked(own, found, near, wanted)
    found, _ = refine(host, norms, own, found, near, wanted, doubtful, groups, among)
    found = found[:, among == "other":]
    out[:, :found.shape[1]] = found
    return out


def _taken(x: Features, rows: NDArray[np.int64]) -> Features:
    if is_paddle_tensor(x):
        import paddle

        return paddle.gather(x, paddle.to_tensor(rows, place=x.place))
    return np.asarray(x)[rows]
