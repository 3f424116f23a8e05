"""What the report of each method shows: its terms under the right words."""

import json
from pathlib import Path
from typing import Any

import pytest

from viceversa import train
from viceversa.methods import METHODS
from viceversa.training.charts import charts
from viceversa.training.record import read

GAME = "Generators against discriminators"
PARTS = "Discriminators, term by term"
DISTANCES = "Distances between images"
INFORMATION = "Information in the codes: how surely they are read back (lower: surer)"
CLASSES = "Cross-entropy of the classes (lower is better)"
ESTIMATE = "The critic's estimate of the distance from real images (to fall)"
CRITIC = "Critic and generator, term by term (levels mean nothing)"
PLAIN = {GAME: ["gan", "d"], PARTS: ["d_real", "d_fake"]}
SHOWN = {
    "gan": PLAIN,
    "dcgan": PLAIN,
    "cgan": PLAIN,
    "infogan": {**PLAIN, INFORMATION: ["q_categorical", "q_continuous", "g_categorical", "g_continuous"]},
    "wgan": {ESTIMATE: ["-(d_real + d_fake)"], CRITIC: ["d_real", "d_fake", "gan"]},
    "wgan-gp": {ESTIMATE: ["-(d_real + d_fake)"], CRITIC: ["d_real", "d_fake", "d_penalty", "gan"]},
    "vgg": {CLASSES: ["cross_entropy"]},
    "pix2pix": {GAME: ["gan", "d"], DISTANCES: ["l1"], PARTS: ["d_real", "d_fake"]},
    "cyclegan": {
        GAME: ["gan_a2b", "gan_b2a", "d_a", "d_b"],
        DISTANCES: ["cycle_a", "cycle_b", "identity_a", "identity_b"],
        PARTS: ["d_a_real", "d_a_fake", "d_b_real", "d_b_fake"],
    },
    "cartoongan": {GAME: ["gan", "d"], DISTANCES: ["content"], PARTS: ["d_real", "d_smoothed", "d_fake"]},
}
OF_LOSSES = {title for shown in SHOWN.values() for title in shown}


def test_every_method_is_asked():
    assert set(SHOWN) == set(METHODS)


@pytest.mark.parametrize("method", SHOWN)
def test_terms_stand_under_the_right_words(method, tiny, tmp_path):
    train(tiny(method, tmp_path), quiet=True)
    made = {chart["title"]: [curve["name"] for curve in chart["curves"]] for chart in charts(read(tmp_path))}
    assert {title: sorted(names) for title, names in made.items() if title in OF_LOSSES} == {
        title: sorted(names) for title, names in SHOWN[method].items()
    }
    assert {name for title, names in made.items() if "rate" in title for name in names} == (
        {"learning rate", "generator's learning rate"} if method == "infogan" else {"learning rate"}
    )


def test_the_critics_estimate_is_the_right_way_up(tmp_path):
    line = {"losses": {"d_a_real": -0.75, "d_a_fake": 0.25, "d_a_penalty": 9.0, "gan_b2a": -0.25}}
    lines = [json.dumps({"images": images, **line}) for images in (1, 2)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    estimate = charts(read(tmp_path))[0]
    assert estimate["title"] == ESTIMATE
    assert [curve["values"] for curve in estimate["curves"]] == [[0.5, 0.5]]
    assert estimate["curves"][0]["dashed"] is False


def test_the_generators_own_rate_follows_the_schedule(tiny, tmp_path):
    train(tiny("infogan", tmp_path, constant=0.0, generator_learning_rate=0.5, learning_rate=0.25), quiet=True)
    (chart,) = [chart for chart in charts(read(tmp_path)) if chart["title"] == "Learning rate"]
    common, own = (curve["values"] for curve in chart["curves"])
    assert common[0] > common[-1] > 0
    assert own == pytest.approx([2 * rate for rate in common], rel=1e-4)


def test_the_log_holds_the_rate_of_each_group_where_they_differ(tiny, tmp_path):
    settings = {"constant": 0.0, "generator_learning_rate": 0.5, "learning_rate": 0.25}
    train(tiny("infogan", tmp_path / "two", **settings), quiet=True)
    lines = logged(tmp_path / "two")
    assert len(lines) == 6
    for step, line in enumerate(lines):
        rate = line["learning_rate"]
        assert rate == 0.25 * (1 - step / 6)
        assert line["learning_rates"] == {"discriminator": rate, "generator": 2 * rate}
    train(tiny("infogan", tmp_path / "one", **{**settings, "generator_learning_rate": 0.25}), quiet=True)
    train(tiny("cyclegan", tmp_path / "other"), quiet=True)
    for run in "one", "other":
        assert all("learning_rate" in line and "learning_rates" not in line for line in logged(tmp_path / run))


def test_a_log_from_before_that_shows_the_same_curves(tiny, tmp_path):
    train(tiny("infogan", tmp_path, constant=0.0, generator_learning_rate=0.5, learning_rate=0.25), quiet=True)

    def curves() -> dict[str, list[float]]:
        (chart,) = [chart for chart in charts(read(tmp_path)) if chart["title"] == "Learning rate"]
        return {curve["name"]: curve["values"] for curve in chart["curves"]}

    now, log = curves(), tmp_path / "metrics.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines[:4]:
        line.pop("learning_rates", None)  # a run that was begun then, and went on now
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert now.keys() == {"learning rate", "generator's learning rate"}
    assert curves().keys() == now.keys()
    for name, values in now.items():
        assert curves()[name] == pytest.approx(values, rel=1e-5)


def test_rates_that_are_logged_go_before_those_of_the_settings(tmp_path):
    lines = [{"images": n, "learning_rate": 0.1, "learning_rates": {"d": 0.1, "g": 0.2 / n}} for n in (1, 2)]
    (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (tmp_path / "config.json").write_text(
        json.dumps({"method": {"optimizer": {"learning_rate": 1, "g_learning_rate": 9}}})
    )
    (chart,) = charts(read(tmp_path))
    assert {curve["name"]: curve["values"] for curve in chart["curves"]} == {
        "learning rate": [0.1, 0.1],
        "g's learning rate": [0.2, 0.1],
    }


def logged(run: Path) -> list[dict[str, Any]]:
    """The lines of the log that hold losses."""
    return [line for text in (run / "metrics.jsonl").read_text().splitlines() if "losses" in (line := json.loads(text))]


def test_sheets_and_samples_call_a_code_by_one_name(tiny, tmp_path):
    train(tiny("infogan", tmp_path), quiet=True)
    columns = json.loads((tmp_path / "summary.json").read_text())["sample_columns"]
    classes = json.loads((tmp_path / "translator" / "config.json").read_text())["classes"]
    assert columns == classes == ["code 0", "code 1", "code 2"]


def test_sheets_name_the_classes_of_the_data(tiny, tmp_path):
    train(tiny("cgan", tmp_path), quiet=True)
    assert json.loads((tmp_path / "summary.json").read_text())["sample_columns"] == ["a", "b"]
