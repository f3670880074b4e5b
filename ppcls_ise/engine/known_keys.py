"""The keys that a config may have: what nothing reads is a mistake, and an error before anything is built."""
from __future__ import annotations

import ppcls.loss
import ppcls.metric

from ..arch.block import check_arch
from ..arch.model import ISEModel
from ..config.keys import check_keys, check_name, named_items, nearest, parameters_of, require_keys
from ..errors import ISEError
from ..images.synthetic import make_synthetic
from ..loss import ClusterContrastLoss, LabelPreservingLoss
from ..metric import ReIDMetric
from .cluster_block import clustering_of, is_own
from .loader_blocks import check_loaders

__all__ = ["GLOBAL_KEYS", "HOST_GLOBAL_KEYS", "check_config"]

#: Keys of Global that ISE reads, or that its configs need for PaddleClas; docs/config.md explains each.
GLOBAL_KEYS = (
    "best_metric check_ranks checkpoints device epochs eval_during_train eval_interval eval_mode feature_cache "
    "flip_test image_root image_shape iter_per_epoch output_dir pretrained_model print_batch_step protocol re_ranking "
    "save_inference_dir save_interval seed start_eval_epoch train_mode update_freq use_visualdl").split()
#: The others that PaddleClas 2.4.2, release/2.5 or develop reads, or has in its own configs.
HOST_GLOBAL_KEYS = (
    "class_num distributed export_for_fd feature_binarize feature_normalize hpi_config_path image_channel infer_imgs "
    "log_ranks pdx_model_name print_mem_info retrieval_feature_from sim_block_size to_static uniform_output_enabled "
    "use_dali use_multilabel warmup_iter").split()
#: Blocks of ours, and of PaddleClas.
BLOCKS = (
    "Global Cluster Arch Loss Optimizer AMP DataLoader Metric Synthetic "
    "EMA IndexProcess Infer MLDecoder SSL Slim UnLabelLoss profiler_options").split()
LOSSES = {"ClusterContrastLoss": ClusterContrastLoss, "LabelPreservingLoss": LabelPreservingLoss}


def check_config(config: dict, mode: str) -> None:
    """Refuse a misspelt block or key, and a block that lacks what the mode needs.

    What is PaddleClas's own is left to it: its optimisers, models, data sets, and blocks that resemble no known one.

    Args:
        config: not changed.
        mode: as of :func:`ppcls_ise.engine.prepare_config`.

    Raises:
        ISEError: naming the key, and the nearest known one.
    """
    for name in config:
        near = nearest(name, BLOCKS, cutoff=0.85)
        if name not in BLOCKS and near:
            raise ISEError(f"the config has a block {name}, did you mean {near}?")
    for name in ("Global", "Arch"):
        if not isinstance(config.get(name), dict):
            raise ISEError(f"the config has no block {name}")
    check_keys(config["Global"], [*GLOBAL_KEYS, *HOST_GLOBAL_KEYS], "Global",
               dict.fromkeys(("use_gpu", "use_xpu", "use_npu", "use_mlu"), "set Global.device"))
    ise = config["Arch"].get("name") == "ISEModel"
    if ise:
        check_arch(config["Arch"], ISEModel)
        if mode == "train" or not is_own(config.get("Cluster")):
            clustering_of(config.get("Cluster"))
    check_loaders(config.get("DataLoader"), ise, mode)
    _check_losses(config.get("Loss"), ise)
    _check_metrics(config.get("Metric"), ise)
    check_keys(config.get("Synthetic"), parameters_of(make_synthetic, "root", "config", "progress"), "Synthetic")


def _check_losses(block, ise):
    for place, name, options in named_items((block or {}).get("Train"), "Loss.Train"):
        if ise:
            check_name(name, ppcls.loss, place)
        if name in LOSSES:
            check_keys(options, ["weight", *parameters_of(LOSSES[name])], f"{place}.{name}")
            require_keys(options, ["weight"], f"{place}.{name}")


def _check_metrics(block, ise):
    for place, name, options in named_items((block or {}).get("Eval"), "Metric.Eval"):
        if ise:
            check_name(name, ppcls.metric, place)
        if name == "ReIDMetric":
            check_keys(options, parameters_of(ReIDMetric), f"{place}.{name}")
