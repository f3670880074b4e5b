import numpy as np
import paddle
import pytest

from ppcls_ise.loss import label_preserving
from tests.helpers import golden

DATA = np.load(golden("lp_loss.npz"))
CASES = [str(case) for case in DATA["cases"]]
# Where the authors' program cuts the batch into runs of one label each, both definitions are one.
_ONE_RUN_A_LABEL = ("B32_n", "B64_n", "order_aligned", "order_blockperm", "two_labels")
ALIGNED = [case for case in CASES if case.startswith(_ONE_RUN_A_LABEL)]


def load(case, name):
    return DATA[f"{case}__{name}"]


def ours(case):
    features = paddle.to_tensor(load(case, "feats"), stop_gradient=False)
    supports = paddle.to_tensor(load(case, "feats_s"), stop_gradient=False)
    loss = label_preserving(features, supports, paddle.to_tensor(load(case, "labels").astype("int64")))
    loss.backward()
    return float(loss), features.grad.numpy(), supports.grad.numpy()


def by_definition(features, supports, labels, support_labels, temperature=0.6):
    """method.md, one row at a time in float64."""
    total = 0.0
    for feature, label in zip(features.astype("float64"), labels):
        e = np.exp(supports.astype("float64") @ feature / temperature)
        positive = e[support_labels == label].min()
        negative = sum(e[support_labels == other].max() for other in set(labels.tolist()) - {label})
        total -= np.log(positive / (positive + negative + 1e-6) + 1e-6)
    return total / len(features)


@pytest.mark.parametrize("case", ALIGNED)
def test_equals_the_authors_program_on_aligned_batches(case):
    loss, grad_features, grad_supports = ours(case)
    assert loss == pytest.approx(float(load(case, "loss")), rel=1e-5)
    for gradient, name in ((grad_features, "grad_feats"), (grad_supports, "grad_feats_s")):
        expected = load(case, name)
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("case", CASES)
def test_is_the_definition_whatever_the_counts_and_the_order(case):
    loss, _, _ = ours(case)
    expected = by_definition(load(case, "feats"), load(case, "feats_s"), load(case, "labels"), load(case, "labels_s"))
    assert loss == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("order_")])
def test_does_not_depend_on_row_order(case):
    aligned = "order_aligned_" + case[-2:]
    assert ours(case)[0] == pytest.approx(float(load(aligned, "loss")), rel=1e-5)


def test_ties_send_the_gradient_to_one_entry():
    # Two equal supports of the other label: the gradient of a maximum counts once, not once per tied entry.
    features = paddle.to_tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], stop_gradient=False)
    supports = paddle.to_tensor([[0.8, 0.6], [0.6, 0.8], [0.6, 0.8]], stop_gradient=False)
    label_preserving(features, supports, paddle.to_tensor([0, 1, 1])).backward()
    assert (np.abs(supports.grad.numpy()).sum(axis=1) > 0).tolist() == [True, True, False]


def test_supports_that_do_not_belong_to_rows_are_refused():
    with pytest.raises(ValueError, match="multiple"):
        label_preserving(paddle.eye(4), paddle.ones([6, 4]), paddle.arange(4))


@pytest.mark.parametrize("topk", [1, 3])
def test_only_labels_among_the_rivals_count_against_a_row(topk):
    rng = np.random.default_rng(topk)
    features, supports = rng.normal(size=(12, 8)), rng.normal(size=(12 * topk, 8))
    labels, rivals = rng.permutation(np.arange(12) % 5) + 2, rng.random((12, 9)) < 0.5
    rivals[np.arange(12), labels] = True
    support_labels = np.repeat(labels, topk)
    expected = []
    for row, label in enumerate(labels):
        e = np.exp(supports @ features[row] / 0.6)
        positive = e[support_labels == label].min()
        negative = sum(e[support_labels == other].max() for other in set(labels) - {label} if rivals[row, other])
        expected.append(-np.log(positive / (positive + negative + 1e-6) + 1e-6))
    tensors = (paddle.to_tensor(array.astype("float32")) for array in (features, supports))
    loss = label_preserving(*tensors, paddle.to_tensor(labels), rivals=paddle.to_tensor(rivals))
    assert float(loss) == pytest.approx(np.mean(expected), rel=1e-5)
