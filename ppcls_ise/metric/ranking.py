"""mAP, mINP and CMC of a query set against a gallery, by the Market-1501 protocol and two without cameras."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..finite import refuse, squared_norms
from ..threads import num_threads, over_rows
from .kernels import rank
from .rules import Removal, Rules, find_removal

if TYPE_CHECKING:
    import paddle

__all__ = ["Evaluation", "evaluate"]

#: ``[N, D]`` float32, row i the feature of image i: a numpy array, or a paddle tensor on any device.
Features = Union[NDArray[np.float32], "paddle.Tensor"]
Distances = Callable[[slice], NDArray[np.float32]]
# Floats of one block of distances: 128 MB.
BLOCK_FLOATS = 2 ** 25
MARKET = Rules()


class Evaluation(TypedDict):
    """Figures of an evaluation, all fractions of 1."""

    mAP: float  #: mean over the valid queries; 0 when there is none
    mINP: float  #: likewise
    cmc: NDArray[np.float64]  #: [topk]: ``cmc[r - 1]`` is rank-r, also for r beyond the gallery
    valid_queries: int  #: queries with at least one match left in their ranking; the others are skipped
    ap: NDArray[np.float64]  #: [Q]: average precision of each query, NaN where it is skipped


def evaluate(query_features: Features, query_pids: ArrayLike, query_camids: ArrayLike | None,
             gallery_features: Features, gallery_pids: ArrayLike, gallery_camids: ArrayLike | None,
             rules: Rules = MARKET, topk: int = 50, block_size: int | None = None,
             progress: Callable[[int, int], object] | None = None) -> Evaluation:
    """Retrieval quality as re-ID measures it (Zheng et al., Scalable Person Re-identification, ICCV 2015).

    Gallery images are ranked by Euclidean distance to the query. AP is the mean over the matches of the precision at
    that match, equal distances taken as one threshold (scikit-learn's ``average_precision_score``). CMC looks at the
    first match only, equal distances in gallery order. INP is matches / rank of the last match (Ye et al., TPAMI 2021,
    arXiv 2001.04193).

    Args:
        query_features: ``[Q, D]`` float32, numpy array or paddle tensor. gallery_features: ``[G, D]``, likewise;
            paddle tensors are multiplied on their own device.
        query_pids, gallery_pids: ``[Q]``, ``[G]`` int, identities. 0, the distractors of Market-1501, match nobody
            by not occurring among the queries; they stay in the ranking.
        query_camids, gallery_camids: ``[Q]``, ``[G]`` int, or None: without them nothing is removed by camera.
        rules: which gallery images are ranked for a query, and by what distance; default: Market-1501's protocol.
        topk: length of the CMC.
        block_size: queries at a time; default: what makes a block of distances 128 MB.
        progress: called as ``progress(queries done, queries)`` after every block.

    Returns:
        ``{"mAP", "mINP", "cmc", "valid_queries", "ap"}``, an :class:`Evaluation`.

    Raises:
        ValueError: arrays that do not fit each other, ``same_camera`` without cameras, NaN or Inf.

    Example:
        >>> import numpy as np
        >>> eye = np.eye(2, dtype="float32")
        >>> evaluate(eye, [1, 2], [0, 0], eye, [1, 2], [1, 1])["mAP"]
        1.0
    """
    if topk < 1:
        raise ValueError(f"topk must be at least 1, got {topk}")
    _check_shapes("query", query_features, query_pids, query_camids)
    _check_shapes("gallery", gallery_features, gallery_pids, gallery_camids)
    if query_features.shape[1] != gallery_features.shape[1]:
        raise ValueError(f"query features have {query_features.shape[1]} dimensions, gallery features "
                         f"{gallery_features.shape[1]}: both must come from the same model")
    removal = find_removal(rules, query_pids, query_camids, gallery_pids, gallery_camids)
    queries, images = len(removal.q_pids), len(removal.g_pids)
    ap, inp, first = np.full(queries, np.nan), np.full(queries, np.nan), np.zeros(queries, np.int64)
    if images:
        distances = rules.distances or _distances(query_features, gallery_features)
        step = block_size or max(1, BLOCK_FLOATS // images)
        for start in range(0, queries, step):
            part = slice(start, start + step)
            ap[part], inp[part], first[part] = rank_block(distances(part), removal.of(part))
            if progress:
                progress(min(start + step, queries), queries)
    return _summary(ap, inp, first, topk)


def rank_block(distances: NDArray[np.float32], removal: Removal) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Results of a block of queries, its queries shared out over threads.

    Args:
        distances: ``[q, G]`` float32, ascending = better; overwritten.
        removal: for these q queries.

    Returns:
        ap, inp ``[q]`` float64 (NaN: no match) and the number of images before the first match ``[q]`` int64.
    """
    queries = len(distances)
    parts = over_rows(rank, queries, distances, *removal, chunk=max(1, -(-queries // num_threads())))
    ap, inp, first = (np.concatenate(arrays) for arrays in zip(*parts))
    return ap, inp, first


def _summary(ap: NDArray[Any], inp: NDArray[Any], first: NDArray[Any], topk: int) -> Evaluation:
    valid = ~np.isnan(ap)
    count = int(valid.sum())
    hits = np.bincount(first[valid], minlength=topk)[:topk]
    return {"mAP": float(ap[valid].mean()) if count else 0.0, "mINP": float(inp[valid].mean()) if count else 0.0,
            "cmc": np.cumsum(hits) / max(count, 1), "valid_queries": count, "ap": ap}


def _check_shapes(name: str, features: Features, pids: ArrayLike, camids: ArrayLike | None) -> None:
    ids = [np.asarray(pids).shape, np.asarray(pids if camids is None else camids).shape]
    if len(features.shape) != 2 or ids != 2 * [(features.shape[0],)]:
        raise ValueError(f"{name}: features [N, D], pids [N] and camids [N] are needed, got {list(features.shape)}, "
                         f"{' and '.join(str(list(shape)) for shape in ids)}")


def _distances(query: Features, gallery: Features) -> Distances:
    """Function of a slice of queries giving ``[q, G]`` float32 squared distances, less the query's own norm.

    That term is the same for a whole ranking, so it cannot change it.
    """
    # By module name, so that this room needs Paddle only where a tensor is really given.
    if type(gallery).__module__.split(".")[0] == "paddle":
        return _distances_on_device(query, gallery)
    queries, images = np.asarray(query, np.float32), np.asarray(gallery, np.float32)
    norms = squared_norms(images)
    _check_finite("query", squared_norms(queries))
    _check_finite("gallery", norms)

    def block(part: slice) -> NDArray[np.float32]:
        distances = queries[part] @ images.T
        distances *= -2
        distances += norms
        return distances

    return block


def _distances_on_device(query: Any, gallery: Any) -> Distances:
    import paddle

    query = paddle.to_tensor(query, place=gallery.place).astype("float32")
    gallery = gallery.detach().astype("float32")
    norms = (gallery * gallery).sum(axis=1)
    _check_finite("query", (query * query).sum(axis=1).numpy())
    _check_finite("gallery", norms.numpy())
    return lambda part: (norms - 2 * paddle.matmul(query[part], gallery, transpose_y=True)).numpy()


def _check_finite(name: str, norms: NDArray[np.float32]) -> None:
    refuse(np.flatnonzero(~np.isfinite(norms)), len(norms), f"{name} images")
