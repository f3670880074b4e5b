"""The k nearest rows of every row: exact on the CPU (faiss) and on any Paddle device, approximate beyond a million."""
from __future__ import annotations

import numpy as np

from ._search import EXTRA, refine
from .features import as_features, is_paddle_tensor, squared_norms

METHODS = ("exact", "faiss", "paddle", "ivf")


def nearest_neighbours(x, k, method="exact", block_size=4096, half=False, rows=None, return_distances=False,
                       probes=None):
    """The k nearest rows of each row by squared L2 distance, the row itself first.

    ``faiss`` and ``paddle`` are exact and give the same answer: after the scan, candidates closer together than a
    float32 matrix product can tell apart are put in order by distances summed in float64 and rounded to float32, the
    lower index first where those are equal. So neither device, block size nor number of processes changes the result.

    Args:
        x: ``[N, D]`` float32 numpy array or paddle tensor, row i the feature of image i.
        k (int): neighbours a row, the row itself included.
        method (str): ``faiss`` (CPU), ``paddle`` (blocked matmul + top-k on the device of ``x``), ``ivf``
            (approximate, inverted lists of faiss, see :func:`neighbour_recall`) or ``exact``: paddle for a tensor on a
            GPU and where faiss is not installed, else faiss.
        block_size (int): rows and columns of the distance block of the Paddle path: 4 * block_size**2 bytes.
        half (bool): Paddle path only: scan in float16, then rank ``k + 32`` candidates by float32 differences. Rows
            where the float16 error could hide a neighbour are searched again, so this too is exact.
        rows: slice or int array ``[M]``: search for these rows only (a process's share); default all.
        return_distances (bool): also return the squared distances.
        probes (int): ``ivf`` only: cells searched a row, of about 4 sqrt(N); more is slower and misses less.
            Default: a 64th of them, at least 16.

    Returns:
        ``[M, min(k, N)]`` int32 indices into ``x``, column 0 the row itself, then by ascending distance (``ivf`` may
        find fewer: -1 at the end of a row). With ``return_distances`` also ``[M, min(k, N)]`` float32.

    Raises:
        ValueError: k < 1, unknown method, or features with NaN or Inf.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1 (the row itself), got {k}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if method == "exact":
        method = _choose(x)
    tensor = x if is_paddle_tensor(x) else None
    x = as_features(x)
    rows = np.arange(len(x), dtype=np.int64)[slice(None) if rows is None else rows]
    k = min(k, len(x))
    if len(rows) == 0:
        found, distances = np.empty((0, k), np.int32), np.empty((0, k), np.float32)
    elif method == "ivf":
        found, distances = _ivf_search(x, k, rows, probes)
    elif method == "faiss":
        distances, found = _faiss_scan(x, min(len(x), k + EXTRA), rows)
        found, distances = refine(x, squared_norms(x), rows, found, distances, k)
    else:
        from ._paddle_scan import paddle_scan
        distances, found, doubtful = paddle_scan(x if tensor is None else tensor, k, rows, block_size, half)
        found, distances = refine(x, squared_norms(x), rows, found, distances, k, doubtful)
    return (found, distances) if return_distances else found


def neighbour_recall(x, neighbours, sample=1000, seed=0):
    """Share of the true k nearest rows that ``neighbours`` holds, measured on a random sample of the rows.

    Args:
        x: ``[N, D]`` features.
        neighbours: ``[N, k]`` int, as an approximate search returned them.
        sample (int): rows that are searched exactly for the comparison.
        seed (int): of the choice of rows.

    Returns:
        float in 0..1, the row itself not counted (it is always found).
    """
    neighbours = np.asarray(neighbours)
    count, k = neighbours.shape
    if k < 2 or count < 2:
        return 1.0
    rows = np.sort(np.random.default_rng(seed).choice(count, min(sample, count), replace=False))
    exact = nearest_neighbours(x, k, rows=rows)[:, 1:]
    hits = sum(len(np.intersect1d(true, found)) for true, found in zip(exact, neighbours[rows][:, 1:]))
    return hits / exact.size


def _choose(x):
    if is_paddle_tensor(x) and not x.place.is_cpu_place():
        return "paddle"
    try:
        import faiss  # noqa: F401
    except ImportError:
        return "paddle"
    return "faiss"


def _faiss_scan(x, k, rows):
    import faiss

    queries = x if len(rows) == len(x) else x[rows]
    # faiss.knn searches the given memory; an IndexFlat would hold a second copy of all features.
    return faiss.knn(queries, x, k, metric=faiss.METRIC_L2)


def _ivf_search(x, k, rows, probes, train_rows=100_000):
    """Inverted lists: rows are sorted into cells by nearest centre, and only the cells nearest to a row searched."""
    import faiss

    cells = int(max(1, min(4 * np.sqrt(len(x)), len(x) // 39)))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(x.shape[1]), x.shape[1], cells, faiss.METRIC_L2)
    training = x
    if len(x) > train_rows:
        training = x[np.sort(np.random.default_rng(0).choice(len(x), train_rows, replace=False))]
    index.train(training)
    index.add(x)
    index.nprobe = min(cells, probes or max(16, cells // 64))
    found = np.full((len(rows), k), -1, np.int32)
    distances = np.full((len(rows), k), np.inf, np.float32)
    for start in range(0, len(rows), 65536):
        part = rows[start:start + 65536]
        near, ids = index.search(x[part], k)
        found[start:start + len(part)], distances[start:start + len(part)] = _self_first(part, ids, near)
    return found, distances


def _self_first(rows, ids, distances):
    """Moves each row's own index to column 0, the others keep their order."""
    ids, distances = ids.astype(np.int32), np.array(distances, np.float32)
    for column in range(ids.shape[1] - 1, 0, -1):
        # Rows whose own index is not yet left of this column: shift it one to the left.
        here = ids[:, column] == rows
        for array in (ids, distances):
            array[here, column], array[here, column - 1] = array[here, column - 1], array[here, column]
    lost = ids[:, 0] != rows  # crowded out by duplicates: it takes the place of the last one
    ids[lost, 1:], distances[lost, 1:] = ids[lost, :-1], distances[lost, :-1]
    ids[:, 0], distances[:, 0] = rows, 0.0
    return ids, distances

