"""The report in a real browser."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from viceversa.training.log import MetricsLog
from viceversa.training.report import write_report

CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists():
    pytest.skip("needs /usr/bin/chromium", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")

HOSTILE = "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        chromium = started.chromium.launch(executable_path=str(CHROMIUM), args=quiet)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    """A page that fails the test for any message on its console, any error and any request to elsewhere."""
    messages: list[str] = []
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.on("console", lambda message: messages.append(message.text))
    opened.on("pageerror", lambda error: messages.append(str(error)))
    opened.on("request", lambda request: request.url.startswith(("file:", "data:")) or messages.append(request.url))
    yield opened
    opened.close()
    assert messages == []


def write_run(run: Path, *, name: str = "women", until: int = 1200, total: int = 2000, sheet=(192, 1024)) -> str:
    log = MetricsLog(run)
    (run / "samples").mkdir(exist_ok=True)
    for images in range(100, until + 1, 100):
        losses = {"gan_a2b": 0.5 + images / 9000, "cycle_a": 300 / images, "d_a_real": 0.2, "d_a_fake": 0.25}
        log.losses(images, epoch=images / 459, learning_rate=0.0002, losses=losses)
        log.timing(images, seconds=images / 5, images_per_second=5.0, memory_bytes=2**30)
        picture = np.full((sheet[1], sheet[0], 3), images * 255 // until, np.uint8)
        Image.fromarray(picture).save(run / "samples" / f"{images:08d}.jpg")
    summary = {"method": "cyclegan", "domains": {"a": name, "b": "men"}, "total_images": total}
    (run / "summary.json").write_text(json.dumps(summary))
    (run / "config.json").write_text(json.dumps({"seed": 0, "out": "x" * 300}))
    return write_report(run).as_uri()


def colour(page, selector: str = "#current img") -> list[int]:
    """The colour in the middle of an image as the browser decoded it."""
    return page.evaluate(
        """async (selector) => {
            const image = document.querySelector(selector);
            await image.decode();
            const canvas = document.createElement("canvas");
            canvas.width = canvas.height = 1;
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0, 1, 1);
            return Array.from(context.getImageData(0, 0, 1, 1).data.slice(0, 3));
        }""",
        selector,
    )


def slide_to(page, index: int) -> None:
    page.locator("#time").fill(str(index))


def test_moving_the_slider_changes_the_picture(page, tmp_path):
    page.goto(write_run(tmp_path))
    assert page.locator("#seen").inner_text() == "1,200 images"
    assert colour(page) == [255, 255, 255]
    slide_to(page, 0)
    assert page.locator("#seen").inner_text() == "100 images"
    assert max(colour(page)) < 30
    assert max(colour(page, "#first img")) < 30
    assert min(colour(page, "#last img")) == 255
    page.locator("#time").press("ArrowRight")
    assert page.locator("#seen").inner_text() == "200 images"


def test_a_tall_sheet_is_cut_between_rows_and_nothing_of_it_is_lost(page, tmp_path):
    page.goto(write_run(tmp_path))
    parts = page.locator("#current .window")
    assert parts.count() == 2
    shown = [parts.nth(index).bounding_box() for index in range(2)]
    assert shown[0]["y"] == shown[1]["y"]
    for index, box in enumerate(shown):
        picture = parts.nth(index).locator("img").bounding_box()
        assert box["height"] == pytest.approx(picture["height"] / 2, abs=1)
        assert box["y"] - picture["y"] == pytest.approx(index * picture["height"] / 2, abs=1)
    assert page.locator("#current .titles").first.inner_text().split("\n") == ["input", "output", "back again"]


def test_playing_runs_to_the_end_and_stops(page, tmp_path):
    page.goto(write_run(tmp_path, until=300))
    page.get_by_role("button", name="Play").click()
    assert page.locator("#seen").inner_text() == "100 images"
    playwright.expect(page.locator("#seen")).to_have_text("300 images")
    playwright.expect(page.locator("#play")).to_have_text("Play")


def test_what_the_reader_set_survives_the_renewal(page, tmp_path):
    page.goto(write_run(tmp_path))
    slide_to(page, 4)
    page.locator("#zoom").select_option("2")
    page.locator("#logarithmic").check()
    page.locator("#config summary").click()
    page.get_by_role("button", name="cycle_a").click()
    page.evaluate("scrollTo(0, 500)")
    write_run(tmp_path, until=1500)
    page.reload()
    assert "1,500" in page.locator(".seen").inner_text()
    assert page.locator("#seen").inner_text() == "500 images"
    assert page.locator("#zoom").input_value() == "2"
    assert page.locator("#logarithmic").is_checked()
    assert page.locator("#config").get_attribute("open") is not None
    assert page.get_by_role("button", name="cycle_a").get_attribute("aria-pressed") == "false"
    for _ in range(50):  # browsers scroll a little after everything else is there
        if page.evaluate("scrollY") == 500:
            break
        page.wait_for_timeout(100)
    assert page.evaluate("scrollY") == 500


def test_reader_at_the_newest_sample_stays_at_the_newest(page, tmp_path):
    page.goto(write_run(tmp_path))
    slide_to(page, 3)
    slide_to(page, 11)
    write_run(tmp_path, until=1500)
    page.reload()
    assert page.locator("#seen").inner_text() == "1,500 images"


def test_page_renews_itself_while_training_and_not_after(page, tmp_path):
    page.clock.install()
    page.goto(write_run(tmp_path))
    write_run(tmp_path, until=2000)
    page.clock.run_for(61_000)
    playwright.expect(page.locator(".seen")).to_contain_text("2,000 of")
    write_run(tmp_path, until=2100)
    page.clock.run_for(200_000)
    page.wait_for_timeout(200)
    assert page.locator(".seen").inner_text().startswith("2,000")


def test_curves_show_values_under_the_pointer_and_by_arrow_keys(page, tmp_path):
    page.goto(write_run(tmp_path))
    chart = page.locator(".chart").filter(has_text="Distances between images")
    page.locator("#smoothing").fill("0")
    assert "at 1,200 images" in chart.inner_text()
    assert "0.25" in chart.locator(".legend").inner_text()
    chart.locator("svg").first.hover(position={"x": 46, "y": 100})
    assert "at 100 images" in chart.inner_text()
    assert chart.locator(".legend b").inner_text() == "3"
    page.mouse.move(5, 5)
    chart.locator("svg").first.press("ArrowLeft")
    assert "at 1,100 images" in chart.inner_text()


def test_dragging_over_a_curve_enlarges_all_curves_and_a_button_takes_it_back(page, tmp_path):
    page.goto(write_run(tmp_path))
    chart = page.locator(".chart svg[role=img]").first
    chart.scroll_into_view_if_needed()
    before = page.locator(".chart path").last.get_attribute("d")
    box = chart.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 100)
    page.mouse.up()
    assert page.locator(".chart path").last.get_attribute("d") != before
    page.get_by_role("button", name="Show the whole run").click()
    page.mouse.move(5, 5)
    assert page.locator(".chart path").last.get_attribute("d") == before


def test_curves_stay_inside_their_charts(page, tmp_path):
    page.goto(write_run(tmp_path))
    for logarithmic in (False, True):
        page.locator("#logarithmic").set_checked(logarithmic)
        assert "NaN" not in page.locator("#charts").inner_html()
        assert page.locator(".chart path").count() >= 6


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_the_screen(page, tmp_path, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(write_run(tmp_path, name="W" * 200))
    page.locator("#config summary").click()
    for width in (390, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(21, 21, 20)") == (scheme == "dark")


def test_hostile_name_does_nothing(page, tmp_path):
    page.goto(write_run(tmp_path, name=HOSTILE))
    page.wait_for_timeout(100)
    assert page.locator("h1").inner_text() == f"{HOSTILE} → men"
    assert page.title().startswith("</script>")
    assert page.locator("h1 img").count() == 0


@pytest.mark.parametrize("present", ["nothing", "one sample", "one line"])
def test_page_of_a_run_that_has_just_begun(page, tmp_path, present):
    if present == "one sample":
        (tmp_path / "samples").mkdir()
        Image.new("RGB", (96, 64)).save(tmp_path / "samples" / "00000000.jpg")
    elif present == "one line":
        MetricsLog(tmp_path).losses(100, epoch=0.1, learning_rate=0.1, losses={"cycle": 1.0})
    page.goto(write_report(tmp_path).as_uri())
    assert page.locator("#samples").is_visible() == (present == "one sample")
    assert page.locator("#curves").is_hidden()
