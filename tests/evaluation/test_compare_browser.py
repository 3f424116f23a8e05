"""The page of a comparison in a real browser."""

from pathlib import Path

import numpy as np
import pytest
import torch

from viceversa.evaluation.bootstrap import Figure
from viceversa.evaluation.compared import Compared
from viceversa.evaluation.comparison import Comparison, Sheet
from viceversa.evaluation.comparison_page import to_html
from viceversa.evaluation.translation import Direction, Evaluation, Scores
from viceversa.inference.translator import Translator
from viceversa.networks import UNetConfig, UNetGenerator

CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists():
    pytest.skip("needs /usr/bin/chromium", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")

HOSTILE = "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
SIDE = 64


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


def grey(value: int) -> np.ndarray:
    """Three images, each a little brighter than the one before."""
    return np.stack([np.full((SIDE, SIDE, 3), value + 5 * index, np.uint8) for index in range(3)])


def comparison(*names: str, domain: str = "women", truth: bool = False) -> Comparison:
    """Two directions of images that are black as input, and the lighter the later their model."""
    network = UNetGenerator(UNetConfig(width=4, levels=2))
    translator = Translator({"a2b": network, "b2a": network}, domains={"a": domain, "b": "men"}, size_px=SIDE)
    scores = Scores(frechet=Figure(value=1.0, low=0.5, high=1.5), rate=Figure(value=0.5, low=0.4, high=0.6))
    directions = tuple(
        Direction(
            name=name, source=source, target=target, pictures=3, measured=3, reference=9,
            translated=scores, untranslated=scores, real=scores, mean=None,
        )
        for name, source, target in (("a2b", domain, "men"), ("b2a", "men", domain))
    )  # fmt: skip
    evaluation = Evaluation(
        features=domain, published_fid=False, features_digest="x", dimensions=2, judge_accuracy={"a": 1.0, "b": 1.0},
        judge_pictures={"a": 9, "b": 9}, size_px=SIDE, held_out="test", directions=directions, notes=(domain,),
    )  # fmt: skip
    columns = [("input", grey(0)), *([("truth", grey(40))] if truth else [])]
    columns += [(name, grey(100 + 100 * index % 150)) for index, name in enumerate(names)]
    return Comparison(
        models=tuple(
            Compared(name=name, path=Path("x"), translator=translator, method=domain, settings={domain: name})
            for name in names
        ),
        evaluations=(evaluation,) * len(names),
        seconds=(0.01,) * len(names),
        machine=domain,
        sheets=tuple(
            Sheet(name=one.name, source=one.source, target=one.target, columns=tuple(columns)) for one in directions
        ),
        warnings=(domain,),
    )


@pytest.fixture
def opened(page, tmp_path):
    """Opens the page of a comparison from disk."""

    def go(made: Comparison):
        (tmp_path / "page.html").write_bytes(to_html(made))
        page.goto((tmp_path / "page.html").as_uri())
        return page

    return go


def brightness(page, x: float) -> int:
    """Of the pixel of the enlargement at a share of its width, as it is seen."""
    import io

    from PIL import Image

    image = np.asarray(Image.open(io.BytesIO(page.locator("#stage").screenshot())).convert("L"))
    return int(image[image.shape[0] // 4, round(x * (image.shape[1] - 1))])


def test_a_click_enlarges_and_the_slider_goes_between_input_and_output(opened):
    page = opened(comparison("first", "second"))
    page.locator(".shots").first.get_by_role("button", name="women 1: second").click()
    playwright.expect(page.locator("#what")).to_have_text("women → men: second")
    assert [round(brightness(page, x), -1) for x in (0.2, 0.8)] == [0, 200]
    split = page.get_by_role("slider", name="Slider between input and second")
    split.focus()
    for _ in range(5):
        split.press("ArrowLeft")
    assert split.get_attribute("aria-valuetext") == "45 % input, 55 % second"
    split.fill("0")
    assert round(brightness(page, 0.2), -1) == 200
    split.fill("100")
    assert round(brightness(page, 0.8), -1) == 0
    page.locator("#against").select_option(label="first")
    assert round(brightness(page, 0.8), -1) == 100


def test_arrows_go_on_and_escape_closes(opened):
    page = opened(comparison("first", "second"))
    page.locator(".shots").last.get_by_role("button", name="men 1: first").focus()
    page.keyboard.press("Enter")
    place = page.locator("#place")
    assert place.inner_text() == "1 of 3"
    page.keyboard.press("ArrowRight")
    assert place.inner_text() == "2 of 3"
    assert brightness(page, 0.8) == 105
    page.keyboard.press("ArrowDown")
    assert page.locator("#what").inner_text() == "men → women: second"
    assert page.get_by_role("button", name="second", exact=True).last.get_attribute("aria-pressed") == "true"
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert place.inner_text() == "3 of 3"
    assert page.locator("#next").get_attribute("aria-disabled") == "true"
    page.keyboard.press("ArrowLeft")
    assert place.inner_text() == "2 of 3"
    page.keyboard.press("Escape")
    assert page.locator("#enlarged").is_hidden()
    # A dialog says a little later that it was closed.
    playwright.expect(page.locator(":focus")).to_have_attribute("title", "second")


def test_input_opens_the_first_model_and_the_truth_can_be_held_against_it(opened):
    page = opened(comparison("first", "second", truth=True))
    page.locator(".shots").first.get_by_role("button", name="women 1: input").click()
    assert page.locator("#what").inner_text() == "women → men: first"
    page.locator("#against").select_option(label="truth")
    assert round(brightness(page, 0.2), -1) == 40
    page.mouse.click(3, 3)  # outside
    assert page.locator("#enlarged").is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_the_screen(opened, scheme):
    opened(comparison("W" * 80, "second", "third", "x", truth=True)).emulate_media(color_scheme=scheme)
    page = opened(comparison("W" * 80, "second", "third", "x", truth=True))
    for width in (390, 768, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator(".cell").nth(2).click()
        box = page.locator("#enlarged").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert page.locator("#enlarged").evaluate("one => one.scrollWidth <= one.clientWidth")
        page.keyboard.press("Escape")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(21, 21, 20)") == (scheme == "dark")


def test_hostile_names_do_nothing(opened):
    page = opened(comparison(HOSTILE, "second", domain=HOSTILE))
    page.locator(".cell").nth(1).click()
    page.wait_for_timeout(100)
    assert page.locator("#what").inner_text() == f"{HOSTILE} → men: {HOSTILE}"
    assert page.title().startswith("</script>")
    assert page.locator("img:not([src^='data:'])").count() == 0


def test_a_page_stays_small(tmp_path):
    """Noise is what compresses worst."""
    made = comparison("first", "second")
    noise = torch.randint(0, 256, (6, 256, 256, 3), dtype=torch.uint8).numpy()
    large = tuple(
        Sheet(name=sheet.name, source="x", target="y", columns=tuple((title, noise) for title, _ in sheet.columns))
        for sheet in made.sheets
    )
    page = to_html(Comparison(**{**vars(made), "sheets": large})).decode()
    assert len(page) < 10e6
    assert "data:image/webp" in page
