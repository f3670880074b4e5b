"""Converted networks against PyTorch's, whose features of formula weights are recorded in fixture/ (torch_twin.py)."""
import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import paddle
import pytest

from ppcls_ise.cli import convert_weights
from ppcls_ise.weights import read_state, to_paddle, to_torch, write_state
from ppcls_ise.weights.identity_pair import calibrated, is_identity
from tests.helpers import ROOT
from tests.weights import torch_twin

HERE = ROOT / "tests/weights"
NETWORKS = torch_twin.NETWORKS
WITH_SLOW = [pytest.param(name, marks=pytest.mark.slow) if name.startswith("resnet50") else name for name in NETWORKS]
LAYOUTS = {"resnet50_ise": "ise", "resnet50_clustercontrast": "clustercontrast"}


@pytest.fixture(scope="module")
def fixture():
    with np.load(HERE / "fixture/features.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def torch_state(fixture):
    return lambda name: torch_twin.weights(json.loads(str(fixture["shapes_" + name])))


def model_of(conversion, **options):
    from ppcls.arch import ISEModel

    names = {"resnet50": ("ResNet50_last_stage_stride1", 2048), "resnet18": ("ResNet18", 512),
             "mobilenetv2": ("MobileNetV2", 1280)}
    name, width = names[conversion.architecture.lower()]
    with paddle.utils.unique_name.guard():
        model = ISEModel(Backbone={"name": name}, Neck={"name": "BNNeck", "num_features": width},
                         Head={"name": "ISEHead"}, **options)
    model.set_state_dict(conversion.state)
    model.eval()
    return model


@pytest.mark.parametrize("name", WITH_SLOW)
def test_features_are_those_of_pytorch(name, torch_state, fixture):
    conversion = to_paddle(torch_state(name))
    assert not conversion.missing and not conversion.left_over
    model = model_of(conversion, stem_relu="clustercontrast" not in name)
    output = model(paddle.to_tensor(torch_twin.images()))
    ours = output["features"] if name in LAYOUTS else paddle.nn.functional.normalize(output["backbone"].flatten(1))
    assert np.abs(fixture[name][0] - fixture[name][1]).max() > 4e-3  # the features do tell images apart
    np.testing.assert_allclose(ours.numpy(), fixture[name], atol=1e-5)


@pytest.mark.parametrize("name", WITH_SLOW)
def test_round_trip_is_the_identity(name, torch_state, tmp_path):
    state = torch_state(name)
    prefix = "module." if name in LAYOUTS else ""
    given = {prefix + key: value for key, value in state.items()}
    write_state(str(tmp_path / "x.pdparams"), to_paddle(given).state)
    back = to_torch(read_state(str(tmp_path / "x.pdparams")), LAYOUTS.get(name), prefix)
    assert not back.missing and not back.left_over and set(back.state) == set(given)
    for key, value in given.items():
        assert back.state[key].dtype == value.dtype and back.state[key].shape == value.shape
        np.testing.assert_array_equal(back.state[key], value)


@pytest.mark.slow
def test_a_layout_is_told_by_where_the_stages_begin(torch_state):
    state = torch_state("resnet50_ise")
    assert to_paddle(state).layout == "ise" and not to_paddle(state).notes
    conversion = to_paddle(torch_state("resnet50_clustercontrast"))
    assert conversion.layout == "clustercontrast" and "Arch.stem_relu=False" in conversion.notes[0]
    shifted = {key.replace("base.", "base.1", 1): value for key, value in state.items()}
    with pytest.raises(ValueError, match="begin at base.14"):
        to_paddle(shifted)


def test_every_key_is_accounted_for(torch_state):
    state = {**torch_state("resnet50_ise"), "gap.p": np.ones(1, "float32"), "classifier1.weight": np.ones((3, 2048))}
    conversion = to_paddle(state)
    counters = [key for key in state if key.endswith("num_batches_tracked")]
    assert len(conversion.mapped) + len(conversion.left_over) + len(counters) == len(state)
    assert conversion.left_over == ["classifier1.weight"] and "backbone.avg_pool.p" in conversion.state
    del state["base.4.0.conv2.weight"]
    with pytest.raises(ValueError, match=r"nearest is ResNet50, of which 1 of 267 .*layer1.0.conv2.weight"):
        to_paddle(state)
    assert to_paddle(state, "ResNet50").missing == ["backbone.blocks.0.conv1.conv.weight"]
    lines = []
    convert_weights.report(to_paddle(state, "ResNet50"), lines.append)
    assert "  missing: backbone.blocks.0.conv1.conv.weight" in lines and "  left over: classifier1.weight" in lines
    assert "  base.0.weight -> backbone.stem.0.conv.weight" in lines


def test_half_precision_is_taken_only_if_asked_for(torch_state):
    state = {key: value.astype("float16") if value.dtype == "float32" else value
             for key, value in torch_state("resnet18").items()}
    with pytest.raises(ValueError, match=r"100 of 122 weights are float16 .*--widen"):
        to_paddle({key: value for key, value in state.items() if not key.startswith("fc.")} | {
            key: np.float32(0) * value for key, value in state.items() if key.startswith("fc.")})
    assert to_paddle(state, widen=True).state["fc.weight"].dtype == "float32"


def test_the_classifier_is_turned_round(torch_state):
    state = torch_state("resnet18")
    np.testing.assert_array_equal(to_paddle(state).state["fc.weight"], state["fc.weight"].T)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_the_pair_that_torchvision_lacks_is_an_identity_in_training_once_calibrated(name, torch_state):
    conversion = to_paddle(torch_state(name))
    assert "--calibrate" in conversion.notes[0]
    model, x = model_of(conversion), torch_twin.images()
    expected = model(paddle.to_tensor(x))["backbone"].numpy()
    layer = dict(model.backbone.named_sublayers())[
        {"resnet18": "blocks.0.short", "mobilenet_v2": "conv2._first_block._expand_conv"}[name]]
    seen = {}

    def keep(_, inputs, output):
        seen["in"], seen["out"] = inputs[0].numpy(), output.numpy()

    layer.register_forward_post_hook(keep)
    layer.train()
    model(paddle.to_tensor(x))
    assert np.abs(seen["out"] - seen["in"]).max() > 0.5  # as it is: another network
    layer.eval()
    conversion.state |= calibrated(conversion.architecture, model.backbone, [x])
    assert is_identity(conversion.architecture, conversion.state)
    model.set_state_dict(conversion.state)
    np.testing.assert_allclose(model(paddle.to_tensor(x))["backbone"].numpy(), expected, atol=2e-4, rtol=1e-4)
    layer.train()
    model(paddle.to_tensor(x))
    np.testing.assert_allclose(seen["out"], seen["in"], atol=1e-4)
    assert not to_torch(conversion.state).left_over
    key = {"resnet18": "blocks.0.short.bn.bias",
           "mobilenet_v2": "conv2._first_block._expand_conv._batch_norm.bias"}[name]
    conversion.state[key] = conversion.state[key] + 0.1
    with pytest.raises(ValueError, match="more than an identity"):
        to_torch(conversion.state)


@pytest.mark.slow
def test_the_tool_and_its_errors(torch_state, tmp_path, capsys):
    state = torch_state("resnet18")
    np.savez(tmp_path / "in.npz", **state)
    arguments = [str(tmp_path / "in.npz"), str(tmp_path / "out.pdparams")]
    assert convert_weights.main(arguments) == 0
    assert "102 mapped, 0 missing, 0 left over" in capsys.readouterr().out
    assert convert_weights.main([arguments[1], str(tmp_path / "back.npz"), "--to", "torch"]) == 0
    with np.load(tmp_path / "back.npz") as back:
        assert set(back) == set(state)
    capsys.readouterr()
    state["layer1.0.conv1.weight"] = state["layer1.0.conv1.weight"][:32]
    np.savez(tmp_path / "in.npz", **state)
    assert convert_weights.main([arguments[0], str(tmp_path / "wrong.pdparams")]) == 1
    error = capsys.readouterr().err
    assert "backbone.blocks.0.conv0.conv.weight [32, 64, 3, 3] instead of [64, 64, 3, 3]" in error
    assert not (tmp_path / "wrong.pdparams").exists()
    assert convert_weights.main([arguments[1], str(tmp_path / "x.npz"), "--to", "torch", "--layout", "keras"]) == 1
    assert "the layout is torchvision, ise, clustercontrast" in capsys.readouterr().err


def torch_python():
    """A Python that has torch and torchvision: this one, or the one that TORCH_PYTHON names (Paddle's and PyTorch's
    GPU builds do not go well into one environment)."""
    if os.environ.get("TORCH_PYTHON"):
        return os.environ["TORCH_PYTHON"]
    if importlib.util.find_spec("torchvision"):
        return sys.executable
    pytest.skip("neither PyTorch nor TORCH_PYTHON: the recorded features are compared instead")


@pytest.mark.parametrize("name", ["resnet50_ise", "mobilenet_v2"])
def test_checkpoints_of_pytorch_itself(name, tmp_path, fixture):
    """PyTorch writes a checkpoint, it is converted and gives PyTorch's features, and the way back loads strictly."""
    python, twin = torch_python(), str(HERE / "torch_twin.py")
    subprocess.run([python, twin, str(tmp_path), "--weights", name], check=True, timeout=300)
    with np.load(tmp_path / "features.npz") as fresh:
        expected = fresh[name]
    np.testing.assert_allclose(expected, fixture[name], atol=1e-5)  # the recording is not outdated
    conversion = to_paddle(read_state(str(tmp_path / f"{name}.pth")))
    output = model_of(conversion)(paddle.to_tensor(torch_twin.images()))
    ours = output["features"] if name in LAYOUTS else paddle.nn.functional.normalize(output["backbone"].flatten(1))
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-5)
    np.savez(tmp_path / "back.npz", **to_torch(conversion.state).state)
    result = subprocess.run([python, twin, "--load", name, str(tmp_path / "back.npz")], text=True, timeout=300,
                            capture_output=True)
    assert result.stdout.strip() == "identical", result.stderr


def test_weights_with_paddleclas_names_lose_only_their_head():
    state = {"backbone.conv1.bn._variance": np.ones(3, "float32"), "neck.feat_bn.weight": np.ones(3, "float32"),
             "head.fc.weight": np.ones((3, 2), "float32")}
    conversion = to_paddle(state)
    assert list(conversion.state) == ["backbone.conv1.bn._variance", "neck.feat_bn.weight"]
    assert conversion.left_over == ["head.fc.weight"] and "shapes were not checked" in conversion.notes[0]
    with pytest.raises(ValueError, match="the architecture is ResNet18, .*not 'ResNet51'"):
        to_paddle(state, "ResNet51")
