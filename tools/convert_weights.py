"""Convert weights between PyTorch and PaddleClas.

python tools/convert_weights.py model_best.pth.tar ise_r50.pdparams          # the authors' program, ClusterContrast
python tools/convert_weights.py resnet50-0676ba61.pth resnet50.pdparams      # torchvision
python tools/convert_weights.py ISE_M_model.pdparams ise_m.pdparams          # PaddleClas's published weights
python tools/convert_weights.py latest.pdparams ise_r50.pth --to torch       # and back (.pth needs torch)

Reads .pth, .pt, .tar, .npz, .safetensors and .pdparams; no code that a file may hold is run, and PyTorch is not needed.
Every key is accounted for: mapped, missing or left over. Exit code 1 if the weights fit no network.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "..")))

from ppcls_ise.cli import quiet  # noqa: E402

quiet.silence()


def arguments_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    parser.add_argument("-o", "--override", action="append", default=[], help="key.sub=value of that config")
    return parser.parse_args(arguments)


def report(conversion, echo=print):
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


def model_for(conversion):
    """An ISEModel whose shapes the weights have to fit, and their names in it."""
    from ppcls.arch import ISEModel

    from ppcls_ise.weights.names import WIDTHS

    names = {name if name.startswith(("backbone.", "neck.")) else "backbone." + name: value
             for name, value in conversion.state.items()}
    name = "ResNet50_last_stage_stride1" if conversion.architecture == "ResNet50" else conversion.architecture
    width = len(names.get("neck.feat_bn.weight", ())) or WIDTHS[conversion.architecture]
    model = ISEModel(Backbone={"name": name}, Neck={"name": "BNNeck", "num_features": width}, Head={"name": "ISEHead"},
                     Pooling={"name": "gem" if "backbone.avg_pool.p" in names else "avg"})
    return model, names


def checked_model(conversion):
    """The network that the weights fit, with them; None where its architecture is unknown."""
    import paddle

    if not conversion.architecture:
        return None
    model, names = model_for(conversion)
    model.set_state_dict(names)  # logs what was loaded
    model.eval()
    model(paddle.zeros([1, 3, 64, 32]))  # the neck has the width of the feature
    return model


def calibrate(conversion, model, config, overrides):
    from ppcls_ise.engine import load_config, prepare_config
    from ppcls_ise.errors import ISEError
    from ppcls_ise.weights import identity_pair

    if conversion.architecture not in identity_pair.PAIRS:
        raise ISEError(f"--calibrate is for {', '.join(identity_pair.PAIRS)}: {conversion.architecture} of PaddleClas "
                       "and torchvision are the same network")
    batches = plain_batches(prepare_config(load_config(config, overrides), "train"))
    pair = identity_pair.calibrated(conversion.architecture, model.backbone, batches)
    prefix = "backbone." if "neck.feat_bn.weight" in conversion.state else ""
    conversion.state |= {prefix + name: value for name, value in pair.items()}
    mean, variance = (value for name, value in pair.items() if name.endswith(("_mean", "_variance")))
    print(f"calibrated: the input of {identity_pair.PAIRS[conversion.architecture][0]} has mean {mean.min():.2f} .. "
          f"{mean.max():.2f}, variance {variance.min():.2f} .. {variance.max():.2f}")


def plain_batches(config, size=64):
    """The training images without augmentation, float32 [size, 3, H, W]."""
    import numpy as np
    import ppcls.data
    from tqdm import tqdm

    from ppcls_ise.engine.loader_blocks import plain_block

    dataset = config["DataLoader"]["Train"]["dataset"]
    options = {key: value for key, value in dataset.items() if key != "name"}
    options["transform_ops"] = plain_block(config)["dataset"]["transform_ops"]
    images = getattr(ppcls.data, dataset["name"])(**options)
    for start in tqdm(range(0, len(images), size), desc="calibrating", unit="batch"):
        yield np.stack([images[row][0] for row in range(start, min(start + size, len(images)))])


def main(arguments=None):
    arguments = arguments_of(arguments)
    import ppcls_ise
    from ppcls_ise.errors import ISEError
    from ppcls_ise.host import HostError
    from ppcls_ise.weights import read_state, to_paddle, to_torch, write_state

    try:
        state = read_state(arguments.input)
        if arguments.to == "torch":
            conversion = to_torch(state, arguments.layout, arguments.prefix, arguments.arch)
            report(conversion)
        else:
            conversion = to_paddle(state, arguments.arch, arguments.widen)
            ppcls_ise.register()
            model = checked_model(conversion)
            report(conversion)
            if arguments.calibrate:
                calibrate(conversion, model, arguments.calibrate, arguments.override)
        write_state(arguments.output, conversion.state)
    except (ISEError, HostError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"wrote {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
