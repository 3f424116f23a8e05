"""A method comes to be as a function of its config and the seed."""

import dataclasses
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from viceversa import configure, methods, train
from viceversa.errors import ConfigError
from viceversa.methods import METHODS, Method
from viceversa.methods.pix2pix import Pix2Pix, Pix2PixConfig
from viceversa.methods.settings import NetworksConfig


@dataclass(frozen=True, kw_only=True)
class OddConfig(Pix2PixConfig):
    """A class of its own."""


@pytest.fixture
def odd() -> Iterator[type[Method]]:
    """A method with weights that are neither of a convolution nor of a normalisation."""

    class Odd(Pix2Pix):
        name = "odd"
        Config = OddConfig

        def __init__(self, config):
            super().__init__(config)
            self.g.constant = nn.Parameter(torch.randn(7))
            self.g.memory = nn.LSTM(3, 2)

    yield Odd
    del METHODS["odd"]


def test_weights_that_nobody_draws_follow_from_the_seed_too(odd):
    config = OddConfig(networks=NetworksConfig(width=2, blocks=1, discriminator_width=2))
    before = torch.random.get_rng_state()
    first, same, other = (dict(methods.make(config, None, seed).state_dict()) for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before), "torch's generator is left where it stood"
    assert all(torch.equal(first[name], same[name]) for name in first)
    for name in ("g.constant", "g.memory.weight_ih_l0"):
        assert not torch.equal(first[name], other[name])


@pytest.mark.parametrize(
    ("method", "settings", "asked"),
    [
        ("pix2pix", {"objective": "wgan-gp", "norm": "batch"}, "--objective wgan-gp"),
        ("pix2pix", {"r1_gamma": 1.0, "norm": "batch"}, "--r1-gamma"),
        ("cyclegan", {"objective": "wgan-gp", "norm": "batch"}, "--objective wgan-gp"),
        ("cyclegan", {"r1_gamma": 1.0, "discriminator_norm": "batch"}, "--r1-gamma"),
    ],
)
def test_a_penalty_on_slopes_does_not_go_with_batch_norm_in_the_discriminator(method, settings, asked):
    with pytest.raises(ConfigError) as refused:
        configure(method, out="x", **settings)
    assert f"The penalty of {asked} is" in str(refused.value)
    assert str(refused.value).endswith("Pass --discriminator-norm instance.")


def test_batch_norm_in_the_generator_alone(tiny, make_trainer, tmp_path):
    settings = {"objective": "wgan-gp", "norm": "batch", "discriminator_norm": "instance"}
    for method, generators in ("pix2pix", ["g"]), ("cyclegan", ["a2b", "b2a"]):
        made = make_trainer(tiny(method, tmp_path / method, **settings)).method
        normed = {name.partition(".")[0] for name, part in made.named_modules() if isinstance(part, nn.BatchNorm2d)}
        assert normed == set(generators)


@pytest.mark.parametrize("generator", ["unet", "resnet"])
def test_dropout_drops_the_share_that_is_asked_for(generator, tiny, make_trainer, tmp_path):
    def rates(**settings: Any) -> set[float]:
        settings = {"generator": generator, "size_px": 64, "width": 1, "discriminator_width": 1, **settings}
        made = make_trainer(tiny("pix2pix", tmp_path, **settings)).method
        return {part.p for part in made.modules() if isinstance(part, nn.Dropout)}

    assert rates() == {0.5}
    assert rates(dropout_rate=0.25) == {0.25}
    assert rates(dropout=False) == set()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dropout_rate": 0.0}, "--dropout-rate must be above 0 and below 1; got 0.0. --no-dropout leaves"),
        ({"dropout_rate": 1.0}, "--dropout-rate must be above 0 and below 1; got 1.0."),
        ({"dropout_rate": float("nan")}, "--dropout-rate must be"),
        ({"dropout_rate": 0.25, "dropout": False}, "--dropout-rate 0.25 does nothing without --dropout"),
        ({"discriminator_weight": 0.0}, "--discriminator-weight must be above 0; got 0.0."),
        ({"discriminator_weight": float("inf")}, "--discriminator-weight must be a finite number; got inf."),
    ],
)
@pytest.mark.parametrize("method", ["pix2pix", "cyclegan"])
def test_shares_and_factors_that_cannot_be_are_refused_by_their_flag(method, settings, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        configure(method, out="x", **settings)


@pytest.mark.parametrize("method", ["pix2pix", "cyclegan"])
def test_a_run_from_before_these_were_settings_goes_on(method, tiny, tmp_path, assert_same_run):
    new, old = tmp_path / "new", tmp_path / "old"
    for run in new, old:
        assert train(tiny(method, run, images=3), quiet=True).finished
    tree = json.loads((old / "config.json").read_text())
    assert tree["method"]["networks"].pop("dropout_rate") == 0.5
    assert tree["method"]["adversarial"].pop("discriminator_weight") == 0.5
    (old / "config.json").write_text(json.dumps(tree))
    for run in new, old:
        assert train(tiny(method, run, images=6), quiet=True).finished
    assert_same_run(new, old)


@pytest.mark.parametrize("method", METHODS)
def test_numbers_that_cannot_be_are_refused_by_their_flag(method):
    """The message is one short sentence, without the settings of a whole network."""
    wrong = {"width": 0, "discriminator_width": 0, "blocks": -1, "levels": 1, "layers": 0, "pieces": 0}
    wrong["discriminator_layers"] = 9
    own = {part.name for part in dataclasses.fields(METHODS[method].Config().networks)}
    assert own & set(wrong)
    for name in own & set(wrong):
        with pytest.raises(ConfigError) as refused:
            configure(method, out="x", **{name: wrong[name]})
        said = str(refused.value)
        assert f"--{name.replace('_', '-')} must" in said
        assert f"got {wrong[name]}." in said
        assert "Config(" not in said
