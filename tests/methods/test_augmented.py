"""What discriminators see is changed at random: by which rules, how often, and that generators learn through it."""

import json

import pytest
import torch
from torch.autograd import gradcheck

from viceversa import configure, plugins, train
from viceversa.config import from_json
from viceversa.errors import ConfigError
from viceversa.methods.augmented import CHANGES, Augmented, AugmentedConfig, discriminator_augmentation, translation
from viceversa.methods.base import Iteration
from viceversa.training.charts import charts
from viceversa.training.record import read

ALL = ("color", "translation", "cutout")


def images(channels: int = 3, count: int = 6) -> torch.Tensor:
    return torch.rand(count, channels, 8, 12, dtype=torch.float64) + 0.1  # never 0, which is what comes in


def at(number: int = 0, images: int = 0, count: int = 6) -> Iteration:
    return Iteration(1, torch.arange(images, images + count), number=number, images=images)


def changed(x: torch.Tensor, *names: str, **settings: float) -> torch.Tensor:
    return Augmented(AugmentedConfig(augment_d=names, **settings), 0.0)("stream", at(), x)[0]  # pyright: ignore


def test_color_leaves_places_and_alpha():
    for channels in (1, 2, 3, 4):
        x = images(channels)
        y = changed(x, "color")
        assert y.shape == x.shape
        if channels in (2, 4):
            assert torch.equal(y[:, -1], x[:, -1])
        flat, same = x[:, 0].flatten(1), y[:, 0].flatten(1)
        assert not torch.equal(flat, same)
        if channels < 3:  # brightness and contrast keep the order of values
            assert torch.equal(flat.argsort(1), same.argsort(1))


def test_translation_moves_whole_images_by_at_most_an_eighth():
    x, shifts = images(count=400), set[tuple[int, int]]()
    draws = torch.rand(400, 2)
    for before, after in zip(x, translation(x, draws), strict=True):
        rows, columns = (after[0] != 0).nonzero(as_tuple=True)
        down = int(rows.min()) or int(rows.max()) - 7
        right = int(columns.min()) or int(columns.max()) - 11
        shifts.add((down, right))
        moved = torch.roll(before, (down, right), (1, 2))
        kept = after != 0
        assert torch.equal(after[kept], moved[kept])
        assert kept[0].sum() == (8 - abs(down)) * (12 - abs(right))
    assert shifts == {(down, right) for down in (-1, 0, 1) for right in (-2, -1, 0, 1, 2)}


def test_cutout_takes_a_part_of_at_most_a_quarter():
    x = images(count=200)
    y = changed(x[:6], "cutout")
    lost = y == 0
    assert torch.equal(y[~lost], x[:6][~lost])
    shares = lost.double().mean((1, 2, 3))
    assert shares.max() <= 0.25
    assert shares.min() > 0
    assert len(shares.unique()) > 1


@pytest.mark.parametrize("name", ALL)
def test_gradients_are_those_of_the_change(name):
    change, draws = CHANGES[name], torch.rand(2, 3)
    x = images(count=2)[:, :, :4, :4].clone().requires_grad_()
    assert gradcheck(lambda x: change(x, draws), x)


def test_how_likely_it_is_and_that_pairs_are_changed_alike():
    x = images(count=6)
    assert torch.equal(changed(x, "cutout", augment_d_probability=0.0), x)
    many = torch.ones(2000, 1, 8, 8)
    augmented = Augmented(AugmentedConfig(augment_d=("cutout",), augment_d_probability=0.3), 0.0)
    one, other = augmented("s", at(count=2000), many, many.clone())
    assert torch.equal(one, other)
    assert ((one == 0).flatten(1).any(1)).double().mean() == pytest.approx(0.3, abs=0.05)
    again = augmented("s", at(count=2000), many)[0]
    assert torch.equal(one, again), "a function of the position"
    assert not torch.equal(one, augmented("t", at(count=2000), many)[0])


@pytest.mark.parametrize(("undecided", "answer", "up"), [(0.0, 0.1, True), (0.5, 0.1, False), (0.5, 0.9, True)])
def test_the_probability_follows_how_sure_the_discriminator_is(undecided, answer, up):
    settings = AugmentedConfig(augment_d=ALL, augment_d_adaptive=True, augment_d_images=48)
    augmented, seen = Augmented(settings, undecided), []
    augmented.probability.fill_(0.5)
    for number in range(9):
        for _ in range(2):  # two parts of an iteration: it moves once
            augmented.adjust(at(number, 6 * number))
            augmented.observe(torch.full((3, 1, 2, 2), answer))
        seen.append(augmented.probability.item())
    assert seen == [0.5] * 4 + [1.0 if up else 0.0] * 5, "by 24 of 48 images each 4 iterations, within 0 and 1"


def test_the_rule_runs_in_a_training_and_is_logged(tiny, tmp_path):
    settings = {"augment_d": ALL, "augment_d_adaptive": True, "augment_d_images": 16, "augment_d_target": 0.0}
    train(tiny("cyclegan", tmp_path, **settings), quiet=True)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    logged = [line["scalars"] for line in lines if "losses" in line]
    assert logged[0].keys() == {f"d_{side}_{name}" for side in "ab" for name in ("augment_probability", "sign_on_real")}
    curves = {chart["title"]: [curve["name"] for curve in chart["curves"]] for chart in charts(read(tmp_path))}
    assert ["d_a_augment_probability", "d_b_augment_probability"] in curves.values()
    assert {line["d_a_augment_probability"] for line in logged[:4]} == {0.0}
    assert all(line["d_a_augment_probability"] in (0.0, 0.25, 0.5) for line in logged)


def test_a_change_of_ones_own(tiny, make_trainer, tmp_path):
    @discriminator_augmentation("upside down", draws=0)
    def upside_down(images, draws):
        return images.flip(2)

    try:
        trainer, seen = make_trainer(tiny("dcgan", tmp_path, augment_d="upside down")), []
        trainer.method.d.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
        batch, iteration = trainer._load(0)
        for _ in trainer.method.step(batch, iteration):
            pass
        assert torch.equal(seen[0], batch[0].flip(2))
    finally:
        del CHANGES["upside down"]


def test_a_change_from_a_file_is_remembered_by_the_run(tiny, tmp_path):
    file = tmp_path / "my_changes.py"
    file.write_text(
        "from viceversa.methods.augmented import discriminator_augmentation\n\n\n"
        '@discriminator_augmentation("negative", draws=0)\n'
        "def negative(images, draws):\n    return -images\n"
    )
    before = dict(CHANGES)
    try:
        plugins.import_code(file)
        assert train(tiny("dcgan", tmp_path / "run", augment_d=("negative",), images=4), quiet=True).finished
        text = (tmp_path / "run" / "config.json").read_text()
        assert json.loads(text)["imports"][0]["defines"] == ["discriminator_augmentation negative"]
        del CHANGES["negative"]
        with pytest.raises(ConfigError, match=r"my_changes.py, which defines the .* negative; give it with --import"):
            from_json(text, tmp_path)
    finally:
        CHANGES.clear()
        CHANGES.update(before)


def test_a_conditional_discriminators_classes_stay(tiny, make_trainer, tmp_path):
    trainer, seen = make_trainer(tiny("cgan", tmp_path, augment_d=ALL)), []
    trainer.method.d.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    (real, labels), iteration = trainer._load(0)
    next(iter(trainer.method.step((real, labels), iteration)))
    assert torch.equal(seen[0][:, 3:], trainer.method.shown(real, labels)[:, 3:])
    assert not torch.equal(seen[0][:, :3], real)


@pytest.mark.parametrize(
    ("method", "settings", "words"),
    [
        ("cyclegan", {"augment_d": "colour"}, "--augment-d colour is unknown; .* Perhaps you meant color"),
        ("cyclegan", {"augment_d": ["none", "color"]}, "none does not go with"),
        ("cyclegan", {"augment_d": "color", "augment_d_probability": 1.5}, "--augment-d-probability must be 0 to 1"),
        ("cyclegan", {"augment_d_adaptive": True}, "--augment-d-adaptive needs changes"),
        (
            "pix2pix",
            {"augment_d": "color", "augment_d_adaptive": True, "objective": "wgan-gp"},
            "means nothing of a cri",
        ),
        ("wgan", {"augment_d": "color", "augment_d_adaptive": True}, "wgan has no setting 'augment_d_adaptive'"),
        (
            "gan",
            {"augment_d": "color", "augment_d_adaptive": True, "augment_d_images": 0},
            "-images must be at least 1",
        ),
    ],
)
def test_what_cannot_be_is_refused(method, settings, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        configure(method, out=tmp_path, **settings)
