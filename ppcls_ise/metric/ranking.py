"""mAP, mINP and CMC of a query set against a gallery, by the Market-1501 protocol and two without cameras."""
from __future__ import annotations

import numpy as np

from .kernels import rank_block

PROTOCOLS = ("market", "all", "same_camera")
# Floats of one block of distances: 128 MB.
BLOCK_FLOATS = 2 ** 25


def evaluate(query_features, query_pids, query_camids, gallery_features, gallery_pids, gallery_camids,
             protocol="market", topk=50, block_size=None, junk_pid=-1, own=None, distances=None, progress=None):
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
        protocol (str): ``market``: gallery images of the query's identity *and* camera are removed; ``all``: nothing
            is; ``same_camera``: only gallery images of the query's own camera are ranked.
        topk (int): length of the CMC.
        block_size (int): queries at a time; default: what makes a block of distances 128 MB.
        junk_pid (int): gallery images of this pid are removed from every ranking (Market-1501 marks bad detections
            -1); None: they count as ordinary images.
        own: ``[Q]`` int, the gallery index of the query image itself, which is removed from its own ranking; -1 where
            the gallery does not hold it. None: it never does.
        distances: function of a slice of the queries giving their distances ``[q, G]`` float32 (overwritten), for
            rankings other than the Euclidean one: :class:`ppcls_ise.clustering.ReRanking`.
        progress: called as ``progress(queries done, queries)`` after every block.

    Returns:
        dict, all fractions of 1:
            - ``mAP`` float, ``mINP`` float: means over the valid queries; 0 when there is none.
            - ``cmc`` float64 ``[topk]``: ``cmc[r - 1]`` is rank-r, also for r beyond the gallery.
            - ``valid_queries`` int: queries with at least one match left in their ranking; the others are skipped.
            - ``ap`` float64 ``[Q]``: average precision of each query, NaN where it is skipped.

    Raises:
        ValueError: unknown protocol, arrays that do not fit each other, ``same_camera`` without cameras, NaN or Inf.

    Example:
        >>> import numpy as np
        >>> eye = np.eye(2, dtype="float32")
        >>> evaluate(eye, [1, 2], [0, 0], eye, [1, 2], [1, 1])["mAP"]
        1.0
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {protocol!r}")
    if topk < 1:
        raise ValueError(f"topk must be at least 1, got {topk}")
    q_pids, q_cams = _ids("query", query_features, query_pids, query_camids)
    g_pids, g_cams = _ids("gallery", gallery_features, gallery_pids, gallery_camids)
    if query_features.shape[1] != gallery_features.shape[1]:
        raise ValueError(f"query features have {query_features.shape[1]} dimensions, gallery features "
                         f"{gallery_features.shape[1]}: both must come from the same model")
    own = np.full(len(q_pids), -1) if own is None else np.asarray(own, np.int64)
    if own.shape != q_pids.shape or own.max(initial=-1) >= len(g_pids):
        raise ValueError(f"own must give one of {len(g_pids)} gallery images, or -1, for each of {len(q_pids)} "
                         f"queries, got {list(own.shape)} up to {own.max(initial=-1)}")
    if (query_camids is None) != (gallery_camids is None):
        raise ValueError("camera ids are needed for both query and gallery, or for neither")
    if query_camids is None:
        if protocol == "same_camera":
            raise ValueError("protocol same_camera needs camera ids; without them use protocol all")
        protocol = "all"
    junk = np.zeros(len(g_pids), np.bool_) if junk_pid is None else g_pids == junk_pid
    block_size = block_size or max(1, BLOCK_FLOATS // max(1, len(g_pids)))

    ap, inp = np.full(len(q_pids), np.nan), np.full(len(q_pids), np.nan)
    first = np.zeros(len(q_pids), np.int64)
    if len(g_pids):
        distances = distances or _distances(query_features, gallery_features)
        for start in range(0, len(q_pids), block_size):
            part = slice(start, start + block_size)
            ap[part], inp[part], first[part] = rank_block(
                distances(part), q_pids[part], q_cams[part], g_pids, g_cams, junk, own[part],
                PROTOCOLS.index(protocol))
            if progress:
                progress(min(start + block_size, len(q_pids)), len(q_pids))
    valid = ~np.isnan(ap)
    count = int(valid.sum())
    hits = np.bincount(first[valid], minlength=topk)[:topk]
    return {
        "mAP": float(ap[valid].mean()) if count else 0.0,
        "mINP": float(inp[valid].mean()) if count else 0.0,
        "cmc": np.cumsum(hits) / max(count, 1),
        "valid_queries": count,
        "ap": ap,
    }


def _ids(name, features, pids, camids):
    """pids and camids as int64 arrays of the length of the features; camids 0 where there are none."""
    pids = np.asarray(pids).astype(np.int64)
    camids = np.zeros(len(pids), np.int64) if camids is None else np.asarray(camids).astype(np.int64)
    if len(features.shape) != 2 or pids.shape != (features.shape[0],) or camids.shape != pids.shape:
        raise ValueError(f"{name}: features [N, D], pids [N] and camids [N] are needed, got {list(features.shape)}, "
                         f"{list(pids.shape)} and {list(camids.shape)}")
    return pids, camids


def _distances(query, gallery):
    """Function of a slice of queries giving ``[q, G]`` float32 squared distances, less the query's own norm.

    That term is the same for a whole ranking, so it cannot change it.
    """
    if type(gallery).__module__.split(".")[0] == "paddle":
        import paddle

        query = paddle.to_tensor(query, place=gallery.place).astype("float32")
        gallery = gallery.detach().astype("float32")
        norms = (gallery * gallery).sum(axis=1)
        _check_finite("query", (query * query).sum(axis=1).numpy())
        _check_finite("gallery", norms.numpy())
        return lambda part: (norms - 2 * paddle.matmul(query[part], gallery, transpose_y=True)).numpy()
    query, gallery = np.asarray(query, np.float32), np.asarray(gallery, np.float32)
    norms = np.einsum("nd,nd->n", gallery, gallery)
    _check_finite("query", np.einsum("nd,nd->n", query, query))
    _check_finite("gallery", norms)

    def block(part):
        distances = query[part] @ gallery.T
        distances *= -2
        distances += norms
        return distances

    return block


def _check_finite(name, norms):
    bad = np.flatnonzero(~np.isfinite(norms))
    if len(bad):
        raise ValueError(f"{name} features of {len(bad)} images hold NaN or Inf (first: row {bad[0]}): the network "
                         "diverged, or the features overflow float32")
