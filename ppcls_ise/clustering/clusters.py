"""What a clustering found."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import ISEError

__all__ = ["Clusters"]


@dataclasses.dataclass(frozen=True, eq=False)
class Clusters:
    """What a clustering found, and what it has to say of itself.

    Attributes:
        labels: int64 ``[N]`` (any whole numbers are taken), clusters 0..K-1 without gaps, -1 is an outlier.
        kept: name -> number, what the next clustering of the run gets back, such as an ``eps`` that was chosen; a
            checkpoint holds it.
        figures: name -> number, for the record of this clustering and for ``clusters.csv``; not by a name that these
            have for something else, such as ``labels``, ``seconds_...`` or ``purity``.
        lines: for the log.
        seconds: part of the work -> what it took.
        linked: bool ``[C, C]``, pairs of cameras, in the order of their ids, that see the same persons; None: any may.
    """

    labels: NDArray[np.int64]
    kept: Mapping[str, float] = dataclasses.field(default_factory=dict)
    figures: Mapping[str, float] = dataclasses.field(default_factory=dict)
    lines: Sequence[str] = ()
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    linked: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        if not np.can_cast(labels.dtype, np.int64, "same_kind"):
            raise ISEError(f"labels must be whole numbers, not {labels.dtype}")
        object.__setattr__(self, "labels", labels.astype(np.int64, copy=False))
