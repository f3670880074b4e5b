"""Figures of a run, a row per epoch, in csv files that outlive an interruption."""
from __future__ import annotations

import csv
import os

__all__ = ["EpochTable", "read_table"]


class EpochTable:
    """A csv file with a row per epoch, rewritten as a whole so that it is never half a file.

    Args:
        path: the file.
        resumed: go on with the rows that are there: an epoch that is done again replaces its row, all others stay.
            Otherwise the first row begins the file anew, as the run does its log of weights.
    """

    def __init__(self, path: str, resumed: bool = False):
        self.path = path
        self.rows: dict[int, dict] = read_table(path) if resumed else {}

    def put(self, epoch: int, row: dict) -> None:
        """Write the figures of an epoch."""
        self.rows[epoch] = {"epoch": epoch, **row}
        columns = list(dict.fromkeys(name for _, row in sorted(self.rows.items()) for name in row))
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        temporary = self.path + ".tmp"
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            for _, row in sorted(self.rows.items()):
                writer.writerow({name: _shown(value) for name, value in row.items()})
        os.replace(temporary, self.path)


def _shown(value):
    return f"{value:.6g}" if isinstance(value, float) else value


def read_table(path: str) -> dict[int, dict]:
    """Rows of an :class:`EpochTable` by epoch, numbers as float; empty where there is no such file."""
    if not os.path.isfile(path):
        return {}
    with open(path, encoding="utf-8", newline="") as file:
        rows = [{name: float(value) for name, value in row.items() if name and value}
                for row in csv.DictReader(file)]
    return {int(row["epoch"]): {**row, "epoch": int(row["epoch"])} for row in rows}
