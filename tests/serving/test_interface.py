"""The service against its own description, by schemathesis."""
import re
import subprocess
import sys

import pytest

from tests.helpers import ROOT

pytest.importorskip("schemathesis")
pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytestmark = pytest.mark.slow  # starts servers


def run(port, *options):
    """Number of cases; fails with what was found."""
    # From the checkout, where schemathesis.toml says what an upload looks like.
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{port}/openapi.json", "--phases",
               "examples,coverage,fuzzing,stateful", "--max-examples", "30", "--no-color", "--seed", "1",
               "--generation-database", "none", *options]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    assert re.search("Stateful .in", ended.stdout), ended.stdout
    return int(re.search(r"(\d+) generated, \1 passed", ended.stdout)[1])


def test_a_gallery_that_can_be_read(patient_server):
    assert run(patient_server[0]) > 300


def test_a_gallery_that_can_be_changed(open_server):
    assert run(open_server[0], "--header", "Authorization: Bearer secret") > 300
    assert "Traceback" not in open_server[1].read_text()
