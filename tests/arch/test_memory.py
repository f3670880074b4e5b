import numpy as np
import paddle
import pytest

from ppcls_ise.arch import ClusterMemory
from ppcls_ise.loss import cluster_contrast
from tests.helpers import golden

DATA = np.load(golden("memory.npz"))
CASES = [str(case) for case in DATA["cases"]]


def load(case, name):
    return DATA[f"{case}__{name}"]


@pytest.mark.parametrize("case", CASES)
def test_loss_gradient_and_update_as_the_authors_program(case):
    rows = paddle.to_tensor(load(case, "inputs"), stop_gradient=False)
    labels = paddle.to_tensor(load(case, "targets").astype("int64"))
    memory = ClusterMemory(float(load(case, "momentum")), "hard" if str(load(case, "sample_type")) == "hard" else "all")
    memory.reset(paddle.to_tensor(load(case, "centroids_before")))
    loss = cluster_contrast(rows, labels, memory.centroids, float(load(case, "temp")))
    memory.update(rows, labels)
    loss.backward()  # after the update: the gradient must still be that of the centroids from before it
    assert float(loss) == pytest.approx(float(load(case, "loss")), rel=1e-5)
    expected = load(case, "grad_inputs")
    np.testing.assert_allclose(rows.grad.numpy(), expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(memory.centroids.numpy(), load(case, "centroids_after"), rtol=1e-5, atol=5e-7)


def sequential(centroids, rows, labels, momentum):
    centroids = centroids.astype("float64").copy()
    for row, label in zip(rows.astype("float64"), labels):
        moved = momentum * centroids[label] + (1 - momentum) * row / np.linalg.norm(row)
        centroids[label] = moved / np.linalg.norm(moved)
    return centroids


@pytest.mark.parametrize("counts", [[5, 1, 2], [1, 1, 1], [7]])
def test_all_updates_row_by_row_whatever_the_counts(counts):
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(len(counts)) * 2, counts))
    rows, centroids = rng.standard_normal((sum(counts), 8)), rng.standard_normal((9, 8))
    memory = ClusterMemory(0.3, "all")
    memory.reset(centroids)
    memory.update(paddle.to_tensor(rows, dtype="float32"), paddle.to_tensor(labels))
    np.testing.assert_allclose(memory.centroids.numpy(), sequential(centroids, rows, labels, 0.3), atol=2e-6)


def test_hard_takes_the_first_row_on_a_tie_and_leaves_absent_labels_alone():
    memory = ClusterMemory(0.5, "hard")
    memory.reset(np.eye(3, dtype="float32"))
    rows = np.array([[0, 1, 0], [0, 0, 1]], "float32")  # both at right angles to centroid 0
    memory.update(paddle.to_tensor(rows), paddle.to_tensor([0, 0]))
    half = np.sqrt(0.5)
    np.testing.assert_allclose(memory.centroids.numpy(), [[half, half, 0], [0, 1, 0], [0, 0, 1]], atol=1e-6)


def test_centroids_are_not_saved_with_the_model():
    memory = ClusterMemory()
    memory.reset(np.eye(3, dtype="float32"))
    assert not memory.state_dict()


@pytest.mark.parametrize("options", [{"update": "ori"}, {"momentum": 1.0}, {"momentum": -0.1}])
def test_wrong_options_are_named(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        ClusterMemory(**options)
