"""The translator: the one way in for every use of trained generators, from a single image to a batch of tensors."""

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack, cast, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from viceversa import sizes
from viceversa.data.picture import Picture
from viceversa.data.values import Values
from viceversa.errors import CheckpointError, ConfigError, check
from viceversa.inference import hub
from viceversa.inference.applied import Applied, pad_to_multiple
from viceversa.inference.folder import WEIGHTS_FILE, TranslatorConfig, save_translator
from viceversa.inference.tiling import SMALLEST_TILE_PX
from viceversa.networks import vgg_file
from viceversa.sizes import SizePx

if TYPE_CHECKING:
    from viceversa.inference.video import Outcome

__all__ = ["Translator", "load", "pad_to_multiple", "save_translator"]

Kind = TypeVar("Kind", NDArray[Any], Tensor, Picture, Image.Image)
"""What comes back as the kind that came in."""


class Options(TypedDict, total=False):
    """How a translator is to compute: see :meth:`Translator.__call__`."""

    noise: bool
    batch_size: int
    tile: int | None


def load(path: Path | str, device: str | torch.device = "auto", engine: str = "auto") -> "Translator":
    """Load the translator in a run folder or in a translator folder.

    Arguments and errors are those of :func:`viceversa.load`.

    Raises:
        CheckpointError: It is a sampler, too.
    """
    from viceversa.inference.sampler import load as load_either

    model = load_either(path, device, engine)
    check(
        isinstance(model, Translator),
        f"{path} makes images from noise and translates none; use: viceversa sample {path} --out grid.png",
        CheckpointError,
    )
    return cast(Translator, model)


def made_of(config: TranslatorConfig, networks: Mapping[str, nn.Module], device: str | torch.device) -> "Translator":
    """Return the translator of ``networks`` with all that its config says of how it was trained."""
    return Translator(
        networks,
        domains=config.domains,
        size_px=config.size_px,
        device=device,
        values=config.values,
        side_by_side=config.side_by_side,
        pages_as_channels=config.pages_as_channels,
    )


class Translator:
    """Turns images of domain a into domain b, or back; of any size, and of the kind that came in.

    Dropout is off, unless a call asks for ``noise``. Calls from several threads at once are safe.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        *,
        domains: Mapping[str, str],
        size_px: SizePx,
        device: str | torch.device = "cpu",
        values: Mapping[str, Values] | None = None,
        side_by_side: tuple[float, float] | None = None,
        pages_as_channels: bool = False,
    ):
        """Takes the networks over: they are moved to the device and set to evaluation mode."""
        self.device = choose_device(device)
        self.domains = dict(domains)
        self.size_px: SizePx = size_px
        self.values = dict(values or {})
        """By domain, which values are black and white, where it was trained on a range of them."""
        self.side_by_side = side_by_side
        """See `viceversa.inference.folder.TranslatorConfig.side_by_side`."""
        self.pages_as_channels = pages_as_channels
        """See `viceversa.inference.folder.TranslatorConfig.pages_as_channels`."""
        self.networks = {
            # Channels-last was measured up to twice as fast as the usual layout on a CPU, and never slower.
            name: network.eval().to(device=self.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            for name, network in networks.items()
        }
        self._noisy = {name: _with_dropout(network) for name, network in self.networks.items()}

    def __repr__(self) -> str:
        return f"Translator({' and '.join(self.directions)}, {self.domains}, trained at {sizes.words(self.size_px)} px)"

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
    def __call__(self, picture: Kind, to: str | None = None, **options: Unpack[Options]) -> Kind: ...
    @overload
    def __call__(self, picture: str | Path, to: str | None = None, **options: Unpack[Options]) -> Image.Image: ...
    @overload
    def __call__(self, picture: Sequence[Any], to: str | None = None, **options: Unpack[Options]) -> list[Any]: ...
    def __call__(
        self,
        picture: Any,
        to: str | None = None,
        *,
        noise: bool = False,
        batch_size: int = 8,
        tile: int | None = None,
    ) -> Any:
        """Translates one image or several; each comes back in its own size and as the kind that came in.

        Args:
            picture: A PIL image, a path, a uint8 or uint16 array ``(H, W, C)`` or ``(H, W)``, a float array in
                [0, 1]; a batch of these as an array ``(N, H, W, C)``; a tensor ``(N, C, H, W)`` in [-1, 1]; or a list
                of images. A path gives a PIL image, see :mod:`viceversa.inference.conversion`.
            to: See :meth:`direction`.
            noise: Leaves dropout on, as the pix2pix paper does: each call gives another image. It draws from torch's
                own generator; ``torch.manual_seed`` makes it repeat.
            batch_size: The most images of a batch or a list that go through the network at once.
            tile: The side in pixels of the tiles in which an image is computed; 0 is the whole at once. Left out:
                the whole, unless it would take more than half of the free memory or, on the CPU, 512 MiB. Tiles leave
                no seams: see
                :mod:`viceversa.inference.tiling`.

        Raises:
            ConfigError: No direction leads to ``to``, ``noise`` is asked of a network without dropout, or ``tile`` is
                too small.
            PictureError: An image cannot be read, or its kind or channels do not fit.
        """
        applied = self.applied(to, noise=noise, tile=tile)
        if isinstance(picture, Tensor):
            return applied.to_tensor(picture, batch_size)
        if isinstance(picture, np.ndarray) and picture.ndim == 4:
            pictures = applied.to_list(list(picture), batch_size)
            return np.stack(pictures) if pictures else picture.copy()
        if isinstance(picture, list | tuple):
            return applied.to_list(picture, batch_size)
        return applied.to_list([picture], batch_size)[0]

    def video(
        self,
        source: Path | str,
        out: Path | str,
        to: str | None = None,
        *,
        smooth: float = 0.0,
        noise: bool = False,
        batch_size: int = 8,
        tile: int | None = None,
        overwrite: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> "Outcome":
        """Translates a video into the file ``out``: .mp4, .m4v, .mov, .mkv, or without sound .gif or .webp.

        Sound, times of the frames, colours and duration are kept; frames are turned upright. What is finished of a
        video lies in ``OUT.parts`` until all is, and the same call goes on from there.

        Args:
            source: The video.
            out: The file to write.
            to: See :meth:`direction`.
            smooth: In [0, 1): how much less it flickers where nothing moves; 0 leaves the frames alone.
            noise: See :meth:`__call__`.
            batch_size: The most frames that go through the network at once.
            tile: See :meth:`__call__`.
            overwrite: Replace ``out``, and throw away what is finished of a translation with other settings.
            progress: Called with the frames done and all.

        Raises:
            ConfigError: A setting cannot be, or ``out`` exists.
            DataError: The video cannot be read, is cut short, or does not fit the translator.
            MissingExtra: PyAV is not installed.
        """
        from viceversa.inference.video import translate_video

        return translate_video(
            self.applied(to, noise=noise, tile=tile), Path(source), Path(out),
            smooth=smooth, batch_size=batch_size, overwrite=overwrite, progress=progress,
        )  # fmt: skip

    def applied(self, to: str | None = None, *, noise: bool = False, tile: int | None = None) -> Applied:
        """The network that leads to ``to``, ready for images; arguments and errors as of a call."""
        direction = self.direction(to)
        network = self._noisy[direction] if noise else self.networks[direction]
        if network is None:
            raise ConfigError("This translator has no noise: its network has no dropout; leave noise out.")
        check(
            not tile or tile >= SMALLEST_TILE_PX,
            f"Tiles must be at least {SMALLEST_TILE_PX} px a side, or 0 for none; got {tile}.",
        )
        source, target = self.values.get(direction[0]), self.values.get(direction[-1])
        return Applied(network, self.device, tile, source, target, pages_as_channels=self.pages_as_channels)


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


def choose_device(name: str | torch.device) -> torch.device:
    """The device of a name, or for "auto" a GPU when there is one; ConfigError if it is not here."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(f"There is no device {str(name)!r} here ({reason}); use auto or cpu.") from None
    return device


def check_engine(path: Path | str, engine: str) -> None:
    """ConfigError where an engine is named for what is no .onnx file: it would have no effect."""
    if engine != "auto":
        raise ConfigError(
            f"--engine {engine} is for .onnx files, and {path} is none; export it first: viceversa export {path}"
        )


def find_weights(path: Path) -> Path:
    """The model.safetensors of a run folder or a translator folder, of hf://user/name, or that file itself."""
    if hub.is_address(path):
        return hub.fetch(path)
    if path.is_file():
        if path.suffix == ".safetensors":
            return path
        raise CheckpointError(
            f"{path} is a file; give the folder of a run or of a translator. Published .pth weights: viceversa import."
        )
    if not path.exists() and path.name == "best":
        raise CheckpointError(f"{path.parent} has no best translator: it is kept by training with --evaluate-every.")
    if not path.is_dir():
        raise CheckpointError(f"There is no folder {path}; give the folder of a run or of a translator.")
    for file in (path / WEIGHTS_FILE, path / "translator" / WEIGHTS_FILE):
        if file.is_file():
            return file
    if (path / vgg_file.FILE).is_file():
        raise CheckpointError(
            f"{path} is a run of train vgg, a classifier that CartoonGAN compares contents by, and makes no images; "
            f"use: viceversa train cartoongan --vgg {path}"
        )
    if (path / "metrics.jsonl").exists() or (path / "checkpoints").exists():
        raise CheckpointError(
            f"{path} is a run that has no translator yet: it is written with the first checkpoint; train it further."
        )
    raise CheckpointError(f"{path} holds no translator ({WEIGHTS_FILE}); give the folder of a run or of a translator.")
