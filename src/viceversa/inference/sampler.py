"""The sampler: the way in for every use of a generator that makes images from noise."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from viceversa.data import images
from viceversa.errors import CheckpointError, ConfigError, PictureError, check
from viceversa.inference import latents as spaces
from viceversa.inference.folder import FROM_NOISE, read_translator
from viceversa.inference.latents import How
from viceversa.inference.translator import Translator, check_engine, choose_device, find_weights, made_of
from viceversa.networks import LatentConfig

__all__ = ["Label", "Sampler", "load", "load_sampler"]

Label = int | str | Sequence[int | str] | None
_BATCH, _BATCH_PIXELS = 32, 8 * 512**2


def load(
    path: Path | str, device: str | torch.device = "auto", engine: str = "auto", *, best: bool = False
) -> "Translator | Sampler":
    """The translator or the sampler in a run folder or in a translator folder.

    Args:
        path: ``runs/swap``, or ``runs/swap/translator``, or ``hf://user/name``, or an exported ``model.onnx``.
        device: "auto" takes a GPU when there is one; or "cpu", "cuda", "cuda:1", "mps".
        engine: What computes an .onnx file: "onnxruntime", "openvino", or "auto" for OpenVINO where it is installed.
        best: Of a run that was evaluated while it trained: the best translator, instead of the last.

    Raises:
        CheckpointError: There is neither, or it is damaged or of a newer version.
        ConfigError: There is no such device.
        HubError: The hub has no such model, or it cannot be reached.
    """
    if best:
        path = Path(path, "best")
    if Path(path).suffix == ".onnx":
        from viceversa.inference.onnx.engines import load_onnx

        return load_onnx(Path(path), device, engine)
    check_engine(path, engine)
    config, networks = read_translator(find_weights(Path(path)))
    if FROM_NOISE in networks:
        return Sampler(networks[FROM_NOISE], name=config.domains["a"], classes=config.classes, device=device)
    return made_of(config, networks, device)


def load_sampler(path: Path | str, device: str | torch.device = "auto") -> "Sampler":
    """Load the sampler in a run folder or in a translator folder; as :func:`load`, and a translator is refused."""
    model = load(path, device)
    check(
        isinstance(model, Sampler),
        f"{path} translates images and makes none from noise; use: viceversa translate {path} PICTURE --out OUT",
        CheckpointError,
    )
    return cast(Sampler, model)


class Sampler:
    """Makes images from noise. Image number k of a seed is always the same one, however many are asked for.

    Calls from several threads at once are safe.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str = "pictures",
        classes: Sequence[str] = (),
        device: str | torch.device = "cpu",
    ):
        """Takes the network over: it is moved to the device and set to evaluation mode.

        Args:
            network: One of ``viceversa.networks.SAMPLERS``.
            name: What is in the images.
            classes: Names of the network's one-hot entries; "0", "1", ... where none are given.
            device: See :func:`load`.
        """
        self.device = choose_device(device)
        # Channels-last was measured up to twice as fast as the usual layout on a CPU, and never slower.
        self.network = network.eval().to(device=self.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.name = name
        config: Any = network.config
        self.space: LatentConfig = config
        self.channels: int = config.out_channels
        self.size_px: int = config.size_px
        self.classes = tuple(classes) or tuple(str(index) for index in range(self.space.classes))
        taken = self.space.classes
        check(len(self.classes) == taken, f"The network takes {taken} classes; got {len(self.classes)} names.")
        self.batch = max(1, min(_BATCH, _BATCH_PIXELS // self.size_px**2))
        """Images that go through the network at once."""

    def __repr__(self) -> str:
        extra = [f"classes: {', '.join(self.classes)}"] if self.classes else []
        extra += [f"codes: {self.space.codes}"] if self.space.codes else []
        return f"Sampler({', '.join([self.name, f'{self.size_px} px', *extra])})"

    def sample(
        self, count: int, *, seed: int = 0, label: Label = None, codes: Sequence[float] | None = None
    ) -> list[Image.Image]:
        """Images, RGB or grey.

        Args:
            count: How many.
            seed: Other seeds give other images.
            label: Of a model with classes: the name or number of one, or as many as there are images. Left out: each
                image has its own, drawn with the seed.
            codes: Of a model with continuous codes: a number in [-1, 1] for each. Left out: drawn with the seed.

        Raises:
            ConfigError: There is no such class, or the model takes no classes or other codes.
            PictureError: The model's channels make no PIL image; see :meth:`tensor`.
        """
        return self.pictures(self.latents(count, seed=seed, label=label, codes=codes))

    def tensor(self, count: int, *, seed: int = 0, label: Label = None, codes: Sequence[float] | None = None) -> Tensor:
        """``(count, C, S, S)`` in [-1, 1]: as :meth:`sample`."""
        return self(self.latents(count, seed=seed, label=label, codes=codes))

    def latents(
        self, count: int, *, seed: int = 0, label: Label = None, codes: Sequence[float] | None = None, first: int = 0
    ) -> Tensor:
        """``(count, inputs)``, on the CPU: what images number ``first`` and on are made of. See :meth:`sample`."""
        check(min(count, first) >= 0, f"No fewer than 0 images can be made; got {min(count, first)}.")
        if codes is not None:
            given = " ".join(f"{code:g}" for code in codes) or "none"
            check(self.space.codes, f"This model takes no codes; got {given}.")
            fine = len(codes) == self.space.codes and all(-1 <= code <= 1 for code in codes)  # NaN is refused too
            check(fine, f"This model takes {self.space.codes} codes in -1 to 1; got {given}.")
        return spaces.draw(self.space, torch.arange(first, first + count), seed, self._labels(label, count), codes)

    def interpolate(
        self,
        first: int | Tensor,
        second: int | Tensor,
        steps: int = 8,
        how: How | None = None,
        *,
        label: Label = None,
        codes: Sequence[float] | None = None,
    ) -> list[Image.Image]:
        """Images on the way from one to another, both included.

        Args:
            first: A seed, whose first image is meant, or a latent ``(inputs,)`` as :meth:`latents` gives them.
            second: The same.
            steps: How many images, 2 or more.
            how: "spherical" or "linear"; left out, what suits the model's noise. See
                :func:`viceversa.inference.latents.between`.
            label: Of both ends that are seeds; see :meth:`sample`.
            codes: The same.
        """
        check(steps >= 2, f"From one image to another takes 2 steps or more; got {steps}.")
        ends = [
            self.latents(1, seed=end, label=label, codes=codes)[0] if isinstance(end, int) else end.detach().cpu()
            for end in (first, second)
        ]
        for end in ends:
            self._check(end[None])
        return self.pictures(spaces.between(self.space, ends[0], ends[1], torch.linspace(0, 1, steps), how))

    def pictures(self, latents: Tensor) -> list[Image.Image]:
        """An image for each of ``latents`` ``(N, inputs)``."""
        return [Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array) for array in self.arrays(latents)]

    def arrays(self, latents: Tensor) -> images.Array:
        """``(N, S, S, C)`` uint8 of ``latents`` ``(N, inputs)``; C is 1 or 3."""
        if self.channels not in (1, 3):
            raise PictureError(f"This model makes {self.channels} channels, which no image holds; use tensor().")
        made = [images.to_uint8(part) for part in self._batches(latents)]
        return np.concatenate(made) if made else np.empty((0, self.size_px, self.size_px, self.channels), np.uint8)

    def __call__(self, latents: Tensor) -> Tensor:
        """``(N, inputs)`` to images ``(N, C, S, S)`` in [-1, 1], on the device of ``latents``."""
        made = list(self._batches(latents))
        return torch.cat(made) if made else latents.new_empty(0, self.channels, self.size_px, self.size_px)

    def _batches(self, latents: Tensor) -> Iterator[Tensor]:
        self._check(latents)
        for start in range(0, len(latents), self.batch):
            part = latents[start : start + self.batch].detach()
            # Always as many at once: with other numbers of rows, a processor rounds the same sums in another order.
            filled = torch.cat([part, part[-1:].expand(self.batch - len(part), -1)])
            with torch.inference_mode():
                answer = self.network(filled.to(self.device, torch.float32))
            yield answer[: len(part)].to(latents).clone()  # outside of inference mode: an ordinary tensor

    def _check(self, latents: Tensor) -> None:
        shape, wanted = tuple(latents.shape), self.space.inputs
        check(
            shape[1:] == (wanted,) and latents.is_floating_point(),
            f"Latents of this model are (N, {wanted}) floats; got {shape} of {latents.dtype}.",
        )

    def _labels(self, label: Label, count: int) -> Tensor | None:
        if label is None:
            return None
        if isinstance(label, int | str | np.integer):
            return torch.full((count,), self.index(label))
        check(len(label) == count, f"Give one class, or one for each of {count} images; got {len(label)}.")
        return torch.tensor([self.index(each) for each in label], dtype=torch.int64)

    def index(self, label: int | str) -> int:
        """The number of a class, from 0, by its name or its number.

        Raises:
            ConfigError: There is no such class.
        """
        check(self.classes, f"This model knows no classes; leave class {label!r} out.")
        if label in self.classes:
            return self.classes.index(str(label))
        number = int(label) if not isinstance(label, str) or (label.isdecimal() and len(label) < 9) else -1
        if 0 <= number < len(self.classes):
            return number
        near = difflib.get_close_matches(str(label), self.classes, 1)
        hint = f" Perhaps you meant {near[0]}." if near else ""
        raise ConfigError(f"There is no class {label!r}; there are {_listed(self.classes)}.{hint}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 20 else f"{', '.join(names[:20])} and {len(names) - 20} more"
