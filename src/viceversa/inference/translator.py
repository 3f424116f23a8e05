"""The translator: the one way in for every use of trained generators, from a single picture to a batch of tensors."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from viceversa.errors import CheckpointError, ConfigError, PictureError
from viceversa.inference.conversion import Taken, take
from viceversa.inference.folder import WEIGHTS_FILE, read_translator, save_translator

__all__ = ["Translator", "load", "save_translator"]

_SMALLEST_PX = 8
"""The smallest side that is given to a network: ResNet blocks reflect a quarter of it, which takes 2 pixels."""
_BATCH_PIXELS = 8 * 512**2
"""Pixels that go through a network at once, unless one picture alone has more."""
_WAITING_PIXELS = 8 * _BATCH_PIXELS
"""Pixels of a list's pictures that may wait for others of their size."""


def load(path: Path | str, device: str | torch.device = "auto") -> "Translator":
    """The translator in a run folder or in a translator folder.

    Args:
        path: ``runs/swap``, or ``runs/swap/translator``.
        device: "auto" takes a GPU when there is one; or "cpu", "cuda", "cuda:1", "mps".

    Raises:
        CheckpointError: There is no translator, or it is damaged or of a newer version.
        ConfigError: There is no such device.
    """
    config, networks = read_translator(_find(Path(path)))
    return Translator(networks, domains=config.domains, size_px=config.size_px, device=device)


class Translator:
    """Turns pictures of domain a into domain b, or back; of any size, and of the kind that came in.

    Dropout is off, unless a call asks for ``noise``. Calls from several threads at once are safe.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        *,
        domains: Mapping[str, str],
        size_px: int,
        device: str | torch.device = "cpu",
    ):
        """Takes the networks over: they are moved to the device and set to evaluation mode."""
        self.device = _device(device)
        self.domains = dict(domains)
        self.size_px = size_px
        self.networks = {
            # Channels-last was measured up to twice as fast as the usual layout on a CPU, and never slower.
            name: network.eval().to(device=self.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            for name, network in networks.items()
        }
        self._noisy = {name: _with_dropout(network) for name, network in self.networks.items()}

    def __repr__(self) -> str:
        return f"Translator({' and '.join(self.directions)}, {self.domains}, trained at {self.size_px} px)"

    @property
    def directions(self) -> tuple[str, ...]:
        """What it can do: "a2b", "b2a", or both."""
        return tuple(self.networks)

    def direction(self, to: str | None = None) -> str:
        """The direction that leads to ``to``: "a", "b", or a domain's name; None is the only one there is, or "b".

        Raises:
            ConfigError: No direction leads there.
        """
        if to is None:
            return self.directions[0] if len(self.directions) == 1 else "a2b"
        named = [letter for letter, name in self.domains.items() if name == to]
        letter = named[0] if to not in ("a", "b") and len(named) == 1 else to
        for direction in self.directions:
            if direction[-1] == letter:
                return direction
        choices = " or ".join(f"{name[-1]} ({self.domains[name[-1]]})" for name in self.directions)
        raise ConfigError(f"This translator does not lead to {to!r}; it leads to {choices}.")

    def has_noise(self, to: str | None = None) -> bool:
        """Whether ``noise`` can be asked for: the network that leads to ``to`` has dropout."""
        return self._noisy[self.direction(to)] is not None

    @overload
    def __call__(
        self, picture: Image.Image | str | Path, to: str | None = None, *, noise: bool = ..., batch_size: int = ...
    ) -> Image.Image: ...
    @overload
    def __call__(
        self, picture: NDArray[Any], to: str | None = None, *, noise: bool = ..., batch_size: int = ...
    ) -> NDArray[Any]: ...
    @overload
    def __call__(
        self, picture: Tensor, to: str | None = None, *, noise: bool = ..., batch_size: int = ...
    ) -> Tensor: ...
    @overload
    def __call__(
        self, picture: Sequence[Any], to: str | None = None, *, noise: bool = ..., batch_size: int = ...
    ) -> list[Any]: ...
    def __call__(self, picture: Any, to: str | None = None, *, noise: bool = False, batch_size: int = 8) -> Any:
        """Translates one picture or several; each comes back in its own size and as the kind that came in.

        Args:
            picture: A PIL picture, a path, a uint8 array ``(H, W, C)`` or ``(H, W)``, a float array in [0, 1]; a batch
                of these as an array ``(N, H, W, C)``; a tensor ``(N, C, H, W)`` in [-1, 1]; or a list of pictures.
                A path gives a PIL picture, see :mod:`viceversa.inference.conversion`.
            to: See :meth:`direction`.
            noise: Leaves dropout on, as the pix2pix paper does: each call gives another picture. It draws from torch's
                own generator; ``torch.manual_seed`` makes it repeat.
            batch_size: The most pictures of a batch or a list that go through the network at once.

        Raises:
            ConfigError: No direction leads to ``to``, or ``noise`` is asked of a network without dropout.
            PictureError: A picture cannot be read, or its kind or channels do not fit.
        """
        direction = self.direction(to)
        network = self._noisy[direction] if noise else self.networks[direction]
        if network is None:
            raise ConfigError("This translator has no noise: its network has no dropout; leave noise out.")
        if isinstance(picture, Tensor):
            return _translate_tensor(network, picture, batch_size, self.device)
        if isinstance(picture, np.ndarray) and picture.ndim == 4:
            pictures = _translate_list(network, list(picture), batch_size, self.device)
            return np.stack(pictures) if pictures else picture.copy()
        if isinstance(picture, list | tuple):
            return _translate_list(network, picture, batch_size, self.device)
        return _translate_list(network, [picture], batch_size, self.device)[0]


def pad_to_multiple(x: Tensor, multiple: int) -> tuple[Tensor, int, int]:
    """Pads ``(N, C, H, W)`` by reflection to multiples of ``multiple``, and at least to 8 px: padded, top, left.

    The picture lies in the middle. Where it is smaller than what is missing, the reflection is reflected again.
    """
    offsets: list[int] = []
    for dim in (2, 3):
        size = x.shape[dim]
        target = -(-max(size, _SMALLEST_PX) // multiple) * multiple
        offset = (target - size) // 2
        offsets.append(offset)
        if target > size:
            # A triangular wave: 0 1 2 1 0 1 2 ... for size 3.
            wave = (torch.arange(target, device=x.device) - offset) % max(2 * (size - 1), 1)
            x = x.index_select(dim, torch.minimum(wave, 2 * (size - 1) - wave).clamp_(min=0))
    return x, offsets[0], offsets[1]


def _apply(network: nn.Module, x: Tensor, device: torch.device) -> Tensor:
    """``(N, C, H, W)`` of any size through the network, on the CPU or wherever the network is."""
    height, width = x.shape[2:]
    with torch.inference_mode():
        x = x.to(device=device, dtype=torch.float32)
        padded, top, left = pad_to_multiple(x, int(network.multiple))  # pyright: ignore[reportArgumentType]
        answer = network(padded.contiguous(memory_format=torch.channels_last))
    # Copied outside of inference mode: an ordinary tensor, and the padded one is freed.
    return answer[:, :, top : top + height, left : left + width].clone()


def _translate_tensor(network: nn.Module, x: Tensor, batch_size: int, device: torch.device) -> Tensor:
    takes, gives = _channels(network)
    if x.dim() != 4 or x.shape[1] != takes or not x.is_floating_point() or 0 in x.shape[2:]:
        raise PictureError(
            f"A tensor of pictures is (N, {takes}, H, W) of floats in [-1, 1]; got {tuple(x.shape)} of {x.dtype}."
        )
    at_once = _at_once(x.shape[2] * x.shape[3], batch_size)
    parts = [_apply(network, part, device).to(x) for part in x.detach().split(at_once) if len(part)]
    return torch.cat(parts) if parts else x.new_empty(0, gives, *x.shape[2:])


def _translate_list(network: nn.Module, pictures: Sequence[Any], batch_size: int, device: torch.device) -> Any:
    """Pictures of one size go through the network together, and no more of them are held than a few batches."""
    takes, gives = _channels(network)
    results: list[Any] = [None] * len(pictures)
    waiting: dict[tuple[int, ...], list[tuple[int, Taken]]] = {}

    def translate(size: tuple[int, ...]) -> None:
        group = waiting.pop(size)
        answers = _apply(network, torch.stack([taken.tensor for _, taken in group]), device).cpu()
        for (index, taken), answer in zip(group, answers, strict=True):
            results[index] = taken.back(answer)

    for index, picture in enumerate(pictures):
        taken = take(picture, takes, gives)
        size = tuple(taken.tensor.shape[1:])
        waiting.setdefault(size, []).append((index, taken))
        if len(waiting[size]) >= _at_once(size[0] * size[1], batch_size):
            translate(size)
        if sum(height * width * len(group) for (height, width), group in waiting.items()) > _WAITING_PIXELS:
            for other in list(waiting):
                translate(other)
    for size in list(waiting):
        translate(size)
    return results


def _at_once(pixels: int, batch_size: int) -> int:
    if batch_size < 1:
        raise ConfigError(f"batch_size must be at least 1; got {batch_size}.")
    return max(1, min(batch_size, _BATCH_PIXELS // pixels))


def _channels(network: Any) -> tuple[int, int]:
    return network.config.in_channels, network.config.out_channels


def _with_dropout(network: nn.Module) -> nn.Module | None:
    """The same network with dropout on, sharing its weights; None if it has no dropout."""
    if not any(isinstance(module, nn.Dropout) for module in network.modules()):
        return None
    # A second module rather than a switch on the first: calls from several threads must not see each other's.
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    noisy = copy.deepcopy(network, shared)
    for module in noisy.modules():
        if isinstance(module, nn.Dropout):
            module.train()
    return noisy


def _device(name: str | torch.device) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(f"There is no device {str(name)!r} here ({reason}); use auto or cpu.") from None
    return device


def _find(path: Path) -> Path:
    """The model.safetensors of a run folder or a translator folder, or that file itself."""
    if path.is_file():
        if path.suffix == ".safetensors":
            return path
        raise CheckpointError(
            f"{path} is a file; give the folder of a run or of a translator. Published .pth weights: viceversa import."
        )
    if not path.is_dir():
        raise CheckpointError(f"There is no folder {path}; give the folder of a run or of a translator.")
    for file in (path / WEIGHTS_FILE, path / "translator" / WEIGHTS_FILE):
        if file.is_file():
            return file
    if (path / "metrics.jsonl").exists() or (path / "checkpoints").exists():
        raise CheckpointError(
            f"{path} is a run that has no translator yet: it is written with the first checkpoint; train it further."
        )
    raise CheckpointError(f"{path} holds no translator ({WEIGHTS_FILE}); give the folder of a run or of a translator.")
