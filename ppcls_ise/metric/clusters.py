"""What a clustering did to the identities: the two errors ISE is about, counted."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

__all__ = ["FIGURES", "cluster_report"]

QUANTILES = {"size_min": 0.0, "size_q25": 0.25, "size_median": 0.5, "size_q75": 0.75, "size_max": 1.0}

#: Names of all figures of a :func:`cluster_report`, in their order.
FIGURES = ("clusters", "outliers", *QUANTILES, "ari_to_last", "cross_camera", "cross_camera_images",
           "cross_camera_kept", "purity", "identities_per_cluster", "mixed", "clusters_per_identity", "split", "ari",
           "nmi", "recall_same_camera", "recall_cross_camera")


def cluster_report(labels: ArrayLike, pids: ArrayLike | None = None, camids: ArrayLike | None = None,
                   previous: ArrayLike | None = None) -> dict[str, float]:
    """Describe pseudo labels, and where identities are known compare them with these.

    Clustering makes two errors (Zhang et al., CVPR 2022, arXiv 2204.06892): it *mixes* identities in one cluster, and
    it splits one identity into *sub*-clusters. In ARI and NMI every outlier is a class of its own.

    Args:
        labels: ``[N]`` int, cluster of each image, negative = outlier.
        pids: ``[N]`` int identities, negative = unknown, such images count in no figure about identities; None: no
            identity is known.
        camids: ``[N]`` int cameras, negative = unknown, such images count in no figure about cameras; None: no camera
            is known.
        previous: ``[N]`` int, the labels of the clustering before, or None.

    Returns:
        dict, name -> int or float, in this order (what is not known is left out):
            - ``clusters``, ``outliers``: how many.
            - ``size_min``, ``size_q25``, ``size_median``, ``size_q75``, ``size_max``: images in a cluster.
            - ``ari_to_last``: adjusted Rand index against ``previous``; 1 = the same clusters.
            - ``cross_camera``: share of clusters with images of more than one camera. ``cross_camera_images``: share
              of the images that are in such clusters. ``cross_camera_kept``: share of the pairs of images of two
              cameras that ``previous`` had in one cluster which still are.
            - ``purity``: share of the clustered images that are of their cluster's most frequent identity.
            - ``identities_per_cluster``: mean; above 1 by mixed clusters. ``mixed``: share of clusters with more than
              one identity.
            - ``clusters_per_identity``: mean over the identities with a clustered image; above 1 by sub-clusters.
              ``split``: share of these identities that lie in more than one cluster.
            - ``ari``, ``nmi``: adjusted Rand index and normalised mutual information with the identities.
            - ``recall_same_camera``, ``recall_cross_camera``: share of the pairs of one identity, within a camera and
              across two, that are in one cluster.

    Raises:
        ValueError: arrays of different lengths.

    Example:
        >>> report = cluster_report([0, 0, 1, 1, -1], pids=[7, 7, 7, 8, 8])
        >>> report["clusters"], report["purity"], report["mixed"], report["split"]
        (2, 0.75, 0.5, 0.5)
    """
    labels = np.asarray(labels)
    pids, camids, previous = (_as_many(labels, name, ids) for name, ids in (
        ("pids", pids), ("camids", camids), ("previous", previous)))
    camids = np.full(len(labels), -1) if camids is None else camids
    seen = camids >= 0
    inside = labels >= 0
    sizes = np.unique(labels[inside], return_counts=True)[1]
    report: dict[str, float] = {"clusters": len(sizes), "outliers": int((~inside).sum())}
    if len(sizes):
        report.update({name: float(np.quantile(sizes, q)) for name, q in QUANTILES.items()})
    if previous is not None:
        report["ari_to_last"] = float(adjusted_rand_score(_own_classes(previous), _own_classes(labels)))
    clustered = inside & seen
    if clustered.any():
        report["cross_camera"] = _share_of_many(labels[clustered], camids[clustered])[1]
        report["cross_camera_images"] = _images_of_many(labels[clustered], camids[clustered]) / int(seen.sum())
        if previous is not None:
            last = seen & (previous >= 0)
            both = clustered & last
            before = _pairs(previous[last]) - _pairs(previous[last], camids[last])
            kept = _pairs(previous[both], labels[both]) - _pairs(previous[both], labels[both], camids[both])
            if before:
                report["cross_camera_kept"] = kept / before
    if pids is not None and (pids >= 0).any():
        known = pids >= 0
        report.update(_against_identities(labels[known], pids[known], camids[known]))
    return report


def _as_many(labels: NDArray[Any], name: str, ids: ArrayLike | None) -> NDArray[Any] | None:
    if ids is None:
        return None
    ids = np.asarray(ids)
    if ids.shape != labels.shape:
        raise ValueError(f"{len(labels)} labels need as many {name}, got {list(ids.shape)}")
    return ids


def _against_identities(labels: NDArray[Any], pids: NDArray[Any], camids: NDArray[Any]) -> dict[str, float]:
    report: dict[str, float] = {}
    inside = labels >= 0
    if inside.any():
        clusters, identities = labels[inside], pids[inside]
        first, counts = _joint(clusters, identities)
        starts = np.flatnonzero(np.diff(clusters[first], prepend=-1))
        report["purity"] = float(np.maximum.reduceat(counts, starts).sum() / len(clusters))
        report["identities_per_cluster"], report["mixed"] = _share_of_many(clusters, identities)
        report["clusters_per_identity"], report["split"] = _share_of_many(identities, clusters)
    own = _own_classes(labels)
    report["ari"] = float(adjusted_rand_score(pids, own))
    report["nmi"] = float(normalized_mutual_info_score(pids, own))
    pids, camids, own = (ids[camids >= 0] for ids in (pids, camids, own))
    one_camera, all_pairs = _pairs(pids, camids), _pairs(pids)
    together, together_anywhere = _pairs(pids, camids, own), _pairs(pids, own)
    if one_camera:
        report["recall_same_camera"] = together / one_camera
    if all_pairs > one_camera:
        report["recall_cross_camera"] = (together_anywhere - together) / (all_pairs - one_camera)
    return report


def _own_classes(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels with every outlier a class of its own."""
    return np.where(labels >= 0, labels, labels.max(initial=-1) + 1 + np.arange(len(labels)))


def _share_of_many(groups: NDArray[Any], values: NDArray[Any]) -> tuple[float, float]:
    """Mean number of different values in a group, and the share of groups with more than one."""
    many = np.unique(groups[_joint(groups, values)[0]], return_counts=True)[1]
    return float(many.mean()), float((many > 1).mean())


def _images_of_many(groups: NDArray[Any], values: NDArray[Any]) -> int:
    """How many images are in a group with more than one value."""
    seen = np.bincount(groups[_joint(groups, values)[0]])
    return int((seen[groups] > 1).sum())


def _pairs(*keys: NDArray[Any]) -> int:
    """How many pairs of images agree in all keys."""
    counts = _joint(*keys)[1].astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())


def _joint(*keys: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The different combinations of keys, sorted: an image of each, and how many there are of it."""
    code = np.zeros(len(keys[0]), np.int64)
    for key in keys:
        names, place = np.unique(key, return_inverse=True)
        code = code * len(names) + place
    _, images, counts = np.unique(code, return_index=True, return_counts=True)
    return images, counts
