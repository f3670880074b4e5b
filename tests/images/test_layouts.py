"""Every public set in small: its folders and naming, with counts that tell the splits apart."""
import pytest
from PIL import Image

from ppcls_ise.data import ReIDImages
from ppcls_ise.images.layouts import LAYOUTS, SPLITS, find_layout

MARKET = {"train": ("bounding_box_train", 5), "query": ("query", 2), "gallery": ("bounding_box_test", 4)}
VERI = {"train": ("image_train", 5), "query": ("image_query", 2), "gallery": ("image_test", 4)}


def market_like(root, splits, name):
    for folder, count in splits.values():
        (root / folder).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (8, 16)).save(root / folder / name.format(pid=7 + i // 2, cam=1 + i % 2, i=i))


def msmt17(root, train, test):
    for split, folder, rows in (("train", train, range(3)), ("val", train, range(3, 5)), ("query", test, range(2)),
                                ("gallery", test, range(4))):
        lines = []
        for i in rows:
            name = f"{7 + i // 2:04d}/{7 + i // 2:04d}_{len(split):03d}_{1 + i % 2:02d}_0303morning_{i:04d}_0.jpg"
            (root / folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 16)).save(root / folder / name)
            lines.append(f"{name} {i // 2}\n")
        (root / f"list_{split}.txt").write_text("".join(lines))


TREES = {
    ("Market", 0): lambda root: market_like(root, MARKET, "{pid:04d}_c{cam}s1_{i:06d}_00.jpg"),
    ("Market1501", 0): lambda root: market_like(root, MARKET, "{pid:04d}_c{cam}s1_{i:06d}_00.jpg"),
    ("MSMT17", 0): lambda root: msmt17(root, "train", "test"),
    ("MSMT17", 1): lambda root: msmt17(root, "mask_train_v2", "mask_test_v2"),
    ("MSMT17", 2): lambda root: market_like(root, MARKET, "{pid:04d}_c{cam}_{i:04d}.jpg"),
    ("DukeMTMC-reID", 0): lambda root: market_like(root, MARKET, "{pid:04d}_c{cam}_f{i:07d}.jpg"),
    ("CUHK03-NP-detected", 0): lambda root: market_like(root, MARKET, "{pid:04d}_c{cam}_{i}.png"),
    ("CUHK03-NP-labeled", 0): lambda root: market_like(root, MARKET, "{pid:04d}_c{cam}_{i}.png"),
    ("VeRi-776", 0): lambda root: market_like(root, VERI, "{pid:04d}_c{cam:03d}_{i:08d}_0.jpg"),
    ("PersonX", 0): lambda root: market_like(root, MARKET, "{pid:04d}_c{cam}_{i:03d}.jpg"),
}


def test_every_layout_has_its_tree():
    assert set(TREES) == {(name, i) for name, forms in LAYOUTS.items() for i in range(len(forms))}


@pytest.mark.parametrize("name, form", TREES)
def test_each_split_is_found_sorted_with_identities_and_cameras(tmp_path, name, form):
    TREES[name, form](tmp_path)
    for split, count in zip(SPLITS, (5, 2, 4)):
        assert find_layout(name, tmp_path, split)[0] is LAYOUTS[name][form]
        images = ReIDImages(image_root=str(tmp_path), layout=name, split=split)
        assert len(images) == count and images.list.names == sorted(images.list.names)
        assert set(images.camids) == {1, 2}
        assert sorted(set(images.pids)) == [7, 8, 9][:(count + 1) // 2]
        assert images[0][0].shape == (16, 8, 3)


def test_published_sizes():
    sizes = {form.title: [(split.images, split.identities) for split in (form.train, form.query, form.gallery)]
             for forms in LAYOUTS.values() for form in forms}
    assert sizes["Market-1501"] == [(12936, 751), (3368, 750), (15913, 751)]
    assert sizes["MSMT17 V1"] == sizes["MSMT17 V2"] == [(32621, 1041), (11659, 3060), (82161, 3060)]
    assert sizes["CUHK03-NP detected"] == [(7365, 767), (1400, 700), (5332, 700)]
    assert all(form.reference for name, forms in LAYOUTS.items() for form in forms if name != "Market")


def test_a_wrong_folder_tells_what_was_looked_for_and_what_is_there(tmp_path):
    TREES["Market1501", 0](tmp_path)
    with pytest.raises(ValueError) as error:
        find_layout("VeRi-776", tmp_path, "train")
    for part in ("train split of VeRi-776", "image_train", "bounding_box_train/", "query/"):
        assert part in str(error.value)
    (tmp_path / "deep").mkdir()
    TREES["MSMT17", 1](tmp_path / "deep" / "MSMT17_V2")
    with pytest.raises(ValueError, match="did you mean image_root: .*MSMT17_V2") as error:
        find_layout("MSMT17", tmp_path / "deep", "train")
    assert "list_train.txt, list_val.txt, train" in str(error.value) and "mask_train_v2" in str(error.value)
    with pytest.raises(ValueError, match="in .*: MSMT17_V2/"):
        find_layout("Market1501", tmp_path / "deep" / "nowhere", "train")


@pytest.mark.parametrize("options, message", [
    ({"layout": "Market1502", "split": "train"}, "layout: Market1502 is none of Market, Market1501"),
    ({"layout": "Market1501", "split": "test"}, "split: test is none of train, query, gallery"),
    ({"layout": "Market1501"}, "split: None"),
    ({"layout": "Market1501", "split": "train", "cls_label_path": "query"}, "not both"),
    ({"cache": "gpu"}, "ReIDImages.cache is none, ram, disk, not 'gpu'"),
    ({"on_bad_image": "ignore"}, "is error, skip")])
def test_wrong_options_are_named(tmp_path, options, message):
    TREES["Market1501", 0](tmp_path)
    with pytest.raises(ValueError, match=message):
        ReIDImages(image_root=str(tmp_path), **options)
