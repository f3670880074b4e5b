"""What a check of the data found, for a table and a list."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import some
from .listing import ImageList
from .reading import shown

__all__ = ["Finding", "SplitReport", "distinct"]


class Finding(NamedTuple):
    """One thing that was noticed."""

    problem: bool  #: training or evaluation fails, or means nothing; else something to know
    split: str
    text: str  #: and what to do


class SplitReport(NamedTuple):
    """One split: its images, and what was found in their files."""

    name: str
    image_list: ImageList
    sizes: NDArray[np.int64]  #: [n, 2], width and height of the n readable images
    digests: dict[str, list[str]]  #: digest of a file -> names of the files with that content

    def row(self) -> list[str]:
        """Cells of a table: split, images, identities, cameras, sizes."""
        pids, camids, cameras = self.image_list.pids, self.image_list.camids, self.image_list.cameras
        sizes = [" x ".join(str(int(value)) for value in np.quantile(self.sizes, q, axis=0, method="nearest"))
                 for q in (0, 0.5, 1)] if len(self.sizes) else ["-"]
        named = f" ({some(map(shown, cameras))})" if cameras else ""
        return [self.name, str(len(self.image_list.names)), "unknown" if pids is None else str(distinct(pids)),
                "unknown" if camids is None else f"{distinct(camids)}{named}",
                sizes[0] if len(set(sizes)) == 1 else " / ".join(sizes)]


def distinct(ids: NDArray[np.int64]) -> int:
    """How many different ids there are."""
    return len(np.unique(ids))
