"""As ppcls/engine: the clustering hook around PaddleClas's engine, extraction and evaluation."""
from ..config import load_config, save_config
from ..data.loader import choose_loader
from .checkpoints import load_pretrained, load_whole, save_whole
from .cluster_settings import ClusterSettings
from .evaluation import choose_evaluation, log_best_and_last, query_and_gallery
from .export import export
from .extraction import extract_features
from .hook import ClusterHook
from .prepare import prepare_config
from .train_ise import train_epoch_ise

__all__ = ["ClusterHook", "ClusterSettings", "choose_evaluation", "choose_loader", "export", "extract_features",
           "load_config", "load_pretrained", "load_whole", "log_best_and_last", "prepare_config", "query_and_gallery",
           "save_config", "save_whole", "train_epoch_ise"]
