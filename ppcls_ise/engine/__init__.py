"""As ppcls/engine: a run and its hooks around PaddleClas's engine, extraction, evaluation, checkpoints, export."""
from .cluster_block import clustering_of
from .cluster_hook import ClusterHook
from .evaluation import log_best_and_last, query_and_gallery
from .export import export_model
from .extraction import extract_features
from .prepare import prepare_config, prepare_processor
from .run import Hook, Run, run_of
from .train_ise import train_epoch_ise

__all__ = ["ClusterHook", "Hook", "Run", "clustering_of", "export_model", "extract_features", "log_best_and_last",
           "prepare_config", "prepare_processor", "query_and_gallery", "run_of", "train_epoch_ise"]
