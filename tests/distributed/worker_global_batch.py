"""Run by paddle.distributed.launch: two steps of a linear encoder on this process's share of a global batch."""
import sys

import numpy as np
import paddle
import paddle.distributed as dist

from ppcls_ise.arch import ISEHead
from ppcls_ise.loss import cluster_contrast, label_preserving


class Encoder(paddle.nn.Layer):
    def __init__(self, weight):
        super().__init__()
        self.linear = paddle.nn.Linear(*weight.shape, bias_attr=False)
        self.linear.weight.set_value(weight)
        self.head = ISEHead()

    def forward(self, x, labels):
        return self.head(paddle.nn.functional.normalize(self.linear(x), axis=-1), labels)


def main(source, target):
    data = np.load(source)
    if dist.get_world_size() > 1:
        dist.init_parallel_env()
    share = len(data["labels"]) // dist.get_world_size()
    own = slice(dist.get_rank() * share, (dist.get_rank() + 1) * share)
    encoder = Encoder(data["weight"])
    encoder.head.start_epoch(data["centroids"], 5, 10)
    model = paddle.DataParallel(encoder) if dist.get_world_size() > 1 else encoder
    optimizer = paddle.optimizer.SGD(0.1, parameters=model.parameters())
    losses = []
    for _ in range(2):
        output = model(paddle.to_tensor(data["x"][own]), paddle.to_tensor(data["labels"][own]))
        loss = cluster_contrast(output["contrast_rows"], output["contrast_labels"], output["centroids"])
        loss = loss + label_preserving(output["global_features"], output["support_features"], output["labels"])
        loss.backward()
        gradient = encoder.linear.weight.grad.numpy()
        optimizer.step()
        optimizer.clear_grad()
        encoder.head.after_step()
        losses.append(float(loss))
    np.savez(f"{target}_{dist.get_rank()}.npz", losses=losses, gradient=gradient,
             weight=encoder.linear.weight.numpy(), centroids=encoder.head.memory.centroids.numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
