"""The page in a real browser, as somebody uses it who has no internet."""

import io
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists():
    pytest.skip("needs /usr/bin/chromium", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytest.importorskip("gradio", reason="needs pip install 'viceversa[serve]'")
httpx = pytest.importorskip("httpx", reason="needs pip install 'viceversa[dev]'")

_WAIT_MS = 60_000


@pytest.fixture(scope="module")
def server(folder):
    """One server for all: its page takes seconds to import."""
    from .conftest import Server

    started = Server(folder)
    until = time.monotonic() + 400
    try:
        while "gradio" not in httpx.get(started.url, trust_env=False, timeout=300).text:
            assert started.process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.2)
        yield started
        started.process.terminate()
        assert started.end() == (0, "")
    finally:
        started.process.kill()
        started.process.communicate()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        chromium = started.chromium.launch(executable_path=str(CHROMIUM), args=[*quiet, *camera])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, server):
    """The page; the test fails if it breaks or asks any other host for anything."""
    broken: list[str] = []
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(_WAIT_MS)
    opened.on("pageerror", lambda error: broken.append(str(error)))
    opened.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)
    ours = (server.url, "data:", "blob:")
    opened.on("request", lambda request: request.url.startswith(ours) or broken.append(request.url))
    opened.goto(server.url)
    opened.locator("#picture input[type=file]").wait_for(state="attached")
    yield opened
    opened.close()
    assert broken == []


def drop(page, name: str, data: bytes, kind: str = "image/png") -> None:
    """Drops a file on the page, as with the mouse."""
    transfer = page.evaluate_handle(
        """([name, bytes, kind]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], name, {type: kind}));
            return transfer;
        }""",
        [name, list(data), kind],
    )
    page.locator("#picture button").filter(has=page.locator("input[type=file]")).first.dispatch_event(
        "drop", {"dataTransfer": transfer}
    )


def test_drop_see_slide_turn_round_and_download(page, server, file, tmp_path):
    given = file(48, 40)
    drop(page, "portrait.png", given)
    page.locator("#result img").nth(1).wait_for()
    playwright.expect(page.locator("#said")).to_contain_text("40 × 48 px, PNG")
    downloads = []
    for way in ("women → men", "men → women"):
        if downloads:
            after = page.locator("#result img").nth(1)
            shown = {page.locator("#result img").nth(index).get_attribute("src") for index in (0, 1)}
            page.get_by_text(way, exact=True).click()
            for old in shown:
                playwright.expect(after).not_to_have_attribute("src", old)
        with page.expect_download() as coming:
            page.locator("#save").click()
        coming.value.save_as(tmp_path / "saved.png")
        downloads.append((coming.value.suggested_filename, (tmp_path / "saved.png").read_bytes()))
    assert [name for name, _ in downloads] == ["portrait-men.png", "portrait-women.png"]
    for (_, data), to in zip(downloads, "ba", strict=True):
        answer = httpx.post(f"{server.url}/v1/translate?to={to}", content=given, trust_env=False)
        ours, theirs = (np.asarray(Image.open(io.BytesIO(one))).astype(int) for one in (data, answer.content))
        assert np.abs(ours - theirs).max() <= 1  # all of the quality, not what the page shows
    before = shown_pixels(page)
    box = page.locator("#result").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, middle, steps=4)
    page.mouse.up()
    page.wait_for_timeout(300)
    changed = np.abs(before - shown_pixels(page)).sum(axis=(0, 2)) > 1000
    width = len(changed)
    # What lies between the old and the new place of the line shows the other image; all else is as it was.
    assert changed[int(width * 0.55) : int(width * 0.75)].mean() > 0.8
    assert not changed[: int(width * 0.4)].any()
    assert not changed[int(width * 0.9) :].any()


def shown_pixels(page) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.locator("#result").screenshot())).convert("RGB")).astype(int)


def test_wrong_files_show_the_reason(page, file):
    whole = file(64, 64)
    drop(page, "broken.png", whole[: len(whole) // 2])
    toast = page.get_by_text("The image cannot be used")
    toast.wait_for()
    assert "damaged or cut short" in toast.inner_text()
    page.reload()
    page.locator("#picture input[type=file]").wait_for(state="attached")
    drop(page, "letter.png", b"Dear Sir or Madam")
    page.get_by_text("is no image of a kind that can be read here").wait_for()


def test_an_example_is_translated(page):
    playwright.expect(page.locator("#examples img")).to_have_count(8)
    page.locator("#examples img").first.click()
    playwright.expect(page.locator("#said")).to_contain_text("256 × 256 px")


def shown_before(page) -> np.ndarray:
    """The pixels of the image that the slider shows as it was."""
    playwright.expect(page.locator("#said")).to_contain_text(" px, ", timeout=_WAIT_MS)
    source = page.locator("#result img").first.get_attribute("src")
    return np.asarray(Image.open(io.BytesIO(httpx.get(source, trust_env=False).content)).convert("RGB")).astype(int)


def test_a_picture_is_taken_with_the_webcam(page):
    """Chromium's own camera: green, with a circle that is filled as time goes."""
    page.context.grant_permissions(["camera"])
    page.get_by_label("Capture from camera").click()
    page.get_by_text("Click to Access Webcam").click()
    page.wait_for_function("document.querySelector('video')?.videoWidth > 0")  # before, there is nothing to capture
    page.get_by_label("capture photo").click()
    pixels = shown_before(page)
    assert np.abs(np.median(pixels, axis=(0, 1)) - (0, 136, 0)).max() < 12
    assert pixels.std() > 5, "no empty image"


PUT_ON_THE_CLIPBOARD = """async ([bytes]) => {
    const image = new Blob([new Uint8Array(bytes)], {type: "image/png"});
    await navigator.clipboard.write([new ClipboardItem({"image/png": image})]);
}"""


def test_a_picture_is_pasted_from_the_clipboard(page, file):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    given = file(30, 50)
    page.evaluate(PUT_ON_THE_CLIPBOARD, [list(given)])
    page.get_by_label("Paste from clipboard").click()
    assert np.array_equal(shown_before(page), np.asarray(Image.open(io.BytesIO(given)).convert("RGB")))


def film(path: Path) -> bytes:
    av = pytest.importorskip("av", reason="needs pip install 'viceversa[video]'")
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(6):
            pixels = np.full((48, 64, 3), 40 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()


def test_a_film_is_translated(page, tmp_path):
    film(tmp_path / "short.mp4")
    page.get_by_role("tab", name="Video").click()
    page.locator("#video input[type=file]").set_input_files(tmp_path / "short.mp4")
    page.locator("#video video").wait_for()
    page.locator("#start-video").click()
    page.locator("#made-video video").wait_for()
    source = page.locator("#made-video video").get_attribute("src")
    (tmp_path / "made.mp4").write_bytes(httpx.get(source, trust_env=False).content)
    import av

    with av.open(tmp_path / "made.mp4") as made:
        frames = [frame.to_ndarray(format="rgb24") for frame in made.decode(video=0)]
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 6


def test_page_fits_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    fonts = page.evaluate("Array.from(document.fonts).filter(font => font.status != 'unloaded').length")
    assert fonts == 0
