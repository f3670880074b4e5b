"""Parts of device_report.py that say whether a device computes what the CPU does."""
import numpy as np
import paddle
from clustering import make_features
from device_tools import DIFFERS, OK, Row, compared, difference, engine_on, faster, seconds, weights_of
from head import batch

from ppcls_ise.arch import ISEHead
from ppcls_ise.arch.model import ISEModel
from ppcls_ise.clustering import KReciprocalDBSCAN
from ppcls_ise.loss import cluster_contrast, label_preserving
from ppcls_ise.unit import unit_rows


def losses(task):
    """Support samples, both losses, their gradient, and the memory after a step."""
    size = (32, 64, 12, 4) if task.small else (256, 2048, 700, 16)
    for update in ("hard", "all"):
        cpu, device = (_head_step(place, size, update) for place in task.places)
        for name, expected in cpu.items():
            if update == "hard" or name == "memory":
                yield compared(f"{name}, update {update}" if name == "memory" else name, expected, device[name], 1e-4)


def _head_step(place, size, update):
    paddle.set_device(place)
    features, labels, centroids = batch(*size)
    rng = np.random.default_rng(1)  # farther from its centroid: losses that are not near zero
    features = features + 3 / size[1] ** 0.5 * rng.standard_normal(features.shape).astype("float32")
    head = ISEHead(update=update)
    head.start_epoch(centroids, 50, 100)
    features = paddle.to_tensor(features, stop_gradient=False)
    output = head(unit_rows(features), paddle.to_tensor(labels))
    contrast, preserving = _both_losses(output)
    (contrast + 0.1 * preserving).backward()
    head.after_step()
    found = {"L_SE": contrast, "L_LP": preserving, "support samples": output["support_features"],
             "gradient of the features": features.grad, "memory": head.memory.centroids}
    return {name: value.numpy() for name, value in found.items()}


def _both_losses(output):
    return (cluster_contrast(output["contrast_rows"], output["contrast_labels"], output["centroids"]),
            label_preserving(output["global_features"], output["support_features"], output["labels"]))


def gradients(task):
    """Of a step of a small network with four BatchNorm groups."""
    paddle.set_device("cpu")
    start = weights_of(_small_network())
    cpu, device = (_network_step(place, start) for place in task.places)
    yield compared("small network: loss", cpu["loss"], device["loss"], 1e-4)
    kinds = {"gradients": "gradient ", "running statistics": "statistic "}
    for what, prefix in kinds.items():
        # Some gradients are sums that cancel to nothing.
        apart = {name: np.linalg.norm(device[name] - value) / max(np.linalg.norm(value), 1e-3)
                 for name, value in cpu.items() if name.startswith(prefix)}
        worst = max(apart, key=lambda name: np.nan_to_num(apart[name], nan=np.inf))
        yield Row(f"small network: {what}", f"{len(apart)} tensors", f"{len(apart)} tensors",
                  f"{apart[worst]:.1e} ({worst.removeprefix(prefix)}), at most 5e-03",
                  OK if apart[worst] <= 5e-3 else DIFFERS)


def _small_network():
    return ISEModel(Backbone={"name": "PPLCNet_x0_25", "class_expand": 128, "dropout_prob": 0.0},
                    Neck={"name": "BNNeck", "num_features": 128}, Head={"name": "ISEHead"}, bn_group_size=16)


def _network_step(place, start):
    paddle.set_device(place)
    rng = np.random.default_rng(0)
    images = rng.standard_normal((64, 3, 32, 16)).astype("float32")
    labels = np.repeat(rng.permutation(20)[:16], 4)
    model = _small_network()
    model.set_state_dict(start)
    model.train()
    model.head.start_epoch(unit_rows(paddle.to_tensor(rng.standard_normal((20, 128)).astype("float32"))), 50, 100)
    loss = sum(_both_losses(model(paddle.to_tensor(images), paddle.to_tensor(labels))))
    loss.backward()
    found = {f"gradient {name}": value.grad for name, value in model.named_parameters() if value.grad is not None}
    found.update({f"statistic {name}": value for name, value in model.state_dict().items()
                  if name.endswith(("_mean", "_variance"))})
    return {"loss": loss.numpy(), **{name: value.numpy() for name, value in found.items()}}


def clustering(task):
    """The same neighbours to the bit, and the same labels; seconds of search and of all the rest."""
    count, dim = (1500, 64) if task.small else (12936, 2048)
    x, *_ = make_features(count, dim)
    KReciprocalDBSCAN()(make_features(400, 32)[0])  # compiles
    plain = KReciprocalDBSCAN(eps=0.5, k1=30)
    every = slice(0, count)
    expected, cpu_seconds = _searched(plain, x, every)
    labels = plain.assign(x, None, expected, {}).labels
    paddle.set_device(task.device)
    on_device = paddle.to_tensor(x)
    for name, half in (("float32", False), ("float16", True)):
        search = KReciprocalDBSCAN(eps=0.5, k1=30, search="paddle", half=half)
        found, device_seconds = _searched(search, on_device, every)
        wrong = int((found[0] != expected[0]).any(axis=1).sum())
        yield faster(f"search {count:,} x {dim}, {name} scan", cpu_seconds, device_seconds,
                     verdict=f"{DIFFERS}: {wrong} rows" if wrong else OK)
        own = search.assign(x, None, found, {}).labels
        same = np.array_equal(own, labels)
        yield Row(f"labels, {name} scan", f"{labels.max() + 1} clusters", f"{own.max() + 1} clusters",
                  "the same" if same else f"{int((own != labels).sum())} labels differ", OK if same else DIFFERS)
    rest = seconds(lambda: plain.assign(x, None, expected, {}))
    yield Row("after the search, on the CPU in either case", f"{rest:.3f} s", f"{rest:.3f} s")


def _searched(clustering, features, rows):
    found = []
    return found, seconds(lambda: found.__setitem__(slice(None), clustering.neighbours(features, None, rows)), most=3)


SHORT = ["Global.epochs=2", "Global.iter_per_epoch=3", "Global.print_batch_step=1", "Global.save_interval=1",
         "Global.image_shape=[3,64,32]", "DataLoader.Train.sampler.batch_size=16", "Arch.bn_group_size=16",
         "DataLoader.Train.sampler.num_instances=4", "Cluster.min_samples=2", "Cluster.k1=8", "Cluster.k2=3"]


def resume(task):
    """Two epochs, the same again, and the second of them from the checkpoint of the first."""
    once = _trained(task, "once")
    again = _trained(task, "again")
    checkpoint = next((task.folder / "once").rglob("epoch_1.pdparams")).with_suffix("")
    resumed = _trained(task, "resumed", f"Global.checkpoints={checkpoint}")
    noise, apart = _apart(once, again), _apart(once, resumed)
    # What a device does not repeat, a resumed run need not either.
    for check, value, verdict in (("training twice", noise, ""), ("training stopped after an epoch and resumed", apart,
                                                                  OK if apart <= 10 * noise else DIFFERS)):
        yield Row(check, "", f"{len(once)} tensors", f"apart by {value:.1e}" if value else "equal bit for bit", verdict)


def _trained(task, name, *overrides):
    with paddle.utils.unique_name.guard():  # optimiser states go by the names of parameters, counted in a process
        engine = engine_on(task.device, task, name, "train", "ISE_demo.yaml", *SHORT, *overrides)
        engine.train()
    return weights_of(engine.model)


def _apart(first, second):
    if all(np.array_equal(value, second[name]) for name, value in first.items()):
        return 0.0
    return max(difference(value, second[name]) for name, value in first.items())
