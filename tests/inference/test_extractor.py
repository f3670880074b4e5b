import numpy as np
import paddle
import pytest
from helpers import ROOT
from training import TINY

from ppcls_ise.inference import FeatureExtractor


@pytest.fixture
def exported(people, tmp_path):
    """A model with random weights, exported through PaddleClas's engine: (model, folder)."""
    from ppcls.arch import build_model
    from ppcls.engine.engine import Engine

    from ppcls_ise.engine import export, load_config, prepare_config

    overrides = [*TINY, f"Global.image_root={people}", f"Global.output_dir={tmp_path}",
                 f"Global.pretrained_model={tmp_path / 'weights'}", f"Global.save_inference_dir={tmp_path / 'out'}"]
    config = load_config(str(ROOT / "configs/ISE_demo.yaml"), overrides)
    paddle.seed(0)
    model = build_model(config)
    model.train()
    model(paddle.rand([16, 3, 64, 32]))  # running statistics that are not those of a fresh BatchNorm
    model.eval()
    paddle.save(model.state_dict(), str(tmp_path / "weights.pdparams"))
    export(Engine(prepare_config(config, "export"), mode="export"))
    return model, tmp_path / "out"


def test_exported_features_are_those_of_training(exported, people):
    from ppcls_ise.data import ReIDImages
    from ppcls_ise.engine import extract_features, load_config

    model, folder = exported
    transforms = load_config(str(ROOT / "configs/ISE_demo.yaml"), TINY)["DataLoader"]["Eval"]["Query"]["dataset"]
    images = ReIDImages(image_root=people, cls_label_path="query", transform_ops=transforms["transform_ops"])
    expected = extract_features(model, images, 8).numpy()
    extractor = FeatureExtractor(str(folder), batch_size=5)  # no divisor of the number of images
    features = extractor([images.list.path(i) for i in range(len(images))])
    np.testing.assert_allclose(features, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
    assert np.abs(features[0] - features[1]).max() > 1e-3


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(ValueError, match="no exported model"):
        FeatureExtractor(str(tmp_path))
