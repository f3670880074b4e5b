"""The service in this process: what it answers, and how it refuses."""
import io
import json
import os
import shutil
import struct
import threading
import time
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")
pytest.importorskip("multipart")
from fastapi.testclient import TestClient  # noqa: E402

from ppcls_ise.config.deployment import IndexSettings, ServingSettings  # noqa: E402
from ppcls_ise.config.fields import read_block  # noqa: E402
from ppcls_ise.errors import ISEError  # noqa: E402
from ppcls_ise.gallery import Gallery  # noqa: E402
from ppcls_ise.gallery.files import locked  # noqa: E402
from ppcls_ise.gallery.update import update_gallery  # noqa: E402
from ppcls_ise.inference import FeatureExtractor  # noqa: E402
from ppcls_ise.serving.app import create_app  # noqa: E402
from ppcls_ise.serving.service import SearchService  # noqa: E402

TOKEN = {"Authorization": "Bearer secret"}


@pytest.fixture(scope="session")
def extractor(exported):
    return FeatureExtractor(str(exported[1]))


@pytest.fixture
def service(extractor, people, tmp_path):
    folder = tmp_path / "gallery"
    update_gallery(IndexSettings(index_dir=str(folder), image_root=str(people / "bounding_box_test")), extractor)
    return SearchService(extractor, str(folder), ServingSettings(max_upload_mb=0.5, max_megapixels=1, max_waiting=4,
                                                                 upload_seconds=0.5, answer_seconds=5))


@pytest.fixture
def client(service):
    with TestClient(create_app(service, "secret"), raise_server_exceptions=False) as client:
        yield client


def picture(size=(32, 64), form="PNG", seed=0, mode="RGB"):
    """An image file of noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(buffer, form)
    return buffer.getvalue()


def search(client, data, name="crop.png", **fields):
    return client.post("/search", files={"image": (name, data)}, data=fields)


def test_http_gives_the_matches_of_the_library(client, service, extractor, people):
    for path in sorted((people / "query").iterdir())[:6]:
        answer = search(client, path.read_bytes(), k=10)
        assert answer.status_code == 200, answer.text
        expected = service.gallery.search(extractor([str(path)]), 10)[0]
        got = answer.json()["matches"]
        assert [match["id"] for match in got] == [match.id for match in expected]
        np.testing.assert_allclose([match["similarity"] for match in got], [m.similarity for m in expected], atol=1e-5)
        assert got[0].keys() == {"id", "pid", "camid", "name", "picture", "similarity"}


def test_cameras_and_threshold(client):
    data = picture()
    only = search(client, data, cameras="1, 2", k=100).json()["matches"]
    without = search(client, data, not_cameras="3", k=100).json()["matches"]
    assert only == without and {match["camid"] for match in only} == {1, 2}
    assert search(client, data, cameras="nine").json() == {"matches": []}
    least = only[3]["similarity"]
    assert all(m["similarity"] >= least - 1e-5 for m in search(client, data, threshold=least).json()["matches"])


def test_any_picture_a_phone_may_send(client):
    for form, mode in (("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("PNG", "P"), ("WEBP", "RGB"),
                       ("BMP", "RGB")):
        assert search(client, picture(form=form, mode=mode)).status_code == 200, (form, mode)
    for size in ((1, 1), (900, 1)):  # as a gallery is built of crops of any size, too
        assert search(client, picture(size)).status_code == 200, size


def test_browsing(client, service):
    whole = client.get("/gallery?count=200").json()
    assert whole["images"] == len(service.gallery) == len(whole["entries"])
    page = client.get("/gallery?start=3&count=5").json()
    assert page["entries"] == whole["entries"][3:8]
    camera = client.get("/gallery?camera=2").json()
    assert {entry["camid"] for entry in camera["entries"]} == {2}
    answer = client.get("/" + page["entries"][0]["picture"])
    assert answer.headers["content-type"] == "image/jpeg" and Image.open(io.BytesIO(answer.content)).size == (32, 64)


def test_page_health_and_interface(client, service):
    assert "Person search" in client.get("/").text
    health = client.get("/health").json()
    assert health["status"] == "ok" and health["images"] == len(service.gallery)
    assert health["cameras"] == ["1", "2", "3"]
    assert {"/search", "/gallery", "/gallery/{number}", "/health"} <= set(client.get("/openapi.json").json()["paths"])


def test_append_find_and_delete(client, service):
    before, data = len(service.gallery), picture(seed=7)
    answer = client.post("/gallery", files={"image": ("../../../etc/passwd", data)}, data={"camid": 9}, headers=TOKEN)
    assert answer.status_code == 201 and answer.json()["images"] == before + 1
    again = client.post("/gallery", files={"image": ("b", data)}, data={"camid": "gate", "pid": 4},
                        headers=TOKEN).json()
    assert again["images"] == before + 1 and again["id"] == answer.json()["id"]  # the same pixels, so the same image
    best = search(client, data).json()["matches"][0]
    assert (best["id"], best["camid"], best["pid"]) == (again["id"], "gate", 4) and best["similarity"] > 0.9999
    assert client.get("/" + best["picture"]).status_code == 200
    uploads = os.path.join(service.index_dir, "uploads")
    assert len(os.listdir(uploads)) == 1 and len(Gallery.open(service.index_dir)) == before + 1
    assert client.delete(f"/gallery/{best['id']}", headers=TOKEN).json()["images"] == before
    assert os.listdir(uploads) == [] and len(Gallery.open(service.index_dir)) == before
    assert client.delete(f"/gallery/{best['id']}", headers=TOKEN).status_code == 404
    # An image of the gallery's own folder is taken out of the gallery, but not deleted.
    number = next(iter(service.gallery.entries))
    path = service.gallery.image_path(number)
    assert client.delete(f"/gallery/{number}", headers=TOKEN).status_code == 200 and os.path.isfile(path)


def test_changes_need_the_token(client, service):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}):
        for answer in (client.post("/gallery", files={"image": picture()}, headers=headers),
                       client.delete("/gallery/0", headers=headers)):
            assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
    with TestClient(create_app(service, None)) as closed:
        assert closed.delete("/gallery/0", headers={"Authorization": "Bearer x"}).status_code == 403
        assert closed.delete("/gallery/0", headers={"Authorization": "Bearer "}).status_code == 401


def test_a_picture_or_a_removal_never_meets_another_image(client, service, extractor, people):
    settings = IndexSettings(index_dir=service.index_dir, image_root=str(people / "bounding_box_test"))
    old = [entry["id"] for entry in client.get("/gallery?count=5").json()["entries"]]
    update_gallery(replace(settings, image_root=str(people / "query")), extractor)
    service._looked = 0
    new = client.get("/gallery?count=200").json()
    assert new["images"] == len(os.listdir(people / "query")) and not {entry["id"] for entry in new["entries"]} & {*old}
    assert client.get(f"/gallery/{old[0]}/picture").status_code == 404
    assert client.delete(f"/gallery/{old[0]}", headers=TOKEN).status_code == 404
    assert client.get("/health").json()["images"] == new["images"]
    # Nor in a folder that was emptied meanwhile: the service must notice it.
    shutil.rmtree(service.index_dir)
    update_gallery(settings, extractor)
    service._looked = 0
    emptied = client.get("/gallery?count=200").json()["entries"]
    assert not {entry["id"] for entry in emptied} & {*old, *(entry["id"] for entry in new["entries"])}


def test_a_file_that_was_overwritten_is_not_shown(client, service, people, tmp_path, extractor):
    folder = tmp_path / "crops"
    shutil.copytree(people / "query", folder)
    update_gallery(IndexSettings(index_dir=service.index_dir, image_root=str(folder)), extractor)
    service._looked = 0
    first, second = client.get("/gallery?count=2").json()["entries"]
    shutil.copy(folder / second["name"], folder / first["name"])
    assert client.get("/" + second["picture"]).status_code == 200
    answer = client.get("/" + first["picture"])
    assert answer.status_code == 404 and "not the one that was added" in answer.json()["error"]


def test_an_upload_is_there_as_long_as_its_entry(client, service, monkeypatch):
    """Removing and appending the same pixels at once must not leave an entry without its file, in whichever order."""
    data = picture(seed=3)

    def append():
        return client.post("/gallery", files={"image": ("a", data)}, headers=TOKEN).json()["id"]

    number, codes, saved = append(), [], threading.Event()
    save = Gallery.save

    def slow(self, folder):
        save(self, folder)
        saved.set()
        time.sleep(0.3)  # between the entry's end and the file's

    monkeypatch.setattr(Gallery, "save", slow)
    removing = threading.Thread(target=lambda: codes.append(
        client.delete(f"/gallery/{number}", headers=TOKEN).status_code))
    removing.start()
    assert saved.wait(5)
    again = append()
    removing.join()
    assert codes == [200] and again != number
    assert client.get(f"/gallery/{again}/picture").status_code == 200


def test_names_and_notes_of_any_kind(client, service, extractor, people, tmp_path):
    odd = os.fsdecode(b"caf\xe9.png")
    (tmp_path / odd).write_bytes(picture(seed=5))
    gallery = Gallery.open(service.index_dir)
    gallery.append(extractor([str(tmp_path / odd)]), [
        {"path": str(tmp_path / odd), "camid": "\udce9", "note": {"a": [float("nan"), "\udcff"]}}])
    gallery.save(service.index_dir)
    service._looked = 0
    assert "\\udce9" in client.get("/health").json()["cameras"]
    entry = client.get("/gallery", params={"camera": "\\udce9"}).json()["entries"][0]
    assert (entry["name"], entry["camid"], entry["note"]) == ("caf\\udce9.png", "\\udce9", {"a": [None, "\\udcff"]})
    best = search(client, picture(seed=5), cameras="\\udce9").json()["matches"]
    assert len(best) == 1 and best[0]["id"] == entry["id"]
    assert client.get("/" + entry["picture"]).status_code == 200


def test_a_gallery_built_meanwhile_is_taken_up(client, service, extractor, people):
    update_gallery(IndexSettings(index_dir=service.index_dir, image_root=str(people / "query")), extractor)
    service._looked = 0
    assert client.get("/health").json()["images"] == len(os.listdir(people / "query"))
    # What cannot be read is not: the old one is still served.
    with open(os.path.join(service.index_dir, "gallery.json"), "w") as file:
        file.write("{")
    service._looked = 0
    assert client.get("/health").json()["images"] == len(os.listdir(people / "query"))


def test_a_failed_change_changes_nothing(client, service, monkeypatch):
    before, number = len(service.gallery), next(iter(service.gallery.entries))

    def fail(self, folder):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Gallery, "save", fail)
        answers = [client.delete(f"/gallery/{number}", headers=TOKEN),
                   client.post("/gallery", files={"image": ("a", picture(seed=9))}, headers=TOKEN)]
    for answer in answers:
        assert answer.status_code == 503 and "is as it was" in answer.json()["error"] and "space" not in answer.text
    assert len(service.gallery) == before and client.get(f"/gallery/{number}/picture").status_code == 200
    assert os.listdir(os.path.join(service.index_dir, "uploads")) == []


def test_a_failed_change_of_an_upload_keeps_its_file(client, service, monkeypatch):
    files = {"image": ("a", picture(seed=9))}
    number = client.post("/gallery", files=files, headers=TOKEN).json()["id"]

    def fail(self, folder):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Gallery, "save", fail)
        assert client.post("/gallery", files=files, headers=TOKEN).status_code == 503
        assert client.delete(f"/gallery/{number}", headers=TOKEN).status_code == 503
    assert client.get(f"/gallery/{number}/picture").status_code == 200


def test_what_the_program_refuses_is_no_failure_of_the_server(client, service, extractor, monkeypatch):
    service.limits = replace(service.limits, answer_seconds=0.4)
    with locked(service.index_dir):
        answer = client.post("/gallery", files={"image": ("a", picture())}, headers=TOKEN)
    assert answer.status_code == 503 and "cannot be changed now" in answer.json()["error"]

    def nothing(*arguments):
        raise ISEError("the model gives image 0 a feature without length")

    with monkeypatch.context() as patch:
        patch.setattr(service, "extractor", nothing)
        assert search(client, picture()).status_code == 422
    monkeypatch.setattr(Gallery, "search", nothing)  # as of a gallery of another length, which cannot be
    answer = search(client, picture())
    assert answer.status_code == 503 and "log says why" in answer.json()["error"]


def test_a_field_counts_once_and_an_empty_number_not_at_all(client):
    image = ("image", ("a.png", picture()))
    for name, values in (("cameras", ["1", "2"]), ("k", ["1", "2"]), ("k", [""]), ("threshold", [""])):
        answer = client.post("/search", files=[image, *((name, (None, value)) for value in values)])
        assert answer.status_code == 422 and answer.json()["error"].startswith(name), answer.text
    assert client.post("/search", files=[image, image]).status_code == 422
    assert client.get("/gallery?start=1&start=2").status_code == 422
    assert client.get("/gallery?count=").status_code == 422


def test_cameras_of_any_name_can_be_named(client, service, extractor, people):
    gallery = Gallery.open(service.index_dir)
    for row, camid in enumerate(("Gate 2, north", " door ")):
        path = str(sorted((people / "query").iterdir())[row])
        gallery.append(extractor([path]), [{"path": path, "camid": camid}])
    gallery.save(service.index_dir)
    service._looked = 0
    for name, camid in (("Gate 2, north", "Gate 2, north"), ("door", " door "), (" door ", " door ")):
        assert {m["camid"] for m in search(client, picture(), cameras=name).json()["matches"]} == {camid}
        others = search(client, picture(), not_cameras=name, k=200).json()["matches"]
        assert others and camid not in {match.get("camid") for match in others}
    client.post("/gallery", files={"image": ("a", picture(seed=8))}, data={"camid": " 7 "}, headers=TOKEN)
    assert search(client, picture(seed=8)).json()["matches"][0]["camid"] == 7


def test_what_the_index_cannot_write_is_no_failure_of_the_server(client, monkeypatch):
    def full(*arguments):
        raise RuntimeError("Error in write: no space left")

    monkeypatch.setattr("ppcls_ise.gallery.files.faiss.write_index", full)
    assert client.post("/gallery", files={"image": ("a", picture())}, headers=TOKEN).status_code == 503


def test_the_body_of_a_get_is_not_read(client, monkeypatch):
    from starlette.requests import Request

    monkeypatch.setattr(Request, "form", None)
    assert client.request("GET", "/gallery", files={"image": ("a", picture())}).status_code == 200


def test_limits_are_finite():
    for value in (float("inf"), float("nan")):
        with pytest.raises(ISEError, match="max_upload_mb is a number above 0"):
            read_block(ServingSettings, {"max_upload_mb": value}, "Serving")


def test_every_answer_is_described(client):
    paths = client.get("/openapi.json").json()["paths"]
    common = {"500", "503"}
    body = common | {"400", "408", "413", "429"}
    assert {(method, path): set(operation["responses"]) for path, operations in paths.items()
            for method, operation in operations.items()} == {
        ("get", "/health"): {"200"} | common, ("get", "/gallery"): {"200", "422"} | common,
        ("get", "/gallery/{number}/picture"): {"200", "404", "422"} | common,
        ("post", "/search"): {"200", "415", "422"} | body,
        ("post", "/gallery"): {"201", "401", "403", "415", "422"} | body,
        ("delete", "/gallery/{number}"): {"200", "401", "403", "404", "422"} | body}
    errors = [operation["responses"][status]["content"]["application/json"]["schema"]["$ref"]
              for operations in paths.values() for operation in operations.values()
              for status in operation["responses"] if status >= "400"]
    assert set(errors) == {"#/components/schemas/Error"}
    assert client.request("OPTIONS", "/gallery").headers["allow"] == "GET, POST"


def test_too_many_at_once_are_sent_away(client, service, monkeypatch):
    gate, codes = threading.Event(), []
    slow = service.search
    monkeypatch.setattr(service, "search", lambda *args: (gate.wait(4), slow(*args))[1])
    threads = [threading.Thread(target=lambda: codes.append(search(client, picture()).status_code)) for _ in range(12)]
    for thread in threads:
        thread.start()
    end = time.time() + 3
    while len(codes) < 8 and time.time() < end:
        time.sleep(0.01)
    assert codes == [429] * 8
    gate.set()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200] * 4 + [429] * 8


def test_what_takes_too_long_is_given_up(extractor, service, monkeypatch):
    service.limits = replace(service.limits, answer_seconds=0.2, threads=1)
    monkeypatch.setattr(service, "search", lambda *args: time.sleep(1))
    with TestClient(create_app(service)) as client:
        answer = search(client, picture())
    assert answer.status_code == 503 and "0.2 seconds" in answer.json()["error"]


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png_of(width, height):
    """A PNG that claims a size and holds next to nothing."""
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b""))


def text_bomb():
    """A PNG whose comment unpacks to 100 MB."""
    body = picture(size=(16, 16))
    return body[:33] + chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * 10**8, 9)) + body[33:]


def multipart(*parts, boundary="x"):
    lines = [b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary.encode(), head, body) for head, body in parts]
    return b"".join(lines) + b"--%s--\r\n" % boundary.encode()


PART = b'Content-Disposition: form-data; name="image"; filename="a.png"'
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
IMAGES = {
    "empty": b"", "text": b"hello, I am no image", "html": b"<script>alert(1)</script>", "json": b'{"image": 1}',
    "one byte": b"\xff", "zeros": bytes(5000), "JPEG magic only": b"\xff\xd8\xff\xe0",
    "JPEG cut": picture(form="JPEG")[:400], "PNG cut": picture()[:500], "WEBP cut": picture(form="WEBP")[:60],
    "BMP cut": picture(form="BMP")[:200], "PNG crc": picture().replace(b"IDAT", b"IDAX"),
    "huge dimensions": png_of(50000, 50000), "larger than Pillow allows": png_of(2**31 - 1, 2**31 - 1),
    "over the pixels": png_of(2000, 600), "no pixels": png_of(0, 0), "claims more than it has": png_of(900, 900),
    "GIF": picture(form="GIF", mode="P"), "TIFF": picture(form="TIFF"), "PDF": b"%PDF-1.4 ...",
    "ICO": picture(form="ICO"),
    "PPM": picture(form="PPM"), "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "zip": b"PK\x03\x04" + bytes(99),
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>', "text bomb": text_bomb(), "too many bytes": bytes(700_000),
    "far too many bytes": bytes(3_000_000),
    "float TIFF in disguise": b"II*\x00" + bytes(64), "pickle": b"\x80\x04\x95\x10\x00\x00\x00",
}
REQUESTS = {
    "no body": ("POST", "/search", {}), "no image": ("POST", "/search", {"data": {"k": "3"}}),
    "JSON body": ("POST", "/search", {"json": {"image": "x"}}),
    "invalid JSON": ("POST", "/search", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
    "image as text field": ("POST", "/search", {"data": {"image": "/etc/passwd"}}),
    "k zero": ("POST", "/search", {"files": {"image": picture()}, "data": {"k": "0"}}),
    "k huge": ("POST", "/search", {"files": {"image": picture()}, "data": {"k": "10000000000"}}),
    "k text": ("POST", "/search", {"files": {"image": picture()}, "data": {"k": "ten"}}),
    "threshold NaN": ("POST", "/search", {"files": {"image": picture()}, "data": {"threshold": "nan"}}),
    "threshold far": ("POST", "/search", {"files": {"image": picture()}, "data": {"threshold": "1e9"}}),
    "long cameras": ("POST", "/search", {"files": {"image": picture()}, "data": {"cameras": "1," * 2000}}),
    "multipart without boundary": ("POST", "/search", {"content": b"x",
                                                       "headers": {"Content-Type": "multipart/form-data"}}),
    "multipart garbage": ("POST", "/search", {"content": os.urandom(500), "headers": FORM}),
    "multipart cut": ("POST", "/search", {"content": multipart((PART, picture()))[:300], "headers": FORM}),
    "multipart without a name": ("POST", "/search", {"content": multipart((b"Content-Disposition: form-data", b"x")),
                                                     "headers": FORM}),
    "two thousand fields": ("POST", "/search", {
        "content": multipart(*[(b'Content-Disposition: form-data; name="f%d"' % i, b"x") for i in range(2000)]),
        "headers": FORM}),
    "path in the id": ("GET", "/gallery/..%2f..%2fetc%2fpasswd/picture", {}),
    "dots in the id": ("GET", "/gallery/../../etc/passwd", {}),
    "absolute path": ("GET", "//etc/passwd", {}), "zero byte": ("GET", "/gallery/0%00/picture", {}),
    "negative id": ("GET", "/gallery/-1/picture", {}), "huge id": ("GET", "/gallery/99999999999999999999/picture", {}),
    "unknown id": ("GET", "/gallery/123456/picture", {}), "text id": ("GET", "/gallery/one/picture", {}),
    "negative start": ("GET", "/gallery?start=-1", {}), "huge count": ("GET", "/gallery?count=100000", {}),
    "wrong method": ("PUT", "/search", {"content": b"x"}), "unknown method": ("BREW", "/search", {}),
    "unknown page": ("GET", "/admin", {}), "search by GET": ("GET", "/search?image=/etc/passwd", {}),
    "append unasked": ("POST", "/gallery", {"files": {"image": picture()}}),
    "append no image": ("POST", "/gallery", {"files": {"image": b"x"}, "headers": TOKEN}),
    "pid text": ("POST", "/gallery", {"files": {"image": picture()}, "data": {"pid": "../x"}, "headers": TOKEN}),
    "camid huge": ("POST", "/gallery", {"files": {"image": picture()}, "data": {"camid": "9" * 300}, "headers": TOKEN}),
    "image twice": ("POST", "/search", {"files": [("image", ("a.png", picture()))] * 2}),
    "cameras twice": ("POST", "/search", {"files": [("image", ("a.png", picture())), ("cameras", (None, "1")),
                                                    ("cameras", (None, "2"))]}),
    "delete text": ("DELETE", "/gallery/all", {"headers": TOKEN}),
    "token not ASCII": ("DELETE", "/gallery/0", {"headers": {"Authorization": b"Bearer s\xe9cret"}}),
}
NAMES = ["../../etc/passwd", "..\\..\\x", "/etc/passwd", "a\0b.png", "x" * 4000, "con.png",
         "'; rm -rf /", "%2e%2e%2f", ""]


def check_refusal(answer, started):
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:300])
    assert time.perf_counter() - started < 1
    body = json.loads(answer.text)
    assert list(body) == ["error"] and 0 < len(body["error"]) < 300
    assert "Traceback" not in answer.text and "/tmp" not in answer.text and ".py" not in answer.text


def test_bad_input_is_refused_at_once_and_the_service_lives(client, service):
    assert len(IMAGES) + len(REQUESTS) >= 60
    good, files = picture(), set(os.listdir(service.index_dir))
    search(client, good)
    for name, data in IMAGES.items():
        started = time.perf_counter()
        try:
            check_refusal(search(client, data), started)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
    for name, (method, path, options) in REQUESTS.items():
        started = time.perf_counter()
        try:
            check_refusal(client.request(method, path, **options), started)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
    assert search(client, good).status_code == 200
    assert set(os.listdir(service.index_dir)) == files


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_the_name_of_an_upload_is_of_no_account(client, service, name):
    expected = search(client, picture()).json()
    answer = search(client, picture(), name=name)
    # An empty name is no file to a form; any other is as good as the next.
    assert answer.json() == expected if name else answer.status_code == 422
    assert not os.path.exists(os.path.join(service.index_dir, "uploads"))
