"""Every PaddleClas x every PaddlePaddle that is here: the lite chain on each, and a table.

    python test_tipc/matrix.py --python .venv/bin/python --python .venv-paddle2/bin/python
    PADDLECLAS_HOMES=../PaddleClas-2.5:../PaddleClas python test_tipc/matrix.py      (make test-matrix)

An interpreter is a PaddlePaddle; the PaddleClas are its wheel, if it has one, and the checkouts in PADDLECLAS_HOMES.
The chain of a cell is TIPC's: train, evaluate, export, infer, with one process and with two. Its figures are compared
with the recorded ones, which the PaddlePaddle that they were recorded with must meet. Exit code 0 if nothing failed.
"""
from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
FILE = "test_tipc/configs/ISE/ISE_demo_train_infer_python.txt"
RECORD = "test_tipc/results/ISE_demo_lite_train_lite_infer_cpu.json"
MODE = "lite_train_lite_infer"
PROBE = """
import json, sys
import paddle, ppcls_ise.host
folder = ppcls_ise.host.activate()
import importlib.metadata as metadata
try:
    wheel = metadata.version("paddleclas")
except metadata.PackageNotFoundError:
    wheel = "?"
print(json.dumps({"paddle": paddle.__version__, "python": sys.version.split()[0], "folder": folder, "wheel": wheel}))
"""


def probe(python: str, home: str) -> dict:
    """What an interpreter holds: ``paddle``, ``python``, ``host``; or ``error``, the last line that it said."""
    found = subprocess.run([python, "-c", PROBE], cwd=ROOT, env=_environment(home), text=True, capture_output=True,
                           timeout=300)
    if found.returncode:
        return {"error": (found.stderr.strip().splitlines() or ["no answer"])[-1][:200]}
    answer = json.loads(found.stdout.strip().splitlines()[-1])
    return {**answer, "host": _checkout_name(home) if home else f"{answer['wheel']} wheel"}


def _checkout_name(home):
    """Branch and commit where git knows them, else the folder's name."""
    asked = subprocess.run(["git", "-C", home, "log", "-1", "--format=%D %h %cs"], text=True, capture_output=True)
    top = subprocess.run(["git", "-C", home, "rev-parse", "--show-toplevel"], text=True, capture_output=True)
    name = os.path.basename(os.path.normpath(home))
    own = top.returncode == 0 and os.path.realpath(top.stdout.strip()) == os.path.realpath(home)
    return f"{name} ({asked.stdout.strip()})" if own else name


def _environment(home, **more):
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PADDLECLAS_HOME": home, "PYTHONPATH": path, **more}


def run_cell(python: str, home: str, output: str, timeout: float) -> dict:
    """Run the chain; its ``verdict``, ``steps``, ``seconds`` and how its ``figures`` compare."""
    environment = _environment(home, TIPC_PYTHON=python, TIPC_OUTPUT=output)
    os.makedirs(output, exist_ok=True)
    started = time.time()
    with open(os.path.join(output, "chain.log"), "w", encoding="utf-8") as log:
        def call(*command):
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT,
                                       start_new_session=True)
            try:
                return process.wait(timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # with the training that it has started
                process.wait()
                raise
        try:
            failed = (call("bash", "test_tipc/prepare.sh", FILE, MODE)
                      or call("bash", "test_tipc/test_train_inference_python.sh", FILE, MODE))
            differs = None if failed else call(python, "test_tipc/compare_results.py", "--gt_file", RECORD,
                                               "--log_path", os.path.join(output, "ISE_demo", MODE))
        except subprocess.TimeoutExpired:
            failed, differs = f"longer than {timeout:.0f} s", None
    good, bad = _count_lines(os.path.join(output, "ISE_demo", MODE, "results_python.log"))
    return {"verdict": "failed" if failed else "ok", "steps": f"{good} of {good + bad}",
            "seconds": f"{time.time() - started:.0f}",
            "figures": {None: "-", 0: "as recorded"}.get(differs, "differ")}


def recorded_with() -> str:
    """The PaddlePaddle of the recorded figures."""
    with open(os.path.join(ROOT, RECORD), encoding="utf-8") as file:
        return re.search(r"paddle ([\w.]+)", json.load(file)["host"])[1]


def _count_lines(path):
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return 0, 0
    return text.count("Run successfully"), text.count("Run failed")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", help="interpreter with a PaddlePaddle (default: this one)")
    parser.add_argument("--timeout", type=float, default=900, help="seconds of a cell (default: %(default)s)")
    parser.add_argument("--require", action="append", default=[], metavar="PADDLE",
                        help="fail if this PaddlePaddle is not among the interpreters")
    options = parser.parse_args()
    # A checkout named twice, or the same in other words, is one.
    homes = dict.fromkeys(os.path.abspath(os.path.expanduser(home))
                          for home in os.environ.get("PADDLECLAS_HOMES", "").split(os.pathsep) if home)
    rows, versions, failed = [], set(), False
    for python in options.python or [sys.executable]:
        python = os.path.abspath(python)  # not its real path: that is outside the virtual environment
        for home in ["", *homes]:
            found = probe(python, home) if os.path.exists(python) else {"error": "there is no such interpreter"}
            if "error" in found:
                rows.append((home or "wheel", python, "-", "not available", "-", "-", found["error"]))
                failed |= bool(home)  # a checkout that is named is meant
                continue
            versions.add(found["paddle"])
            print(f"{found['host']} on paddle {found['paddle']} ...", flush=True)
            output = os.path.join(ROOT, "test_tipc", "output", "matrix", f"{len(rows)}_paddle_{found['paddle']}")
            cell = run_cell(python, home, output, options.timeout)
            if cell["figures"] == "differ" and found["paddle"] == recorded_with():
                cell["verdict"] = "failed"
            failed |= cell["verdict"] != "ok"
            rows.append((found["host"], found["paddle"], found["python"], *cell.values()))
            if cell["verdict"] != "ok":
                print(_tail(os.path.join(output, "chain.log")), flush=True)
    print(f"\n{datetime.date.today()}\n")
    print(table(("PaddleClas", "paddle", "Python", "chain", "steps", "seconds", "figures"), rows))
    missing = [version for version in options.require if version not in versions]
    for version in missing:
        print(f"error: no interpreter has paddle {version}", file=sys.stderr)
    return 1 if failed or missing or not versions else 0


def _tail(path, lines=40):
    with open(path, encoding="utf-8", errors="replace") as file:
        return "".join(file.readlines()[-lines:])


def table(head: tuple, rows: list[tuple]) -> str:
    """Markdown."""
    cells = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


if __name__ == "__main__":
    sys.exit(main())
