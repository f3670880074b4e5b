"""Show the clusters of runs side by side, epoch by epoch: a markdown table.

    ise cluster-report baseline=output/ISE_R50_baseline ISE=output/ISE_R50

from the clusters.csv of each run. With --pattern (as of a data set) identities and cameras are read off the file names
instead, and the figures worked out again from pseudo_labels/; so it is for runs that kept no csv file.
"""
from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from ..config.keys import nearest
from ..errors import ISEError
from . import program

__all__ = ["main", "markdown", "parser"]

COLUMNS = ["clusters", "outliers", "purity", "identities_per_cluster", "clusters_per_identity", "cross_camera", "ari",
           "nmi", "ari_to_last"]
#: Epoch -> name -> figure of its clusters.
History = Mapping[int, Mapping[str, float]]


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = program.make_parser("cluster-report", __doc__)
    parser.add_argument("runs", nargs="+", metavar="[NAME=]FOLDER", help="output folders of training runs")
    parser.add_argument("--pattern", help="regular expression with the groups pid and camid")
    parser.add_argument("--columns", nargs="+", default=COLUMNS, metavar="COLUMN",
                        help="of clusters.csv (default: %(default)s)")
    parser.add_argument("--every", type=program.positive, default=1, metavar="EPOCHS",
                        help="between two lines; the last is always shown (default: %(default)s)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns: the exit code."""
    return program.run(parser(), _report, arguments)


def _report(options: argparse.Namespace) -> None:
    runs = {name or folder: _history(folder, options.pattern)
            for name, _, folder in (run.rpartition("=") for run in options.runs)}
    _check_columns(options.columns, runs)
    print(markdown(runs, options.columns, options.every))


def _check_columns(columns: Sequence[str], runs: Mapping[str, History]) -> None:
    """Refuse a column that no run has; a clustering of one's own adds some."""
    known = {*COLUMNS, *(column for history in runs.values() for figures in history.values() for column in figures)}
    for column in columns:
        if column not in known:
            near = nearest(column, known)
            raise ISEError(f"--columns: no run has {column}{f', did you mean {near}?' if near else '.'} "
                           f"Known are {', '.join(sorted(known))}")


def _history(folder: str, pattern: str | None) -> History:
    from ..visualize import cluster_history, run_tables

    if pattern:
        return cluster_history(folder, pattern)
    return run_tables(folder)["clusters"] or cluster_history(folder)


def markdown(runs: Mapping[str, History], columns: Sequence[str], every: int = 1) -> str:
    """A line per epoch; a cell holds the figure of every run in turn."""
    epochs = sorted({epoch for history in runs.values() for epoch in history})
    head = ["epoch", *(column.replace("_", " ") for column in columns)]
    lines = [f"Each cell: {' / '.join(runs)}.", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for epoch in epochs:
        if (epoch - epochs[0]) % every == 0 or epoch == epochs[-1]:
            cells = [" / ".join(_shown(column, history.get(epoch, {}).get(column)) for history in runs.values())
                     for column in columns]
            lines.append(f"| {epoch} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _shown(column: str, value: float | None) -> str:
    if value is None:
        return "-"
    if column in ("clusters", "outliers"):
        return f"{value:.0f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}".lstrip("0")
