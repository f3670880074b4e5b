"""What a list of images is called by, and what its names tell."""
import os
import re
import zlib

import pytest
import yaml
from helpers import ROOT

from ppcls_ise.errors import ISEError
from ppcls_ise.images.listing import MARKET_PATTERN, ImageList, list_images, match_name


@pytest.mark.parametrize("name, pid, camid", [
    ("0002_c1s1_000451_03.jpg", 2, 1), ("-1_c3s1_000002_00.jpg", -1, 3), ("0000_c2s1_000003_00.jpg", 0, 2),
    ("query/-1_c3s1.jpg", -1, 3), ("day_-1_c3s1.jpg", -1, 3), ("(-1_c3).jpg", -1, 3),  # Market-1501's junk
    ("id-1_c2.jpg", 1, 2), ("2024-05-17_c2.jpg", 17, 2), ("shop-12/id-7_c2.jpg", 7, 2), ("é-7_c2.jpg", 7, 2),
    (os.fsdecode(b"caf\xe9_0007_c2.jpg"), 7, 2), ("shop-12_c4/a.jpg", 12, 4)])
def test_names_as_the_market_pattern_reads_them(name, pid, camid):
    found = match_name(re.compile(MARKET_PATTERN), name)
    assert (int(found["pid"]), int(found["camid"])) == (pid, camid)


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
    expression = re.compile(r"cam(?P<camid>\d+)")
    assert match_name(expression, "cam1/cam2.jpg")["camid"] == "2"
    assert match_name(expression, "cam1/a.jpg")["camid"] == "1"
    assert match_name(expression, "gate/a.jpg") is None


def test_the_checksum_is_of_names_in_their_order():
    def checksum(*names):
        return ImageList("root", list(names), None, None).checksum()

    assert checksum("a.jpg", "b/é.jpg") == zlib.crc32("a.jpg\nb/é.jpg".encode())  # as older checkpoints hold it
    assert checksum(os.fsdecode(b"caf\xe9.jpg")) == zlib.crc32(b"caf\xe9.jpg")
    assert len({checksum("a.jpg", "b.jpg"), checksum("b.jpg", "a.jpg"), checksum("a.jpg")}) == 3
