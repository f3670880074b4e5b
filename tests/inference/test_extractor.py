import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import paddle
import pytest
import yaml
from PIL import Image

from ppcls_ise.inference import FeatureExtractor, write_onnx
from ppcls_ise.inference.extractor import pixels
from tests.helpers import ROOT
from tests.training import TINY


@pytest.fixture(scope="session")
def gallery(people):
    """Paths of the images of the synthetic gallery, as the data set sorts them."""
    from ppcls_ise.images.listing import list_images

    images = list_images(str(people), "bounding_box_test")
    return [images.path(i) for i in range(len(images.names))]


@pytest.fixture(scope="session")
def trained_features(exported, people):
    """Features of the gallery by the training code: float32 [N, D]."""
    from ppcls_ise.config import load_config
    from ppcls_ise.data import ReIDImages
    from ppcls_ise.engine import extract_features

    transforms = load_config(str(ROOT / "configs/ISE_demo.yaml"), TINY)["DataLoader"]["Eval"]["Query"]["dataset"]
    images = ReIDImages(image_root=people, cls_label_path="bounding_box_test",
                        transform_ops=transforms["transform_ops"])
    return extract_features(exported[0], images, 8).numpy()


@pytest.mark.parametrize("options", [{"runtime": "paddle"}, {"runtime": "paddle", "enable_mkldnn": False},
                                     {"runtime": "onnx"}], ids=["onednn", "plain", "onnx"])
def test_features_and_rank_lists_are_those_of_training(exported, gallery, trained_features, options, request):
    if options["runtime"] == "onnx":
        request.getfixturevalue("with_onnx")
    extractor = FeatureExtractor(str(exported[1]), batch_size=5, **options)  # no divisor of the number of images
    features = extractor(gallery)
    assert features.dtype == np.float32 and features.shape == (len(gallery), extractor.dimension)
    np.testing.assert_allclose(features, trained_features, atol=1e-4)
    assert (features * trained_features).sum(1).min() > 0.99999
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-6)
    assert np.abs(features[0] - features[1]).max() > 1e-3
    np.testing.assert_array_equal(*(np.argsort(-(f @ f.T), axis=1)[:, :10] for f in (features, trained_features)))


@pytest.mark.slow
def test_the_folder_of_a_model_may_be_called_anything(export_model, exported, gallery, tmp_path):
    _, plain = exported
    export_model(f"Global.save_inference_dir={tmp_path / 'inf[1]*?'}")
    features = FeatureExtractor(str(tmp_path / "inf[1]*?"))(gallery[:2])
    np.testing.assert_array_equal(features, FeatureExtractor(str(plain))(gallery[:2]))
    if (tmp_path / "inf[1]*?" / "inference.json").exists():  # of paddle 3, which paddle2onnx reads
        for module in ("paddle2onnx", "onnxruntime"):
            pytest.importorskip(module)
        write_onnx(str(tmp_path / "inf[1]*?"))
        onnx = FeatureExtractor(str(tmp_path / "inf[1]*?"), "onnx")(gallery[:2])
        np.testing.assert_allclose(onnx, features, atol=1e-4)


def test_paths_pictures_and_arrays_are_one(exported, gallery):
    extractor = FeatureExtractor(str(exported[1]))
    picture = Image.open(gallery[0])
    features = extractor([gallery[0], picture, np.asarray(picture.convert("RGB"))])
    np.testing.assert_array_equal(features[1:], features[[0, 0]])
    assert extractor([]).shape == (0, extractor.dimension)


def test_many_threads_get_their_own_features(exported, gallery):
    extractor = FeatureExtractor(str(exported[1]), batch_size=3)
    expected = extractor(gallery[:12])
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda i: extractor(gallery[i % 12:i % 12 + 1])[0], range(48)))
    np.testing.assert_allclose(np.stack(parts), expected[np.arange(48) % 12], atol=1e-5)


@pytest.mark.slow
def test_without_export_normalize_the_model_gives_the_neck(exported, export_model, gallery):
    model, folder = export_model("Arch.export_normalize=False")
    extractor = FeatureExtractor(str(folder))
    batch = np.stack([extractor.preprocess(pixels(gallery[0]))])
    raw = extractor._run(batch)
    assert abs(np.linalg.norm(raw) - 1) > 0.01
    np.testing.assert_allclose(raw, model(paddle.to_tensor(batch))["neck"].numpy(), atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(extractor(gallery[:1]), FeatureExtractor(str(exported[1]))(gallery[:1]), atol=1e-5)


def test_the_description_has_what_the_model_wants(exported):
    description = yaml.safe_load((exported[1] / "inference.yml").read_text())
    model = description["Global"].pop("model")
    description["Global"].pop("onnx", None)  # where another test has converted it
    assert description["Global"] == {"image_shape": [3, 64, 32], "feature_size": 128, "normalized": True}
    assert len(model) == 16 and model == FeatureExtractor(str(exported[1])).model


def test_the_onnx_file_is_the_same_model(with_onnx):
    assert FeatureExtractor(str(with_onnx[1]), "onnx").model == FeatureExtractor(str(with_onnx[1])).model


@pytest.mark.slow
def test_other_weights_are_another_model(exported, export_model):
    other = export_model(seed=1)[1]
    assert FeatureExtractor(str(other)).model != FeatureExtractor(str(exported[1])).model


@pytest.mark.slow
def test_a_new_export_takes_the_old_onnx_file_away(export_model):
    folder = export_model()[1]
    (folder / "inference.onnx").write_bytes(b"of another model")
    export_model(f"Global.save_inference_dir={folder}")
    assert not (folder / "inference.onnx").exists()


class Killed(BaseException):
    """As SIGKILL: nothing after it runs."""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["in the model", "before inference.yml"])
def test_an_export_that_was_killed_is_noticed(export_model, monkeypatch, moment):
    """Wherever a second export into the same folder ends, nobody takes what is there for a whole model."""
    import ppcls.engine.engine as host

    from ppcls_ise.inference import description

    folder = export_model()[1]
    saved = host.paddle.jit.save

    def killed(*arguments, **options):
        raise Killed

    def half(*arguments, **options):
        saved(*arguments, **options)
        with open(folder / "inference.pdiparams", "r+b") as file:
            file.truncate(1000)
        raise Killed

    overrides = [f"Global.save_inference_dir={folder}"]
    with monkeypatch.context() as patch, pytest.raises(Killed):
        if moment == "in the model":
            patch.setattr(host.paddle.jit, "save", half)
        else:
            patch.setattr(description.os, "replace", killed)
        export_model(*overrides, seed=1)
    with pytest.raises(ValueError, match="export the model"):
        FeatureExtractor(str(folder))


def test_files_of_two_exports_are_noticed(with_onnx, export_model, tmp_path):
    other = export_model(seed=1)[1]
    for file, runtime in (("inference.pdiparams", "paddle"), ("inference.onnx", "onnx")):
        folder = tmp_path / runtime
        shutil.copytree(with_onnx[1], folder)
        if runtime == "paddle":
            shutil.copy(other / file, folder)
        else:
            (folder / file).write_bytes((folder / file).read_bytes() + b"\0")
        with pytest.raises(ValueError, match=f"{file} is not the file that inference.yml beside it describes"):
            FeatureExtractor(str(folder), runtime)


def test_a_description_without_marks_is_believed(with_onnx, tmp_path):
    """As those that PaddleClas's own tools write."""
    shutil.copytree(with_onnx[1], tmp_path / "model")
    description = yaml.safe_load((tmp_path / "model/inference.yml").read_text())
    description["Global"] = None
    (tmp_path / "model/inference.yml").write_text(yaml.safe_dump(description))
    for runtime in ("paddle", "onnx"):
        assert FeatureExtractor(str(tmp_path / "model"), runtime).model is None


def test_an_onnx_file_that_is_none_is_named(with_onnx, tmp_path):
    shutil.copytree(with_onnx[1], tmp_path / "model")
    description = yaml.safe_load((tmp_path / "model/inference.yml").read_text())
    del description["Global"]["onnx"]
    (tmp_path / "model/inference.yml").write_text(yaml.safe_dump(description))
    (tmp_path / "model/inference.onnx").write_bytes(b"no model")
    with pytest.raises(ValueError, match="ONNX Runtime cannot load"):
        FeatureExtractor(str(tmp_path / "model"), "onnx")


def test_an_onnx_file_that_differs_is_not_kept(export_model, monkeypatch):
    pytest.importorskip("paddle2onnx")
    pytest.importorskip("onnxruntime")
    from ppcls_ise.inference import onnx_model

    folder = export_model()[1]
    if not (folder / "inference.json").exists():
        pytest.skip("the paddle2onnx of today reads programs of paddle 3")
    monkeypatch.setattr(onnx_model, "FeatureExtractor", _Noise)
    with pytest.raises(ValueError, match="other features than the model"):
        onnx_model.write_onnx(str(folder))
    assert "inference.onnx" not in os.listdir(folder)


class _Noise:
    """An extractor whose features depend on the runtime."""

    def __init__(self, folder, runtime="paddle"):
        self.generator = np.random.default_rng(len(runtime))

    def __call__(self, images):
        rows = self.generator.normal(size=(len(images), 8))
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("image", [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), None,
                                   np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_image_is_refused(image):
    with pytest.raises(ValueError, match="an image is a path"):
        pixels(image)


@pytest.mark.parametrize(("file", "text", "message"), [
    ("inference.yml", None, "inference.yml is missing"),
    ("inference.yml", "{}", "no PreProcess"),
    ("inference.yml", "[", "no yaml"),
    ("inference.yml", "Global: {feature_size: 7}\nPreProcess: {transform_ops: [{ResizeImage: {size: [32, 64]}}, "
                      "{NormalizeImage: {order: hwc}}, {ToCHWImage: }]}", "gives 128 numbers an image"),
    ("inference.pdiparams", None, "no exported model")])
def test_a_broken_model_folder_is_named(exported, tmp_path, file, text, message):
    folder = tmp_path / "model"
    shutil.copytree(exported[1], folder)
    if text is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(text)
    with pytest.raises(ValueError, match=message):
        FeatureExtractor(str(folder))


@pytest.mark.parametrize(("options", "message"), [
    ({"use_gpu": True}, "built for the CPU"), ({"use_fp16": True}, "needs use_tensorrt"),
    ({"runtime": "onnx", "use_gpu": True}, "runs on the CPU"), ({"runtime": "tf"}, "paddle or onnx"),
    ({"batch_size": 0}, "at least 1")])
def test_options_that_do_not_fit_are_named(exported, options, message):
    if paddle.is_compiled_with_cuda() and options == {"use_gpu": True}:
        pytest.skip("this Paddle has a GPU")
    with pytest.raises(ValueError, match=message):
        FeatureExtractor(str(exported[1]), **options)
