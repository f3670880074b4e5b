"""Retrieval evaluation by the re-ID protocol inside PaddleClas's ``eval_mode: retrieval``."""
from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from ppcls.utils import logger

from ..clustering.re_ranking import ReRanking
from ..config.blocks import GlobalBlock
from ..data import ReIDImages
from ..distributed.processes import on_first_process
from ..errors import ISEError
from ..images.listing import ImageList
from ..metric import Evaluation, ReIDMetric, Rules
from ..metric.epoch_table import UNLABELLED
from .averaging import averaged_weights
from .cluster_hook import ClusterHook
from .extraction import extract_features, loader_settings
from .progress import Progress
from .run import run_of
from .tables import tables_of

__all__ = ["describe_rules", "log_best_and_last", "picks_without_labels", "query_and_gallery", "reid_evaluation",
           "unlabelled_evaluation", "wrap_retrieval_eval"]


def wrap_retrieval_eval(default: Callable) -> Callable:
    """Wrap PaddleClas's ``retrieval_eval``: a config whose ``Metric.Eval`` is ReIDMetric gets the re-ID protocol."""

    def retrieval_eval(engine: Any, epoch_id: int = 0) -> float:
        if picks_without_labels(engine):
            return unlabelled_evaluation(engine, epoch_id)
        metrics = engine.eval_metric_func.metric_func_list
        if any(isinstance(metric, ReIDMetric) for metric in metrics):
            if len(metrics) > 1:
                raise ISEError("Metric.Eval: ReIDMetric stands alone, it brings mAP, mINP and the CMC curve")
            return reid_evaluation(engine, epoch_id, metrics[0])
        return default(engine, epoch_id)

    return retrieval_eval


class SplitFeatures(NamedTuple):
    """Features of one side of the evaluation, and what is known of its images."""

    features: np.ndarray  #: float32 [N, D]
    data_set: ReIDImages


def query_and_gallery(engine: Any) -> tuple[SplitFeatures, SplitFeatures]:
    """Extract both with the engine's model, by ``Global.flip_test`` with their mirror images; one set serves as both.

    Returns:
        query and gallery, on every process.
    """
    flip = bool(engine.config["Global"].get("flip_test", GlobalBlock.flip_test))
    splits = []
    for name in ("gallery_query",) if engine.gallery_query_dataloader is not None else ("query", "gallery"):
        data_set = getattr(engine, f"{name}_dataloader").dataset
        blocks = engine.config["DataLoader"]["Eval"]
        settings = loader_settings(blocks.get(name.capitalize()) or next(iter(blocks.values())))
        with averaged_weights(engine.model):
            features = extract_features(engine.model, data_set, name=name, flip=flip, **settings)
        splits.append(SplitFeatures(features.numpy(), data_set))
    return splits[0], splits[-1]


def reid_evaluation(engine: Any, epoch_id: int, metric: ReIDMetric) -> float:
    """Extract query and gallery with the engine's model and evaluate; logs all figures.

    ``Global.protocol``, ``Global.flip_test`` and ``Global.re_ranking`` say how.

    Returns:
        ``Global.best_metric`` as a fraction: PaddleClas keeps the best model by it. mAP where it says nothing else, or
        ``unlabelled``, which is known in training alone.

    Raises:
        ISEError: if the protocol needs cameras that the images do not tell, or the features hold NaN or Inf.
    """
    figures = _retrieval_figures(engine, epoch_id, metric)
    if engine.mode == "train":
        tables_of(engine)  # those of a run that is not ISE's have not joined it yet
        run_of(engine.model).after_evaluation(epoch_id, figures)
    chosen = engine.config["Global"].get("best_metric", GlobalBlock.best_metric)
    return figures[GlobalBlock.best_metric if chosen == UNLABELLED else chosen]


def picks_without_labels(engine: Any) -> bool:
    """Whether ``best_model`` of a training is picked by :meth:`ClusterHook.camera_margin`."""
    return engine.mode == "train" and engine.config["Global"].get("best_metric") == UNLABELLED


def unlabelled_evaluation(engine: Any, epoch_id: int) -> float:
    """How alike clusters of different cameras are (:meth:`ClusterHook.camera_margin`), and retrieval beside it where
    there was to be an evaluation.

    Returns:
        The former.

    Raises:
        ISEError: as :meth:`ClusterHook.camera_margin`, and as :func:`reid_evaluation`.
    """
    run = run_of(engine.model)
    clusters = run.hook(ClusterHook)
    assert clusters is not None  # since the first epoch
    figures = {UNLABELLED: clusters.camera_margin()}
    logger.info(f"[Eval][Epoch {epoch_id}] {UNLABELLED}: {figures[UNLABELLED]:.5f}")
    if engine.eval_metric_func is not None:
        figures.update(_retrieval_figures(engine, epoch_id, engine.eval_metric_func.metric_func_list[0]))
    run.after_evaluation(epoch_id, figures)
    return figures[UNLABELLED]


def _retrieval_figures(engine: Any, epoch_id: int, metric: ReIDMetric) -> dict[str, float]:
    settings = engine.config["Global"]
    query, gallery = query_and_gallery(engine)

    def evaluated() -> tuple[Evaluation, str]:
        rules = evaluation_rules(query, gallery, settings)
        return evaluate_splits(metric, query, gallery, rules), describe_rules(rules, settings)

    result, how = on_first_process(evaluated)
    figures = metric.summary(result)
    total = len(query.data_set)
    logger.info(f"[Eval][Epoch {epoch_id}][Avg]" + ", ".join(f"{name}: {v:.5f}" for name, v in figures.items())
                + f", queries: {result['valid_queries']} of {total}, gallery: {len(gallery.data_set)}, {how}")
    if result["valid_queries"] < total:
        logger.info(f"[Eval][Epoch {epoch_id}] {total - result['valid_queries']} queries have no image in the gallery "
                    "that may match them; they count in no figure")
    return figures


def evaluation_rules(query: SplitFeatures, gallery: SplitFeatures, settings: dict) -> Rules:
    """How ``Global`` wants query and gallery ranked.

    Raises:
        ISEError: as :func:`reid_evaluation` does.
    """
    for name, split in (("Query", query), ("Gallery", gallery)):
        if split.data_set.pids is None:
            raise ISEError(f"DataLoader.Eval.{name}: an evaluation needs identities, which these file names do not "
                           "give; set the data set's pattern, or train with Global.eval_during_train: False")
    protocol = settings.get("protocol", GlobalBlock.protocol)
    if any(_cameras(split) is None for split in (query, gallery)):
        if protocol == "same_camera":
            raise ISEError("Global.protocol same_camera needs camera ids, which these images do not tell: set the "
                           "data sets' pattern, or use protocol all")
        logger.info("[Eval] no camera ids: nothing is removed from a query's ranking but the query image itself")
        protocol = "all"
    distances = None
    if settings.get("re_ranking"):
        logger.info(f"[Eval] re-ranking {len(gallery.features)} images for {len(query.features)} queries")
        try:
            distances = ReRanking(query.features, gallery.features)
        except ValueError as error:
            raise ISEError(f"[Eval] {error}") from error
    return Rules(protocol, own_images(query.data_set.list, gallery.data_set.list), distances)


def describe_rules(rules: Rules, settings: dict) -> str:
    """How an evaluation by :func:`evaluation_rules` was done, for the log: the rules used, not those asked for."""
    how = [f"protocol: {rules.protocol}"] + ["flip_test"] * bool(settings.get("flip_test"))
    again = rules.distances
    if isinstance(again, ReRanking):
        how.append(f"re_ranking: k1 {again.k1} k2 {again.k2} lambda {again.lambda_value}")
    return ", ".join(how)


def evaluate_splits(metric: ReIDMetric, query: SplitFeatures, gallery: SplitFeatures, rules: Rules) -> Evaluation:
    """Result of :func:`ppcls_ise.metric.evaluate` by :func:`evaluation_rules`."""
    sides = [(split.features, split.data_set.pids, _cameras(split)) for split in (query, gallery)]
    if any(camids is None for _, _, camids in sides):
        sides = [(*side[:2], None) for side in sides]
    try:
        return metric(*sides[0], *sides[1], rules, progress=Progress("[Eval] ranking", "queries"))
    except ValueError as error:
        raise ISEError(f"[Eval] {error}") from error


def _cameras(split: SplitFeatures) -> np.ndarray | None:
    camids = split.data_set.camids
    return None if camids is None or (camids < 0).all() else camids


def own_images(query: ImageList, gallery: ImageList) -> np.ndarray:
    """int64 ``[Q]``: where the file of each query is in the gallery, -1 where it is not."""
    paths = [[os.path.abspath(images.path(i)) for i in range(len(images.names))] for images in (query, gallery)]
    place = {path: index for index, path in enumerate(paths[1])}
    return np.array([place.get(path, -1) for path in paths[0]], np.int64)


def log_best_and_last(engine: Any) -> None:
    """After training: the figures of the best and the last evaluated epoch, and by what the best was chosen."""
    for line in tables_of(engine).summarise(engine.config["Global"].get("best_metric", GlobalBlock.best_metric)):
        logger.info(f"[Eval] {line}")
