"""What lies in real folders: every case is read right, or named, or left out; never replaced, and nothing hangs."""
import faulthandler
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ppcls_ise.data import UnlabeledFolder
from ppcls_ise.data.loader import ImageLoader
from ppcls_ise.images.reading import read_image

RESIZE = [{"ResizeImage": {"size": [8, 16], "interpolation": "bicubic", "backend": "pil"}}]
GOOD = {"a.png": 10, "k.png": 110, "z.png": 250}  # name -> grey of all its pixels


@pytest.fixture(autouse=True)
def time_limit():
    """A hang ends the test run with a traceback."""
    faulthandler.dump_traceback_later(60, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "crops"
    root.mkdir()
    for name, grey in GOOD.items():
        Image.new("RGB", (10, 20), (grey,) * 3).save(root / name)
    return root


def truncated(path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 32, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-600])


def bomb(path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))))


def forbidden(path):
    Image.new("RGB", (8, 16)).save(path)
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read everything: a link whose end it may not even look up stands in
        path.unlink()
        path.symlink_to(f"/proc/{os.getpid()}/fd/987654")


UNREADABLE = {
    "truncated.jpg": truncated,
    "empty.jpg": lambda path: path.write_bytes(b""),
    "text.png": lambda path: path.write_text("<html>404</html>"),
    "bomb.png": bomb,
    "forbidden.png": forbidden,
    "loop.jpg": lambda path: path.symlink_to(path.name),
    "gone.jpg": lambda path: path.symlink_to("nowhere.jpg"),
    "pipe.jpg": lambda path: os.mkfifo(path),
    "日本 ü truncated.jpg": truncated,
    "n" * 240 + ".jpg": lambda path: path.write_bytes(b"\xff\xd8\xff"),
    os.fsdecode(b"caf\xe9.jpg"): lambda path: path.write_bytes(b""),  # a name that is no UTF-8
}


def cases():
    return [pytest.param(name, make, id=name.encode("ascii", "replace").decode()[:20])
            for name, make in UNREADABLE.items()]


@pytest.mark.parametrize("name, make", cases())
def test_unreadable_images_are_named_or_left_out(folder, name, make, monkeypatch):
    log = []
    monkeypatch.setattr("ppcls_ise.data.datasets._log", lambda text, level="info": log.append(text))
    make(folder / name)
    shown = name.encode("utf-8", "backslashreplace").decode()
    for workers in (0, 2):
        images = UnlabeledFolder(RESIZE, str(folder))
        loader = ImageLoader(images, batch_size=2, num_workers=workers, use_shared_memory=False)
        for _ in range(2):  # develop tries again after an error: it must stay one
            with pytest.raises(ValueError) as error:
                list(loader)
            assert f"{shown} is no readable image" in str(error.value)
    with pytest.raises(ValueError, match="is no readable image"):
        UnlabeledFolder(RESIZE, str(folder), cache="ram")
    for cache in ("none", "ram"):
        images = UnlabeledFolder(RESIZE, str(folder), cache=cache, on_bad_image="skip")
        assert images.list.names == list(GOOD)
        assert [set(np.unique(images[row][0])) for row in range(3)] == [{grey} for grey in GOOD.values()]
    left_out = [line for line in log if "1 of 4 images are unreadable and left out" in line]
    assert len(left_out) == 2 and all(shown in line for line in left_out)


def pixels(path):
    return read_image(str(path))[5, 5].tolist()


def test_odd_but_readable_images_become_rgb(tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(np.full((10, 10), 40000, np.uint16)).save(path)
    assert pixels(path) == [156, 156, 156]  # 40000 / 256, where Pillow's own conversion gives 255
    Image.new("L", (10, 10), 77).save(path)
    assert pixels(path) == [77, 77, 77]
    Image.new("1", (10, 10), 1).save(path)
    assert pixels(path) == [255, 255, 255]
    half = Image.new("RGBA", (10, 10), (200, 100, 50, 128))
    half.save(path)
    assert np.abs(np.subtract(pixels(path), [100, 50, 25])).max() <= 1
    Image.new("RGBA", (10, 10), (200, 100, 50, 255)).save(path)
    assert pixels(path) == [200, 100, 50]
    palette = Image.new("P", (10, 10), 1)
    palette.putpalette([0, 0, 0, 10, 200, 30, 90, 90, 90])
    palette.save(path, transparency=bytes([255, 255, 0]))
    assert pixels(path) == [10, 200, 30]
    palette.save(path, transparency=bytes([255, 0, 255]))
    assert pixels(path) == [0, 0, 0]
    jpeg = tmp_path / "x.jpg"
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(jpeg, quality=100)
    assert np.abs(np.subtract(pixels(jpeg), [255, 0, 0])).max() <= 4


def test_exif_rotation_is_applied(tmp_path):
    upright = np.zeros((20, 10, 3), np.uint8)
    upright[:5] = 255
    sideways = Image.fromarray(np.rot90(upright))  # as a phone held upright stores it
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways.save(tmp_path / "x.jpg", exif=exif, quality=100, subsampling=0)
    image = read_image(str(tmp_path / "x.jpg"))
    assert image.shape == (20, 10, 3)
    assert image[:4].min() > 200 and image[7:].max() < 50


def test_folders_named_like_images_and_links_in_a_circle_are_walked_once(folder):
    (folder / "x.jpg").mkdir()
    Image.new("RGB", (10, 20), (9, 9, 9)).save(folder / "x.jpg" / "inner.JPG")
    (folder / "x.jpg" / "up").symlink_to(folder)
    (folder / "again").symlink_to(folder / "x.jpg")
    images = UnlabeledFolder(RESIZE, str(folder))
    assert sorted(os.path.basename(name) for name in images.list.names) == ["a.png", "inner.JPG", "k.png", "z.png"]
    (folder / "list.txt").write_text("a.png\nx.jpg\n")
    images = UnlabeledFolder(RESIZE, str(folder), cls_label_path="list.txt")
    with pytest.raises(ValueError, match="x.jpg is no readable image .*no regular file"):
        images[1]


def test_pillow_may_be_told_that_no_image_is_too_large(folder, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert pixels(folder / "k.png") == [110, 110, 110]


def test_a_broken_transform_is_no_hang(folder):
    images = UnlabeledFolder([*RESIZE, {"Padv2": {"size": [4, 4]}}], str(folder))
    for workers in (0, 2):
        with pytest.raises(RuntimeError, match="target size should be greater"):
            list(ImageLoader(images, batch_size=2, num_workers=workers, use_shared_memory=False))


def test_images_of_different_sizes_are_no_hang(folder):
    Image.new("RGB", (11, 20)).save(folder / "b.png")
    for workers in (0, 2):
        loader = ImageLoader(UnlabeledFolder([], str(folder)), batch_size=2, num_workers=workers,
                             use_shared_memory=False)
        with pytest.raises(ValueError, match="different shapes .*ResizeImage with a size"):
            list(loader)
