"""Who is seen by which camera in which frame."""
from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .settings import SyntheticSet

__all__ = ["GALLERY", "QUERY", "TRAIN", "Shot", "Stream", "plan", "stream"]

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"


class Stream(IntEnum):
    """The leading word of a random stream, so that no two kinds of draws can share one."""

    PERSON, CAMERA, TRACK, IMAGE, PLAN = range(5)


class Shot(NamedTuple):
    """One image to be drawn. pid 0 is a distractor and -1 junk, as in Market-1501; ``who`` is the person drawn."""
    folder: str
    pid: int
    camera: int
    sequence: int
    frame: int
    box: int
    who: int

    @property
    def name(self) -> str:
        """File name, as Market-1501 has it."""
        pid = "-1" if self.pid < 0 else f"{self.pid:04d}"
        return f"{pid}_c{self.camera}s{self.sequence}_{self.frame:06d}_{self.box:02d}.jpg"


def stream(*key: int) -> np.random.Generator:
    """The random numbers of a key, which begins with a :class:`Stream` or the seed."""
    return np.random.default_rng([k + 1 for k in key])  # + 1: the junk pid is -1, a seed must not be negative


def plan(what: SyntheticSet) -> Iterator[Shot]:
    """The images of a set. A person passes each of its cameras once, as one track."""
    groups = np.array_split(np.arange(1, what.cameras + 1), what.camera_groups)
    last = what.identities + what.test_identities
    for pid in range(1, last + 1):
        rng = stream(what.seed, Stream.PLAN, pid)
        cameras = _group_of(pid, groups)
        seen = cameras[np.sort(rng.permutation(len(cameras))[:rng.integers(2, min(4, len(cameras)) + 1)])]
        seen = seen[:what.images_per_identity]
        for i, camera in enumerate(seen.tolist()):
            # Spread evenly; the first cameras take the remainder.
            count = what.images_per_identity // len(seen) + (i < what.images_per_identity % len(seen))
            sequence, frame = int(rng.integers(1, 4)), int(rng.integers(1, 90000))
            for k in range(count + (pid > what.identities)):
                folder = TRAIN if pid <= what.identities else (QUERY if k == 0 else GALLERY)
                yield Shot(folder, pid, camera, sequence, frame, int(folder != QUERY), pid)
                frame += int(rng.integers(20, 60))
    rng = stream(what.seed, Stream.PLAN, 0)
    extra = max(2, what.test_identities * what.images_per_identity // 8)
    for i in range(extra):  # passers-by and bad boxes that belong to nobody
        yield Shot(GALLERY, 0, int(rng.integers(1, what.cameras + 1)), 1, 100 * i + 1, 1, 10000 + i)
    for i in range(max(2, extra // 6)):  # poor boxes of test persons, which the protocol ignores
        who = int(rng.integers(what.identities + 1, last + 1))
        cameras = _group_of(who, groups)
        yield Shot(GALLERY, -1, int(cameras[rng.integers(len(cameras))]), 1, 100 * i + 1, 1, who)


def _group_of(who: int, groups: list[NDArray[np.int_]]) -> NDArray[np.int_]:
    """The cameras that may see a person."""
    return groups[(who - 1) % len(groups)]
