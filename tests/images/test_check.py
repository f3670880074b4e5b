"""``ise check-data`` on small trees with one thing wrong at a time."""
import os
import zlib

import numpy as np
import pytest
import yaml
from PIL import Image

from ppcls_ise.cli import check_data
from tests.helpers import ROOT

CAFE = os.fsdecode(b"caf\xe9")  # a name that is no UTF-8
NAMES = {"bounding_box_train": ["0001_c1_0.png", "0001_c2_0.png", "0002_c1_0.png"],
         "query": ["0003_c1_0.png", "0004_c2_0.png"],
         "bounding_box_test": ["0003_c2_0.png", "0004_c1_0.png", "0000_c1_0.png", "-1_c1_0.png"]}


def draw(path, size=(32, 64)):
    rng = np.random.default_rng(zlib.crc32(path.name.encode()))
    Image.fromarray(rng.integers(0, 255, (*size[::-1], 3), np.uint8)).save(path)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "set"
    for folder, names in NAMES.items():
        (root / folder).mkdir(parents=True)
        for name in names:
            draw(root / folder / name)
    return root


@pytest.fixture
def check(root, tmp_path, capsys):
    """Run the tool on the set; returns (exit code, what it printed)."""

    def run(layout="Market", **options):
        def block(split):
            return {"dataset": {"name": "ReIDImages", "image_root": str(root), "layout": layout, "split": split,
                                **options}}

        config = {"Global": {"device": "cpu"}, "Arch": {}, "DataLoader": {
            "Train": block("train"), "Eval": {"Query": block("query"), "Gallery": block("gallery")}}}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        return check_data.main(["-c", str(tmp_path / "config.yaml")]), capsys.readouterr().out

    return run


def test_a_sound_set_is_a_table_and_nothing_else(check):
    code, text = check()
    lines = text.splitlines()
    assert code == 0 and lines[-1] == "nothing wrong was found"
    assert [line.split()[:4] for line in lines[1:4]] == [
        ["Train", "3", "2", "2"], ["Query", "2", "2", "2"], ["Gallery", "3", "3", "2"]]
    assert "32 x 64" in lines[1]


def test_sizes_of_known_sets_are_compared(check):
    code, text = check("Market1501")
    assert code == 1 and "12,936 images of 751 identities expected, found 3 of 2 in bounding_box_train" in text
    assert "3 problems" in text and "layout: Market for a set of your own" in text
    code, text = check("VeRi-776")
    assert code == 1 and "does not hold the train split of VeRi-776" in text and "bounding_box_train/" in text


def spoil_truncate(root):
    file = root / "query" / NAMES["query"][0]
    file.write_bytes(file.read_bytes()[:100])


def spoil_copy_to_test(root):
    (root / "query" / "0004_c2_9.png").write_bytes((root / "bounding_box_train" / "0001_c1_0.png").read_bytes())


def spoil_copy(root):
    train = root / "bounding_box_train"
    (train / "0002_c1_9.png").write_bytes((train / "0001_c1_0.png").read_bytes())


def spoil_missing_identity(root):
    draw(root / "query" / "0009_c1_0.png")


def spoil_one_camera(root):
    for file in (root / "bounding_box_train").iterdir():
        file.rename(file.with_name(file.name.replace("_c2_0", "_c1_5")))


def spoil_same_cameras(root):
    for file, name in (("0003_c2_0", "0003_c1_7"), ("0004_c1_0", "0004_c2_7")):
        (root / "bounding_box_test" / f"{file}.png").rename(root / "bounding_box_test" / f"{name}.png")


def spoil_name(root):
    draw(root / "query" / "holiday.png")


@pytest.mark.parametrize("spoil, code, message", [
    (spoil_truncate, 1, "1 of 2 images are unreadable; repair them"),
    (spoil_copy_to_test, 1, "1 files are also in Train"),
    (spoil_copy, 0, "1 files are copies of others (bounding_box_train/0001_c1_0.png = bounding_box_train/0002_c1_9"),
    (spoil_missing_identity, 1, "1 of 3 identities are missing from the gallery (9)"),
    (spoil_one_camera, 0, "all images are of one camera"),
    (spoil_same_cameras, 1, "2 of 2 queries have gallery images of their own camera only"),
    (spoil_name, 1, "query/holiday.png does not match pattern"),
    (lambda root: draw(root / "query" / "0003_c1_8.png", (9, 40)), 0, "1 images have a side below 16 pixels"),
    (lambda root: draw(root / "bounding_box_train" / "0003_c1_8.png"), 0, "1 identities are in Train as well (3)")],
    ids=lambda value: getattr(value, "__name__", str(value)[:30]))
def test_each_fault_is_told_with_what_to_do(check, root, spoil, code, message):
    spoil(root)
    result, text = check()
    assert result == code and message in text, text
    assert ("PROBLEM" in text) == bool(code)


def test_what_will_be_skipped_is_no_problem(check, root):
    spoil_truncate(root)
    code, text = check(on_bad_image="skip")
    assert "unreadable and will be left out" in text and "0003_c1_0.png is no readable image" in text
    assert code == 0


def test_a_folder_without_labels(root, tmp_path, capsys):
    command = ["-c", str(ROOT / "configs/ISE_folder.yaml"), "-o", f"Global.image_root={root}"]
    assert check_data.main(command) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:4] == ["Train", "9", "unknown", "unknown"]
    assert check_data.main(["-c", "nowhere.yaml"]) == 1
    assert "nowhere.yaml does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(("names", "cameras", "reported"), [
    (["gate/1.png", "yard/1.png"], None, "lie in 2 folders (gate, yard): if each is a camera, set "
                                         "DataLoader.Train.dataset.cameras=folder"),
    (["gate/1.png", "yard/1.png"], "folder", "2 (gate, yard)"),
    ([f"{CAFE}/1.png", "yard/1.png"], None, r"lie in 2 folders (caf\udce9, yard)"),
    ([f"{CAFE}/1.png", "yard/1.png"], "folder", r"2 (caf\udce9, yard)"),
    (["day/cam1_2.png", "day/cam2_2.png"], None, r"(day/cam1_2.png): if so, set DataLoader.Train.dataset.cameras to "
                                                 r"'cam(?P<camid>\d+)'"),
    (["1.png", "gate/2.png"], None, "nothing wrong"), (["gate/1.png", "gate/2.png"], None, "nothing wrong")])
def test_cameras_that_are_there_but_not_asked_for(tmp_path, capsys, names, cameras, reported):
    for name in names:
        (tmp_path / "crops" / name).parent.mkdir(parents=True, exist_ok=True)
        draw(tmp_path / "crops" / name)
    dataset = {"name": "UnlabeledFolder", "image_root": str(tmp_path / "crops"), "cameras": cameras}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({
        "Global": {"device": "cpu"}, "Arch": {}, "DataLoader": {"Train": {"dataset": dataset}}}))
    check_data.main(["-c", str(tmp_path / "config.yaml")])
    text = capsys.readouterr().out
    assert reported in text, text
    text.encode()  # pytest takes what a terminal does not


def test_a_folder_without_images_whose_neighbours_are_no_utf_8(tmp_path, capsys):
    (tmp_path / CAFE / "bounding_box_train").mkdir(parents=True)
    dataset = {"name": "ReIDImages", "image_root": str(tmp_path), "layout": "Market", "split": "train"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({
        "Global": {"device": "cpu"}, "Arch": {}, "DataLoader": {"Train": {"dataset": dataset}}}))
    assert check_data.main(["-c", str(tmp_path / "config.yaml")]) == 1
    text = capsys.readouterr().out
    assert "did you mean image_root: " in text and r"caf\udce9?" in text, text
    text.encode()
