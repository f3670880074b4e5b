"""The PyTorch side of the tests: run by a Python that has torch and torchvision, needs neither Paddle nor PaddleClas.

python torch_twin.py FOLDER writes what tests/weights/fixture holds: features.npz (of networks whose weights a formula
gives, so that they need not be stored) and small files of torch.save in both of its forms.
python torch_twin.py FOLDER --weights NAME writes NAME.pth, the whole checkpoint of one of the networks, as well.
python torch_twin.py --load NAME FILE loads FILE (.npz) strictly into that network and compares it with the formula.
"""
import json
import pathlib
import sys
import zlib

import numpy as np

NETWORKS = ("resnet50_ise", "resnet50_clustercontrast", "resnet18", "mobilenet_v2")
SIZE = (2, 3, 64, 32)


def weights(shapes):
    """Weights by formula: name -> array, for names and shapes as torch has them."""
    state = {}
    for name, shape in shapes.items():
        random = np.random.RandomState(zlib.crc32(name.encode()))  # the legacy generator: its stream never changes
        if name.endswith("num_batches_tracked"):
            state[name] = np.zeros(shape, "int64")
        elif len(shape) == 1 and not name.endswith(("running_mean", "bias")):
            state[name] = random.uniform(0.5, 1.5, shape).astype("float32")
        elif len(shape) == 1:
            state[name] = (random.standard_normal(shape) * 0.1).astype("float32")
        else:
            state[name] = (random.standard_normal(shape) * (2 / np.prod(shape[1:])) ** 0.5).astype("float32")
    return state


def images():
    """Two, of different contrast: the features of noise of one contrast are much alike."""
    return (np.random.RandomState(1).standard_normal(SIZE) * [[[[1]]], [[[5]]]]).astype("float32")


def build(name):
    import torch
    import torchvision
    from torch import nn

    class WithNeck(nn.Module):
        """Modules of a base in a Sequential, pooling, BatchNorm neck: the form that the checkpoints come in."""

        def __init__(self, resnet, relu):
            super().__init__()
            resnet.layer4[0].conv2.stride = resnet.layer4[0].downsample[0].stride = (1, 1)
            stem = [resnet.conv1, resnet.bn1, *([resnet.relu] if relu else []), resnet.maxpool]
            self.base = nn.Sequential(*stem, resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4)
            self.feat_bn = nn.BatchNorm1d(2048)

        def forward(self, x):
            return self.feat_bn(self.base(x).mean(dim=(2, 3)))

    if name.startswith("resnet50"):
        model = WithNeck(torchvision.models.resnet50(weights=None), relu=name.endswith("_ise"))
    else:
        model = getattr(torchvision.models, name)(weights=None)
    values = weights({key: tuple(value.shape) for key, value in model.state_dict().items()})
    model.load_state_dict({key: torch.from_numpy(value) for key, value in values.items()})
    return model.eval()


def features(model):
    """[2, D] unit rows of the pooled feature, after the neck where there is one."""
    import torch
    from torch import nn

    for classifier in ("fc", "classifier"):
        if hasattr(model, classifier):
            setattr(model, classifier, nn.Identity())
    with torch.no_grad():
        return nn.functional.normalize(model(torch.from_numpy(images()))).numpy()


def write_fixture(folder):
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for name in NETWORKS:
        model = build(name)
        shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
        arrays |= {"shapes_" + name: json.dumps(shapes), name: features(model)}
    np.savez_compressed(folder / "features.npz", **arrays)
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    state = {"module.a": base, "module.b": base.t(), "module.c": base[1:, ::2], "n": torch.tensor(7),
             "d": torch.nn.Parameter(base), "e": torch.empty(0, 3)}
    checkpoint = {"state_dict": state, "epoch": 3, "best_mAP": np.float64(0.5)}
    torch.save(checkpoint, folder / "zip.pth")
    torch.save(checkpoint, folder / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"h": base.half(), "w": base}, folder / "half.pth")
    torch.save({"h": base.bfloat16()}, folder / "bfloat16.pth")


def write_weights(folder, name):
    import torch

    model = build(name)
    prefix = "module." if name.startswith("resnet50") else ""
    state = {prefix + key: value for key, value in model.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 50} if prefix else model.state_dict(), folder / f"{name}.pth")


def load(name, path):
    import torch

    model = build(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with np.load(path) as state:
        model.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()}, strict=True)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    print("identical")


if __name__ == "__main__":
    if sys.argv[1] == "--load":
        load(*sys.argv[2:])
    else:
        write_fixture(pathlib.Path(sys.argv[1]))
        for name in sys.argv[3:]:
            write_weights(pathlib.Path(sys.argv[1]), name)
