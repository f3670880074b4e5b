"""What is wrong with the data of a config, before a training finds out."""
from __future__ import annotations

import os
import re
from collections import Counter
from typing import Callable, NamedTuple

import numpy as np

from ..errors import ISEError
from .data_set import LISTINGS, list_data_set
from .layouts import LAYOUTS, find_layout
from .listing import ImageList
from .reading import ADVICE, file_digest, read_image, shown, threaded

__all__ = ["Finding", "SplitReport", "check_data"]

TINY = 16  # pixels
_EXAMPLES = 3
#: What names that tell a camera look like, and how many cameras are still believed to be cameras.
_CAMERA_NAMES, _MOST_CAMERAS = (r"cam(?P<camid>\d+)", r"_c(?P<camid>\d+)"), 64


class Finding(NamedTuple):
    """One thing that was noticed."""

    problem: bool  #: training or evaluation fails, or means nothing; else something to know
    split: str
    text: str  #: and what to do


class SplitReport(NamedTuple):
    """One split: its list and what reading its files told."""

    name: str
    list: ImageList
    sizes: np.ndarray  #: int64 [n, 2], width and height of the n readable images

    def row(self) -> list[str]:
        """Cells of a table: split, images, identities, cameras, sizes."""
        def distinct(ids, names=None):
            return "unknown" if ids is None else str(len(set(ids.tolist()))) + (f" ({_some(names)})" if names else "")

        sizes = [" x ".join(str(int(value)) for value in np.quantile(self.sizes, q, axis=0, method="nearest"))
                 for q in (0, 0.5, 1)] if len(self.sizes) else ["-"]
        return [self.name, str(len(self.list.names)), distinct(self.list.pids),
                distinct(self.list.camids, self.list.cameras),
                sizes[0] if len(set(sizes)) == 1 else " / ".join(sizes)]


def check_data(config: dict, progress: Callable = lambda items, total, name: items
               ) -> tuple[list[SplitReport], list[Finding]]:
    """List and read all images of a config's ``Train``, ``Query`` and ``Gallery``.

    Args:
        config: with ``DataLoader``; as :func:`ppcls_ise.engine.prepare_config` returns it.
        progress: wraps the iteration over a split's files; called with their number and the split's name.

    Returns:
        The splits that could be listed, and the findings in their order.
    """
    loaders = config.get("DataLoader") or {}
    blocks = {"Train": loaders.get("Train"), **(loaders.get("Eval") or {})}
    reports, findings, digests = {}, [], {}
    for name, block in blocks.items():
        dataset = dict((block or {}).get("dataset") or {})
        if dataset.get("name") not in LISTINGS:
            continue
        try:
            images = list_data_set(dataset)
            findings += _known_size(name, images, dataset)
        except ISEError as error:
            findings.append(Finding(True, name, str(error)))
            continue
        reports[name], digests[name], found = _read(name, images, dataset, progress)
        findings += found + _untold_cameras(name, images, dataset)
    findings += _same_files(digests) + _identities(reports, config["Global"].get("protocol", "market"))
    return list(reports.values()), findings


def _known_size(name, images, dataset):
    if dataset.get("layout") not in LAYOUTS:
        return []
    layout, split = find_layout(dataset["layout"], dataset["image_root"], dataset["split"])
    found = (len(images.names), len(set(images.pids.tolist())))
    if split.images is None or found == (split.images, split.identities):
        return []
    return [Finding(True, name, f"{layout.title}, {dataset['split']}: {split.images:,} images of {split.identities:,} "
                    f"identities expected, found {found[0]:,} of {found[1]:,} in {', '.join(split.parts)}; unpack the "
                    "set again, or set layout: Market for a set of your own in these folders")]


def _read(name, images, dataset, progress):
    """Report, digest -> rows, and findings of one split."""
    paths = [images.path(row) for row in range(len(images.names))]
    outcomes = list(progress(threaded(_look_at, paths), len(paths), name))
    bad = [str(outcome).split(ADVICE)[0] for outcome in outcomes if isinstance(outcome, ISEError)]
    good = [(row, *outcome) for row, outcome in enumerate(outcomes) if not isinstance(outcome, ISEError)]
    sizes = np.array([size for _, size, _ in good], np.int64).reshape(-1, 2)
    findings = []
    if bad:
        skipped = dataset.get("on_bad_image") == "skip"
        findings.append(Finding(
            not skipped, name, f"{len(bad)} of {len(paths)} images are unreadable"
            + (" and will be left out" if skipped else "; mend them, take them out, or set on_bad_image: skip")
            + "".join(f"\n    {message}" for message in bad)))
    tiny = [shown(images.names[row]) for row, size, _ in good if min(size) < TINY]
    if tiny:
        findings.append(Finding(False, name, f"{len(tiny)} images have a side below {TINY} pixels ({_some(tiny)}): "
                                "hardly anyone can be told on them; consider taking them out"))
    digests = {}
    for row, _, digest in good:
        digests.setdefault(digest, []).append(shown(images.names[row]))
    return SplitReport(name, images, sizes), digests, findings


def _untold_cameras(name, images, dataset):
    """Folders or names that look as if they told the camera, of a data set that is not asked to read it."""
    if images.camids is not None or dataset["name"] != "UnlabeledFolder":
        return []

    def few(cameras):
        return None not in cameras and 1 < len(set(cameras)) <= _MOST_CAMERAS

    key = f"DataLoader.{name}.dataset.cameras"
    for pattern in _CAMERA_NAMES:
        found = [re.search(pattern, os.path.basename(path)) for path in images.names]
        if few([match and match["camid"] for match in found]):
            return [Finding(False, name, f"the names look as if they told the camera ({shown(images.names[0])}): if "
                            f"so, set {key} to '{pattern}', so that training mixes cameras")]
    folders = [os.path.basename(os.path.dirname(path)) or None for path in images.names]
    if few(folders):
        return [Finding(False, name, f"the images lie in {len(set(folders))} folders ({_some(sorted(set(folders)))}): "
                        f"if each is a camera, set {key}=folder, so that training mixes cameras")]
    return []


def _look_at(path):
    """(width, height), digest of the file."""
    image = read_image(path)
    return (image.shape[1], image.shape[0]), file_digest(path)


def _same_files(digests):
    findings = []
    for name, files in digests.items():
        groups = [names for names in files.values() if len(names) > 1]
        if groups:
            copies = sum(map(len, groups)) - len(groups)
            findings.append(Finding(False, name, f"{copies} files are copies of others "
                                    f"({_some(map(' = '.join, groups))}): they form clusters of their own; consider "
                                    "taking the copies out"))
    for first, second in (("Train", "Query"), ("Train", "Gallery"), ("Query", "Gallery")):
        shared = [(digests[first][key], digests[second][key]) for key in digests.get(first, ())
                  if key in digests.get(second, ())]
        if shared:
            pairs = (f"{own[0]} = {other[0]}" for own, other in shared)
            findings.append(Finding(first == "Train", second, f"{len(shared)} files are also in {first} "
                                    f"({_some(pairs)}); take them out of one of the two"))
    return findings


def _identities(reports, protocol):
    """What an evaluation by ``protocol`` would stumble over."""
    findings = []
    for name in ("Query", "Gallery"):
        if name in reports and reports[name].list.pids is None:
            findings.append(Finding(True, name, "its images have no identities; an evaluation needs ReIDImages with a "
                                    "pattern that has the group pid"))
    train = reports.get("Train")
    if train is not None and train.list.camids is not None and len(set(train.list.camids.tolist())) == 1:
        findings.append(Finding(False, "Train", "all images are of one camera: nothing teaches the network to "
                                "recognise across cameras"))
    if "Query" not in reports or "Gallery" not in reports or any(finding.problem for finding in findings):
        return findings
    query, gallery = reports["Query"].list, reports["Gallery"].list
    if train is not None and train.list.pids is not None:
        known = sorted(set(query.pids.tolist()) & set(train.list.pids.tolist()))
        if known:
            findings.append(Finding(False, "Query", f"{len(known)} identities are in Train as well ({_some(known)}): "
                                    "fine only if the numbers mean different people there"))
    missing = sorted(set(query.pids.tolist()) - set(gallery.pids.tolist()))
    if missing:
        findings.append(Finding(True, "Query", f"{len(missing)} of {len(set(query.pids.tolist()))} identities are "
                                f"missing from the gallery ({_some(missing)}); their queries cannot be answered"))
    if protocol == "market" and query.camids is not None and gallery.camids is not None:
        seen = Counter(gallery.pids.tolist())
        own = Counter(zip(gallery.pids.tolist(), gallery.camids.tolist()))
        alone = [shown(query.names[row]) for row, (pid, camid) in enumerate(zip(query.pids.tolist(),
                                                                              query.camids.tolist()))
                 if seen[pid] and seen[pid] == own[pid, camid]]
        if alone:
            findings.append(Finding(len(alone) == len(query.names), "Query", f"{len(alone)} of {len(query.names)} "
                                    f"queries have gallery images of their own camera only ({_some(alone)}), which the "
                                    "market protocol removes; use Global.protocol: all if the cameras are one"))
    return findings


def _some(items):
    items = [shown(item) for item in items]
    return ", ".join(items[:_EXAMPLES]) + ", ..." * (len(items) > _EXAMPLES)
