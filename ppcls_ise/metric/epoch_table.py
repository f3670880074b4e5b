"""Figures of a run, a row per epoch, in csv files that outlive an interruption."""
from __future__ import annotations

import csv
import os
from typing import Any

from ..files import replacing

__all__ = ["UNLABELLED", "EpochTable", "Row", "best_epoch", "how_picked", "read_table"]

#: The figure that picks the best epoch without identities: see :meth:`ppcls_ise.engine.ClusterHook.camera_margin`.
UNLABELLED = "unlabelled"

#: Name of a figure -> its value, in the order of the columns.
Row = dict[str, Any]


class EpochTable:
    """A csv file with a row per epoch, rewritten as a whole so that it is never half a file.

    Args:
        path: the file.
        resumed: the epoch that a resumed run goes on from. Rows up to it are kept; later ones are of a run that was
            abandoned, and no longer count. None: the first row replaces the file.
    """

    def __init__(self, path: str, resumed: int | None = None):
        self.path = path
        self.rows: dict[int, Row] = {} if resumed is None else {
            epoch: row for epoch, row in read_table(path).items() if epoch <= resumed}

    def put(self, epoch: int, row: Row) -> None:
        """Write the figures of an epoch."""
        self.rows[epoch] = {"epoch": epoch, **row}
        self._write()

    def trim(self) -> bool:
        """Take the rows that no longer count out of the file; False where there are none."""
        stale = bool(read_table(self.path).keys() - self.rows.keys())
        if stale and self.rows:
            self._write()
        elif stale:
            os.remove(self.path)
        return stale

    def _write(self) -> None:
        columns = list(dict.fromkeys(name for _, row in sorted(self.rows.items()) for name in row))
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        with replacing(self.path) as new, open(new, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            for _, row in sorted(self.rows.items()):
                writer.writerow({name: _shown(value) for name, value in row.items()})


def _shown(value: Any) -> Any:
    # In full: a resumed run compares what it reads here with new figures, and equal ones have to be equal.
    return repr(float(value)) if isinstance(value, float) else value


def read_table(path: str) -> dict[int, Row]:
    """Rows of an :class:`EpochTable` by epoch, numbers as float; empty where there is no such file."""
    if not os.path.isfile(path):
        return {}
    with open(path, encoding="utf-8", newline="") as file:
        rows = [{name: float(value) for name, value in row.items() if name and value}
                for row in csv.DictReader(file)]
    return {int(row["epoch"]): {**row, "epoch": int(row["epoch"])} for row in rows}


def best_epoch(rows: dict[int, Row], metric: str) -> int | None:
    """The epoch with the highest figure ``metric``, the first of equal ones as ``best_model`` is; None without rows."""
    return max(sorted(rows), key=lambda epoch: rows[epoch].get(metric, float("-inf")), default=None)


def how_picked(metric: str) -> str:
    """A sentence on what the best epoch is worth."""
    if metric == UNLABELLED:
        return ("the best epoch was picked without labels, by how alike clusters of different cameras are: its figures "
                "are as honest as the last epoch's")
    return (f"the best epoch was picked by {metric} on the test set itself, so its figures are too good; report the "
            "last epoch's")
