"""VGG-19 (Simonyan and Zisserman 2015, arXiv 1409.1556, configuration E): a classifier, and a measure of content.

The layers carry the names and numbers of torchvision's published weights (``features.25`` is conv4_4).
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from viceversa.errors import ConfigError

_BLOCKS = (2, 2, 4, 4, 4)  # convolutions before each halving
_TO_CONV4_4 = 12  # convolutions
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which the published weights expect


@dataclass(frozen=True, kw_only=True)
class VGGConfig:
    """What a VGG-19 is made of."""

    width: int = 64
    """Channels of the first layer; doubled at each halving of the size until eight times as many."""
    classes: int = 2
    """Kinds of images that it tells apart."""

    def __post_init__(self) -> None:
        if self.width < 1 or self.classes < 2:
            raise ConfigError(f"A VGG-19 needs a width of at least 1 and two or more classes; got {self}.")


class VGG19(nn.Module):
    """Images ``(N, 1 or 3, H, W)`` in [-1, 1], H and W from 16 on, to ``(N, classes)`` logits.

    The sixteen convolutions of the paper; one linear layer on the mean over all places stands for the three on fixed
    224 px (Lin et al. 2014, arXiv 1312.4400, Sec. 3.2).
    """

    Config = VGGConfig

    def __init__(self, config: VGGConfig):
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        previous = 3
        for block, count in enumerate(_BLOCKS):
            channels = config.width * min(2**block, 8)
            layers += [nn.MaxPool2d(2)] if block else []
            for _ in range(count):
                layers += [nn.Conv2d(previous, channels, 3, padding=1), nn.ReLU(inplace=True)]
                previous = channels
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(previous, config.classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, 1 or 3, H, W)`` to ``(N, classes)`` logits."""
        return self.head(self.maps(x).mean((2, 3)))

    def maps(self, x: Tensor) -> Tensor:
        """``(N, 1 or 3, H, W)`` to what the last convolution sees, ``(N, 8 width, H / 16, W / 16)``."""
        return self.features(_standardised(x))


class ContentFeatures(nn.Module):
    """Images ``(N, 1 or 3, H, W)`` in [-1, 1] to the output of conv4_4 before its ReLU, ``(N, C, H / 8, W / 8)``.

    Its weights are never trained, so they are buffers, and no part of a checkpoint. Of the file that they are from a
    checkpoint holds the digest, so that a run goes on with the same weights or not at all.
    """

    per_process = True  # all processes read the same file: there is nothing to average
    digest: Tensor

    def __init__(self, weights: list[tuple[Tensor, Tensor]], digest: bytes):
        """``weights`` and bias of each convolution up to conv4_4; ``digest`` of the file, 32 bytes."""
        super().__init__()
        for index, (weight, bias) in enumerate(weights):
            self.register_buffer(f"weight_{index}", weight, persistent=False)
            self.register_buffer(f"bias_{index}", bias, persistent=False)
        self.register_buffer("digest", torch.tensor(list(digest), dtype=torch.uint8))
        self.register_load_state_dict_pre_hook(require_same_file)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, 1 or 3, H, W)`` to ``(N, C, H / 8, W / 8)``."""
        x = _standardised(x)
        index = 0
        for block, count in enumerate(_BLOCKS[:4]):
            x = F.max_pool2d(x, 2) if block else x
            for _ in range(count):
                x = F.conv2d(x, getattr(self, f"weight_{index}"), getattr(self, f"bias_{index}"), padding=1)
                index += 1
                x = F.relu(x) if index < _TO_CONV4_4 else x
        return x


def content_layers(width: int) -> dict[str, tuple[int, int, int, int]]:
    """The names of the convolutions up to conv4_4, in order, with the shapes of their weights."""
    found: dict[str, tuple[int, int, int, int]] = {}
    place, previous = 0, 3
    for block, count in enumerate(_BLOCKS[:4]):
        for _ in range(count):
            channels = width * 2**block
            found[f"features.{place}"] = (channels, previous, 3, 3)
            place, previous = place + 2, channels  # a ReLU after each
        place += 1  # the halving
    return found


@torch.no_grad()
def with_unit_content(network: VGG19) -> dict[str, Tensor]:
    """The weights of ``network``, scaled so that conv4_4 varies by 1 over smooth noise; its logits stay what they are.

    A content loss on it then has the same scale whatever its width and however long it was trained. What conv4_4 is
    divided by, the next convolution's weights are multiplied by: ReLU and max-pooling let a factor through.
    """
    state = {key: value.detach().to("cpu", torch.float32).clone() for key, value in network.state_dict().items()}
    names = list(content_layers(network.config.width))
    content = ContentFeatures([(state[f"{name}.weight"], state[f"{name}.bias"]) for name in names], b"")
    coarse = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    seen = content(F.interpolate(coarse, 64, mode="bilinear"))
    scale = (seen - seen.mean(0)).abs().mean().clamp(min=1e-12)
    state[f"{names[-1]}.weight"] /= scale
    state[f"{names[-1]}.bias"] /= scale
    state["features.28.weight"] *= scale
    return state


def require_same_file(content: Any, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Refuse a checkpoint that was trained with other weights."""
    before = state.get(f"{prefix}digest")
    if before is not None and not torch.equal(before.cpu(), content.digest.cpu()):
        raise ConfigError(
            "This run began with other weights to compare contents by: the file that --vgg names is another, or has "
            "changed. Name the one of before to go on, or start anew with another --out."
        )


def _standardised(x: Tensor) -> Tensor:
    """[-1, 1] to ImageNet's mean 0 and deviation 1; grey counts as equal parts of red, green and blue."""
    planes = x.expand(-1, 3, -1, -1).unbind(1)
    shown = zip(planes, _MEAN, _DEVIATION, strict=True)
    return torch.stack([(plane + (1 - 2 * mean)) / (2 * deviation) for plane, mean, deviation in shown], dim=1)
