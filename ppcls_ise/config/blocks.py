"""Every block of ours in a training config: its keys, their defaults, what they may be. docs/config.md explains them.

A class that PaddleClas builds takes its settings from here. The clusterings (``Cluster``), :class:`ReIDMetric` and
:class:`SyntheticSet` are such dataclasses themselves, in rooms that know no config.
"""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from ..errors import ISEError
from .fields import Block, Count, Is, Path, Positive, Whole, keys_of

__all__ = [
    "DATA_SETS", "LOSSES", "TRANSFORMS", "AnyGlobalBlock", "ArchBlock",
    "BackboneBlock", "CameraProxyLossBlock", "ChannelJitterBlock", "ClusterContrastLossBlock",
    "ClusterImagesBlock", "ClusterSamplerBlock", "GlobalBlock", "HeadBlock", "LabelPreservingLossBlock", "LoaderBlock",
    "MemoryBlock", "NeckBlock", "PadCropBlock", "PlainSamplerBlock", "PoolingBlock", "RandomEraseBlock",
    "ReIDImagesBlock", "SamplerBlock", "StopLayerBlock", "UnlabeledFolderBlock"]


EMADecay = Annotated[float, Is("the weight of the old average, in [0, 1), or auto", lambda weight: 0 <= weight < 1)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnyGlobalBlock(Block):
    """``Global`` of any model of PaddleClas: what is read here; the other keys are its own."""

    image_root: Path | None = None
    device: str = "auto"
    pretrained_model: Path | Literal[False] | None = None
    checkpoints: Path | Literal[False] | None = None
    protocol: str = "market"  # one of ppcls_ise.metric.PROTOCOLS
    best_metric: str = "mAP"  # one of ReIDMetric.names
    flip_test: bool = False
    re_ranking: bool = False

    host_keys: ClassVar[tuple[str, ...] | None] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class GlobalBlock(AnyGlobalBlock):
    """``Global`` of an ISEModel: what ISE reads, or its configs need for PaddleClas."""

    epochs: Whole
    iter_per_epoch: Whole
    output_dir: Path
    save_interval: Whole
    print_batch_step: Whole
    eval_during_train: bool
    train_mode: str | None = None
    device: Literal["auto", "cpu", "gpu", "xpu", "npu", "mlu"] = "auto"
    seed: int | bool | None = 0  # PaddleClas treats no seed and False alike
    feature_cache: bool = False
    ema_decay: EMADecay | Literal["auto"] = 0.0
    anchor: Annotated[float, Is("a share above 0, at most 1", lambda share: 0 < share <= 1)] = 1.0
    use_onednn: bool = True
    cpu_num_threads: Whole | None = None
    check_ranks: bool | None = None
    update_freq: Whole = 1
    use_visualdl: bool = False
    eval_interval: Whole = 1
    start_eval_epoch: Count = 0
    eval_mode: str = "retrieval"
    image_shape: Annotated[tuple[Whole, ...], Is("[3, height, width]", lambda shape: len(shape) == 3)] | None = None
    save_inference_dir: Path = "./inference"

    instead: ClassVar[Mapping[str, str]] = dict.fromkeys(("use_gpu", "use_xpu", "use_npu", "use_mlu"),
                                                         "set Global.device")
    #: The others that PaddleClas 2.4.2, release/2.5 or develop reads, or has in its own configs.
    host_keys: ClassVar[tuple[str, ...] | None] = (
        "class_num", "distributed", "export_for_fd", "feature_binarize", "feature_normalize", "hpi_config_path",
        "image_channel", "infer_imgs", "log_ranks", "pdx_model_name", "print_mem_info", "retrieval_feature_from",
        "sim_block_size", "to_static", "uniform_output_enabled", "use_dali", "use_multilabel", "warmup_iter")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BackboneBlock(Block):
    """``Arch.Backbone``; the other keys are the backbone's own."""

    name: str
    pretrained: bool | str = False

    host_keys: ClassVar[None] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class StopLayerBlock(Block):
    """``Arch.BackboneStopLayer``: the layer whose output is pooled to the feature."""

    name: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoolingBlock(Block):
    """``Arch.Pooling``; ``p`` and ``eps`` are of ``gem``."""

    name: Literal["avg", "gem"] = "avg"
    p: Positive = 3.0
    eps: Positive = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True)
class NeckBlock(Block):
    """``Arch.Neck``: PaddleClas's BatchNorm neck, its bias kept at 0."""

    num_features: Annotated[int, Is("the width of the backbone's feature", lambda width: width > 0)]
    name: Literal["BNNeck"] = "BNNeck"

    host_keys: ClassVar[tuple[str, ...]] = ("weight_attr", "bias_attr", "use_global_stats")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryBlock(Block):
    """What :class:`HeadBlock` says of the cluster memory."""

    momentum: Annotated[float, Is("the weight of the old centroid, in [0, 1)", lambda weight: 0 <= weight < 1)] = 0.2
    update: Literal["hard", "all"] = "hard"


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadBlock(MemoryBlock):
    """``Arch.Head``: support samples and cluster memory."""

    name: Literal["ISEHead"] = "ISEHead"
    topk: Annotated[int, Is("the number of support samples per image, >= 0", lambda count: count >= 0)] = 1
    base: float = 1.0
    contrast_supports: bool = True
    negatives: Literal["all", "same_camera"] = "all"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArchBlock(Block):
    """``Arch`` of an ISEModel."""

    Backbone: BackboneBlock
    Neck: NeckBlock
    Head: HeadBlock
    name: Literal["ISEModel"] = "ISEModel"
    BackboneStopLayer: StopLayerBlock | None = None
    Pooling: PoolingBlock | None = None
    bn_group_size: Annotated[int, Is("a whole number of images, at least 2", lambda size: size >= 2)] | None = None
    stem_relu: bool = True
    infer_output_key: str = "features"
    infer_add_softmax: bool = False
    export_normalize: bool = True

    instead: ClassVar[Mapping[str, str]] = {key: f"set Global.{key}" for key in ("feature_cache", "use_onednn")}
    host_keys: ClassVar[tuple[str, ...]] = ("use_sync_bn", "is_rec", "class_num")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterContrastLossBlock(Block):
    """``ClusterContrastLoss`` of ``Loss.Train``."""

    weight: float
    temperature: Positive = 0.05
    camera_entropy: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelPreservingLossBlock(Block):
    """``LabelPreservingLoss`` of ``Loss.Train``."""

    weight: float
    temperature: Positive = 0.6


@dataclasses.dataclass(frozen=True, kw_only=True)
class CameraProxyLossBlock(Block):
    """``CameraProxyLoss`` of ``Loss.Train``."""

    weight: float
    temperature: Positive = 0.07
    positives: Count = 2
    negatives: Whole = 50


@dataclasses.dataclass(frozen=True, kw_only=True)
class _ImagesBlock(Block):
    """What the data sets have in common."""

    transform_ops: tuple[Any, ...] | None = None
    image_root: Path = "."
    cls_label_path: str | tuple[str, ...] = "."
    image_dir: Path = ""
    cache: Literal["none", "ram", "disk"] = "none"
    cache_dir: Path | None = None
    on_bad_image: Literal["error", "skip"] = "error"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReIDImagesBlock(_ImagesBlock):
    """A ``dataset`` of the name ReIDImages."""

    name: Literal["ReIDImages"] = "ReIDImages"
    layout: str | None = None  # one of ppcls_ise.images.layouts.LAYOUTS
    split: str | None = None  # one of ppcls_ise.images.layouts.SPLITS
    pattern: str | None = "auto"
    keep_junk: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnlabeledFolderBlock(_ImagesBlock):
    """A ``dataset`` of the name UnlabeledFolder."""

    name: Literal["UnlabeledFolder"] = "UnlabeledFolder"
    cameras: str | None = None

    instead: ClassVar[Mapping[str, str]] = dict.fromkeys(("layout", "split", "pattern", "keep_junk"),
                                                         "UnlabeledFolder knows no identities; use ReIDImages")

    def __post_init__(self) -> None:
        super().__post_init__()
        if "(?P<pid>" in (self.cameras or ""):
            raise ISEError("cameras has the group camid only: UnlabeledFolder knows no identities")


#: Name of a data set that ISE trains on -> its block.
DATA_SETS: dict[str, type[Block]] = {kind.name: kind for kind in (ReIDImagesBlock, UnlabeledFolderBlock)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterImagesBlock(Block):
    """``DataLoader.Cluster.dataset``: how the training images are read for clustering."""

    transform_ops: tuple[Any, ...]

    instead: ClassVar[Mapping[str, str]] = {
        key: "the images are those of DataLoader.Train" for kind in (ReIDImagesBlock, UnlabeledFolderBlock)
        for key in keys_of(kind) if key != "transform_ops"}


@dataclasses.dataclass(frozen=True)
class PadCropBlock(Block):
    """``PadCrop`` of ``transform_ops``."""

    padding: Annotated[int, Is("a whole number of pixels", lambda pixels: pixels >= 0)] = 10


@dataclasses.dataclass(frozen=True)
class ChannelJitterBlock(Block):
    """``ChannelJitter`` of ``transform_ops``."""

    gain: float = 0.2
    offset: float = 0.2


@dataclasses.dataclass(frozen=True)
class RandomEraseBlock(Block):
    """``RandomErase`` of ``transform_ops``."""

    probability: Annotated[float, Is("from 0 to 1", lambda share: 0 <= share <= 1)] = 0.5
    area: Annotated[tuple[float, ...], Is("[lower, upper] bound of the erased share of the image",
                                          lambda area: len(area) == 2 and 0 <= area[0] <= area[1])] = (0.02, 0.4)
    min_aspect: Annotated[float, Is("above 0, at most 1", lambda aspect: 0 < aspect <= 1)] = 0.3
    fill: Annotated[tuple[float, ...], Is("a value per channel",
                                          lambda fill: len(fill) == 3)] = (0.485, 0.456, 0.406)


#: Name of a transform of ours -> its block.
TRANSFORMS: dict[str, type[Block]] = {"ChannelJitter": ChannelJitterBlock, "PadCrop": PadCropBlock,
                                      "RandomErase": RandomEraseBlock}
#: Name of a loss of ours -> its block.
LOSSES: dict[str, type[Block]] = {"ClusterContrastLoss": ClusterContrastLossBlock,
                                  "LabelPreservingLoss": LabelPreservingLossBlock,
                                  "CameraProxyLoss": CameraProxyLossBlock}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplerBlock(Block):
    """``DataLoader.Train.sampler``: batches of all devices together."""

    batch_size: Whole
    num_instances: Whole
    name: Literal["PseudoLabelSampler"] = "PseudoLabelSampler"

    instead: ClassVar[Mapping[str, str]] = {"seed": "set Global.seed", "iter_per_epoch": "set Global.iter_per_epoch",
                                            "group_size": "set Arch.bn_group_size"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlainSamplerBlock(Block):
    """``sampler`` of a block of ``DataLoader.Eval``: batches of each device."""

    batch_size: Whole
    shuffle: bool
    drop_last: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterSamplerBlock(PlainSamplerBlock):
    """``DataLoader.Cluster.sampler``: all images, in order."""

    shuffle: bool = False
    drop_last: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoaderBlock(Block):
    """``loader`` of a block of ``DataLoader``."""

    num_workers: Annotated[int, Is("a whole number of processes", lambda count: count >= 0)]
    use_shared_memory: bool = True
