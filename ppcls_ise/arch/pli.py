"""Progressive linear interpolation (PLI): support samples near cluster boundaries."""
from __future__ import annotations

import math

import paddle

from ..config.blocks import HeadBlock
from ..unit import unit_rows

__all__ = ["interpolation_degree", "support_samples"]


def interpolation_degree(step: int, total_steps: int, base: float = HeadBlock.base) -> float:
    """Degree delta(t) by which a support sample moves towards the neighbouring cluster.

    ``delta(t) = 0.25 * base * ln((e - 1) * t / total_steps + 1)``: 0 at the start of training, ``0.25 * base`` at
    its end. (ISE, Zhang et al., CVPR 2022, arXiv 2204.06892; the paper's lambda is ``2 * delta``.)

    Args:
        step: global optimiser step t, counted from 0 over all epochs.
        total_steps: steps per epoch times epochs.
        base: lambda_0.

    Returns:
        The degree, without unit.

    Raises:
        ValueError: if ``total_steps`` is not positive or ``step`` is negative.

    Example:
        >>> round(interpolation_degree(100, 100), 6)
        0.25
    """
    if total_steps <= 0 or step < 0:
        raise ValueError(f"interpolation_degree needs total_steps > 0 and step >= 0, got {total_steps} and {step}")
    return 0.25 * base * math.log((math.e - 1.0) * step / total_steps + 1.0)


def support_samples(features: paddle.Tensor, labels: paddle.Tensor, centroids: paddle.Tensor, degree: float,
                    topk: int = HeadBlock.topk, rivals: paddle.Tensor | None = None,
                    ) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Interpolate every sample towards the ``topk`` clusters that are nearest to it but not its own.

    ``s_ir = unit(f_i + degree * (c_nr - c_yi))``. The neighbours are ranked per sample by ``f_i . c_j``. Gradient
    flows through ``features`` and the normalisation only. (ISE, CVPR 2022, section 3.2.)

    Args:
        features: float32 [B, D]. Row i is a (unit) feature f_i.
        labels: int64 [B]. Pseudo label y_i of row i, in ``[0, K)``.
        centroids: float32 [K, D]. Unit centroid of each cluster; no gradient flows into it.
        degree: see :func:`interpolation_degree`.
        topk: support samples per row, k.
        rivals: bool [B, K], clusters that a row is interpolated to as long as there are any left; default all.

    Returns:
        ``supports`` float32 [B * k, D], unit rows, i-major (row i owns ``i*k .. i*k+k-1``); ``nearest`` int64 [B, k],
        the clusters they lean to, nearest first.

    Raises:
        ValueError: if there are fewer than ``topk`` other clusters.
    """
    count, dim = centroids.shape
    if not 1 <= topk <= count - 1:
        raise ValueError(f"support samples need 1 <= topk <= clusters - 1, got topk {topk} and {count} clusters")
    centroids = centroids.detach()
    with paddle.no_grad():
        similarity = paddle.matmul(features, centroids, transpose_y=True)
        own = labels.unsqueeze(1) == paddle.arange(count, dtype=labels.dtype).unsqueeze(0)
        if rivals is not None:
            similarity = paddle.where(rivals, similarity, similarity - 4)  # below all cosines
        similarity = paddle.where(own, paddle.full_like(similarity, -math.inf), similarity)
        nearest = paddle.topk(similarity, topk, axis=1)[1]
    towards = paddle.gather(centroids, nearest.flatten()).reshape([-1, topk, dim])
    direction = towards - paddle.gather(centroids, labels).unsqueeze(1)
    supports = unit_rows(features.unsqueeze(1) + degree * direction)
    return supports.reshape([-1, dim]), nearest
