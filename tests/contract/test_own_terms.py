"""A loss of one's own is a few lines: what the guide shows runs, and what is logged and shown besides is there."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from viceversa import train
from viceversa.errors import ConfigError
from viceversa.losses import Term
from viceversa.methods import METHODS, Method, Update
from viceversa.methods.cyclegan import CycleGAN
from viceversa.training.charts import charts
from viceversa.training.record import read

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "own-methods.md"


@pytest.fixture
def own() -> Iterator[None]:
    """Methods that a test defines are gone after it."""
    before = dict(METHODS)
    yield
    METHODS.clear()
    METHODS.update(before)


@pytest.fixture
def of_the_guide(own: None) -> type[Method]:
    """The method of the guide's first example."""
    found = re.search(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    assert found
    assert len([line for line in found[1].split("class ")[1].splitlines() if line.strip()]) <= 6
    exec(compile(found[1], str(GUIDE), "exec"), {"__name__": "guide"})
    return list(METHODS.values())[-1]


def test_the_guides_loss_is_trained_with_and_resumed(of_the_guide, tiny, tmp_path, assert_same_run, stop_at_line):
    name = of_the_guide.name
    assert train(tiny(name, tmp_path / "whole"), quiet=True).finished
    stop_at_line(tmp_path / "parted", 3)
    assert not train(tiny(name, tmp_path / "parted"), quiet=True).finished
    assert train(tiny(name, tmp_path / "parted"), quiet=True).finished
    assert_same_run(tmp_path / "whole", tmp_path / "parted")
    record = read(tmp_path / "whole")
    assert "brightness" in record.losses.of("distance")
    assert json.loads((tmp_path / "whole" / "config.json").read_text())["method"]["name"] == name


def test_what_a_method_logs_and_shows_is_in_the_run(own, tiny, tmp_path, assert_same_run, stop_at_line):
    class Telling(CycleGAN):
        """Says how bright its fakes are, and shows them."""

        name = "telling"

        def step(self, batch, iteration):
            for update in super().step(batch, iteration):
                if update.group == "generators":
                    ready = torch.ones(()) * iteration.number
                    update = replace(update, log={"number": ready, "two": 2}, images={"of a/b": batch[0]})
                yield update

        def generator_terms(self, batch, out, iteration):
            terms = super().generator_terms(batch, out, iteration)
            return terms | {"plain": out.fake_a.square().mean(), "strange": Term(out.fake_b.abs().mean(), "other")}

    for run in "whole", "parted":
        if run == "parted":
            stop_at_line(tmp_path / run, 2)
            train(tiny("telling", tmp_path / run, log_every=4), quiet=True)
        assert train(tiny("telling", tmp_path / run, log_every=4), quiet=True).finished
    assert_same_run(tmp_path / "whole", tmp_path / "parted")
    lines = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert [line["scalars"] for line in lines if "losses" in line] == [
        {"number": mean, "two": 2} for mean in (1.5, 5.5, 9.5)
    ]
    assert {"plain", "strange"} <= {name for line in lines for name in line.get("losses", {})}
    shown = {chart["title"]: [curve["name"] for curve in chart["curves"]] for chart in charts(read(tmp_path / "whole"))}
    assert shown["Other losses"] == ["plain", "strange"]
    assert shown["Logged: number"] == ["number"]
    page = (tmp_path / "whole" / "report.html").read_text()
    assert page.count("<img") == 1
    assert "of a b, 12 images" in page, "the newest of what it shows"
    sheets = {path.name for path in (tmp_path / "whole" / "samples").iterdir()}
    assert sheets == {f"{images:08d}{of}.jpg" for images in (3, 12) for of in ("", "-of_a_b")}
    for path in (tmp_path / "whole" / "samples").iterdir():
        assert path.read_bytes() == (tmp_path / "parted" / "samples" / path.name).read_bytes()


@pytest.mark.parametrize(("besides", "words"), [("images", r"\(N, C, H, W\); got \(2, 3\)"), ("log", "a scalar")])
def test_what_cannot_be_logged_or_shown_is_told_where_it_is_made(besides, words):
    with pytest.raises(ConfigError, match=rf"Update.{besides}\['x'\] must be {words}"):
        Update("generator", {"l1": torch.zeros(())}, **{besides: {"x": torch.zeros(2, 3)}})


def test_images_are_kept_only_where_a_sheet_is_due(tiny, make_trainer, tmp_path):
    trainer, kept = make_trainer(tiny("cyclegan", tmp_path, images=4)), []
    step = trainer.method.step
    trainer.method.step = lambda batch, iteration: (
        Update(update.group, update.terms, images={"a": batch[0]}) for update in step(batch, iteration)
    )
    trainer.shows = lambda images: images == 2
    trainer.run(lambda trainer: kept.append(len(trainer.images)))
    assert kept == [0, 1, 0, 0]
