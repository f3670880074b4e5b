"""Cached crops: the same pixels as without, read once."""
import multiprocessing

import cv2
import numpy as np
import PIL
import pytest
from PIL import Image

from ppcls_ise.data import UnlabeledFolder
from ppcls_ise.data.loader import ImageLoader
from ppcls_ise.data.sampler import Draw
from ppcls_ise.images import crops

TRAIN = [{"ResizeImage": {"size": [8, 16], "interpolation": "bicubic", "backend": "pil"}}, {"PadCrop": {"padding": 2}},
         {"NormalizeImage": {"scale": "1.0/255.0", "order": "hwc"}}, {"RandomErase": None}, {"ToCHWImage": None}]
PLAIN = [TRAIN[0], TRAIN[2], TRAIN[4]]


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "crops"
    root.mkdir()
    for i in range(7):
        pixels = np.random.default_rng(i).integers(0, 255, (24, 10, 3), np.uint8)
        Image.fromarray(pixels).save(root / f"{i}.png")
    return root


@pytest.fixture
def reads(monkeypatch):
    """Counts the files that are decoded."""
    from ppcls_ise.data import datasets as images

    counter, read = multiprocessing.Value("i", 0), images.read_image

    def counting(path):
        with counter.get_lock():
            counter.value += 1
        return read(path)

    monkeypatch.setattr(images, "read_image", counting)
    return counter


@pytest.mark.parametrize("cache", ["ram", "disk"])
def test_both_passes_read_the_same_pixels_once(folder, tmp_path, reads, cache):
    options = {"cache": cache, "cache_dir": str(tmp_path / "cache")}
    direct, cached = UnlabeledFolder(TRAIN, str(folder)), UnlabeledFolder(TRAIN, str(folder), **options)
    assert reads.value == 7
    plain = cached.with_transforms(PLAIN)
    augmented = [[Draw(i, 0, 5 + i) for i in range(7)]]
    pairs = [(cached[draw][0], direct[draw][0]) for draw in augmented[0]]
    pairs += [(plain[i][0], direct.with_transforms(PLAIN)[i][0]) for i in range(7)]
    assert reads.value == 7 + 14
    for workers in (0, 2):
        for images, rows, offset in ((cached, augmented, 0), (plain, [list(range(7))], 7)):
            loader = ImageLoader(images, batch_sampler=rows, num_workers=workers, use_shared_memory=False)
            batch = list(loader)[0][0].numpy()
            pairs += [(batch[i], pairs[offset + i][1]) for i in range(7)]
    for ours, theirs in pairs:
        assert np.array_equal(ours, theirs)
    assert reads.value == 7 + 14


def test_another_size_is_read_anew(folder, reads):
    cached = UnlabeledFolder(TRAIN, str(folder), cache="ram")
    larger = cached.with_transforms([{"ResizeImage": {"size": [9, 18], "interpolation": "bicubic", "backend": "pil"}}])
    assert larger[0][0].shape == (18, 9, 3) and reads.value == 8 and cached.in_memory and not larger.in_memory


def test_the_file_serves_later_runs_until_an_image_changes(folder, tmp_path, reads):
    options = {"cache": "disk", "cache_dir": str(tmp_path / "cache")}
    UnlabeledFolder(TRAIN, str(folder), **options)
    again = UnlabeledFolder(TRAIN, str(folder), **options)
    assert reads.value == 7
    Image.new("RGB", (10, 24), (1, 2, 3)).save(folder / "4.png")
    changed = UnlabeledFolder(PLAIN[:1], str(folder), **options)
    assert reads.value == 14 and changed[4][0][0, 0].tolist() == [1, 2, 3]
    assert np.array_equal(changed[3][0], again.crops.pixels[3])


@pytest.mark.parametrize("holder, name, value", [
    (crops, "CACHE_FORMAT", crops.CACHE_FORMAT + 1), (PIL, "__version__", "0.1"), (cv2, "__version__", "0.1")])
def test_the_file_is_not_used_where_pixels_may_differ(folder, tmp_path, reads, monkeypatch, holder, name, value):
    options = {"cache": "disk", "cache_dir": str(tmp_path / "cache")}
    UnlabeledFolder(TRAIN, str(folder), **options)
    monkeypatch.setattr(holder, name, value)
    UnlabeledFolder(TRAIN, str(folder), **options)
    assert reads.value == 14


def test_an_interrupted_write_leaves_nothing_that_counts(folder, tmp_path, monkeypatch, reads):
    options = {"cache": "disk", "cache_dir": str(tmp_path / "cache")}
    fill = crops._fill

    def interrupted(*arguments):
        fill(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(crops, "_fill", interrupted)
    with pytest.raises(KeyboardInterrupt):
        UnlabeledFolder(TRAIN, str(folder), **options)
    assert not [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"]
    monkeypatch.setattr(crops, "_fill", fill)
    UnlabeledFolder(TRAIN, str(folder), **options)
    assert reads.value == 14


def test_left_out_images_keep_the_rows_right(folder):
    (folder / "2.png").write_bytes(b"")
    cached = UnlabeledFolder(PLAIN, str(folder), cache="ram", on_bad_image="skip")
    direct = UnlabeledFolder(PLAIN, str(folder), on_bad_image="skip")
    assert len(cached) == 6 and cached.list.names == direct.list.names
    assert all(np.array_equal(cached[i][0], direct[i][0]) for i in range(6))


def test_a_transform_cannot_change_what_is_kept(folder):
    cached = UnlabeledFolder(TRAIN[:1], str(folder), cache="ram")
    with pytest.raises(ValueError, match="read-only"):
        cached[0][0][0, 0] = 1


def test_too_little_room_is_told_beforehand(folder, tmp_path, monkeypatch, reads):
    monkeypatch.setattr(crops, "available_memory", lambda: 1000)
    with pytest.raises(ValueError, match="set cache: disk or none"):
        UnlabeledFolder(TRAIN, str(folder), cache="ram")
    monkeypatch.setattr(crops, "available_memory", lambda: 2 * 7 * 16 * 8 * 3)
    monkeypatch.setenv("PADDLE_LOCAL_SIZE", "4")
    with pytest.raises(ValueError, match="in each of 4 processes"):
        UnlabeledFolder(TRAIN, str(folder), cache="ram")
    monkeypatch.delenv("PADDLE_LOCAL_SIZE")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="set cache_dir to another folder"):
        UnlabeledFolder(TRAIN, str(folder), cache="disk", cache_dir=str(tmp_path / "file" / "x"))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(crops.os, "posix_fallocate", full)
    with pytest.raises(ValueError, match="No space left.*cache_dir"):
        UnlabeledFolder(TRAIN, str(folder), cache="disk", cache_dir=str(tmp_path / "cache"))
    assert reads.value == 0


@pytest.mark.parametrize("transforms", [TRAIN[1:], [{"ResizeImage": {"resize_short": 8}}], []])
def test_a_cache_needs_one_size(folder, transforms):
    with pytest.raises(ValueError, match="ResizeImage with a size as its first"):
        UnlabeledFolder(transforms, str(folder), cache="ram")


def test_available_memory_is_of_this_machine():
    assert 10 ** 7 < crops.available_memory() < 10 ** 14
