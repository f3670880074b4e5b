import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from ppcls_ise.config.deployment import IndexSettings
from ppcls_ise.gallery.update import update_gallery
from ppcls_ise.inference import FeatureExtractor
from tests.helpers import ROOT


@pytest.fixture(scope="session")
def server(exported, people, tmp_path_factory):
    """(port, log file) of deploy/serving/serve.py on the synthetic gallery, with little patience."""
    yield from serve(exported, people, tmp_path_factory, "Serving.upload_seconds=0.4", "Serving.max_upload_mb=0.5")


@pytest.fixture
def few_connections(exported, people, tmp_path_factory):
    """The same with 8 connections at most."""
    yield from serve(exported, people, tmp_path_factory, "Serving.max_waiting=1")


@pytest.fixture(scope="session")
def patient_server(exported, people, tmp_path_factory):
    """The same with the limits of the config: a busy machine must not look like a slow client."""
    yield from serve(exported, people, tmp_path_factory)


@pytest.fixture
def open_server(exported, people, tmp_path_factory):
    """One whose gallery can be changed with the token ``secret``."""
    yield from serve(exported, people, tmp_path_factory, token="secret")


def serve(exported, people, tmp_path_factory, *limits, token=""):
    folder = tmp_path_factory.mktemp("served")
    update_gallery(IndexSettings(index_dir=str(folder / "index"), image_root=str(people / "bounding_box_test")),
                   FeatureExtractor(str(exported[1])))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    overrides = [f"Global.rec_inference_model_dir={exported[1]}", f"IndexProcess.index_dir={folder / 'index'}",
                 f"Serving.port={port}", *limits]
    command = [sys.executable, "deploy/serving/serve.py", "-c", "deploy/configs/gallery.yaml",
               *(part for override in overrides for part in ("-o", override))]
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
                                   env={**os.environ, "PYTHONPATH": str(ROOT), "ISE_GALLERY_TOKEN": token})
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
            break
        except OSError:
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
    yield port, folder / "log"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) in (0, -signal.SIGTERM)
