"""What a run's tables show: the best and the last epoch, and curves over all of them."""
from __future__ import annotations

import os

from ..metric.epoch_table import Row, best_epoch, how_picked
from . import page
from .charts import line_chart, standalone

__all__ = ["best_and_last", "curves"]

#: Charts: title -> (table of the run, columns or an ending of theirs, the values are fractions).
CURVES = {
    "Retrieval on the test set": ("evaluation", ("mAP", "rank1", "mINP"), True),
    "Losses": ("training", ("Loss",), False),
    "Clusters and outliers": ("clusters", ("clusters", "outliers"), False),
    "Errors of the clustering": ("clusters", ("purity", "mixed", "split", "cross_camera"), True),
    "Identities per cluster, clusters per identity": (
        "clusters", ("identities_per_cluster", "clusters_per_identity"), False),
    "Agreement with identities and with the epoch before": ("clusters", ("ari", "nmi", "ari_to_last"), True),
    "Images in a cluster": ("clusters", ("size_q25", "size_median", "size_q75"), False),
    "Lambda": ("training", ("lambda",), False),
    "Learning rate": ("training", ("lr",), False),
}


def best_and_last(evaluation: dict[int, Row], best: str) -> str:
    """A section with the figures of two epochs; empty without an evaluation.

    Args:
        evaluation: epoch -> figures.
        best: the figure that the best epoch was picked by; empty for mAP.
    """
    if not evaluation:
        return ""
    columns = list(next(iter(evaluation.values())))
    metric = best or "mAP"
    chosen = {"last": max(evaluation), "best": best_epoch(evaluation, metric)}
    rows = [{"": name, **evaluation[epoch]} for name, epoch in chosen.items() if epoch is not None]
    sentence = how_picked(metric)
    return page.section("Best and last epoch", f"{sentence[0].upper()}{sentence[1:]}.",
                        page.table(["", *columns], rows))


def curves(folder: str, tables: dict[str, dict[int, Row]]) -> str:
    """A section with a chart for each of :data:`CURVES` that there are figures of; each is a file in ``folder``, too.

    Args:
        tables: ``clusters``, ``training``, ``evaluation``: each epoch -> figures.
    """
    panels = []
    for title, (name, endings, unit) in CURVES.items():
        # The losses of a training are columns of any beginning.
        series = _series(tables.get(name, {}), endings, whole=name != "training")
        if series:
            svg = line_chart(series, unit)
            page.write(os.path.join(folder, "curve_" + title.lower().split(",")[0].replace(" ", "_") + ".svg"),
                   standalone(svg))
            panels.append(page.chart_panel(title, svg, list(series)))
    if not panels:
        return ""
    clusters = [row for _, row in sorted(tables["clusters"].items())]
    names = list(dict.fromkeys(name for row in clusters for name in row))
    details = "<details><summary>The clusters of every epoch as a table</summary>" + page.table(
        names, clusters) + "</details>" if clusters else ""
    return page.section("Over the epochs", "Point at a curve for its values. The clusters are those the epoch was "
                        "trained on.", page.grid(panels), details)


def _series(rows: dict[int, Row], names: tuple[str, ...], whole: bool) -> dict[str, list[tuple[float, float]]]:
    """Column -> its points (epoch, value), for columns that are called, or unless ``whole`` end, as ``names`` say."""
    columns = dict.fromkeys(column for row in rows.values() for column in row)
    chosen = [column for name in names for column in columns if column == name or not whole and column.endswith(name)]
    series = {column.replace("_", " "): [(float(epoch), row[column]) for epoch, row in sorted(rows.items())
                                         if column in row] for column in chosen}
    return {column: points for column, points in series.items() if points}
