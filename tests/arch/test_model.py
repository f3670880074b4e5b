import numpy as np
import paddle
import pytest

from ppcls_ise.arch.pooling import GeM

HEAD = {"name": "ISEHead", "topk": 1}


def build(**options):
    from ppcls.arch import ISEModel

    arch = {"Backbone": {"name": "PPLCNet_x0_25"}, "Neck": {"name": "BNNeck", "num_features": 1280},
            "Head": dict(HEAD), **options}
    with paddle.utils.unique_name.guard():
        return ISEModel(**arch)


IMAGES = paddle.rand([4, 3, 64, 32])


def test_features_are_unit_rows_in_training_and_test():
    model = build()
    model.head.start_epoch(np.eye(3, 1280, dtype="float32"), 0, 10)
    for training in (True, False):
        model.train() if training else model.eval()
        output = model(IMAGES, paddle.to_tensor([[0], [0], [1], [1]]))
        np.testing.assert_allclose(np.linalg.norm(output["features"].numpy(), axis=1), 1, rtol=1e-5)
        assert ("support_features" in output) == training


@pytest.mark.parametrize("name, dim", [("MobileNetV2_x0_25", 1280), ("ResNet18", 512),
                                       pytest.param("ViT_small_patch16_224", 768, marks=pytest.mark.slow)])
def test_any_backbone_gives_its_pooled_feature(name, dim):
    model = build(Backbone={"name": name}, Neck={"name": "BNNeck", "num_features": dim})
    size = 224 if name.startswith("ViT") else 64
    model.eval()
    assert model(paddle.rand([1, 3, size, size]))["features"].shape == [1, dim]


def test_a_stop_layer_inside_the_backbone_is_pooled():
    model = build(BackboneStopLayer={"name": "blocks5"}, Neck={"name": "BNNeck", "num_features": 64})
    model.eval()
    assert model(IMAGES)["features"].shape == [4, 64]


def test_gem_takes_the_place_of_average_pooling():
    model = build(Pooling={"name": "gem", "p": 2.0})
    assert isinstance(model.backbone.avg_pool, GeM)
    x = np.random.default_rng(0).uniform(0.1, 2, (2, 3, 4, 5)).astype("float32")
    expected = (x.astype("float64") ** 2).mean(axis=(2, 3)) ** 0.5
    np.testing.assert_allclose(model.backbone.avg_pool(paddle.to_tensor(x)).numpy()[:, :, 0, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(GeM(1.0)(paddle.to_tensor(x)).numpy()[:, :, 0, 0], x.mean(axis=(2, 3)), rtol=1e-5)


def test_frozen_bias_and_trained_weight_of_the_neck():
    model = build()
    optimizer = paddle.optimizer.Adam(0.1, parameters=model.parameters(), weight_decay=0.1)
    model.train()
    (model(IMAGES)["neck"] ** 2 + model(IMAGES)["neck"]).sum().backward()
    optimizer.step()
    assert not model.neck.feat_bn.bias.numpy().any()
    assert (model.neck.feat_bn.weight.numpy() != 1).any()


def test_names_are_those_of_paddleclas_recmodel():
    from ppcls.arch import RecModel

    with paddle.utils.unique_name.guard():
        host = RecModel(Backbone={"name": "ResNet18"}, BackboneStopLayer={"name": "avg_pool"},
                        Neck={"name": "BNNeck", "num_features": 512})
    ours = build(Backbone={"name": "ResNet18"}, Neck={"name": "BNNeck", "num_features": 512})
    shapes = {name: value.shape for name, value in ours.state_dict().items()}
    assert shapes == {name: value.shape for name, value in host.state_dict().items()}


def test_checkpoints_and_bare_backbones_load_and_a_wrong_one_is_an_error(tmp_path):
    model, other = build(), build()
    other.set_state_dict(model.state_dict())
    np.testing.assert_array_equal(*(m.backbone.conv1.conv.weight.numpy() for m in (model, other)))
    third = build()
    third.set_state_dict(model.backbone.state_dict())
    np.testing.assert_array_equal(*(m.backbone.conv1.conv.weight.numpy() for m in (model, third)))
    with pytest.raises(ValueError, match="another architecture"):
        build(Backbone={"name": "PPLCNet_x0_5"}).set_state_dict(model.state_dict())
    with pytest.raises(ValueError, match="none of the 1 weights"):
        model.set_state_dict({"backbone.nothing": paddle.zeros([1])})
    paddle.save(model.backbone.state_dict(), str(tmp_path / "weights.pdparams"))
    for suffix in ("", ".pdparams"):
        loaded = build(Backbone={"name": "PPLCNet_x0_25", "pretrained": str(tmp_path / "weights") + suffix})
        np.testing.assert_array_equal(*(m.backbone.conv1.conv.weight.numpy() for m in (model, loaded)))
    (tmp_path / "cut.pdparams").write_bytes((tmp_path / "weights.pdparams").read_bytes()[:100])
    for name, message in (("nowhere", "do not exist"), ("cut", "cannot be read")):
        with pytest.raises(ValueError, match=message):
            build(Backbone={"name": "PPLCNet_x0_25", "pretrained": str(tmp_path / name)})


@pytest.mark.parametrize("options, message", [
    ({"Pooling": {"name": "max"}}, "Arch.Pooling.name"),
    ({"Head": {"name": "FC"}}, "Arch.Head.name is ISEHead, not 'FC'"),
    ({"bn_group_size": 0}, "Arch.bn_group_size is a whole number of images, at least 2 or null, not 0"),
    ({"bn_group_size": True}, "Arch.bn_group_size is a whole number of images, at least 2 or null, not True"),
    ({"bn_group_size": "64"}, "Arch.bn_group_size is a whole number of images, at least 2 or null, not '64'"),
    ({"Neck": None}, "Arch.Neck is missing"), ({"Pooling": "gem"}, "Arch.Pooling is a block of keys .name, p, eps."),
    ({"Head": {"name": "ISEHead", "top": 1}}, r"Arch.Head.top is no known key, did you mean topk\?"),
    ({"bn_groupsize": 64}, r"Arch.bn_groupsize is no known key, did you mean bn_group_size\?"),
    ({"Pooling": {"name": "gem", "power": 3.0}}, "Arch.Pooling.power is no known key"),
    ({"Neck": {"name": "BNNeck", "num_features": 1280, "bias_atr": None}}, "did you mean bias_attr"),
    ({"Neck": {"name": "BNNeck"}}, "Arch.Neck.num_features is missing"),
    ({"Backbone": {"pretrained": False}}, "Arch.Backbone.name is missing"),
    ({"Backbone": None}, "Arch.Backbone is missing"),
    ({"Head": {"name": "ISEHead", "topk": -1}}, "topk"),
    ({"Backbone": {"name": "SqueezeNet1_0"}}, "no linear classifier"),
])
def test_mistakes_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


@pytest.mark.parametrize("options, message", [
    ({"Neck": {"name": "BNNeck", "num_features": 64}}, "num_features is 64, but the feature of the backbone has 1280"),
    ({"Backbone": {"name": "GoogLeNet"}}, "gives 3 outputs")])
def test_a_feature_that_does_not_fit_the_neck_is_told(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)(paddle.rand([2, 3, 224, 224]))


def test_an_unknown_backbone_is_told_with_what_is_near():
    with pytest.raises(ValueError, match=r"no ResNet51, did you mean ResNet50\?"):
        build(Backbone={"name": "ResNet51"})


def test_what_paddleclas_passes_of_arch_is_taken():
    model = build(infer_output_key="features", infer_add_softmax=False, is_rec=True, class_num=751,
                  export_normalize=False, bn_group_size=16, feature_cache=True, stem_relu=True)
    assert model.bn_group_size == 16 and model.feature_cache


def test_weights_of_another_precision_are_refused(tmp_path):
    model = build()
    state = {name: value.numpy().astype("float16") for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=r"float16 instead of float32, .*tools/convert_weights.py --widen"):
        model.set_state_dict(state)


def test_the_relu_of_the_stem_can_be_left_out():
    assert build(Backbone={"name": "ResNet18"}, Neck={"name": "BNNeck", "num_features": 512},
                 stem_relu=False).backbone.stem[-1].act is None
    with pytest.raises(ValueError, match="PPLCNet_x0_25 has no such stem"):
        build(stem_relu=False)


def test_a_download_that_fails_is_told_with_the_way_out(monkeypatch):
    from ppcls.arch import RecModel

    def offline(*_, **__):
        raise RuntimeError("Download from https://nowhere/weights.pdparams failed. Retry limit reached")

    monkeypatch.setattr(RecModel, "__init__", offline)
    with pytest.raises(ValueError, match=r"https://nowhere/weights.pdparams failed.*Arch.Backbone.pretrained=FILE"):
        build(Backbone={"name": "ResNet18", "pretrained": True}, Neck={"name": "BNNeck", "num_features": 512})
