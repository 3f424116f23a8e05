"""Runs and translators of the first format, which `make.py` made with the code of that time, go on and translate."""

import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from viceversa import configure, load, train
from viceversa.errors import ConfigError

HERE = Path(__file__).parent
TRANSLATORS = ["cyclegan", "pix2pix", "cartoongan/translator"]


@pytest.fixture
def copied(tmp_path, monkeypatch):
    shutil.copytree(HERE, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")


@pytest.mark.parametrize("model", TRANSLATORS)
def test_translators_translate_as_then(copied, model):
    image = np.asarray(Image.open("images/a/0.png")).astype(np.uint8)
    wanted = np.asarray(Image.open(f"{model.split('/')[0]}.png")).astype(int)
    assert np.abs(load(model, device="cpu")(image).astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("model", ["dcgan", "gan"])
def test_generators_from_noise_load(copied, model):
    images = load(model, device="cpu")(torch.zeros(2, 3))
    assert images.shape == (2, 3, 16, 16)
    assert images.std() > 0


@pytest.mark.parametrize("method", ["cyclegan", "pix2pix", "dcgan"])
def test_runs_go_on(copied, method):
    settings = make_settings(method)
    log = Path(method, "metrics.jsonl")
    before = log.read_text()
    run = train(configure(method, **settings | {"images": 8}), quiet=True)
    assert (run.finished, run.images_seen) == (True, 8)
    assert log.read_text().startswith(before), "what was logged stays"
    assert len(log.read_text()) > len(before)
    with pytest.raises(ConfigError, match="width 2, now 4"):
        train(configure(method, **settings | {"images": 8, "width": 4}), quiet=True)


def make_settings(method):
    """The settings of `make.py`, as a person would type them again."""
    scope = runpy.run_path("make.py")
    data = {"root": "images/a"} if method == "dcgan" else {side: f"images/{side}" for side in "ab"}
    return scope["COMMON"] | scope["RUNS"][method] | data | {"out": method, "cache": "cache"}
