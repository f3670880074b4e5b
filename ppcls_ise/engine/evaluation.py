"""Retrieval evaluation by the re-ID protocol inside PaddleClas's ``eval_mode: retrieval``."""
from __future__ import annotations

from typing import Callable

from ppcls.utils import logger

from ..errors import ISEError
from ..metric import ReIDMetric
from .distributed import on_first_process
from .extraction import extract_features

__all__ = ["choose_evaluation", "reid_evaluation"]


def choose_evaluation(default: Callable) -> Callable:
    """Wrap PaddleClas's ``retrieval_eval``: a config whose ``Metric.Eval`` is ReIDMetric gets the re-ID protocol."""

    def retrieval_eval(engine, epoch_id: int = 0) -> float:
        metrics = engine.eval_metric_func.metric_func_list
        if any(isinstance(metric, ReIDMetric) for metric in metrics):
            if len(metrics) > 1:
                raise ISEError("Metric.Eval: ReIDMetric stands alone, it brings mAP, mINP and the CMC curve")
            return reid_evaluation(engine, epoch_id, metrics[0])
        return default(engine, epoch_id)

    return retrieval_eval


def reid_evaluation(engine, epoch_id: int, metric: ReIDMetric) -> float:
    """Extract query and gallery with the engine's model and evaluate; logs all figures.

    Returns:
        mAP, as a fraction: PaddleClas keeps the best model by it.
    """
    protocol = engine.config["Global"].get("protocol", "market")
    parts = []
    same_set = engine.gallery_query_dataloader is not None
    for name in ("gallery_query",) if same_set else ("query", "gallery"):
        loader = getattr(engine, f"{name}_dataloader")
        settings = evaluation_loader_settings(engine.config["DataLoader"]["Eval"], name)
        parts.append((extract_features(engine.model, loader.dataset, name=name, **settings), loader.dataset))
    (query, query_set), (gallery, gallery_set) = parts[0], parts[-1]
    result = on_first_process(lambda: metric(
        query.numpy(), query_set.pids, query_set.camids, gallery.numpy(), gallery_set.pids, gallery_set.camids,
        protocol=protocol, same_set=same_set))
    figures = ", ".join(f"{name}: {value:.5f}" for name, value in metric.summary(result).items())
    logger.info(f"[Eval][Epoch {epoch_id}][Avg]{figures}, queries: {result['valid_queries']} of {len(query_set)}, "
                f"gallery: {len(gallery_set)}, protocol: {protocol}")
    return float(result["mAP"])


def evaluation_loader_settings(config: dict, name: str = "query") -> dict:
    """Batch size and workers of an Eval block's Query or Gallery, for :func:`extract_features`."""
    block = config.get(name.capitalize()) or list(config.values())[0]
    loader = block["loader"]
    return {"batch_size": block["sampler"]["batch_size"], "num_workers": loader["num_workers"],
            "use_shared_memory": loader.get("use_shared_memory", True)}
