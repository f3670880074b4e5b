"""Blocked matmul + top-k with Paddle, on whatever device the features are."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import paddle
from numpy.typing import NDArray

from ..features import Features, is_paddle_tensor
from .refine import EXTRA, EXTRA_COARSE
from .tiles import Among, Tile, pair_tiles, row_tiles

__all__ = ["PaddleScan"]

# Bound on the error of a squared distance from float16 or TF32 products, relative to the squared norms: 2**-11 of
# rounding in each factor of each product, both at their worst, and again as much for the accumulation.
COARSE_ERROR = 2e-3
# Distance of a candidate that there is not (yet): top-k kernels have uses of their own for infinity.
NOWHERE = np.finfo(np.float32).max


class PaddleScan:
    """Candidates by squared distance; at most ``block_size`` x ``block_size`` distances exist at a time.

    Args:
        x: ``[N, D]`` paddle tensor (searched on its device) or numpy float32 array (Paddle's current device).
        block_size: rows and columns of a block.
        half: float16 scan, float32 ranking of the candidates.
        sizes, among: as of :class:`CPUScan`.

    Attributes:
        extra: candidates beyond the neighbours wanted that :meth:`ranked` and :func:`refine` need.
    """

    def __init__(self, x: Features, block_size: int, half: bool, sizes: Sequence[int] | None = None,
                 among: Among = "all") -> None:
        self._block_size = block_size
        self._sizes, self._among = [len(x)] if sizes is None else sizes, among
        with paddle.no_grad():
            self._x = x.detach().astype("float32") if is_paddle_tensor(x) else paddle.to_tensor(x)
            self._norms = (self._x * self._x).sum(axis=1)
            on_cpu = self._x.place.is_cpu_place()
            # A GPU may compute float32 products in TF32, which is as coarse as float16.
            self._coarse = half or not on_cpu
            self.extra = EXTRA_COARSE if self._coarse else EXTRA
            self._scanned, self._scale = self._x, 1.0
            if half:
                # Of length <= 1, so that nothing overflows. The CPU has no float16 product: there only the rounding of
                # the factors is reproduced, which is what tests of this path need.
                self._scale = max(float(self._norms.max()), 1e-30)
                scanned = (self._x / self._scale ** 0.5).astype("float16")
                self._scanned = scanned.astype("float32") if on_cpu else scanned

    def pairs(self, candidates: int, part: int = 0, parts: int = 1) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """As :meth:`CPUScan.pairs`: each pair of blocks is multiplied once, top-k taken of it and of its transpose."""
        with paddle.no_grad():
            tiles = pair_tiles(self._sizes, self._block_size, part, parts, self._among)
            return self._scan(self._scanned, self._norms, candidates, tiles)

    def rows(self, candidates: int, rows: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """As :meth:`CPUScan.rows`."""
        with paddle.no_grad():
            own = paddle.to_tensor(rows, place=self._x.place)
            tiles = row_tiles(len(rows), len(self._x), self._block_size)
            return self._scan(self._scanned.index_select(own), self._norms.index_select(own), candidates, tiles)

    def ranked(self, rows: NDArray[np.int64], found: NDArray[np.int32], near: NDArray[np.float32], k: int,
               ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.bool_] | None]:
        """Candidates of a coarse scan by float32 distances, and where it may have missed a neighbour.

        Args:
            rows: ``[M]`` int64. found, near: ``[M, C]``, what was scanned for them, C >= k.
            k: neighbours wanted.

        Returns:
            ``[M, C]`` int32 and ``[M, C]`` float32, ascending, and ``[M]`` bool, or None where no row is doubtful.
        """
        if not self._coarse:
            return found, near, None
        doubtful = np.zeros(len(rows), np.bool_)
        with paddle.no_grad():
            for start in range(0, len(rows), self._block_size):
                part = slice(start, start + self._block_size)
                own, ids, worst = (paddle.to_tensor(array, place=self._x.place)
                                   for array in (rows[part], found[part].astype(np.int64), near[part, -1]))
                distances, order, doubt = self._rank_again(own, ids, worst, k)
                found[part], near[part], doubtful[part] = order.numpy(), distances.numpy(), doubt.numpy()
        return found, near, doubtful & (found[:, -1] >= 0)  # else it has all that there are

    def _scan(self, queries: paddle.Tensor, query_norms: paddle.Tensor, candidates: int, tiles: Iterator[Tile],
              ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        near, ids = (paddle.to_tensor(np.full((len(queries), candidates), nothing), place=self._x.place)
                     for nothing in (NOWHERE, np.int64(-1)))
        for tile in tiles:
            rows, columns = tile.rows, tile.columns
            products = paddle.matmul(queries[rows], self._scanned[columns], transpose_y=True).astype("float32")
            block = query_norms[rows].unsqueeze(1) + self._norms[columns].unsqueeze(0) - products * (2 * self._scale)
            _keep_nearest(near, ids, rows, block, columns.start)
            if tile.both:
                _keep_nearest(near, ids, columns, block.t(), rows.start)
        found = ids.numpy().astype(np.int32)
        return found, np.where(found < 0, np.float32(np.inf), near.numpy())

    def _rank_again(self, own: paddle.Tensor, ids: paddle.Tensor, worst: paddle.Tensor, k: int,
                    ) -> tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor]:
        candidates = ids.shape[1]
        # candidates x D floats a row: as many rows at a time as fit the memory of one block of distances.
        step = max(1, self._block_size ** 2 // (candidates * self._x.shape[1]))
        parts = []
        for start in range(0, len(own), step):
            others = ids[start:start + step]
            queries = self._x.index_select(own[start:start + step])
            points = self._x.index_select(others.flatten().clip(min=0)).reshape([len(queries), candidates, -1])
            # Differences, not products: no TF32, and no cancellation.
            squared = ((points - queries.unsqueeze(1)) ** 2).sum(axis=2)
            parts.append(paddle.where(others < 0, paddle.full([1], np.inf), squared))
        near = paddle.concat(parts, 0)
        order = near.argsort(axis=1)
        near, ids = paddle.take_along_axis(near, order, 1), paddle.take_along_axis(ids, order, 1)
        if candidates == len(self._x):
            return near, ids, paddle.zeros([len(own)], "bool")
        # A row outside the candidates is at least `worst - error` away: harmless if that is beyond the k-th found.
        error = COARSE_ERROR * (self._norms.index_select(own) + self._norms.max())
        return near, ids, near[:, k - 1] >= worst - error


def _keep_nearest(near: paddle.Tensor, ids: paddle.Tensor, rows: slice, block: paddle.Tensor, first: int) -> None:
    """Merges ``block``, distances to the rows ``first``... of the features, into the lists of ``rows``."""
    candidates = near.shape[1]
    block, order = paddle.topk(block, min(candidates, block.shape[1]), axis=1, largest=False, sorted=True)
    both = paddle.concat([near[rows], block], 1), paddle.concat([ids[rows], order + first], 1)
    near[rows], order = paddle.topk(both[0], candidates, axis=1, largest=False, sorted=True)
    ids[rows] = paddle.take_along_axis(both[1], order, 1)
