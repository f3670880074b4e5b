import paddle
import pytest
from helpers import ROOT
from training import TINY


@pytest.fixture(scope="session")
def export_model(people, tmp_path_factory):
    """Export a model with random weights through PaddleClas's engine: ``export_model(*overrides, onnx=False, seed=0)``
    gives (the model, its folder)."""

    def run(*overrides, onnx=False, seed=0):
        from ppcls.arch import build_model
        from ppcls.engine.engine import Engine

        from ppcls_ise.engine import export, load_config, prepare_config

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
        export(Engine(prepare_config(config, "export"), mode="export"), onnx)
        return model, folder / "out"

    return run


@pytest.fixture(scope="session")
def exported(export_model):
    """(model, folder with the static model and ``inference.onnx``)."""
    pytest.importorskip("paddle2onnx")
    pytest.importorskip("onnxruntime")
    return export_model(onnx=True)
