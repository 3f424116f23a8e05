"""Cartoons with smoothed edges: blurred near edges alone, cut out as their sharp twins, made once."""

import numpy as np
import pytest
import torch
from PIL import Image

from viceversa.data import cartoons
from viceversa.data.cartoons import CartoonData, smooth_edges
from viceversa.errors import ConfigError

cv2 = pytest.importorskip("cv2", reason="needs the extra prepare")


def drawing(seed: int, side: int = 48) -> np.ndarray:
    """Two flat fields with an upright edge between them, and soft light on one side."""
    numbers = np.random.default_rng(seed)
    picture = np.full((side, side, 3), 40, np.uint8)
    edge = int(numbers.integers(16, 32))
    picture[:, edge:] = numbers.integers(180, 230, 3)
    picture[..., 1] += np.linspace(0, 30, side).astype(np.uint8)[:, None] // 2
    return picture


@pytest.fixture
def folders(tmp_path):
    for name, seed in ("a", 0), ("b", 10):
        (tmp_path / name).mkdir()
        for index in range(4):
            Image.fromarray(drawing(seed + index)).save(tmp_path / name / f"{index}.png")
    return tmp_path


def test_only_what_is_near_an_edge_is_blurred():
    picture = np.full((40, 40, 3), 30, np.uint8)
    picture[:, 20:] = 220
    smooth = smooth_edges(picture)
    assert smooth.shape == picture.shape
    assert smooth.dtype == np.uint8
    changed = np.flatnonzero((smooth != picture).any((0, 2)))
    assert set(changed) == {18, 19, 20, 21}, "a blur of 5 px reaches two pixels to each side"
    steps = np.abs(np.diff(smooth[20, :, 0].astype(int)))
    assert steps.max() < 100 < np.abs(np.diff(picture[20, :, 0].astype(int))).max()
    grey = smooth_edges(picture[:, :, :1])
    assert np.array_equal(grey[:, :, 0], smooth[:, :, 0])
    flat = np.full((20, 20, 3), 99, np.uint8)
    assert np.array_equal(smooth_edges(flat), flat)


def test_a_blur_far_from_edges_is_left_out():
    """The gradient is softer than Canny's threshold: a blur of everything would change it."""
    ramp = np.tile(np.arange(0, 80, 2, dtype=np.uint8)[None, :, None], (40, 1, 3)) ** 1
    ramp[5, 5] += 3
    assert np.array_equal(smooth_edges(ramp), ramp)


def opened(folders, **settings):
    data = CartoonData(
        a=folders / "a", b=folders / "b", size_px=32, load_size_px=40, cache=folders / "cache", **settings
    )
    return data.open(3, "cpu")


def test_a_smoothed_cartoon_lies_under_its_sharp_twin(folders):
    pictures = opened(folders)
    batch = pictures.batch(torch.arange(12))
    photo, cartoon, smoothed = *batch, batch.planes["smoothed_b"]
    assert photo.shape == cartoon.shape == smoothed.shape == (12, 3, 32, 32)
    for sharp, smooth in zip(cartoon, smoothed, strict=True):
        differs = (sharp != smooth).any(0)
        assert differs.any(), "something is smoothed"
        assert differs.float().mean() < 0.5, "and most is not"
        columns = differs.any(0).nonzero().flatten()
        edge = sharp[0].mean(0).diff().abs().argmax()
        assert (columns - edge).abs().max() <= 4, "what is smoothed lies at the sharp one's edge"
    one = pictures.batch(torch.tensor([7]))
    alone = *one, one.planes["smoothed_b"]
    assert all(torch.equal(whole[7:8], x) for whole, x in zip((photo, cartoon, smoothed), alone, strict=True))
    assert all(side.shape[1:] == (3, 32, 32) for side in pictures.held_out(2))


def test_it_is_made_once(folders, monkeypatch):
    first = opened(folders).batch(torch.arange(4))
    made = []
    monkeypatch.setattr(cartoons, "smooth_edges", lambda picture: made.append(1) or picture)
    again = opened(folders).batch(torch.arange(4))
    assert not made
    assert all(map(torch.equal, first, again))
    Image.fromarray(drawing(77)).save(folders / "b" / "0.png")
    opened(folders)
    assert len(made) == 4, "other images are made anew"


def test_test_folders_balance_and_grey(folders):
    for name in ("a", "b"):
        (folders / name).rename(folders / f"train{name.upper()}")
        (folders / f"test{name.upper()}").mkdir()
        Image.fromarray(drawing(5)).save(folders / f"test{name.upper()}" / "x.png")
    data = CartoonData(
        root=folders, size_px=32, cache=folders / "cache", channels_b=1, balance="brightness", mirror=False
    )
    pictures = data.open(0, "cpu")
    batch = pictures.batch(torch.arange(2))
    assert [side.shape[1] for side in (*batch, batch.planes["smoothed_b"])] == [3, 1, 1]
    photos, drawn = pictures.held_out()
    assert pictures.held_out_kind == "test"
    assert (photos.shape, drawn.shape) == ((1, 3, 32, 32), (1, 1, 32, 32))


@pytest.mark.parametrize("settings", [{"bits": 16}, {"channels_a": 5}, {"channels_b": 2}])
def test_what_is_no_grey_or_rgb_of_8_bits_is_refused(settings):
    with pytest.raises(ConfigError, match="CartoonGAN looks at grey or RGB of 8 bits"):
        CartoonData(**settings)
