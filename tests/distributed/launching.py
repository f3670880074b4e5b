"""Everything distributed runs in real processes, through gloo on the CPU."""
import os
import subprocess
import sys

from tests.helpers import ROOT


def launch(*command, processes=2, cwd, timeout=300):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    prefix = [sys.executable]
    if processes > 1:
        prefix += ["-m", "paddle.distributed.launch", "--nproc_per_node", str(processes), "--log_dir", str(cwd / "log")]
    return subprocess.run([*prefix, *map(str, command)], cwd=cwd, env=environment, text=True, capture_output=True,
                          timeout=timeout)
