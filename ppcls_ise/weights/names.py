"""What the same tensor is called by torchvision, by programs of re-ID and by PaddleClas."""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from ..errors import ISEError, some

__all__ = ["ARCHITECTURES", "LAYOUTS", "LINEAR", "WIDTHS", "is_classifier", "layout_name", "layout_of", "recognise",
           "tensor_names", "torchvision_name"]

_RESNETS = {"ResNet18": (2, (2, 2, 2, 2)), "ResNet34": (2, (3, 4, 6, 3)), "ResNet50": (3, (3, 4, 6, 3)),
            "ResNet101": (3, (3, 4, 23, 3)), "ResNet152": (3, (3, 8, 36, 3))}  # convolutions of a block, blocks
_MOBILENET_BLOCKS = {3: 2, 4: 3, 5: 4, 6: 3, 7: 3, 8: 1}  # conv3 has 2, ...
#: architecture -> numbers in its pooled feature
WIDTHS = {**{name: 512 if convolutions == 2 else 2048 for name, (convolutions, _) in _RESNETS.items()},
          "MobileNetV2": 1280}
ARCHITECTURES = tuple(WIDTHS)
#: weights of linear layers, by either name: Paddle has them [in, out], torch [out, in]
LINEAR = ("fc.weight", "out.weight", "classifier.1.weight")

#: layout of a torch program -> place of the first residual stage in its ``base`` (an nn.Sequential of convolution,
#: BatchNorm, [ReLU,] pooling and the stages); None where there is no ``base``
LAYOUTS = {"torchvision": None, "ise": 4, "clustercontrast": 3}
_STAGES = 4


def tensor_names(architecture: str) -> dict[str, str]:
    """torchvision's names of all tensors of an architecture -> PaddleClas's, classifier included.

    Args:
        architecture: PaddleClas's name, one of :data:`ARCHITECTURES`. ``ResNet50_last_stage_stride1`` has the tensors
            of ``ResNet50``.
    """
    return _mobilenet() if architecture == "MobileNetV2" else _resnet(*_RESNETS[architecture])


def _conv_bn(torch_conv: str, torch_bn: str, paddle_conv: str, paddle_bn: str) -> dict[str, str]:
    return {f"{torch_conv}.weight": f"{paddle_conv}.weight", f"{torch_bn}.weight": f"{paddle_bn}.weight",
            f"{torch_bn}.bias": f"{paddle_bn}.bias", f"{torch_bn}.running_mean": f"{paddle_bn}._mean",
            f"{torch_bn}.running_var": f"{paddle_bn}._variance"}


def _resnet(convolutions: int, depths: tuple[int, ...]) -> dict[str, str]:
    names = _conv_bn("conv1", "bn1", "stem.0.conv", "stem.0.bn")
    block = 0
    for stage, depth in enumerate(depths, 1):
        for index in range(depth):
            torch, paddle = f"layer{stage}.{index}", f"blocks.{block}"
            for conv in range(convolutions):
                names |= _conv_bn(f"{torch}.conv{conv + 1}", f"{torch}.bn{conv + 1}",
                                  f"{paddle}.conv{conv}.conv", f"{paddle}.conv{conv}.bn")
            # the first stage of the shallow ones has no shortcut convolution in torchvision, see identity_pair.py
            if index == 0 and (stage > 1 or convolutions == 3):
                names |= _conv_bn(f"{torch}.downsample.0", f"{torch}.downsample.1",
                                  f"{paddle}.short.conv", f"{paddle}.short.bn")
            block += 1
    return names | {"fc.weight": "fc.weight", "fc.bias": "fc.bias"}


def _mobilenet() -> dict[str, str]:
    def unit(torch: str, paddle: str) -> dict[str, str]:
        return _conv_bn(f"{torch}.0", f"{torch}.1", f"{paddle}._conv", f"{paddle}._batch_norm")

    names = unit("features.0", "conv1")
    feature = 1
    for stage, depth in {2: 1, **_MOBILENET_BLOCKS}.items():
        for index in range(depth):
            torch = f"features.{feature}.conv"
            paddle = f"conv{stage}." + (f"conv{stage}_{index + 1}" if index else "_first_block")
            parts = ["_bottleneck_conv"] if stage == 2 else ["_expand_conv", "_bottleneck_conv"]
            for part, name in enumerate(parts):
                names |= unit(f"{torch}.{part}", f"{paddle}.{name}")
            last = len(parts)
            names |= _conv_bn(f"{torch}.{last}", f"{torch}.{last + 1}",
                              f"{paddle}._linear_conv._conv", f"{paddle}._linear_conv._batch_norm")
            feature += 1
    names |= unit(f"features.{feature}", "conv9")
    return names | {"classifier.1.weight": "out.weight", "classifier.1.bias": "out.bias"}


def layout_of(names: Iterable[str]) -> str:
    """The layout whose ``base`` begins where that of these names does.

    Raises:
        ISEError: if it is that of none.
    """
    stages = {int(name.split(".")[1]) for name in names if name.startswith("base.") and ".conv1." in name}
    if not stages:
        return "torchvision"
    for layout, first in LAYOUTS.items():
        if first == min(stages):
            return layout
    raise ISEError(f"the residual stages begin at base.{min(stages)}; known are base.3 (convolution, BatchNorm, "
                   "pooling before it: ClusterContrast) and base.4 (with ReLU: ISE)")


def torchvision_name(name: str, first_stage: int | None) -> str:
    """``base.4.0.conv1.weight`` -> ``layer1.0.conv1.weight``; a name outside ``base`` stays."""
    if first_stage is None or not name.startswith("base."):
        return name
    _, number, rest = name.split(".", 2)
    place = int(number)
    if place < 2:
        return f"{('conv1', 'bn1')[place]}.{rest}"
    return f"layer{place - first_stage + 1}.{rest}"


def layout_name(name: str, first_stage: int | None) -> str | None:
    """The way back; None for the classifier, which a ``base`` does not have."""
    if first_stage is None:
        return name
    module, rest = name.split(".", 1)
    places = {"conv1": 0, "bn1": 1, **{f"layer{stage + 1}": first_stage + stage for stage in range(_STAGES)}}
    return f"base.{places[module]}.{rest}" if module in places else None


def recognise(names: Collection[str], table_of: Callable[[str], dict[str, str]]) -> str:
    """The architecture whose tensors are all there, the classifier's aside."""
    missing = {architecture: [name for name in table_of(architecture) if name not in names
                              and not is_classifier(name)] for architecture in ARCHITECTURES}
    complete = [architecture for architecture, names in missing.items() if not names]
    if complete:
        return max(complete, key=lambda architecture: len(table_of(architecture)))
    nearest = min(missing, key=lambda architecture: len(missing[architecture]) / len(table_of(architecture)))
    lacking = missing[nearest]
    raise ISEError(f"these are not all weights of any of {', '.join(ARCHITECTURES)}: nearest is {nearest}, of which "
                   f"{len(lacking)} of {len(table_of(nearest))} are missing ({some(lacking)}); the file has "
                   f"{some(names)}. To convert what there is, name the architecture")


def is_classifier(name: str) -> bool:
    return name.startswith(("fc.", "classifier.", "out."))
