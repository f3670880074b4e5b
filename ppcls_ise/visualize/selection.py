"""What is worth looking at: which queries, clusters and identities the pictures show."""
from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..metric import Rules, find_removal

#: Features float32 [N, D] unit rows, pids int [N], camids int [N] or None where they are not known.
Side = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64] | None]
MARKET = Rules()


class RankList(NamedTuple):
    """A query and its best ranked gallery images."""

    query: int  #: index of the query
    ap: float  #: its average precision, NaN where nothing can match it
    matches: np.ndarray  #: int [n], gallery indices, best first
    right: np.ndarray  #: bool [n], of the query's identity
    similarity: np.ndarray  #: float [n], cosine


class Sheet(NamedTuple):
    """A row of training images with something in common."""

    title: str
    images: np.ndarray  #: int [n], indices of training images
    groups: np.ndarray  #: int [n], images of one number are framed in one colour


def spread_by_precision(ap: np.ndarray, count: int) -> np.ndarray:
    """Queries from the worst to the best by average precision, evenly over all; those without a match are left out."""
    valid = np.flatnonzero(~np.isnan(ap))
    order = valid[np.argsort(ap[valid], kind="stable")]
    return order[np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))]


def rank_lists(chosen: Iterable[int], query: Side, gallery: Side, ap: NDArray[np.float64] | None = None,
               rules: Rules = MARKET, top: int = 10) -> list[RankList]:
    """The best ranked gallery images of some queries, as :func:`ppcls_ise.metric.evaluate` ranks them.

    Args:
        chosen: int [n], queries.
        query, gallery: :data:`Side`; cameras that are known of one alone are not looked at.
        ap: float [Q], to be shown with the query.
        rules: of the evaluation.
        top: images a list.
    """
    (q_features, q_pids, q_cams), (g_features, g_pids, g_cams) = query, gallery
    if q_cams is None or g_cams is None:
        q_cams = g_cams = None
    removal = find_removal(rules, q_pids, q_cams, g_pids, g_cams)
    lists = []
    for q in chosen:
        similarity = g_features @ q_features[q]
        order = np.array(-similarity if rules.distances is None else rules.distances(slice(q, q + 1))[0])
        removal.apply(order, q)
        found = np.argsort(order, kind="stable")[:min(top, int(np.isfinite(order).sum()))]
        lists.append(RankList(int(q), float("nan") if ap is None else float(ap[q]), found,
                              g_pids[found] == q_pids[q], similarity[found]))
    return lists


def cluster_sheets(labels: np.ndarray, pids: np.ndarray | None, clusters: int = 3, images: int = 13) -> dict:
    """The clusters to look at.

    Args:
        labels: int [N], -1 = outlier.
        pids: int [N] or None where identities are not known; then there are no mixed and split ones.
        clusters: sheets of each kind.
        images: at most so many on a sheet.

    Returns:
        kind -> list of :class:`Sheet`: ``largest`` clusters, ``mixed`` ones with the most images that are not of the
        most frequent identity, identities ``split`` over the most clusters, ``outliers``. Kinds without any are left
        out.
    """
    members = [np.flatnonzero(labels == label) for label in range(labels.max(initial=-1) + 1)]
    sheets = {"largest": [Sheet(f"Cluster {label}, {len(members[label])} images", _thin(members[label], images),
                                _identities(pids, _thin(members[label], images)))
                          for label in _most([len(own) for own in members], clusters)]}
    if pids is not None:
        foreign = [len(own) - np.unique(pids[own], return_counts=True)[1].max(initial=0) for own in members]
        sheets["mixed"] = [_mixed(label, members[label], pids, images) for label in _most(foreign, clusters)]
        names = np.unique(pids[pids > 0])
        spread = [len(np.unique(labels[(pids == pid) & (labels >= 0)])) - 1 for pid in names]
        sheets["split"] = [_split(names[place], labels, pids, images) for place in _most(spread, clusters)]
    outliers = np.flatnonzero(labels < 0)
    if len(outliers):
        sheets["outliers"] = [Sheet(f"{len(outliers)} images in no cluster", _thin(outliers, 2 * images),
                                    np.full(min(len(outliers), 2 * images), -1))]
    return {kind: rows for kind, rows in sheets.items() if rows}


def _most(counts, number):
    """Places of the largest counts above 0."""
    order = np.argsort(-np.asarray(counts, dtype=np.int64), kind="stable")[:number]
    return [int(place) for place in order if counts[place] > 0]


def _thin(indices, number):
    """At most so many of the indices, evenly."""
    return indices[np.linspace(0, len(indices) - 1, min(number, len(indices))).round().astype(int)]


def _identities(pids, indices):
    return np.full(len(indices), -1) if pids is None else pids[indices]


def _mixed(label, own, pids, images):
    names, counts = np.unique(pids[own], return_counts=True)
    rank = dict(zip(names[np.argsort(-counts, kind="stable")], range(len(names))))
    chosen = _thin(own[np.argsort([rank[pid] for pid in pids[own]], kind="stable")], images)
    return Sheet(f"Cluster {label}, {len(own)} images of {len(names)} identities", chosen, pids[chosen])


def _split(pid, labels, pids, images):
    own = np.flatnonzero((pids == pid) & (labels >= 0))
    own = own[np.argsort(labels[own], kind="stable")]
    chosen = _thin(own, images)
    outliers = int(((pids == pid) & (labels < 0)).sum())
    return Sheet(f"Identity {pid}, {len(own)} images in {len(np.unique(labels[own]))} clusters"
                 + (f" and {outliers} in none" if outliers else ""), chosen, labels[chosen])
