"""The doctor's page in a real browser."""

from pathlib import Path

import pytest

from viceversa.preparation.doctor import examine, to_html

from .doctoring import scene

CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists():
    pytest.skip("needs /usr/bin/chromium", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytest.importorskip("imagehash", reason="needs the extra prepare")


def test_page_fits_every_screen_and_shows_its_pictures(tmp_path):
    for domain, seeds in ("A", range(55)), ("B", range(100, 155)):
        (tmp_path / f"train{domain}").mkdir()
        for seed in seeds:
            name = "n" * 120 if seed == 0 else seed
            scene(seed, 64, 48 if seed % 2 else 96).save(tmp_path / f"train{domain}" / f"{name}.png")
    page_file = tmp_path / "page.html"
    page_file.write_text(to_html(examine(tmp_path)), encoding="utf-8")
    messages: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda message: messages.append(message.text))
        page.on("request", lambda request: request.url.startswith(("file:", "data:")) or messages.append(request.url))
        page.goto(page_file.as_uri())
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate("Promise.all([...document.images].map(i => { i.loading = 'eager'; return i.decode(); }))")
        pictures = page.locator("#none, .sheet img").count()
        chart = page.locator(".histogram svg").first.bounding_box()
        browser.close()
    assert pictures == 2 * (24 + 1 + 4 * 12), "samples, the mean, extremes"
    assert chart["height"] > 60
    assert messages == []
