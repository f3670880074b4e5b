"""Everything there is to see of a run: pictures as files, and all of them in one ``report.html``."""
from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..metric import cluster_report
from ..metric.epoch_table import Row
from . import page
from .charts import group_colour, scatter, standalone
from .curves import best_and_last, curves
from .embedding import choose_for_map, flatten
from .pictures import BAD, GOOD, PLAIN, camera_label, contact_sheet
from .selection import RankList, cluster_sheets

__all__ = ["ImageSet", "Retrieval", "write_report"]

KINDS = {"largest": ("Largest clusters", "One colour is one identity, where identities are known."),
         "mixed": ("Most mixed clusters", "Several identities in one cluster: each has its colour, the most frequent "
                                          "comes first."),
         "split": ("Most split identities", "One identity in several clusters: one colour is one cluster."),
         "outliers": ("Outliers", "Images in no cluster; they take no part in an epoch.")}


class ImageSet(NamedTuple):
    """Images of one split with their features."""

    features: NDArray[np.float32]  #: float32 [N, D] unit rows
    pids: NDArray[np.int64] | None  #: int [N], None where identities are not known
    camids: NDArray[np.int64] | None  #: int [N]
    paths: list[str]
    cameras: tuple[str, ...] | None = None  #: name of camera 0, 1, ... where they have names

    @property
    def known_pids(self) -> NDArray[np.int64]:
        """``pids``, or -1 for each image where they are not known."""
        return np.full(len(self.paths), -1) if self.pids is None else self.pids

    def camera(self, index: int) -> str:
        """Camera of an image in a caption, empty where it is not known."""
        if self.camids is None or self.camids[index] < 0:
            return ""
        return camera_label(int(self.camids[index]) if self.cameras is None else self.cameras[self.camids[index]])


class Retrieval(NamedTuple):
    """An evaluation and the rank lists to show of it."""

    query: ImageSet
    gallery: ImageSet
    lists: list[RankList]
    figures: dict[str, float]  #: mAP, rank1, ..., fractions
    rules: str  #: how it was evaluated


def write_report(folder: str, title: str, subtitle: str, training: ImageSet, labels: NDArray[np.int64],
                 tables: dict[str, dict[int, Row]], retrieval: Retrieval | None = None,
                 best: str = "", progress: Callable[[str], None] = lambda step: None) -> str:
    """Draw everything.

    Args:
        folder: made where it is missing; older pictures in it are replaced.
        training: the training images.
        labels: int [N], the clusters of these features.
        tables: ``clusters``, ``training``, ``evaluation`` of the run, each epoch -> figures; empty where not kept.
        retrieval: None where there is no query and gallery.
        best: what is said below the best and the last epoch.
        progress: called with what comes next.

    Returns:
        The path of ``report.html``.
    """
    os.makedirs(folder, exist_ok=True)
    known = training.pids is not None and (training.pids >= 0).any()
    training = training if known else training._replace(pids=None)
    figures = cluster_report(labels, training.pids, training.camids)
    sections = [_key_figures(retrieval, figures), best_and_last(tables["evaluation"], best)]
    progress("curves")
    sections.append(curves(folder, tables))
    progress("map of the features")
    sections.append(_maps(folder, training, labels))
    if retrieval is not None:
        progress("rank lists")
        sections.append(_rank_lists(folder, retrieval))
    progress("contact sheets")
    sections.append(_sheets(folder, training, labels))
    path = os.path.join(folder, "report.html")
    page.write(path, page.page(title, subtitle, [part for part in sections if part]))
    return path


def _key_figures(retrieval: Retrieval | None, figures: dict[str, float]) -> str:
    values = {name: str(figures[name]) for name in ("clusters", "outliers")}
    values.update({name.replace("_", " "): f"{100 * figures[name]:.0f} %"
                   for name in ("purity", "mixed", "split", "cross_camera") if name in figures})
    parts = [page.cards(values), page.text(
        "The training images as these weights cluster them. Purity: images of their cluster's most frequent identity. "
        "Mixed: clusters of more than one identity. Split: identities in more than one cluster. Cross camera: clusters "
        "that span cameras.")]
    if retrieval is not None:
        parts = [page.cards({name.replace("rank", "rank-"): f"{100 * value:.1f} %"
                             for name, value in retrieval.figures.items()}),
                 page.text(f"Retrieval with these weights, {len(retrieval.query.paths)} queries in a gallery of "
                           f"{len(retrieval.gallery.paths)}: {retrieval.rules}."), *parts]
    return "".join(parts)


def _maps(folder: str, training: ImageSet, labels: NDArray[np.int64]) -> str:
    chosen = choose_for_map(training.pids if training.pids is not None else labels)
    if not len(chosen):
        return ""
    places = flatten(training.features[chosen])
    titles = [_title(training, labels, i) for i in chosen]
    panels = []
    for name, groups, text in (("pseudo labels", labels, "Rings are outliers."),
                               ("identities", training.pids, "What the network never sees.")):
        if groups is not None:
            svg = scatter(places, groups[chosen], titles)
            page.write(os.path.join(folder, f"map_{name.replace(' ', '_')}.svg"), standalone(svg))
            panels.append(page.panel(f"By {name}", text, svg))
    return page.section("Map of the features", f"{len(chosen)} of {len(labels)} training images by t-SNE. Hues "
                        "repeat: only neighbouring groups can be told apart.", page.grid(panels, wide=True))


def _title(training: ImageSet, labels: NDArray[np.int64], index: int) -> str:
    known = {"cluster": labels[index] if labels[index] >= 0 else "none",
             "identity": None if training.pids is None else training.pids[index],
             "camera": training.camera(index) or None}
    return ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)


def _rank_lists(folder: str, retrieval: Retrieval) -> str:
    query, gallery = retrieval.query, retrieval.gallery
    rows, sheet = [], []
    for found in retrieval.lists:
        q = found.query
        first = page.Query(query.paths[q], int(query.known_pids[q]), query.camera(q), found.ap)
        top = [page.Match(gallery.paths[g], gallery.camera(g), float(similarity), bool(right))
               for g, similarity, right in zip(found.matches, found.similarity, found.right)]
        rows.append(page.rank_list_row(first, top))
        sheet.append([(first.path, PLAIN, f"AP {first.ap:.2f}")] + [
            (match.path, GOOD if match.right else BAD, f"{match.similarity:.2f} {match.camera}") for match in top])
    contact_sheet(sheet).save(os.path.join(folder, "rank_lists.png"))
    return page.section("Rank lists", "From the query with the worst average precision to the one with the best, "
                        "evenly over all. Green and ✓: the same person. Below each image: cosine similarity and "
                        "camera.", *rows)


def _sheets(folder: str, training: ImageSet, labels: NDArray[np.int64]) -> str:
    parts = []
    for kind, sheets in cluster_sheets(labels, training.pids).items():
        title, text = KINDS[kind]
        parts.append(page.heading(title, text))
        rows = []
        for sheet in sheets:
            members = [page.Member(training.paths[i], int(group), _caption(training, labels, kind, i))
                       for i, group in zip(sheet.rows, sheet.groups)]
            parts.append(page.sheet_row(sheet.title, members))
            rows.append([(member.path, group_colour(member.group) if member.group >= 0 else PLAIN, member.caption)
                         for member in members])
        contact_sheet(rows).save(os.path.join(folder, f"clusters_{kind}.png"))
    return page.section("Clusters", "Training images as these weights cluster them.", *parts)


def _caption(training: ImageSet, labels: NDArray[np.int64], kind: str, index: int) -> str:
    name = f"cl {labels[index]}" if kind == "split" else "" if training.pids is None else f"id {training.pids[index]}"
    return f"{name} {training.camera(index)}".strip()
