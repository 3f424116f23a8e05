"""Windows from anywhere in images (--fit window), and what is said of images that the middle leaves out."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from viceversa.data import outside
from viceversa.data.images import portable
from viceversa.data.pictures import place
from viceversa.data.ragged import Ragged
from viceversa.data.sources import PairedData, UnpairedData
from viceversa.errors import ConfigError
from viceversa.evaluation.image_sets import image_sets

HEIGHT, WIDTH, COUNT = 16, 200, 8
"""Of images that are neither enlarged nor made smaller, so that windows are cut out to the pixel."""


def panorama(number: int, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """Pixels that say where they are: (row, column, image)."""
    rows, columns = np.indices(shape)
    return np.stack([rows, columns, np.full(shape, number)], axis=2).astype(np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Panoramas in a/, the same in b/ with 100 added to the image's number, and one that stands upright."""
    root = tmp_path_factory.mktemp("panoramas")
    for side, more in ("a", 0), ("b", 100):
        (root / side).mkdir()
        for number in range(COUNT):
            shape = (WIDTH, HEIGHT) if number == COUNT - 1 else (HEIGHT, WIDTH)
            Image.fromarray(panorama(number + more, shape)).save(root / side / f"{number}.png")
    return root


def settings(folders: Path, **changes: object) -> dict:
    cache = folders / "cache"
    given = {"a": folders / "a", "b": folders / "b", "size_px": (12, 8), "load_size_px": (16, 16), "cache": cache}
    return {**given, "fit": "window", "mirror": False, "hold_out": 0, **changes}


def numbers(batch: torch.Tensor) -> np.ndarray:
    """``(N, H, W, C)``: the values that the images' files have."""
    return batch.add(1).mul(127.5).round().long().permute(0, 2, 3, 1).numpy()


def test_windows_come_from_anywhere_and_from_their_image(folders):
    batch, _ = UnpairedData(**settings(folders)).open(0, "cpu").batch(torch.arange(60 * COUNT))
    windows = numbers(batch)
    assert windows.shape == (60 * COUNT, 12, 8, 3)
    lying = windows[windows[:, 0, 0, 2] < COUNT - 1]
    upright = windows[windows[:, 0, 0, 2] == COUNT - 1]
    assert len(upright) == 60, "each as often as the others"
    for some, (height, width) in (lying, (HEIGHT, WIDTH)), (upright, (WIDTH, HEIGHT)):
        top, left = some[:, 0, 0, 0], some[:, 0, 0, 1]
        assert (some[..., 0] == top[:, None, None] + np.arange(12)[:, None]).all()
        assert (some[..., 1] == left[:, None, None] + np.arange(8)).all()
        assert max(top.min(), left.min()) <= 20
        assert top.max() >= height - 12 - 20
        assert left.max() >= width - 8 - 20
    assert len({*lying[:, 0, 0, 1].tolist()}) > 150, "of 193 places"


def test_a_window_is_a_function_of_its_position(folders):
    data, positions = UnpairedData(**settings(folders, mirror=True)).open(5, "cpu"), torch.arange(30, 70)
    together = data.batch(positions)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    for side, again in zip(together, data.batch(positions[order]), strict=True):
        assert torch.equal(again, side[order])
    parts = [UnpairedData(**settings(folders, mirror=True)).open(5, "cpu").batch(part) for part in positions.split(7)]
    for side, cut in zip(together, zip(*parts, strict=True), strict=True):
        assert torch.equal(torch.cat(cut), side)


@pytest.mark.parametrize("bits", [8, 16])
def test_pairs_are_cut_alike(folders, bits):
    x, y = PairedData(**settings(folders, mirror=True, bits=bits)).open(0, "cpu").batch(torch.arange(40))
    source, target = numbers(x), numbers(y)
    assert (source[..., :2] == target[..., :2]).all()
    assert (source[..., 2] + 100 == target[..., 2]).all()
    assert len({*source[:, 0, 0, 1].tolist()}) > 10


def test_held_out_images_are_the_middle(folders):
    opened = UnpairedData(**settings(folders, size_px=16)).open(0, "cpu")
    for image in numbers(opened.held_out()[0]):
        assert (image[8, 8, :2] == ((8, 100) if image[0, 0, 2] < COUNT - 1 else (100, 8))).all()
    sets = image_sets(opened)
    assert {image[8, 8, :2].max() for image in np.concatenate([sets.train["a"], sets.test["a"]])} == {100}


def test_both_ways_of_cutting_are_equal():
    sides = np.array([[5, 9], [8, 4], [4, 30]])
    values = np.random.default_rng(0).integers(0, 256, (int(sides.prod(1).sum()), 3), dtype=np.uint8)
    rows, positions = np.array([2, 0, 1, 2, 2, 0]), torch.arange(6)
    ways = [Ragged(pixels=pixels, sides=sides) for pixels in (values, portable(values))]
    cut = [way.windows(rows, (4, 3), seed=1, stream="x", positions=positions) for way in ways]
    assert cut[0].shape == (6, 4, 3, 3)
    assert torch.equal(*cut)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_cuts_the_same_windows(folders):
    for bits in (8, 16):
        data = UnpairedData(**settings(folders, mirror=True, bits=bits))
        there, here = (data.open(0, device) for device in ("cuda", "cpu"))
        assert isinstance(there.a.store, Ragged)
        assert isinstance(there.a.store.pixels, torch.Tensor)
        for one, other in zip(there.batch(torch.arange(30)), here.batch(torch.arange(30)), strict=True):
            assert one.is_cuda
            assert torch.equal(one.cpu(), other)


def test_small_images_are_enlarged_without_distortion(tmp_path):
    for side in "ab":
        (tmp_path / side).mkdir()
        for number in range(3):
            Image.fromarray(panorama(number, (10, 50))).save(tmp_path / side / f"{number}.png")
    data = UnpairedData(**settings(tmp_path, size_px=20, load_size_px=None, enlarge=True))
    store = data.open(0, "cpu").a.store
    assert isinstance(store, Ragged)
    assert store.sides.tolist() == [[22, 110]] * 3


def test_what_would_become_too_large_is_skipped_with_a_reason(tmp_path):
    for side in "ab":
        (tmp_path / side).mkdir()
        for number in range(3):
            Image.fromarray(panorama(number, (10, 50))).save(tmp_path / side / f"{number}.png")
    Image.new("L", (60_000, 2)).save(tmp_path / "a" / "thread.png")
    opened = UnpairedData(**settings(tmp_path, size_px=256, load_size_px=None, enlarge=True)).open(0, "cpu")
    assert [lost.path.name for lost in opened.skipped] == ["thread.png"]
    assert opened.skipped[0].reason.startswith("it is 60000 x 2 px, too long to be enlarged to a short side of 286 px")


def test_what_the_middle_leaves_out_is_said_even_when_the_cache_knows_the_images(folders):
    for _ in range(2):
        opened = UnpairedData(**settings(folders, fit="crop", size_px=16)).open(0, "cpu")
        assert opened.remarks == tuple(
            f"{side}: 92 % of the pixels lie outside the middle square and are not trained on; --fit window cuts "
            "windows from anywhere in them"
            for side in "ab"
        )
        said = PairedData(**settings(folders, fit="crop", size_px=16)).open(0, "cpu").remarks
        assert [line[:18] for line in said if "outside" in line] == ["92 % of the pixels"]
    for other in "window", "stretch":
        assert UnpairedData(**settings(folders, fit=other)).open(0, "cpu").remarks == ()


def test_what_was_cached_before_sizes_were_kept_is_found(folders, tmp_path):
    given = settings(folders, fit="crop", cache=tmp_path)
    before = UnpairedData(**given).open(0, "cpu")
    assert before.remarks
    entries = list(tmp_path.glob("pictures/*/entry.json"))
    for entry in entries:
        about = json.loads(entry.read_text())
        entry.write_text(json.dumps({name: about[name] for name in ("shape", "kept", "skipped")}))
    after = UnpairedData(**given).open(0, "cpu")
    assert after.content == before.content
    assert after.remarks == (), "nobody knows, and nothing is decoded again to find out"
    assert sorted(tmp_path.glob("pictures/*/entry.json")) == sorted(entries)


@pytest.mark.parametrize(
    ("height", "width", "size_px", "words"),
    [
        (480, 640, 256, ""),
        (400, 600, 256, "33 % of the pixels lie outside the middle square .*, --size 256x384 has about their shape"),
        (600, 400, 32, "33 % .*, --size 48x32 has about their shape"),
        (1080, 1920, 128, "44 % .*, --size 128x224 has about their shape"),
        (100, 3000, 64, "97 % .* anywhere in them$"),
        (1080, 1920, (256, 448), ""),
        (500, 500, (64, 128), "50 % .* the middle window of the shape 64x128 .*, --size 64 has about their shape"),
    ],
)
def test_what_is_said_of_shapes(height, width, size_px, words):
    said = outside.remark(np.array([[height, width]] * 3), size_px)
    assert bool(said) == bool(words)
    assert re.search(words, said), said


def test_a_fit_that_there_is_not():
    with pytest.raises(ConfigError, match='--fit must be "crop", "window" or "stretch", not "cover"'):
        UnpairedData(fit="cover")  # pyright: ignore[reportArgumentType]


def test_on_the_host_nothing_is_copied():
    values = np.zeros((4, 3), np.uint8)
    placed = place(Ragged(pixels=values, sides=np.array([[2, 2]])), torch.device("cpu"))
    assert isinstance(placed, Ragged)
    assert placed.pixels is values
