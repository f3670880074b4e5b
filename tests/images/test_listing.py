"""What a list of images is called by, and what its names tell."""
import os
import zlib

import pytest
import yaml

from ppcls_ise.errors import ISEError
from ppcls_ise.images.listing import ImageList, identified_list, list_images
from ppcls_ise.images.names import MARKET_PATTERN, identify
from tests.helpers import ROOT


@pytest.mark.parametrize("name, pid, camid", [
    ("0002_c1s1_000451_03.jpg", 2, 1), ("-1_c3s1_000002_00.jpg", -1, 3), ("0000_c2s1_000003_00.jpg", 0, 2),
    ("query/-1_c3s1.jpg", -1, 3), ("day_-1_c3s1.jpg", -1, 3), ("(-1_c3).jpg", -1, 3),  # Market-1501's junk
    ("id-1_c2.jpg", 1, 2), ("2024-05-17_c2.jpg", 17, 2), ("shop-12/id-7_c2.jpg", 7, 2), ("é-7_c2.jpg", 7, 2),
    (os.fsdecode(b"caf\xe9_0007_c2.jpg"), 7, 2), ("shop-12_c4/a.jpg", 12, 4)])
def test_names_as_the_market_pattern_reads_them(name, pid, camid):
    found = identify([name], MARKET_PATTERN, "pattern")
    assert (int(found["pid"][0]), int(found["camid"][0])) == (pid, camid)


def test_a_hyphen_makes_no_junk(tmp_path):
    for name in ("id-1_c2.jpg", "id-3_c1.jpg", "-1_c1.jpg"):
        (tmp_path / name).touch()
    images = list_images(str(tmp_path))
    assert images.names == ["id-1_c2.jpg", "id-3_c1.jpg"] and images.pids.tolist() == [1, 3]


def test_the_gallery_reads_names_as_training_does():
    assert yaml.safe_load((ROOT / "configs/gallery.yaml").read_text())["IndexProcess"]["pattern"] == (
        MARKET_PATTERN)


def test_numbers_that_no_integer_holds(tmp_path):
    long = "20240101123456789012"
    (tmp_path / f"{long}_c1.jpg").write_bytes(b"")
    with pytest.raises(ISEError, match=f"{long}_c1.jpg.* the identity {long}, which has more than 64 bits"):
        list_images(str(tmp_path))
    images = list_images(str(tmp_path), pattern=r"(?P<camid>\d+)_c")  # a camera of that many digits is a name
    assert images.camera(0) == long and images.camids.tolist() == [0]


def test_the_file_name_comes_before_the_folders():
    pattern = r"cam(?P<camid>\d+)"
    assert identify(["cam1/cam2.jpg", "cam1/a.jpg"], pattern, "pattern") == {"camid": ["2", "1"]}
    with pytest.raises(ISEError, match="gate/a.jpg does not match pattern"):
        identify(["gate/a.jpg"], pattern, "pattern")


def test_names_in_which_nothing_is_found_may_be_allowed():
    names = ["7_door.jpg", "nameless.jpg", "8_gate.jpg"]
    images = identified_list("", names, r"(?P<pid>\d+)_(?P<camid>[a-z]+)", everywhere=False)
    assert images.pids.tolist() == [7, -1, 8] and images.camids.tolist() == [0, -1, 1]
    assert [images.camera(row) for row in range(3)] == ["door", None, "gate"]
    nothing = identified_list("", names, r"z(?P<pid>\d+)", everywhere=False)
    assert nothing.pids.tolist() == [-1, -1, -1] and nothing.camids is None


def test_the_checksum_is_of_names_in_their_order():
    def checksum(*names):
        return ImageList("root", list(names), None, None).checksum()

    assert checksum("a.jpg", "b/é.jpg") == zlib.crc32("a.jpg\nb/é.jpg".encode())  # as older checkpoints hold it
    assert checksum(os.fsdecode(b"caf\xe9.jpg")) == zlib.crc32(b"caf\xe9.jpg")
    assert len({checksum("a.jpg", "b.jpg"), checksum("b.jpg", "a.jpg"), checksum("a.jpg")}) == 3
