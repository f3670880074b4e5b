"""Nearest candidates of rows from tiles of products, in the threads of a CPU."""
from __future__ import annotations

import bisect
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ... import onednn
from ...threads import num_threads, over_rows
from .reading import farthest_of_columns, farthest_of_rows, merge, read_columns, read_rows
from .refine import EXTRA
from .tiles import Among, Tile, blocks_of, pair_tiles, row_tiles

__all__ = ["CPUScan", "merged"]

# Rows and columns of a tile. A thread holds one (576 KiB) and a few MiB that oneDNN makes of its rows; with larger ones
# it holds more and is hardly faster.
BLOCK = 384


class CPUScan:
    """Candidates by float32 distances.

    Args:
        x: ``[N, D]`` float32, finite. norms: ``[N]`` float32, squared lengths.
        sizes, among: rows of each group, and which pairs :meth:`pairs` searches, as of :func:`pair_tiles`.

    Attributes:
        extra: candidates beyond the neighbours wanted that :func:`refine` needs.
    """

    extra = EXTRA

    def __init__(self, x: NDArray[np.float32], norms: NDArray[np.float32], sizes: Sequence[int] | None = None,
                 among: Among = "all") -> None:
        self._x, self._norms = x, norms
        self._sizes, self._among = [len(x)] if sizes is None else sizes, among

    def pairs(self, candidates: int, part: int = 0, parts: int = 1, farthest: NDArray[np.float32] | None = None,
              ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """For every row; each pair of blocks is multiplied once and read for the rows of both.

        Args:
            candidates: rows kept for each, at most N.
            part, parts: the share of the pairs that is searched, ``part`` of ``parts`` of equal work.
            farthest: ``[N]`` float32, takes the largest squared distance of each row.

        Returns:
            ``[N, candidates]`` int32 and ``[N, candidates]`` float32, the nearest by ascending squared distance among
            the pairs of the share; -1 and inf where it has fewer.
        """
        if farthest is not None:
            farthest.fill(-np.inf)
        tiles = pair_tiles(self._sizes, BLOCK, part, parts, self._among)
        starts = [own.start for own in blocks_of(self._sizes, BLOCK)]
        found, near = _scan(self._x, self._x, self._norms, candidates, tiles, starts, farthest)
        near += self._norms[:, None]
        if farthest is not None:
            farthest += self._norms
        return found, near

    def rows(self, candidates: int, rows: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """For ``rows`` ``[M]``, at least one, multiplied with all: ``[M, candidates]``, as :meth:`pairs`."""
        contiguous = rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all()
        queries = self._x[rows[0]:rows[-1] + 1] if contiguous else self._x[rows]
        tiles = row_tiles(len(rows), len(self._x), BLOCK)
        found, near = _scan(queries, self._x, self._norms, candidates, tiles, range(0, len(queries), BLOCK))
        near += self._norms[rows, None]
        return found, near

    def ranked(self, rows: NDArray[np.int64], found: NDArray[np.int32], near: NDArray[np.float32], k: int,
               ) -> tuple[NDArray[np.int32], NDArray[np.float32], None]:
        """The candidates as they are: no better distances than those of the scan, and no row is doubtful."""
        return found, near, None


def merged(found: NDArray[np.int32], near: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Candidates of several shares as those of one.

    Args:
        found: ``[parts, M, C]`` int32. near: ``[parts, M, C]`` float32, ascending squared distances.

    Returns:
        ``[M, C]`` int32 and ``[M, C]`` float32, the nearest of all, ascending.
    """
    nearest, distances = found[0].copy(), near[0].copy()
    over_rows(merge, len(nearest), found, near, nearest, distances)
    return nearest, distances


def _scan(queries: NDArray[np.float32], x: NDArray[np.float32], norms: NDArray[np.float32], candidates: int,
          tiles: Iterator[Tile], starts: Sequence[int], farthest: NDArray[np.float32] | None = None,
          ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Distances are less the squared length of the row itself, the same for all of its candidates; ``starts``: first
    row of each block that tiles are cut from."""
    found = np.full((len(queries), candidates), -1, np.int32)
    near = np.full((len(queries), candidates), np.inf, np.float32)
    locks = [threading.Lock() for _ in starts]
    turn = threading.Lock()

    def work() -> None:
        # A thread multiplies alone what it reads: it is in its cache, and no thread waits in between.
        onednn.use_threads(1)
        memory = np.empty(BLOCK * BLOCK, np.float32)
        while True:
            with turn:
                tile = next(tiles, None)
            if tile is None:
                return
            rows, columns = tile.rows, tile.columns
            shape = rows.stop - rows.start, columns.stop - columns.start
            block = onednn.products(queries[rows], x[columns], memory[:shape[0] * shape[1]].reshape(shape))
            with locks[bisect.bisect_right(starts, rows.start) - 1]:
                read_rows(block, norms[columns], columns.start, found[rows], near[rows])
                if farthest is not None:
                    farthest_of_rows(block, norms[columns], farthest[rows])
            if tile.both:
                with locks[bisect.bisect_right(starts, columns.start) - 1]:
                    read_columns(block, norms[rows], rows.start, found[columns], near[columns])
                    if farthest is not None:
                        farthest_of_columns(block, norms[rows], farthest[columns])

    # numpy's products take all threads by themselves.
    workers = num_threads() if onednn.version() else 1
    with ThreadPoolExecutor(workers) as pool:
        for job in [pool.submit(work) for _ in range(workers)]:
            job.result()
    return found, near
