"""The losses as pure functions: the two of ISE, and that of camera proxies."""
from __future__ import annotations

import math

import paddle
import paddle.nn.functional as F

from ..config.blocks import CameraProxyLossBlock, ClusterContrastLossBlock, LabelPreservingLossBlock
from ..unit import unit_rows

__all__ = ["camera_entropy_weights", "camera_proxy_contrast", "cluster_contrast", "label_preserving"]


def cluster_contrast(rows: paddle.Tensor, labels: paddle.Tensor, centroids: paddle.Tensor,
                     temperature: float = ClusterContrastLossBlock.temperature, rivals: paddle.Tensor | None = None,
                     weights: paddle.Tensor | None = None) -> paddle.Tensor:
    """Cluster contrast L_SE: cross entropy of every row against all centroids.

    (Cluster Contrast, Dai et al., ACCV 2022, eq. 1; over actual and support samples in ISE, CVPR 2022, section 3.3.)

    Args:
        rows: float32 [n, D]. Actual rows, then support rows; re-normalised here.
        labels: int64 [n]. Pseudo label of each row, in ``[0, K)``.
        centroids: float32 [K, D]. Unit centroids from before this step's memory update; no gradient.
        temperature: tau.
        rivals: bool [n, K], the clusters that a row is held against, its own among them; default all.
        weights: float32 [n], of the rows in the mean; default 1.

    Returns:
        Scalar: the mean over all n rows.

    Example:
        >>> c = paddle.eye(3)
        >>> float(cluster_contrast(c, paddle.arange(3), c, temperature=1.0))  # -log(e / (e + 2))
        0.551...
    """
    with paddle.amp.auto_cast(enable=False):
        rows = unit_rows(rows.astype("float32"))
        logits = paddle.matmul(rows, centroids.detach(), transpose_y=True) / temperature
        if rivals is not None:
            logits = paddle.where(rivals, logits, paddle.full([1], -math.inf))
        if weights is None:
            return F.cross_entropy(logits, labels)
        return (weights * F.cross_entropy(logits, labels, reduction="none").flatten()).mean()


def label_preserving(features: paddle.Tensor, supports: paddle.Tensor, labels: paddle.Tensor,
                     temperature: float = LabelPreservingLossBlock.temperature,
                     rivals: paddle.Tensor | None = None) -> paddle.Tensor:
    """Label preserving loss L_LP: a support sample stays nearer to its own label than any other label's supports.

    With ``e_im = exp(f_i . s_m / temperature)`` over all supports of the batch: P_i is the smallest e_im of the own
    label, N_i the sum over every other label of its largest e_im, and
    ``L_LP = mean_i -log(P_i / (P_i + N_i + 1e-6) + 1e-6)``. (ISE, CVPR 2022, section 3.3.) Rows are grouped by label,
    so the value depends neither on the order of the rows nor on equal counts per label.

    Args:
        features: float32 [B, D]. Unit actual rows.
        supports: float32 [B * k, D]. Unit support rows, i-major: row i owns ``i*k .. i*k+k-1``.
        labels: int64 [B]. Pseudo label of each actual row.
        temperature: 0.6 in the paper.
        rivals: bool [B, K], labels whose supports count in N_i; default all.

    Returns:
        Scalar: the mean over the B actual rows.

    Raises:
        ValueError: if the number of supports is no multiple of the number of rows.
    """
    if supports.shape[0] % max(features.shape[0], 1):
        raise ValueError(f"{supports.shape[0]} supports are no multiple of {features.shape[0]} features")
    with paddle.amp.auto_cast(enable=False):
        similarity = paddle.matmul(features.astype("float32"), supports.astype("float32"), transpose_y=True)
        topk = supports.shape[0] // features.shape[0]
        present, group = paddle.unique(labels, return_inverse=True)  # type: ignore[misc]
        support_group = paddle.repeat_interleave(group, topk).unsqueeze(0)
        own_member = group.unsqueeze(1) == support_group
        member = paddle.arange(len(present)).unsqueeze(1) == support_group
        with paddle.no_grad():
            # Selections carry no gradient of their own: arg-min and arg-max pick one entry each, as a max over an
            # axis would not on ties (Paddle's max sends the gradient to every tied entry).
            hardest_own = _argmin_where(similarity, own_member)
            hardest_of_label = _argmin_where(-similarity.unsqueeze(1), member.unsqueeze(0))
        positive = paddle.exp(paddle.take_along_axis(similarity, hardest_own.unsqueeze(1), 1).squeeze(1) / temperature)
        per_label = paddle.exp(paddle.take_along_axis(similarity, hardest_of_label, 1) / temperature)
        other = paddle.arange(len(present)).unsqueeze(0) != group.unsqueeze(1)
        if rivals is not None:
            other &= paddle.gather(rivals.astype("int32"), present, axis=1) > 0
        negative = (per_label * other.astype(per_label.dtype)).sum(axis=1)
        return (-paddle.log(positive / (positive + negative + 1e-6) + 1e-6)).mean()


def camera_proxy_contrast(features: paddle.Tensor, labels: paddle.Tensor, cameras: paddle.Tensor,
                          proxies: paddle.Tensor, proxy_labels: paddle.Tensor, proxy_cameras: paddle.Tensor,
                          partners: paddle.Tensor,
                          temperature: float = CameraProxyLossBlock.temperature,
                          positives: int = CameraProxyLossBlock.positives,
                          negatives: int = CameraProxyLossBlock.negatives) -> paddle.Tensor:
    """Contrast with camera proxies: every row near to its cluster as each camera sees it, and to what is most like it
    in other cameras, away from what else its own camera sees. No cluster needs to span cameras.

    A proxy q_u is what one camera saw of one cluster. With the own proxy o of row i, ``score_u = 0.15 f_i.q_u +
    0.85 q_o.q_u``. P_i: all proxies of the own cluster, and of the best by score of each partner camera the
    ``positives`` best. N_i: the ``negatives`` best by score of those others that are of the row's own camera.
    ``L_cam = mean_i 1/|P_i| sum_{p in P_i} -log(exp(f_i.q_p / t) / sum_{u in P_i + N_i} exp(f_i.q_u / t))``, the mean
    over rows that have an own proxy. Proxies equal in score to the last one chosen are chosen too.
    (Online association of O2CAP, Wang et al., TIP 2022; negatives of the own camera as in MCNL, AAAI 2020.)

    Args:
        features: float32 [B, D]. Unit rows f_i.
        labels: int64 [B]. Pseudo label of each row.
        cameras: int64 [B]. Camera of each row, negative where it is not known.
        proxies: float32 [M, D]. Unit rows; no gradient.
        proxy_labels: int64 [M]. proxy_cameras: int64 [M], 0 and above.
        partners: bool [C, C], the other cameras that a camera may share persons with.
        temperature: t.
        positives: proxies of other cameras, see above.
        negatives: proxies of the own camera, see above.

    Returns:
        Scalar; 0 where no row has a proxy of its own.
    """
    with paddle.amp.auto_cast(enable=False):
        proxies = proxies.detach()
        similarity = paddle.matmul(features.astype("float32"), proxies, transpose_y=True)
        with paddle.no_grad():
            lowest = paddle.full([1], -math.inf)
            own_cluster = labels.unsqueeze(1) == proxy_labels.unsqueeze(0)
            own_camera = cameras.unsqueeze(1) == proxy_cameras.unsqueeze(0)
            own = (own_cluster & own_camera).astype("float32")
            counted = own.sum(axis=1)
            place = own.argmax(axis=1)
            score = 0.15 * similarity + 0.85 * paddle.matmul(paddle.gather(proxies, place), proxies, transpose_y=True)
            best = paddle.stack([paddle.where(proxy_cameras == camera, score, lowest).max(axis=1)
                                 for camera in range(len(partners))], axis=1)
            allowed = paddle.gather(partners.astype("int32"), cameras.clip(min=0)) > 0
            best = paddle.where(allowed, best, lowest)
            best_of_camera = paddle.gather(best, proxy_cameras, axis=1)
            positive = own_cluster | ((score >= best_of_camera) & (best_of_camera >= _last_of(best, positives))
                                      & (best_of_camera > lowest))
            rival = paddle.where(own_camera & ~positive, score, lowest)
            negative = (rival >= _last_of(rival, negatives)) & (rival > lowest)
        logits = similarity / temperature
        alone = (counted == 0).unsqueeze(1)  # counts for nothing; against all proxies, to be a number
        total = paddle.where(positive | negative | alone, logits, lowest).logsumexp(axis=1)
        positive = positive.astype("float32")
        mean_positive = (positive * logits).sum(axis=1) / positive.sum(axis=1).clip(min=1)
        return (counted * (total - mean_positive)).sum() / counted.sum().clip(min=1)


def camera_entropy_weights(labels: paddle.Tensor, cameras: paddle.Tensor) -> paddle.Tensor:
    """Weights of rows that favour clusters which many cameras see: ``w_j = J exp(H_j) / sum exp(H)``, H_j the base-2
    entropy of the cameras of cluster j in the batch, J the clusters in it. (Camera entropy of 3C, 2024.)

    Args:
        labels: int64 [B]. cameras: int64 [B]; rows of one cluster whose camera is not known count as of one camera.

    Returns:
        float32 [B]: the weight of each row's cluster; their mean over the clusters is 1.
    """
    with paddle.no_grad(), paddle.amp.auto_cast(enable=False):
        present, group = paddle.unique(labels, return_inverse=True)  # type: ignore[misc]
        seen, camera = paddle.unique(cameras, return_inverse=True)  # type: ignore[misc]
        counts = paddle.matmul(F.one_hot(group, len(present)), F.one_hot(camera, len(seen)), transpose_x=True)
        shares = counts / counts.sum(axis=1, keepdim=True)
        entropy = -(shares * paddle.log2(shares.clip(min=1e-12))).sum(axis=1)
        weights = F.softmax(entropy, axis=0) * len(present)
        return paddle.gather(weights, group)


def _last_of(values: paddle.Tensor, count: int) -> paddle.Tensor:
    """[B, 1]: the ``count``-th largest of each row; above all of them for 0, the least of them for too many."""
    if count == 0:
        return paddle.full([len(values), 1], math.inf)
    return paddle.topk(values, min(count, values.shape[1]), axis=1)[0][:, -1:]


def _argmin_where(values: paddle.Tensor, mask: paddle.Tensor) -> paddle.Tensor:
    return paddle.argmin(paddle.where(mask, values, paddle.full([1], float("inf"), values.dtype)), axis=-1)
