import math

import numpy as np
import paddle
import pytest

from ppcls_ise.clustering.cameras import camera_proxies
from ppcls_ise.loss import CameraProxyLoss, camera_proxy_contrast

LINKED = np.array([[0, 1, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], bool)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def case(seed, rows=24, images=120, dim=12, clusters=9, cameras=4):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(clusters), rng.integers(clusters, size=images - clusters)])
    camera_of = rng.integers(cameras, size=images)
    x = unit(rng.normal(size=(images, dim))).astype("float32")
    batch = rng.choice(images, rows, replace=False)
    return unit(x[batch] + 0.3 * rng.normal(size=(rows, dim))).astype("float32"), labels[batch], camera_of[batch], (
        camera_proxies(x, labels, camera_of, LINKED if seed % 2 else None))


def by_definition(features, labels, cameras, proxies, temperature=0.07, positives=2, negatives=50):
    """The formula row by row with Python's sorting, in float64."""
    q, of_cluster, of_camera = proxies.features.astype("float64"), proxies.labels, proxies.cameras
    losses = []
    for f, label, camera in zip(features.astype("float64"), labels, cameras):
        own = [u for u in range(len(q)) if of_cluster[u] == label and of_camera[u] == camera]
        if not own:
            continue
        score = [0.15 * f @ q[u] + 0.85 * q[own[0]] @ q[u] for u in range(len(q))]
        best = [max((u for u in range(len(q)) if of_camera[u] == other), key=lambda u: score[u])
                for other in set(of_camera.tolist()) if proxies.partners[camera, other]]
        chosen = {u for u in range(len(q)) if of_cluster[u] == label}
        chosen |= set(sorted(best, key=lambda u: -score[u])[:positives])
        rest = [u for u in range(len(q)) if of_camera[u] == camera and u not in chosen]
        against = chosen | set(sorted(rest, key=lambda u: -score[u])[:negatives])
        total = math.log(sum(math.exp(f @ q[u] / temperature) for u in against))
        losses.append(np.mean([total - f @ q[u] / temperature for u in chosen]))
    return np.mean(losses)


def loss_of(features, labels, cameras, proxies, **options):
    return camera_proxy_contrast(*map(paddle.to_tensor, (features, labels, cameras, *proxies)), **options)


@pytest.mark.parametrize("options", [{}, {"positives": 1, "negatives": 3}, {"positives": 0}, {"positives": 9}])
@pytest.mark.parametrize("seed", range(3))
def test_is_the_definition(seed, options):
    given = case(seed)
    assert float(loss_of(*given, **options)) == pytest.approx(by_definition(*given, **options), rel=1e-5)


def test_rows_of_no_known_camera_do_not_count():
    features, labels, cameras, proxies = case(0)
    some = cameras.copy()
    some[::3] = -1
    assert float(loss_of(features, labels, some, proxies)) == pytest.approx(
        by_definition(features, labels, some, proxies), rel=1e-5)
    nobody = np.full_like(cameras, -1)
    assert float(loss_of(features, labels, nobody, proxies)) == 0


def test_rows_without_a_proxy_leave_the_loss_a_number():
    features, labels, cameras, proxies = case(0)
    nobody_else = camera_proxies(features, labels, np.zeros_like(cameras))  # all proxies are of camera 0
    unknown = np.where(np.arange(len(cameras)) % 2, -1, 0)
    for positives in (0, 2):
        tensor = paddle.to_tensor(features, stop_gradient=False)
        given = map(paddle.to_tensor, (labels % 4 + 5, unknown, *nobody_else))  # clusters that some rows are alone of
        loss = camera_proxy_contrast(tensor, *given, positives=positives)
        loss.backward()
        assert np.isfinite(float(loss)) and np.isfinite(tensor.grad.numpy()).all()


def test_order_of_rows_and_of_proxies_does_not_matter():
    features, labels, cameras, proxies = case(1)
    expected = float(loss_of(features, labels, cameras, proxies))
    rng = np.random.default_rng(0)
    rows, others = rng.permutation(len(features)), rng.permutation(len(proxies.labels))
    mixed = [*(array[others] for array in proxies[:-1]), proxies.partners]
    mixed = loss_of(features[rows], labels[rows], cameras[rows], mixed)
    assert float(mixed) == pytest.approx(expected, rel=1e-6)


def test_gradient_is_that_of_the_definition():
    features, labels, cameras, proxies = case(2, rows=6)
    tensor = paddle.to_tensor(features, stop_gradient=False)
    camera_proxy_contrast(tensor, *map(paddle.to_tensor, (labels, cameras, *proxies))).backward()
    direction = np.random.default_rng(0).normal(size=features.shape)
    step = 1e-6
    up, down = (by_definition(features.astype("float64") + sign * step * direction, labels, cameras, proxies)
                for sign in (1, -1))
    assert float((tensor.grad.numpy() * direction).sum()) == pytest.approx((up - down) / (2 * step), rel=1e-4)


def test_the_layer_is_0_where_cameras_are_not_told_apart():
    assert float(CameraProxyLoss()({"proxies": None})["CameraProxyLoss"]) == 0
