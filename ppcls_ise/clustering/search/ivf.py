"""Approximate search by inverted lists, for sets of a million images."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...threads import over_rows
from .refine import ranked

__all__ = ["SMALLEST", "ivf_search"]

# Sets smaller than this are searched exactly; rows a cell that place the cells (faiss wants as many); rows at a time;
# candidates that are ranked by true distance, in multiples of k.
SMALLEST, TRAINING, BLOCK, CANDIDATES = 2_500, 39, 16_384, 4


def ivf_search(x: NDArray[np.float32], k: int, rows: NDArray[np.int64], probes: int,
               ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Inverted lists of product-quantised rows: cells of rows by nearest centre, of which the nearest are scanned.

    The scan reads 2 bits a dimension (4 of short rows), many times faster than the rows themselves; what it finds is
    ranked by true distances. (Jegou et al., Product quantization for nearest neighbor search, PAMI 2011.)

    Args:
        x: ``[N, D]`` float32, at least ``SMALLEST`` rows.
        k: neighbours wanted.
        rows: ``[M]`` int64, rows searched for.
        probes: cells scanned a row.

    Returns:
        ``[M, k]`` int32 and ``[M, k]`` float32, the row itself first; -1 and inf where fewer were found.
    """
    import faiss

    dim, cells = x.shape[1], int(min(4 * np.sqrt(len(x)), len(x) // TRAINING))
    quantizer = faiss.IndexFlatL2(dim)
    subspaces = dim // 2 if dim % 2 == 0 and dim > 128 else dim
    index = faiss.IndexIVFPQFastScan(quantizer, dim, cells, subspaces, 4, faiss.METRIC_L2)
    training = x
    if len(x) > TRAINING * cells:
        training = x[np.sort(np.random.default_rng(0).choice(len(x), TRAINING * cells, replace=False))]
    index.train(training)
    for start in range(0, len(x), BLOCK):
        index.add(x[start:start + BLOCK])
    index.nprobe = min(cells, probes)
    parts = []
    for start in range(0, len(rows), BLOCK):
        part = rows[start:start + BLOCK]
        _, candidates = index.search(x[part], min(len(x), CANDIDATES * k))
        parts += over_rows(ranked, len(part), x, part, candidates, k)
    found, distances = (np.concatenate(arrays) for arrays in zip(*parts))
    return found, distances
