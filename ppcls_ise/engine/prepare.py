"""From a config to what PaddleClas builds: checked, and completed, before anything is built."""
from __future__ import annotations

import copy
import os
from typing import Any

import paddle
import paddle.distributed as dist
from ppcls.utils import logger

from .. import onednn
from ..arch.bn_groups import check_group_size
from ..config.blocks import DATA_SETS, ArchBlock, GlobalBlock, HeadBlock, SamplerBlock
from ..config.check import check_config, drop_unset_keys, is_ise
from ..config.loaders import complete_loaders, plain_block
from ..config.sizes import check_sizes
from ..errors import ISEError
from ..host.bridges import attribute_dict
from ..host.processor import faster_blas, keep_memory, use_threads
from .checkpoints import settle
from .names import check_names

__all__ = ["prepare_config", "prepare_processor"]


def prepare_config(config: dict[str, Any], mode: str) -> dict[str, Any]:
    """Check a config and complete what PaddleClas's builders cannot pass on by themselves.

    Args:
        config: of :func:`ppcls_ise.config.load_config`; not changed.
        mode: ``train``, ``eval`` or ``export``, as of PaddleClas's Engine; or ``data`` to look at the images only
            (tools/check_data.py), for which nothing needs to be complete but the data sets.

    Returns:
        A completed copy.

    Raises:
        ISEError: naming the key at fault.
    """
    config = attribute_dict(copy.deepcopy(dict(config)))
    check_config(config, mode)
    drop_unset_keys(config)
    check_names(config, mode)
    settings, loaders, ise = config["Global"], config.get("DataLoader") or {}, is_ise(config)
    settings["device"] = _device(settings.get("device", GlobalBlock.device))
    for key in ("flip_test", "re_ranking", "use_visualdl"):
        settings.setdefault(key, getattr(GlobalBlock, key))
    if ise:
        _complete_ise(settings, config["Arch"])
        if settings["device"] == "cpu" and mode in ("train", "eval"):
            prepare_processor(settings.get("cpu_num_threads"), settings.get("use_onednn", GlobalBlock.use_onednn))
    for key in ("pretrained_model", "checkpoints"):
        settings[key] = _weights_path(key, settings.get(key), mode)
    evaluates = mode == "eval" or (mode == "train" and settings.get("eval_during_train"))
    if evaluates and not loaders.get("Eval"):
        raise ISEError("DataLoader.Eval is missing: an evaluation needs labelled images as Query and Gallery; to train "
                       "without, set Global.eval_during_train: False")
    complete_loaders(settings.get("image_root"), loaders)
    if ise:
        check_sizes(settings.get("image_shape"), loaders)
    config.setdefault("profiler_options", None)
    if mode == "export":
        _complete_export(config)
    trained = settings["pretrained_model"] or settings["checkpoints"]
    if (mode != "train" or trained) and isinstance(config["Arch"].get("Backbone"), dict):
        config["Arch"]["Backbone"]["pretrained"] = False  # overwritten anyway: neither read nor downloaded
    if ise and mode == "train":
        _complete_training(config)
    return config


def _complete_ise(settings: dict[str, Any], arch: dict[str, Any]) -> None:
    """What PaddleClas would take another default for, or none."""
    if settings.get("train_mode") not in (None, "ise"):
        raise ISEError(f"Global.train_mode is ise for ISEModel, not {settings['train_mode']!r}")
    for key in ("eval_interval", "eval_mode", "save_inference_dir"):
        settings.setdefault(key, getattr(GlobalBlock, key))
    for key in ("infer_output_key", "infer_add_softmax"):
        arch.setdefault(key, getattr(ArchBlock, key))
    arch["use_onednn"] = settings.get("use_onednn", GlobalBlock.use_onednn)


def prepare_processor(threads: int | None = GlobalBlock.cpu_num_threads, use_onednn: bool = GlobalBlock.use_onednn,
                      ) -> None:
    """Let this process compute on the CPU as fast as it can, and log with what; before anything is computed.

    :func:`prepare_config` calls it; for programs that go without a config.

    Args:
        threads: None for ``OMP_NUM_THREADS``, or else the share of this process in the cores.
        use_onednn: keep the memory of a step for the next one, as convolutions through oneDNN are quick enough to gain
            by it.
    """
    threads = use_threads(threads)
    onednn.use_threads(threads)
    version = onednn.version() if use_onednn else None
    if version:
        keep_memory()
    logger.info(f"[CPU] {threads} thread{'s' * (threads > 1)}, "
                + (f"oneDNN {version}" if version else "Paddle's own convolutions")
                + (", MKL_DEBUG_CPU_TYPE=5" if faster_blas() else ""))


def _complete_export(config: dict[str, Any]) -> None:
    if not config["Global"]["pretrained_model"]:
        raise ISEError("export needs the trained weights: -o Global.pretrained_model=output/.../best_model")
    if is_ise(config):
        plain_block(config)
        if config["Global"].get("image_shape") is None:
            raise ISEError("Global.image_shape is missing: [3, height, width] of the exported model")
        if not config["Arch"].get("export_normalize", ArchBlock.export_normalize):
            config["Arch"]["infer_output_key"] = "neck"


def _device(name: str) -> str:
    if name == "gpu" and not paddle.is_compiled_with_cuda():
        raise ISEError("Global.device is gpu, but this PaddlePaddle is built for the CPU only; install "
                       "paddlepaddle-gpu or set it to auto")
    if name != "auto":
        return name
    return "gpu" if paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count() else "cpu"


def _weights_path(key: str, path: str | None, mode: str) -> str | None:
    if not path:
        return None
    if path.startswith(("http://", "https://")):
        return path
    stem = path[:-len(".pdparams")] if path.endswith(".pdparams") else path
    settle(stem)
    needed = (".pdparams", ".pdopt", ".pdstates") if key == "checkpoints" and mode == "train" else (".pdparams",)
    for suffix in needed:
        if not os.path.isfile(stem + suffix):
            raise ISEError(f"Global.{key}: there is no file {stem + suffix}")
    return stem


def _complete_training(config: dict[str, Any]) -> None:
    settings, loaders = config["Global"], config.get("DataLoader") or {}
    train = loaders.get("Train") or {}
    sampler = train.get("sampler")
    if settings.get("train_mode") != "ise":
        raise ISEError("ISEModel trains with Global.train_mode: ise")
    if (train.get("dataset") or {}).get("name") not in DATA_SETS:
        raise ISEError(f"Global.train_mode ise needs DataLoader.Train.dataset.name: {' or '.join(DATA_SETS)}")
    if not sampler or sampler.get("name") != SamplerBlock.name:
        raise ISEError("Global.train_mode ise needs DataLoader.Train.sampler.name: PseudoLabelSampler")
    if not settings.get("iter_per_epoch"):
        raise ISEError("Global.iter_per_epoch is missing: steps per epoch (400 in the published recipe)")
    plain_block(config)
    losses = (config.get("Loss") or {}).get("Train") or []
    names = [name for loss in losses for name in loss]
    if "LabelPreservingLoss" in names and not config["Arch"]["Head"].get("topk", HeadBlock.topk):
        raise ISEError("LabelPreservingLoss needs support samples: Arch.Head.topk is 0")
    if "ClusterContrastLoss" not in names:
        raise ISEError("Loss.Train needs ClusterContrastLoss (LabelPreservingLoss only adds to it)")
    if len(losses) == 1 and (losses[0]["ClusterContrastLoss"] or {}).get("weight", 1.0) != 1.0:
        # PaddleClas's CombinedLoss ignores the weight of a single loss.
        raise ISEError("Loss.Train: the weight of a single loss has no effect in PaddleClas; set it to 1.0")
    sampler["iter_per_epoch"] = settings["iter_per_epoch"]
    _complete_batch(settings, config["Arch"], sampler)
    # PaddleClas treats no seed and False alike.
    settings["seed"] = sampler["seed"] = int(settings.get("seed") or 0)
    if dist.get_world_size() > 1 and config["Arch"].get("use_sync_bn"):
        raise ISEError("Arch.use_sync_bn lets BatchNorm see the global batch; how many images it sees is "
                       "Arch.bn_group_size")
    _complete_amp(config)


def _complete_batch(settings: dict[str, Any], arch: dict[str, Any], sampler: dict[str, Any]) -> None:
    group_size = arch.get("bn_group_size")
    if group_size is not None:
        check_group_size(group_size, sampler["batch_size"], sampler["num_instances"], dist.get_world_size())
        sampler["group_size"] = group_size
    arch["feature_cache"] = settings.get("feature_cache", GlobalBlock.feature_cache)
    if arch["feature_cache"] and group_size is None:
        raise ISEError("Global.feature_cache runs the batch group by group: set Arch.bn_group_size (64 in the "
                       "published recipe)")


def _complete_amp(config: dict[str, Any]) -> None:
    amp = config.get("AMP")
    if not amp or not amp.get("use_amp", True):
        config["AMP"] = None  # 2.4.2 takes any AMP block for use_amp
    elif config["Global"]["device"] == "cpu":
        logger.warning("AMP is ignored: Global.device is cpu, which trains in float32")
        config["AMP"] = None
    elif str(amp.get("level", "O1")).upper() != "O1":
        raise ISEError(f"AMP.level is O1, not {amp['level']!r}: with O2 the parameters themselves would be float16")
