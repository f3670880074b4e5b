"""What the parts of device_report.py share: rows of the table, comparisons, measuring, engines on the synthetic set."""
import dataclasses
import pathlib
import statistics
import time

import numpy as np
import paddle
from clustering import memory, reset_peak

OK, DIFFERS = "ok", "DIFFERS"


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the table; ``verdict`` is ``ok``, ``DIFFERS``, ``failed: why``, ``skipped: why``, or empty for what is
    a figure only."""

    check: str
    cpu: str
    device: str
    compared: str = ""
    verdict: str = ""

    @property
    def is_bad(self):
        return self.verdict.startswith((DIFFERS, "failed"))

    def markdown(self):
        return "| " + " | ".join(cell.replace("|", "/") for cell in dataclasses.astuple(self)) + " |"


@dataclasses.dataclass(frozen=True)
class Task:
    """What a part is asked for: ``device`` as Global.device has it, ``small`` sizes or those of the recipes, and the
    folder of this report, in which the synthetic set is ``people``."""

    device: str
    small: bool
    folder: pathlib.Path

    @property
    def places(self):
        return "cpu", self.device


def first_line(error):
    """Of the message of an exception, with its type."""
    return f"{type(error).__name__}: " + (str(error).strip().splitlines() or [""])[0][:160]


def difference(expected, found):
    """The largest difference of two arrays, relative to the largest number of the first."""
    expected, found = np.asarray(expected, np.float64), np.asarray(found, np.float64)
    if expected.shape != found.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(expected - found).max() / max(np.abs(expected).max(), 1e-30))


def compared(check, expected, found, tolerance):
    """The row of two results that may differ by ``tolerance``, relative to the largest number."""
    apart = difference(expected, found)
    cells = [f"{float(value):.6g}" if np.ndim(value) == 0 else "x".join(map(str, np.shape(value)))
             for value in (expected, found)]
    return Row(check, *cells, f"{apart:.1e}, at most {tolerance:.0e}", OK if apart <= tolerance else DIFFERS)


def faster(check, cpu, device, verdict=""):
    """The row of two durations in seconds; None on the CPU: not run there."""
    cells = ["" if one is None else f"{one:.3f} s" for one in (cpu, device)]
    return Row(check, *cells, "" if cpu is None else f"{cpu / device:.1f} x as fast", verdict)


def synchronise():
    """Wait for what the device has been given to do."""
    if paddle.device.get_device() != "cpu":
        paddle.device.synchronize()


def seconds(function, budget=5.0, most=20):
    """What ``function`` takes: the median of the calls that the budget of seconds allows, after one to warm up, which
    counts only where it takes all of the budget.
    """
    times, started = [], time.perf_counter()
    while not times or (time.perf_counter() - started < budget and len(times) <= most):
        synchronise()
        begun = time.perf_counter()
        function()
        synchronise()
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:] or times)


class Peak:
    """Peak memory in MB while the block runs, above what was in use before: of the GPU's allocator, else resident."""

    def __enter__(self):
        self.on_gpu = paddle.device.get_device().startswith("gpu")
        if self.on_gpu:
            paddle.device.cuda.reset_max_memory_allocated()
            self.before = paddle.device.cuda.memory_allocated() / 2 ** 20
        else:
            reset_peak()
            self.before = memory("VmRSS")
        return self

    def __exit__(self, *_):
        peak = paddle.device.cuda.max_memory_allocated() / 2 ** 20 if self.on_gpu else memory("VmHWM")
        self.megabytes = peak - self.before


def engine_on(place, task, name, mode, config, *overrides):
    """PaddleClas's engine on ``place`` for a shipped config, with the synthetic set and an output folder ``name``."""
    from ppcls.engine.engine import Engine

    from ppcls_ise.config import load_config
    from ppcls_ise.engine import prepare_config

    given = [f"Global.image_root={task.folder / 'people'}", f"Global.output_dir={task.folder / name}",
             "Arch.Backbone.pretrained=False", "Global.eval_during_train=False", f"Global.device={place}", *overrides]
    with paddle.utils.unique_name.guard():  # MobileNetV2 names its parameters itself, which only once is possible
        return Engine(prepare_config(load_config(config, given), mode), mode=mode)


def weights_of(model):
    return {name: value.numpy() for name, value in model.state_dict().items()}
