import hashlib
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ppcls_ise.cli import synthetic as tool
from ppcls_ise.config.fields import read_block
from ppcls_ise.errors import ISEError
from ppcls_ise.images.synthetic import SyntheticConfig, SyntheticSet, make_synthetic, writing
from ppcls_ise.images.synthetic.camera import make_camera
from ppcls_ise.images.synthetic.shots import GALLERY, QUERY, TRAIN, plan

REPO = Path(__file__).resolve().parents[2]
FOLDERS = ("bounding_box_train", "query", "bounding_box_test")
NAME = re.compile(r"(-1|\d{4})_c(\d)s(\d)_(\d{6})_(\d{2})\.jpg")
SMALL = dict(identities=10, test_identities=4, images_per_identity=6, cameras=3, seed=3)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("set") / "synthetic"
    return root, make_synthetic(root, **SMALL)


def names(root, folder):
    return sorted(path.name for path in (root / folder).iterdir())


def keys(root, folder):
    return [tuple(int(x) for x in NAME.fullmatch(name).groups()[:2]) for name in names(root, folder)]


def contents(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_layout_names_counts(made):
    root, manifest = made
    assert sorted(path.name for path in root.iterdir()) == sorted((*FOLDERS, "manifest.json"))
    for folder in FOLDERS:
        assert all(NAME.fullmatch(name) for name in names(root, folder))
        assert len(names(root, folder)) == manifest["counts"][folder]
    assert manifest["counts"]["bounding_box_train"] == 10 * 6
    assert cv2.imread(str(root / "query" / names(root, "query")[0])).shape == (128, 64, 3)
    # Nothing but the set itself: the hidden working folder is gone.
    assert [path.name for path in root.parent.iterdir()] == [root.name]


def test_market_protocol_holds(made):
    root, _ = made
    train, query, gallery = (keys(root, folder) for folder in FOLDERS)
    persons = {pid for pid, _ in gallery if pid > 0}
    assert {pid for pid, _ in train} == set(range(1, 11))
    assert persons == {pid for pid, _ in query} == set(range(11, 15))
    assert {0, -1} <= {pid for pid, _ in gallery}
    assert len(set(query)) == len(query), "one query for a person and a camera"
    assert set(query) == {key for key in gallery if key[0] > 0}
    seen = defaultdict(set)
    for pid, camera in train + query:
        seen[pid].add(camera)
    assert all(len(cameras) >= 2 for cameras in seen.values())


def test_same_seed_same_bytes(made, tmp_path):
    root, _ = made
    make_synthetic(tmp_path / "again", **SMALL)
    assert contents(tmp_path / "again") == contents(root)


def test_image_does_not_depend_on_the_other_images(made, tmp_path):
    root, _ = made
    make_synthetic(tmp_path / "fewer", **{**SMALL, "test_identities": 2})
    few, many = contents(tmp_path / "fewer"), contents(root)
    same = [name for name in few if name.startswith("bounding_box_train")]
    assert len(same) == 60 and all(few[name] == many[name] for name in same)


def test_other_seed_other_images(made, tmp_path):
    root, _ = made
    make_synthetic(tmp_path / "other", **{**SMALL, "seed": 4})
    ours, theirs = set(contents(root).values()), set(contents(tmp_path / "other").values())
    assert not ours & theirs


def test_plan_of_the_defaults_is_that_of_before():
    # The plan, not the pixels: some of these differ between versions of OpenCV.
    digest = hashlib.sha256(repr([tuple(shot) for shot in plan(SyntheticSet())]).encode()).hexdigest()
    assert digest == "36c41e17fd7fa70b0a76c07920562402724a2854ec54d3b14f99e7e6e188b56f"


def test_one_group_of_cameras_is_as_before_there_were_groups(made, tmp_path):
    root, manifest = made
    assert "camera_groups" not in manifest["parameters"]
    make_synthetic(tmp_path / "one", **SMALL, camera_groups=1)
    assert contents(tmp_path / "one") == contents(root)


@pytest.mark.parametrize("cameras, groups", [(4, [(1, 2), (3, 4)]), (6, [(1, 2), (3, 4), (5, 6)]),
                                             (7, [(1, 2, 3), (4, 5), (6, 7)]), (9, [(1, 2, 3, 4, 5), (6, 7, 8, 9)])])
def test_groups_of_cameras_share_no_person(cameras, groups):
    what = SyntheticSet(identities=50, test_identities=31, cameras=cameras, camera_groups=len(groups))
    seen = defaultdict(lambda: defaultdict(set))
    for shot in plan(what):
        seen[shot.folder if shot.pid > 0 else shot.pid][shot.who].add(shot.camera)
    home = {camera: group for group in groups for camera in group}
    for folder in (TRAIN, QUERY, GALLERY, -1):
        for found in seen[folder].values():
            assert len({home[camera] for camera in found}) == 1
    for folder in (TRAIN, QUERY, GALLERY):
        persons = [[who for who, found in seen[folder].items() if found <= set(group)] for group in groups]
        shares = [len(part) for part in persons]
        assert max(shares) - min(shares) <= 1 and sum(shares) == len(seen[folder])
        assert all(len(found) >= 2 for found in seen[folder].values())
        assert all(set().union(*(seen[folder][who] for who in part)) == set(group)
                   for part, group in zip(persons, groups)), "every camera is in use"
    assert seen[QUERY] == seen[GALLERY]
    for who, found in seen[-1].items():
        assert {home[camera] for camera in found} == {home[camera] for camera in seen[GALLERY][who]}


def test_set_with_groups_of_cameras(tmp_path):
    ungrouped = {**SMALL, "cameras": 4}
    grouped = {**ungrouped, "camera_groups": 2}
    manifest = make_synthetic(tmp_path / "set", **grouped)
    assert manifest["parameters"]["camera_groups"] == 2 and make_synthetic(tmp_path / "set", **grouped) == manifest
    for folder in FOLDERS:
        for pid, camera in keys(tmp_path / "set", folder):
            assert pid < 1 or (camera <= 2) == (pid % 2 == 1)
    with pytest.raises(FileExistsError, match="camera_groups is 2, wanted 1"):
        make_synthetic(tmp_path / "set", **ungrouped)
    make_synthetic(tmp_path / "one", **ungrouped)
    with pytest.raises(FileExistsError, match="camera_groups is 1, wanted 2"):
        make_synthetic(tmp_path / "one", **grouped)


@pytest.mark.parametrize("cameras, groups, message", [
    (6, 4, "at most 3, so that each has two of the 6 cameras, but is 4"), (3, 2, "at most 1"),
    (6, 0, "at least 1, but is 0")])
def test_bad_groups_of_cameras_are_named(tmp_path, capsys, cameras, groups, message):
    with pytest.raises(ISEError, match=rf"Synthetic\.camera_groups must be {message}"):
        read_block(SyntheticSet, {"cameras": cameras, "camera_groups": groups}, "Synthetic")
    command = ["--root", str(tmp_path / "set"), "--cameras", str(cameras), "--camera-groups", str(groups)]
    assert tool.main(command) == 1 and f"camera_groups must be {message}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_complete_set_is_kept(made, monkeypatch):
    root, manifest = made
    monkeypatch.setattr(writing, "_write", lambda *args: pytest.fail("drawn again"))
    assert make_synthetic(root, **SMALL) == manifest


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=re.escape(str(tmp_path)) + ".*choose another root"):
        make_synthetic(tmp_path, **SMALL)
    assert contents(tmp_path) == {"photo.jpg": b"mine"}


@pytest.mark.parametrize("change, named", [({"seed": 9}, "seed is 3, wanted 9"),
                                           ({"config": replace(SyntheticConfig(), patterns=0.1)}, "patterns is 0.6")])
def test_other_parameters_are_refused(made, change, named):
    with pytest.raises(FileExistsError, match=named):
        make_synthetic(made[0], **{**SMALL, **change})


def test_damaged_set_is_refused(tmp_path):
    tiny = dict(identities=2, test_identities=1, images_per_identity=2, cameras=2)
    make_synthetic(tmp_path / "set", **tiny)
    next((tmp_path / "set" / "query").iterdir()).unlink()
    with pytest.raises(FileExistsError, match="query should hold 2 images but holds 1"):
        make_synthetic(tmp_path / "set", **tiny)


@pytest.mark.slow
def test_killed_run_leaves_no_half_set(tmp_path):
    script = ("import os, sys\nfrom ppcls_ise.images.synthetic import make_synthetic\n"
              "def die(shots):\n    for i, shot in enumerate(shots):\n"
              "        if i == 20: os._exit(9)\n        yield shot\n"
              f"make_synthetic(sys.argv[1], progress=die, **{SMALL!r})")
    root = tmp_path / "set"
    killed = subprocess.run([sys.executable, "-c", script, str(root)], cwd=REPO, env={"PYTHONPATH": str(REPO)})
    assert killed.returncode == 9
    assert not root.exists()
    manifest = make_synthetic(root, **SMALL)
    assert len(names(root, "bounding_box_train")) == manifest["counts"]["bounding_box_train"]


@pytest.mark.slow
def test_two_processes_at_once(made, tmp_path, monkeypatch):
    root, write = tmp_path / "set", writing._write

    def second(*args):
        monkeypatch.setattr(writing, "_write", write)
        make_synthetic(root, **SMALL)  # another process is faster
        write(*args)

    monkeypatch.setattr(writing, "_write", second)
    make_synthetic(root, **SMALL)
    assert contents(root) == contents(made[0])
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_failure_cleans_up_and_is_raised(tmp_path):
    def broken(shots):
        yield shots[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_synthetic(tmp_path / "set", progress=broken, **SMALL)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change, named", [
    ({"cameras": 1}, "cameras must be at least 2"), ({"cameras": 10}, "at most 9"), ({"seed": -1}, "seed"),
    ({"identities": 9999}, "four digits"), ({"config": SyntheticConfig(palette_size=1)}, "palette_size")])
def test_bad_arguments_are_named(tmp_path, change, named):
    with pytest.raises(ValueError, match=named):
        make_synthetic(tmp_path / "set", **{**SMALL, **change})
    assert not list(tmp_path.iterdir())


def test_same_person_is_nearer_within_a_camera(made):
    root, _ = made
    features = []
    for name in names(root, "bounding_box_train"):
        image = cv2.imread(str(root / "bounding_box_train" / name)).astype(float)[:, 16:48]
        features.append(image.reshape(8, 16, 32, 3).mean((1, 2)).ravel())
    pids, cameras = np.array(keys(root, "bounding_box_train")).T
    features = np.stack(features)
    distance = np.linalg.norm(features[:, None] - features[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    distance[cameras[:, None] != cameras[None]] = np.inf
    hits = pids[distance.argmin(1)] == pids
    assert hits.mean() > 0.65  # chance is below one in four


def test_cameras_differ_and_the_knob_makes_them_alike():
    def spread(strength):
        config = SyntheticConfig(camera_cast=strength)
        gains = [make_camera(np.random.default_rng(i), (32, 16), config).gains for i in range(6)]
        return np.std(gains, axis=0).mean()

    assert spread(0) < 1e-9 < 0.02 < spread(1) < spread(2)


def test_tool_runs_from_the_repository_root(tmp_path):
    command = [sys.executable, "tools/make_synthetic.py", "--root", str(tmp_path / "set"), "--identities", "2",
               "--test-identities", "1", "--images-per-identity", "2", "--cameras", "2"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 0 and "4 in bounding_box_train" in done.stdout, done.stderr


def test_tool_refuses_in_one_line(made, capsys):
    assert tool.main(["--root", str(made[0])]) == 1
    assert "identities is 10, wanted 128" in capsys.readouterr().err
