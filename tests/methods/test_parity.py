"""The published code's losses over several optimizer steps, through our methods and trainer, in float64."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from viceversa import methods
from viceversa.config import configure
from viceversa.data.batch import Batch
from viceversa.inference.published import read_state, recognise
from viceversa.training.trainer import Trainer


class Fixture:
    """The fixture's images as a data set: sample p is image p mod N."""

    epoch_images = 4

    def __init__(self, folder: Path):
        arrays = np.load(folder / "images.npz")
        self.a, self.b = (torch.from_numpy(arrays[key]).double() / 127.5 - 1 for key in ("A", "B"))

    def batch(self, positions):
        return Batch(side[positions % len(side)].permute(0, 3, 1, 2) for side in (self.a, self.b))


def trajectory(folder: Path, config, networks: dict[str, str]):
    """The trainer with the fixture's initial weights, and its log of each step."""
    facts = json.loads((folder / "losses.json").read_text())
    fabric = Fabric(accelerator="cpu", devices=1, precision="64-true")
    fabric.launch()
    method = methods.of(config.method)(config.method)
    trainer = Trainer(config, method, Fixture(folder), fabric)
    for name, file in networks.items():
        method.get_submodule(name).load_state_dict(recognise(read_state(folder / file)).state)
    log = []

    def after(trainer):
        log.append(trainer.take_means())
        return len(log) == facts["steps"]

    trainer.run(after)
    return trainer, log, facts


def assert_close(ours: float, theirs: float):
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_cyclegan(shared_parity, tmp_path):
    config = configure(
        "cyclegan", out=tmp_path, precision="64-true", size_px=64, width=8, blocks=6, discriminator_width=8,
        images=8, constant=1.0,
    )  # fmt: skip
    files = {"a2b": "G_A", "b2a": "G_B", "d_b": "D_A", "d_a": "D_B"}  # there D_A judges B
    networks = {ours: f"initial_net_{theirs}.pth" for ours, theirs in files.items()}
    _, log, facts = trajectory(shared_parity / "cyclegan_lsgan", config, networks)
    assert len(log) == 8
    for ours, theirs in zip(log, facts["losses"], strict=True):
        assert_close(ours["gan_a2b"], theirs["G_A"])
        assert_close(ours["gan_b2a"], theirs["G_B"])
        assert_close(ours["cycle_a"], theirs["cycle_A"])
        assert_close(ours["cycle_b"], theirs["cycle_B"])
        assert_close(ours["identity_b"], theirs["idt_A"])
        assert_close(ours["identity_a"], theirs["idt_B"])
        assert_close(ours["d_b_real"] + ours["d_b_fake"], theirs["D_A"])
        assert_close(ours["d_a_real"] + ours["d_a_fake"], theirs["D_B"])


def test_pix2pix(shared_parity, tmp_path):
    config = configure(
        "pix2pix", out=tmp_path, precision="64-true", size_px=128, width=4, discriminator_width=8, dropout=False,
        norm="batch", images=12, batch=2, constant=1.0,
    )  # fmt: skip
    folder = shared_parity / "pix2pix_vanilla"
    trainer, log, facts = trajectory(folder, config, {"g": "initial_net_G.pth", "d": "initial_net_D.pth"})
    assert len(log) == 6
    for ours, theirs in zip(log, facts["losses"], strict=True):
        assert_close(ours["gan"], theirs["G_GAN"])
        assert_close(ours["l1"], theirs["G_L1"])
        assert_close(2 * ours["d_real"], theirs["D_real"])
        assert_close(2 * ours["d_fake"], theirs["D_fake"])
    arrays = np.load(folder / "images.npz")
    if "probe_output_after_training" in arrays:
        with torch.no_grad():
            probe = trainer.method.g(trainer.pictures.batch(torch.tensor([0]))[0])
        assert np.abs(probe.numpy() - arrays["probe_output_after_training"]).max() < 1e-6


def test_a_wrong_weight_is_noticed(shared_parity, tmp_path):
    """The comparison can fail: another weight of the cycle loss gives other losses."""
    config = configure(
        "cyclegan", out=tmp_path, precision="64-true", size_px=64, width=8, blocks=6, discriminator_width=8,
        images=8, constant=1.0,
    )  # fmt: skip
    config = replace(config, method=replace(config.method, lambda_cycle=10.001))
    files = {"a2b": "G_A", "b2a": "G_B", "d_b": "D_A", "d_a": "D_B"}
    networks = {ours: f"initial_net_{theirs}.pth" for ours, theirs in files.items()}
    _, log, facts = trajectory(shared_parity / "cyclegan_lsgan", config, networks)
    with pytest.raises(AssertionError):
        assert_close(log[0]["cycle_a"], facts["losses"][0]["cycle_A"])
