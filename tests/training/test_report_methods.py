"""What the report of each method shows: its terms under the right words."""

import json

import pytest

from viceversa import train
from viceversa.methods import METHODS
from viceversa.training.charts import charts
from viceversa.training.record import read

GAME = "Generators against discriminators"
PARTS = "Discriminators, term by term"
DISTANCES = "Distances between pictures"
INFORMATION = "Information in the codes: how surely they are read back (lower: surer)"
CLASSES = "Cross-entropy of the classes (lower is better)"
ESTIMATE = "The critic's estimate of the distance from real pictures (to fall)"
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


def test_sheets_and_samples_call_a_code_by_one_name(tiny, tmp_path):
    train(tiny("infogan", tmp_path), quiet=True)
    columns = json.loads((tmp_path / "summary.json").read_text())["sample_columns"]
    classes = json.loads((tmp_path / "translator" / "config.json").read_text())["classes"]
    assert columns == classes == ["code 0", "code 1", "code 2"]


def test_sheets_name_the_classes_of_the_data(tiny, tmp_path):
    train(tiny("cgan", tmp_path), quiet=True)
    assert json.loads((tmp_path / "summary.json").read_text())["sample_columns"] == ["a", "b"]
