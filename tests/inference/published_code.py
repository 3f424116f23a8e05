"""Networks with the layers and names of the published PyTorch CycleGAN and pix2pix code, with random weights."""

import torch
from torch import Tensor, nn

from viceversa.networks import PatchGAN, PatchGANConfig, ResNetConfig, initialise


def made(network: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights, biases and statistics."""
    generator = torch.Generator().manual_seed(seed)
    initialise(network, "kaiming", 1.0, generator)
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.dim() == 1:
            nn.init.uniform_(tensor, 0.5, 1.5, generator=generator)
    return network.eval()


def normed(conv: nn.Module, norm: str, channels: int) -> list[nn.Module]:
    """A layer as the published code writes it: the bias stands before instance normalisation only."""
    layer = {"instance": nn.InstanceNorm2d, "batch": nn.BatchNorm2d, "none": lambda _: nn.Identity()}[norm]
    return [conv, layer(channels)]


class Block(nn.Module):
    def __init__(self, c: int, norm: str, dropout: bool):
        super().__init__()
        bias, pad = norm == "instance", nn.ReflectionPad2d(1)
        first, second = (normed(nn.Conv2d(c, c, 3, bias=bias), norm, c) for _ in range(2))
        drop = [nn.Dropout(0.5)] if dropout else []
        self.conv_block = nn.Sequential(pad, *first, nn.ReLU(), *drop, nn.ReflectionPad2d(1), *second)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


def theirs(config: ResNetConfig) -> nn.Module:
    """A ResNet generator with the published code's layout of layers and names."""
    c, norm, bias = config.width, config.norm, config.norm == "instance"
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), *normed(nn.Conv2d(config.in_channels, c, 7, bias=bias), norm, c)]
    layers += [nn.ReLU(), *normed(nn.Conv2d(c, 2 * c, 3, 2, 1, bias=bias), norm, 2 * c)]
    layers += [nn.ReLU(), *normed(nn.Conv2d(2 * c, 4 * c, 3, 2, 1, bias=bias), norm, 4 * c), nn.ReLU()]
    layers += [Block(4 * c, norm, config.dropout) for _ in range(config.blocks)]
    layers += [*normed(nn.ConvTranspose2d(4 * c, 2 * c, 3, 2, 1, 1, bias=bias), norm, 2 * c), nn.ReLU()]
    layers += [*normed(nn.ConvTranspose2d(2 * c, c, 3, 2, 1, 1, bias=bias), norm, c), nn.ReLU()]
    layers += [nn.ReflectionPad2d(3), nn.Conv2d(c, config.out_channels, 7), nn.Tanh()]
    network = nn.Module()
    network.model = nn.Sequential(*layers)
    return made(network)


def judge(config: PatchGANConfig, seed: int = 0) -> nn.Module:
    """A discriminator with the published code's names."""
    network = nn.Module()
    network.model = made(PatchGAN(config), seed).body
    return network
