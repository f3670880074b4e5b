"""The protocols once more, query by query with the gallery fully sorted: slow and obvious."""
import numpy as np
from sklearn.metrics import average_precision_score


def ranking(q, qf, qp, qc, gf, gp, gc, protocol="market", junk_pid=-1, own=None):
    """Gallery images that are ranked for query q, nearest first, and their distances."""
    distance = ((qf[q].astype(np.float64) - gf.astype(np.float64)) ** 2).sum(1)
    keep = np.ones(len(gf), bool) if junk_pid is None else gp != junk_pid
    if own is not None and own[q] >= 0:
        keep[own[q]] = False
    if protocol == "market" and qc is not None:
        keep &= (gp != qp[q]) | (gc != qc[q])
    if protocol == "same_camera":
        keep &= gc == qc[q]
    order = np.argsort(distance, kind="stable")
    order = order[keep[order]]
    return order, distance[order]


def twin(qf, qp, qc, gf, gp, gc, topk=50, **rules):
    """What :func:`ppcls_ise.metric.evaluate` returns."""
    ap, inps, hits = np.full(len(qf), np.nan), [], np.zeros(topk)
    for q in range(len(qf)):
        order, distance = ranking(q, qf, qp, qc, gf, gp, gc, **rules)
        match = gp[order] == qp[q]
        if not match.any():
            continue
        ap[q] = average_precision_score(match, -distance)
        ranks = np.flatnonzero(match)
        inps.append(len(ranks) / (ranks[-1] + 1))
        if ranks[0] < topk:
            hits[ranks[0]:] += 1
    count = max(len(inps), 1)
    return {"mAP": np.nansum(ap) / count, "mINP": sum(inps) / count, "cmc": hits / count, "valid_queries": len(inps),
            "ap": ap}
