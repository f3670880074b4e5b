"""Cluster.name: ours, a user's file, a user's module; and every way not to name one."""
import shutil

import pytest

from ppcls_ise.clustering import Clustering, KReciprocalDBSCAN
from ppcls_ise.config import load_config
from ppcls_ise.engine import clustering_of, prepare_config
from ppcls_ise.errors import ISEError
from tests.helpers import ROOT

BY_CAMERA = ROOT / "tests/clustering/by_camera.py"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Put a file into the working directory: ``own(text, name)``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def put(text, name="mine.py"):
        (tmp_path / name).write_text(text)
        return f"{name}:Mine"

    return put


def test_the_default():
    assert clustering_of(None) == clustering_of({}) == (KReciprocalDBSCAN(), 1)
    block = {"name": "KReciprocalDBSCAN", "k1": 9, "interval": 3}
    assert clustering_of(block) == (KReciprocalDBSCAN(k1=9), 3)


def test_a_file_and_a_module(own, tmp_path):
    shutil.copy(BY_CAMERA, tmp_path / "by_camera_copy.py")
    for name in ("by_camera_copy.py:ByCamera", f"{BY_CAMERA}:ByCamera", "by_camera_copy:ByCamera",
                 "tests.clustering.by_camera:ByCamera"):
        clustering, interval = clustering_of({"name": name, "likeness": 0.7, "interval": 2})
        assert isinstance(clustering, Clustering) and type(clustering).__name__ == "ByCamera"
        assert (clustering.likeness, clustering.centre, interval) == (0.7, True, 2)
    again, _ = clustering_of({"name": "by_camera_copy.py:ByCamera"})
    assert type(again) is type(clustering_of({"name": "by_camera_copy.py:ByCamera"})[0])  # run once


HEAD = "import dataclasses\nfrom ppcls_ise.clustering import Clustering\n"
CLASS = "class Mine(Clustering):\n    def assign(self, features, cameras, neighbours, kept): ...\n"
FROZEN = "@dataclasses.dataclass(frozen=True)\n"


@pytest.mark.parametrize("text, message", [
    (HEAD + FROZEN + CLASS.replace("Mine", "Other"), "mine.py has no class 'Mine'; its clusterings are Other"),
    ("", "mine.py has no class 'Mine'; its clusterings are none"),
    ("def Mine(): ...", "mine.py:Mine is no class derived from ppcls_ise.clustering.Clustering"),
    ("class Mine: ...", "mine.py:Mine is no class derived"),
    (HEAD + CLASS, r"mine.py:Mine is no frozen dataclass; write @dataclasses.dataclass\(frozen=True\) above"),
    (HEAD + "@dataclasses.dataclass\n" + CLASS, "mine.py:Mine is no frozen dataclass"),
    (HEAD + FROZEN + "class Mine(Clustering): ...", "mine.py:Mine has no method assign"),
    ("import nothing_of_this_name", r"mine.py cannot be run \(ModuleNotFoundError: .*nothing_of_this_name"),
    ("x = (", r"mine.py cannot be run \(SyntaxError: .*line 1"),
])
def test_a_file_that_has_no_clustering(own, text, message):
    with pytest.raises(ISEError, match=f"^Cluster.name: {message}"):
        clustering_of({"name": own(text)})


def with_field(line):
    return HEAD + FROZEN + CLASS.replace("    def", f"    {line}\n    def")


@pytest.mark.parametrize("line, message", [
    ("q: 'NotThere' = 3", r"the annotation 'NotThere' of mine.py:Mine's field q cannot be read \(NameError: .*There"),
    ("q: 'int or' = 3", r"the annotation 'int or' of mine.py:Mine's field q cannot be read \(SyntaxError"),
    ("q: 'list[Missing]' = 3", r"the annotation 'list\[Missing\]' of mine.py:Mine's field q cannot be read"),
    ("name: str = 'x'", "mine.py:Mine has a field name, but Cluster.name is a key of training itself"),
    ("interval: float = 0.5", "mine.py:Mine has a field interval, but Cluster.interval is a key of training itself"),
])
def test_fields_that_cannot_be_keys(own, line, message):
    with pytest.raises(ISEError, match=f"^Cluster.name: {message}"):
        clustering_of({"name": own(with_field(line))})


def test_annotations_may_be_texts(own):
    name = own("from __future__ import annotations\n" + with_field("q: 'dict[str, int] | None' = None"))
    assert clustering_of({"name": name, "q": {"a": 1}})[0].q == {"a": 1}


def test_a_file_of_the_home_directory(own, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    own(HEAD + FROZEN + CLASS, "at_home.py")
    assert type(clustering_of({"name": "~/at_home.py:Mine"})[0]).__name__ == "Mine"


def test_a_mistake_in_a_file_is_shown_where_it_is_and_the_file_read_again(own):
    with pytest.raises(ZeroDivisionError):
        clustering_of({"name": own("1 / 0")})
    assert type(clustering_of({"name": own(HEAD + FROZEN + CLASS)})[0]).__name__ == "Mine"


@pytest.mark.parametrize("block, message", [
    ({"name": "KReciprocalDBscan"}, "Cluster.name: there is no clustering 'KReciprocalDBscan', did you mean KRecip"),
    ({"name": "Infomap"}, r"Cluster.name: there is no clustering 'Infomap'\. Known are .*my_clustering.py:MyClass"),
    ({"name": "nowhere.py:Mine"}, "Cluster.name: there is no file nowhere.py in /"),
    ({"name": "not_a_package.mine:Mine"}, "Cluster.name: module not_a_package.mine cannot be imported .*PYTHONPATH"),
    ({"name": "KReciprocalDBSCAN:"}, "Cluster.name: 'KReciprocalDBSCAN:' lacks the class; write my_clustering.py:My"),
    ({"name": ":Mine"}, "Cluster.name: ':Mine' lacks the file or module; write my_clustering.py:MyClass"),
    ({"name": ":"}, "Cluster.name: ':' lacks the file or module"),
    ({"name": "~/nowhere.py:Mine"}, "Cluster.name: there is no file /.*/nowhere.py in /"),
    ({"name": 5}, "Cluster.name is a text, not 5"), ({"interval": 0}, "Cluster.interval must be above 0, not 0"),
    ({"interval": 1.5}, "Cluster.interval is a whole number"), ([1], "Cluster is a block of keys"),
    ({"epss": 1}, "Cluster.epss is no known key, did you mean eps"),
    ({"name": f"{BY_CAMERA}:ByCamera", "likenes": 1}, "Cluster.likenes is no known key, did you mean likeness"),
    ({"name": f"{BY_CAMERA}:ByCamera", "likeness": 1}, "Cluster.likeness must be above -1 and below 1, not 1"),
    ({"name": f"{BY_CAMERA}:ByCamera", "likeness": "high"}, "Cluster.likeness is a number, not 'high'"),
    ({"name": f"{BY_CAMERA}:ByCamera", "k1": 9}, "Cluster.k1 .* one of .*KReciprocalDBSCAN.*, not of ByCamera; .*_del"),
])
def test_mistakes_are_named(block, message):
    with pytest.raises(ISEError, match=f"^{message}"):
        clustering_of(block)


def test_who_only_looks_at_a_run_needs_no_file_of_its_clustering():
    config = load_config(str(ROOT / "configs/ISE_demo.yaml"), ["Cluster={'name': 'nowhere.py:Mine'}"])
    prepare_config(config, "eval")
    with pytest.raises(ISEError, match="no file nowhere.py"):
        prepare_config(config, "train")
