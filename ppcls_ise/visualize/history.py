"""The clusters of a run over its epochs, from the pseudo labels it left: for runs long done too."""
from __future__ import annotations

import os
import re

import numpy as np

from ..data.images import MARKET_PATTERN
from ..errors import ISEError
from ..metric import cluster_report


def cluster_history(folder: str, pattern: str = MARKET_PATTERN) -> dict[int, dict]:
    """Describe every clustering of a run.

    Args:
        folder: output folder of a run, which holds ``pseudo_labels/epoch_N.npz``.
        pattern: regular expression with the group ``pid``, and ``camid`` where cameras are known, searched in the file
            names; identities of names it is not found in are unknown.

    Returns:
        epoch -> figures of :func:`ppcls_ise.metric.cluster_report`.

    Raises:
        ISEError: if there are no pseudo labels.
    """
    place = os.path.join(folder, "pseudo_labels")
    names = os.listdir(place) if os.path.isdir(place) else []
    epochs = sorted(int(found[1]) for found in (re.fullmatch(r"epoch_(\d+)\.npz", name) for name in names) if found)
    if not epochs:
        raise ISEError(f"there are no pseudo labels in {place}; name the output folder of a training run")
    history, previous, ids = {}, None, (None, None, None)
    for epoch in epochs:
        with np.load(os.path.join(place, f"epoch_{epoch}.npz")) as record:
            labels, paths = record["labels"], record["paths"]
        if ids[0] is None or not np.array_equal(paths, ids[0]):
            ids, previous = (paths, *_identify(paths, pattern)), None
        history[epoch] = cluster_report(labels, ids[1], ids[2], previous)
        previous = labels
    return history


def _identify(paths, pattern):
    expression = re.compile(pattern)
    found = [expression.search(os.path.basename(path)) for path in paths]
    return tuple(np.array([int(match[group]) if match else -1 for match in found])
                 if group in expression.groupindex else None for group in ("pid", "camid"))
