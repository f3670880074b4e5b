"""Every block of ours in a training config: its keys, their defaults, what they may be. docs/config.md explains them.

A class that PaddleClas builds takes its settings from here. The clusterings (``Cluster``), :class:`ReIDMetric` and
:class:`SyntheticSet` are such dataclasses themselves, in rooms that know no config.
"""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from ..errors import ISEError
from .fields import Block, Count, Is, Path, Whole, keys_of

__all__ = [
    "DATA_SETS", "LOSSES", "TRANSFORMS", "AnyGlobalBlock", "ArchBlock",
    "BackboneBlock", "ChannelJitterBlock", "ClusterContrastLossBlock",
    "ClusterImagesBlock", "ClusterSamplerBlock", "GlobalBlock", "HeadBlock", "LabelPreservingLossBlock", "LoaderBlock",
    "MemoryBlock", "NeckBlock", "PadCropBlock", "PlainSamplerBlock", "PoolingBlock", "RandomEraseBlock",
    "ReIDImagesBlock", "SamplerBlock", "StopLayerBlock", "UnlabeledFolderBlock"]


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
    check_ranks: bool | None = None
    update_freq: Whole = 1
    use_visualdl: bool = False
    eval_interval: Whole = 1
    start_eval_epoch: Count = 0
    eval_mode: str = "retrieval"
    image_shape: Annotated[tuple[Whole, ...], Is("[3, height, width]")] | None = None
    save_inference_dir: Path = "./inference"

    instead: ClassVar[Mapping[str, str]] = dict.fromkeys(("use_gpu", "use_xpu", "use_npu", "use_mlu"),
                                                         "set Global.device")
    #: The others that PaddleClas 2.4.2, release/2.5 or develop reads, or has in its own configs.
    host_keys: ClassVar[tuple[str, ...] | None] = (
        "class_num", "distributed", "export_for_fd", "feature_binarize", "feature_normalize", "hpi_config_path",
        "image_channel", "infer_imgs", "log_ranks", "pdx_model_name", "print_mem_info", "retrieval_feature_from",
        "sim_block_size", "to_static", "uniform_output_enabled", "use_dali", "use_multilabel", "warmup_iter")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_unless(self.image_shape is None or len(self.image_shape) == 3, "image_shape", "[3, height, width]")


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
    p: float = 3.0
    eps: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_unless(self.p > 0, "p", "above 0")
        self.refuse_unless(self.eps > 0, "eps", "above 0")


@dataclasses.dataclass(frozen=True, kw_only=True)
class NeckBlock(Block):
    """``Arch.Neck``: PaddleClas's BatchNorm neck, its bias kept at 0."""

    num_features: int
    name: Literal["BNNeck"] = "BNNeck"

    host_keys: ClassVar[tuple[str, ...]] = ("weight_attr", "bias_attr", "use_global_stats")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_unless(self.num_features > 0, "num_features", "the width of the backbone's feature")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryBlock(Block):
    """What :class:`HeadBlock` says of the cluster memory."""

    momentum: float = 0.2
    update: Literal["hard", "all"] = "hard"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_unless(0 <= self.momentum < 1, "momentum", "the weight of the old centroid, in [0, 1)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadBlock(MemoryBlock):
    """``Arch.Head``: support samples and cluster memory."""

    name: Literal["ISEHead"] = "ISEHead"
    topk: int = 1
    base: float = 1.0
    contrast_supports: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_unless(self.topk >= 0, "topk", "the number of support samples per image, >= 0")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArchBlock(Block):
    """``Arch`` of an ISEModel."""

    Backbone: BackboneBlock
    Neck: NeckBlock
    Head: HeadBlock
    name: Literal["ISEModel"] = "ISEModel"
    BackboneStopLayer: StopLayerBlock | None = None
    Pooling: PoolingBlock | None = None
    bn_group_size: int | None = None
    stem_relu: bool = True
    infer_output_key: str = "features"
    infer_add_softmax: bool = False
    export_normalize: bool = True

    instead: ClassVar[Mapping[str, str]] = {"feature_cache": "set Global.feature_cache"}
    host_keys: ClassVar[tuple[str, ...]] = ("use_sync_bn", "is_rec", "class_num")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_unless(self.bn_group_size is None or self.bn_group_size >= 2, "bn_group_size",
                           "a number of images, at least 2")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterContrastLossBlock(Block):
    """``ClusterContrastLoss`` of ``Loss.Train``."""

    weight: float
    temperature: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_unless(self.temperature > 0, "temperature", "above 0")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelPreservingLossBlock(Block):
    """``LabelPreservingLoss`` of ``Loss.Train``."""

    weight: float
    temperature: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_unless(self.temperature > 0, "temperature", "above 0")


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

    padding: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_unless(self.padding >= 0, "padding", "a number of pixels")


@dataclasses.dataclass(frozen=True)
class ChannelJitterBlock(Block):
    """``ChannelJitter`` of ``transform_ops``."""

    gain: float = 0.2
    offset: float = 0.2


@dataclasses.dataclass(frozen=True)
class RandomEraseBlock(Block):
    """``RandomErase`` of ``transform_ops``."""

    probability: float = 0.5
    area: tuple[float, ...] = (0.02, 0.4)
    min_aspect: float = 0.3
    fill: tuple[float, ...] = (0.485, 0.456, 0.406)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_unless(0 <= self.probability <= 1, "probability", "from 0 to 1")
        self.refuse_unless(len(self.area) == 2 and 0 <= self.area[0] <= self.area[1], "area",
                           "[lower, upper] bound of the erased share of the image")
        self.refuse_unless(0 < self.min_aspect <= 1, "min_aspect", "above 0, at most 1")
        self.refuse_unless(len(self.fill) == 3, "fill", "a value per channel")


#: Name of a transform of ours -> its block.
TRANSFORMS: dict[str, type[Block]] = {"ChannelJitter": ChannelJitterBlock, "PadCrop": PadCropBlock,
                                      "RandomErase": RandomEraseBlock}
#: Name of a loss of ours -> its block.
LOSSES: dict[str, type[Block]] = {"ClusterContrastLoss": ClusterContrastLossBlock,
                                  "LabelPreservingLoss": LabelPreservingLossBlock}


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

    batch_size: int
    shuffle: bool
    drop_last: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_unless(self.batch_size > 0, "batch_size", "a number of images")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterSamplerBlock(PlainSamplerBlock):
    """``DataLoader.Cluster.sampler``: all images, in order."""

    shuffle: bool = False
    drop_last: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoaderBlock(Block):
    """``loader`` of a block of ``DataLoader``."""

    num_workers: int
    use_shared_memory: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_unless(self.num_workers >= 0, "num_workers", "a number of processes")
