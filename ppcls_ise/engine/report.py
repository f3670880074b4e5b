"""The figures of a run: per epoch in the log, in VisualDL and in csv files beside the weights."""
from __future__ import annotations

import os

import numpy as np
import paddle.distributed as dist
from ppcls.utils import logger

from ..metric import cluster_report
from ..metric.epoch_table import EpochTable

__all__ = ["RunReport", "run_report"]


class RunReport:
    """Writes what an epoch gave: ``clusters.csv``, ``training.csv`` and ``evaluation.csv`` in the output folder.

    Called on rank 0 after every clustering, on every process after the steps of an epoch and after every evaluation
    in training. It keeps no state but the files: a resumed run goes on with them.

    Args:
        engine: PaddleClas's Engine in train mode.
    """

    def __init__(self, engine):
        self.engine = engine
        resumed = bool(engine.config["Global"].get("checkpoints"))
        self.clusters, self.training, self.evaluation = (
            EpochTable(os.path.join(engine.output_dir, f"{name}.csv"), resumed)
            for name in ("clusters", "training", "evaluation"))

    def write_clusters(self, epoch_id: int, labels: np.ndarray, images, previous: np.ndarray | None) -> dict:
        """Describe a clustering.

        Args:
            labels: int ``[N]``, -1 = outlier.
            images: the data set with ``pids`` and ``camids``, either of which may be None. Identities are only
                compared with the labels here; nothing of it goes back into training.
            previous: labels of the clustering before, or None.

        Returns:
            The figures of :func:`ppcls_ise.metric.cluster_report`.
        """
        if previous is not None and len(previous) != len(labels):
            previous = None
        figures = cluster_report(labels, images.pids, images.camids, previous)
        self._write(self.clusters, "cluster", epoch_id, figures)
        shown = ", ".join(f"{name}: {value:.3f}" for name, value in figures.items()
                          if isinstance(value, float) and not name.startswith("size_"))
        logger.info(f"[Cluster][Epoch {epoch_id}] {shown}")
        return figures

    def begin_epoch(self) -> None:
        """Remember the learning rate: PaddleClas sets the next epoch's before an epoch is over."""
        self.lr = float(self.engine.optimizer[-1].get_lr())

    def write_training(self, epoch_id: int) -> None:
        """Mean losses and lambda of the epoch's steps, and the learning rate it began with.

        Called before PaddleClas clears its meters.
        """
        # VisualDL has these already, step by step, from PaddleClas.
        if dist.get_rank() == 0:
            figures = {name: float(meter.avg) for name, meter in self.engine.output_info.items()}
            self.training.put(epoch_id, {**figures, "lr": self.lr})

    def write_evaluation(self, epoch_id: int, figures: dict) -> None:
        """Figures of an evaluation in training, name -> fraction."""
        self._write(self.evaluation, "eval", epoch_id, figures)

    def _write(self, table, group, epoch_id, figures):
        if dist.get_rank():
            return
        table.put(epoch_id, figures)
        for name, value in figures.items():
            logger.scaler(f"{group}/{name}", value, epoch_id, self.engine.vdl_writer)

    def best_epoch(self, best_metric: str) -> int | None:
        """The evaluated epoch with the highest figure, the first of equal ones; None before any evaluation.

        Its figures are ``evaluation.rows[epoch]``: of the interrupted run too, where this one was resumed.
        """
        rows = self.evaluation.rows
        return max(sorted(rows), key=lambda epoch: rows[epoch].get(best_metric, 0), default=None)

    def summarise(self, best_metric: str) -> list[str]:
        """Lines on the last and the best evaluated epoch; none where there was no evaluation."""
        rows, best = self.evaluation.rows, self.best_epoch(best_metric)
        if best is None:
            return []
        lines = [f"{name} epoch {epoch}: " + ", ".join(
            f"{key}: {value:.5f}" for key, value in rows[epoch].items() if key != "epoch")
            for name, epoch in (("last", max(rows)), ("best", best))]
        return [*lines, f"the best epoch (best_model) was picked by {best_metric} on the test set itself, so its "
                        "figures are too good; report the last epoch's"]


def run_report(engine) -> RunReport:
    """The one report of an engine's run."""
    if not hasattr(engine, "run_report"):
        engine.run_report = RunReport(engine)
    return engine.run_report
