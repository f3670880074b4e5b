"""Eight training batches of the authors' program on real crops, replayed on PaddleClas's own MobileNetV2."""
import numpy as np
import paddle
import pytest

from tests.helpers import shared

pytestmark = pytest.mark.slow  # hundreds of recorded steps


def build_model(topk):
    from ppcls.arch import ISEModel

    with paddle.utils.unique_name.guard():  # MobileNetV2 names its parameters itself: one model per name scope
        return ISEModel(Backbone={"name": "MobileNetV2"}, Neck={"name": "BNNeck", "num_features": 1280},
                        Head={"name": "ISEHead", "topk": topk, "momentum": 0.2, "update": "hard"})


@pytest.mark.parametrize("method", ["baseline", "ise"])
def test_losses_follow_the_authors_program(method):
    from ppcls.loss import build_loss

    data = np.load(shared("golden/cuhk03_replay.npz"))
    model = build_model(topk=1 if method == "ise" else 0)
    model.set_state_dict(paddle.load(str(shared("weights/mobilenetv2_cuhk03_start.pdparams"))))
    losses = [{"ClusterContrastLoss": {"weight": 1.0}}]
    if method == "ise":
        losses.append({"LabelPreservingLoss": {"weight": 0.1}})
    loss_function = build_loss(losses)
    optimizer = paddle.optimizer.Adam(float(data["lr"]), parameters=model.parameters(),
                                      weight_decay=paddle.regularizer.L2Decay(5e-4))
    model.head.start_epoch(data["centroids"], 0, int(data["epochs"]) * int(data["iterations"]))
    model.train()
    se, lp = [], []
    for x, y in zip(data["x"], data["y"]):
        out = model(paddle.to_tensor(x), paddle.to_tensor(y.astype("int64")).reshape([-1, 1]))
        values = loss_function(out, None)
        values["loss"].backward()
        optimizer.step()
        optimizer.clear_grad()
        model.head.after_step()
        se.append(float(values["ClusterContrastLoss"]))
        lp.append(float(values.get("LabelPreservingLoss", 0.0)) / 0.1)
    expected = [data[f"{method}_loss_se"]] + ([data["ise_loss_lp"]] if method == "ise" else [])
    for name, ours, theirs in zip(("L_SE", "L_LP"), (se, lp), expected):
        difference = np.abs(np.array(ours) - theirs)
        print(f"{method} {name}: difference of each step", " ".join(f"{value:.1e}" for value in difference))
        # Adam's first steps go by the sign of the gradient, whatever its size: changing the images by one part in
        # 10^7 moves the second step's loss by up to 1e-4. The first step shows the forward pass, these the updates.
        assert difference[0] < 5e-6, name
        assert difference[:3].max() < 2e-4, name
        assert difference.max() < 3e-3, name
