"""The layers that generators and discriminators share: normalisation, reflection padding, initialisation."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from viceversa.errors import ConfigError, check

Norm = Literal["instance", "batch", "group", "none"]
DiscriminatorNorm = Literal["instance", "batch", "group", "none", "spectral"]
"""The last is spectral normalisation of all weights (Miyato et al. 2018, arXiv 1802.05957), and none of values."""
Initialisation = Literal["normal", "xavier", "kaiming", "orthogonal"]
_POWER_ITERATIONS = 15  # as torch's own at the start


class InstanceNorm(nn.Module):
    """Instance normalisation without affine parameters (Ulyanov et al. 2016, arXiv 1607.08022, Eq. 2).

    Every channel of every image gets mean 0 and variance 1: ``(N, C, H, W)`` to the same. Statistics are float32 in
    bfloat16 too, and the memory layout stays as it is.
    """

    def __init__(self, channels: int, eps: float = 1e-5):
        super().__init__()
        self.channels = channels
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same shape and dtype."""
        if x.shape[2] * x.shape[3] == 1:
            return x * 0  # a pixel is its own mean; torch's kernels refuse it
        # Autocast would widen the output to float32 and double the memory traffic of every layer after it.
        with torch.autocast(x.device.type, enabled=False):
            if x.is_cuda and x.is_contiguous(memory_format=torch.channels_last):
                return self.by_batch_norm(x)
            if x.is_cuda and x.dtype == torch.bfloat16:
                return self.by_mean_and_variance(x)
            if x.dtype == torch.bfloat16:
                return F.group_norm(x, self.channels, *self._ones_and_zeros(x), eps=self.eps)
            # A group a channel: these kernels are the fastest on the CPU.
            return F.group_norm(x, self.channels, eps=self.eps)

    def by_batch_norm(self, x: Tensor) -> Tensor:
        """Return the same by batch normalisation of each image.

        Its CUDA kernels work in the channels-last layout, with statistics in float32, where those of group
        normalisation convert to the other layout and back, forward and backward.
        """
        ones, zeros = self._ones_and_zeros(x)
        fast = torch.backends.cudnn.enabled
        images = [torch.batch_norm(image, ones, zeros, None, None, True, 0.0, self.eps, fast) for image in x.split(1)]
        return images[0] if len(images) == 1 else torch.cat(images)

    def by_mean_and_variance(self, x: Tensor) -> Tensor:
        """Return the same by elementary operations in float32, which a compiler makes one kernel of."""
        wide = x if x.dtype == torch.float64 else x.float()
        variance, mean = torch.var_mean(wide, (2, 3), correction=0, keepdim=True)
        return ((wide - mean) * torch.rsqrt(variance + self.eps)).to(x.dtype)

    def _ones_and_zeros(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Weights that change nothing: kernels keep statistics in their type, without them in that of the image."""
        options: Any = {"device": x.device, "dtype": torch.float32 if x.dtype == torch.bfloat16 else x.dtype}
        return torch.ones(self.channels, **options), torch.zeros(self.channels, **options)

    def extra_repr(self) -> str:
        """What ``print(module)`` shows."""
        return f"{self.channels}, eps={self.eps}"


class ReflectionPad(nn.Module):
    """Reflection padding by ``pad`` pixels: ``(N, C, H, W)`` to ``(N, C, H + 2 pad, W + 2 pad)``.

    CUDA's kernels for torch's own have no deterministic backward and convert a channels-last image to the other layout,
    so in either case it is made there of slices, flips and concatenations; the result is equal to the bit.
    """

    def __init__(self, pad: int):
        super().__init__()
        self.pad = pad

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C, H + 2 pad, W + 2 pad)``; H and W must be larger than ``pad``."""
        if x.is_cuda:
            deterministic = x.requires_grad and torch.are_deterministic_algorithms_enabled()
            if deterministic or not x.is_contiguous():
                return self.by_slices(x)
        return F.pad(x, (self.pad,) * 4, mode="reflect")

    def by_slices(self, x: Tensor) -> Tensor:
        """The same function from operations whose backward is deterministic on every device."""
        for dim in (2, 3):
            size = x.shape[dim]
            head = x.narrow(dim, 1, self.pad).flip(dim)
            tail = x.narrow(dim, size - 1 - self.pad, self.pad).flip(dim)
            x = torch.cat([head, x, tail], dim)
        return x

    def extra_repr(self) -> str:
        """What ``print(module)`` shows."""
        return str(self.pad)


def norm_layer(norm: DiscriminatorNorm) -> Callable[[int], nn.Module]:
    """The constructor of a normalisation layer: called with a number of channels."""
    layers: dict[DiscriminatorNorm, Callable[[int], nn.Module]] = {
        "instance": InstanceNorm,
        "batch": nn.BatchNorm2d,
        "group": lambda channels: nn.GroupNorm(_groups(channels), channels),
        "none": lambda _channels: nn.Identity(),
        "spectral": lambda _channels: nn.Identity(),
    }
    return layers[norm]


def normalise_weights(network: nn.Module, norm: DiscriminatorNorm) -> None:
    """Give all convolutions and linear layers of a discriminator spectral normalisation, where ``norm`` is that."""
    if norm == "spectral":
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                spectral_norm(module)


def _groups(channels: int) -> int:
    """As many groups of at least 16 channels as divide them (Wu and He 2018, arXiv 1803.08494, has 16 to a group)."""
    return next(groups for groups in range(max(channels // 16, 1), 0, -1) if channels % groups == 0)


def attended(made: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Put an image together of a generator's content and of its input, as the last channel of ``made`` says.

    AttentionGAN's composition with one content (Tang et al. 2019, arXiv 1911.11897, Eq. 1): m content + (1 - m) x.

    Args:
        made: ``(N, C + 1, H, W)`` in [-1, 1]: the content, and a mask that is -1 where the input stays.
        x: ``(N, C, H, W)`` in [-1, 1].

    Returns:
        The image, ``(N, C, H, W)`` in [-1, 1], and the mask m, ``(N, 1, H, W)`` in [0, 1].
    """
    mask = made[:, -1:] * 0.5 + 0.5
    return x + mask * (made[:, :-1] - x), mask


def check_attention(attention: bool, in_channels: int, out_channels: int) -> None:
    """Refuse a mask between images of unequal channels.

    Raises:
        ConfigError: With the flag.
    """
    check(
        not attention or in_channels == out_channels,
        f"--attention keeps parts of the input, which needs equal channels; got {in_channels} and {out_channels}.",
    )


def works_per_picture(network: nn.Module) -> bool:
    """Whether each image's output is independent of the others in its batch (no batch normalisation)."""
    return not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())  # pyright: ignore[reportPrivateUsage]


def apply_to_each(network: nn.Module, *pictures: Tensor) -> tuple[Any, ...]:
    """``network`` on several batches: in one call where that computes the same, else one after the other."""
    if works_per_picture(network):
        answer, lengths = network(torch.cat(pictures)), [len(batch) for batch in pictures]
        if isinstance(answer, Tensor):
            return answer.split(lengths)
        return tuple(zip(*(scale.split(lengths) for scale in answer), strict=True))  # a list of scales for each batch
    return tuple(network(batch) for batch in pictures)


def initialise(network: nn.Module, kind: Initialisation, gain: float, generator: torch.Generator) -> None:
    """Draws all convolution, linear and attention weights anew; biases become 0, batch norm's scale N(1, gain).

    A network that has ``finish_initialisation(generator)`` then draws anew what is to be otherwise.

    Weights that are parametrised, as by spectral normalisation, are drawn too. Embeddings, layer norms and whatever
    else a module has keep the values that it made.

    Args:
        network: The network, changed in place.
        kind: ``normal`` is N(0, gain) (pix2pix, Sec. 6.2); ``xavier`` and ``kaiming`` are normal; or ``orthogonal``.
        gain: The standard deviation for ``normal``, a factor for ``xavier`` and ``orthogonal``; ``kaiming`` has none.
        generator: Where the numbers come from, on the CPU.

    Raises:
        ConfigError: ``kind`` is not one of the four.
    """
    if kind not in get_args(Initialisation):
        raise ConfigError(f"There is no initialisation {kind!r}; choose one of {', '.join(get_args(Initialisation))}.")

    def draw(weight: Tensor) -> None:
        if kind == "normal":
            nn.init.normal_(weight, 0.0, gain, generator=generator)
        elif kind == "xavier":
            nn.init.xavier_normal_(weight, gain=gain, generator=generator)
        elif kind == "kaiming":
            nn.init.kaiming_normal_(weight, a=0, mode="fan_in", generator=generator)
        else:
            nn.init.orthogonal_(weight, gain=gain, generator=generator)

    for module in network.modules():
        for name in ("weight", "in_proj_weight"):  # the latter is attention's
            weight = getattr(module, name, None)
            if isinstance(module, nn.modules.batchnorm._BatchNorm):  # pyright: ignore[reportPrivateUsage]
                if weight is not None:
                    nn.init.normal_(weight, 1.0, gain, generator=generator)
            elif isinstance(module, nn.LayerNorm | nn.Embedding) or not isinstance(weight, Tensor) or weight.dim() < 2:
                continue
            elif is_parametrized(module, name):  # what is read is made anew each time; what is assigned is kept
                fresh = torch.empty_like(weight, requires_grad=False)
                draw(fresh)
                setattr(module, name, fresh)
                for buffer in _parametrizations(module, name).buffers():
                    if buffer.dim() == 1:  # where spectral normalisation's power iterations begin
                        nn.init.normal_(buffer, generator=generator)
                for _ in range(_POWER_ITERATIONS):  # spectral normalisation takes one each time that it is asked
                    getattr(module, name)
            elif isinstance(weight, nn.Parameter):
                draw(weight)
        for name in ("bias", "in_proj_bias"):
            if isinstance(bias := getattr(module, name, None), nn.Parameter):
                nn.init.zeros_(bias)
    if hasattr(network, "finish_initialisation"):
        network.finish_initialisation(generator)  # pyright: ignore[reportCallIssue]


def _parametrizations(module: Any, name: str) -> nn.Module:
    return module.parametrizations[name]


def check_dropout_rate(rate: float) -> None:
    """Refuses a share that would drop nothing or all.

    Raises:
        ConfigError: With the flag that it is set by.
    """
    if not 0 < rate < 1:
        raise ConfigError(f"--dropout-rate must be above 0 and below 1; got {rate}. --no-dropout leaves dropout out.")


def upsampling(kind: Literal["transposed", "resize"], c_in: int, c_out: int, *, bias: bool) -> nn.Module:
    """Doubles height and width: ``(N, c_in, H, W)`` to ``(N, c_out, 2H, 2W)``.

    ``transposed`` is the papers' 3x3 stride-2 transposed convolution; ``resize`` is nearest-neighbour enlargement and a
    3x3 convolution, against checkerboards (Odena et al. 2016, "Deconvolution and Checkerboard Artifacts").
    """
    if kind == "transposed":
        return nn.ConvTranspose2d(c_in, c_out, 3, stride=2, padding=1, output_padding=1, bias=bias)
    enlarge = nn.Upsample(scale_factor=2, mode="nearest")
    return nn.Sequential(enlarge, ReflectionPad(1), nn.Conv2d(c_in, c_out, 3, bias=bias))
