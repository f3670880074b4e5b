import math

import numpy as np
import paddle
import pytest

from ppcls_ise.arch.pli import interpolation_degree, support_samples
from tests.helpers import golden

DATA = np.load(golden("pli.npz"))
CASES = [str(case) for case in DATA["cases"]]


def load(case, name):
    return DATA[f"{case}__{name}"]


def test_degree_follows_the_recorded_schedule():
    for (epoch, step, steps, epochs), value in zip(DATA["schedule_epoch_iter_total_epochs"].tolist(),
                                                   DATA["schedule_lambda"]):
        assert 2 * interpolation_degree(epoch * steps + step, steps * epochs) == pytest.approx(value, abs=1e-12)


def test_degree_starts_at_zero_and_ends_at_a_quarter():
    assert interpolation_degree(0, 10) == 0
    assert interpolation_degree(10, 10) == pytest.approx(0.25)
    assert interpolation_degree(10, 10, base=0.5) == pytest.approx(0.125)


@pytest.mark.parametrize("case", [case for case in CASES if case != "two_clusters_k2"])
def test_supports_neighbours_and_gradient(case):
    features = paddle.to_tensor(load(case, "feats"), stop_gradient=False)
    centroids = paddle.to_tensor(load(case, "centroids"), stop_gradient=False)
    supports, nearest = support_samples(features, paddle.to_tensor(load(case, "labels").astype("int64")), centroids,
                                        0.5 * float(load(case, "lam")), int(load(case, "topk")))
    (supports * paddle.to_tensor(load(case, "R"))).sum().backward()
    np.testing.assert_array_equal(nearest.numpy(), load(case, "nearest"))
    np.testing.assert_allclose(supports.numpy(), load(case, "supports"), rtol=1e-5, atol=2e-7)
    scale = np.abs(load(case, "grad_feats")).max()
    np.testing.assert_allclose(features.grad.numpy(), load(case, "grad_feats"), rtol=0, atol=1e-5 * scale)
    assert centroids.grad is None


def test_supports_are_what_the_formula_says():
    features = np.eye(3, dtype="float32")[:2]
    centroids = np.array([[1, 0, 0], [0, 1, 0], [0, 0.6, 0.8]], "float32")
    supports, nearest = support_samples(paddle.to_tensor(features), paddle.to_tensor([0, 1]),
                                        paddle.to_tensor(centroids), 0.2)
    # Row 0 is equally far from both others, row 1 nearest to cluster 2.
    assert nearest.numpy()[1, 0] == 2
    expected = features[1] + 0.2 * (centroids[2] - centroids[1])
    np.testing.assert_allclose(supports.numpy()[1], expected / math.sqrt((expected ** 2).sum()), rtol=1e-6)


@pytest.mark.parametrize("clusters, topk", [(1, 1), (2, 2), (3, 3), (3, 0)])
def test_too_few_clusters_is_an_error_not_a_duplicate(clusters, topk):
    rows = paddle.eye(4)[:clusters]
    with pytest.raises(ValueError, match="clusters"):
        support_samples(rows, paddle.arange(clusters), rows, 0.1, topk)
