from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn

from viceversa.errors import ConfigError
from viceversa.inference.translator import Translator
from viceversa.inference.video import translate_video
from viceversa.inference.video.smoothing import Smoother
from viceversa.networks import ResNetConfig

av = pytest.importorskip("av")


def grain(index: int, level: float, shape: tuple[int, ...] = (32, 48, 3)) -> np.ndarray:
    return np.random.default_rng([index, 9]).normal(0, level, shape)


def byte(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def scene(seed: int) -> np.ndarray:
    """A still image."""
    coarse = np.random.default_rng(seed).uniform(20, 235, (4, 6, 3))
    return np.kron(coarse, np.ones((8, 8, 1)))


def change(frames: list[np.ndarray]) -> float:
    """The mean absolute difference from frame to frame."""
    return float(np.mean(np.abs(np.diff(np.stack(frames).astype(float), axis=0))))


def test_where_nothing_moves_it_flickers_less() -> None:
    before = [byte(scene(1) + grain(index, 1)) for index in range(30)]
    after = [byte(scene(2) + grain(100 + index, 8)) for index in range(30)]
    smoother = Smoother(0.8)
    shown = [smoother(*pair) for pair in zip(before, after, strict=True)]
    raw, left = change(after) - change(before), change(shown) - change(before)
    assert left < 0.35 * raw
    assert smoother.cuts == 0
    # What is shown is still the translation, and nearer to what it would be without noise.
    assert np.abs(shown[-1] - scene(2)).mean() < 0.6 * np.abs(after[-1] - scene(2)).mean()


def test_small_differences_do_not_get_stuck() -> None:
    """An image that is kept in whole levels would stay one level off for ever."""
    still = byte(scene(1))
    smoother = Smoother(0.9)
    smoother(still, np.full_like(still, 100))
    for _ in range(60):
        shown = smoother(still, np.full_like(still, 103))
    assert np.array_equal(shown, np.full_like(still, 103))


def test_nothing_of_a_scene_is_left_after_a_cut() -> None:
    smoother = Smoother(0.95)
    for index in range(10):
        smoother(byte(scene(1) + grain(index, 2)), byte(scene(2) + grain(index, 6)))
    after = byte(scene(4))
    assert np.array_equal(smoother(byte(scene(3)), after), after)
    assert smoother.cuts == 1


def test_bars_that_stay_through_a_cut_do_not_hide_it() -> None:
    smoother = Smoother(0.95)
    one, other = byte(scene(1)), byte(scene(3))
    one[:8] = other[:8] = one[24:] = other[24:] = 0
    smoother(one, byte(scene(2)))
    assert np.array_equal(smoother(other, byte(scene(4))), byte(scene(4)))


def test_what_moves_trails_nothing() -> None:
    smoother = Smoother(0.9)
    for index in range(0, 40, 4):
        before, after = np.full((32, 48, 3), 90, np.uint8), np.full((32, 48, 3), 60, np.uint8)
        before[8:16, index : index + 8], after[8:16, index : index + 8] = 220, 200
        shown = smoother(before, after)
        moving = np.zeros((32, 48), bool)
        moving[8:16, max(index - 4, 0) : index + 8] = True
        assert np.abs(shown.astype(int) - after)[moving].max() <= 1


def test_it_goes_on_from_a_state_as_if_nothing_had_been() -> None:
    frames = [(byte(scene(1) + grain(i, 2)), byte(scene(2) + grain(i, 9))) for i in range(9)]
    whole, first, second = Smoother(0.8), Smoother(0.8), Smoother(0.8)
    expected = [whole(*pair) for pair in frames]
    for pair in frames[:5]:
        first(*pair)
    second.restore(first.state())
    assert all(np.array_equal(second(*pair), shown) for pair, shown in zip(frames[5:], expected[5:], strict=True))


def test_none_at_all_leaves_frames_alone() -> None:
    picture = byte(scene(1))
    assert Smoother(0)(picture, picture) is picture
    for strength in (-0.1, 1.0, float("nan")):
        with pytest.raises(ConfigError, match="--smooth must be at least 0 and below 1"):
            Smoother(strength)


class Flickering(nn.Module):
    """Answers each frame a little brighter or darker, as if it were undecided."""

    config = ResNetConfig()
    multiple = 4

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        return x * 0.8 + (0.1 if self.seen % 2 else -0.1)


def test_a_film_flickers_less(clip: Callable[..., Path], tmp_path: Path) -> None:
    source = clip(tmp_path / "x.mp4", frames=24, sound=None)

    def flicker(smooth: float) -> float:
        translator = Translator({"a2b": Flickering()}, domains={"a": "x", "b": "y"}, size_px=32)
        out = tmp_path / f"{smooth}.mp4"
        translate_video(translator.applied(), source, out, smooth=smooth, batch_size=1, segment=10)
        return change(decoded(out)) - change(decoded(source))

    assert flicker(0.8) < 0.5 * flicker(0.0)


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
