"""The k nearest rows of every row: exact on the CPU and on any Paddle device, approximate beyond a million."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...finite import squared_norms
from ..features import Features, as_features, is_paddle_tensor
from .cpu_scan import CPUScan, merged
from .ivf import SMALLEST, ivf_search
from .refine import EXTRA, refine
from .tiles import Among

if TYPE_CHECKING:
    from .paddle_scan import PaddleScan

__all__ = ["METHODS", "Method", "checked_method", "nearest_neighbours", "neighbour_recall", "scan_of", "scan_pairs"]

Method = Literal["exact", "faiss", "paddle", "ivf"]
METHODS: tuple[Method, ...] = get_args(Method)


@overload
def nearest_neighbours(x: Features, k: int, method: Method = ..., block_size: int = ..., half: bool = ...,
                       rows: slice | NDArray[np.int64] | None = ..., return_distances: Literal[False] = ...,
                       probes: int = ..., scanned: tuple[NDArray[Any], ...] = ...) -> NDArray[np.int32]: ...


@overload
def nearest_neighbours(x: Features, k: int, method: Method = ..., block_size: int = ..., half: bool = ...,
                       rows: slice | NDArray[np.int64] | None = ..., *, return_distances: Literal[True],
                       probes: int = ..., scanned: tuple[NDArray[Any], ...] = ...,
                       ) -> tuple[NDArray[np.int32], NDArray[np.float32]]: ...


def nearest_neighbours(x: Features, k: int, method: Method = "exact", block_size: int = 4096, half: bool = False,
                       rows: slice | NDArray[np.int64] | None = None, return_distances: bool = False, probes: int = 256,
                       scanned: tuple[NDArray[Any], ...] = (),
                       ) -> NDArray[np.int32] | tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k nearest rows of each row by squared L2 distance, the row itself first.

    ``exact``, ``faiss`` and ``paddle`` give the same answer: after the scan, candidates closer together than a
    float32 matrix product can tell apart are put in order by distances summed in float64 and rounded to float32, the
    lower index first where those are equal. So neither device, block size nor number of processes changes the result.

    Args:
        x: ``[N, D]`` float32 numpy array or paddle tensor, row i the feature of image i.
        k: neighbours a row, the row itself included.
        method: ``exact`` (on the CPU, each pair of rows multiplied once; for a tensor on a GPU ``paddle``), ``paddle``
            (blocked matmul + top-k on the device of ``x``, each pair once), ``faiss`` (on the CPU) or ``ivf``
            (approximate, on the CPU by faiss; :func:`neighbour_recall` measures what it misses).
        block_size: rows and columns of the distance block of the Paddle path: 4 * block_size**2 bytes.
        half: Paddle path only: scan in float16, then rank ``k + 32`` candidates by float32 differences. Rows
            where the float16 error could hide a neighbour are searched again, so this too is exact.
        rows: slice or int array ``[M]``: search for these rows only; default all. Half of the rows, multiplied with
            all, cost as much as all rows.
        return_distances: also return the squared distances.
        probes: ``ivf`` only: cells searched a row, of about 4 sqrt(N); more is slower and misses less.
        scanned: what :func:`scan_pairs` found in every share, for ``rows`` alone: ``[parts, M, C]`` each. Then only the
            rest is done here. Default: search.

    Returns:
        ``[M, min(k, N)]`` int32 indices into ``x``, column 0 the row itself, then by ascending distance (``ivf`` may
        find fewer: -1 at the end of a row). With ``return_distances`` also ``[M, min(k, N)]`` float32.

    Raises:
        ValueError: k < 1, unknown method, or features with NaN or Inf.
    """
    method = checked_method(x, k, method)
    host = as_features(x)
    rows = slice(None) if rows is None else rows
    own = np.arange(len(host))[rows]
    k = min(k, len(host))
    if len(own) == 0:
        found, distances = np.empty((0, k), np.int32), np.empty((0, k), np.float32)
    elif method == "ivf":
        found, distances = ivf_search(host, k, own, probes)
    elif method == "faiss":
        near, candidates = _faiss_scan(host, min(len(host), k + EXTRA), own)
        found, distances = refine(host, squared_norms(host), own, candidates, near, k)
    else:
        scan, norms = scan_of(x, host, method, block_size, half)
        found, distances = _candidates(scan, min(len(host), k + scan.extra), rows, own, len(host), scanned)
        found, distances, doubtful = scan.ranked(own, found, distances, k)
        found, distances = refine(host, norms, own, found, distances, k, doubtful)
    return (found, distances) if return_distances else found


def scan_pairs(x: Features, k: int, method: Method = "exact", block_size: int = 4096, half: bool = False, part: int = 0,
               parts: int = 1) -> tuple[NDArray[Any], ...]:
    """The share of a process in the search for the neighbours of all rows: of the pairs of rows, not of the rows.

    Args:
        x, k, method, block_size, half: as of :func:`nearest_neighbours`.
        part, parts: the share, ``part`` of ``parts``, which are equal in work.

    Returns:
        ``[N, C]`` int32 and ``[N, C]`` float32, the nearest that each row has in this share and their squared
        distances, for :func:`nearest_neighbours` as ``scanned``. Nothing by a method that goes by rows, as ``faiss``
        and ``ivf`` do, for which there is nothing to be done before.

    Raises:
        ValueError: as of :func:`nearest_neighbours`.
    """
    method = checked_method(x, k, method)
    host = as_features(x)
    if method in ("faiss", "ivf") or len(host) == 0:
        return ()
    scan, _ = scan_of(x, host, method, block_size, half)
    return scan.pairs(min(len(host), k + scan.extra), part, parts)


def neighbour_recall(x: Features, neighbours: ArrayLike, sample: int = 1000, seed: int = 0) -> float:
    """Share of the true k nearest rows that ``neighbours`` holds, measured on a random sample of the rows.

    Args:
        x: ``[N, D]`` features.
        neighbours: ``[N, k]`` int, as an approximate search returned them.
        sample: rows that are searched exactly for the comparison.
        seed: of the choice of rows.

    Returns:
        0 to 1, the row itself not counted (it is always found).
    """
    neighbours = np.asarray(neighbours)
    count, k = neighbours.shape
    if k < 2 or count < 2:
        return 1.0
    rows = np.sort(np.random.default_rng(seed).choice(count, min(sample, count), replace=False))
    exact = nearest_neighbours(x, k, rows=rows)[:, 1:]
    hits = sum(len(np.intersect1d(true, found)) for true, found in zip(exact, neighbours[rows][:, 1:]))
    return hits / exact.size


def checked_method(x: Features, k: int, method: Method) -> Method:
    """The method that ``method`` stands for."""
    if k < 1:
        raise ValueError(f"k must be at least 1 (the row itself), got {k}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if method == "ivf" and len(x) < SMALLEST:
        return "exact"
    return _choose(x) if method == "exact" else method


def _choose(x: Features) -> Method:
    return "paddle" if is_paddle_tensor(x) and not x.place.is_cpu_place() else "exact"


def scan_of(x: Features, host: NDArray[np.float32], method: Method, block_size: int, half: bool,
            sizes: Sequence[int] | None = None, among: Among = "all",
            ) -> tuple[CPUScan | PaddleScan, NDArray[np.float32]]:
    """What scans by ``exact`` on the CPU or ``paddle``, and the squared lengths of the rows."""
    norms = squared_norms(host)
    if method == "exact":
        return CPUScan(host, norms, sizes, among), norms
    from .paddle_scan import PaddleScan

    return PaddleScan(x if is_paddle_tensor(x) else host, block_size, half, sizes, among), norms


def _candidates(scan: CPUScan | PaddleScan, candidates: int, rows: slice | NDArray[np.int64], own: NDArray[np.int64],
                total: int, scanned: tuple[NDArray[Any], ...]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    if scanned:
        return merged(*scanned)
    if 2 * len(own) < total:
        return scan.rows(candidates, own)
    # Half of the products of all pairs.
    found, near = scan.pairs(candidates)
    return found[rows], near[rows]


def _faiss_scan(x: NDArray[np.float32], k: int, rows: NDArray[np.int64],
                ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    import faiss

    contiguous = rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all()
    queries = x[rows[0]:rows[-1] + 1] if contiguous else x[rows]
    # faiss.knn searches the given memory; an IndexFlat would hold a second copy of all features.
    return faiss.knn(queries, x, k, metric=faiss.METRIC_L2)
