import os
import threading

import numpy as np
import pytest

from ppcls_ise.inference import Gallery
from ppcls_ise.inference.gallery import KINDS
from ppcls_ise.inference.gallery_files import current_generation, locked

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
    gone = gallery.ids_of([f"{i}.jpg" for i in range(100, 250)])  # half of it: the graph of HNSW is built anew
    assert gallery.remove([*gone, 12345]) == 150 and gallery.remove(gone) == 0
    more_rows, more = people(50, start=300)
    assert gallery.append(more_rows, more) == list(range(300, 350))
    gallery.save(str(tmp_path))
    for current in (gallery, Gallery.open(str(tmp_path))):
        assert len(current) == 200
        kept = np.r_[0:100, 250:300]
        found = current.search(np.concatenate([rows[kept], more_rows]), k=3)
        assert [paths(matches)[0] for matches in found] == [f"{i}.jpg" for i in [*kept, *range(300, 350)]]
        assert all(matches[0].similarity == pytest.approx(1, abs=0.01) for matches in found)
        removed = {f"{i}.jpg" for i in range(100, 250)}
        assert not removed & {path for matches in current.search(rows[100:250], k=20) for path in paths(matches)}
        assert found[0][0].entry == {"path": "0.jpg", "pid": 0, "camid": 0, "id": 0}


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
    ids = gallery.append(rows[5:6], [entries[0]])
    assert ids == [3] and len(gallery) == 3 and paths(gallery.search(rows[5:6])[0])[0] == "0.jpg"


def test_the_last_image_may_go_and_others_come():
    for kind in ("Flat", "HNSW32", "SQ8", "IVF"):
        rows, entries = people(5)
        gallery = Gallery(rows, entries, kind)
        gallery.remove(range(5))
        assert gallery.search(rows[:1]) == [[]]
        gallery.append(rows[:2], entries[:2])
        assert paths(gallery.search(rows[:1])[0]) == ["0.jpg", "1.jpg"]


def test_a_new_gallery_replaces_the_old_and_leaves_no_file_behind(tmp_path):
    rows, entries = people(20)
    gallery = Gallery(rows, entries, image_root="/images", model="m")
    gallery.save(str(tmp_path))
    (tmp_path / "index-7.faiss").write_bytes(b"of a killed build")
    gallery.save(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["entries-8.jsonl", "gallery.json", "index-8.faiss"]
    opened = Gallery.open(str(tmp_path))
    assert (opened.image_root, opened.model, opened.generation) == ("/images", "m", 8)
    assert opened.image_path(3) == "/images/3.jpg"


@pytest.mark.parametrize("damage", ["cut index", "cut entries", "no index", "no json", "old json", "list"])
def test_a_damaged_gallery_is_named(tmp_path, damage):
    Gallery(*people(20)).save(str(tmp_path))
    if damage.startswith("cut"):
        file = tmp_path / ("index-1.faiss" if damage == "cut index" else "entries-1.jsonl")
        file.write_bytes(file.read_bytes()[:100])
    elif damage == "no index":
        (tmp_path / "index-1.faiss").unlink()
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
    with pytest.raises(ValueError, match="N at least 1"):
        Gallery(rows[:0], [])
    with pytest.raises(ValueError, match="finite"):
        Gallery(rows, entries).append(rows[:1] * np.nan, entries[:1])
    with pytest.raises(ValueError, match="the model that the gallery was built with"):
        Gallery(rows, entries).search(np.zeros((1, 3), np.float32))
