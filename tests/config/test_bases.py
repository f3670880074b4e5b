"""_base_ and _delete_: what builds on what."""
import pytest

from ppcls_ise.config import load_config
from ppcls_ise.config.bases import merge
from ppcls_ise.errors import ISEError


@pytest.fixture
def write(tmp_path):
    def write(**files):
        for name, text in files.items():
            path = tmp_path / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_blocks_are_merged_and_everything_else_is_replaced(write):
    path = write(base="A: {x: 1, y: {p: 1, q: 2}, list: [1, 2, 3], text: a}\nB: 1\nC: {z: 1}\nD: 1\n",
                 own="_base_: base.yaml\nA: {y: {q: 3, r: {s: 4}}, list: [4], text: {now: block}}\nC: null\n"
                     "D: {e: 1}\n")
    assert load_config(path) == {"A": {"x": 1, "y": {"p": 1, "q": 3, "r": {"s": 4}}, "list": [4],
                                       "text": {"now": "block"}}, "B": 1, "C": None, "D": {"e": 1}}


def test_a_block_with_delete_takes_the_place_of_the_bases_block(write):
    path = write(base="A: {x: 1, y: {p: 1, q: 2}}\nB: {x: 1}\nC: {x: 1}\n",
                 own="_base_: base.yaml\nA: {y: {_delete_: True, r: 3}}\nB: {_delete_: True}\n"
                     "C: {_delete_: False, y: 1}\nD: {_delete_: True, new: {_delete_: True, e: 1}}\n")
    assert load_config(path) == {"A": {"x": 1, "y": {"r": 3}}, "B": {}, "C": {"x": 1, "y": 1}, "D": {"new": {"e": 1}}}


def test_merging_changes_neither(write):
    base, own = {"A": {"x": [1]}}, {"A": {"_delete_": True, "y": 2}}
    assert merge(base, own) == {"A": {"y": 2}}
    assert (base, own) == ({"A": {"x": [1]}}, {"A": {"_delete_": True, "y": 2}})


def test_bases_are_relative_to_their_file_and_may_have_bases(write, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = write(**{"base/root": "A: {x: 1, y: 1, z: 1}", "base/middle": "_base_: root.yaml\nA: {y: 2, z: 2}",
                    "own": "_base_: [base/middle.yaml]\nA: {z: 3}"})
    assert load_config(path) == {"A": {"x": 1, "y": 2, "z": 3}}


def test_bases_of_a_list_share_blocks_but_no_key(write):
    path = write(one="A: {x: 1, y: {p: 1}}\nB: {}\n", two="A: {z: 2, y: {q: 2}}\n",
                 own="_base_: [one.yaml, two.yaml]\nC: 3\n")
    assert load_config(path) == {"A": {"x": 1, "y": {"p": 1, "q": 2}, "z": 2}, "B": {}, "C": 3}


@pytest.mark.parametrize("one, two, key", [
    ("A: {x: {y: 1}}", "A: {x: {y: 1}}", "A.x.y"), ("A: {x: 1}", "A: {x: {y: 1}}", "A.x.y"),
    ("A: {x: {y: 1}}", "A: {x: 1}", "A.x"), ("A: [1]", "A: [2]", "A"), ("A: {}", "A: {x: 1}", "A.x"),
    ("A: {x: 1}", "A: {}", "A")])
def test_two_bases_that_give_one_key_are_refused(write, one, two, key):
    path = write(one=one, two=two, own="_base_: [one.yaml, two.yaml]")
    with pytest.raises(ISEError, match=rf"own.yaml: two of its _base_ give {key}: .*one.yaml and .*two.yaml;"):
        load_config(path)


def test_a_key_whose_name_begins_as_another_is_another(write):
    path = write(one="A: {x: 1}", two="A: {xy: 1}\nAB: 2", own="_base_: [one.yaml, two.yaml]")
    assert load_config(path) == {"A": {"x": 1, "xy": 1}, "AB": 2}


@pytest.mark.parametrize("files, names", [
    ({"own": "_base_: own.yaml"}, "own.yaml to .*own.yaml$"),
    ({"one": "_base_: two.yaml", "two": "_base_: one.yaml", "own": "_base_: one.yaml"},
     "one.yaml to .*two.yaml to .*one.yaml$")])
def test_a_circle_is_named(write, files, names):
    with pytest.raises(ISEError, match=f"builds on itself: _base_ leads from .*{names}"):
        load_config(write(**files))


def test_one_file_may_be_the_base_of_several(write):
    path = write(root="A: {x: 1}", one="_base_: root.yaml\nA: {_delete_: True, y: 1}", two="B: 2",
                 own="_base_: [one.yaml, two.yaml]")
    assert load_config(path) == {"A": {"y": 1}, "B": 2}


@pytest.mark.parametrize("text, message", [
    ("_base_: nowhere.yaml", "config .*nowhere.yaml, a _base_, does not exist"),
    ("_base_: 3", "own.yaml: _base_ is a file or a list of files, not 3"),
    ("_base_: [[a]]", "a _base_, does not exist"),
    ("- 1", r"own.yaml is no block of keys such as Global and Arch, but \[1\]"), ("", "is no block of keys"),
    ("a: [1", "own.yaml is no yaml")])
def test_what_is_no_config_is_named(write, text, message):
    with pytest.raises(ISEError, match=message):
        load_config(write(own=text))


def test_a_shipped_config_is_a_base_from_anywhere(write):
    config = load_config(write(own="_base_: ISE_R50.yaml\nGlobal: {epochs: 3}"))
    assert config["Global"]["epochs"] == 3 and config["Cluster"]["eps"] == 0.4
    config = load_config(write(own="_base_: [ISE_folder_small.yaml, _base_/cameras.yaml]"))
    assert config["Cluster"]["name"] == "CrossCameraDBSCAN" and config["Cluster"]["min_samples"]


def test_anchors_and_merge_keys_within_a_file_go_on_working(write):
    path = write(base="A: {x: 1}", own="_base_: base.yaml\nB: &b {list: [1]}\nC: *b\nD: {<<: *b, y: 2}\nA: {<<: *b}\n")
    config = load_config(path, ["C.list.0=9"])
    assert config == {"A": {"x": 1, "list": [1]}, "B": {"list": [1]}, "C": {"list": [9]}, "D": {"list": [1], "y": 2}}


def test_text_that_is_a_literal_is_its_value_as_in_paddleclas(write):
    path = write(own="a: 1e-4\nb: {c: '[1, 2]', d: 'None', e: 1.0/255.0, f: ü}\ng: [{h: {i: 1e-4}}, '007', '7']\n")
    assert load_config(path) == {"a": 1e-4, "b": {"c": [1, 2], "d": None, "e": "1.0/255.0", "f": "ü"},
                                 "g": [{"h": {"i": 1e-4}}, "007", "7"]}


@pytest.mark.parametrize("text, message", [
    ("A: &a {b: *a}", "own.yaml: A.b contains itself$"), ("A: &a [*a]", "own.yaml: A.0 contains itself$"),
    ("A: 2024-01-01", "own.yaml: A is text, a number, a list or a block, not datetime.date"),
    ("A: {_base_: x.yaml}", "own.yaml: A._base_ has no meaning there"),
    ("A: [{_base_: x.yaml}]", "own.yaml: A.0._base_ has no meaning there"),
    ("A: [{B: {_delete_: True}}]", "own.yaml: A.0.B._delete_ has no meaning there"),
    ("A: {_delete_: 1}", "own.yaml: A._delete_ is True or False, not 1"),
    ("A: {_delete_: [a]}", "own.yaml: A._delete_ is True or False, not")])
def test_what_has_no_meaning_in_a_file_is_named(write, text, message):
    with pytest.raises(ISEError, match=message):
        load_config(write(own=text))


@pytest.mark.parametrize("override, key", [
    ("Cluster={'_delete_': True, 'name': 'x'}", "Cluster._delete_"), ("Cluster._delete_=True", "Cluster._delete_"),
    ("Cluster={'_base_': 'x'}", "Cluster._base_"), ("_base_=x.yaml", "_base_")])
def test_an_override_replaces_a_block_by_itself(override, key):
    with pytest.raises(ISEError, match=f"^{key} has no meaning there.*a block that -o gives, replaces the whole"):
        load_config("ISE_demo.yaml", [override])


def test_a_file_of_the_name_of_a_shipped_one_may_build_on_it(write, tmp_path):
    write(ISE_R50="_base_: ISE_R50.yaml\nGlobal: {epochs: 3}")
    config = load_config(tmp_path / "ISE_R50.yaml")
    assert config["Global"]["epochs"] == 3 and config["Cluster"]["eps"] == 0.4


def test_a_folder_is_no_config(tmp_path):
    with pytest.raises(ISEError, match=f"^config {tmp_path} is a folder"):
        load_config(tmp_path)
