"""``Global.pretrained_model``: PaddleClas's published ISE weights, and files that are none."""
import os
import pickle

import numpy as np
import paddle
import pytest

from tests.helpers import ROOT

# as in PaddleClas's ppcls/configs/ResNet50_UReID_infer.yaml, whose weights are ISE_M_model.pdparams
PUBLISHED = {"name": "RecModel", "infer_output_key": "features", "infer_add_softmax": False,
             "Backbone": {"name": "ResNet50_last_stage_stride1", "pretrained": False},
             "BackboneStopLayer": {"name": "avg_pool"}, "Neck": {"name": "BNNeck", "num_features": 2048},
             "Head": {"name": "FC", "embedding_size": 2048, "class_num": 751}}


def engine_with(path, *overrides):
    from ppcls.engine.engine import Engine

    from ppcls_ise.config import load_config
    from ppcls_ise.engine import prepare_config

    config = load_config(str(ROOT / "configs/ISE_R50.yaml"), [f"Global.pretrained_model={path}", *overrides])
    with paddle.utils.unique_name.guard():
        return Engine(prepare_config(config, "export"), mode="export")


@pytest.fixture
def lines(monkeypatch):
    from ppcls_ise.arch import model

    seen = []
    monkeypatch.setattr(model.logger, "info", seen.append)
    return seen


@pytest.mark.slow
def test_published_weights_load_and_give_paddleclas_features(tmp_path, lines):
    from ppcls.arch import RecModel

    with paddle.utils.unique_name.guard():
        host = RecModel(**{key: dict(value) if isinstance(value, dict) else value for key, value in PUBLISHED.items()})
    random = np.random.RandomState(0)
    for name, value in host.state_dict().items():
        if name.endswith(("_mean", "bn.bias")):
            value.set_value(random.standard_normal(value.shape).astype("float32") * 0.1)
    host.eval()
    paddle.save(host.state_dict(), str(tmp_path / "ISE_M_model.pdparams"))
    engine = engine_with(tmp_path / "ISE_M_model")
    reported = [line for line in lines if line.startswith("weights: ")]
    assert reported and all("missing: none; left over: head.fc.weight" in line for line in reported)
    model = engine.model
    model.eval()
    x = paddle.to_tensor(random.standard_normal((2, 3, 64, 32)).astype("float32"))
    expected, ours = host(x)["neck"].numpy(), model(x)["neck"].numpy()
    largest = np.abs(expected).max()  # hundreds, with random weights
    assert largest > 0.1
    np.testing.assert_allclose(ours, expected, atol=1e-6 * largest, rtol=1e-4)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil_was_run",)


def test_a_pickle_that_runs_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pdparams").write_bytes(pickle.dumps({"w": Evil()}))
    with pytest.raises(ValueError, match="evil.pdparams were not read"):
        engine_with(tmp_path / "evil")
    with pytest.raises(ValueError, match="evil.pdparams were not read"):
        from ppcls_ise.arch.fit import read_weights
        read_weights("evil")
    assert not (tmp_path / "evil_was_run").exists()


@pytest.mark.slow
def test_a_damaged_file_and_another_architecture_are_told(tmp_path):
    (tmp_path / "cut.pdparams").write_bytes(b"\x80\x04}")
    with pytest.raises(ValueError, match="cut.pdparams cannot be read"):
        engine_with(tmp_path / "cut")
    paddle.save({"backbone.stem.0.conv.weight": paddle.zeros([32, 3, 7, 7])}, str(tmp_path / "other.pdparams"))
    with pytest.raises(ValueError, match=r"another architecture: .*\[32, 3, 7, 7\] instead of \[64, 3, 7, 7\]"):
        engine_with(tmp_path / "other")
