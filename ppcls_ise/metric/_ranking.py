"""AP, INP and first rank of each query, counted instead of sorted."""
from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

MARKET, SAME_CAMERA = 0, 2


def rank_block(distances, q_pids, q_cams, g_pids, g_cams, junk, own, protocol):
    """Results of a block of queries.

    Args:
        distances: ``[q, G]`` float32, ascending = better.
        q_pids, q_cams: ``[q]`` int64. g_pids, g_cams: ``[G]`` int64. junk: ``[G]`` bool, never ranked.
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
def _rank(distances, q_pids, q_cams, g_pids, g_cams, junk, own, protocol, start, stop):
    ap, inp = np.full(stop - start, np.nan), np.full(stop - start, np.nan)
    first_rank = np.zeros(stop - start, np.int64)
    size = len(g_pids)
    matches, order = np.empty(size, np.float32), np.empty(size, np.int64)
    ranked = np.empty(size, np.bool_)
    for q in range(start, stop):
        count = 0
        for g in range(size):
            same = g_pids[g] == q_pids[q]
            keep = not junk[g] and g != own[q]
            if protocol == MARKET:
                keep = keep and not (same and g_cams[g] == q_cams[q])
            elif protocol == SAME_CAMERA:
                keep = keep and g_cams[g] == q_cams[q]
            ranked[g] = keep
            if keep and same:
                matches[count] = distances[q, g]
                order[count] = g
                count += 1
        if count == 0:
            continue
        by_distance = np.argsort(matches[:count], kind="mergesort")
        thresholds = matches[:count][by_distance]
        first, last = order[by_distance[0]], order[by_distance[count - 1]]
        # ahead[p]: ranked images whose distance is above thresholds[p - 1] and at most thresholds[p].
        ahead = np.zeros(count, np.int64)
        before_first, before_last = 0, 0
        for g in range(size):
            d = distances[q, g]
            if not ranked[g] or d > thresholds[count - 1]:
                continue
            ahead[np.searchsorted(thresholds, d)] += 1
            before_first += d < thresholds[0] or (d == thresholds[0] and g < first)
            before_last += d < thresholds[count - 1] or g < last
        total, precision, within = 0, 0.0, 0
        p = 0
        while p < count:
            # Matches at the same distance are one threshold; searchsorted counted its images at the first of them.
            end = p
            while end < count and thresholds[end] == thresholds[p]:
                within += ahead[end]
                end += 1
            total = end
            precision += (end - p) * (total / within)
            p = end
        ap[q - start] = precision / count
        inp[q - start] = count / (before_last + 1)
        first_rank[q - start] = before_first
    return ap, inp, first_rank
