import numpy as np
import paddle
import pytest

from ppcls_ise.arch.head import ISEHead
from ppcls_ise.clustering import cluster_centroids
from ppcls_ise.clustering.cameras import camera_proxies
from ppcls_ise.loss import ClusterContrastLoss, LabelPreservingLoss, camera_entropy_weights, cluster_contrast

LOSSES = (ClusterContrastLoss(), LabelPreservingLoss())


def set_up(seed=0, spanning=False, **keys):
    """A head in the middle of an epoch, features of a batch, and their labels and cameras [b, 2]."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(96, 16)).astype("float32")
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    labels = np.arange(96) % 8
    cameras = np.arange(96) // 8 % 3 if spanning else rng.integers(2, size=96) + labels % 2
    head = ISEHead(**keys)
    head.start_epoch(cluster_centroids(x, labels), 7, 10, camera_proxies(x, labels, cameras))
    rows = rng.permutation(96)[:32]
    return head, x[rows], np.stack([labels[rows], cameras[rows]], axis=1), (labels, cameras)


def run(head, features, columns):
    tensor = paddle.to_tensor(features, stop_gradient=False)
    output = head(tensor, paddle.to_tensor(columns))
    losses = [next(iter(loss(output).values())) for loss in LOSSES]
    sum(losses).backward()
    return output, [float(loss) for loss in losses], tensor.grad.numpy()


def test_same_camera_negatives_are_the_clusters_that_hold_an_image_of_the_camera():
    head, features, columns, (labels, cameras) = set_up(negatives="same_camera")
    output, losses, _ = run(head, features, columns)
    rivals = output["rivals"].numpy()
    for row, (label, camera) in enumerate(columns):
        assert set(np.flatnonzero(rivals[row])) == set(labels[cameras == camera]) | {label}
    assert not rivals.all()
    # L_SE as if the others were not there.
    rows, row_labels = output["contrast_rows"].numpy(), output["contrast_labels"].numpy()
    centroids, expected = output["centroids"].numpy().astype("float64"), []
    for row, label, allowed in zip(rows.astype("float64"), row_labels, np.concatenate([rivals, rivals])):
        logits = np.exp(centroids @ row / np.linalg.norm(row) / 0.05)
        expected.append(-np.log(logits[label] / logits[allowed].sum()))
    assert losses[0] == pytest.approx(np.mean(expected), rel=1e-5)


def test_supports_lean_to_clusters_of_the_camera():
    head, features, columns, (labels, cameras) = set_up(negatives="same_camera")
    output, *_ = run(head, features, columns)
    centroids, rivals = output["centroids"].numpy(), output["rivals"].numpy()
    others = centroids @ features.T
    for row, (label, _) in enumerate(columns):
        allowed = rivals[row].copy()
        allowed[label] = False
        nearest = np.where(allowed, others[:, row], -9).argmax()
        expected = features[row] + head.degree * (centroids[nearest] - centroids[label])
        np.testing.assert_allclose(output["support_features"][row].numpy(), expected / np.linalg.norm(expected),
                                   atol=1e-6)


@pytest.mark.parametrize("topk", [1, 3])
def test_nothing_changes_where_every_cluster_spans_all_cameras(topk):
    results = []
    for negatives in ("all", "same_camera"):
        head, features, columns, _ = set_up(spanning=True, negatives=negatives, topk=topk)
        results.append(run(head, features, columns)[1:])
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_rows_of_no_known_camera_are_held_against_all():
    head, features, columns, _ = set_up(negatives="same_camera")
    columns[:, 1] = -1
    assert run(head, features, columns)[0]["rivals"].numpy().all()
    head.start_epoch(np.eye(8, 16, dtype="float32"), 0, 10)  # of an epoch without cameras
    output, *_ = run(head, features, columns)
    assert output["rivals"] is output["proxies"] is output["cameras"] is None


def test_camera_entropy_weighs_clusters_that_many_cameras_see():
    labels, cameras = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 0, 0, 0, 1, 2, 3])
    weights = camera_entropy_weights(paddle.to_tensor(labels), paddle.to_tensor(cameras)).numpy()
    expected = 2 * np.exp([0, 2]) / np.exp([0, 2]).sum()
    np.testing.assert_allclose(weights, expected[labels], rtol=1e-6)
    rows, centroids = paddle.randn([8, 4]), paddle.eye(2, 4)
    each = [float(cluster_contrast(rows[i:i + 1], paddle.to_tensor(labels[i:i + 1]), centroids)) for i in range(8)]
    head = {"contrast_rows": rows, "contrast_labels": paddle.to_tensor(labels), "labels": paddle.to_tensor(labels),
            "cameras": paddle.to_tensor(cameras), "centroids": centroids, "rivals": None}
    loss = ClusterContrastLoss(camera_entropy=True)(head)["ClusterContrastLoss"]
    assert float(loss) == pytest.approx(np.mean(weights * each), rel=1e-5)


@pytest.mark.parametrize("topk", [1, 3])
def test_supports_have_the_rivals_and_the_weight_of_their_row(topk):
    head, features, columns, _ = set_up(negatives="same_camera", topk=topk)
    output, *_ = run(head, features, columns)
    weights = camera_entropy_weights(output["labels"], output["cameras"]).numpy()
    rivals, centroids = output["rivals"].numpy(), output["centroids"].numpy().astype("float64")
    expected = []
    for place, row in enumerate(output["contrast_rows"].numpy().astype("float64")):
        owner = place if place < 32 else (place - 32) // topk
        logits = np.exp(centroids @ row / np.linalg.norm(row) / 0.05)
        expected.append(-weights[owner] * np.log(logits[columns[owner, 0]] / logits[rivals[owner]].sum()))
    loss = ClusterContrastLoss(camera_entropy=True)(output)["ClusterContrastLoss"]
    assert len(np.unique(weights)) > 1 and float(loss) == pytest.approx(np.mean(expected), rel=1e-5)
