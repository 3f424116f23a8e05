"""The judgement of generators of which it is known how good they are."""

import gzip
import importlib.util
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from viceversa.data.images import to_tensor
from viceversa.data.single import SingleData
from viceversa.errors import DataError
from viceversa.evaluation.classifier import FitConfig
from viceversa.evaluation.frechet import frechet_distance
from viceversa.evaluation.samples import effects_of_codes, reference_of, score, slope
from viceversa.inference.sampler import Sampler
from viceversa.networks import LatentConfig

QUICK = FitConfig(width=8, features=16, images=2400, batch=32, shift_px=1)
CLASSES = 10


def squares(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of 16 px with a light square at one of ten places, on noise."""
    numbers = np.random.default_rng(seed)
    pictures = numbers.integers(0, 60, (count, 16, 16), dtype=np.uint8)
    labels = np.arange(count) % CLASSES
    for picture, label, light in zip(pictures, labels, numbers.integers(150, 256, count), strict=True):
        y, x = divmod(int(label), 4)
        picture[1 + 5 * y : 5 + 5 * y, 4 * x : 4 * x + 4] = light
    return pictures, labels


@pytest.fixture(scope="module")
def idx(tmp_path_factory) -> Path:
    """Such images as MNIST's four files."""
    folder = tmp_path_factory.mktemp("idx")
    for name, count in ("train", 600), ("t10k", 200):
        for kind, array in zip(("images-idx3", "labels-idx1"), squares(count, count), strict=True):
            head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
            (folder / f"{name}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes()))
    return folder


@pytest.fixture(scope="module")
def pictures(idx):
    return SingleData(root=idx, size_px=16, cache=idx / "cache").open(0, "cpu")


@pytest.fixture(scope="module")
def reference(pictures, idx):
    made = reference_of(pictures, QUICK, folder=idx / "cache")
    assert made.classifier.accuracy >= 0.98
    return made


@dataclass(frozen=True, kw_only=True)
class SpaceConfig(LatentConfig):
    """What a sampler asks a generator for."""

    size_px: int = 16
    out_channels: int = 1


class Known(nn.Module):
    """A generator that gives back images it was given: for each value of the class input one of those."""

    def __init__(self, sets: list[np.ndarray]):
        super().__init__()
        self.config = SpaceConfig(latent=1, prior="uniform", classes=len(sets))
        self.sets = [to_tensor(images[..., None]) for images in sets]

    def forward(self, z):
        shares = (z[:, 0] + 1) / 2
        chosen = zip(shares.tolist(), z[:, 1:].argmax(1).tolist(), strict=True)
        return torch.stack([self.sets[label][int(share * len(self.sets[label]))] for share, label in chosen])


def known(order=range(CLASSES)) -> Sampler:
    fresh, labels = squares(1000, 7)
    return Sampler(Known([fresh[labels == digit] for digit in order]))


def test_a_perfect_generator(reference):
    found = score(known(), reference, 400)
    assert found.fd < 5 * reference.floor
    assert found.shares == pytest.approx([0.1] * 10, abs=0.01)
    assert found.asked >= 0.98
    assert found.classes == tuple(range(10))


def test_the_floor_is_of_all_classes_where_they_lie_one_behind_the_other(tmp_path):
    for number, (picture, label) in enumerate(zip(*squares(600, 5), strict=True)):
        (tmp_path / "data" / f"{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "data" / f"{label}" / f"{number}.png")
    data = SingleData(root=tmp_path / "data", size_px=16, channels=1, hold_out=50, cache=tmp_path / "cache")
    found = reference_of(data.open(0, "cpu"), QUICK, folder=tmp_path / "cache")
    one_class, _ = squares(500, 6)
    alone = found.classifier.features(to_tensor(one_class[::10, ..., None]))
    assert found.floor < 0.2 * frechet_distance(found.features, alone)


def test_classes_by_other_names(reference):
    order = (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)
    found = score(known(order), reference, 400)
    assert found.classes == order
    assert found.matched >= 0.98
    assert found.asked < 0.3


def test_a_generator_that_forgot_two_classes(reference):
    found = score(known([0, 1, 2, 3, 4, 5, 6, 7, 0, 1]), reference, 400)
    assert found.shares[8:] == pytest.approx([0, 0], abs=0.01)
    assert found.fd > 10 * score(known(), reference, 400).fd
    assert found.matched == pytest.approx(0.8, abs=0.02)


def test_classes_that_the_judge_does_not_know(reference):
    found = score(Sampler(Known([squares(50, 3)[0]] * 2)), reference, 50)
    assert (found.asked, found.matched, found.classes) == (None, None, ())


class Bars(nn.Module):
    """Draws an upright bar; the first code leans it to the left by up to 20 degrees, the second widens it."""

    def __init__(self):
        super().__init__()
        self.config = SpaceConfig(latent=1, codes=2, size_px=32)

    def forward(self, z):
        y, x = torch.meshgrid(torch.arange(32.0) - 16, torch.arange(32.0) - 16, indexing="ij")
        lean = torch.tan(torch.deg2rad(20 * z[:, 1] + z[:, 0]))[:, None, None]
        half = (3 + z[:, 2])[:, None, None]
        inside = ((x - lean * y).abs() < half) & (y.abs() < 11)
        return inside[:, None].float() * 2 - 1


def test_what_codes_do():
    turning, widening = effects_of_codes(Sampler(Bars()))
    assert turning["slant_degrees"].change == pytest.approx(-40, abs=2)
    assert turning["slant_degrees"].correlation < -0.98
    assert abs(turning["width_px"].change) < 0.5
    assert widening["width_px"].change == pytest.approx(4, abs=0.5)
    assert widening["width_px"].correlation > 0.9
    assert abs(widening["slant_degrees"].change) < 0.5


def test_the_slope_of_a_critic(pictures):
    critic = nn.Sequential(nn.Flatten(), nn.Linear(256, 1))
    real, _ = pictures.held_out(20)
    assert slope(critic, known(), real) == pytest.approx(critic[1].weight.norm().item(), rel=1e-5)
    assert critic[1].weight.grad is None


def test_a_judge_needs_what_is_to_be_judged_by(idx, tmp_path):
    data = {"root": idx, "size_px": 16, "cache": idx / "cache"}
    with pytest.raises(DataError, match="whole images"):
        reference_of(SingleData(**data, load_size_px=20).open(0, "cpu"), QUICK)
    shutil.copy(idx / "train-images-idx3-ubyte.gz", tmp_path)
    data["root"] = tmp_path
    with pytest.raises(DataError, match="labels"):
        reference_of(SingleData(**data).open(0, "cpu"), QUICK)
    shutil.copy(idx / "train-labels-idx1-ubyte.gz", tmp_path)
    with pytest.raises(DataError, match="nobody trains on"):
        reference_of(SingleData(**data, hold_out=0).open(0, "cpu"), QUICK)


def test_the_benchmark_of_the_family(idx, reference, tmp_path, monkeypatch, capsys):
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "family.py"
    spec = importlib.util.spec_from_file_location("family", path)
    family = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(family)
    monkeypatch.setattr(family.samples, "reference_of", lambda pictures: reference)
    tiny = ["width=2", "discriminator_width=2", "discriminator_hidden=4", "batch=8", f"cache={json.dumps(str(idx))}"]

    def run(*more: str) -> None:
        given = ["--minutes", "0.005", "--samples", "60", "--seeds", "0", "--data", str(idx), "--out", str(tmp_path)]
        family.main([*given, "--size", "16", "--set", *tiny, *more])

    run("--methods", "infogan", "wgan", "--sheets")
    files = [tmp_path / f"{method}-0.json" for method in ("infogan", "wgan")]
    infogan, wgan = (json.loads(file.read_text()) for file in files)
    assert (infogan["method"], wgan["method"]) == ("infogan", "wgan")
    assert len(infogan["effects"]) == 2
    assert len(wgan["moments"]) >= 2
    assert wgan["moments"][-1]["fd"] == pytest.approx(wgan["fd"])
    assert -1 <= wgan["rank_correlation"] <= 1
    made = sorted(file.name for file in tmp_path.glob("*.png") if not re.search(r"-0-\d+\.png", file.name))
    assert (tmp_path / "wgan-0-1.png").exists(), "a sheet at each moment"
    assert made == ["infogan-0-code1.png", "infogan-0-code2.png", "infogan-0.png", "wgan-0.png"]
    before = files[1].read_bytes()
    run("--methods", "wgan", "cgan")
    assert files[1].read_bytes() == before, "what is there is not made again"
    assert (tmp_path / "cgan-0.json").exists()
    capsys.readouterr()
    family.main(["--table", "--out", str(tmp_path)])
    table = capsys.readouterr().out
    assert [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")][2:] == [
        "cgan", "infogan", "wgan",
    ]  # fmt: skip
    assert f"({wgan['fd']:.1f})" in table
