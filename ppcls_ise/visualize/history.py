"""What a run left of its epochs: its csv files, or the clusters by the pseudo labels of runs that kept none."""
from __future__ import annotations

import os
import re

import numpy as np
from numpy.typing import NDArray

from ..errors import ISEError
from ..images.listing import ImageList, identified_list
from ..images.names import MARKET_PATTERN
from ..metric import cluster_report
from ..metric.epoch_table import Row, read_table

__all__ = ["cluster_history", "run_tables"]

TABLES = ("clusters", "training", "evaluation")


def run_tables(folder: str) -> dict[str, dict[int, Row]]:
    """Figures of a run.

    Args:
        folder: its output folder, with ``clusters.csv``, ``training.csv`` and ``evaluation.csv``, or at least
            ``pseudo_labels/``.

    Returns:
        ``clusters``, ``training``, ``evaluation``: each epoch -> figures, empty where nothing was kept.
    """
    tables = {name: read_table(os.path.join(folder, f"{name}.csv")) for name in TABLES}
    if not tables["clusters"] and os.path.isdir(os.path.join(folder, "pseudo_labels")):
        tables["clusters"] = {epoch: {"epoch": epoch, **row} for epoch, row in cluster_history(folder).items()}
    return tables


def cluster_history(folder: str, pattern: str = MARKET_PATTERN) -> dict[int, dict[str, float]]:
    """Describe every clustering of a run.

    A record that ``clusters.csv`` of the run has no row for is left out: it is of a run that was abandoned.

    Args:
        folder: output folder of a run, which holds ``pseudo_labels/epoch_N.npz``.
        pattern: regular expression with the group ``pid``, and ``camid`` where cameras are known, searched in the file
            names; identities of names it is not found in are unknown.

    Returns:
        epoch -> figures of :func:`ppcls_ise.metric.cluster_report`.

    Raises:
        ISEError: if there are no pseudo labels, or for a pattern that is none or finds no numbers.
    """
    place = os.path.join(folder, "pseudo_labels")
    names = os.listdir(place) if os.path.isdir(place) else []
    epochs = {int(found[1]) for found in (re.fullmatch(r"epoch_(\d+)\.npz", name) for name in names) if found}
    # Where a run is resumed the table is cut, and the records stay: the table says which are of this run, so nothing
    # that took hours to make has to be deleted.
    epochs &= read_table(os.path.join(folder, "clusters.csv")).keys() or epochs
    if not epochs:
        raise ISEError(f"there are no pseudo labels in {place}; name the output folder of a training run")
    history: dict[int, dict[str, float]] = {}
    previous: NDArray[np.int64] | None = None
    image_list: ImageList | None = None
    for epoch in sorted(epochs):
        with np.load(os.path.join(place, f"epoch_{epoch}.npz")) as record:
            labels, paths = record["labels"], record["paths"].tolist()
        if image_list is None or paths != image_list.names:
            image_list, previous = identified_list("", paths, pattern, everywhere=False), None
        history[epoch] = cluster_report(labels, image_list.pids, image_list.camids, previous)
        previous = labels
    return history
