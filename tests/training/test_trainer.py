"""What the trainer asks of a method's updates, and what it leaves alone."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch

from viceversa import train
from viceversa.losses import l1
from viceversa.methods import METHODS, Update
from viceversa.methods.pix2pix import Pix2Pix, Pix2PixConfig
from viceversa.training import checkpoint


@dataclass(frozen=True, kw_only=True)
class RestingConfig(Pix2PixConfig):
    """A class of its own."""


@dataclass(frozen=True, kw_only=True)
class TornConfig(Pix2PixConfig):
    """A class of its own."""


@pytest.fixture
def new_methods() -> Iterator[None]:
    """``resting`` trains in every second iteration alone; ``torn`` trains another network for each sample."""

    class Resting(Pix2Pix):
        name, Config = "resting", RestingConfig

        def step(self, batch, iteration):
            x, y = batch
            if iteration.number % 2:
                yield Update("generator", {"l1": l1(self.g(x), y)})

    class Torn(Pix2Pix):
        name, Config = "torn", TornConfig

        def step(self, batch, iteration):
            x, y = batch
            pair = torch.cat([x, y], 1)
            odd = iteration.first % 2
            yield (
                Update("discriminator", {"d": self.d(pair).mean()})
                if odd
                else Update("generator", {"l1": l1(self.g(x), y)})
            )

    yield
    del METHODS["resting"], METHODS["torn"]


@pytest.mark.usefixtures("new_methods")
def test_an_iteration_may_train_nothing(tiny, tmp_path):
    assert train(tiny("resting", tmp_path / "run", images=4, log_every=1), quiet=True).finished
    entries = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    assert [entry["images"] for entry in entries if "losses" in entry] == [2, 4]


@pytest.mark.usefixtures("new_methods")
def test_the_parts_of_an_iteration_must_train_the_same(tiny, tmp_path, make_trainer):
    trainer = make_trainer(tiny("torn", tmp_path, accumulate=2))
    with pytest.raises(RuntimeError, match="as update 1 they named 'generator', 'discriminator'"):
        trainer.run(lambda _: False)


def test_random_numbers_of_the_caller_go_on_as_they_were(tiny, tmp_path, make_trainer):
    trainer = make_trainer(tiny("pix2pix", tmp_path, images=2))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    trainer.run(lambda _: False)
    assert torch.equal(torch.rand(3), expected)


def test_checkpoints_are_listed_only_for_a_sentence_that_names_one(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "latest_words", lambda folder: pytest.fail("nobody asked"))
    assert train(tiny("pix2pix", tmp_path / "run", images=2), quiet=True).finished
