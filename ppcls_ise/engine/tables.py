"""The figures of a run: per epoch in the log, in VisualDL and in csv files beside the weights."""
from __future__ import annotations

import os

import numpy as np
import paddle.distributed as dist
from ppcls.utils import logger

from ..distributed.processes import unwrap
from ..errors import ISEError
from ..metric import cluster_report
from ..metric.epoch_table import EpochTable, best_epoch
from .checkpoints import BEST, STATE, read_state

__all__ = ["RunReport", "run_report"]


class RunReport:
    """Writes what an epoch gave: ``clusters.csv``, ``training.csv`` and ``evaluation.csv`` in the output folder.

    Called on rank 0 after every clustering, on every process after the steps of an epoch and after every evaluation
    in training. It keeps no state but the files: a resumed run goes on with them, less the rows of epochs after the one
    that it goes on from.

    Args:
        engine: PaddleClas's Engine in train mode.
    """

    def __init__(self, engine):
        self.engine = engine
        resumed = getattr(unwrap(engine.model), "resumed_epoch", None)
        self.clusters, self.training, self.evaluation = tables = [
            EpochTable(os.path.join(engine.output_dir, f"{name}.csv"), resumed)
            for name in ("clusters", "training", "evaluation")]
        if resumed is not None and dist.get_rank() == 0:
            self._abandon_after(resumed, tables)

    def _abandon_after(self, epoch, tables):
        """What lies here of epochs after the one that this run goes on from is of a run that ends there."""
        trimmed = [os.path.basename(table.path) for table in tables if table.trim()]
        if trimmed:
            logger.info(f"going on from epoch {epoch}: rows of later epochs were removed from {', '.join(trimmed)}")
        saved = self.best_model_epoch()
        if saved is not None and saved > epoch:
            logger.warning(f"going on from epoch {epoch}: {BEST} in {self.engine.output_dir} is of epoch {saved} of "
                           "the run before; it stays there until an epoch of this run is the best so far")

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
        return best_epoch(self.evaluation.rows, best_metric)

    def best_model_epoch(self) -> int | None:
        """The epoch of the ``best_model`` in the output folder; None where there is none that can be read."""
        # PaddleClas's versions write to the folder itself or to one below.
        parts = ((), (self.engine.config["Arch"]["name"],))
        stems = [os.path.join(self.engine.output_dir, *part, BEST) for part in parts]
        written = {os.path.getmtime(stem + STATE): stem for stem in stems if os.path.isfile(stem + STATE)}
        try:
            return int(read_state(written[max(written)])["epoch"]) if written else None
        except (ISEError, KeyError):
            return None

    def summarise(self, best_metric: str) -> list[str]:
        """Lines on the last and the best evaluated epoch; none where there was no evaluation."""
        rows, best = self.evaluation.rows, self.best_epoch(best_metric)
        if best is None:
            return []
        lines = [f"{name} epoch {epoch}: " + ", ".join(
            f"{key}: {value:.5f}" for key, value in rows[epoch].items() if key != "epoch")
            for name, epoch in (("last", max(rows)), ("best", best))]
        lines.append(f"the best epoch ({BEST}) was picked by {best_metric} on the test set itself, so its figures are "
                     "too good; report the last epoch's")
        saved = self.best_model_epoch()
        if saved != best:
            lines.append(f"{BEST} in {self.engine.output_dir} {f'is of epoch {saved}' if saved else 'is missing'}: the "
                         "weights of the best epoch are not there")
        return lines


def run_report(engine) -> RunReport:
    """The one report of an engine's run."""
    if not hasattr(engine, "run_report"):
        engine.run_report = RunReport(engine)
    return engine.run_report
