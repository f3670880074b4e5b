"""Deployment with ONNX Runtime where neither Paddle nor PaddleClas can be imported: the library and every program."""
import json
import os
import re
import subprocess
import sys
import time
import urllib.request

import pytest
from PIL import Image

from tests.helpers import ROOT

pytestmark = pytest.mark.slow  # starts programs

HIDDEN = """import sys
for name in ("paddle", "ppcls", "paddleclas"):
    sys.modules[name] = None  # as if not installed
"""
LIBRARY = HIDDEN + """
from ppcls_ise.gallery import Gallery
from ppcls_ise.inference import FeatureExtractor
extractor = FeatureExtractor(sys.argv[1], "onnx")
gallery = Gallery(extractor([sys.argv[2]]), [{"path": "a.jpg"}], model=extractor.model)
print(round(gallery.search(extractor([sys.argv[2]]))[0][0].similarity, 4))
try:
    FeatureExtractor(sys.argv[1])
except ValueError as error:
    print(error)
"""
#: Rooms of which every module is needed there; the search on Paddle's devices is the one that is not.
ROOMS = "config gallery images inference metric serving visualize weights clustering cli".split()
NEEDS_PADDLE = {"ppcls_ise.clustering.search.paddle_scan"}
MODULES = HIDDEN + """
import importlib, pkgutil
for room in sys.argv[1:]:
    package = importlib.import_module(f"ppcls_ise.{room}")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            print(module.name, error.name)
"""
PROGRAM = HIDDEN + """
import os, runpy
sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def command(with_onnx, people, tmp_path):
    """``command("python/search", "key=value", ...)``: what runs a program of deploy/ there."""

    def make(program, *overrides, config="gallery"):
        overrides = ["Global.use_onnx=True", f"Global.rec_inference_model_dir={with_onnx[1]}",
                     f"Global.infer_imgs={people / 'query'}", *overrides]
        if config == "gallery":
            overrides += [f"IndexProcess.index_dir={tmp_path / 'index'}",
                          f"IndexProcess.image_root={people / 'bounding_box_test'}"]
        return [sys.executable, "-c", PROGRAM, f"{program}.py", "-c", f"configs/{config}.yaml",
                *(part for override in overrides for part in ("-o", override))]

    return make


def run(command):
    ended = subprocess.run(command, cwd=ROOT / "deploy", capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_every_module_of_these_rooms():
    printed = run([sys.executable, "-c", MODULES, *ROOMS]).splitlines()
    assert {line.split()[0] for line in printed} == NEEDS_PADDLE, printed


def test_features_and_galleries(with_onnx, people):
    image = next((people / "query").iterdir())
    printed = run([sys.executable, "-c", LIBRARY, str(with_onnx[1]), str(image)]).splitlines()
    assert printed[0] == "1.0" and "PaddlePaddle is not installed" in printed[1]


def test_every_program_of_deployment(command, people, tmp_path):
    programs = {path.stem for path in (ROOT / "deploy/python").glob("[!_]*.py")}
    assert programs == {"predict_rec", "build_gallery", "search"}  # a new one is to be run below
    names = sorted(os.listdir(people / "query"))
    printed = run(command("python/predict_rec", "Global.benchmark=True", config="inference_rec"))
    assert re.findall(r"^(\S+\.jpg):", printed, re.M) == names and "[Benchmark]" in printed
    run(command("python/build_gallery"))
    listed = sorted(path.name for path in (people / "bounding_box_test").glob("0*.jpg"))[:2]
    (tmp_path / "list.txt").write_text("\n".join(listed))
    for operation, done in (("remove", "2 removed"), ("append", "2 added")):
        assert f"({done})" in run(command("python/build_gallery", f"IndexProcess.data_file={tmp_path / 'list.txt'}",
                                          f"IndexProcess.index_operation={operation}"))
    run(command("python/search", f"Search.json={tmp_path / 'found.json'}", f"Search.picture={tmp_path / 'sheet.png'}",
                "Search.other_cameras=True"))
    assert len(json.loads((tmp_path / "found.json").read_text())) == len(names)
    assert Image.open(tmp_path / "sheet.png").height > 64 * len(names)


def test_the_service(command, people, tmp_path):
    pytest.importorskip("uvicorn")
    run(command("python/build_gallery"))
    port = 20000 + os.getpid() % 20000
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(command("serving/serve", f"Serving.port={port}"), cwd=ROOT / "deploy", stdout=log,
                                   stderr=subprocess.STDOUT)
    try:
        for _ in range(300):
            assert process.poll() is None, (tmp_path / "log").read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/gallery?count=1", timeout=5) as answer:
                    entry = json.load(answer)["entries"][0]
                break
            except OSError:
                time.sleep(0.1)
        address = f"http://127.0.0.1:{port}/{entry['picture']}"
        with urllib.request.urlopen(address, timeout=5) as answer:
            crop = answer.read()
        body = (b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + crop + b"\r\n--x--\r\n")
        request = urllib.request.Request(f"http://127.0.0.1:{port}/search", body,
                                         {"Content-Type": "multipart/form-data; boundary=x"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer)["matches"][0]["id"] == entry["id"]
    finally:
        process.terminate()
        process.wait(20)
