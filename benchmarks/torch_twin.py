"""The recipe of configs/ISE_MobileNetV2_CUHK03.yaml once more, in plain PyTorch: a check on all but the clustering.

No line of it is shared with the training code: network, BatchNorm, optimiser, losses, memory, sampler and augmentation
are written a second time, in the obvious way. Figures that differ from it by more than seeds do would be a bug of one
of the two. Needs torch and, to read the weights, paddle.

python benchmarks/torch_twin.py --images dataset/cuhk03_np_small --weights MobileNetV2.pdparams --seed 1 [--baseline]
"""
import argparse
import math
import os
import random
import re
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch_networks import NETWORKS

EPOCHS, STEPS, CLUSTERS, INSTANCES = 12, 30, 8, 8
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


class Crops:
    def __init__(self, folder):
        names = sorted(name for name in os.listdir(folder) if name.endswith((".jpg", ".png")))
        self.images = np.stack([np.asarray(Image.open(os.path.join(folder, name)).convert("RGB")) for name in names])
        ids = [re.search(r"([-\d]+)_c(\d+)", name).groups() for name in names]
        self.pids, self.camids = np.array(ids, int).T


class Network(nn.Module):
    def __init__(self, name="MobileNetV2"):
        super().__init__()
        backbone, width = NETWORKS[name]
        self.backbone, self.neck = backbone(), nn.BatchNorm1d(width)
        self.neck.bias.requires_grad_(False)

    def load(self, weights):
        """Of PaddleClas's MobileNetV2."""
        import paddle

        # It has one more conv-BatchNorm pair, an identity in these weights; else the order is one.
        arrays = [value.numpy() for name, value in paddle.load(weights).items()
                  if not name.startswith("conv2._first_block._expand_conv") and hasattr(value, "numpy")]
        own = [value for name, value in self.backbone.state_dict().items() if "num_batches" not in name]
        with torch.no_grad():
            for target, array in zip(own, arrays, strict=True):
                target.copy_(torch.from_numpy(array))

    def forward(self, x):
        return F.normalize(self.neck(self.backbone(x)), dim=1)

    @torch.no_grad()
    def extract(self, images):
        self.eval()
        x = torch.from_numpy(((images.astype(np.float32) / 255 - MEAN) / STD).transpose(0, 3, 1, 2).copy())
        return np.concatenate([self(x[start:start + 64]).numpy() for start in range(0, len(x), 64)])


def augment(image):
    if random.random() < 0.5:
        image = image[:, ::-1]
    top, left = random.randint(0, 10), random.randint(0, 10)
    image = np.pad(image, ((5, 5), (5, 5), (0, 0)))[top:top + 128, left:left + 64]
    image = (image.astype(np.float32) / 255 - MEAN) / STD
    if random.random() < 0.5:
        for _ in range(100):
            area, aspect = random.uniform(0.02, 0.4) * 128 * 64, random.uniform(0.3, 1 / 0.3)
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if h < 128 and w < 64:
                top, left = random.randint(0, 128 - h), random.randint(0, 64 - w)
                image[top:top + h, left:left + w] = MEAN
                break
    return image.transpose(2, 0, 1)


def batches(labels, camids):
    members = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    while True:
        order = np.random.permutation(len(members))
        for start in range(0, len(order) - CLUSTERS + 1, CLUSTERS):
            rows = []
            for cluster in order[start:start + CLUSTERS]:
                own = members[cluster]
                anchor = np.random.choice(own)
                pool = own[camids[own] != camids[anchor]]
                pool = pool if len(pool) else own[own != anchor]
                rows += [anchor, *np.random.choice(pool, INSTANCES - 1, replace=len(pool) < INSTANCES - 1)]
            yield rows


def label_preserving(features, supports, labels):
    similarity = torch.exp(features @ supports.T / 0.6)
    losses = []
    for row, label in zip(similarity, labels):
        positive = row[labels == label].min()
        negative = sum(row[labels == other].max() for other in labels.unique() if other != label)
        losses.append(-torch.log(positive / (positive + negative + 1e-6) + 1e-6))
    return torch.stack(losses).mean()


def evaluate(network, query, gallery):
    """All-gallery and same-camera mAP and rank-1 in percent."""
    similarity = network.extract(query.images) @ network.extract(gallery.images).T
    figures = []
    for same_camera in (False, True):
        precision, first = [], []
        for row, pid, camid in zip(similarity, query.pids, query.camids):
            kept = gallery.camids == camid if same_camera else np.ones(len(gallery.pids), bool)
            match = (gallery.pids[kept] == pid)[np.argsort(-row[kept], kind="stable")]
            if match.any():
                places = np.flatnonzero(match)
                precision.append(np.mean(np.arange(1, len(places) + 1) / (places + 1)))
                first.append(match[0])
        figures += [100 * np.mean(precision), 100 * np.mean(first)]
    return figures


def adam(network):
    return torch.optim.Adam((p for p in network.parameters() if p.requires_grad), lr=3.5e-4, weight_decay=5e-4)


def train_step(network, optimizer, images, y, centroids, degree):
    """One step, the memory's included; ``degree`` None: neither support samples nor label-preserving loss."""
    f = network(images)
    seen, seen_labels, loss = f, y, 0
    if degree is not None:
        with torch.no_grad():
            near = f @ centroids.T
            near[torch.arange(len(y)), y] = -2
        s = F.normalize(f + degree * (centroids[near.argmax(1)] - centroids[y]), dim=1)
        seen, seen_labels, loss = torch.cat([f, s]), torch.cat([y, y]), 0.1 * label_preserving(f, s, y)
    contrast = F.cross_entropy(seen @ centroids.T / 0.05, seen_labels)
    optimizer.zero_grad()
    (contrast + loss).backward()
    optimizer.step()
    for label in seen_labels.unique():
        own = seen.detach()[seen_labels == label]
        hardest = own[(own @ centroids[label]).argmin()]
        centroids[label] = F.normalize(0.2 * centroids[label] + 0.8 * hardest, dim=0)
    return contrast.item()


def train_epoch(network, optimizer, train, epoch, supports):
    from ppcls_ise.clustering import dbscan, jaccard_distance

    features = network.extract(train.images)
    labels = dbscan(jaccard_distance(features, 20, 6), 0.5, 2)
    centroids = F.normalize(torch.stack([torch.from_numpy(features[labels == label]).mean(0)
                                         for label in range(labels.max() + 1)]), dim=1)
    network.train()
    losses = []
    for step, rows in zip(range(STEPS), batches(labels, train.camids)):
        degree = 0.25 * math.log((math.e - 1) * (epoch * STEPS + step) / (EPOCHS * STEPS) + 1) if supports else None
        images = torch.from_numpy(np.stack([augment(train.images[row]) for row in rows]))
        losses.append(train_step(network, optimizer, images, torch.from_numpy(labels[rows]), centroids, degree))
    return labels, np.mean(losses)


def main(given=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", required=True, help="folder with bounding_box_train, query, bounding_box_test")
    parser.add_argument("--weights", required=True, help="MobileNetV2 backbone, .pdparams")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--baseline", action="store_true", help="neither support samples nor label-preserving loss")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="to stop after")
    arguments = parser.parse_args(given)
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(arguments.seed)
    train, query, gallery = (Crops(os.path.join(arguments.images, split))
                             for split in ("bounding_box_train", "query", "bounding_box_test"))
    network = Network()
    network.load(arguments.weights)
    torch.set_num_threads(arguments.threads)  # after Paddle, whose import sets the environment to 1
    optimizer = adam(network)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 8, 0.1)
    for epoch in range(arguments.epochs):
        started, busy = time.perf_counter(), time.process_time()
        labels, loss = train_epoch(network, optimizer, train, epoch, not arguments.baseline)
        schedule.step()
        print(f"epoch {epoch + 1}: clusters {labels.max() + 1}, outliers {(labels < 0).sum()}, L_SE {loss:.2f}, "
              "all-gallery mAP {:.1f} / rank-1 {:.1f}, same-camera mAP {:.1f} / rank-1 {:.1f}".format(
                  *evaluate(network, query, gallery)), flush=True)
        seconds = time.perf_counter() - started
        print(f"epoch {seconds} {(time.process_time() - busy) / seconds}", flush=True)


if __name__ == "__main__":
    main()
