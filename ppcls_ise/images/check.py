"""What is wrong with the data of a config, before a training finds out."""
from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..errors import ISEError, some
from .across import check_across
from .data_set import LISTINGS, list_data_set
from .findings import Finding, SplitReport, distinct
from .layouts import LAYOUTS, find_layout
from .listing import ImageList
from .reading import ADVICE, file_digest, read_image, shown, threaded

__all__ = ["check_data"]

TINY = 16  # pixels
#: What names that hold a camera look like, and how many cameras are still believed to be cameras.
_CAMERA_NAMES, _MOST_CAMERAS = (r"cam(?P<camid>\d+)", r"_c(?P<camid>\d+)"), 64

#: Wraps an iteration over so many files of a split: ``progress(items, total, name)``.
Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]


def check_data(config: dict, progress: Progress = lambda items, total, name: items
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
    reports: dict[str, SplitReport] = {}
    findings: list[Finding] = []
    for name, block in blocks.items():
        dataset = dict((block or {}).get("dataset") or {})
        if dataset.get("name") not in LISTINGS:
            continue
        try:
            image_list = list_data_set(dataset)
            findings += _known_size(name, image_list, dataset)
        except ISEError as error:
            findings.append(Finding(True, name, str(error)))
            continue
        reports[name], found = _read(name, image_list, dataset, progress)
        findings += found + _unread_cameras(name, image_list, dataset)
    findings += check_across(reports, config["Global"].get("protocol", "market"))
    return list(reports.values()), findings


def _known_size(name: str, image_list: ImageList, dataset: dict) -> list[Finding]:
    if dataset.get("layout") not in LAYOUTS or image_list.pids is None:
        return []
    layout, split = find_layout(dataset["layout"], dataset["image_root"], dataset["split"])
    found = (len(image_list.names), distinct(image_list.pids))
    if split.images is None or found == (split.images, split.identities):
        return []
    return [Finding(True, name, f"{layout.title}, {dataset['split']}: {split.images:,} images of {split.identities:,} "
                    f"identities expected, found {found[0]:,} of {found[1]:,} in {', '.join(split.parts)}; unpack the "
                    "set again, or set layout: Market for a set of your own in these folders")]


def _read(name: str, image_list: ImageList, dataset: dict, progress: Progress) -> tuple[SplitReport, list[Finding]]:
    """Read every file of a split."""
    paths = [image_list.path(row) for row in range(len(image_list.names))]
    outcomes = list(progress(threaded(_look_at, paths), len(paths), name))
    bad = [str(outcome).split(ADVICE)[0] for outcome in outcomes if isinstance(outcome, ISEError)]
    good = [(shown(image_list.names[row]), *outcome) for row, outcome in enumerate(outcomes)
            if not isinstance(outcome, ISEError)]
    digests: dict[str, list[str]] = {}
    for file, _, digest in good:
        digests.setdefault(digest, []).append(file)
    sizes = np.array([size for _, size, _ in good], np.int64).reshape(-1, 2)
    findings = []
    if bad:
        skipped = dataset.get("on_bad_image") == "skip"
        findings.append(Finding(
            not skipped, name, f"{len(bad)} of {len(paths)} images are unreadable"
            + (" and will be left out" if skipped else "; repair them, take them out, or set on_bad_image: skip")
            + "".join(f"\n    {message}" for message in bad)))
    tiny = [file for file, size, _ in good if min(size) < TINY]
    if tiny:
        findings.append(Finding(False, name, f"{len(tiny)} images have a side below {TINY} pixels ({some(tiny)}): "
                                "hardly anyone can be recognised on them; consider taking them out"))
    return SplitReport(name, image_list, sizes, digests), findings


def _look_at(path: str) -> tuple[tuple[int, int], str]:
    """(width, height), digest of the file."""
    image = read_image(path)
    return (image.shape[1], image.shape[0]), file_digest(path)


def _unread_cameras(name: str, image_list: ImageList, dataset: dict) -> list[Finding]:
    """Folders or names that look as if they held the camera, of a data set that is not asked to read it."""
    if image_list.camids is not None or dataset["name"] != "UnlabeledFolder":
        return []

    def few(cameras: list) -> bool:
        return None not in cameras and 1 < len(set(cameras)) <= _MOST_CAMERAS

    key = f"DataLoader.{name}.dataset.cameras"
    for pattern in _CAMERA_NAMES:
        found = [re.search(pattern, os.path.basename(path)) for path in image_list.names]
        if few([match and match["camid"] for match in found]):
            return [Finding(False, name, f"the names look as if they held the camera ({shown(image_list.names[0])}): "
                            f"if so, set {key} to '{pattern}', so that training mixes cameras")]
    folders = [os.path.basename(os.path.dirname(path)) or None for path in image_list.names]
    if few(folders):
        names = [shown(folder) for folder in sorted(filter(None, set(folders)))]
        return [Finding(False, name, f"the images lie in {len(names)} folders ({some(names)}): if each is a camera, "
                        f"set {key}=folder, so that training mixes cameras")]
    return []
