import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import viceversa as vv
from viceversa.data.images import to_uint8
from viceversa.errors import CheckpointError, ConfigError, PictureError
from viceversa.inference.latents import along, between, slerp
from viceversa.inference.sampler import Sampler, load_sampler
from viceversa.inference.translator import load, save_translator
from viceversa.networks import LatentConfig

Make = Callable[..., nn.Module]
DIGITS = [str(digit) for digit in range(10)]


@pytest.fixture(params=["mlp", "dcgan"])
def sampler(request: pytest.FixtureRequest, from_noise: Make) -> Sampler:
    return Sampler(from_noise(request.param, classes=3, codes=2, out_channels=1), classes=["cat", "dog", "2"])


def test_picture_k_of_a_seed_is_the_same_to_the_bit_however_many_are_asked_for(sampler: Sampler) -> None:
    many = sampler.tensor(2 * sampler.batch + 3, seed=5)
    assert many.shape == (2 * sampler.batch + 3, 1, 16, 16)
    for count in (1, 2, sampler.batch, sampler.batch + 1):
        assert torch.equal(sampler.tensor(count, seed=5), many[:count])
    later = sampler.latents(4, seed=5, first=sampler.batch)
    assert torch.equal(sampler(later), many[sampler.batch : sampler.batch + 4])
    assert len(many.unique(dim=0)) == len(many)


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_the_batch_size_does_not_matter(sampler: Sampler, batch: int) -> None:
    before = sampler.tensor(10)
    sampler.batch = batch
    torch.testing.assert_close(sampler.tensor(10), before, rtol=0, atol=1e-5)


def test_pictures_do_not_depend_on_those_beside_them(from_noise: Make) -> None:
    """Batch norm is in evaluation mode, even if the network came in training mode; its statistics stay."""
    network = from_noise("dcgan").train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    sampler = Sampler(network)
    latents = sampler.latents(8)
    others = torch.cat([latents[:4], 3 * latents[4:]])
    assert torch.equal(sampler(latents)[:4], sampler(others)[:4])
    assert not torch.allclose(sampler(latents)[4:], sampler(others)[4:], atol=0.01)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_other_seeds_give_other_pictures(sampler: Sampler) -> None:
    one, other = sampler.tensor(4, seed=0), sampler.tensor(4, seed=1)
    assert (one - other).abs().mean() > 0.01
    assert torch.equal(sampler.tensor(4), one)


def test_noise_is_drawn_from_the_prior(from_noise: Make) -> None:
    normal, uniform = (Sampler(from_noise("mlp", prior=prior)).latents(4000) for prior in ("normal", "uniform"))
    assert abs(float(normal.std()) - 1) < 0.02
    assert normal.abs().max() > 3
    assert abs(float(uniform.std()) - 1 / math.sqrt(3)) < 0.02
    assert -1 <= uniform.min() < -0.99 < 0.99 < uniform.max() <= 1


def test_classes_and_codes_are_drawn_for_each_picture(sampler: Sampler) -> None:
    latents = sampler.latents(3000, seed=2)
    onehot, codes = latents[:, 6:9], latents[:, 9:]
    assert torch.equal(onehot.sum(1), torch.ones(3000))
    assert (onehot.sum(0) - 1000).abs().max() < 120
    assert (codes.min() < -0.99, codes.max() > 0.99, codes.abs().max() <= 1) == (True, True, True)
    assert torch.equal(sampler.latents(7, seed=2), latents[:7])


@pytest.mark.parametrize(("label", "entry"), [("dog", 1), (1, 1), (np.int64(1), 1), ("2", 2), ("0", 0), (2, 2)])
def test_a_class_by_name_or_number(sampler: Sampler, label: Any, entry: int) -> None:
    latents = sampler.latents(3, label=label)
    assert torch.equal(latents[:, 6:9], torch.eye(3)[[entry] * 3])
    free = sampler.latents(3)
    assert torch.equal(latents[:, :6], free[:, :6])
    assert torch.equal(latents[:, 9:], free[:, 9:])
    assert torch.equal(sampler.tensor(3, label=label), sampler(latents))


def test_a_name_goes_before_a_number(from_noise: Make) -> None:
    sampler = Sampler(from_noise("mlp", classes=3), classes=["2", "1", "0"])
    assert (sampler.index("2"), sampler.index(2)) == (0, 2)


def test_a_class_for_each_picture(sampler: Sampler) -> None:
    latents = sampler.latents(3, label=["dog", 0, "2"])
    assert latents[:, 6:9].argmax(1).tolist() == [1, 0, 2]
    with pytest.raises(ConfigError, match="one for each of 4 images; got 3"):
        sampler.sample(4, label=["dog", 0, "2"])


def test_codes_are_for_all_pictures(sampler: Sampler) -> None:
    latents = sampler.latents(3, codes=[0.5, -1])
    assert torch.equal(latents[:, 9:], torch.tensor([[0.5, -1.0]] * 3))
    assert torch.equal(latents[:, :9], sampler.latents(3)[:, :9])


def test_samples_are_pictures(from_noise: Make) -> None:
    for channels, mode in ((1, "L"), (3, "RGB")):
        sampler = Sampler(from_noise("dcgan", out_channels=channels, size_px=20))
        pictures = sampler.sample(2, seed=1)
        assert [(picture.mode, picture.size) for picture in pictures] == [(mode, (20, 20))] * 2
        shown = np.asarray(pictures[1]).reshape(20, 20, channels)
        assert np.array_equal(shown, to_uint8(sampler.tensor(2, seed=1))[1])
        assert sampler.sample(0) == []
    four = Sampler(from_noise("mlp", out_channels=4))
    assert four.tensor(2).shape == (2, 4, 16, 16)
    assert four.tensor(0).shape == (0, 4, 16, 16)
    with pytest.raises(PictureError, match="4 channels"):
        four.sample(1)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"label": "dgo"}, "no class 'dgo'; there are cat, dog, 2. Perhaps you meant dog"),
        ({"label": 3}, "no class 3; there are cat, dog, 2"),
        ({"label": -1}, "no class -1"),
        ({"label": "9" * 5000}, "no class"),
        ({"codes": [0.5]}, "takes 2 codes in -1 to 1; got 0.5"),
        ({"codes": []}, "got none"),
        ({"codes": [0, 1.1]}, "got 0 1.1"),
        ({"codes": [0, math.nan]}, "got 0 nan"),
        ({"count": -1}, "got -1"),
    ],
)
def test_what_cannot_be_is_named(sampler: Sampler, wanted: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        sampler.sample(**{"count": 2, **wanted})


def test_a_model_of_noise_alone_takes_neither_classes_nor_codes(from_noise: Make) -> None:
    plain = Sampler(from_noise("mlp"))
    with pytest.raises(ConfigError, match="knows no classes"):
        plain.sample(1, label=0)
    with pytest.raises(ConfigError, match=r"takes no codes; got 0\.5"):
        plain.sample(1, codes=[0.5])
    with pytest.raises(ConfigError, match=r"\(N, 6\) floats; got \(2, 7\)"):
        plain(torch.zeros(2, 7))
    with pytest.raises(ConfigError, match="0 classes; got 1 names"):
        Sampler(from_noise("mlp"), classes=["x"])


def test_an_interpolation_starts_and_ends_where_it_should(sampler: Sampler) -> None:
    pictures = sampler.interpolate(3, 4, 5, label="cat", codes=[0, 0])
    first, last = (sampler.sample(1, seed=seed, label="cat", codes=[0, 0])[0] for seed in (3, 4))
    shown = [np.asarray(picture, np.int16) for picture in pictures]
    assert len(shown) == 5
    assert np.abs(shown[0] - first).max() <= 1
    assert np.abs(shown[-1] - last).max() <= 1
    moves = [np.abs(one - other).mean() for one, other in pairwise(shown)]
    assert min(moves) > 0.2 * max(moves) > 0, "it goes in steps of about one size"
    given = sampler.interpolate(*sampler.latents(2), 2)
    assert all(np.array_equal(one, other) for one, other in zip(given, sampler.sample(2), strict=True))
    with pytest.raises(ConfigError, match="2 steps or more"):
        sampler.interpolate(0, 1, 1)
    with pytest.raises(ConfigError, match=r"\(N, 11\) floats"):
        sampler.interpolate(0, torch.zeros(3), 2)


SHARES = torch.linspace(0, 1, 9)


def test_slerp_keeps_to_the_sphere_at_an_even_speed() -> None:
    a, b = torch.tensor([3.0, 0, 0]), torch.tensor([0, 3.0, 0])
    path = slerp(a, b, SHARES[:, None])
    torch.testing.assert_close(path.norm(dim=1), torch.full((9,), 3.0))
    torch.testing.assert_close(torch.atan2(path[:, 1], path[:, 0]), SHARES * math.pi / 2)
    assert torch.equal(path[0], a)
    torch.testing.assert_close(path[-1], b)


@pytest.mark.parametrize("scale", [1.0, 2.5, -1.0, 0.0, 1 + 1e-6, -1 - 1e-6])
def test_slerp_goes_straight_where_there_is_no_arc(scale: float) -> None:
    a = torch.randn(100, generator=torch.Generator().manual_seed(0))
    path = slerp(a, scale * a, SHARES[:, None])
    if scale == 0:
        assert path.isfinite().all()
        assert torch.equal(path[0], a)
        return
    torch.testing.assert_close(path, torch.lerp(a, scale * a, SHARES[:, None]))


@pytest.mark.parametrize(("prior", "usual"), [("normal", "spherical"), ("uniform", "linear")])
def test_the_way_suits_the_noise_and_classes_and_codes_go_straight(prior: Any, usual: Any) -> None:
    space = LatentConfig(latent=4, prior=prior, classes=2, codes=1)
    a, b = Tensor([1, 0, 0, 0, 1, 0, -1]), Tensor([0, 1, 0, 0, 0, 1, 1])
    paths = {how: between(space, a, b, SHARES, how) for how in ("linear", "spherical", None)}
    assert torch.equal(paths[None], paths[usual])
    torch.testing.assert_close(paths["linear"], torch.lerp(a, b, SHARES[:, None]))
    torch.testing.assert_close(paths["spherical"][:, :4].norm(dim=1), torch.ones(9))
    assert torch.equal(paths["spherical"][:, 4:], paths["linear"][:, 4:])
    assert paths["linear"][4, :4].norm() < 0.8


def test_a_traversal_changes_one_entry_and_nothing_else() -> None:
    space = LatentConfig(latent=2, classes=3, codes=2)
    latents = space.join(torch.randn(4, 2), torch.tensor([0, 1, 2, 0]), torch.rand(4, 2))
    kept = latents.clone()
    rows = along(space, latents, "class")
    assert [row[:, 2:5].argmax(1).tolist() for row in rows] == [[k] * 4 for k in range(3)]
    assert all(row[:, 2:5].sum() == 4 for row in rows)
    codes = along(space, latents, "2", 1.5, 4)
    assert [row[:, 6].tolist() for row in codes] == [[value] * 4 for value in (-1.5, -0.5, 0.5, 1.5)]
    for row in rows:
        assert torch.equal(row[:, [0, 1, 5, 6]], latents[:, [0, 1, 5, 6]])
    for row in codes:
        assert torch.equal(row[:, :6], latents[:, :6])
    assert torch.equal(latents, kept)


@pytest.mark.parametrize(
    ("space", "of", "words"),
    [
        ({"classes": 3, "codes": 1}, "2", "no '2' to be led through; it has class, 1"),
        ({"codes": 2}, "class", "it has 1, 2"),
        ({}, "class", "nothing but noise"),
        ({"codes": 2}, "0", "it has 1, 2"),
        ({"codes": 2}, "-1", "it has 1, 2"),
        ({"codes": 2}, "9" * 5000, "it has 1, 2"),
    ],
)
def test_a_traversal_of_what_is_not_there(space: dict[str, Any], of: str, words: str) -> None:
    config = LatentConfig(latent=2, **space)
    with pytest.raises(ConfigError, match=words):
        along(config, torch.zeros(1, config.inputs), of)


@pytest.mark.parametrize(("reach", "steps"), [(0, 10), (-1, 10), (math.inf, 10), (math.nan, 10), (1, 1)])
def test_a_range_that_cannot_be(reach: float, steps: int) -> None:
    with pytest.raises(ConfigError, match="from -range to range"):
        along(LatentConfig(latent=2, codes=1), torch.zeros(1, 3), "1", reach, steps)


@pytest.fixture
def digits(tmp_path: Path, from_noise: Make) -> Path:
    network = from_noise("dcgan", classes=10, out_channels=1)
    save_translator(
        tmp_path / "digits" / "translator", {"z2a": network}, method="cgan", domains={"a": "digits"}, size_px=16,
        images=500, classes=DIGITS,
    )  # fmt: skip
    return tmp_path / "digits"


def test_a_folder_becomes_a_sampler(digits: Path, from_noise: Make) -> None:
    for place in (digits, digits / "translator", digits / "translator" / "model.safetensors"):
        sampler = vv.load(place, device="cpu")
        assert isinstance(sampler, vv.Sampler)
        assert (sampler.name, sampler.classes, sampler.size_px) == ("digits", tuple(DIGITS), 16)
        there = Sampler(from_noise("dcgan", classes=10, out_channels=1))
        assert torch.equal(sampler.tensor(3, label="4"), there.tensor(3, label=4))
    assert "digits" in repr(sampler)


def test_names_that_were_left_out_are_numbers(digits: Path, from_noise: Make) -> None:
    save_translator(digits, {"z2a": from_noise(classes=2)}, method="cgan", domains={"a": "x"}, size_px=16, images=1)
    assert load_sampler(digits).classes == ("0", "1")


def test_each_loader_names_the_other_command(digits: Path, folder: Path) -> None:
    assert isinstance(vv.load(folder, device="cpu"), vv.Translator)
    with pytest.raises(CheckpointError, match=f"use: viceversa sample {digits} --out"):
        load(digits)
    with pytest.raises(CheckpointError, match=f"use: viceversa translate {folder} PICTURE"):
        load_sampler(folder)
    with pytest.raises(ConfigError, match="no device 'nonsense'"):
        vv.load(digits, device="nonsense")


def test_what_the_folder_says(digits: Path) -> None:
    config = json.loads((digits / "translator" / "config.json").read_text())
    assert (config["format"], config["version"]) == ("viceversa-translator", 1)
    assert (config["domains"], config["classes"]) == ({"a": "digits"}, DIGITS)
    assert config["directions"]["z2a"]["network"] == "dcgan"
    card = (digits / "translator" / "README.md").read_text()
    assert "pipeline_tag: unconditional-image-generation" in card
    (code,) = card.split("```python\n")[1:]
    code = code.split("```")[0].replace("FOLDER", str(digits)).replace('f"', f'f"{digits}/')
    exec(compile(code, "README.md", "exec"), {})
    assert len(list(digits.glob("*.png"))) == 16
