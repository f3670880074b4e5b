from __future__ import annotations

from paddle import nn

__all__ = ["freeze_bias"]


def freeze_bias(batch_norm: nn.Layer) -> None:
    """Keep the bias of a BatchNorm where it is (at 0), as the BatchNorm neck of re-ID models wants it.

    (Luo et al., Bag of Tricks for person re-identification, CVPRW 2019.) By a learning rate of 0, not by
    ``stop_gradient``: Paddle's BatchNorm gives its *weight* no gradient either when the bias takes none.
    """
    batch_norm.bias.optimize_attr["learning_rate"] = 0.0
