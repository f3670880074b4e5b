"""A build that is killed at any moment leaves a whole gallery."""
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from ppcls_ise.gallery import Gallery
from tests.helpers import ROOT

BUILDER = """
import sys
import numpy as np
from ppcls_ise.cli.main import command
from ppcls_ise.gallery import Gallery
from ppcls_ise.gallery.files import locked
rows = np.random.default_rng(0).normal(size=(20000, 64)).astype("float32")
gallery = Gallery(rows / np.linalg.norm(rows, axis=1, keepdims=True), [{"path": str(i)} for i in range(20000)])
print("writing", flush=True)
while True:
    with locked(sys.argv[1]):
        gallery.save(sys.argv[1])
"""


@pytest.mark.slow
def test_kill_during_a_build_leaves_a_whole_gallery(tmp_path):
    folder = str(tmp_path)
    old = np.eye(4, 64, dtype=np.float32)
    Gallery(old, [{"path": str(i)} for i in range(4)]).save(folder)
    leftovers = 0
    for attempt in range(10):
        process = subprocess.Popen([sys.executable, "-c", BUILDER, folder], cwd=ROOT, stdout=subprocess.PIPE,
                                   env={**os.environ, "PYTHONPATH": str(ROOT)})
        process.stdout.readline()
        time.sleep(0.002 + 0.017 * attempt)
        process.send_signal(signal.SIGKILL)
        process.wait()
        leftovers += len(os.listdir(folder)) > 4
        gallery = Gallery.open(folder)
        assert len(gallery) in (4, 20000)
        query = np.zeros((1, 64), np.float32)
        query[0, 0] = 1
        assert len(gallery.search(query, k=3)[0]) == 3
    assert leftovers > 2  # it was hit in the middle, not between builds
    Gallery(old, [{"path": str(i)} for i in range(4)]).save(folder)
    assert len(os.listdir(folder)) == 4 and len(Gallery.open(folder)) == 4
