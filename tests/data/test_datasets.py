import random

import numpy as np
import pytest
from PIL import Image

from ppcls_ise.data.datasets import ReIDImages, UnlabeledFolder
from ppcls_ise.data.sampler import Draw
from ppcls_ise.data.transforms import ChannelJitter, PadCrop, RandomErase
from ppcls_ise.images.listing import list_images
from ppcls_ise.images.reading import read_image

NAMES = ["0002_c1s1_000451_03.jpg", "0001_c10s2_000001_00.jpg", "-1_c3s1_000002_00.jpg", "0000_c2s1_000003_00.jpg"]


@pytest.fixture
def folder(tmp_path):
    split = tmp_path / "bounding_box_test"
    split.mkdir()
    for shade, name in enumerate(NAMES):
        Image.new("RGB", (64, 128), (10 * shade, 0, 200)).save(split / name, quality=95)
    (split / "Thumbs.db").write_bytes(b"no image")
    return tmp_path


def test_sorted_with_identities_and_cameras_and_without_junk(folder):
    images = list_images(folder, "bounding_box_test")
    assert images.names == [f"bounding_box_test/{name}" for name in (NAMES[3], NAMES[1], NAMES[0])]
    assert images.pids.tolist() == [0, 1, 2] and images.camids.tolist() == [2, 10, 1]
    assert -1 in list_images(folder, "bounding_box_test", keep_junk=True).pids


def test_list_files_as_msmt17_has_them(tmp_path):
    (tmp_path / "train" / "0007").mkdir(parents=True)
    name = "0007/0007_000_05_0303morning_0008_0.jpg"
    Image.new("RGB", (64, 128)).save(tmp_path / "train" / name)
    (tmp_path / "list_train.txt").write_text(name + " 7\n\n")
    (tmp_path / "list_val.txt").write_text(name + " 7\n")
    images = list_images(tmp_path, ["list_train.txt", "list_val.txt"], "train", r"(?P<pid>\d+)_\d+_(?P<camid>\d+)")
    assert images.pids.tolist() == [7, 7] and images.camids.tolist() == [5, 5]
    assert read_image(images.path(0)).shape == (128, 64, 3)


def test_training_rows_carry_pseudo_labels_never_identities(folder):
    images = ReIDImages(image_root=folder, cls_label_path="bounding_box_test")
    image, label = images[Draw(2, 41, 7)]
    assert label.tolist() == [41, -1] and images[Draw(2, 41, 7, 3)][1].tolist() == [41, 3]
    assert image.shape == (128, 64, 3)
    assert images[2][1:] == (2, 1)


def test_augmentation_hangs_on_the_draw_alone(folder):
    images = ReIDImages(image_root=folder, cls_label_path="bounding_box_test",
                        transform_ops=[{"RandFlipImage": {"flip_code": 1}}, {"PadCrop": {"padding": 10}}])
    random.seed(5)
    np.random.seed(5)
    state = random.getstate(), np.random.get_state()[1].tolist()
    first = images[Draw(0, 0, 7)][0]
    assert (random.getstate(), np.random.get_state()[1].tolist()) == state
    random.random()
    assert np.array_equal(first, images[Draw(0, 0, 7)][0])
    assert any(not np.array_equal(first, images[Draw(0, 0, seed)][0]) for seed in range(8, 12))


def test_missing_folder_empty_folder_wrong_name_and_broken_image_are_named(folder):
    with pytest.raises(ValueError, match="nowhere"):
        list_images(folder, "nowhere")
    (folder / "query").mkdir()
    with pytest.raises(ValueError, match="query"):
        list_images(folder, "query")
    (folder / "query" / "holiday.jpg").write_bytes(b"not a jpeg")
    with pytest.raises(ValueError, match="holiday.jpg does not match"):
        list_images(folder, "query")
    with pytest.raises(ValueError, match="holiday.jpg is no readable image"):
        read_image(str(folder / "query" / "holiday.jpg"))


def test_pad_crop_reaches_every_offset_and_keeps_the_size():
    image = np.full((6, 4, 3), 9, np.uint8)
    random.seed(0)
    crops = [PadCrop(2)(image) for _ in range(300)]
    assert all(crop.shape == image.shape and crop.dtype == np.uint8 for crop in crops)
    # With offset o the image's rows lie at 2 - o: count black rows above minus below.
    lit = [crop[:, :, 0].max(axis=1) > 0 for crop in crops]
    offsets = {(int(rows.argmax()), int(rows[::-1].argmax())) for rows in lit}
    assert offsets == {(2, 0), (1, 0), (0, 0), (0, 1), (0, 2)}


def test_random_erase_probability_area_and_fill():
    random.seed(0)
    erase = RandomErase(probability=0.5, area=(0.1, 0.3), fill=(1.0, 2.0, 3.0))
    image = np.zeros((100, 50, 3), np.float32)
    shares = []
    for _ in range(400):
        erased = erase(image)
        assert erased.dtype == np.float32 and not image.any()
        mask = erased.any(axis=2)
        assert (erased[mask] == [1, 2, 3]).all()
        shares.append(mask.mean())
    shares = np.array(shares)
    assert 0.4 < (shares > 0).mean() < 0.6
    assert 0.09 < shares[shares > 0].min() and shares.max() < 0.31


def test_channel_jitter_is_one_gain_and_offset_per_channel():
    np.random.seed(0)
    image = np.random.default_rng(1).standard_normal((5, 4, 3)).astype(np.float32)
    jittered = ChannelJitter(0.2, 0.3)(image)
    assert jittered.dtype == np.float32
    for channel in range(3):
        gain, offset = np.polyfit(image[:, :, channel].ravel(), jittered[:, :, channel].ravel(), 1)
        np.testing.assert_allclose(jittered[:, :, channel], gain * image[:, :, channel] + offset, atol=1e-5)
        assert gain != 1 and offset != 0
    gains = np.stack([ChannelJitter(0.2, 0.0)(np.ones((1, 1, 3), np.float32))[0, 0] for _ in range(2000)])
    assert abs(gains.mean() - 1) < 0.02 and abs(gains.std() - 0.2) < 0.02


def test_cameras_of_an_unlabeled_folder_by_name_by_folder_or_unknown(tmp_path):
    for name in ("gate/a 1.jpg", "gate/sub/cam7_b.jpg", "yard/cam12_c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 16)).save(tmp_path / name)
    images = UnlabeledFolder(image_root=tmp_path)
    assert images.list.names == ["gate/a 1.jpg", "gate/sub/cam7_b.jpg", "yard/cam12_c.jpg"]
    assert images.pids is None and images.camids is None and images[0][1:] == (-1, -1)
    assert UnlabeledFolder(image_root=tmp_path, cameras="folder").camids.tolist() == [0, 1, 2]
    assert UnlabeledFolder(image_root=tmp_path, cameras=r"^(?P<camid>\w+)/").camids.tolist() == [0, 0, 1]
    (tmp_path / "some.txt").write_text("\ufeffgate/a 1.jpg 4 -1\r\n\nyard/cam12_c.jpg\n", encoding="utf-8")
    listed = UnlabeledFolder(image_root=tmp_path, cls_label_path="some.txt")
    assert listed.list.names == ["gate/a 1.jpg", "yard/cam12_c.jpg"] and listed[0][0].shape == (16, 8, 3)
    only = UnlabeledFolder(image_root=tmp_path, cls_label_path=["yard", "gate/sub"], cameras=r"cam(?P<camid>\d+)")
    assert only.camids.tolist() == [7, 12]
    with pytest.raises(ValueError, match=r"gate/a 1.jpg does not match .* \(1 of 3 images do not\)"):
        UnlabeledFolder(image_root=tmp_path, cameras=r"cam(?P<camid>\d+)")


def test_patterns_may_lack_groups_and_wrong_ones_are_named(folder):
    images = list_images(folder, "bounding_box_test", pattern=r"(?P<pid>-?\d+)_c")
    assert images.camids is None and images.pids.tolist() == [0, 1, 2]
    for pattern, message in ((r"(?P<pid", "no regular expression"), (r"\d+", r"needs the groups \(\?P<pid>"),
                             (r"(?P<person>\d+)", "not person"), (r"(?P<pid>_c\d)", "'_c3', which is no integer")):
        with pytest.raises(ValueError, match=message):
            list_images(folder, "bounding_box_test", pattern=pattern)
    for options in ({"pattern": "x"}, {"layout": "Market"}, {"cameras": r"(?P<pid>\d+)"}):
        with pytest.raises(ValueError, match="UnlabeledFolder"):
            UnlabeledFolder(image_root=folder, **options)
