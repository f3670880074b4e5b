import random

import numpy as np
import paddle
import pytest
from paddle import nn

from ppcls_ise.arch.bn_groups import GroupStatistics, SpanningBatchNorm, batch_norms, check_group_size


@pytest.mark.parametrize("layer", [nn.BatchNorm2D, nn.BatchNorm])  # the second is PaddleClas's
def test_every_group_weighs_alike_in_the_running_statistics(layer):
    norm = layer(3)
    statistics = GroupStatistics(batch_norms(nn.Sequential(norm)))
    rng = np.random.default_rng(0)
    mean, variance = np.zeros(3), np.ones(3)
    for groups in (4, 1, 3):
        batch = rng.normal(2, 3, (groups, 8, 3, 2, 2)).astype("float32")
        for index, part in enumerate(batch):
            statistics.start_group(index, groups)
            norm(paddle.to_tensor(part))
        mean = 0.9 * mean + 0.1 * np.mean([part.mean((0, 2, 3)) for part in batch], axis=0)
        variance = 0.9 * variance + 0.1 * np.mean([part.var((0, 2, 3)) for part in batch], axis=0)
        np.testing.assert_allclose(norm._mean.numpy(), mean, rtol=1e-5)
        np.testing.assert_allclose(norm._variance.numpy(), variance, rtol=1e-5)
    statistics.hold()
    norm(paddle.to_tensor(batch[0]))
    np.testing.assert_allclose(norm._mean.numpy(), mean, rtol=1e-5)


@pytest.mark.parametrize("shape", [[6, 3], [6, 3, 2, 2]])
def test_a_spanning_layer_on_one_process_is_batch_norm(shape, monkeypatch):
    monkeypatch.setattr("ppcls_ise.arch.bn_groups.dist.all_gather", lambda parts, own: parts.append(own))
    rng = np.random.default_rng(0)
    values, weight = rng.standard_normal(shape).astype("float32"), paddle.to_tensor(rng.random(shape).astype("float32"))
    results = []
    for spanning in (False, True):
        layer = nn.BatchNorm1D(3) if len(shape) == 2 else nn.BatchNorm2D(3)
        layer.weight.set_value(np.array([1, 2, 3], "float32"))
        names = list(layer.state_dict())
        if spanning:
            layer = SpanningBatchNorm(layer, 1)
        assert list(layer.state_dict()) == names
        x = paddle.to_tensor(values, stop_gradient=False)
        y = layer(x)
        ((y ** 2 + y) * weight).sum().backward()
        results.append([t.numpy() for t in (y, x.grad, layer.weight.grad, layer.bias.grad, layer._mean,
                                            layer._variance)])
        layer.eval()
        results[-1].append(layer(x).numpy())
    for expected, found in zip(*results):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size, batch, instances, processes", [
    (64, 256, 16, 1), (64, 256, 16, 2), (64, 256, 16, 4), (64, 256, 16, 8), (256, 256, 16, 8), (64, 192, 16, 3)])
def test_sizes_that_work(size, batch, instances, processes):
    check_group_size(size, batch, instances, processes)


@pytest.mark.parametrize("size, batch, instances, processes, message", [
    (60, 256, 16, 1, "does not divide"), (8, 256, 16, 1, "whole clusters"), (64, 192, 16, 2, "96 images")])
def test_sizes_that_do_not(size, batch, instances, processes, message):
    with pytest.raises(ValueError, match=message):
        check_group_size(size, batch, instances, processes)


def test_losses_and_memory_are_float32_for_a_half_precision_network():
    # As with AMP on a GPU; auto_cast does nothing on the CPU, which also lacks the sums that the feature cache needs.
    from ppcls.arch import ISEModel

    from ppcls_ise.loss import ClusterContrastLoss, LabelPreservingLoss

    model = ISEModel(Backbone={"name": "PPLCNet_x0_25"}, Neck={"name": "BNNeck", "num_features": 1280},
                     Head={"name": "ISEHead"}, bn_group_size=4)
    model.neck.register_forward_post_hook(lambda layer, inputs, output: output.astype("float16"))
    model.head.start_epoch(np.eye(3, 1280, dtype="float32"), 50, 100)
    model.train()
    output = model(paddle.rand([8, 3, 64, 32]), paddle.to_tensor([0, 0, 1, 1, 2, 2, 1, 1]))
    losses = {**ClusterContrastLoss()(output), **LabelPreservingLoss()(output)}
    assert output["neck"].dtype == paddle.float16
    for value in (output["features"], output["contrast_rows"], output["centroids"], *losses.values()):
        assert value.dtype == paddle.float32
    sum(losses.values()).backward()
    assert model.neck.feat_bn.weight.grad.abs().sum() > 0
    model.head.after_step()
    np.testing.assert_allclose(np.linalg.norm(model.head.memory.centroids.numpy(), axis=1), 1, rtol=1e-6)


def test_the_feature_cache_repeats_random_layers_and_leaves_other_generators_alone():
    from ppcls.arch import ISEModel

    results = []
    for feature_cache in (False, True):
        paddle.seed(3)
        model = ISEModel(Backbone={"name": "PPLCNet_x0_25", "dropout_prob": 0.5},
                         Neck={"name": "BNNeck", "num_features": 1280}, Head={"name": "ISEHead"}, bn_group_size=4,
                         feature_cache=feature_cache)
        model.head.start_epoch(np.eye(3, 1280, dtype="float32"), 50, 100)
        model.train()
        images = paddle.to_tensor(np.random.default_rng(0).random((8, 3, 64, 32), "float32"))
        output = model(images, paddle.to_tensor([0, 0, 1, 1, 2, 2, 1, 1]))
        # The thread that reads images draws from these while the gradient is made; what it drew stays drawn.
        drawn, generators = [], (random.Random(1), np.random.RandomState(1))
        model.backbone.register_forward_post_hook(
            lambda *_, drawn=drawn: drawn.append((random.random(), np.random.rand())))
        random.seed(1)
        np.random.seed(1)
        (output["features"] * paddle.linspace(0, 1, 1280)).sum().backward()
        assert len(drawn) == (2 if feature_cache else 0)  # once a group
        assert [*drawn, (random.random(), np.random.rand())] == [
            (generators[0].random(), generators[1].rand()) for _ in range(len(drawn) + 1)]
        after = paddle.rand([3]).numpy()  # what is random after the step is the same, too
        results.append([after, *(p.grad.numpy() for p in model.parameters() if p.grad is not None)])
    assert len(results[0]) == len(results[1]) > 50
    for direct, cached in zip(*results):
        np.testing.assert_allclose(cached, direct, rtol=1e-4, atol=1e-6 * max(1, np.abs(direct).max()))
