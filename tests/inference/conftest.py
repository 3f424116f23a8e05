from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from viceversa.inference.translator import Translator, save_translator
from viceversa.networks import ResNetConfig, ResNetGenerator, UNetConfig, UNetGenerator, initialise


def drawn(network: nn.Module, seed: int = 0) -> nn.Module:
    """Weights large enough that a network's answer depends plainly on what it is given."""
    initialise(network, "kaiming", 1.0, torch.Generator().manual_seed(seed))
    return network.eval()


@pytest.fixture
def resnet() -> Callable[..., nn.Module]:
    return lambda seed=0, **changes: drawn(ResNetGenerator(ResNetConfig(width=4, blocks=1, **changes)), seed)


@pytest.fixture
def unet() -> Callable[..., nn.Module]:
    def make(seed: int = 0, **changes: object) -> nn.Module:
        network = drawn(UNetGenerator(UNetConfig(**{"width": 4, "levels": 5, "norm": "instance", **changes})), seed)
        return network

    return make


@pytest.fixture
def both_ways(resnet: Callable[..., nn.Module]) -> Translator:
    networks = {"a2b": resnet(1), "b2a": resnet(2)}
    return Translator(networks, domains={"a": "women", "b": "men"}, size_px=64)


@pytest.fixture
def folder(tmp_path: Path, resnet: Callable[..., nn.Module], unet: Callable[..., nn.Module]) -> Path:
    """A translator folder with one network of each kind; batch norm has statistics of its own."""
    back = unet(2, norm="batch")
    for module in back.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(torch.linspace(-0.1, 0.1, module.num_features))
            module.num_batches_tracked.fill_(7)
    save_translator(
        tmp_path / "translator",
        {"a2b": resnet(1), "b2a": back},
        method="cyclegan",
        domains={"a": "women", "b": "men"},
        size_px=64,
        images=12000,
    )
    return tmp_path / "translator"
