"""Cameras of images: codes, features with the cameras' style taken out, and what each camera saw of each cluster."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .camera_links import linked_cameras
from .camera_matches import best_matches
from .features import Features, as_features

__all__ = ["SIMILARITIES", "CameraProxies", "camera_codes", "camera_proxies", "camera_similarity", "known_cameras",
           "spanning_cameras", "standardized_by_camera"]

#: Names of the figures of :func:`camera_similarity`.
SIMILARITIES = ("similarity_same_camera", "similarity_other_camera", "similarity_linked_camera",
                "similarity_all_cameras", "camera_margin")
#: A camera with fewer images takes the statistics of all.
SMALLEST = 25


class CameraProxies(NamedTuple):
    """What each camera saw of each cluster: M pairs, by label and then by camera."""

    features: NDArray[np.float32]  #: [M, D], unit means
    labels: NDArray[np.int64]  #: [M], clusters 0..K-1
    cameras: NDArray[np.int64]  #: [M], codes of cameras 0..C-1
    partners: NDArray[np.bool_]  #: [C, C], cameras that a camera may share persons with


def known_cameras(cameras: ArrayLike | None) -> NDArray[np.int64] | None:
    """The cameras of images, if they tell images apart.

    Args:
        cameras: ``[N]`` int, negative where not known; or None.

    Returns:
        ``[N]`` int64 as given; None where fewer than two cameras are known.
    """
    if cameras is None:
        return None
    cameras = np.asarray(cameras, np.int64)
    return cameras if len(np.unique(cameras[cameras >= 0])) > 1 else None


def camera_codes(cameras: ArrayLike) -> NDArray[np.int64]:
    """Cameras numbered 0..C-1 in the order of their ids.

    Args:
        cameras: ``[N]`` int ids, negative where not known.

    Returns:
        ``[N]`` int64; -1 where not known.
    """
    cameras = np.asarray(cameras, np.int64)
    codes = np.full(len(cameras), -1, np.int64)
    known = cameras >= 0
    codes[known] = np.unique(cameras[known], return_inverse=True)[1].reshape(-1)
    return codes


def standardized_by_camera(x: Features, cameras: ArrayLike) -> NDArray[np.float32]:
    """Features less the mean of their camera, over its standard deviation, at unit length again.

    ``unit((f - mu_g) / (sigma_g + 1e-6))``, for clustering only (Song et al., ICLR 2025). It assumes that the cameras
    see the same mix of persons.

    Args:
        x: ``[N, D]`` float32 unit rows.
        cameras: ``[N]`` int, negative where not known: those are one camera. A camera of fewer than 25 images takes
            the statistics of all.

    Returns:
        ``[N, D]`` float32 unit rows.
    """
    x, cameras = as_features(x), np.asarray(cameras)
    out = np.empty_like(x)
    overall = _statistics(x) if len(x) else None
    for camera in np.unique(np.maximum(cameras, -1)):
        rows = np.flatnonzero(np.maximum(cameras, -1) == camera)
        mean, deviation = _statistics(x[rows]) if len(rows) >= SMALLEST else overall  # type: ignore[misc]
        own = (x[rows] - mean) / (deviation + 1e-6)
        out[rows] = own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)
    return out


def camera_proxies(x: Features, labels: ArrayLike, cameras: ArrayLike,
                   linked: ArrayLike | None = None) -> CameraProxies:
    """The unit mean of what each camera saw of each cluster (camera proxies of CAP, AAAI 2021).

    Args:
        x: ``[N, D]`` float32 unit rows.
        labels: ``[N]`` int, clusters 0..K-1, negative = outlier.
        cameras: ``[N]`` int codes of cameras, negative where not known. Both kinds of images are in no proxy.
        linked: ``[C, C]`` bool, symmetric: pairs of cameras that see the same persons. A camera without a link may
            share persons with any other, as may all by default.
    """
    x, labels, cameras = as_features(x), np.asarray(labels, np.int64), np.asarray(cameras, np.int64)
    rows = np.flatnonzero((labels >= 0) & (cameras >= 0))
    rows = rows[np.lexsort((cameras[rows], labels[rows]))]
    pairs = np.stack([labels[rows], cameras[rows]], axis=1)
    starts = np.flatnonzero((np.diff(pairs, axis=0, prepend=-1) != 0).any(axis=1))
    features = np.empty((len(starts), x.shape[1]), np.float32)
    for place, members in enumerate(np.split(rows, starts[1:]) if len(starts) else []):
        mean = x[members].mean(axis=0, dtype=np.float64)
        features[place] = mean / max(np.linalg.norm(mean), 1e-12)
    count = cameras.max(initial=-1) + 1
    partners = _partners(np.zeros((count, count), np.bool_) if linked is None else linked)
    return CameraProxies(features, pairs[starts, 0], pairs[starts, 1], partners)


def camera_similarity(proxies: CameraProxies) -> dict[str, float]:
    """How like each other clusters are within cameras and across them; needs no identities.

    Args:
        proxies: of :func:`camera_proxies`.

    Returns:
        Mean cosines: ``similarity_same_camera``, of a proxy and the most similar other one of its camera;
        ``similarity_other_camera``, and the most similar one of any other camera; ``similarity_linked_camera``, and of
        the cameras that its own is linked with by these proxies (:func:`linked_cameras`), of any where there is none;
        ``similarity_all_cameras``, of any two of different cameras. ``camera_margin``: the third less the fourth, how
        far what other cameras saw of a person stands out. It falls where training drives cameras apart, and rises
        where it gains across them. Nothing where no two proxies are of different cameras, or none of the same.
    """
    if not len(proxies.labels):
        return {}
    count = int(proxies.cameras.max()) + 1
    matches = best_matches(proxies.features, proxies.cameras, count)
    partners = _partners(linked_cameras(matches, proxies.cameras))[proxies.cameras]
    sums = np.zeros((count, proxies.features.shape[1]))
    np.add.at(sums, proxies.cameras, proxies.features)
    sizes = np.bincount(proxies.cameras, minlength=count)
    pairs = sizes.sum() ** 2 - np.square(sizes).sum()
    if not pairs or not np.isfinite(matches.own).any():
        return {}
    linked = np.where(partners, matches.similarity, -np.inf).max(axis=1)
    best = zip(SIMILARITIES, (matches.own, matches.similarity.max(axis=1), linked))
    found = {name: float(values[np.isfinite(values)].mean(dtype=np.float64)) for name, values in best}
    everything = float((np.square(sums.sum(axis=0)).sum() - np.square(sums).sum()) / pairs)
    return {**found, SIMILARITIES[3]: everything, SIMILARITIES[4]: found[SIMILARITIES[2]] - everything}


def spanning_cameras(labels: ArrayLike, cameras: ArrayLike) -> NDArray[np.int64]:
    """The clusters that two cameras or more have seen, numbered anew in the same order; all others are outliers.

    Args:
        labels: ``[N]`` int, clusters 0..K-1, negative = outlier.
        cameras: ``[N]`` int, negative where not known, which is no camera.

    Returns:
        ``[N]`` int64.
    """
    labels, cameras = np.asarray(labels, np.int64), np.asarray(cameras, np.int64)
    seen = np.unique(np.stack([labels, cameras], axis=1)[(labels >= 0) & (cameras >= 0)], axis=0)
    kept = np.bincount(seen[:, 0], minlength=labels.max(initial=-1) + 1) > 1
    numbers = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)  # the last is that of outliers
    return numbers[np.maximum(labels, -1)]


def _partners(linked: ArrayLike) -> NDArray[np.bool_]:
    """``[C, C]``, with all others for a camera that is linked with none."""
    partners = np.array(linked, np.bool_)
    partners[~partners.any(axis=1)] = True
    np.fill_diagonal(partners, False)
    return partners


def _statistics(x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return (x.mean(axis=0, dtype=np.float64).astype(np.float32), x.std(axis=0, dtype=np.float64).astype(np.float32))
