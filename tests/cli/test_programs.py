"""The programs of deployment as a user runs them, on the synthetic persons."""
import json
import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from ppcls_ise.cli.main import command
from ppcls_ise.gallery import Gallery
from ppcls_ise.inference import FeatureExtractor
from tests.helpers import ROOT


@pytest.fixture
def run(exported, people, tmp_path, monkeypatch, capsys):
    """``run("search", "key=value", ...)`` runs a command in deploy/ on tmp_path's gallery; returns what it printed."""
    monkeypatch.chdir(ROOT / "deploy")

    def call(program, *overrides, config="gallery"):
        defaults = [f"Global.rec_inference_model_dir={exported[1]}", f"Global.infer_imgs={people / 'query'}"]
        if config == "gallery":
            defaults += [f"IndexProcess.index_dir={tmp_path / 'index'}",
                         f"IndexProcess.image_root={people / 'bounding_box_test'}"]
        options = [part for override in [*defaults, *overrides] for part in ("-o", override)]
        code = command(program).main(["-c", f"configs/{config}.yaml", *options])
        printed = capsys.readouterr()
        if code:
            raise SystemExit(printed.err)
        return printed.out

    return call


def test_features_are_printed_as_paddleclas_prints_them(run, exported, people):
    printed = run("predict", "Global.use_gpu=False", "Global.enable_mkldnn=True", "Global.cpu_num_threads=1",
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
    assert f"{len(images)} images" in run("gallery")
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
    assert "2 removed" in run("gallery", *taken)
    listed.write_text(f"{images[0]}\t7\t9\tentrance\n{images[2]}\t8\t9\tyard\n")
    printed = run("gallery", "IndexProcess.index_operation=append", f"IndexProcess.data_file={listed}",
                  "IndexProcess.columns=['path', 'pid', 'camid', 'place']")
    assert "1 added, 1 replaced" in printed and f"{len(images) - 1} images" in printed
    gallery = Gallery.open(str(tmp_path / "index"))
    assert sorted((entry["path"], entry["pid"], entry["place"]) for entry in gallery.entries.values()
                  if entry["camid"] == 9) == [(images[0], 7, "entrance"), (images[2], 8, "yard")]


def crop(path, colour):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 64), colour).save(path)
    return path


def test_equal_names_of_two_folders_are_two_images(run, tmp_path):
    red, other = (crop(tmp_path / day / "0001_c1.png", colour) for day, colour in (("1", "red"), ("2", "blue")))
    crop(tmp_path / "1" / "0002_c1.png", "green")
    run("gallery", f"IndexProcess.image_root={tmp_path / '1'}")
    second = f"IndexProcess.image_root={tmp_path / '2'}"
    assert "3 images (1 added)" in run("gallery", second, "IndexProcess.index_operation=append")
    json_file = f"Search.json={tmp_path / 'found.json'}"
    for query in (red, other):
        run("search", f"Global.infer_imgs={query}", json_file, f"Search.picture={tmp_path / 'sheet.png'}")
        best = json.loads((tmp_path / "found.json").read_text())[0]["matches"][0]
        gallery = Gallery.open(str(tmp_path / "index"))
        assert gallery.image_path(best["id"]) == str(query) and best["similarity"] > 0.9999
        assert set(best) == {"path", "pid", "camid", "id", "similarity"}
    # A list of the second folder takes nothing out of the first.
    (tmp_path / "list.txt").write_text("0001_c1.png\n0001_c1.png\n0002_c1.png\n")  # the first twice
    printed = run("gallery", second, f"IndexProcess.data_file={tmp_path / 'list.txt'}",
                  "IndexProcess.index_operation=remove")
    assert "2 images (1 removed, 1 unknown)" in printed and f"lie below {tmp_path / '1'}" in printed
    # What is overwritten after it was added is not shown for what was there.
    crop(red, "white")
    with pytest.raises(SystemExit, match="0001_c1.png is no longer the file that was added to the gallery"):
        run("search", f"Global.infer_imgs={other}", f"Search.picture={tmp_path / 'sheet.png'}")


def test_names_of_any_bytes(run, tmp_path):
    odd = os.fsdecode(b"0001_c\xe9.png")
    crop(tmp_path / "crops" / odd, "red")
    crop(tmp_path / "crops" / "0002_c1.png", "blue")
    options = [f"IndexProcess.image_root={tmp_path / 'crops'}", "IndexProcess.pattern=_c(?P<camid>.)"]
    assert "cameras 1, \\udce9;" in run("gallery", *options)
    queries = f"Global.infer_imgs={tmp_path / 'crops'}"
    files = [f"Search.json={tmp_path / 'found.json'}", f"Search.picture={tmp_path / 'sheet.png'}"]
    assert "0001_c\\udce9.png" in run("search", *options, queries, *files, "Search.other_cameras=True")
    found = json.loads((tmp_path / "found.json").read_text())
    assert [[match["camid"] for match in query["matches"]] for query in found] == [[1], ["\udce9"]]
    assert "0001_c\\udce9.png:" in run("predict", queries, config="inference_rec")


def test_the_camera_of_a_query_is_read_below_its_folder(run, people, tmp_path):
    for place, crop_file in zip(("gate", "yard"), sorted((people / "bounding_box_test").glob("0*.jpg"))):
        (tmp_path / "crops" / place).mkdir(parents=True)
        shutil.copy(crop_file, tmp_path / "crops" / place)
    options = [f"IndexProcess.image_root={tmp_path / 'crops'}", "IndexProcess.pattern=^(?P<camid>[^/]+)/"]
    run("gallery", *options)
    run("search", *options, f"Global.infer_imgs={tmp_path / 'crops'}", "Search.other_cameras=True",
        f"Search.json={tmp_path / 'found.json'}")
    found = json.loads((tmp_path / "found.json").read_text())
    assert [[match["camid"] for match in query["matches"]] for query in found] == [["yard"], ["gate"]]


def test_what_a_list_says(run, tmp_path):
    for name in ("a.png", "b.png"):
        crop(tmp_path / "crops" / name, "red")
    (tmp_path / "list.jsonl").write_text('{"path": "a.png", "camid": 1.0, "similarity": 0.1}\n{"path": "b.png"}')
    root = f"IndexProcess.image_root={tmp_path / 'crops'}"
    run("gallery", root, f"IndexProcess.data_file={tmp_path / 'list.jsonl'}")
    run("search", f"Global.infer_imgs={tmp_path / 'crops/a.png'}", f"Search.json={tmp_path / 'found.json'}")
    matches = json.loads((tmp_path / "found.json").read_text())[0]["matches"]
    assert [match["similarity"] for match in matches] == [1.0, 1.0]  # the search's own
    assert sorted(repr(match.get("camid")) for match in matches) == ["1", "None"]
    (tmp_path / "crops" / "b.png").rename(tmp_path / "crops" / "b_cgate.png")
    run("gallery", root, "IndexProcess.pattern=^.(_c(?P<camid>[a-z]+))?")
    entries = Gallery.open(str(tmp_path / "index")).entries.values()
    assert [entry.get("camid") for entry in entries] == [None, "gate"]


def test_a_threshold_of_zero_is_one(run, people, tmp_path):
    run("gallery")
    options = [f"Search.json={tmp_path / 'found.json'}", "IndexProcess.return_k=1000"]
    run("search", *options, "IndexProcess.score_thres=0.0")
    found = json.loads((tmp_path / "found.json").read_text())
    assert min(match["similarity"] for query in found for match in query["matches"]) >= 0
    run("search", *options, "IndexProcess.score_thres=None")
    assert sum(len(query["matches"]) for query in json.loads((tmp_path / "found.json").read_text())) >= sum(
        len(query["matches"]) for query in found)


def test_cameras_have_their_names(run, people, tmp_path):
    for place, crop in zip(("gate", "yard", "7"), sorted((people / "bounding_box_test").glob("0*.jpg"))):
        (tmp_path / "crops" / place).mkdir(parents=True)
        shutil.copy(crop, tmp_path / "crops" / place)
    options = [f"IndexProcess.image_root={tmp_path / 'crops'}", "IndexProcess.pattern=^(?P<camid>[^/]+)/"]
    assert "cameras 7, gate, yard;" in run("gallery", *options)
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
        run("gallery", options[0], "IndexProcess.pattern=(?P<camid>[a-z]+)/")


def matches(run, tmp_path, kind="Flat", onnx=False):
    """Build a gallery, search it with all queries; the paths found for each."""
    run("gallery", f"IndexProcess.index_method={kind}", f"Global.use_onnx={onnx}")
    run("search", f"Global.use_onnx={onnx}", f"Search.json={tmp_path / 'found.json'}")
    found = json.loads((tmp_path / "found.json").read_text())
    return [[match["path"] for match in query["matches"]] for query in found]


def test_onnx_gives_the_same_matches(run, with_onnx, tmp_path):
    assert matches(run, tmp_path) == matches(run, tmp_path, onnx=True)


@pytest.mark.slow
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
        run("gallery", f"IndexProcess.data_file={listed}")
    printed = run("gallery", f"IndexProcess.data_file={listed}", "IndexProcess.on_bad_image=skip")
    assert "2 images (2 added, 1 unreadable)" in printed
    assert [e.get("note") for e in Gallery.open(str(tmp_path / "index")).entries.values()] == [None, "é"]


@pytest.mark.slow
def test_a_gallery_of_another_model_is_not_searched(run, export_model):
    run("gallery")
    other = export_model(seed=1)[1]
    for program, more in (("search", []), ("gallery", ["IndexProcess.index_operation=append"])):
        with pytest.raises(SystemExit, match="built with another model"):
            run(program, f"Global.rec_inference_model_dir={other}", *more)


@pytest.mark.parametrize(("program", "override", "message"), [
    ("gallery", "IndexProcess.index_method=Fast", "index_method is Flat"),
    ("gallery", "IndexProcess.index_operation=add", "not 'add'"),
    ("gallery", "IndexProcess.index_operation=remove", "data_file lists"),
    ("gallery", "IndexProcess.index_operation=append", "holds no gallery"),
    ("gallery", "IndexProcess.dist_type=hamming", "dist_type is IP"),
    ("gallery", "IndexProcess.embedding_size=3", "embedding_size is 3"),
    ("gallery", "IndexProcess.image_root=/nowhere", "/nowhere"),
    ("gallery", "IndexProcess.data_file=/nowhere.txt", "nowhere.txt cannot be read"),
    ("gallery", "IndexProcess.on_bad_image=pass", "on_bad_image is error, skip, not .pass."),
    ("gallery", "Global.rec_inference_model_dir=/nowhere", "no exported model"),
    ("gallery", "Global", "should read key.sub=value"),
    ("search", "Global.infer_imgs=None", "infer_imgs is missing"),
    ("search", "Global.infer_imgs=/nowhere", "/nowhere"),
    ("gallery", "IndexProcess.index_methd=IVF", "index_methd is no known key, did you mean index_method"),
    ("gallery", "Global.use_onx=True", "Global.use_onx is no known key, did you mean use_onnx"),
    ("search", "Search.other_camera=True", "Search.other_camera is no known key, did you mean other_cameras"),
    ("gallery", "IndexProcess.batch_size=many", "batch_size is a whole number above 0 or null, not .many."),
    ("search", "IndexProcess.return_k=0", "IndexProcess.return_k is a whole number above 0"),
    ("search", "IndexProcess.score_thres=high", "IndexProcess.score_thres is a cosine"),
    ("gallery", "IndexProcess.index_dir=2024", "IndexProcess.index_dir is a text .a folder 2024 is ./2024."),
    ("gallery", "IndexProcess.columns=path", "IndexProcess.columns is a list of names"),
    ("search", "Search.json=True", "Search.json is a file to write"),
    ("search", "Search.picture=/nowhere/a.png", "Search.picture is a file to write, in a folder that is there"),
    ("search", "Search.picture=/tmp/a", "Search.picture needs the ending of a picture"),
    ("gallery", "Global.use_gpu=false", "Global.use_gpu is True or False, not 'false'"),
    ("gallery", "IndexProcess.pattern=(?P<pid>[", "IndexProcess.pattern .* is no regular expression")])
def test_mistakes_end_with_one_message(run, program, override, message):
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        run(program, override)


def test_a_pattern_that_is_none_is_named_in_a_search(run):
    run("gallery")
    for pattern, message in (("(?P<camid>[", "is no regular expression"), ("(?P<pid>\\d+)", "needs the group camid"),
                             ("_x(?P<camid>\\d+)", "does not match IndexProcess.pattern"),
                             ("(_x(?P<camid>\\d+))?", "does not tell its camera")):
        with pytest.raises(SystemExit, match=f"error: .*{message}"):
            run("search", "Search.other_cameras=True", f"IndexProcess.pattern={pattern}")


@pytest.mark.parametrize(("line", "message"), [
    ('{"path": "a.jpg", "camid": [1]}', "line 1: a.jpg: camid is a whole number or a text, not .1."),
    ('{"path": "a.jpg", "camid": 1.5}', "not 1.5"), ('{"path": "a.jpg", "seen": NaN}', "NaN is no value of JSON"),
    ('{"camid": 1}', "no object with a path"), ("{", "is no JSON"), ('{"path": ""}', "needs a path")])
def test_a_line_of_json_that_is_of_no_use_is_named(run, tmp_path, line, message):
    (tmp_path / "list.jsonl").write_text(line)
    with pytest.raises(SystemExit, match=f"list.jsonl, line 1.*{message}" if "line" not in message else message):
        run("gallery", f"IndexProcess.data_file={tmp_path / 'list.jsonl'}")
