"""What is wrong between the splits of a data set: files in two of them, identities and cameras that do not fit."""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ..errors import some
from .findings import Finding, SplitReport, distinct
from .listing import ImageList
from .reading import shown

__all__ = ["check_across"]

Reports = Mapping[str, SplitReport]


def check_across(reports: Reports, protocol: str) -> list[Finding]:
    """Compare the splits that could be listed.

    Args:
        reports: by their names, ``Train``, ``Query``, ``Gallery``.
        protocol: ``Global.protocol``, by which they will be evaluated.
    """
    lists = {name: report.image_list for name, report in reports.items()}
    train, query, gallery = (lists.get(name) for name in ("Train", "Query", "Gallery"))
    findings = [*_copies(reports), *_shared_files(reports), *_unknown_identities(lists)]
    if train is not None:
        findings += _one_camera(train)
    if query is None or gallery is None or query.pids is None or gallery.pids is None:
        return findings
    if train is not None and train.pids is not None:
        findings += _known_people(query, train)
    findings += _missing_people(query, gallery)
    if protocol == "market":
        findings += _own_camera_only(query, gallery)
    return findings


def _copies(reports: Reports) -> list[Finding]:
    findings = []
    for name, report in reports.items():
        groups = [files for files in report.digests.values() if len(files) > 1]
        if groups:
            copies = sum(map(len, groups)) - len(groups)
            findings.append(Finding(False, name, f"{copies} files are copies of others "
                                    f"({some(map(' = '.join, groups))}): they form clusters of their own; consider "
                                    "taking the copies out"))
    return findings


def _shared_files(reports: Reports) -> list[Finding]:
    findings = []
    for first, second in (("Train", "Query"), ("Train", "Gallery"), ("Query", "Gallery")):
        own, other = (reports[name].digests if name in reports else {} for name in (first, second))
        pairs = [f"{own[digest][0]} = {other[digest][0]}" for digest in own if digest in other]
        if pairs:
            findings.append(Finding(first == "Train", second, f"{len(pairs)} files are also in {first} "
                                    f"({some(pairs)}); take them out of one of the two"))
    return findings


def _unknown_identities(lists: Mapping[str, ImageList]) -> list[Finding]:
    return [Finding(True, name, "its images have no identities; an evaluation needs ReIDImages with a pattern that has "
                    "the group pid") for name in ("Query", "Gallery") if name in lists and lists[name].pids is None]


def _one_camera(train: ImageList) -> list[Finding]:
    if train.camids is None or distinct(train.camids) != 1:
        return []
    return [Finding(False, "Train", "all images are of one camera: nothing teaches the network to recognise across "
                    "cameras")]


def _known_people(query: ImageList, train: ImageList) -> list[Finding]:
    known = sorted(_people(query) & _people(train))
    return [Finding(False, "Query", f"{len(known)} identities are in Train as well ({some(known)}): fine only if the "
                    "numbers mean different people there")] if known else []


def _missing_people(query: ImageList, gallery: ImageList) -> list[Finding]:
    missing = sorted(_people(query) - _people(gallery))
    return [Finding(True, "Query", f"{len(missing)} of {len(_people(query))} identities are missing from the gallery "
                    f"({some(missing)}); their queries cannot be answered")] if missing else []


def _own_camera_only(query: ImageList, gallery: ImageList) -> list[Finding]:
    if query.pids is None or gallery.pids is None or query.camids is None or gallery.camids is None:
        return []
    seen = Counter(gallery.pids.tolist())
    own = Counter(zip(gallery.pids.tolist(), gallery.camids.tolist()))
    alone = [shown(name) for name, pid, camid in zip(query.names, query.pids.tolist(), query.camids.tolist())
             if seen[pid] and seen[pid] == own[pid, camid]]
    if not alone:
        return []
    return [Finding(len(alone) == len(query.names), "Query", f"{len(alone)} of {len(query.names)} queries have gallery "
                    f"images of their own camera only ({some(alone)}), which the market protocol removes; use "
                    "Global.protocol: all if the cameras are one")]


def _people(images: ImageList) -> set[int]:
    return set() if images.pids is None else set(images.pids.tolist())
