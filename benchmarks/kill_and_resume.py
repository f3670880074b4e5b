"""Kill trainings with SIGKILL at random moments, resume them, and compare the final weights with an untouched run.

python -m benchmarks.kill_and_resume --kills 20      # loader workers 0 and 2, processes 1 and 2, in turn

Half of the kills come at a random time, the others in the middle of a save (as soon as a save has begun).
"""
import argparse
import glob
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import psutil  # comes with VisualDL

from ppcls_ise.images.synthetic import make_synthetic
from tests.training import TINY

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))


def start(folder, workers, processes, checkpoint=None):
    overrides = [*TINY, f"Global.image_root={folder}/people", f"Global.output_dir={folder}/output", "Global.epochs=4",
                 "Global.eval_during_train=True", f"DataLoader.Train.loader.num_workers={workers}"]
    if checkpoint:
        overrides.append(f"Global.checkpoints={checkpoint}")
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "paddle.distributed.launch", "--nproc_per_node", str(processes), "--log_dir", f"{folder}/log"]
    command += [f"{ROOT}/tools/train.py", "-c", f"{ROOT}/configs/ISE_demo.yaml",
                *(word for override in overrides for word in ("-o", override))]
    with open(f"{folder}/console.txt", "a") as console:
        return subprocess.Popen(command, cwd=folder, stdout=console, stderr=console)


def weights(folder):
    import paddle

    path, = glob.glob(f"{folder}/output/**/latest.pdparams", recursive=True)
    return {name: value.numpy() for name, value in paddle.load(path).items() if hasattr(value, "numpy")}


def kill_tree(root):
    """SIGKILL to a process and all that it has started (a launcher's processes have groups of their own)."""
    process = psutil.Process(root)
    for one in [process, *process.children(recursive=True)]:
        try:
            os.kill(one.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # gone by itself


def epochs_of_log(folder):
    """What the training has logged since its first clustering, as lines."""
    text = "".join(open(path).read() for path in glob.glob(f"{folder}/output/**/train.log", recursive=True))
    return text[text.find("[Cluster]"):].splitlines() if "[Cluster]" in text else []


def kill_when(training, folder, line, delay, in_a_save):
    """Kill the training and its processes some time after it has logged so many lines, or at the first save after
    that; returns whether it was still running."""
    while training.poll() is None and len(epochs_of_log(folder)) < line:
        time.sleep(0.001)
    time.sleep(delay)
    while in_a_save and training.poll() is None and not glob.glob(f"{folder}/output/**/.*.sav*", recursive=True,
                                                                  include_hidden=True):
        time.sleep(0.0005)
    if training.poll() is not None:
        return False
    kill_tree(training.pid)
    training.wait()
    return True


def latest(folder):
    """The stem of ``latest``, be it in place or complete beside it; None before the first save."""
    for path in glob.glob(f"{folder}/output/**/latest.pdparams", recursive=True):
        return path[:-len(".pdparams")]
    for path in glob.glob(f"{folder}/output/**/.latest.saved/latest.pdparams", recursive=True, include_hidden=True):
        return path[:-len(".pdparams")].replace("/.latest.saved", "")
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    base = tempfile.mkdtemp(prefix="kill_and_resume_")
    cases = [(workers, processes) for processes in (1, 2) for workers in (0, 2)]
    whole, lines = {}, {}
    different = 0
    for number in range(-len(cases), arguments.kills):
        workers, processes = case = cases[number % len(cases)]
        folder = f"{base}/{number + len(cases)}"
        make_synthetic(f"{folder}/people", identities=24, test_identities=6, images_per_identity=4, cameras=3,
                       height=64, width=32)
        if number < 0:
            assert start(folder, workers, processes).wait() == 0, f"see {folder}/console.txt"
            whole[case], lines[case] = weights(folder), len(epochs_of_log(folder))
            print(f"{workers} workers, {processes} processes: untouched, {lines[case]} lines of log", flush=True)
            continue
        in_a_save = number // len(cases) % 2 == 1
        line = rng.randrange(lines[case] - 3)
        killed = kill_when(start(folder, workers, processes), folder, line, rng.uniform(0, 0.3), in_a_save)
        checkpoint = latest(folder)
        left = sorted(os.path.basename(path) for path in glob.glob(f"{folder}/output/**/.*.sav*", recursive=True,
                                                                   include_hidden=True))
        if start(folder, workers, processes, checkpoint).wait():
            print(f"resuming failed, see {folder}/console.txt")
            different += 1
            continue
        found = weights(folder)
        equal = all(np.array_equal(value, found[name]) for name, value in whole[case].items())
        different += not equal
        print(f"kill {number + 1}: {workers} workers, {processes} processes, "
              f"{'in a save' if in_a_save else 'anywhere'}: {'killed' if killed else 'was through'} at "
              f"line {line}, left {left or 'nothing half done'}, resumed from "
              f"{'the start' if not checkpoint else 'latest'}: {'equal' if equal else 'DIFFERENT'}", flush=True)
        shutil.rmtree(folder)
    print(f"{arguments.kills} kills, {different} resumed runs differ")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
