"""The classifier learns, is a function of its seed, comes back from disk, and is not made twice."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from viceversa.data.images import to_tensor
from viceversa.errors import CheckpointError, ConfigError, DataError
from viceversa.evaluation import classifier as judging
from viceversa.evaluation import features
from viceversa.evaluation.classifier import FitConfig, fit, fitted, load

QUICK = FitConfig(width=8, features=16, images=1600, batch=32)


def bars(count: int, seed: int, channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Images of 16 px of a lying (0), standing (1) or no (2) bar on noise."""
    numbers = np.random.default_rng(seed)
    pictures = numbers.integers(0, 100, (count, 16, 16, channels), dtype=np.uint8)
    labels = numbers.integers(0, 3, count)
    for picture, label, at in zip(pictures, labels, numbers.integers(3, 12, count), strict=True):
        if label == 0:
            picture[at : at + 2, 3:13] = 220
        elif label == 1:
            picture[3:13, at : at + 2] = 220
    return pictures, labels


@pytest.fixture(scope="module")
def sets():
    return (*bars(400, 1), *bars(100, 2))


@pytest.fixture(scope="module")
def made(sets):
    return fit(*sets, QUICK)


def test_it_learns_and_says_how_well(sets, made):
    assert made.accuracy >= 0.95
    probabilities = made.probabilities(to_tensor(sets[2]))
    assert probabilities.shape == (100, 3)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(100))
    assert float((probabilities.argmax(1).numpy() == sets[3]).mean()) == made.accuracy


def test_the_labels_are_what_it_learns(sets):
    pictures, labels, *test = sets
    shuffled = np.random.default_rng(0).permutation(labels)
    assert fit(pictures, shuffled, *test, QUICK).accuracy < 0.6


def test_colour_and_a_size_that_is_no_square(tmp_path):
    def enlarged(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        pictures, labels = bars(count, seed, channels=3)
        return np.repeat(np.repeat(pictures, 2, 1), 2, 2)[:, :29], labels

    made = fit(*enlarged(300, 1), *enlarged(100, 2), dataclasses.replace(QUICK, mirror=True))
    assert made.accuracy >= 0.9
    made.save(tmp_path / "judge.safetensors")
    back = load(tmp_path / "judge.safetensors")
    assert back.network.config.size_px == (29, 32)
    pictures = to_tensor(enlarged(5, 3)[0])
    assert torch.equal(back.features(pictures), made.features(pictures))
    with pytest.raises(DataError, match=r"takes \(N, 3, 29, 32\); got \(5, 3, 32, 29\)"):
        made.features(pictures.transpose(2, 3))


@pytest.mark.parametrize(
    ("size_px", "judged_at"), [(16, 16), (64, 64), (256, 64), ((16, 32), (16, 32)), ((256, 512), (45, 91))]
)
def test_domains_are_judged_at_the_shape_of_the_images(size_px, judged_at):
    assert features._judged_at(size_px) == judged_at


def test_features_are_the_last_layer_but_one(sets, made):
    pictures = to_tensor(sets[2])
    features = made.features(pictures)
    assert features.shape == (100, 16)
    torch.testing.assert_close(made.probabilities_of(features), made.probabilities(pictures))
    torch.testing.assert_close(made.features(pictures[:7]), features[:7], msg="an image's features depend on others")


def test_equal_settings_give_an_equal_one_and_torch_is_left_alone(sets, made):
    before = torch.get_rng_state()
    again = fit(*sets, QUICK)
    assert torch.equal(torch.get_rng_state(), before)
    state = made.network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in again.network.state_dict().items())
    other = fit(*sets, FitConfig(width=8, features=16, images=64, batch=32, seed=1))
    assert not torch.equal(other.network.head[1].weight, again.network.head[1].weight)


def test_it_comes_back_from_disk(sets, made, tmp_path):
    made.save(tmp_path / "deeper" / "judge.safetensors")
    back = load(tmp_path / "deeper" / "judge.safetensors")
    assert back.accuracy == made.accuracy
    pictures = to_tensor(sets[2])
    assert torch.equal(back.probabilities(pictures), made.probabilities(pictures))


def test_the_cache_is_used_and_knows_what_it_is_for(sets, tmp_path, monkeypatch):
    fits = []
    monkeypatch.setattr(judging, "fit", lambda *given: fits.append(1) or fit(*given))
    brief = FitConfig(width=4, features=8, images=64, batch=32)
    first = fitted(*sets, brief, folder=tmp_path)
    second = fitted(*sets, brief, folder=tmp_path)
    assert len(fits) == 1
    assert torch.equal(first.network.head[1].weight, second.network.head[1].weight)
    changed = sets[0].copy()
    changed[0, 0, 0] ^= 1
    fitted(changed, *sets[1:], brief, folder=tmp_path)
    fitted(*sets, FitConfig(width=4, features=8, images=64, batch=32, seed=1), folder=tmp_path)
    assert len(fits) == 3
    for file in (tmp_path / "classifiers").iterdir():
        file.write_bytes(file.read_bytes()[:-9])
    assert fitted(*sets, brief, folder=tmp_path).accuracy == first.accuracy
    assert len(fits) == 4, "a damaged entry is made anew"


def test_files_that_are_no_classifier(made, tmp_path):
    path = tmp_path / "judge.safetensors"
    with pytest.raises(CheckpointError, match="There is no"):
        load(path)
    path.write_bytes(b"\0" * 100)
    with pytest.raises(CheckpointError, match="damaged"):
        load(path)
    made.save(path)
    tensors = load_file(path)
    about = {"format": "viceversa-classifier", "version": 1, "accuracy": 1.0}
    network = {"classes": 3, "channels": 1, "size_px": 16, "width": 8, "features": 16}
    for changes in {"width": 10**9}, {"classes": True}, {"size_px": 2}, {"size_px": 10**6}, {"depth": 3}, {"width": 9}:
        save_file(tensors, path, {"config": json.dumps({**about, "network": {**network, **changes}})})
        with pytest.raises(CheckpointError, match="no classifier"):
            load(path)
    save_file(tensors, path, {"config": json.dumps({**about, "network": network})})
    assert load(path).accuracy == 1.0


@pytest.mark.parametrize(
    "broken",
    [
        lambda p, y, t, u: (p, y[:-1], t, u),
        lambda p, y, t, u: (p, y, t[:, :-1, :-1], u),
        lambda p, y, t, u: (p, np.where(y == 1, 0, y), t, u),  # a gap
        lambda p, y, t, u: (p, np.zeros_like(y), t, np.zeros_like(u)),  # one class
        lambda p, y, t, u: (p, y - 1, t, u),
        lambda p, y, t, u: (p, y, t, u + 1),
        lambda p, y, t, u: (p, y, t[:0], u[:0]),
    ],
)
def test_sets_that_cannot_be_learnt_from(sets, broken):
    with pytest.raises(DataError, match="A classifier needs"):
        fit(*broken(*sets), QUICK)


def test_settings_and_pictures_that_cannot_be(made):
    with pytest.raises(ConfigError, match="batch of 2 or more"):
        FitConfig(batch=1)
    with pytest.raises(DataError, match=r"takes \(N, 1, 16, 16\); got \(2, 3, 16, 16\)"):
        made.features(torch.zeros(2, 3, 16, 16))
