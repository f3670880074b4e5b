"""AP, INP and first rank of each query, counted instead of sorted."""
from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

MARKET, SAME_CAMERA = 0, 2
# Matches from which on sorting the gallery is faster than counting it once a match.
MANY = 200


def rank_block(distances, q_pids, q_cams, g_pids, g_cams, junk, own, protocol):
    """Results of a block of queries.

    Args:
        distances: ``[q, G]`` float32, ascending = better; overwritten.
        q_pids, q_cams: ``[q]`` int. g_pids, g_cams: ``[G]`` int. junk: ``[G]`` bool, never ranked.
        own: ``[q]`` int64, gallery index of the query image itself, -1 where it is not in the gallery.
        protocol (int): index into ``evaluate.PROTOCOLS``.

    Returns:
        ap, inp ``[q]`` float64 (NaN: no match) and the number of images before the first match ``[q]`` int64.
    """
    args = (distances, q_pids, q_cams, g_pids, g_cams, junk, own, protocol)
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    step = max(1, -(-len(q_pids) // threads))
    starts = range(0, len(q_pids), step)
    if len(starts) == 1:
        return _rank(*args, 0, len(q_pids))
    with ThreadPoolExecutor(len(starts)) as pool:
        parts = list(pool.map(lambda start: _rank(*args, start, min(start + step, len(q_pids))), starts))
    return tuple(np.concatenate(arrays) for arrays in zip(*parts))


@njit(nogil=True, cache=True)
def _count(distances, limit):
    """How many are at most ``limit``; a loop without a branch, so that it is compiled to vector instructions."""
    count = np.int32(0)
    for d in distances:
        count += np.int32(d <= limit)
    return count


@njit(nogil=True, cache=True)
def _ahead(distances, g):
    """How many are ranked before image g: those nearer, and those as near that come first in the gallery."""
    return _count(distances[:g], distances[g]) + _count(distances[g:], np.nextafter(distances[g], np.float32(-np.inf)))


@njit(nogil=True, cache=True)
def remove_unranked(distances, pid, camid, own, g_pids, g_cams, junk, protocol):
    """Puts what is not to be ranked for a query at an infinite distance.

    Args:
        distances: ``[G]`` float32 of the query, changed in place.
        pid, camid, own: of the query, as the rest in :func:`rank_block`.
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
def _rank(distances, q_pids, q_cams, g_pids, g_cams, junk, own, protocol, start, stop):
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
