"""As ppcls/engine: the clustering hook around PaddleClas's engine, extraction and evaluation."""
from .config import ClusterSettings, load_config, prepare_config
from .evaluation import choose_evaluation
from .export import export
from .extraction import extract_features
from .hook import ClusterHook
from .loading import choose_loader
from .train_ise import train_epoch_ise

__all__ = ["ClusterHook", "ClusterSettings", "choose_evaluation", "choose_loader", "export", "extract_features",
           "load_config", "prepare_config", "train_epoch_ise"]
