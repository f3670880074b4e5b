"""Run by device_report.py in two processes: a training's steps and an extraction with and without the batch check.

    python -m paddle.distributed.launch --nproc_per_node 2 benchmarks/device_check.py DEVICE FOLDER [--small]
"""
import pathlib
import statistics
import sys
import time

import ppcls_ise

ppcls_ise.register()

import paddle.distributed as dist  # noqa: E402
from device_speed import NETWORKS, TINY, Clock  # noqa: E402
from device_tools import Task, engine_on, synchronise  # noqa: E402
from paddle.io import Subset  # noqa: E402
from true_label_control import use_identities  # noqa: E402

from ppcls_ise.data import loader  # noqa: E402
from ppcls_ise.distributed.processes import raise_everywhere  # noqa: E402
from ppcls_ise.engine import extract_features, run_of  # noqa: E402


def alone(error):
    """In the place of raise_everywhere: no process asks another."""
    if error is not None:
        raise error


CHECKS = alone, raise_everywhere


class Turns(Clock):
    """A step with the check, the next without."""

    def after_step(self):
        super().after_step()
        loader.raise_everywhere = CHECKS[len(self.ends) % 2]

    def steps(self):
        """Check -> seconds of the steps, without the first two."""
        durations = [later - end for end, later in zip(self.ends, self.ends[1:])]
        return {check: durations[2 + turn::2] for turn, check in enumerate(reversed(CHECKS))}


def calls(count=200):
    """Seconds of the check by itself, when all processes are there at once."""
    started = time.perf_counter()
    for _ in range(count):
        raise_everywhere(None)
    return (time.perf_counter() - started) / count


def extractions(engine, images, rounds=4):
    """Check -> seconds of each extraction; in turns."""
    times = {check: [] for check in CHECKS}
    for turn in range(2 * rounds + 2):  # two to warm up
        loader.raise_everywhere = CHECKS[turn % 2]
        dist.barrier()
        started = time.perf_counter()
        extract_features(engine.model, images, 16)
        synchronise()
        times[loader.raise_everywhere] += [time.perf_counter() - started] * (turn > 1)
    return times


def main(place, folder, small=False):
    config = (TINY if small else NETWORKS["MobileNetV2"])
    steps, count = (8, 64) if small else (32, 512)
    task = Task(place, small, pathlib.Path(folder))
    engine = engine_on(place, task, "check", "train", *config, "Global.epochs=1", "Global.print_batch_step=100",
                       f"Global.iter_per_epoch={steps}", "Arch.bn_group_size=None")
    use_identities(engine)
    turns = run_of(engine.model).join(Turns(engine))
    engine.train()
    data_set = engine.train_dataloader.dataset
    shown = {"steps": turns.steps(),
             "extraction": extractions(engine, Subset(data_set, [row % len(data_set) for row in range(count)]))}
    call = calls()
    if dist.get_rank():
        return
    print(f"figure\tthe check by itself\t{1e6 * call:.0f} us")
    for name, times in shown.items():
        with_it, without = (statistics.median(times[check]) for check in (raise_everywhere, alone))
        print(f"figure\t{name} with and without\t{with_it:.4f} and {without:.4f} s ({with_it / without:.3f} x)",
              flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3], small="--small" in sys.argv)
