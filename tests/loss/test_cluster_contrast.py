import math

import paddle
import pytest

from ppcls_ise.loss import ClusterContrastLoss, LabelPreservingLoss, cluster_contrast, label_preserving


def test_literal_value():
    identity = paddle.eye(3)
    loss = cluster_contrast(2 * identity, paddle.arange(3), identity, temperature=1.0)  # rows are normalised
    assert float(loss) == pytest.approx(-math.log(math.e / (math.e + 2)), rel=1e-6)


def test_centroids_get_no_gradient():
    rows, centroids = paddle.eye(3), paddle.eye(3)
    rows.stop_gradient = centroids.stop_gradient = False
    cluster_contrast(rows, paddle.to_tensor([1, 2, 0]), centroids).backward()
    assert centroids.grad is None and rows.grad is not None


def test_half_precision_is_computed_in_float32():
    rows, labels = paddle.rand([8, 16]), paddle.arange(8)
    with paddle.amp.auto_cast(level="O1", dtype="bfloat16"):
        loss = cluster_contrast(rows, labels, paddle.eye(8, 16))
    assert loss.dtype == paddle.float32
    assert float(loss) == float(cluster_contrast(rows, labels, paddle.eye(8, 16)))


def test_loss_layers_use_the_global_batch_of_the_head():
    output = {"contrast_rows": paddle.eye(4), "contrast_labels": paddle.to_tensor([0, 1, 1, 0]),
              "centroids": paddle.eye(2, 4), "global_features": paddle.eye(4)[:2],
              "support_features": paddle.eye(4)[2:], "labels": paddle.to_tensor([0, 1]), "rivals": None}
    local_labels = paddle.to_tensor([[1]])
    contrast = ClusterContrastLoss(0.5)(output, local_labels)["ClusterContrastLoss"]
    assert float(contrast) == float(cluster_contrast(paddle.eye(4), output["contrast_labels"], paddle.eye(2, 4), 0.5))
    preserving = LabelPreservingLoss(0.6)(output, local_labels)["LabelPreservingLoss"]
    assert float(preserving) == float(label_preserving(paddle.eye(4)[:2], paddle.eye(4)[2:], output["labels"]))
    assert float(LabelPreservingLoss()({"support_features": None})["LabelPreservingLoss"]) == 0
