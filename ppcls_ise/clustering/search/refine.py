"""From the candidates of a scan to the exact neighbours.

Two squared distances are compared as float32 numbers, each summed in float64 and rounded once, the lower index first
where they are equal. That order is a property of the features alone, not of the device or library that scanned them.
"""
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...threads import over_rows
from .tiles import Among

__all__ = ["EXTRA", "EXTRA_COARSE", "ranked", "refine", "squared_distance"]

# Candidates beyond k, so that rows at (numerically) the distance of the k-th can be put in order exactly: after a
# float32 scan, and after a coarse one (float16, TF32).
EXTRA, EXTRA_COARSE = 8, 32
# Two squared distances nearer than this, relative to the squared norms, cannot be told apart by a float32 scan
# (|x|^2 + |y|^2 - 2xy over a few thousand dimensions errs by a few 1e-7).
RESOLUTION = 2e-6


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})
def squared_distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> np.float32:
    """Of two rows."""
    # Summed in float64 and rounded once: 0 for equal rows, the same value wherever equal rows lie in memory.
    total = 0.0
    for d in range(a.shape[0]):
        diff = np.float64(a[d]) - np.float64(b[d])
        total += diff * diff
    return np.float32(total)


@njit(nogil=True, cache=True)
def _settle(x: NDArray[np.float32], norms: NDArray[np.float32], rows: NDArray[np.int64], there: NDArray[np.int64],
            found: NDArray[np.int32], distances: NDArray[np.float32], k: int, start: int,
            stop: int) -> NDArray[np.bool_]:
    """Orders rows ``start..stop`` of the candidates, of which ``there`` are in all; True where the candidates were too
    few to be sure."""
    unsure = np.zeros(stop - start, np.bool_)
    exact = np.empty(found.shape[1], np.float32)
    for r in range(start, stop):
        own, width = rows[r], min(found.shape[1], there[r])
        # The row itself goes first whatever its computed distance; it is dropped from its place among the rest.
        place = width - 1
        for c in range(width):
            if found[r, c] == own:
                place = c
                break
        missing = found[r, place] != own
        for c in range(place, 0, -1):
            found[r, c] = found[r, c - 1]
            distances[r, c] = distances[r, c - 1]
        found[r, 0] = own
        distances[r, 0] = 0.0
        first = 1
        while first < width:
            last = first
            while last + 1 < width:
                scale = 2 * norms[own] + norms[found[r, last]] + norms[found[r, last + 1]]
                if distances[r, last + 1] - distances[r, last] > RESOLUTION * 0.5 * scale:
                    break
                last += 1
            if last > first and first < k:
                for c in range(first, last + 1):
                    exact[c] = squared_distance(x[own], x[found[r, c]])
                # Insertion sort: the groups are pairs nearly always.
                for c in range(first + 1, last + 1):
                    key, index = exact[c], found[r, c]
                    p = c - 1
                    while p >= first and (exact[p] > key or (exact[p] == key and found[r, p] > index)):
                        exact[p + 1], found[r, p + 1] = exact[p], found[r, p]
                        p -= 1
                    exact[p + 1], found[r, p + 1] = key, index
                for c in range(first, last + 1):
                    distances[r, c] = exact[c]
            if first < k and last == width - 1 and width < there[r]:
                unsure[r - start] = True  # the group of the k-th may go on beyond the candidates
            first = last + 1
        if missing and width < there[r]:
            unsure[r - start] = True
    return unsure


@njit(nogil=True, cache=True)
def ranked(x: NDArray[np.float32], rows: NDArray[np.int64], candidates: NDArray[np.int64], k: int, start: int,
           stop: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """``[rows, k]`` int32, the row itself and the nearest of its candidates (-1: none), and their distances."""
    found = np.full((stop - start, k), -1, np.int32)
    distances = np.full((stop - start, k), np.inf, np.float32)
    for r in range(start, stop):
        ids, near = found[r - start], distances[r - start]
        ids[0], near[0] = rows[r], 0.0
        for j in candidates[r]:
            if j < 0 or j == rows[r]:
                continue
            squared = squared_distance(x[rows[r]], x[j])
            p = k  # the place after the one it takes, counted from the end
            while p > 1 and (near[p - 1] > squared or (near[p - 1] == squared and ids[p - 1] > j)):
                p -= 1
            for c in range(k - 1, p, -1):
                ids[c], near[c] = ids[c - 1], near[c - 1]
            if p < k:
                ids[p], near[p] = j, squared
    return found, distances


@njit(nogil=True, cache=True)
def _distances_to(x: NDArray[np.float32], own: int, others: NDArray[np.int64]) -> NDArray[np.float32]:
    out = np.empty(len(others), np.float32)
    for c in range(len(others)):
        out[c] = squared_distance(x[own], x[others[c]])
    return out


def refine(x: NDArray[np.float32], norms: NDArray[np.float32], rows: NDArray[np.int64], found: NDArray[Any],
           distances: NDArray[Any], k: int, doubtful: NDArray[np.bool_] | None = None,
           groups: NDArray[np.int64] | None = None, among: Among = "all",
           ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Exact neighbours out of a float32 scan.

    Args:
        x: ``[N, D]`` float32. norms: ``[N]`` float32, squared lengths.
        rows: ``[M]`` int64, the rows searched for.
        found, distances: ``[M, C]`` candidates by ascending squared distance, C >= k.
        k: neighbours wanted.
        doubtful: ``[M]`` bool, rows whose candidates may lack a neighbour.
        groups: ``[N]`` int, the group of each row. among: whose rows the candidates are, the row itself always one.

    Returns:
        ``[M, k]`` int32 and ``[M, k]`` float32, the row itself first, equal distances by index; -1 and inf where there
        are fewer.
    """
    there = np.full(len(rows), len(x), np.int64)
    if groups is not None and among != "all":
        of_group = np.unique(groups, return_inverse=True, return_counts=True)
        own_group = of_group[2][of_group[1].reshape(-1)[rows]]
        there = own_group if among == "same" else len(x) - own_group + 1
    found = np.ascontiguousarray(found, dtype=np.int32)
    distances = np.ascontiguousarray(distances, dtype=np.float32)
    doubt = np.concatenate(over_rows(_settle, len(rows), x, norms, rows, there, found, distances, k))
    unsure = np.flatnonzero(doubt if doubtful is None else doubt | doubtful)
    found, distances = found[:, :k].copy(), distances[:, :k].copy()
    # Few rows come here, as those with a crowd of duplicates, so a full pass for each of them is affordable.
    block = max(1, 2 ** 24 // len(x))
    for start in range(0, len(unsure), block):
        part = unsure[start:start + block]
        own = rows[part]
        scan = norms[own][:, None] + norms - 2 * (x[own] @ x.T)
        for r, i, row in zip(part, own, scan):
            if groups is not None and among != "all":
                row[(groups == groups[i]) != (among == "same")] = np.inf
                row[i] = 0
            limit = np.partition(row, k - 1)[k - 1] + RESOLUTION * (norms[i] + norms.max())
            near = np.flatnonzero(row <= limit)
            near = near[near != i]
            exact = _distances_to(x, i, near)
            order = np.lexsort((near, exact))[:k - 1]
            found[r, 0], distances[r, 0] = i, 0.0
            found[r, 1:], distances[r, 1:] = near[order], exact[order]
    return found, distances
