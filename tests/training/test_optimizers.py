"""Optimizers, schedules of the learning rate, clipping, and rates of their own for generators and discriminators."""

import json

import pytest
import torch

from viceversa import configure, train
from viceversa.config import from_json, to_json
from viceversa.errors import ConfigError
from viceversa.methods.settings import OptimizerConfig


def weights(trainer, group):
    return torch.cat([parameter.detach().flatten() for parameter in trainer.parameters[group]])


def test_two_time_scales(tiny, tmp_path, make_trainer):
    trainer = make_trainer(tiny("pix2pix", tmp_path, images=2, discriminator_learning_rate=0.0, constant=1.0))
    before = {group: weights(trainer, group) for group in trainer.parameters}
    trainer.run(lambda _: False)
    assert trainer.learning_rates == {"discriminator": 0.0, "generator": 2e-4}
    assert torch.equal(before["discriminator"], weights(trainer, "discriminator"))
    assert not torch.equal(before["generator"], weights(trainer, "generator"))


def test_a_rate_for_networks_that_are_not_there(tiny, tmp_path):
    with pytest.raises(ConfigError, match="vgg trains no discriminator: leave --discriminator-learning-rate out"):
        train(tiny("vgg", tmp_path / "run", discriminator_learning_rate=1e-3), quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("optimizer", ["adamw", "rmsprop"])
def test_every_optimizer_goes_on_equal_to_the_bit(optimizer, tiny, tmp_path, checkpoint_tensors):
    for folder, lengths in {"whole": (4,), "halves": (2, 4)}.items():
        for images in lengths:
            settings = {"optimizer": optimizer, "clip_norm": 0.1, "constant": 1.0, "log_every": 1, "samples": 1}
            train(tiny("pix2pix", tmp_path / folder, images=images, **settings), quiet=True)
    whole, halves = checkpoint_tensors(tmp_path / "whole"), checkpoint_tensors(tmp_path / "halves")
    assert whole.keys() == halves.keys()
    assert all(torch.equal(torch.as_tensor(whole[name]), torch.as_tensor(halves[name])) for name in whole)


def test_weights_decay_by_themselves_with_adamw_alone(tiny, tmp_path, make_trainer):
    def shrunk(**settings):
        trainer = make_trainer(tiny("pix2pix", tmp_path, images=1, learning_rate=1e-3, **settings))
        before = weights(trainer, "generator").abs().sum()
        for optimizer in trainer.optimizers.values():
            for parameter in (p for group in optimizer.param_groups for p in group["params"]):
                parameter.grad = torch.zeros_like(parameter)
            optimizer.step()
        return float(1 - weights(trainer, "generator").abs().sum() / before)

    assert shrunk(optimizer="adam") == 0
    assert shrunk(optimizer="adamw") == pytest.approx(1e-3 * 0.01, rel=0.05)
    assert shrunk(optimizer="adamw", weight_decay=0.5) == pytest.approx(1e-3 * 0.5, rel=0.05)


def test_gradients_are_clipped_group_by_group(tiny, tmp_path, make_trainer):
    """RMSprop's mean of squares, after one step from 0, is a hundredth of the gradients' squares."""

    def norm(clip_norm):
        trainer = make_trainer(tiny("pix2pix", tmp_path, images=1, optimizer="rmsprop", clip_norm=clip_norm))
        trainer.run(lambda _: False)
        states = trainer.optimizers["generator"].state.values()
        return float(torch.stack([state["square_avg"].sum() for state in states]).sum().mul(100).sqrt())

    free = norm(0.0)
    assert norm(free / 2) == pytest.approx(free / 2, rel=1e-3)
    assert norm(free * 2) == pytest.approx(free, rel=1e-6)


def test_the_learning_rate_over_a_run():
    def curve(**settings):
        return [round(OptimizerConfig(**settings).factor(share), 3) for share in (0, 0.25, 0.5, 0.75, 1)]

    assert curve() == [1, 1, 1, 0.5, 0]
    assert curve(learning_rate_decay="constant") == [1, 1, 1, 1, 1]
    assert curve(learning_rate_decay="cosine", constant=0.0) == [1, 0.854, 0.5, 0.146, 0]
    assert curve(learning_rate_warmup=0.5) == [0, 0.5, 1, 0.5, 0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"clip_norm": -1.0}, "--clip-norm must not be negative; got -1.0"),
        ({"learning_rate_warmup": 1.5}, "--learning-rate-warmup is a share of the run, 0 to 1; got 1.5"),
        ({"learning_rate_decay": "cosine", "constant": 1.0}, "Add --constant 0"),
        ({"optimizer": "sgd"}, "'sgd' is none of adam, adamw, rmsprop"),
    ],
)
def test_settings_that_cannot_be(settings, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        configure("cyclegan", out=tmp_path, **settings)


@pytest.mark.parametrize("method", ["cyclegan", "wgan", "infogan"])
def test_a_config_of_before_there_was_a_choice(method, tmp_path):
    config = configure(method, out=tmp_path)
    tree = json.loads(to_json(config))
    new = {"optimizer", "discriminator_learning_rate", "learning_rate_decay", "learning_rate_warmup", "weight_decay"}
    new |= {"clip_norm"} | ({"beta1", "beta2"} if method == "wgan" else {"decay"})
    new |= set() if method == "infogan" else {"generator_learning_rate"}
    tree["method"]["optimizer"] = {key: value for key, value in tree["method"]["optimizer"].items() if key not in new}
    assert from_json(json.dumps(tree), tmp_path) == config
