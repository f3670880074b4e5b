"""What support samples, both losses and the memory update cost, forward and backward.

    python benchmarks/head.py

prints a markdown table: the share of a MobileNetV2 training step (batch 64, 128x64), milliseconds at the published
size (256 rows, 2048 dimensions) for 700 and 5,000 clusters, and the same written as a Python loop over rows.
"""
import math
import statistics
import time

import numpy as np
import paddle
import paddle.nn.functional as F
from training import ours, prepared

from ppcls_ise.arch import ISEHead
from ppcls_ise.loss import cluster_contrast, label_preserving
from ppcls_ise.unit import unit_rows


def batch(rows, dim, clusters, num_instances, seed=0):
    rng = np.random.default_rng(seed)
    centroids = rng.standard_normal((clusters, dim)).astype("float32")
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    labels = np.repeat(rng.permutation(clusters)[:rows // num_instances], num_instances)
    features = centroids[labels] + 0.5 * rng.standard_normal((rows, dim)).astype("float32") / math.sqrt(dim)
    return features.astype("float32"), labels.astype("int64"), centroids


def head_step(head, features, labels):
    """One step of everything ISE adds to the backbone; returns the loss and leaves the gradient in ``features``."""
    output = head(unit_rows(features), labels)
    loss = cluster_contrast(output["contrast_rows"], output["contrast_labels"], output["centroids"])
    loss = loss + 0.1 * label_preserving(output["global_features"], output["support_features"], output["labels"])
    loss.backward()
    head.after_step()
    return float(loss)


def loop_step(head, features, labels):
    """The same, one row at a time: what such programs usually are."""
    unit = F.normalize(features, axis=-1)
    centroids, names = head.memory.centroids, labels.tolist()
    supports = []
    for i, label in enumerate(names):
        similarity = paddle.matmul(centroids, unit[i].detach())
        similarity[label] = -2.0
        neighbour = int(similarity.argmax())
        supports.append(F.normalize(unit[i] + head.degree * (centroids[neighbour] - centroids[label]), axis=0))
    rows = paddle.concat([unit, paddle.stack(supports)])
    loss = F.cross_entropy(paddle.matmul(rows, centroids, transpose_y=True) / 0.05, paddle.concat([labels, labels]))
    all_supports, preserving = rows[len(names):], 0.0
    for i, label in enumerate(names):
        e = paddle.exp(paddle.matmul(all_supports, unit[i]) / 0.6)
        own = paddle.to_tensor([name == label for name in names])
        positive = e[own].min()
        negative = sum(e[paddle.to_tensor([name == other for name in names])].max() for other in set(names) - {label})
        preserving = preserving - paddle.log(positive / (positive + negative + 1e-6) + 1e-6)
    loss = loss + 0.1 * preserving / len(names)
    loss.backward()
    with paddle.no_grad():
        for label in set(names):
            own = rows[paddle.to_tensor([name == label for name in names * 2])]
            hardest = own[int(paddle.matmul(own, centroids[label]).argmin())]
            centroids[label] = F.normalize(0.2 * centroids[label] + 0.8 * hardest, axis=0)
    head.step += 1
    return float(loss)


def seconds(function, repeats):
    function()  # warm-up
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def measure(step, size, repeats=5, update="hard"):
    features, labels, centroids = batch(*size)
    head = ISEHead(update=update)
    head.start_epoch(centroids, 50, 100)
    features = paddle.to_tensor(features, stop_gradient=False)
    labels = paddle.to_tensor(labels)
    return seconds(lambda: step(head, features, labels), repeats)


def main():
    prepared(None)
    check = [function(*_fresh(batch(32, 64, 12, 4))) for function in (head_step, loop_step)]
    assert abs(check[0] - check[1]) < 1e-4, f"the loop computes something else: {check}"
    network = seconds(ours("MobileNetV2", None), 3)
    rows = []
    for update in ("hard", "all"):
        own = measure(head_step, (64, 1280, 210, 8), 20, update)
        rows.append((f"64 x 1280, 210 clusters, {update}", own, f"{100 * own / network:.2f} % of a MobileNetV2 step "
                                                                f"({1000 * network:.0f} ms)"))
    for clusters in (700, 5000):
        own = measure(head_step, (256, 2048, clusters, 16))
        loop = measure(loop_step, (256, 2048, clusters, 16), 1)
        rows.append((f"256 x 2048, {clusters} clusters, hard", own, f"{loop / own:.0f} times faster than the loop over "
                                                                    f"rows ({1000 * loop:.0f} ms)"))
        rows.append((f"256 x 2048, {clusters} clusters, all", measure(head_step, (256, 2048, clusters, 16),
                                                                      update="all"), ""))
    print("| rows x dimensions, clusters, memory update | ms | |\n|---|---|---|")
    for name, own, remark in rows:
        print(f"| {name} | {1000 * own:.1f} | {remark} |")


def _fresh(data):
    features, labels, centroids = data
    head = ISEHead()
    head.start_epoch(centroids, 50, 100)
    return head, paddle.to_tensor(features, stop_gradient=False), paddle.to_tensor(labels)


if __name__ == "__main__":
    main()
