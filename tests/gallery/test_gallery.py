import json
import os
import shutil
import threading

import faiss
import numpy as np
import pytest

from ppcls_ise.gallery import Gallery
from ppcls_ise.gallery.files import current_generation, locked, next_id, write_gallery
from ppcls_ise.gallery.index import KINDS
from ppcls_ise.images.reading import file_digest

DIMENSION = 16


def people(count, start=0, seed=0):
    """Random unit rows [count, 16] and entries, one of three cameras each."""
    rows = np.random.default_rng(seed + start).normal(size=(count, DIMENSION)).astype(np.float32)
    entries = [{"path": f"{start + i}.jpg", "pid": (start + i) // 4, "camid": (start + i) % 3} for i in range(count)]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), entries


def paths(matches):
    return [match.entry["path"] for match in matches]


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_finds_itself_before_and_after_changes(kind, tmp_path):
    rows, entries = people(300)
    gallery = Gallery(rows, entries, kind)
    gone = gallery.ids_of([f"{i}.jpg" for i in range(100, 250)])  # half of it: the graph of HNSW is rebuilt
    assert gallery.remove([*gone, 12345]) == 150 and gallery.remove(gone) == 0
    more_rows, more = people(50, start=300)
    ids, before = gallery.append(more_rows, more), max(gallery.ids_of([f"{i}.jpg" for i in range(300)]))
    assert ids == list(range(ids[0], ids[0] + 50)) and ids[0] > before
    gallery.save(str(tmp_path))
    for current in (gallery, Gallery.open(str(tmp_path))):
        assert len(current) == 200
        kept = np.r_[0:100, 250:300]
        found = current.search(np.concatenate([rows[kept], more_rows]), k=3)
        assert [paths(matches)[0] for matches in found] == [f"{i}.jpg" for i in [*kept, *range(300, 350)]]
        assert all(matches[0].similarity == pytest.approx(1, abs=0.01) for matches in found)
        removed = {f"{i}.jpg" for i in range(100, 250)}
        assert not removed & {path for matches in current.search(rows[100:250], k=20) for path in paths(matches)}
        assert found[0][0].entry == {"path": "0.jpg", "pid": 0, "camid": 0, "id": found[0][0].id}


@pytest.mark.parametrize("kind", KINDS)
def test_cameras_are_kept_in_or_out(kind):
    rows, entries = people(120)
    gallery = Gallery(rows, entries, kind)
    assert gallery.cameras == [0, 1, 2]
    only = gallery.search(rows[:30], k=5, cameras=[1])
    without = gallery.search(rows[:30], k=5, not_cameras=[1])
    assert {match.entry["camid"] for matches in only for match in matches} == {1}
    assert {match.entry["camid"] for matches in without for match in matches} == {0, 2}
    assert gallery.search(rows[:2], cameras=[1], not_cameras=[1]) == [[], []]


def test_flat_is_the_product_of_all_pairs():
    rows, entries = people(40)
    found = Gallery(rows, entries).search(rows[:5], k=40, threshold=0.1)
    for row, matches in zip(rows[:5], found):
        expected = np.sort(rows @ row)[::-1]
        np.testing.assert_allclose([m.similarity for m in matches], expected[expected >= 0.1], atol=1e-6)


def test_a_path_is_in_the_gallery_once():
    rows, entries = people(6)
    gallery = Gallery(rows[:4], [entries[0], entries[1], entries[0], entries[2]])  # the last 0.jpg counts
    assert [e["path"] for e in gallery.entries.values()] == ["1.jpg", "0.jpg", "2.jpg"]
    assert paths(gallery.search(rows[2:3])[0])[0] == "0.jpg"
    old = gallery.ids_of(["0.jpg"])
    ids = gallery.append(rows[5:6], [entries[0]])
    assert ids > old and len(gallery) == 3 and paths(gallery.search(rows[5:6])[0])[0] == "0.jpg"


def test_the_last_image_may_go_and_others_come():
    for kind in ("Flat", "HNSW32", "SQ8", "IVF"):
        rows, entries = people(5)
        gallery = Gallery(rows, entries, kind)
        gallery.remove(list(gallery.entries))
        assert gallery.search(rows[:1]) == [[]]
        gallery.append(rows[:2], entries[:2])
        assert paths(gallery.search(rows[:1])[0]) == ["0.jpg", "1.jpg"]


def test_a_new_gallery_replaces_the_old_and_leaves_no_file_behind(tmp_path):
    rows, entries = people(20)
    gallery = Gallery(rows, entries, image_root="/images", model="m")
    gallery.save(str(tmp_path))
    far = current_generation(str(tmp_path)) + 10**12
    (tmp_path / f"index-{far}.faiss").write_bytes(b"of a killed build")
    gallery.save(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == [f"entries-{far + 1}.jsonl", "gallery.json", f"index-{far + 1}.faiss"]
    opened = Gallery.open(str(tmp_path))
    assert (opened.image_root, opened.model, opened.generation) == ("/images", "m", far + 1)
    assert opened.image_path(opened.ids_of(["3.jpg"])[0]) == "/images/3.jpg"


def test_no_id_is_ever_another_images(tmp_path):
    folder, (rows, entries), seen = tmp_path / "gallery", people(6), {}

    def check(gallery):
        for number, entry in gallery.entries.items():
            assert seen.setdefault(number, entry["path"]) == entry["path"]
        gallery.save(str(folder))
        return gallery.generation

    first = check(Gallery(rows[:3], entries[:3]))
    shutil.copytree(folder, tmp_path / "backup")
    gallery = Gallery.open(str(folder))
    gallery.append(rows[3:4], entries[3:4])
    generations = [first, check(gallery)]
    generations.append(check(Gallery(rows[4:], entries[4:])))  # takes its place
    shutil.rmtree(folder)
    generations.append(check(Gallery(rows[2:5], entries[2:5])))  # in an emptied folder
    restored = Gallery.open(str(tmp_path / "backup"))
    restored.append(rows[5:], entries[5:])
    generations.append(check(restored))
    assert len(set(generations)) == 5  # or a service would not notice


def test_a_clock_that_goes_back_gives_no_id_again(tmp_path, monkeypatch):
    rows, entries = people(3)
    old = Gallery(rows, entries)
    old.save(str(tmp_path))
    monkeypatch.setattr("ppcls_ise.gallery.gallery.time.time_ns", lambda: 0)
    new = Gallery(rows, entries, first_id=next_id(str(tmp_path)))
    assert not set(old.entries) & set(new.entries)


def test_a_disk_that_is_full_is_named(tmp_path, monkeypatch):
    def full(*arguments):
        raise RuntimeError("Error in write: no space left\nmore")

    gallery = Gallery(*people(3))
    gallery.save(str(tmp_path))
    monkeypatch.setattr(faiss, "write_index", full)
    with pytest.raises(ValueError, match=f"cannot be written to {tmp_path} .*no space left.; what was there"):
        gallery.save(str(tmp_path))
    assert len(Gallery.open(str(tmp_path))) == 3


def test_a_folder_that_is_none_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    place = str(tmp_path / "file")
    for action in (lambda: Gallery.open(place), lambda: Gallery(*people(2)).save(place),
                   lambda: locked(place).__enter__()):
        with pytest.raises(ValueError, match=f"{place}"):
            action()


def test_the_same_name_below_another_root_is_another_image(tmp_path):
    rows, entries = people(3)
    gallery = Gallery(rows[:1], [{"path": str(tmp_path / "a" / "0.jpg")}], image_root=str(tmp_path / "a"))
    gallery.append(rows[1:], [{"path": str(tmp_path / "b" / "0.jpg")}, {"path": "../a/./1.jpg"}])
    assert [entry["path"] for entry in gallery.entries.values()] == ["0.jpg", str(tmp_path / "b" / "0.jpg"), "1.jpg"]
    assert [gallery.image_path(number) for number in gallery.entries] == [
        str(tmp_path / name) for name in ("a/0.jpg", "b/0.jpg", "a/1.jpg")]
    assert gallery.ids_of(["0.jpg", str(tmp_path / "a/0.jpg"), "x/../0.jpg"]) == list(gallery.entries)[:1]


@pytest.mark.parametrize("kind", KINDS)
def test_an_unchanged_file_keeps_its_id(kind):
    rows, entries = people(8)
    gallery = Gallery(rows, [{**entry, "digest": "d" + entry["path"]} for entry in entries], kind)
    first, second = gallery.ids_of(["0.jpg", "1.jpg"])
    ids = gallery.append(rows[:2], [{"path": "0.jpg", "digest": "d0.jpg", "camid": "gate"},
                                    {"path": "1.jpg", "digest": "other"}])
    assert ids[0] == first and ids[1] > max(first, second) and second not in gallery.entries and len(gallery) == 8
    found = gallery.search(rows[:1], k=8)[0]
    assert [match.id for match in found].count(first) == 1 and found[0].entry["camid"] == "gate"


def test_a_file_that_was_overwritten_is_no_picture(tmp_path):
    rows, _ = people(2)
    entries = []
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(name.encode())
        entries.append({"path": name, "digest": file_digest(str(tmp_path / name))})
    gallery = Gallery(rows, entries, image_root=str(tmp_path))
    kept, changed = gallery.ids_of(["a.jpg", "b.jpg"])
    (tmp_path / "b.jpg").write_bytes(b"another person")
    assert gallery.checked_image_path(kept) == str(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="b.jpg is no longer the file that was added"):
        gallery.checked_image_path(changed)


def test_galleries_of_version_0_1_open_and_go_on(tmp_path):
    rows, entries = people(5)
    index = faiss.index_factory(DIMENSION, "IDMap2,Flat", faiss.METRIC_INNER_PRODUCT)
    index.add_with_ids(rows, np.arange(5))
    description = {"kind": "Flat", "dimension": DIMENSION, "image_root": "", "model": None, "next_id": 5}
    write_gallery(str(tmp_path), description, index, [{**entry, "id": row} for row, entry in enumerate(entries)])
    description = json.loads((tmp_path / "gallery.json").read_text())
    (tmp_path / "gallery.json").write_text(json.dumps({**description, "format": 1}))
    gallery = Gallery.open(str(tmp_path))
    assert gallery.append(rows[:1], [{"path": "new.jpg"}])[0] > 5
    assert [match.id for match in gallery.search(rows[3:4], k=1, cameras=[0])[0]] == [3]


@pytest.mark.parametrize("damage", ["cut index", "cut entries", "no index", "no json", "old json", "list"])
def test_a_damaged_gallery_is_named(tmp_path, damage):
    Gallery(*people(20)).save(str(tmp_path))
    if damage.startswith("cut"):
        file = next(tmp_path.glob("index-*.faiss" if damage == "cut index" else "entries-*.jsonl"))
        file.write_bytes(file.read_bytes()[:100])
    elif damage == "no index":
        next(tmp_path.glob("index-*.faiss")).unlink()
    else:
        text = {"no json": "{", "old json": '{"format": 1}', "list": "[]"}[damage]
        (tmp_path / "gallery.json").write_text(text)
    with pytest.raises(ValueError, match=f"{tmp_path}.*again"):
        Gallery.open(str(tmp_path))


def test_no_gallery_is_named(tmp_path):
    with pytest.raises(ValueError, match="holds no gallery"):
        Gallery.open(str(tmp_path))
    assert current_generation(str(tmp_path)) == 0


def test_one_writer_at_a_time(tmp_path):
    order = []

    def second():
        with locked(str(tmp_path)):
            order.append("second")

    with locked(str(tmp_path)):
        thread = threading.Thread(target=second)
        thread.start()
        with pytest.raises(ValueError, match="another process"), locked(str(tmp_path), patience=0.1):
            pass
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_what_does_not_fit_is_named():
    rows, entries = people(4)
    with pytest.raises(ValueError, match="not 'Fast'"):
        Gallery(rows, entries, "Fast")
    with pytest.raises(ValueError, match="4 entries need"):
        Gallery(rows[:3], entries)
    with pytest.raises(ValueError, match="needs a path"):
        Gallery(rows, [{}] * 4)
    for camid in ([1], 1.5, True):
        with pytest.raises(ValueError, match="0.jpg: camid is a whole number or a text"):
            Gallery(rows[:1], [{"path": "0.jpg", "camid": camid}])
    with pytest.raises(ValueError, match="N at least 1"):
        Gallery(rows[:0], [])
    with pytest.raises(ValueError, match="finite"):
        Gallery(rows, entries).append(rows[:1] * np.nan, entries[:1])
    with pytest.raises(ValueError, match="the model that the gallery was built with"):
        Gallery(rows, entries).search(np.zeros((1, 3), np.float32))
