"""Blocked matmul + top-k with Paddle, on whatever device the features are."""
from __future__ import annotations

import numpy as np
import paddle
from numpy.typing import NDArray

from ..features import Features, is_paddle_tensor
from .refine import EXTRA, EXTRA_COARSE

__all__ = ["paddle_scan"]

# Bound on the error of a squared distance from float16 or TF32 products, relative to the squared norms: 2**-11 of
# rounding in each factor of each product, both at their worst, and again as much for the accumulation.
COARSE_ERROR = 2e-3


def paddle_scan(x: Features, k: int, rows: NDArray[np.int64], block_size: int, half: bool,
                ) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]:
    """Candidates by squared distance; at most ``block_size`` x ``block_size`` distances exist at a time.

    Args:
        x: ``[N, D]`` paddle tensor (searched on its device) or numpy float32 array (Paddle's current device).
        k: neighbours wanted, at most N.
        rows: ``[M]`` int64, rows searched for.
        block_size: rows and columns of a block.
        half: float16 scan, float32 ranking of the candidates.

    Returns:
        numpy ``[M, C]`` float32 squared distances, ascending, ``[M, C]`` int64 indices, C >= k, and ``[M]`` bool:
        rows where a neighbour may be missing among the candidates.
    """
    with paddle.no_grad():
        features = x.detach().astype("float32") if is_paddle_tensor(x) else paddle.to_tensor(x)
        norms = (features * features).sum(axis=1)
        on_cpu = features.place.is_cpu_place()
        # A GPU may compute float32 products in TF32, which is as coarse as float16.
        coarse = half or not on_cpu
        candidates = min(len(features), k + (EXTRA_COARSE if coarse else EXTRA))
        scanned, scale = features, 1.0
        if half:
            # Of length <= 1, so that nothing overflows. The CPU has no float16 product: there only the rounding of
            # the factors is reproduced, which is what tests of this path need.
            scale = max(float(norms.max()), 1e-30)
            scanned = (features / scale ** 0.5).astype("float16")
            scanned = scanned.astype("float32") if on_cpu else scanned
        results = []
        for start in range(0, len(rows), block_size):
            own = paddle.to_tensor(rows[start:start + block_size], place=features.place)
            near, ids = _scan_block(scanned, norms, own, candidates, block_size, scale)
            doubtful = paddle.zeros([len(own)], "bool")
            if coarse:
                near, ids, doubtful = _rank_again(features, norms, own, near, ids, k, block_size)
            results.append((near.numpy(), ids.numpy(), doubtful.numpy()))
    distances, found, doubtful_rows = (np.concatenate(arrays) for arrays in zip(*results))
    return distances, found, doubtful_rows


def _scan_block(scanned: paddle.Tensor, norms: paddle.Tensor, own: paddle.Tensor, candidates: int, block_size: int,
                scale: float) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Running top-k of one block of rows over all blocks of columns."""
    queries, query_norms = scanned.index_select(own), norms.index_select(own).unsqueeze(1)
    for start in range(0, len(scanned), block_size):
        stop = min(start + block_size, len(scanned))
        products = paddle.matmul(queries, scanned[start:stop], transpose_y=True).astype("float32")
        block = query_norms + norms[start:stop].unsqueeze(0) - products * (2 * scale)
        block, order = paddle.topk(block, min(candidates, stop - start), axis=1, largest=False, sorted=True)
        order += start
        if start == 0:
            near, ids = block, order
            continue
        ids = paddle.concat([ids, order], 1)
        near = paddle.concat([near, block], 1)
        near, order = paddle.topk(near, min(candidates, near.shape[1]), axis=1, largest=False, sorted=True)
        ids = paddle.take_along_axis(ids, order, 1)
    return near, ids


def _rank_again(features: paddle.Tensor, norms: paddle.Tensor, own: paddle.Tensor, near: paddle.Tensor,
                ids: paddle.Tensor, k: int, block_size: int) -> tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor]:
    """The candidates by float32 distances, and the rows for which the coarse scan may have missed a neighbour."""
    worst, candidates = near[:, -1], ids.shape[1]
    # candidates x D floats a row: as many rows at a time as fit the memory of one block of distances.
    step = max(1, block_size * block_size // (candidates * features.shape[1]))
    parts = []
    for start in range(0, len(own), step):
        others = ids[start:start + step]
        queries = features.index_select(own[start:start + step])
        points = features.index_select(others.flatten()).reshape([len(queries), candidates, -1])
        # Differences, not products: no TF32, and no cancellation.
        parts.append(((points - queries.unsqueeze(1)) ** 2).sum(axis=2))
    near = paddle.concat(parts, 0)
    order = near.argsort(axis=1)
    near, ids = paddle.take_along_axis(near, order, 1), paddle.take_along_axis(ids, order, 1)
    if candidates == len(features):
        return near, ids, paddle.zeros([len(own)], "bool")
    # A row outside the candidates is at least `worst - error` away: harmless if that is beyond the k-th found.
    error = COARSE_ERROR * (norms.index_select(own) + norms.max())
    return near, ids, near[:, k - 1] >= worst - error
