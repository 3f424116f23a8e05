"""Moving averages of the generators: what samples, metrics and the translator folder use."""

import copy

import torch
from torch import nn


class AveragedGenerators(nn.Module):
    """Exponential moving averages of generators, with a warm-up.

    The half-life is counted in images and starts short (Karras et al. 2020, arXiv 1912.04958, and 2024, 2312.02696):
    ``min(half_life_images, images_seen * 0.05)``, else the random weights of the start would make early samples grey.
    """

    def __init__(self, generators: dict[str, nn.Module], half_life_images: float):
        super().__init__()
        self.half_life_images = half_life_images
        self.averages = nn.ModuleDict({name: copy.deepcopy(network) for name, network in generators.items()})
        self.averages.eval().requires_grad_(False)

    def generators(self) -> dict[str, nn.Module]:
        """The averaged generators, in evaluation mode, by their names."""
        return dict(self.averages.items())

    @torch.no_grad()
    def update(self, generators: dict[str, nn.Module], images: int, images_seen: int) -> None:
        """Moves the averages towards ``generators`` by ``images`` images' worth; buffers are copied."""
        half_life = min(self.half_life_images, images_seen * 0.05)
        weight = 1 - 0.5 ** (images / half_life) if half_life > 0 else 1.0
        for name, network in generators.items():
            averaged = self.averages[name]
            for mean, now in zip(averaged.parameters(), network.parameters(), strict=True):
                mean.lerp_(now, weight)
            for mean, now in zip(averaged.buffers(), network.buffers(), strict=True):
                mean.copy_(now)
