"""The figures of a run: per epoch in the log, in VisualDL and in csv files beside the weights."""
from __future__ import annotations

import os
from typing import Any

import numpy as np
import paddle.distributed as dist
from ppcls.utils import logger

from ..errors import ISEError
from ..host.bridges import weight_stems
from ..metric import cluster_report
from ..metric.epoch_table import EpochTable, best_epoch, how_picked
from .checkpoints import BEST, STATE, read_run_state
from .run import Hook, run_of

__all__ = ["RunTables", "tables_of"]


class RunTables(Hook):
    """Writes what an epoch gave: ``clusters.csv``, ``training.csv`` and ``evaluation.csv`` in the output folder.

    Called after every clustering, after the steps of an epoch and after every evaluation in training. It keeps no state
    but the files: a resumed run goes on with them, less the rows of epochs after the one that it goes on from.

    Args:
        engine: PaddleClas's Engine in train mode.
        resumed_epoch: the epoch that the run goes on from; None for one from the start.
    """

    def __init__(self, engine: Any, resumed_epoch: int | None = None):
        self.engine = engine
        self.clusters, self.training, self.evaluation = tables = [
            EpochTable(os.path.join(engine.output_dir, f"{name}.csv"), resumed_epoch)
            for name in ("clusters", "training", "evaluation")]
        if resumed_epoch is not None and dist.get_rank() == 0:
            self._abandon_after(resumed_epoch, tables)

    def _abandon_after(self, epoch: int, tables: list[EpochTable]) -> None:
        """What lies here of epochs after the one that this run goes on from is of a run that ends there."""
        trimmed = [os.path.basename(table.path) for table in tables if table.trim()]
        if trimmed:
            logger.info(f"going on from epoch {epoch}: rows of later epochs were removed from {', '.join(trimmed)}")
        saved = self.best_model_epoch()
        if saved is not None and saved > epoch:
            logger.warning(f"going on from epoch {epoch}: {BEST} in {self.engine.output_dir} is of epoch {saved} of "
                           "the run before; it stays there until an epoch of this run is the best so far")

    def before_epoch(self, epoch: int) -> None:
        """Remember the learning rate: PaddleClas sets the next epoch's before an epoch is over."""
        self.lr = float(self.engine.optimizer[-1].get_lr())

    def after_clustering(self, epoch: int, labels: np.ndarray, previous: np.ndarray | None,
                         figures: dict[str, float]) -> None:
        """Describe a clustering by :func:`ppcls_ise.metric.cluster_report` and by what it reports of itself.

        Identities, where they are known, are only compared with the labels; nothing of it goes back into training.
        """
        if dist.get_rank():
            return
        data_set = self.engine.train_dataloader.dataset
        if previous is not None and len(previous) != len(labels):
            previous = None
        figures = {**cluster_report(labels, data_set.pids, data_set.camids, previous), **figures}
        self._write(self.clusters, "cluster", epoch, figures)
        shown = ", ".join(f"{name}: {value:.3f}" for name, value in figures.items()
                          if isinstance(value, float) and not name.startswith("size_"))
        logger.info(f"[Cluster][Epoch {epoch}] {shown}")

    def after_epoch(self, epoch: int) -> None:
        """Mean losses and lambda of the epoch's steps, and the learning rate it began with."""
        # VisualDL has these already, step by step, from PaddleClas.
        if dist.get_rank() == 0:
            figures = {name: float(meter.avg) for name, meter in self.engine.output_info.items()}
            self.training.put(epoch, {**figures, "lr": self.lr})

    def after_evaluation(self, epoch: int, figures: dict[str, float]) -> None:
        """mAP, rank-k and what else was evaluated, as fractions."""
        self._write(self.evaluation, "eval", epoch, figures)

    def _write(self, table: EpochTable, group: str, epoch: int, figures: dict[str, float]) -> None:
        if dist.get_rank():
            return
        table.put(epoch, figures)
        for name, value in figures.items():
            logger.scaler(f"{group}/{name}", value, epoch, self.engine.vdl_writer)

    def best_epoch(self, best_metric: str) -> int | None:
        """The evaluated epoch with the highest figure, the first of equal ones; None before any evaluation.

        Its figures are ``evaluation.rows[epoch]``: of the interrupted run too, where this one was resumed.
        """
        return best_epoch(self.evaluation.rows, best_metric)

    def best_model_epoch(self) -> int | None:
        """The epoch of the ``best_model`` in the output folder; None where there is none that can be read."""
        stems = weight_stems(self.engine.output_dir, self.engine.config["Arch"]["name"], BEST)
        written = {os.path.getmtime(stem + STATE): stem for stem in stems if os.path.isfile(stem + STATE)}
        try:
            return int(read_run_state(written[max(written)])["epoch"]) if written else None
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
        lines.append(f"{BEST}: {how_picked(best_metric)}")
        saved = self.best_model_epoch()
        if saved != best:
            lines.append(f"{BEST} in {self.engine.output_dir} {f'is of epoch {saved}' if saved else 'is missing'}: the "
                         "weights of the best epoch are not there")
        return lines


def tables_of(engine: Any) -> RunTables:
    """The tables of an engine's run, which they join if they have not."""
    run = run_of(engine.model)
    return run.hook(RunTables) or run.join(RunTables(engine, run.resumed_epoch))
