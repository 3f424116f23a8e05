from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
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


@pytest.fixture
def clip() -> Callable[..., Path]:
    """``clip(path, ...)``: a small video of a square that moves over a gradient, with a tone."""
    av = pytest.importorskip("av")

    def make(
        path: Path,
        *,
        pictures: list[np.ndarray] | None = None,
        frames: int = 20,
        times: list[int] | None = None,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        sound: str | None = "aac",
        options: dict[str, str] | None = None,
        named: tuple[int, int, int] | None = None,
        color_range: int = 0,
    ) -> Path:
        """``times`` are in hundredths of a second, 10 each unless told; ``named`` is matrix, primaries, transfer."""
        drawn = [square(index) for index in range(frames)] if pictures is None else pictures
        times = list(range(0, 10 * len(drawn), 10)) if times is None else times
        with av.open(str(path), "w") as made:
            film = made.add_stream(codec, rate=10, options={"crf": "4"} if options is None else options)
            film.height, film.width = drawn[0].shape[:2]
            film.pix_fmt = pix_fmt
            film.codec_context.time_base = Fraction(1, 100)
            if named:
                context = film.codec_context
                context.colorspace, context.color_primaries, context.color_trc = named
            film.codec_context.color_range = color_range
            tone = made.add_stream(sound, rate=16000, layout="mono") if sound else None
            for time, picture in zip(times, drawn, strict=True):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                    format=pix_fmt, dst_colorspace=named[0] if named else None, dst_color_range=color_range or None
                )
                frame.pts, frame.time_base, frame.duration = time, Fraction(1, 100), 10
                made.mux(film.encode(frame))
            made.mux(film.encode(None))
            if tone is not None:
                wave = np.sin(np.arange(160 * (times[-1] + 10)) * 0.17)
                for start in range(0, len(wave) // 1024 * 1024, 1024):
                    part = (wave[None, start : start + 1024] * 20000).astype(np.int16)
                    heard = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
                    heard.pts, heard.sample_rate, heard.time_base = start, 16000, Fraction(1, 16000)
                    made.mux(tone.encode(heard))
                made.mux(tone.encode(None))
        return path

    def square(index: int, height: int = 32, width: int = 48) -> np.ndarray:
        rows, columns = np.mgrid[:height, :width]
        picture = np.stack([rows * 4 + 40, columns * 3 + 40, rows + columns + 80], -1).astype(np.uint8)
        picture[8:16, index % 40 : index % 40 + 8] = (230, 60, 20)
        return picture

    return make
