"""The clusters of runs side by side, epoch by epoch: a markdown table.

    python tools/cluster_report.py baseline=output/baseline ISE=output/ISE

from the clusters.csv of each run. With --pattern (as of a data set) identities and cameras are read off the file names
instead, and the figures worked out anew from pseudo_labels/; so it is for runs that kept no csv file.
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ppcls_ise.cli import quiet  # noqa: E402

quiet.silence()

COLUMNS = ["clusters", "outliers", "purity", "identities_per_cluster", "clusters_per_identity", "cross_camera", "ari",
           "nmi", "ari_to_last"]


def main(argv=None):
    from ppcls_ise.errors import ISEError

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="[name=]folder", help="output folders of training runs")
    parser.add_argument("--pattern", help="regular expression with the groups pid and camid")
    parser.add_argument("--columns", nargs="+", default=COLUMNS, help="default: %(default)s")
    parser.add_argument("--every", type=int, default=1, help="epochs between two lines (the last is always shown)")
    arguments = parser.parse_args(argv)
    try:
        runs = {name or folder: history(folder, arguments.pattern)
                for name, _, folder in (run.rpartition("=") for run in arguments.runs)}
    except ISEError as error:
        sys.exit(f"error: {error}")
    print(markdown(runs, arguments.columns, arguments.every))


def history(folder, pattern):
    """epoch -> figures of its clusters."""
    from ppcls_ise.visualize import cluster_history, run_tables

    if pattern:
        return cluster_history(folder, pattern)
    return run_tables(folder)["clusters"] or cluster_history(folder)


def markdown(runs, columns, every=1):
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


def _shown(column, value):
    if value is None:
        return "-"
    if column in ("clusters", "outliers"):
        return f"{value:.0f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}".lstrip("0")


if __name__ == "__main__":
    main()
