"""Equal weights give equal outputs: every published network, brought in as `viceversa import` brings it in."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from viceversa.inference.published import Recognised, read_state, recognise
from viceversa.networks import GENERATORS, PatchGAN

FIXTURES = Path(__file__).parents[3] / "shared" / "parity" / "networks"
NAMES = (
    "resnet_9blocks_instance",
    "resnet_6blocks_batch",
    "resnet_6blocks_instance_dropout",
    "unet_128_batch_dropout",
    "unet_128_instance",
    "unet_256_batch",
    "patchgan_70_instance",
    "patchgan_70_batch_pair",
    "patchgan_5layers_instance",
    "pixelgan_batch",
)


def recognised(name: str) -> Recognised:
    if not FIXTURES.is_dir():
        pytest.skip("the parity fixtures (shared/parity/networks beside the repository) are not here")
    return recognise(read_state(FIXTURES / f"{name}.pth"))


def test_every_fixture_is_tested() -> None:
    if not FIXTURES.is_dir():
        pytest.skip("the parity fixtures (shared/parity/networks beside the repository) are not here")
    assert {entry["name"] for entry in json.loads((FIXTURES / "index.json").read_text())} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_output_equals_the_published_one(name: str) -> None:
    kind, config, state = recognised(name)
    network = (GENERATORS | {"patchgan": PatchGAN})[kind](config)
    network.load_state_dict(state, strict=True)
    arrays = np.load(FIXTURES / f"{name}.npz")
    picture = torch.from_numpy(arrays["input"])
    with torch.inference_mode():
        output = network.eval()(picture).numpy()
        exact = network.double()(picture.double()).numpy()
    assert output.shape == arrays["output"].shape
    assert np.abs(output - arrays["output"]).max() <= 1e-5
    # The fixtures were computed in float64; some outputs are so small that 1e-5 alone would say little of them.
    assert np.abs(exact - arrays["output"]).max() <= 1e-7


@pytest.mark.parametrize("name", NAMES)
def test_what_the_network_is_made_of_is_recognised(name: str) -> None:
    kind, config, _ = recognised(name)
    entry = next(e for e in json.loads((FIXTURES / "index.json").read_text()) if e["name"] == name)
    assert config.norm == entry["norm"]
    assert config.width == entry.get("ngf", entry.get("ndf"))
    assert config.in_channels == entry.get("in", 3)
    if entry["kind"] == "generator":
        published_kind, size = entry["netG"].split("_")
        assert kind == published_kind
        if kind == "resnet":
            assert config.blocks == int(size.removesuffix("blocks"))
            assert config.dropout == entry.get("dropout", False)
        else:
            assert 2**config.levels == int(size)
    else:
        layers = {"basic": 3, "pixel": 0}.get(entry["netD"]) if entry["netD"] != "n_layers" else entry["n_layers"]
        assert (kind, config.layers) == ("patchgan", layers)
