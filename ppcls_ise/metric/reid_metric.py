from __future__ import annotations

import dataclasses
from typing import Any

from .ranking import Evaluation, evaluate

__all__ = ["ReIDMetric"]


@dataclasses.dataclass(frozen=True)
class ReIDMetric:
    """The re-ID protocol as a PaddleClas metric: ``Metric: {Eval: [- ReIDMetric: {topk: [1, 5, 10]}]}``.

    PaddleClas calls metrics on blocks of a similarity matrix, which cannot remove gallery images per query. A config
    with this metric is evaluated by :func:`ppcls_ise.engine.evaluation.reid_evaluation` instead.

    Args:
        topk: ranks of the CMC curve to report.

    Raises:
        ValueError: for no rank, or one below 1.
    """

    topk: tuple[int, ...] = (1, 5, 10)

    def __post_init__(self) -> None:
        if not self.topk or min(self.topk) < 1:
            raise ValueError(f"topk is ranks, each at least 1, not {self.topk!r}")

    def __call__(self, *sides: Any, **options: Any) -> Evaluation:
        """Arguments and result of :func:`ppcls_ise.metric.evaluate`, the CMC as long as :attr:`topk` needs."""
        return evaluate(*sides, **{"topk": max(self.topk), **options})

    @property
    def names(self) -> list[str]:
        """Names of the figures: mAP, mINP and rank-k."""
        return ["mAP", "mINP", *(f"rank{k}" for k in self.topk)]

    def summary(self, result: Evaluation) -> dict[str, float]:
        """Name -> fraction, for :attr:`names`."""
        ranks = {f"rank{k}": float(result["cmc"][k - 1]) for k in self.topk}
        return {"mAP": result["mAP"], "mINP": result["mINP"], **ranks}
