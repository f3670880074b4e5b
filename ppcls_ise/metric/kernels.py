"""AP, INP and first rank of each query, counted instead of sorted."""
from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["rank", "remove_unranked"]

# Places in ``rules.PROTOCOLS``.
MARKET, SAME_CAMERA = 0, 2
# Matches from which on sorting the gallery is faster than counting it once a match.
MANY = 200

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@njit(nogil=True, cache=True)
def _count(distances: Floats, limit: np.float32) -> np.int32:
    """How many are at most ``limit``; a loop without a branch, so that it is compiled to vector instructions."""
    count = np.int32(0)
    for d in distances:
        count += np.int32(d <= limit)
    return count


@njit(nogil=True, cache=True)
def _ahead(distances: Floats, g: int) -> np.int32:
    """How many are ranked before image g: those nearer, and those as near that come first in the gallery."""
    return _count(distances[:g], distances[g]) + _count(distances[g:], np.nextafter(distances[g], np.float32(-np.inf)))


@njit(nogil=True, cache=True)
def remove_unranked(distances: Floats, pid: np.int64, camid: np.int64, own: np.int64,
                    g_pids: Ints, g_cams: Ints, junk: Flags, protocol: int) -> None:
    """Put what is not ranked for a query at an infinite distance.

    Args:
        distances: ``[G]`` float32 of the query, changed in place.
        pid, camid, own: of the query; the rest as of :class:`ppcls_ise.metric.rules.Removal`.
    """
    for g in range(len(distances)):
        removed = junk[g]
        if protocol == MARKET:
            removed |= (g_pids[g] == pid) & (g_cams[g] == camid)
        elif protocol == SAME_CAMERA:
            removed |= g_cams[g] != camid
        if removed:
            distances[g] = np.inf
    if own >= 0:
        distances[own] = np.inf


@njit(nogil=True, cache=True)
def rank(distances: Floats, q_pids: Ints, q_cams: Ints, own: Ints, g_pids: Ints,
         g_cams: Ints, junk: Flags, protocol: int, start: int, stop: int
         ) -> tuple[NDArray[np.float64], NDArray[np.float64], Ints]:
    """Results of the queries ``start`` to ``stop``.

    Args:
        distances: ``[Q, G]`` float32, ascending = better; overwritten.
        q_pids, q_cams, own, g_pids, g_cams, junk, protocol: as of :class:`ppcls_ise.metric.rules.Removal`.

    Returns:
        ap, inp ``[stop - start]`` float64 (NaN: no match) and the number of images before the first match, int64.
    """
    ap, inp = np.full(stop - start, np.nan), np.full(stop - start, np.nan)
    before_first = np.zeros(stop - start, np.int64)
    found = np.empty(len(g_pids), np.int64)
    for q in range(start, stop):
        row = distances[q]
        remove_unranked(row, q_pids[q], q_cams[q], own[q], g_pids, g_cams, junk, protocol)
        matches = 0
        for g in range(len(row)):
            if g_pids[g] == q_pids[q] and row[g] < np.inf:
                found[matches] = g
                matches += 1
        if matches == 0:
            continue
        order = found[:matches][np.argsort(row[found[:matches]], kind="mergesort")]
        # Only the matches are ranked. What is ahead of each is counted, which for the few matches of a re-ID gallery
        # takes less time than sorting the gallery.
        ranked = np.sort(row) if matches > MANY else row
        precision, p = 0.0, 0
        while p < matches:
            limit = row[order[p]]
            end = p + 1
            while end < matches and row[order[end]] == limit:  # equal distances are one threshold
                end += 1
            within = np.searchsorted(ranked, limit, side="right") if matches > MANY else _count(ranked, limit)
            precision += (end - p) * (end / within)
            p = end
        ap[q - start] = precision / matches
        before_first[q - start] = _ahead(row, order[0])
        inp[q - start] = matches / (_ahead(row, order[matches - 1]) + 1)
    return ap, inp, before_first
