from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from viceversa.inference.translator import Translator, save_translator
from viceversa.networks import SAMPLERS, ResNetConfig, ResNetGenerator, UNetConfig, UNetGenerator, initialise


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
def from_noise() -> Callable[..., nn.Module]:
    """``from_noise("dcgan", **config)``: a small network whose batch norm has met some noise, as after training."""

    def make(kind: str = "dcgan", seed: int = 0, **changes: Any) -> nn.Module:
        cls: Any = SAMPLERS[kind]
        network = drawn(cls(cls.Config(**{"width": 4, "size_px": 16, "latent": 6, **changes})), seed).train()
        with torch.no_grad():
            for _ in range(10):
                network(torch.randn(16, network.config.inputs, generator=torch.Generator().manual_seed(seed)))
        return network.eval()

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
