"""Videos and images drawn by the tests, so that every fault in them is known."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Frame = NDArray[np.uint8]
HEIGHT, WIDTH, BAR, RATE = 192, 256, 24, 12


@dataclass(frozen=True)
class Planted:
    """A video and what is the matter with each of its frames."""

    path: Path
    labels: tuple[str, ...]
    scenes: tuple[int, ...]


def view(seed: int, height: int = HEIGHT - 2 * BAR, width: int = WIDTH) -> Frame:
    """Something with detail of all sizes that has a place for everything: unlike any of another seed."""
    random = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3))
    for cells, weight in ((3, 1.0), (9, 0.6), (30, 0.35), (90, 0.25)):
        coarse = random.integers(0, 256, (cells, cells + cells // 2, 3), dtype=np.uint8)
        picture += weight * np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    picture -= picture.min()
    return (picture * (235 / picture.max()) + 10).astype(np.uint8)


def shot(seed: int, count: int) -> list[Frame]:
    """The camera moves over a view, two pixels a frame."""
    wide = view(seed, width=WIDTH + 2 * count)
    return [wide[:, 2 * step : 2 * step + WIDTH] for step in range(count)]


def credit(step: int) -> Frame:
    page = Image.new("RGB", (WIDTH, HEIGHT - 2 * BAR))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    for line in range(12):
        words = ("Written by Ada Example", "Camera: Bert Sample", "Music by Cleo Pattern")[line % 3]
        draw.text((50, 20 * line - 2 * step), words, fill="white", font=font)
    return np.asarray(page)


def blurred(frame: Frame) -> Frame:
    return np.asarray(Image.fromarray(frame).filter(ImageFilter.GaussianBlur(4)))


def faded(frame: Frame, light: float) -> Frame:
    return (frame * light).astype(np.uint8)


def write_film(path: Path, frames: Iterable[Frame], codec: str = "libx264", **options: str) -> Path:
    av = pytest.importorskip("av")
    with av.open(str(path), "w", options=options) as container:
        stream = None
        for frame in frames:
            if stream is None:
                stream = container.add_stream(codec, rate=RATE)
                stream.height, stream.width = frame.shape[:2]
                stream.pix_fmt = "yuv420p"
                if codec == "libx264":
                    stream.options = {"preset": "ultrafast", "crf": "12"}
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")))
        container.mux(stream.encode())
    return path


def planted_frames() -> list[tuple[str, int, Frame]]:
    """Label, scene and image of each frame: seven scenes."""
    first = shot(1, 18)
    found = [("good", 0, frame) for frame in first]
    found += [("good", 1, frame) for frame in shot(2, 12)]
    found += [("blurred", 1, blurred(frame)) for frame in shot(2, 18)[12:]]
    third = shot(3, 24)
    found += [("good", 2, frame) for frame in third[:14]]
    found += [("fade", 2, faded(frame, 0.75 - 0.075 * step)) for step, frame in enumerate(third[14:])]
    found += [("dark", 2, np.zeros_like(third[0]))] * 3
    fourth = shot(4, 22)
    found += [("dark", 3, np.zeros_like(third[0]))] * 3
    found += [("fade", 3, faded(frame, 0.075 + 0.075 * step)) for step, frame in enumerate(fourth[:10])]
    found += [("good", 3, frame) for frame in fourth[10:]]
    found += [("again", 4, frame) for frame in first]
    found += [("dark", 5, faded(frame, 0.08)) for frame in shot(5, 12)]
    found += [("credits", 6, credit(step)) for step in range(18)]
    return found


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """A video of seven scenes with black bars above and below, and every fault that is looked for."""
    found = planted_frames()
    barred = [np.pad(frame, ((BAR, BAR), (0, 0), (0, 0))) for _, _, frame in found]
    path = write_film(tmp_path_factory.mktemp("film") / "planted.mp4", barred)
    return Planted(path, tuple(label for label, _, _ in found), tuple(scene for _, scene, _ in found))


@pytest.fixture(scope="session")
def film_writer() -> Callable[..., Path]:
    """``film_writer(path, frames, codec, **options)``."""
    return write_film


@pytest.fixture(scope="session")
def make_view() -> Callable[..., Frame]:
    """``make_view(seed, height, width)``: an image like no other."""
    return view


@pytest.fixture
def views(tmp_path: Path) -> Path:
    """A folder of twelve different images of 160 x 120 px."""
    folder = tmp_path / "views"
    folder.mkdir()
    for seed in range(12):
        Image.fromarray(view(100 + seed, 120, 160)).save(folder / f"view {seed:02d}.png")
    return folder
