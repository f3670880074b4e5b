"""The weights of a torch program under PaddleClas's names, and the way back."""
from __future__ import annotations

import dataclasses

import numpy as np

from ..errors import ISEError
from . import identity_pair
from .files import State
from .names import (
    ARCHITECTURES,
    LAYOUTS,
    LINEAR,
    is_classifier,
    layout_name,
    layout_of,
    recognise,
    tensor_names,
    torchvision_name,
)

__all__ = ["Conversion", "to_paddle", "to_torch"]

_NECK = {"feat_bn.weight": "neck.feat_bn.weight", "feat_bn.bias": "neck.feat_bn.bias",
         "feat_bn.running_mean": "neck.feat_bn._mean", "feat_bn.running_var": "neck.feat_bn._variance"}
_GEM = ("gap.p", "backbone.avg_pool.p")
_COUNTER = "num_batches_tracked"
_SPECIAL_STEM = ("these weights were trained without the ReLU of the stem; with PaddleClas's ResNet they need "
                 "-o Arch.stem_relu=False")


@dataclasses.dataclass
class Conversion:
    """Converted weights and what became of every key.

    Attributes:
        state: new name -> array.
        architecture: PaddleClas's name of the backbone; empty if PaddleClas's names were kept and are of another.
        layout: of the torch side, a key of :data:`LAYOUTS`; ``paddle`` if there was none.
        mapped: pairs (old name, new name).
        missing: new names of the architecture that the input has nothing for.
        left_over: old names that have no place in the architecture.
        notes: what to know before using the result.
    """

    state: State
    architecture: str
    layout: str
    mapped: list[tuple[str, str]]
    missing: list[str]
    left_over: list[str]
    notes: list[str]


def to_paddle(state: State, architecture: str | None = None, widen: bool = False) -> Conversion:
    """Give the weights of a torch program PaddleClas's names and shapes.

    Args:
        state: of torchvision (``layer1.0.conv1.weight``), or of the authors' program or ClusterContrast
            (``module.base.4.0.conv1.weight``, ``feat_bn.weight``); or weights with PaddleClas's names, of which what
            belongs to a backbone and a neck is kept.
        architecture: one of :data:`ARCHITECTURES`; found by the names if left out. With it, what is missing is listed
            and no error.
        widen: whether float16 may become float32.

    Returns:
        Names ``backbone.*`` and ``neck.feat_bn.*``; without ``backbone.`` if there is no neck, as in
        PaddleClas's files of ImageNet weights.

    Raises:
        ISEError: for float16 weights without ``widen``, or names that fit no architecture.
    """
    state = _single(state, widen)
    _check_architecture(architecture)
    if all(name.startswith("module.") for name in state):
        state = {name[len("module."):]: value for name, value in state.items()}
    if _is_paddle(state):
        return _keep(state, architecture)
    layout = layout_of(state)
    by_name = {torchvision_name(name, LAYOUTS[layout]): name for name in state}  # torchvision's name -> as it is
    architecture = architecture or recognise(by_name, tensor_names)
    with_neck = any(name in state for name in _NECK)
    prefix = "backbone." if with_neck or _GEM[0] in state else ""
    table = {old: prefix + new for old, new in tensor_names(architecture).items()}
    if with_neck:
        table |= _NECK
    if _GEM[0] in state:
        table[_GEM[0]] = _GEM[1]
    return _fill_pair(_rename(state, by_name, table, architecture, layout), prefix)


def to_torch(state: State, layout: str | None = None, prefix: str = "",
             architecture: str | None = None) -> Conversion:
    """The way back: weights with our names (``.pdparams``) under the names of a torch program.

    Args:
        state: ``backbone.*`` and ``neck.feat_bn.*``, or a bare backbone.
        layout: a key of :data:`LAYOUTS`; ``ise`` for a ResNet with neck and ``torchvision`` for the rest if left out.
        prefix: put before every name, ``module.`` for instance.
        architecture: as in :func:`to_paddle`.

    Raises:
        ISEError: for a layout that the architecture has no form in, or if torchvision's network cannot express these
            weights.
    """
    state = _single(state, widen=False)
    _check_architecture(architecture)
    with_neck = any(name in state for name in _NECK.values())
    by_name = {name.removeprefix("backbone."): name for name in state}
    architecture = architecture or recognise(by_name, _paddle_table)
    layout = layout or ("ise" if with_neck and architecture.startswith("ResNet") else "torchvision")
    if layout not in LAYOUTS:
        raise ISEError(f"the layout is {', '.join(LAYOUTS)}, not {layout!r}")
    if LAYOUTS[layout] is not None and not architecture.startswith("ResNet"):
        raise ISEError(f"layout {layout} is of ResNets, these are weights of {architecture}; use torchvision")
    if architecture in identity_pair.PAIRS:
        _drop_pair(architecture, by_name, state)
    table = {new: name for old, new in tensor_names(architecture).items()
             if (name := layout_name(old, LAYOUTS[layout])) is not None}
    table |= {new.removeprefix("backbone."): old for old, new in (*_NECK.items(), _GEM) if new in state}
    result = _rename(state, by_name, {old: prefix + new for old, new in table.items()}, architecture, layout)
    for name in list(result.state):  # torch wants it; it counts batches and changes nothing
        if name.endswith("running_var"):
            result.state[name.replace("running_var", _COUNTER)] = np.zeros((), "int64")
    return result


def _check_architecture(name: str | None) -> None:
    if name is not None and name not in ARCHITECTURES:
        raise ISEError(f"the architecture is {', '.join(ARCHITECTURES)}, not {name!r}")


def _single(state: State, widen: bool) -> State:
    half = [name for name, value in state.items() if value.dtype == np.float16]
    if half and not widen:
        raise ISEError(f"{len(half)} of {len(state)} weights are float16 ({half[0]}, ...), which keeps three digits; "
                       "convert the float32 weights, or say --widen to take these")
    return {name: value.astype("float32") if value.dtype.kind == "f" else value for name, value in state.items()}


def _is_paddle(state: State) -> bool:
    return any(name.endswith("._variance") for name in state)


def _keep(state: State, architecture: str | None) -> Conversion:
    """Weights that PaddleClas trained: all but what is neither backbone nor neck, a classification head for one."""
    if any(name.startswith("backbone.") for name in state):
        kept = [name for name in state if name.startswith(("backbone.", "neck."))]
    else:
        kept = list(state)
    bare, notes = {name.removeprefix("backbone."): name for name in kept}, []
    try:
        architecture = architecture or recognise(bare, _paddle_table)
    except ISEError:
        architecture = ""
        notes = [f"these are PaddleClas's names, but of none of {', '.join(ARCHITECTURES)}: shapes were not checked"]
    return Conversion({name: state[name] for name in kept}, architecture, "paddle", [(name, name) for name in kept],
                      [], [name for name in state if name not in kept], notes)


def _paddle_table(architecture: str) -> dict[str, str]:
    return {new: old for old, new in tensor_names(architecture).items()}


def _rename(state: State, by_name: dict[str, str], table: dict[str, str], architecture: str, layout: str) -> Conversion:
    mapped = [(by_name[old], new) for old, new in table.items() if old in by_name]
    taken = {old for old, _ in mapped}
    renamed = {}
    for old, new in mapped:
        renamed[new] = state[old].T if new.endswith(LINEAR) else state[old]
    missing = [new for old, new in table.items() if old not in by_name and not is_classifier(old)]
    left_over = [name for name in state if name not in taken and not name.endswith(_COUNTER)]
    notes = [_SPECIAL_STEM] if layout == "clustercontrast" else []
    return Conversion(renamed, architecture, layout, mapped, missing, left_over, notes)


def _fill_pair(result: Conversion, prefix: str) -> Conversion:
    if result.architecture in identity_pair.PAIRS and not result.missing:
        layer, conv, _ = identity_pair.PAIRS[result.architecture]
        stem = prefix + ("conv1._conv.weight" if result.architecture == "MobileNetV2" else "stem.0.conv.weight")
        width = len(result.state[stem])
        pair = identity_pair.pair_tensors(result.architecture, np.zeros(width), np.ones(width) - 1e-5)
        result.state |= {prefix + name: value for name, value in pair.items()}
        result.notes.append(
            f"PaddleClas's {result.architecture} has a convolution and a BatchNorm more ({layer}) than torchvision's; "
            "they are filled with an identity, which holds in evaluation only. Before training from these weights give "
            "it the statistics of your images: --calibrate CONFIG")
    return result


def _drop_pair(architecture: str, by_name: dict[str, str], state: State) -> None:
    layer = identity_pair.PAIRS[architecture][0]
    pair = {bare: state[name] for bare, name in by_name.items() if bare.startswith(layer + ".")}
    if not pair:
        return
    if not identity_pair.is_identity(architecture, pair):
        raise ISEError(f"torchvision's {architecture} has no place for {layer}, a convolution and a BatchNorm that "
                       "training has made more than an identity; export to ONNX (tools/export_model.py, paddle2onnx) "
                       "instead")
    for bare in pair:
        del state[by_name.pop(bare)]
