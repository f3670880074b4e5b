"""Blocked matmul + top-k with Paddle, on whatever device the features are."""
from __future__ import annotations

import numpy as np

from .features import is_paddle_tensor

# Bound on the float16 error of a squared distance, relative to the squared norms: 2**-11 of rounding in each factor
# of each product, both at their worst, and again as much for the accumulation.
HALF_ERROR = 2e-3


def paddle_scan(x, k, candidates, rows, block_size, half):
    """Candidates by squared distance; at most ``block_size`` x ``block_size`` distances exist at a time.

    Args:
        x: ``[N, D]`` paddle tensor (searched on its device) or numpy float32 array (Paddle's current device).
        k, candidates (int): neighbours wanted, and columns of the result.
        rows: ``[M]`` int64, rows searched for.
        block_size (int): rows and columns of a block.
        half (bool): float16 scan, float32 ranking of the candidates.

    Returns:
        numpy ``[M, candidates]`` float32 squared distances and int64 indices, ascending.
    """
    import paddle

    with paddle.no_grad():
        features = x.detach().astype("float32") if is_paddle_tensor(x) else paddle.to_tensor(x)
        norms = (features * features).sum(axis=1)
        scanned = features
        if half:
            # Scaled to length <= 1 so that nothing overflows float16. The CPU has no float16 product: there the
            # rounding alone is reproduced, which is what the tests of this path need.
            longest = float(norms.max()) ** 0.5 or 1.0
            scanned = (features / longest).astype("float16")
            on_gpu = scanned.place.is_gpu_place()
            scanned = scanned if on_gpu else scanned.astype("float32")
        found, distances = [], []
        for start in range(0, len(rows), block_size):
            own = paddle.to_tensor(rows[start:start + block_size], place=features.place)
            near, ids = _scan_block(paddle, scanned, norms, own, candidates, block_size,
                                    longest ** 2 if half else 1.0)
            if half:
                near, ids = _rank_again(paddle, features, norms, own, near, ids, k, block_size)
            found.append(ids.numpy())
            distances.append(near.numpy())
    return np.concatenate(distances), np.concatenate(found)


def _scan_block(paddle, scanned, norms, own, candidates, block_size, scale):
    """Running top-k of one block of rows over all blocks of columns."""
    queries, query_norms = scanned.index_select(own), norms.index_select(own).unsqueeze(1)
    near = ids = None
    for start in range(0, len(scanned), block_size):
        stop = min(start + block_size, len(scanned))
        products = paddle.matmul(queries, scanned[start:stop], transpose_y=True).astype("float32")
        block = query_norms + norms[start:stop].unsqueeze(0) - products * (2 * scale)
        block_near, block_ids = paddle.topk(block, min(candidates, stop - start), axis=1, largest=False, sorted=True)
        block_ids = block_ids + start
        if near is not None:
            near, block_ids = paddle.concat([near, block_near], 1), paddle.concat([ids, block_ids], 1)
            near, order = paddle.topk(near, min(candidates, near.shape[1]), axis=1, largest=False, sorted=True)
            ids = paddle.take_along_axis(block_ids, order, 1)
        else:
            near, ids = block_near, block_ids
    return near, ids


def _rank_again(paddle, features, norms, own, near, ids, k, block_size):
    """float32 distances of the candidates; rows the float16 scan may have failed are scanned again in float32."""
    worst = near[:, -1]
    candidates = ids.shape[1]
    # candidates x D floats a row: as many rows at a time as fit the memory of one block of distances.
    step = max(1, block_size * block_size // (candidates * features.shape[1]))
    parts = []
    for start in range(0, len(own), step):
        others = ids[start:start + step]
        queries = features.index_select(own[start:start + step])
        points = features.index_select(others.flatten()).reshape([len(queries), candidates, -1])
        parts.append(((points - queries.unsqueeze(1)) ** 2).sum(axis=2))
    near = paddle.concat(parts, 0)
    order = near.argsort(axis=1)
    near, ids = paddle.take_along_axis(near, order, 1), paddle.take_along_axis(ids, order, 1)
    # A row outside the candidates is at least `worst - error` away: harmless if that is beyond the k-th found.
    error = HALF_ERROR * (norms.index_select(own) + norms.max())
    again = (near[:, k - 1] >= worst - error).numpy()
    if candidates < len(features) and again.any():
        picked = paddle.to_tensor(np.flatnonzero(again), place=features.place)
        near_again, ids_again = _scan_block(paddle, features, norms, own.index_select(picked), candidates,
                                            block_size, 1.0)
        near = paddle.scatter(near, picked, near_again)
        ids = paddle.scatter(ids, picked, ids_again)
    return near, ids
