"""The search page in a browser."""
import pytest

from tests.serving.browser import CHROMIUM, Browser

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")]


@pytest.mark.parametrize("width", [1366, 390])
def test_search_threshold_errors_and_browsing(patient_server, people, tmp_path, width):
    with Browser(tmp_path / "profile", width) as page:
        page.open(f"http://127.0.0.1:{patient_server[0]}/")
        page.wait("document.querySelectorAll('#gallery .tile').length === 24")
        assert "40 images of 3 cameras" in page.run("document.getElementById('about').textContent")
        page.run("document.getElementById('more').click()")
        page.wait("document.querySelectorAll('#gallery .tile').length === 40")
        assert page.run("document.getElementById('more').hidden")

        page.choose_file("#file", sorted((people / "query").iterdir())[0])
        page.wait("document.querySelectorAll('#matches .tile').length === 20")
        similarities = page.run("[...document.querySelectorAll('#matches b')].map(b => Number(b.textContent))")
        assert similarities == sorted(similarities, reverse=True)
        page.wait("[...document.querySelectorAll('#matches img')].slice(0, 4).every(i => i.naturalWidth > 0)")
        page.wait("document.getElementById('preview').naturalWidth > 0")

        middle = (similarities[4] + similarities[5]) / 2 if similarities[4] > similarities[5] else similarities[5]
        shown = move(page, middle)
        assert 0 < shown == page.run("found.filter(match => match.similarity >= Number(threshold.value)).length") < 20
        assert f"{shown} of 20" in page.run("document.getElementById('summary').textContent")
        assert move(page, 0) == 20

        page.run("camera.value = '2'; camera.dispatchEvent(new Event('change'))")
        page.wait("found.length && found.every(match => match.camid === 2)")

        text = tmp_path / "notes.txt"
        text.write_text("no image")
        page.choose_file("#file", text)
        page.wait("!document.getElementById('error').hidden")
        assert "is no JPEG" in page.run("document.getElementById('error').textContent")
        # The next search takes the error away; a gallery image is one.
        page.run("camera.value = ''; document.querySelector('#gallery .tile').click()")
        page.wait("document.getElementById('error').hidden && found[0] && found[0].picture ==="
                  " document.querySelector('#gallery img').getAttribute('src')")
        assert page.run("document.documentElement.scrollWidth <= innerWidth")


def move(page, value):
    """Move the threshold; the number of tiles shown then."""
    page.run(f"threshold.value = {value}; threshold.dispatchEvent(new Event('input'))")
    return page.run("document.querySelectorAll('#matches .tile:not([hidden])').length")
