"""The page: complete, alone, and shown by a real browser without a complaint."""
import os
import re
import shutil
import subprocess
import sys
import xml.dom.minidom

import numpy as np
import pytest
from PIL import Image

from ppcls_ise.errors import ISEError
from ppcls_ise.images.listing import list_images
from ppcls_ise.visualize import ImageSet, Retrieval, cluster_history, rank_lists, write_report
from ppcls_ise.visualize.charts import line_chart, scatter, standalone
from tests.helpers import ROOT

CHROMIUM = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)


def image_set(people, split):
    images = list_images(str(people), split)
    features = np.random.default_rng(0).normal(size=(len(images.names), 12)).astype("float32")
    features += 3 * np.eye(12, dtype="float32")[images.pids % 12]
    return ImageSet(features / np.linalg.norm(features, axis=1, keepdims=True), images.pids, images.camids,
                    [images.path(i) for i in range(len(images.names))])


TABLES = {"clusters": {e: {"epoch": e, "clusters": 20.0 + e, "purity": 0.2 * e} for e in (1, 2, 3)},
          "training": {e: {"epoch": e, "loss": 5.0 / e, "FirstLoss": 3.0, "lr": 0.001} for e in (1, 2, 3)},
          "evaluation": {2: {"epoch": 2, "mAP": 0.75, "rank1": 0.875}, 3: {"epoch": 3, "mAP": 0.5, "rank1": 0.9}}}


@pytest.fixture(scope="module")
def report(people, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    training, query, gallery = (image_set(people, split)
                                for split in ("bounding_box_train", "query", "bounding_box_test"))
    lists = rank_lists([0, 3], query[:3], gallery[:3], np.full(len(query.pids), 0.5))
    # Three identities a cluster, the pictures of one camera apart, some images in none.
    labels = np.where(np.arange(len(training.pids)) % 7, training.pids % 5 + 5 * (training.camids == 1), -1)
    write_report(str(folder), "a <run>", "weights & more", training, labels, TABLES,
                 Retrieval(query, gallery, lists, {"mAP": 0.123, "rank1": 0.456}, "protocol market"))
    return folder


def test_everything_is_in_the_page(report):
    text = (report / "report.html").read_text(encoding="utf-8")
    assert "<h1>a &lt;run&gt;</h1>" in text and "weights &amp; more" in text
    for shown in ("12.3 %", "45.6 %", "Rank lists", "Most mixed clusters", "Most split identities", "Outliers",
                  "By pseudo labels", "By identities", "picked by mAP on the test set itself", "0.875", "FirstLoss"):
        assert shown in text, shown
    # Two lists of a query and ten images, and the sheets.
    assert text.count('<figure class="query"') == 2
    assert len(re.findall('<figure class="(?:good|bad)"', text)) == 20
    assert text.count("data:image/jpeg;base64,") == text.count("<img ") > 60
    # Nothing is fetched: no script, no address but the name of the SVG dialect.
    assert set(re.findall(r"https?://[^\"' ]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert "<script" not in text and "<link" not in text and "url(" not in text


def test_pictures_are_files_too(report):
    names = {path.name for path in report.iterdir()}
    assert {"rank_lists.png", "clusters_largest.png", "clusters_mixed.png", "clusters_split.png",
            "clusters_outliers.png", "map_pseudo_labels.svg", "map_identities.svg",
            "curve_retrieval_on_the_test_set.svg"} <= names
    assert not [name for name in names if name.endswith(".new")]
    with Image.open(report / "rank_lists.png") as sheet:
        assert sheet.size == (11 * 80, 2 * 156)
    for path in report.glob("*.svg"):
        xml.dom.minidom.parse(str(path))


def test_without_identities_retrieval_or_tables(people, tmp_path):
    training = image_set(people, "bounding_box_train")
    training = training._replace(pids=None, camids=np.full(len(training.paths), -1))
    path = write_report(str(tmp_path), "t", "s", training, np.full(len(training.paths), -1),
                        {"clusters": {}, "training": {}, "evaluation": {}})
    text = open(path, encoding="utf-8").read()
    assert "Rank lists" not in text and "By identities" not in text and "Over the epochs" not in text
    assert "Outliers" in text and "c-1" not in text and "camera" not in text.split("Map of the features")[1]


def test_names_that_are_no_utf_8(people, tmp_path):
    odd = os.fsdecode(b"caf\xe9")
    training = image_set(people, "bounding_box_train")._replace(pids=None, cameras=("yard", odd, "gate", "hall"))
    (tmp_path / f"{odd}.jpg").symlink_to(training.paths[0])
    training.paths[0] = str(tmp_path / f"{odd}.jpg")
    sides = image_set(people, "query"), image_set(people, "bounding_box_test")
    sides = [side._replace(cameras=training.cameras) for side in sides]
    path = write_report(str(tmp_path), odd, odd, training, np.arange(len(training.paths)) % 5, TABLES,
                        Retrieval(*sides, rank_lists([0], *(side[:3] for side in sides)), {"mAP": 0.1}, odd))
    text = open(path, encoding="utf-8").read()
    assert text.count(r"caf\udce9") > 20


def test_charts_by_hand():
    svg = line_chart({"up": [(1, 0.0), (3, 1.0)], "one": [(2, 0.5)]}, unit=True)
    lines = re.findall(r'<polyline points="([^"]+)"', svg)
    assert lines == ["44.0,186.0 348.0,10.0", "196.0,98.0"]
    assert "up, epoch 3: 1<" in svg
    assert ">0.25<" in svg and ">1<" in svg
    line_chart({"flat": [(1, 2.0)]})
    line_chart({"zero": [(1, 0.0), (2, 0.0)]})
    points = scatter(np.array([[0, 0], [2, 4.0]]), np.array([-1, 7]), ["<a>", "b"])
    assert points.count("<circle") == 2 and "&lt;a&gt;" in points and 'cx="392.0"' in points
    assert "prefers-color-scheme" in standalone(points)


def test_history_from_pseudo_labels(tmp_path):
    (tmp_path / "pseudo_labels").mkdir()
    paths = np.array(["t/1_c1_a.jpg", "t/1_c2_b.jpg", "t/2_c1_c.jpg", "t/2_c1_d.jpg", "t/nameless.jpg"])
    for epoch, labels in ((9, [0, 0, 1, 1, 1]), (10, [0, 0, 0, 0, -1])):
        np.savez(tmp_path / "pseudo_labels" / f"epoch_{epoch}.npz", labels=np.array(labels), paths=paths)
    history = cluster_history(str(tmp_path))
    assert list(history) == [9, 10]
    assert (history[9]["purity"], history[10]["purity"]) == (1, 0.5)
    assert history[9]["recall_cross_camera"] == 1 and "ari_to_last" not in history[9]
    assert history[10]["ari_to_last"] < 0.5
    assert "purity" not in cluster_history(str(tmp_path), r"z(?P<pid>\d+)")[9]
    with pytest.raises(ISEError, match="no pseudo labels in"):
        cluster_history(str(tmp_path / "elsewhere"))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [1366, 390])
def test_a_browser_shows_it_without_error(report, tmp_path, width):
    # A window cannot be as narrow as a phone, a frame in it can. Its script asks the page how wide it has become.
    (tmp_path / "frame.html").write_text(
        f'<body style="margin:0"><iframe id="f" src="file://{report}/report.html" style="border:0;width:{width}px;'
        'height:3000px"></iframe><script>onload = () => { const page = f.contentDocument, root = page.documentElement;'
        "document.title = `width ${root.scrollWidth} images ${page.images.length}`; }</script>")
    result = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
         f"--user-data-dir={tmp_path}/profile", "--enable-logging=stderr", "--window-size=1400,3000",
         "--virtual-time-budget=3000", "--dump-dom", f"file://{tmp_path}/frame.html"],
        capture_output=True, text=True, timeout=100)
    found = re.search(r"<title>width (\d+) images (\d+)<", result.stdout)
    assert found, result.stdout[:500] + result.stderr[-2000:]
    assert int(found[1]) <= width, "the page scrolls sideways"
    assert int(found[2]) > 60
    assert "CONSOLE" not in result.stderr, result.stderr


@pytest.mark.slow
def test_the_tool(people, tmp_path):
    from tests.training import TINY

    output = tmp_path / os.fsdecode(b"run[1]*? caf\xe9")
    overrides = [*TINY, f"Global.image_root={people}", f"Global.output_dir={output}", "Global.flip_test=True"]
    command = ["tools/visualize.py", "-c", "configs/ISE_demo.yaml", "--queries", "2"]
    result = subprocess.run([sys.executable, *command, *(word for o in overrides for word in ("-o", o))], cwd=ROOT,
                            capture_output=True, text=True, timeout=200,
                            env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"})
    assert result.returncode == 0, result.stdout + result.stderr
    text = (output / "report" / "report.html").read_text(encoding="utf-8")
    assert r"<h1>run[1]*? caf\udce9</h1>" in text
    assert text.count('<figure class="query"') == 2 and "protocol: market, flip_test" in text
