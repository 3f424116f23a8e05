"""The report of a run: what is in it, whatever the run folder looks like."""

import base64
import html
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from viceversa.errors import TrainingError
from viceversa.training.charts import charts
from viceversa.training.findings import findings
from viceversa.training.log import MetricsLog
from viceversa.training.record import read, thin_evenly
from viceversa.training.report import _smaller, write_report


def page_of(run: Path) -> str:
    assert write_report(run) == run / "report.html"
    return (run / "report.html").read_text(encoding="utf-8")


def data_of(page: str) -> dict:
    return json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[0])


def text_of(page: str) -> str:
    """What a reader sees, without the script's data."""
    body = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", body)))


def save_sample(run: Path, images: int, width: int = 48, height: int = 32, noise: int = 0) -> None:
    (run / "samples").mkdir(exist_ok=True)
    pixels = np.full((height, width, 3), images % 251, np.uint8)
    if noise:
        pixels = np.random.default_rng(images).integers(0, noise, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(run / "samples" / f"{images:08d}.jpg", quality=95)


def lines_of(count: int, **losses: float) -> list[dict]:
    return [{"images": 10 * (index + 1), "losses": losses} for index in range(count)]


@pytest.fixture
def run(tmp_path) -> Path:
    """A run at 60 % of 2000 images."""
    log = MetricsLog(tmp_path)
    for images in range(100, 1300, 100):
        losses = {"gan_a2b": 0.5, "gan_b2a": 0.4, "cycle_a": 3.0, "d_a_real": 0.2, "d_a_fake": 0.25}
        log.losses(images, epoch=images / 459, learning_rate=0.0002, losses=losses)
        log.timing(images, seconds=images / 5, images_per_second=5.0, memory_bytes=3 * 2**29)
        if images % 600 == 0:
            log.metrics(images, {"l1": 30 / images, "ssim": images / 2000, "oddness": 7})
        save_sample(tmp_path, images)
    config = {"format": 1, "method": {"name": "cyclegan", "data": {"size_px": 64}, "lambda_cycle": 10.0}, "seed": 0}
    (tmp_path / "config.json").write_text(json.dumps(config))
    summary = {
        "method": "cyclegan",
        "domains": {"a": "women", "b": "men"},
        "total_images": 2000,
        "weights": {"generators": 5_700_000, "discriminators": 5_530_000},
        "device": "CPU",
        "precision": "bf16-mixed",
        "pictures": {"a": 459, "b": 502},
        "skipped": [{"path": "men/broken.jpg", "reason": "is cut short"}],
    }
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    return tmp_path


def change_summary(run: Path, **changes) -> None:
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps({**summary, **changes}))


def test_header_says_what_how_far_how_fast(run):
    text = text_of(page_of(run))
    for expected in (
        "viceversa · cyclegan · 64 px women ⇄ men",
        "1,200 of 2,000 images · 60.0 % · epoch 2.6",
        "State training",
        "Elapsed 4 min 00 s",
        "Left 2 min 40 s",
        "Speed 5 images/s",
        "Memory 1.5 GiB",
        "Renewed ",
    ):
        assert expected in text


def test_details_show_weights_pictures_config_and_skipped(run):
    text = text_of(page_of(run))
    for expected in (
        "generators 5.70 M discriminators 5.53 M",
        "women 459 men 502",
        "device CPU precision bf16-mixed",
        "1 file was skipped men/broken.jpg is cut short",
        "method.data.size_px 64 method.lambda_cycle 10",
    ):
        assert expected in text


def test_metrics_show_last_and_best_where_better_is_known(run):
    text = text_of(page_of(run))
    assert "last best at l1 0.025 0.025 1,200 images ssim 0.6 0.6 1,200 images oddness 7 – –" in text


def test_truth_is_shown_as_tables_and_percentages(run):
    truth = {
        "must_change": {
            "beard": {"translated": 0.041, "doing_nothing": 0.33},
            "hair": {"translated": 0, "doing_nothing": 1},
        },
        "changed_share": 0.931,
        "kept_percent": 88,
        "pictures": 200,
        "good": True,
        "nothing": None,
        "odd": {},
    }
    (run / "truth.json").write_text(json.dumps(truth))
    text = text_of(page_of(run))
    assert "must change translated doing nothing beard 0.041 0.33 hair 0 1" in text
    assert "changed share 93.1 % kept percent 88.0 % pictures 200 good yes nothing – odd –" in text


def test_page_renews_itself_only_while_training(run):
    page = page_of(run)
    assert '<meta http-equiv="refresh" content="60">' in page
    assert data_of(page)["renewSeconds"] == 60
    change_summary(run, state="stopped")
    page = page_of(run)
    assert 'http-equiv="refresh"' not in page
    assert data_of(page)["renewSeconds"] == 0
    assert "State stopped" in text_of(page)
    change_summary(run, state="training", total_images=1200)
    page = page_of(run)
    assert 'http-equiv="refresh"' not in page
    assert data_of(page)["renewSeconds"] == 0
    assert "State finished" in text_of(page)


@pytest.mark.parametrize(
    ("kind", "columns", "said"),
    [
        ("test", ["input", "output"], "Images of the test folder, which are not trained on."),
        ("held out", ["input", "output"], "Images that were held out of training."),
        ("training", ["input", "output"], "Images that are trained on: none were there to be held out."),
        ("held out", ["code 0", "code 1"], "Made of always the same noise."),
        (["odd"], ["input"], ""),
    ],
)
def test_the_sheets_say_which_pictures_they_show(run, kind, columns, said):
    change_summary(run, held_out=kind, sample_columns=columns)
    assert f"Samples {said} Play".replace("  ", " ") in text_of(page_of(run))


def test_direction_of_the_title(run):
    def title(**config_data) -> str:
        (run / "config.json").write_text(json.dumps({"method": {"data": config_data}}))
        return re.findall("<title>(.*)</title>", page_of(run))[0]

    assert title() == "women ⇄ men"
    assert title(direction="a2b") == "women → men"
    assert title(direction="b2a") == "men → women"
    change_summary(run, domains={})
    assert title() == "A training run"


def test_page_needs_nothing_from_outside(run):
    page = page_of(run)
    outside = re.findall(r"""(?:src|href|url|@import|import)\s*[=(]?\s*["']?(https?:|//|file:)[^"')\s]*""", page)
    assert outside == []
    assert re.findall(r'https?://[^"\s]+', page) == ["http://www.w3.org/2000/svg"]  # a name, never fetched
    assert "default-src 'none'" in page


@pytest.mark.parametrize("gone", ["config.json", "summary.json", "metrics.jsonl", "timing.jsonl", "samples"])
def test_any_part_may_be_missing(run, gone):
    path = run / gone
    path.rename(run / "elsewhere")
    assert "1,200" in text_of(page_of(run))


def test_empty_folder_gives_a_page(tmp_path):
    assert "A training run" in text_of(page_of(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    "damage",
    [
        b'{"images": 1300, "losses": {"gan_a',
        b"\x00\xff\n",
        b"[]\n3\nnull\n",
        b'{"images": "many", "losses": {"cycle_a": 1}}\n',
        b'{"images": 1250, "losses": [1, 2], "metrics": 3, "epoch": "x", "learning_rate": {}}\n',
        b'{"images": 1250, "losses": {"cycle_a": "x", "gan_a2b": null, "new": 1e999, "big": 1' + b"0" * 400 + b"}}\n",
        b"[" * 100_000,
        b'{"images": NaN}\n{"images": 1200, "losses": {"cycle_a": NaN, "cycle_b": -Infinity}}\n',
    ],
)
def test_damaged_lines_are_passed_over(run, damage):
    for name in ("metrics.jsonl", "timing.jsonl"):
        with (run / name).open("ab") as file:
            file.write(damage)
    page = page_of(run)
    assert "of 2,000 images · 6" in text_of(page)
    assert next(chart for chart in data_of(page)["charts"] if chart["title"] == "Distances between images")


ODD_SUMMARY = '{"domains": 3, "skipped": 7, "weights": [], "pictures": null, "state": 0}'


@pytest.mark.parametrize("content", ["", "[1]", "{", ODD_SUMMARY])
def test_damaged_json_files_are_passed_over(run, content):
    for name in ("config.json", "summary.json", "truth.json"):
        (run / name).write_text(content)
    assert "1,200" in text_of(page_of(run))


def test_damaged_samples_are_passed_over(run):
    (run / "samples" / "00001300.jpg").write_bytes(b"")
    (run / "samples" / "00001400.jpg").write_text("no image")
    (run / "samples" / "00001500.jpg").symlink_to("nowhere")
    (run / "samples" / "notes.jpg").write_text("no image")
    assert [sample["images"] for sample in data_of(page_of(run))["samples"]] == list(range(100, 1300, 100))


HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{data}} {{nothing}} \\1 \\g<0>",
    "<!-- &lt; ]]> \u2028 😀 女 ♀",
    "broken \udcff name",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(run, name):
    change_summary(
        run,
        method=name,
        domains={"a": name, "b": "men"},
        sample_columns=[name, "output"],
        skipped=[{"path": name, "reason": name}],
        weights={name: 3},
        device=name,
        state=name,
    )
    (run / "config.json").write_text(json.dumps({name: name, "method": {name: {"x": name}, "data": {"size_px": name}}}))
    (run / "truth.json").write_text(json.dumps({name: {name: name}}))
    log = MetricsLog(run)
    log.losses(1250, epoch=3, learning_rate=0.1, losses={name: math.nan, "cycle_a": 1.0})
    log.metrics(1250, {name: 1.0})
    log.metrics(1260, {name: 1.0})
    page = page_of(run)
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img" not in page
    assert "<!--" not in page
    assert not re.search(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', '""', page.split("<script")[0]))
    shown = name.replace("\udcff", "?")
    text = text_of(page)
    assert re.sub(r"\s+", " ", shown) in text
    assert data_of(page)["columns"] == [name, "output"]
    assert any(chart["title"] == f"Metric: {name}" for chart in data_of(page)["charts"])


def test_pictures_are_the_files_themselves_while_they_are_small(run):
    for sample in data_of(page_of(run))["samples"]:
        header, content = sample["uri"].split(",")
        assert header == "data:image/jpeg;base64"
        assert base64.b64decode(content) == (run / "samples" / sample["file"]).read_bytes()
        assert (sample["width"], sample["height"]) == (48, 32)


def test_many_samples_are_thinned_evenly_and_keep_both_ends(run):
    for images in range(0, 30_000, 100):
        save_sample(run, images)
    seen = [sample["images"] for sample in data_of(page_of(run))["samples"]]
    assert (seen[0], seen[-1]) == (0, 29_900)
    assert 30 <= len(seen) <= 60
    assert len(set(np.diff(seen)[:-1])) == 1


@pytest.mark.parametrize("count", [0, 1, 2, 3, 59, 60, 61, 62, 119, 120, 121, 500])
def test_thinning(count):
    kept = thin_evenly(range(count), 60)
    assert len(kept) <= 60
    assert len(kept) >= min(count, 30)
    if count:
        assert (kept[0], kept[-1]) == (0, count - 1)
    if count <= 60:
        assert kept == list(range(count))


def test_large_samples_are_made_smaller_once(run):
    for images in range(0, 1600, 100):
        save_sample(run, images, width=768, height=1024, noise=256)
    assert sum(path.stat().st_size for path in (run / "samples").iterdir()) > 12_000_000
    page = page_of(run)
    assert len(page) < 15_000_000
    samples = data_of(page)["samples"]
    assert len(samples) == 16
    for sample in samples:
        picture = Image.open(io.BytesIO(base64.b64decode(sample["uri"].split(",")[1])))
        picture.load()
        assert 100 < picture.width <= 768
        assert 1.3 < picture.height / picture.width < 1.36
    assert samples[-1]["uri"].endswith(base64.b64encode((run / "samples/00001500.jpg").read_bytes()).decode()[-99:])
    before = _smaller.cache_info()
    assert data_of(page_of(run))["samples"] == samples
    after = _smaller.cache_info()
    assert (after.hits, after.misses) == (before.hits + 16, before.misses), "no image is made smaller twice"


def test_sixty_samples_of_100_kb_go_in_as_they_are(run):
    for path in (run / "samples").iterdir():
        path.unlink()
    for images in range(60):
        save_sample(run, images, width=192, height=512, noise=256)
    assert sum(path.stat().st_size for path in (run / "samples").iterdir()) > 60 * 80_000
    before, page = _smaller.cache_info(), page_of(run)
    after = _smaller.cache_info()
    assert (after.hits, after.misses) == (before.hits, before.misses), "making them smaller would take seconds"
    shown = [base64.b64decode(sample["uri"].split(",")[1]) for sample in data_of(page)["samples"]]
    assert shown == [path.read_bytes() for path in sorted((run / "samples").iterdir())]


def test_charts_separate_the_game_from_distances(run):
    made = {chart["title"]: [curve["name"] for curve in chart["curves"]] for chart in charts(read(run))}
    assert made == {
        "Generators against discriminators": ["gan_a2b", "gan_b2a", "d_a"],
        "Distances between images": ["cycle_a"],
        "Discriminators, term by term": ["d_a_real", "d_a_fake"],
        "Learning rate": ["learning rate"],
        "Images per second": ["images/s"],
        "Metric: l1": ["l1"],
        "Metric: ssim": ["ssim"],
        "Metric: oddness": ["oddness"],
    }
    game = charts(read(run))[0]
    assert [curve["dashed"] for curve in game["curves"]] == [False, False, True]
    assert game["curves"][2]["values"][0] == pytest.approx(0.45)


def test_long_curves_are_thinned_by_averaging(tmp_path):
    log = tmp_path / "metrics.jsonl"
    values = np.random.default_rng(0).uniform(size=2500)
    lines = [{"images": index, "losses": {"cycle": float(value)}} for index, value in enumerate(values)]
    lines[3]["losses"]["cycle"] = None
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (chart,) = charts(read(tmp_path))
    assert len(chart["images"]) == len(chart["curves"][0]["values"]) == 834
    assert chart["images"][:2] == [1.0, 4.0]
    expected = [values[:3].mean(), values[4:6].mean()]
    assert chart["curves"][0]["values"][:2] == pytest.approx(expected, rel=1e-5)


def test_healthy_run_has_no_findings(run):
    assert findings(read(run).lines) == []
    assert "<li>" not in page_of(run).split("<main>")[0]


def test_finding_of_a_discriminator_that_wins(run):
    fine = lines_of(40, gan_a2b=0.5, d_a_real=0.2, d_a_fake=0.2, d_b_real=0.01, d_b_fake=0.2, d_b_penalty=0.0)
    lost = lines_of(10, gan_a2b=1.0, d_a_real=0.004, d_a_fake=0.005, d_b_real=0.01, d_b_fake=0.2, d_b_penalty=0.0)
    (found,) = findings(fine + lost)
    assert found.startswith("The discriminator wins: d_a stayed below 0.02 in the last fifth of the log")
    assert "fewer layers" in found
    assert findings(fine + lost[:5]) == []
    assert findings(lost[:5]) == [], "too early to tell"
    assert findings(lines_of(50, d=-0.001)) == [], "a critic's loss may be anything"
    assert findings(lines_of(50, d_real=-0.4, d_fake=0.409)) == [], "0.009 is what a critic may well lose"


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_finding_of_a_number_that_is_none(run, value):
    lines = [*lines_of(3, cycle=1.0), {"images": 12_340, "losses": {"cycle": value}}]
    (found,) = findings(lines)
    assert found.startswith("Not a number: the term cycle was NaN or infinite at 12,340 images.")
    assert "learning rate" in found


def test_finding_of_training_that_drifts_apart():
    values = [3] * 10 + [1] * 10 + [4] * 10
    lines = [{"images": i, "losses": {"cycle_a": value, "gan": value}} for i, value in enumerate(values)]
    (found,) = findings(lines)
    assert found.startswith("Training drifts apart: cycle_a is now 4.0 times its lowest level.")


def test_findings_are_on_the_page(run):
    MetricsLog(run).losses(1300, epoch=3, learning_rate=0.1, losses={"cycle_a": math.nan})
    assert "Not a number: the term cycle_a was NaN or infinite at 1,300 images." in text_of(page_of(run))


def test_report_that_cannot_be_written_is_told_in_one_sentence(tmp_path):
    with pytest.raises(TrainingError, match=r"Cannot write .*report\.html \(No such file or directory\)"):
        write_report(tmp_path / "gone")


def test_renewal_leaves_no_other_files(run):
    before = {path.name for path in run.iterdir()}
    write_report(run)
    write_report(run)
    assert {path.name for path in run.iterdir()} == before | {"report.html"}
