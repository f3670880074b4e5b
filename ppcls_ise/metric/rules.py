"""Which images of a gallery are ranked for a query: the protocols, and what every one of them leaves out."""
from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .kernels import remove_unranked

__all__ = ["PROTOCOLS", "Removal", "Rules", "find_removal"]

PROTOCOLS = ("market", "all", "same_camera")


@dataclasses.dataclass(frozen=True, eq=False)
class Rules:
    """How queries rank a gallery.

    Attributes:
        protocol: ``market``: gallery images of the query's identity *and* camera are removed; ``all``: nothing is;
            ``same_camera``: only gallery images of the query's own camera are ranked. Without cameras ``market`` is
            ``all``.
        own: ``[Q]`` int, the gallery index of the query image itself, which is removed from its own ranking; -1 where
            the gallery does not hold it. None: it never does.
        distances: function of a slice of the queries giving their distances ``[q, G]`` float32 (overwritten), for
            rankings other than the Euclidean one: :class:`ppcls_ise.clustering.ReRanking`.
        junk_pid: gallery images of this pid are removed from every ranking (Market-1501 marks bad detections -1);
            None: they count as ordinary images.

    Raises:
        ValueError: unknown protocol.
    """

    protocol: str = "market"
    own: ArrayLike | None = None
    distances: Callable[[slice], NDArray[np.float32]] | None = None
    junk_pid: int | None = -1

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {self.protocol!r}")


class Removal(NamedTuple):
    """What :class:`Rules` remove from the rankings of Q queries in a gallery of G images, as the kernels take it."""

    q_pids: NDArray[np.int64]  #: [Q]
    q_cams: NDArray[np.int64]  #: [Q], zeros where cameras are not known
    own: NDArray[np.int64]  #: [Q], place of the query image itself in the gallery, or -1
    g_pids: NDArray[np.int64]  #: [G]
    g_cams: NDArray[np.int64]  #: [G]
    junk: NDArray[np.bool_]  #: [G]
    protocol: int  #: place in :data:`PROTOCOLS`

    def of(self, queries: slice) -> Removal:
        """The same for some of the queries."""
        return self._replace(q_pids=self.q_pids[queries], q_cams=self.q_cams[queries], own=self.own[queries])

    def apply(self, distances: NDArray[np.float32], query: int) -> None:
        """Put what is not ranked for a query at an infinite distance.

        Args:
            distances: ``[G]`` float32 of the query, changed in place.
            query: its index.
        """
        remove_unranked(distances, self.q_pids[query], self.q_cams[query], self.own[query], self.g_pids, self.g_cams,
                        self.junk, self.protocol)


def find_removal(rules: Rules, query_pids: ArrayLike, query_camids: ArrayLike | None,
                 gallery_pids: ArrayLike, gallery_camids: ArrayLike | None) -> Removal:
    """Apply rules to the images of a query set and a gallery.

    Args:
        query_pids, gallery_pids: ``[Q]``, ``[G]`` int, identities.
        query_camids, gallery_camids: ``[Q]``, ``[G]`` int, cameras; None where they are not known.

    Raises:
        ValueError: cameras on one side only, ``same_camera`` without any, or ``own`` that does not fit.
    """
    if (query_camids is None) != (gallery_camids is None):
        raise ValueError("camera ids are needed for both query and gallery, or for neither")
    if query_camids is None and rules.protocol == "same_camera":
        raise ValueError("protocol same_camera needs camera ids; without them use protocol all")
    q_pids, g_pids = _integers(query_pids), _integers(gallery_pids)
    own = np.full(len(q_pids), -1, np.int64) if rules.own is None else _integers(rules.own)
    if own.shape != q_pids.shape or own.max(initial=-1) >= len(g_pids):
        raise ValueError(f"own must give one of {len(g_pids)} gallery images, or -1, for each of {len(q_pids)} "
                         f"queries, got {list(own.shape)} up to {own.max(initial=-1)}")
    return Removal(
        q_pids, np.zeros_like(q_pids) if query_camids is None else _integers(query_camids), own,
        g_pids, np.zeros_like(g_pids) if gallery_camids is None else _integers(gallery_camids),
        np.zeros(len(g_pids), np.bool_) if rules.junk_pid is None else g_pids == rules.junk_pid,
        PROTOCOLS.index("all" if query_camids is None else rules.protocol))


def _integers(ids: ArrayLike) -> NDArray[np.int64]:
    return np.asarray(ids).astype(np.int64)
