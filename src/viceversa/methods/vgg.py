"""VGG-19: a classifier, whose inner layers then tell CartoonGAN what the content of an image is.

Simonyan and Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition. ICLR 2015, arXiv 1409.1556.
Rotations as labels that need no people: Gidaris, Singh and Komodakis, ICLR 2018, arXiv 1803.07728.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from viceversa.data.labelled import LabelledData
from viceversa.data.single import require_classes
from viceversa.losses import Term, precise
from viceversa.methods.base import Batch, Iteration, Method, MethodConfig, Preview, Update
from viceversa.methods.settings import OptimizerConfig, ScheduleConfig, check_at_least
from viceversa.networks import vgg_file
from viceversa.networks.layers import Initialisation
from viceversa.networks.vgg import VGG19, VGGConfig

_TURNS = 4  # by 0, 90, 180 and 270 degrees
_RIGHT, _WRONG = (-0.6, 0.5, -0.6), (0.8, -0.7, -0.7)  # colours of frames


@dataclass(frozen=True, kw_only=True)
class VGGNetworkConfig:
    """The network."""

    width: int = 64
    """Channels of the first layer; the deepest have 8 times as many."""
    init: Initialisation = "kaiming"
    """How weights are drawn; with nothing but kaiming do so many layers without normalisation start to learn."""
    init_gain: float = 0.02
    """Standard deviation of the normal initialisation, factor of xavier and orthogonal; kaiming has none."""

    def __post_init__(self) -> None:
        check_at_least(self, width=1)


@dataclass(frozen=True, kw_only=True)
class VGGTrainingConfig(MethodConfig):
    """The settings of VGG-19's training."""

    data: LabelledData = field(default_factory=LabelledData)
    networks: VGGNetworkConfig = field(default_factory=VGGNetworkConfig)
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(learning_rate=1e-4, beta1=0.9))
    schedule: ScheduleConfig = field(default_factory=lambda: ScheduleConfig(batch=32, epochs=30))
    labels: Literal["class", "rotation", "both"] = "both"
    """What it learns to tell: the class of an image, how it was turned, or both; without classes, the turn alone."""
    classes: int | None = None
    """Kinds of images; left out: as many as the data has."""

    def fitted(self, pictures: Any) -> Self:
        """With the classes of the images; without labels of its own kind, with rotations alone."""
        if self.labels == "class" or (self.labels == "both" and len(pictures.classes) > 1):
            require_classes(pictures)
            return dataclasses.replace(self, classes=len(pictures.classes))
        return dataclasses.replace(self, classes=1)


class VGG(Method):
    """One network that learns to name what it sees."""

    name = "vgg"
    paper = "Simonyan and Zisserman 2015, arXiv 1409.1556"
    Config = VGGTrainingConfig

    def __init__(self, config: VGGTrainingConfig):
        super().__init__(config)
        self.classes = config.classes or 2
        self.turns = 1 if config.labels == "class" else _TURNS
        self.network = VGG19(VGGConfig(width=config.networks.width, classes=self.classes * self.turns))

    def step(self, batch: Batch, iteration: Iteration) -> Iterator[Update]:
        """One step on the cross-entropy of the labels."""
        pictures, labels = batch
        if self.turns > 1:
            turns = (iteration.uniform("turn") * self.turns).long().clamp_(max=self.turns - 1)
            pictures = torch.stack([pictures.rot90(turn, (2, 3)) for turn in range(self.turns)], dim=1)
            pictures = pictures[torch.arange(len(turns), device=turns.device), turns]
            labels = labels.clamp(max=self.classes - 1) * self.turns + turns
        logits = precise(self.network(pictures))
        yield Update("network", {"cross_entropy": Term(F.cross_entropy(logits, labels), "classification")})

    def groups(self) -> dict[str, list[nn.Module]]:
        """One network, one group."""
        return {"network": [self.network]}

    def generators(self) -> dict[str, nn.Module]:
        """What is averaged and kept; it generates nothing."""
        return {"vgg": self.network}

    def files(self, generators: dict[str, nn.Module], images: int) -> dict[str, bytes]:
        """The weights, as ``train cartoongan --vgg RUN`` takes them."""
        network: Any = generators["vgg"]
        return {vgg_file.FILE: vgg_file.to_bytes(network, turns=self.turns, images=images)}

    def preview(self, generators: dict[str, nn.Module], batch: Batch) -> Preview:
        """Where it looks (Zhou et al. 2016, arXiv 1512.04150, Eq. 2), and whether it is right, by a frame's colour."""
        network: Any = generators["vgg"]
        pictures, labels = batch
        maps = precise(network.maps(pictures))
        named = network.head(maps.mean((2, 3)).to(pictures.dtype)).argmax(1)
        heat = torch.einsum("nchw,nc->nhw", maps, precise(network.head.weight[named])).relu()[:, None]
        heat = F.interpolate(
            heat / heat.amax((1, 2, 3), keepdim=True).clamp(min=1e-12), pictures.shape[2:], mode="bilinear"
        )
        shown = (pictures.expand(-1, 3, -1, -1) + 1) * (0.2 + 0.8 * heat) - 1
        right = named == labels.clamp(max=self.classes - 1) * self.turns  # these are not turned
        return Preview(
            ("input", "where it looks (green frame: right, red: wrong)"), [(pictures, _framed(shown, right))]
        )


def _framed(pictures: Tensor, right: Tensor) -> Tensor:
    """``(N, 3, S, S)`` with frames of one colour or the other."""
    colours = pictures.new_tensor([_WRONG, _RIGHT])[right.long()][:, :, None, None].expand_as(pictures)
    rim = max(1, pictures.shape[-1] // 32)
    framed = colours.clone()
    framed[:, :, rim:-rim, rim:-rim] = pictures[:, :, rim:-rim, rim:-rim]
    return framed
