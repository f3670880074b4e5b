"""The kinds of index that a gallery may have: faiss's, for unit rows and inner products."""
from __future__ import annotations

import math

import faiss
import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "new_index", "search_parameters"]

#: Exact; cells of which a part is searched; a graph, fastest on large galleries; one byte a number, exact but for that.
KINDS = ("Flat", "IVF", "HNSW32", "SQ8")
#: Part of the cells that IVF looks into, and candidates that HNSW keeps (benchmarks/gallery.py).
IVF_PART, HNSW_CANDIDATES = 1 / 8, 128


def new_index(kind: str, features: NDArray[np.float32]) -> faiss.Index:
    """An empty faiss index that keeps our ids, trained on the features where its kind learns.

    Args:
        kind: one of :data:`KINDS`.
        features: float32 [N, D], unit rows.
    """
    dimension = features.shape[1]
    if kind == "IVF":  # has ids of its own; within an IDMap removal would break them
        cells = max(1, min(round(2 * math.sqrt(len(features))), len(features) // 39))
        index = faiss.index_factory(dimension, f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT)
    else:
        index = faiss.index_factory(dimension, f"IDMap2,{kind}", faiss.METRIC_INNER_PRODUCT)
    if kind == "SQ8":  # room for what comes later: values beyond those it learnt would be cut off
        faiss.downcast_index(index.index).sq.rangestat_arg = 0.25
    if len(features):
        index.train(features)
    return index


def search_parameters(kind: str, index: faiss.Index, allowed: NDArray[np.int64] | None
                      ) -> faiss.SearchParameters | None:
    """How faiss is to search an index of a kind.

    Args:
        allowed: int64 [n], ids that may be found; None for all.
    """
    options = {} if allowed is None else {"sel": faiss.IDSelectorBatch(allowed)}
    if kind == "IVF":
        return faiss.SearchParametersIVF(nprobe=math.ceil(IVF_PART * index.nlist), **options)
    if kind == "HNSW32":
        return faiss.SearchParametersHNSW(efSearch=HNSW_CANDIDATES, **options)
    return faiss.SearchParameters(**options) if options else None
