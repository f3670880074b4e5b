import copy
import threading

import numpy as np
import paddle
import pytest
from paddle import nn

from ppcls_ise import onednn
from ppcls_ise.arch import convolution
from ppcls_ise.arch.convolution import OneDNNConv2D, compute_by_onednn

pytestmark = pytest.mark.skipif(onednn.version() is None, reason="no oneDNN in this Paddle")

LAYERS = [  # in, out, kernel, and the other arguments of Conv2D
    (3, 32, 3, {"stride": 2, "padding": 1}),
    (16, 24, 1, {}),
    (16, 24, 1, {"stride": 2}),
    (24, 24, 3, {"padding": 1, "groups": 24}),
    (24, 24, 3, {"stride": 2, "padding": 1, "groups": 24}),
    (20, 40, 3, {"padding": 1, "groups": 20}),
    (17, 17, 5, {"stride": [2, 1], "padding": [2, 1], "groups": 17}),
    (24, 24, 3, {"padding": 2, "dilation": 2, "groups": 24}),
    (32, 64, 3, {"padding": 1, "groups": 4}),
    (8, 8, 3, {"padding": [1, 2, 0, 3], "dilation": [1, 2]}),
    (8, 8, [1, 7], {"padding": [0, 3]}),
    (3, 16, 4, {"stride": 4, "bias_attr": True}),
    (8, 8, 3, {"padding": "VALID"}),
    (8, 8, 3, {"padding": "SAME"}),
    (8, 8, 3, {"padding": 1, "padding_mode": "reflect"}),
]


def outputs_and_gradients(layer, x):
    x = paddle.to_tensor(x, stop_gradient=False)
    layer.clear_gradients()
    y = layer(x)
    weights = paddle.to_tensor(np.random.default_rng(1).standard_normal(y.shape, dtype=np.float32))
    (y * weights).sum().backward()
    return [y.numpy(), x.grad.numpy(), *(parameter.grad.numpy() for parameter in layer.parameters())]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize("size", [(7, 5), (17, 9), (32, 16)], ids=str)
def test_outputs_and_gradients_are_those_of_paddle(layer, size):
    channels, out, kernel, arguments = layer
    paddle.seed(0)
    layer = nn.Conv2D(channels, out, kernel, **{"bias_attr": False, **arguments})
    x = np.random.default_rng(0).standard_normal((3, channels, *size), dtype=np.float32)
    expected = outputs_and_gradients(layer, x)
    names = list(layer.state_dict())
    compute_by_onednn(layer)
    for ours, theirs in zip(outputs_and_gradients(layer, x), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())
    assert list(layer.state_dict()) == names


def test_the_first_steps_are_the_same_with_and_without():
    from ppcls_ise.arch.model import ISEModel
    from ppcls_ise.loss import cluster_contrast, label_preserving

    def losses(use_onednn):
        paddle.seed(0)
        with paddle.utils.unique_name.guard():
            model = ISEModel(Backbone={"name": "PPLCNet_x0_25"}, Neck={"name": "BNNeck", "num_features": 1280},
                             Head={"name": "ISEHead"}, use_onednn=use_onednn)
        assert any(isinstance(layer, OneDNNConv2D) for layer in model.sublayers()) is use_onednn
        model.train()
        model.head.start_epoch(nn.functional.normalize(paddle.randn([20, 1280]), axis=-1), 50, 100)
        optimizer = paddle.optimizer.Adam(3.5e-4, parameters=model.parameters())
        images, labels, values = paddle.randn([32, 3, 64, 32]), paddle.arange(32) // 4, []
        for _ in range(3):
            out = model(images, labels)
            loss = cluster_contrast(out["contrast_rows"], out["contrast_labels"], out["centroids"])
            loss = loss + label_preserving(out["global_features"], out["support_features"], out["labels"])
            loss.backward()
            optimizer.step()
            optimizer.clear_grad()
            model.head.after_step()
            values.append(float(loss))
        return values

    expected = losses(False)
    assert expected[0] != expected[2]
    np.testing.assert_allclose(losses(True), expected, rtol=1e-5)


def test_only_layers_that_onednn_can_compute_are_taken():
    class Own(nn.Conv2D):
        pass

    model = nn.Sequential(nn.Conv2D(3, 8, 3), nn.Conv2D(8, 8, 3, padding="SAME"), Own(8, 8, 3),
                          nn.Conv2D(8, 8, 3, padding=1, padding_mode="reflect"), nn.Conv2D(8, 8, 3, data_format="NHWC"))
    assert compute_by_onednn(model) == 1 and type(model[0]) is OneDNNConv2D and type(model[2]) is Own
    assert compute_by_onednn(model) == 0


def test_what_is_frozen_gets_no_gradient():
    layer = nn.Conv2D(3, 8, 3)
    compute_by_onednn(layer)
    x = paddle.rand([2, 3, 8, 8])
    layer(x).sum().backward()
    assert x.grad is None and layer.weight.grad is not None
    layer.clear_gradients(set_to_zero=False)
    layer.weight.stop_gradient, x.stop_gradient = True, False
    layer(x).sum().backward()
    assert x.grad is not None and layer.weight.grad is None
    with paddle.no_grad():
        assert layer(x).stop_gradient


def test_views_are_read_as_they_are_seen():
    layer = nn.Conv2D(4, 8, 3, groups=4, bias_attr=False)
    x = np.random.default_rng(0).standard_normal((2, 6, 5, 4), dtype=np.float32)
    expected = layer(paddle.to_tensor(x.transpose(0, 3, 1, 2).copy())).numpy()
    compute_by_onednn(layer)
    np.testing.assert_allclose(layer(paddle.to_tensor(x).transpose([0, 3, 1, 2])).numpy(), expected, atol=1e-6)


def test_an_input_that_was_changed_in_place_is_no_input_of_the_backward_pass():
    layer, x = nn.Conv2D(3, 8, 3), paddle.rand([1, 3, 8, 8])
    compute_by_onednn(layer)
    y = layer(x)
    x.scale_(3.0)
    with pytest.raises(OSError, match="changed in place"):  # what Paddle makes of an error in a PyLayer
        y.sum().backward()


def test_the_gradient_reads_views_as_they_are_seen():
    layer, x = nn.Conv2D(4, 8, 1, bias_attr=False), paddle.rand([2, 4, 5, 3])
    weights = paddle.rand([2, 5, 3, 8])
    (layer(x).transpose([0, 2, 3, 1]) * weights).sum().backward()
    expected = layer.weight.grad.numpy()
    layer.clear_gradients()
    compute_by_onednn(layer)
    (layer(x).transpose([0, 2, 3, 1]) * weights).sum().backward()
    np.testing.assert_allclose(layer.weight.grad.numpy(), expected, rtol=1e-5)


def test_weights_that_are_a_view_are_read_as_they_are_seen():
    layer, x = nn.Conv2D(4, 8, 3, bias_attr=False), np.random.default_rng(0).standard_normal((2, 4, 6, 5), np.float32)
    del layer._parameters["weight"]  # as weight normalisation does
    layer.weight = paddle.rand([3, 3, 4, 8]).transpose([3, 2, 0, 1])
    layer.weight.stop_gradient = False
    expected = [*outputs_and_gradients(layer, x), layer.weight.grad.numpy()]
    layer.weight.clear_gradient()
    compute_by_onednn(layer)
    for ours, theirs in zip([*outputs_and_gradients(layer, x), layer.weight.grad.numpy()], expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())


def test_other_dtypes_go_to_paddle(monkeypatch):
    layer = nn.Conv2D(3, 8, 3)
    layer.to(dtype="float64")
    compute_by_onednn(layer)
    monkeypatch.setattr(convolution._Convolution, "apply", None)
    assert layer(paddle.rand([1, 3, 8, 8], "float64")).dtype == paddle.float64


def test_the_default_dtype_is_no_matter():
    layer, x = nn.Conv2D(3, 8, 3, bias_attr=False), paddle.rand([2, 3, 9, 8])
    expected = outputs_and_gradients(layer, x.numpy())
    compute_by_onednn(layer)
    paddle.set_default_dtype("float64")
    try:
        found = outputs_and_gradients(layer, x.numpy())
    finally:
        paddle.set_default_dtype("float32")
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())


def test_on_another_device_paddle_computes(monkeypatch):
    layer, x = nn.Conv2D(3, 8, 3), paddle.rand([1, 3, 8, 8])
    compute_by_onednn(layer)
    expected = layer(x).numpy()
    monkeypatch.setattr(convolution._Convolution, "apply", None)
    monkeypatch.setattr(paddle, "get_device", lambda: "gpu:0")
    np.testing.assert_allclose(layer(x).numpy(), expected, atol=1e-6)


def test_images_that_do_not_fit_are_refused_by_paddle():
    layer = nn.Conv2D(3, 8, 3)
    compute_by_onednn(layer)
    with pytest.raises(ValueError, match="channel"):
        layer(paddle.rand([1, 1, 8, 8]))


def test_a_trained_layer_is_exported_as_paddles_own(tmp_path):
    model = nn.Sequential(nn.Conv2D(3, 8, 3, padding=1), nn.Conv2D(8, 8, 3, groups=8))
    compute_by_onednn(model)
    x = paddle.rand([2, 3, 8, 8])
    expected = model(x).numpy()
    copied = copy.deepcopy(model)
    static = paddle.jit.to_static(model, full_graph=True,
                                  input_spec=[paddle.static.InputSpec([None, 3, 8, 8], "float32")])
    paddle.jit.save(static, str(tmp_path / "model"))
    for again in (copied, paddle.jit.load(str(tmp_path / "model"))):
        np.testing.assert_allclose(again(x).numpy(), expected, atol=1e-6)


def test_a_network_that_is_traced_has_paddles_own():
    model = nn.Sequential(nn.Conv2D(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2D(8, 8, 3, groups=8))
    x = paddle.rand([2, 3, 8, 8])
    compute_by_onednn(model)
    expected = outputs_and_gradients(model, x.numpy())
    traced = paddle.jit.to_static(model, full_graph=False)
    for ours, theirs in zip(outputs_and_gradients(traced, x.numpy()), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())


def test_threads_do_not_mix_their_images():
    layer = nn.Conv2D(8, 8, 3, padding=1)
    compute_by_onednn(layer)
    images = [paddle.rand([2, 8, 32, 32]) for _ in range(4)]
    expected, wrong = [layer(image).numpy() for image in images], []

    def run(image, right):
        with paddle.no_grad():
            wrong.extend(1 for _ in range(50) if not np.array_equal(layer(image).numpy(), right))

    threads = [threading.Thread(target=run, args=pair) for pair in zip(images, expected)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_another_thread_than_the_first_may_compute():
    layer = nn.Conv2D(20, 40, 3, padding=1, groups=20)  # a kernel that works in memory of its own
    compute_by_onednn(layer)
    x, found = np.random.default_rng(0).standard_normal((8, 20, 32, 16), dtype=np.float32), []
    expected = outputs_and_gradients(layer, x)
    thread = threading.Thread(target=lambda: found.extend(outputs_and_gradients(layer, x)))
    thread.start()
    thread.join()
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_without_onednn_layers_stay_paddles_own(monkeypatch):
    monkeypatch.setattr(convolution.onednn, "version", lambda: None)
    layer = nn.Conv2D(3, 8, 3)
    assert compute_by_onednn(layer) == 0 and type(layer) is nn.Conv2D
