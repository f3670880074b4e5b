import os
import re
import stat
import subprocess
import sys
import time

import pytest

from ppcls_ise import files
from ppcls_ise.files import replacing


def write(path, text, **options):
    with replacing(str(path), **options) as new, open(new, "w") as file:
        file.write(text)
    return new


def test_the_new_file_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "a.json"
    for text in ("one", "two"):
        write(path, text)
        assert path.read_text() == text and os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(error), replacing(str(path)) as new, open(new, "w") as file:
        file.write("half")
        file.flush()
        raise error
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.json"]


def test_errors_of_the_disk_pass_through(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    for name in ("replace", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(files.os, name, full)
            with pytest.raises(OSError, match="No space left"):
                write(path, "new", durable=True)
        assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.json"]
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "nowhere" / "a.json", "new")


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("")
    write(tmp_path / "replaced", "")
    modes = {name: stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("plain", "replaced")}
    assert modes["plain"] == modes["replaced"] and modes["plain"] & stat.S_IRUSR


def test_two_writers_do_not_share_a_file(tmp_path):
    path = str(tmp_path / "a")
    with replacing(path) as first, open(first, "w") as one:
        with replacing(path) as second, open(second, "w") as two:
            two.write("two")
        one.write("one")
    assert first != second and open(path).read() == "one"


def test_only_a_durable_file_waits_for_the_disk_and_before_it_takes_the_place(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(files.os, name, lambda *a, name=name, original=original: (calls.append(name), original(*a)))
    write(tmp_path / "a", "x")
    write(tmp_path / "a", "y", durable=True)
    assert calls == ["replace", "fsync", "replace"]


def test_a_kill_leaves_the_old_file_and_a_remainder_known_by_its_name(tmp_path):
    (tmp_path / "a.json").write_text("old")
    program = ("import os, sys; from ppcls_ise.files import replacing\n"
               "with replacing(sys.argv[1]) as new:\n open(new, 'w').write('half'); os._exit(9)")
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.json")]).returncode == 9
    assert (tmp_path / "a.json").read_text() == "old"
    left, = set(os.listdir(tmp_path)) - {"a.json"}
    assert re.fullmatch(r"a\.json\.[0-9a-f]{8}\.new", left)


def test_what_killed_writers_left_is_removed_when_it_is_old(tmp_path):
    for name, age in (("a.0123abcd.new", 7200), ("a.0123abce.new", 60), ("b.0123abcd.new", 7200), ("a.new", 7200)):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    write(tmp_path / "a", "x")
    assert set(os.listdir(tmp_path)) == {"a", "a.0123abce.new", "b.0123abcd.new", "a.new"}
