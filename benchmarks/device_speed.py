"""Parts of device_report.py about time and memory: training steps, AMP, extraction, evaluation, the batch check."""
import dataclasses
import gc
import os
import pathlib
import subprocess
import sys
import time
import typing

import numpy as np
import paddle
from device_tools import DIFFERS, OK, Peak, Row, difference, engine_on, faster, seconds, synchronise, weights_of
from paddle.io import Subset
from true_label_control import use_identities

from ppcls_ise.engine import Hook, extract_features, run_of
from ppcls_ise.metric import evaluate

CACHED = "DataLoader.Train.dataset.cache=ram"
TINY = ("ISE_demo.yaml", "Global.image_shape=[3,64,32]", "DataLoader.Train.sampler.batch_size=16",
        "DataLoader.Train.sampler.num_instances=4", "Arch.bn_group_size=16")
#: What is trained, by name: a shipped config and its overrides.
NETWORKS = {
    "MobileNetV2": ("ISE_MobileNetV2_CUHK03.yaml", CACHED),
    "PPLCNet": ("ISE_demo.yaml", CACHED, "DataLoader.Train.sampler.num_instances=8"),
    "ResNet50": ("ISE_R50.yaml", "DataLoader.Train.sampler.batch_size=64", "DataLoader.Train.sampler.num_instances=8",
                 "DataLoader.Train.loader.num_workers=0"),
}
PUBLISHED = ("ISE_R50.yaml", "DataLoader.Train.loader.num_workers=0")  # 256 images, groups of 64
AMP = "AMP={'use_amp': True, 'level': 'O1', 'scale_loss': 1024.0, 'use_dynamic_loss_scaling': True}"


class Clock(Hook):
    """The moments at which the steps of a training have ended on the device, and the losses of all but the last."""

    def __init__(self, engine):
        self.engine, self.ends, self.losses = engine, [], []

    def after_step(self):
        synchronise()
        self.ends.append(time.perf_counter())
        if "loss" in self.engine.output_info:  # of the step before
            self.losses.append(self.engine.output_info["loss"].val)

    def step(self):
        """Seconds: the median, without the first steps where there are enough."""
        durations = np.diff(self.ends)
        return float(np.median(durations[min(3, len(durations) - 1):]))


@dataclasses.dataclass
class Training:
    """A few steps: what one takes, the share of it waiting for images, the first loss, the weights at the start."""

    step: float
    waiting: float
    first_loss: float
    megabytes: float
    start: dict


def trained(place, task, steps, config, *overrides, start=None):
    """Train with the true identities in the place of pseudo labels, so that an untrained network will do."""
    gc.collect()  # engines are cycles
    paddle.set_device(place)
    with Peak() as peak:
        engine = engine_on(place, task, "training", "train", config, "Global.epochs=1",
                           f"Global.iter_per_epoch={steps}", f"Global.print_batch_step={steps}", *overrides)
        if start:
            engine.model.set_state_dict(start)
        start = weights_of(engine.model)
        use_identities(engine)
        clock = run_of(engine.model).join(Clock(engine))
        engine.train()
    waiting = engine.time_info["reader_cost"].avg
    return Training(clock.step(), waiting, clock.losses[0], peak.megabytes, start)


def training(task, name):
    """Steps of a recipe, from the same weights on the CPU and on the device; AMP on the device."""
    network, name = (TINY, "the demo's network") if task.small else (NETWORKS[name], name)
    few = 3  # of the CPU; how images are augmented depends on the number of steps
    many = 4 if task.small or task.device == "cpu" else 20
    images = 16 if task.small else 64
    cpu = trained("cpu", task, few, *network)
    yield _first_loss(f"{name}, {images} images: first loss", cpu.first_loss,
                      trained(task.device, task, few, *network, start=cpu.start).first_loss)
    device = trained(task.device, task, many, *network, start=cpu.start)
    yield from _steps(f"{name}, {images} images", images, cpu, device)
    if task.device == "cpu":
        yield Row(f"{name}, {images} images, AMP O1", "", "", "", "skipped: the CPU trains in float32")
        return
    amp = trained(task.device, task, many, *network, AMP, start=cpu.start)
    yield from _amp_steps(f"{name}, {images} images", device, amp)
    if name == "ResNet50" and not task.small:
        whole = trained(task.device, task, many, *PUBLISHED, start=cpu.start)
        yield from _steps(f"{name}, 256 images", 256, None, whole)
        yield from _amp_steps(f"{name}, 256 images", whole,
                              trained(task.device, task, many, *PUBLISHED, AMP, start=cpu.start))
        cached = trained(task.device, task, many, *PUBLISHED, "Global.feature_cache=True", start=cpu.start)
        yield from _steps(f"{name}, 256 images, feature_cache", 256, None, cached)


def _steps(what, images, cpu, device):
    yield faster(f"{what}: step", cpu and cpu.step, device.step)
    yield Row(f"{what}: images/s", f"{images / cpu.step:.0f}" if cpu else "", f"{images / device.step:.0f}",
              f"{100 * device.waiting / device.step:.0f} % of the device's step is waiting for images")
    yield Row(f"{what}: peak memory", f"{cpu.megabytes:,.0f} MB" if cpu else "", f"{device.megabytes:,.0f} MB")


def _amp_steps(what, plain, amp):
    yield Row(f"{what}, AMP O1: step", "", f"{amp.step:.3f} s", f"{plain.step / amp.step:.1f} x as fast as float32")
    yield _first_loss(f"{what}, float32 and AMP O1: first loss", plain.first_loss, amp.first_loss)
    yield Row(f"{what}, AMP O1: peak memory", "", f"{amp.megabytes:,.0f} MB",
              f"{amp.megabytes / plain.megabytes:.2f} x that of float32")


def _first_loss(check, expected, found):
    apart = difference(expected, found)
    return Row(check, f"{expected:.4f}", f"{found:.4f}", f"{apart:.1e}, at most 2e-02",
               OK if apart <= 2e-2 else DIFFERS)


def extraction(task, name):
    """Features of the same weights: images per second, what they differ by, and what that does to an evaluation."""
    config, name = (TINY, "the demo's network") if task.small else (NETWORKS[name], name)
    cpu_count = 32
    counts = cpu_count, cpu_count if task.small or task.device == "cpu" else 4096
    evaluate(*_splits(2, 8), *_splits(4, 8))  # compiles
    found, start = [], None
    for place, count in zip(task.places, counts):
        engine = engine_on(place, task, "evaluation", "eval", *config)
        if start:
            engine.model.set_state_dict(start)
        start = weights_of(engine.model)
        found.append(_extracted(engine, count))
    cpu, device = found
    yield Row(f"{name}: extraction, images/s", f"{cpu.rate:.0f}", f"{device.rate:.0f}",
              f"{device.rate / cpu.rate:.1f} x as fast")
    likeness = float((cpu.features * device.features[:cpu_count]).sum(axis=1).min())
    yield Row(f"{name}: features", f"{cpu_count} images", f"{cpu_count} images",
              f"cosine at least {likeness:.6f}, wanted 0.999", OK if likeness >= 0.999 else DIFFERS)
    yield faster(f"{name}: evaluation of {cpu.queries} queries", cpu.evaluation, device.evaluation)
    apart = 100 * abs(cpu.precision - device.precision)
    yield Row(f"{name}: mAP", f"{100 * cpu.precision:.2f}", f"{100 * device.precision:.2f}",
              f"{apart:.2f} apart, at most 0.5", OK if apart <= 0.5 else DIFFERS)


class Extracted(typing.NamedTuple):
    """Features, images/s, and of an evaluation mAP, seconds and the number of queries."""

    features: np.ndarray
    rate: float
    precision: float
    evaluation: float
    queries: int


def _extracted(engine, count):
    data_set, features = engine.gallery_dataloader.dataset, []
    images = Subset(data_set, [row % len(data_set) for row in range(count)])
    taken = seconds(lambda: features.append(extract_features(engine.model, images, min(count, 128)).numpy()))
    begun = time.perf_counter()
    precision = engine.eval()
    return Extracted(features[-1], count / taken, precision, time.perf_counter() - begun,
                     len(engine.query_dataloader.dataset))


def _splits(images, dim):
    return np.ones((images, dim), np.float32), np.zeros(images, np.int64), np.arange(images)


WORKER = pathlib.Path(__file__).with_name("device_check.py")


def batch_check(task):
    """What it costs that all processes ask each other, before every batch, whether all could read theirs."""
    if task.device == "gpu" and paddle.device.cuda.device_count() < 2:
        yield Row("batch check, 2 processes", "", "", "", "skipped: wants two GPUs")
        return
    for name, figure in _checked(task).items():
        yield Row(f"batch check, 2 processes: {name}", "", figure)


def _checked(task):
    """The table of device_check.py: what is measured -> its figures."""
    devices = ["--nproc_per_node", "2"] if task.device == "cpu" else ["--gpus", "0,1"]
    log = task.folder / "log"
    command = [sys.executable, "-m", "paddle.distributed.launch", *devices, "--log_dir", str(log),
               str(WORKER), task.device, str(task.folder), *["--small"] * task.small]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=task.folder,
                            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    logs = "".join(path.read_text() for path in sorted(log.glob("workerlog.*")))
    if result.returncode:
        raise RuntimeError(f"two processes failed: {logs.strip().splitlines()[-1:]}")
    return dict(line.split("\t")[1:] for line in logs.splitlines() if line.startswith("figure\t"))

