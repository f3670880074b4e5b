"""Whole training steps of the authors' program with a small encoder: loss, gradients, weights, centroids."""
import numpy as np
import paddle
import pytest

from ppcls_ise.arch import ISEHead
from ppcls_ise.arch.neck import freeze_bias
from ppcls_ise.loss import ClusterContrastLoss, LabelPreservingLoss
from tests.helpers import golden

DATA = np.load(golden("e2e.npz"))
CASES = [str(case) for case in DATA["cases"]]


class Encoder(paddle.nn.Layer):
    def __init__(self):
        super().__init__()
        self.fc1 = paddle.nn.Linear(48, 64)
        self.fc2 = paddle.nn.Linear(64, 64, bias_attr=False)
        self.feat_bn = paddle.nn.BatchNorm1D(64, momentum=0.9, epsilon=1e-5)
        freeze_bias(self.feat_bn)

    def forward(self, x):
        return paddle.nn.functional.normalize(self.feat_bn(self.fc2(paddle.nn.functional.relu(self.fc1(x)))), axis=-1)


def theirs(case, prefix):
    """Paddle's names and shapes: linear weights are transposed, running statistics are called otherwise."""
    names = {"fc1.weight": "fc1.weight", "fc1.bias": "fc1.bias", "fc2.weight": "fc2.weight",
             "feat_bn.weight": "feat_bn.weight", "feat_bn.bias": "feat_bn.bias",
             "feat_bn._mean": "feat_bn.running_mean", "feat_bn._variance": "feat_bn.running_var"}
    values = {ours: DATA[f"{case}__{prefix}.{name}"] for ours, name in names.items()
              if f"{case}__{prefix}.{name}" in DATA}
    return {name: value.T if name in ("fc1.weight", "fc2.weight") else value for name, value in values.items()}


@pytest.mark.parametrize("case", CASES)
def test_training_steps(case):
    def load(name):
        return DATA[f"{case}__{name}"]

    encoder = Encoder()
    encoder.set_state_dict({name: paddle.to_tensor(value) for name, value in theirs(case, "w0").items()})
    update = "hard" if str(load("sample_type")) == "hard" else "all"
    head = ISEHead(topk=int(load("topk")), momentum=float(load("momentum")), update=update)
    steps = len(load("loss"))
    head.start_epoch(load("centroids_before"), int(load("epoch")) * steps, int(load("epochs")) * steps)
    contrast, preserving = ClusterContrastLoss(0.05), LabelPreservingLoss(0.6)
    optimizer = paddle.optimizer.Adam(3.5e-4, parameters=encoder.parameters(),
                                      weight_decay=paddle.regularizer.L2Decay(5e-4))
    for step in range(steps):
        assert 2 * head.degree == pytest.approx(float(load("lam")[step]), abs=1e-12)
        labels = paddle.to_tensor(load("labels")[step].astype("int64"))
        output = head(encoder(paddle.to_tensor(load("x")[step])), labels)
        se = contrast(output)["ClusterContrastLoss"]
        lp = preserving(output)["LabelPreservingLoss"]
        loss = se + float(load("lp_weight")) * lp
        for value, name in ((se, "loss_cc"), (lp, "loss_lp"), (loss, "loss")):
            assert float(value) == pytest.approx(float(load(name)[step]), rel=1e-5)
        optimizer.clear_grad()
        loss.backward()
        optimizer.step()
        head.after_step()
    for name, expected in theirs(case, "grad").items():
        gradient = dict(encoder.named_parameters())[name].grad.numpy()
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-5 * np.abs(expected).max(), err_msg=name)
    expected = theirs(case, "w1")
    # PyTorch's running variance is unbiased, Paddle's is not: a step adds 0.1 * n / (n - 1) of the batch's there.
    kept = 0.9 ** steps * theirs(case, "w0")["feat_bn._variance"]
    rows = load("x").shape[1]
    expected["feat_bn._variance"] = kept + (expected["feat_bn._variance"] - kept) * (rows - 1) / rows
    for name, value in encoder.state_dict().items():
        np.testing.assert_allclose(value.numpy(), expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(head.memory.centroids.numpy(), load("centroids_after"), rtol=1e-5, atol=1e-6)
