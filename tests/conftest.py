"""All tests run with ISE registered at PaddleClas."""
import os
import re

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before Paddle is there: what is compared bit for bit is run so

import ppcls_ise.host.processor  # noqa: F401, I001, which looks at it

import paddle
import pytest

import ppcls_ise
from ppcls_ise.images.synthetic import make_synthetic
from tests.helpers import ROOT
from tests.training import TINY

ppcls_ise.register()


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """A synthetic set of 16 training and 6 test persons at 64 x 32."""
    root = tmp_path_factory.mktemp("people") / "set"
    make_synthetic(str(root), identities=16, test_identities=6, images_per_identity=6, cameras=3, height=64, width=32)
    return root


@pytest.fixture(scope="session")
def export_model(people, tmp_path_factory):
    """Export a model with random weights through PaddleClas's engine: ``export_model(*overrides, seed=0)`` gives
    (the model, its folder)."""

    def run(*overrides, seed=0):
        from ppcls.arch import build_model
        from ppcls.engine.engine import Engine

        from ppcls_ise.config import load_config
        from ppcls_ise.engine import export_model, prepare_config

        folder = tmp_path_factory.mktemp("export")
        config = load_config(str(ROOT / "configs/ISE_demo.yaml"),
                             [*TINY, f"Global.image_root={people}", f"Global.output_dir={folder}",
                              f"Global.pretrained_model={folder / 'weights'}",
                              f"Global.save_inference_dir={folder / 'out'}", *overrides])
        paddle.seed(seed)
        model = build_model(config)
        model.train()
        model(paddle.rand([16, 3, 64, 32]))  # running statistics that are not those of a fresh BatchNorm
        model.eval()
        paddle.save(model.state_dict(), str(folder / "weights.pdparams"))
        export_model(Engine(prepare_config(config, "export"), mode="export"))
        return model, folder / "out"

    return run


@pytest.fixture(scope="session")
def exported(export_model):
    """(model, folder with the static model)."""
    return export_model()


@pytest.fixture(scope="session")
def with_onnx(exported):
    """``exported`` with ``inference.onnx`` in its folder."""
    pytest.importorskip("paddle2onnx")
    pytest.importorskip("onnxruntime")
    if not (exported[1] / "inference.json").exists():
        pytest.skip("the paddle2onnx of today reads programs of paddle 3")
    from ppcls_ise.inference import write_onnx

    write_onnx(str(exported[1]))
    return exported


@pytest.fixture
def train(people, tmp_path):
    """Train the tiny configuration in this process; returns (engine, lines of its log)."""

    def run(*overrides, name="run"):
        import paddle
        from ppcls.engine.engine import Engine

        from ppcls_ise.config import load_config
        from ppcls_ise.engine import prepare_config

        output = tmp_path / name
        config = load_config(str(ROOT / "configs/ISE_demo.yaml"),
                             [*TINY, f"Global.image_root={people}", f"Global.output_dir={output}", *overrides])
        # Optimiser states go by the names of parameters, which Paddle counts up within a process.
        with paddle.utils.unique_name.guard():
            engine = Engine(prepare_config(config, "train"), mode="train")
            engine.train()
        log = next(output.rglob("train.log")).read_text()
        return engine, [re.sub(r"^\[[^]]*\] ", "", line) for line in log.splitlines()]

    return run


@pytest.fixture
def losses():
    """The losses of every step in a log, as printed."""

    def read(lines):
        steps = [line for line in lines if re.search(r"\[Train\].*\[Iter", line)]
        return [re.findall(r"(\w*[lL]oss): ([\d.]+)", line) for line in steps]

    return read
