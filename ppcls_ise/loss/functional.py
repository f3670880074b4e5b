"""The two losses of ISE as pure functions."""
from __future__ import annotations

import paddle
import paddle.nn.functional as F

from ..config.blocks import ClusterContrastLossBlock, LabelPreservingLossBlock
from ..unit import unit_rows

__all__ = ["cluster_contrast", "label_preserving"]


def cluster_contrast(rows: paddle.Tensor, labels: paddle.Tensor, centroids: paddle.Tensor,
                     temperature: float = ClusterContrastLossBlock.temperature) -> paddle.Tensor:
    """Cluster contrast L_SE: cross entropy of every row against all centroids.

    (Cluster Contrast, Dai et al., ACCV 2022, eq. 1; over actual and support samples in ISE, CVPR 2022, section 3.3.)

    Args:
        rows: float32 [n, D]. Actual rows, then support rows; re-normalised here.
        labels: int64 [n]. Pseudo label of each row, in ``[0, K)``.
        centroids: float32 [K, D]. Unit centroids from before this step's memory update; no gradient.
        temperature: tau.

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
        return F.cross_entropy(logits, labels)


def label_preserving(features: paddle.Tensor, supports: paddle.Tensor, labels: paddle.Tensor,
                     temperature: float = LabelPreservingLossBlock.temperature) -> paddle.Tensor:
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
        negative = (per_label * other.astype(per_label.dtype)).sum(axis=1)
        return (-paddle.log(positive / (positive + negative + 1e-6) + 1e-6)).mean()


def _argmin_where(values: paddle.Tensor, mask: paddle.Tensor) -> paddle.Tensor:
    return paddle.argmin(paddle.where(mask, values, paddle.full([1], float("inf"), values.dtype)), axis=-1)
