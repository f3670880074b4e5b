"""The files of the set: written beside their place, and put there when complete."""
from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .camera import make_camera
from .rendering import render
from .settings import SyntheticConfig, SyntheticSet
from .shots import GALLERY, QUERY, TRAIN, Shot, Stream, plan, stream

__all__ = ["make_synthetic"]

GENERATOR_VERSION = 2  # part of the manifest: raise it with every change of the pixels
MANIFEST = "manifest.json"
#: Parameters that a manifest leaves out where they have this value: sets that were drawn before do not know them.
UNSAID = {"camera_groups": 1}


def make_synthetic(root: str | Path, config: SyntheticConfig | None = None,
                   progress: Callable[[Iterable[Shot]], Iterable[Shot]] | None = None, **sizes: int) -> dict[str, Any]:
    """Write the synthetic set, or finds that it is there already.

    The images of ``<root>/bounding_box_train``, ``query`` and ``bounding_box_test`` are named as Market-1501 names
    them. The same arguments give the same bytes on one machine. The set is written to a hidden folder beside ``root``
    and renamed when complete, so ``root`` never holds half a set; nothing that exists is ever deleted or overwritten.

    Args:
        root: folder to create; an empty one is accepted.
        config: difficulty; None is the default ``SyntheticConfig``.
        progress: wraps the iterable of shots, for instance ``tqdm.tqdm``.
        sizes: of :class:``SyntheticSet``.

    Returns:
        The manifest: ``{"generator", "version", "parameters", "counts"}``; ``counts`` maps a folder to its number of
        images.

    Raises:
        ValueError: an argument is out of range.
        FileExistsError: ``root`` holds anything but this very set.

    Example:
        >>> make_synthetic("dataset/synthetic")["counts"]["query"]  # doctest: +SKIP
    """
    config = config or SyntheticConfig()
    wanted = SyntheticSet(**sizes)
    if config.palette_size < 2:
        raise ValueError(f"palette_size must be at least 2, but is {config.palette_size}")
    shots = list(plan(wanted))
    counts = {folder: sum(shot.folder == folder for shot in shots) for folder in (TRAIN, QUERY, GALLERY)}
    said = {key: value for key, value in asdict(wanted).items() if UNSAID.get(key) != value}
    manifest = {"generator": "ppcls_ise.images.synthetic", "version": GENERATOR_VERSION,
                "parameters": {**said, "config": asdict(config)}, "counts": counts}
    root = Path(root).expanduser().resolve()
    if _is_there(root, manifest):
        return manifest
    root.parent.mkdir(parents=True, exist_ok=True)
    partial = root.parent / f".{root.name}.partial-{uuid.uuid4().hex[:8]}"
    try:
        _write(partial, shots if progress is None else progress(shots), wanted, config)
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        _publish(partial, root, manifest)
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # our own unfinished work only; gone already after a rename
    return manifest


def _is_there(root: Path, manifest: dict) -> bool:
    """Whether ``root`` is the complete set of this manifest; raises FileExistsError if it holds anything else."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    way_out = "choose another root, or move it away yourself"
    path = root / MANIFEST
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        raise FileExistsError(f"{root} exists but has no readable {MANIFEST} of a synthetic set: {way_out}") from None
    if found != manifest:
        raise FileExistsError(f"{root} holds another data set ({_difference(found, manifest)}): {way_out}")
    for folder, count in manifest["counts"].items():
        images = len(list((root / folder).glob("*.jpg")))
        if images != count:
            raise FileExistsError(f"{root / folder} should hold {count} images but holds {images}: {way_out}")
    return True


def _difference(found: object, wanted: object, key: str = "manifest") -> str:
    """Name the first value in which two manifests differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name in {**wanted, **found}:
            theirs, ours = (one.get(name, UNSAID.get(name)) for one in (found, wanted))
            if theirs != ours:
                return _difference(theirs, ours, name)
    return f"its {key} is {found!r}, wanted {wanted!r}"


def _publish(partial: Path, root: Path, manifest: dict) -> None:
    try:
        os.rename(partial, root)  # atomic; fails if somebody else put anything there meanwhile
    except OSError:
        # Another process of the same launch may have made the same set: then all is well.
        if not _is_there(root, manifest):
            raise


def _write(folder: Path, shots: Iterable[Shot], wanted: SyntheticSet, config: SyntheticConfig) -> None:
    for name in (TRAIN, QUERY, GALLERY):
        (folder / name).mkdir(parents=True)
    seed, shape = wanted.seed, (wanted.height, wanted.width)
    cameras = {c: make_camera(stream(seed, Stream.CAMERA, c), shape, config) for c in range(1, wanted.cameras + 1)}
    for shot in shots:
        image = render(shot, cameras[shot.camera], seed, shape, config)
        bgr = np.ascontiguousarray(image[..., ::-1])
        ok, code = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, cameras[shot.camera].quality])
        if not ok:
            raise OSError(f"OpenCV could not encode {shot.name}")
        (folder / shot.folder / shot.name).write_bytes(code.tobytes())
