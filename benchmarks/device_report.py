"""Does this device compute what the CPU does, how fast, and in how much memory? One table, to be pasted into
docs/performance.md.

    python benchmarks/device_report.py --device gpu

Needs nothing but the package: persons are drawn into a temporary folder. Every part runs in a process of its own, so
that one that fails is a row that says why; the exit code is 1 if a row is bad. Parity is measured with float32
products (NVIDIA_TF32_OVERRIDE=0), all else with what the device does by default.
"""
import argparse
import importlib
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import typing

from ppcls_ise.cli import quiet

STRICT, REPEATED = {"NVIDIA_TF32_OVERRIDE": "0"}, {"FLAGS_cudnn_deterministic": "1"}


class Part(typing.NamedTuple):
    """Where a part is (``module:function``, called with the task and ``given``), the environment variables that it
    wants set, and whether it is one of --small, where all networks are the demo's."""

    place: str
    given: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    in_small: bool = True


PARTS = {
    "losses": Part("device_parity:losses", environment=STRICT),
    "gradients": Part("device_parity:gradients", environment=STRICT),
    "clustering": Part("device_parity:clustering"),
    "resume": Part("device_parity:resume", environment=REPEATED),
    "training": Part("device_speed:training", ("MobileNetV2",)),
    "training-PPLCNet": Part("device_speed:training", ("PPLCNet",), in_small=False),
    "training-ResNet50": Part("device_speed:training", ("ResNet50",), in_small=False),
    "extraction": Part("device_speed:extraction", ("MobileNetV2",)),
    "extraction-ResNet50": Part("device_speed:extraction", ("ResNet50",), in_small=False),
    "batch-check": Part("device_speed:batch_check"),
}
HEAD = "| check | CPU | device | difference or ratio | verdict |\n|---|---|---|---|---|"


def machine(device):
    """Lines about what the figures are of."""
    import paddle

    built = f"CUDA {paddle.version.cuda()}, cuDNN {paddle.version.cudnn()}" if device == "gpu" else "CPU"
    lines = [f"Paddle {paddle.version.full_version} ({built}), Python {platform.python_version()}",
             f"CPU: {_cpu_name()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
             + ", ".join(f"{name} {os.environ.get(name, 'not set')}" for name in ("OMP_NUM_THREADS",
                                                                                 "MKL_DEBUG_CPU_TYPE"))]
    if device == "gpu":
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        try:
            lines += [f"GPU: {line}" for line in subprocess.run(query, check=True, capture_output=True,
                                                               text=True).stdout.splitlines()]
        except (OSError, subprocess.CalledProcessError) as error:
            lines.append(f"GPU: nvidia-smi does not answer ({error})")
    return lines


def _cpu_name():
    try:
        found = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or "unknown"


def unusable(device):
    """Why the device cannot be used; None if it can."""
    import paddle

    if device == "gpu" and not paddle.is_compiled_with_cuda():
        return "this PaddlePaddle is built for the CPU only; install paddlepaddle-gpu, or use --device cpu"
    if device == "gpu" and not paddle.device.cuda.device_count():
        return "PaddlePaddle finds no GPU here"
    return None


def run_part(part, task):
    """Measure a part in this process; prints its rows as lines of JSON."""
    import ppcls_ise

    ppcls_ise.register()
    from device_tools import Row, first_line

    module, _, function = PARTS[part].place.partition(":")
    try:
        for row in getattr(importlib.import_module(module), function)(task, *PARTS[part].given):
            print("row " + json.dumps(vars(row)), flush=True)
    except Exception as error:  # whatever it is, the other parts go on
        print("row " + json.dumps(vars(Row(part, "", "", "", f"failed: {first_line(error)}"))), flush=True)
        raise


def rows_of(part, options, folder):
    """Rows of a part, measured in a process of its own, as they come."""
    from device_tools import Row

    command = [sys.executable, __file__, "--device", options.device, "--measure", part, "--folder", str(folder),
               *["--small"] * options.small]
    environment, failed = {**os.environ, **PARTS[part].environment}, False
    with open(folder / f"{part}.txt", "w+") as errors, subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process:
        for line in process.stdout:
            if line.startswith("row "):
                row = Row(**json.loads(line[4:]))
                failed |= row.verdict.startswith("failed")
                yield row
        if process.wait() and not failed:
            errors.seek(0)
            last = (errors.read().strip().splitlines() or [""])[-1]
            yield Row(part, "", "", "", f"failed: ended with {process.returncode}: {last[:160]}")


def report(options, folder):
    """Print the table. Returns: the exit code."""
    from ppcls_ise.images.synthetic import make_synthetic

    size = {"height": 64, "width": 32} if options.small else {}
    make_synthetic(str(folder / "people"), identities=16, test_identities=8, images_per_identity=8, cameras=3, **size)
    print("\n".join(f"{line}  " for line in machine(options.device)) + f"\n\n{HEAD}", flush=True)
    bad = 0
    for part in options.parts or [name for name, part in PARTS.items() if part.in_small or not options.small]:
        for row in rows_of(part, options, folder):
            print(row.markdown(), flush=True)
            bad += row.is_bad
    return int(bad > 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="gpu", choices=["gpu", "cpu"])
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--small", action="store_true", help="sizes that say nothing of speed, under a minute")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    quiet.silence()
    if options.measure:
        from device_tools import Task

        return run_part(options.measure, Task(options.device, options.small, options.folder))
    reason = unusable(options.device)
    if reason:
        print(f"error: {reason}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        return report(options, pathlib.Path(folder))


if __name__ == "__main__":
    sys.exit(main())
