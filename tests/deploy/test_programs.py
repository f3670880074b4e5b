"""deploy/python as a user runs it, on the synthetic persons."""
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import ROOT
from PIL import Image

from ppcls_ise.inference import FeatureExtractor, Gallery

PROGRAMS = ROOT / "deploy" / "python"


@pytest.fixture
def run(exported, people, tmp_path, monkeypatch, capsys):
    """``run("search", "key=value", ...)`` runs a program in deploy/ on tmp_path's gallery; returns what it printed."""
    monkeypatch.chdir(ROOT / "deploy")
    monkeypatch.syspath_prepend(str(PROGRAMS))

    def call(program, *overrides, config="gallery"):
        defaults = [f"Global.rec_inference_model_dir={exported[1]}", f"Global.infer_imgs={people / 'query'}"]
        if config == "gallery":
            defaults += [f"IndexProcess.index_dir={tmp_path / 'index'}",
                         f"IndexProcess.image_root={people / 'bounding_box_test'}"]
        options = [part for override in [*defaults, *overrides] for part in ("-o", override)]
        monkeypatch.setattr(sys, "argv", [program, "-c", f"configs/{config}.yaml", *options])
        runpy.run_path(str(PROGRAMS / f"{program}.py"), run_name="__main__")
        return capsys.readouterr().out

    return call


def test_features_are_printed_as_paddleclas_prints_them(run, exported, people):
    printed = run("predict_rec", "Global.use_gpu=False", "Global.enable_mkldnn=True", "Global.cpu_num_threads=1",
                  "Global.batch_size=4", "Global.use_tensorrt=False", "Global.use_fp16=False", "Global.benchmark=True",
                  config="inference_rec")
    names = sorted(os.listdir(people / "query"))
    lines = re.findall(r"^(\S+\.jpg):\t\[([^\]]+)\]", printed, re.M)
    assert [name for name, _ in lines] == names
    expected = FeatureExtractor(str(exported[1]))([str(people / "query" / name) for name in names])
    np.testing.assert_allclose([np.array(text.split(), float) for _, text in lines], expected, atol=1e-5)
    assert "a batch of 4: preprocess_time" in printed


def test_build_search_append_and_remove(run, people, tmp_path):
    images = sorted(name for name in os.listdir(people / "bounding_box_test") if not name.startswith("-1"))  # junk
    assert f"{len(images)} images" in run("build_gallery")
    # A gallery image is its own best match; without its own camera it is not.
    query = people / "bounding_box_test" / images[0]
    camera = int(re.search(r"_c(\d+)", images[0])[1])
    files = [f"Search.json={tmp_path / 'found.json'}", f"Search.picture={tmp_path / 'found.png'}"]
    printed = run("search", f"Global.infer_imgs={query}", "IndexProcess.return_k=4", *files)
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found) == 1 and len(found[0]["matches"]) == 4
    assert found[0]["matches"][0]["path"] == images[0] and found[0]["matches"][0]["similarity"] > 0.9999
    assert re.search(rf"1 +1.0000 +\d+ +{camera} +{images[0]}", printed)
    assert Image.open(tmp_path / "found.png").width > 5 * 64
    run("search", f"Global.infer_imgs={query}", "Search.other_cameras=True", *files)
    matches = json.loads((tmp_path / "found.json").read_text())[0]["matches"]
    assert matches and camera not in {match["camid"] for match in matches}

    listed = tmp_path / "list.txt"
    listed.write_text(images[0] + "\n" + images[1] + "\t1\t2\n")
    taken = [f"IndexProcess.data_file={listed}", "IndexProcess.index_operation=remove"]
    assert "2 removed" in run("build_gallery", *taken)
    listed.write_text(f"{images[0]}\t7\t9\tentrance\n{images[2]}\t8\t9\tyard\n")
    printed = run("build_gallery", "IndexProcess.index_operation=append", f"IndexProcess.data_file={listed}",
                  "IndexProcess.columns=['path', 'pid', 'camid', 'place']")
    assert "1 added, 1 replaced" in printed and f"{len(images) - 1} images" in printed
    gallery = Gallery.open(str(tmp_path / "index"))
    assert [entry for entry in gallery.entries.values() if entry["camid"] == 9] == [
        {"path": images[0], "pid": 7, "camid": 9, "place": "entrance", "id": len(images)},
        {"path": images[2], "pid": 8, "camid": 9, "place": "yard", "id": len(images) + 1}]


def test_cameras_have_their_names(run, people, tmp_path):
    for place, crop in zip(("gate", "yard", "7"), sorted((people / "bounding_box_test").glob("0*.jpg"))):
        (tmp_path / "crops" / place).mkdir(parents=True)
        shutil.copy(crop, tmp_path / "crops" / place)
    options = [f"IndexProcess.image_root={tmp_path / 'crops'}", "IndexProcess.pattern=^(?P<camid>[^/]+)/"]
    assert "cameras 7, gate, yard;" in run("build_gallery", *options)
    found = [*options, f"Global.infer_imgs={tmp_path / 'crops'}", f"Search.json={tmp_path / 'found.json'}"]

    def cameras(*overrides):
        run("search", *found, *overrides)
        return [[match["camid"] for match in query["matches"]]
                for query in json.loads((tmp_path / "found.json").read_text())]

    assert cameras("Search.cameras=['gate',7]", f"Search.picture={tmp_path / 'found.png'}") == [
        [7, "gate"], ["gate", 7], cameras("Search.cameras=['gate',7]")[2]]
    for wrong, message in (("[gate]", "Search.cameras is a list"), ("['gat']", "no camera 'gat'; it has 7, 'gate'")):
        with pytest.raises(SystemExit, match=message):
            run("search", *found, f"Search.cameras={wrong}")
    with pytest.raises(SystemExit, match=r"7/.* does not match IndexProcess.pattern"):
        run("build_gallery", options[0], "IndexProcess.pattern=(?P<camid>[a-z]+)/")


def matches(run, tmp_path, kind="Flat", onnx=False):
    """Build a gallery, search it with all queries; the paths found for each."""
    run("build_gallery", f"IndexProcess.index_method={kind}", f"Global.use_onnx={onnx}")
    run("search", f"Global.use_onnx={onnx}", f"Search.json={tmp_path / 'found.json'}")
    found = json.loads((tmp_path / "found.json").read_text())
    return [[match["path"] for match in query["matches"]] for query in found]


def test_onnx_gives_the_same_matches(run, with_onnx, tmp_path):
    assert matches(run, tmp_path) == matches(run, tmp_path, onnx=True)


def test_other_kinds_give_the_same_matches(run, tmp_path):
    exact = matches(run, tmp_path)
    assert matches(run, tmp_path, "HNSW32") == exact
    for kind in ("IVF", "SQ8"):
        assert [row[0] for row in matches(run, tmp_path, kind)] == [row[0] for row in exact]


def test_bad_images_stop_the_build_or_are_left_out(run, people, tmp_path):
    listed = tmp_path / "list.jsonl"
    good = sorted(os.listdir(people / "bounding_box_test"))[:2]
    (tmp_path / "bad.jpg").write_text("no image")
    lines = [{"path": good[0]}, {"path": str(tmp_path / "bad.jpg")}, {"path": good[1], "note": "é"}]
    listed.write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(SystemExit, match="bad.jpg is no readable image"):
        run("build_gallery", f"IndexProcess.data_file={listed}")
    printed = run("build_gallery", f"IndexProcess.data_file={listed}", "IndexProcess.on_bad_image=skip")
    assert "2 images (2 added, 1 unreadable)" in printed
    assert [e.get("note") for e in Gallery.open(str(tmp_path / "index")).entries.values()] == [None, "é"]


def test_a_gallery_of_another_model_is_not_searched(run, export_model):
    run("build_gallery")
    other = export_model(seed=1)[1]
    for program, more in (("search", []), ("build_gallery", ["IndexProcess.index_operation=append"])):
        with pytest.raises(SystemExit, match="built with another model"):
            run(program, f"Global.rec_inference_model_dir={other}", *more)


@pytest.mark.parametrize(("program", "override", "message"), [
    ("build_gallery", "IndexProcess.index_method=Fast", "index_method is Flat"),
    ("build_gallery", "IndexProcess.index_operation=add", "not 'add'"),
    ("build_gallery", "IndexProcess.index_operation=remove", "data_file lists"),
    ("build_gallery", "IndexProcess.index_operation=append", "holds no gallery"),
    ("build_gallery", "IndexProcess.dist_type=hamming", "dist_type is IP"),
    ("build_gallery", "IndexProcess.embedding_size=3", "embedding_size is 3"),
    ("build_gallery", "IndexProcess.image_root=/nowhere", "/nowhere"),
    ("build_gallery", "IndexProcess.data_file=/nowhere.txt", "nowhere.txt cannot be read"),
    ("build_gallery", "IndexProcess.on_bad_image=pass", "error or skip"),
    ("build_gallery", "Global.rec_inference_model_dir=/nowhere", "no exported model"),
    ("build_gallery", "Global", "should read key.sub=value"),
    ("search", "Global.infer_imgs=None", "infer_imgs is missing"),
    ("search", "Global.infer_imgs=/nowhere", "/nowhere")])
def test_mistakes_end_with_one_message(run, program, override, message):
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        run(program, override)


BUILDER = """
import sys
import numpy as np
from ppcls_ise.inference import Gallery
from ppcls_ise.inference.gallery_files import locked
rows = np.random.default_rng(0).normal(size=(20000, 64)).astype("float32")
gallery = Gallery(rows / np.linalg.norm(rows, axis=1, keepdims=True), [{"path": str(i)} for i in range(20000)])
print("writing", flush=True)
while True:
    with locked(sys.argv[1]):
        gallery.save(sys.argv[1])
"""


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
