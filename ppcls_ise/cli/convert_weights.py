"""Convert weights between PyTorch and PaddleClas.

    ise convert-weights model_best.pth.tar ise_r50.pdparams          # the authors' program, ClusterContrast
    ise convert-weights resnet50-0676ba61.pth resnet50.pdparams      # torchvision
    ise convert-weights ISE_M_model.pdparams ise_m.pdparams          # PaddleClas's published weights
    ise convert-weights latest.pdparams ise_r50.pth --to torch       # and back (.pth needs torch)

Reads .pth, .pt, .tar, .npz, .safetensors and .pdparams; no code that a file may hold is run, and PyTorch is not needed.
Every key is accounted for: mapped, missing or left over. Exit code 1 if the weights fit no network.
"""
from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..config import load_config
from ..errors import ISEError
from . import program

if TYPE_CHECKING:
    import numpy as np

    from ..weights.convert import Conversion

__all__ = ["main", "parser", "report"]


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = program.make_parser("convert-weights", __doc__)
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--to", choices=("paddle", "torch"), default="paddle")
    parser.add_argument("--arch", help="PaddleClas's name of the backbone (ResNet50, ...), if its weights are not all "
                                       "in the file")
    parser.add_argument("--layout", help="with --to torch: torchvision, ise (base.4 is the first stage) or "
                                         "clustercontrast (base.3)")
    parser.add_argument("--prefix", default="", help="with --to torch: before every name, 'module.' for instance")
    parser.add_argument("--widen", action="store_true", help="take float16 weights, as float32")
    parser.add_argument("--calibrate", metavar="CONFIG", help="MobileNetV2, ResNet18, ResNet34: give the BatchNorm "
                        "that torchvision lacks the statistics of this config's training images")
    parser.add_argument("-o", "--override", action="append", default=[], metavar="KEY.SUB=VALUE", help="of that config")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns: the exit code."""
    return program.run(parser(), _convert, arguments)


def _convert(options: argparse.Namespace) -> None:
    import ppcls_ise

    from ..weights import read_state, to_paddle, to_torch, write_state

    state = read_state(options.input)
    if options.to == "torch":
        conversion = to_torch(state, options.layout, options.prefix, options.arch)
        report(conversion)
    else:
        conversion = to_paddle(state, options.arch, options.widen)
        ppcls_ise.register()
        model = _checked_model(conversion)
        report(conversion)
        if options.calibrate:
            _calibrate(conversion, model, options.calibrate, options.override)
    write_state(options.output, conversion.state)
    print(f"wrote {options.output}")


def report(conversion: Conversion, echo: Callable[[str], object] = print) -> None:
    """Every key of both sides."""
    echo(f"{conversion.architecture or 'unknown architecture'}, layout {conversion.layout}")
    for old, new in conversion.mapped:
        echo(f"  {old} -> {new}")
    for title, names in (("missing", conversion.missing), ("left over", conversion.left_over)):
        for name in names:
            echo(f"  {title}: {name}")
    echo(f"{len(conversion.mapped)} mapped, {len(conversion.missing)} missing, {len(conversion.left_over)} left over")
    for note in conversion.notes:
        echo(f"note: {note}")


def _model_for(conversion: Conversion) -> tuple[Any, dict]:
    """An ISEModel whose shapes the weights have to fit, and their names in it."""
    from ppcls.arch import ISEModel

    from ..weights.names import WIDTHS

    names = {name if name.startswith(("backbone.", "neck.")) else "backbone." + name: value
             for name, value in conversion.state.items()}
    name = "ResNet50_last_stage_stride1" if conversion.architecture == "ResNet50" else conversion.architecture
    width = len(names.get("neck.feat_bn.weight", ())) or WIDTHS[conversion.architecture]
    model = ISEModel(Backbone={"name": name}, Neck={"name": "BNNeck", "num_features": width}, Head={"name": "ISEHead"},
                     Pooling={"name": "gem" if "backbone.avg_pool.p" in names else "avg"})
    return model, names


def _checked_model(conversion: Conversion) -> Any:
    """The network that the weights fit, with them; None where its architecture is unknown."""
    import paddle

    if not conversion.architecture:
        return None
    model, names = _model_for(conversion)
    model.set_state_dict(names)  # logs what was loaded
    model.eval()
    model(paddle.zeros([1, 3, 64, 32]))  # the neck has the width of the feature
    return model


def _calibrate(conversion: Conversion, model: Any, config: str, overrides: list[str]) -> None:
    from ..engine import prepare_config
    from ..weights import identity_pair

    if conversion.architecture not in identity_pair.PAIRS:
        raise ISEError(f"--calibrate is for {', '.join(identity_pair.PAIRS)}: {conversion.architecture} of PaddleClas "
                       "and torchvision are the same network")
    batches = _plain_batches(prepare_config(load_config(config, overrides), "train"))
    pair = identity_pair.calibrated(conversion.architecture, model.backbone, batches)
    prefix = "backbone." if "neck.feat_bn.weight" in conversion.state else ""
    conversion.state |= {prefix + name: value for name, value in pair.items()}
    mean, variance = (value for name, value in pair.items() if name.endswith(("_mean", "_variance")))
    print(f"calibrated: the input of {identity_pair.PAIRS[conversion.architecture][0]} has mean {mean.min():.2f} .. "
          f"{mean.max():.2f}, variance {variance.min():.2f} .. {variance.max():.2f}")


def _plain_batches(config: dict, size: int = 64) -> Iterator[np.ndarray]:
    """The training images without augmentation, float32 [size, 3, H, W]."""
    import numpy as np
    import ppcls.data
    from tqdm import tqdm

    from ..config.loaders import plain_block

    dataset = config["DataLoader"]["Train"]["dataset"]
    options = {key: value for key, value in dataset.items() if key != "name"}
    options["transform_ops"] = plain_block(config)["dataset"]["transform_ops"]
    images = getattr(ppcls.data, dataset["name"])(**options)
    for start in tqdm(range(0, len(images), size), desc="calibrating", unit="batch"):
        yield np.stack([images[row][0] for row in range(start, min(start + size, len(images)))])
