from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from viceversa.data import images
from viceversa.data.pictures import hold_out
from viceversa.data.sources import PairedData, UnpairedData
from viceversa.errors import ConfigError, DataError, PictureError

SIZE = 16
Fill = Callable[..., None]


@pytest.fixture
def fill(tmp_path: Path) -> Fill:
    """Puts ``count`` plain images into a folder: image n of folder "x" is ``(n, shade of x, width)`` all over."""

    def make(name: str, count: int, shade: int = 0, width: int = 20, height: int = 20) -> None:
        (tmp_path / name).mkdir(parents=True)
        for number in range(count):
            picture = np.full((height, width, 3), (number, shade, width), np.uint8)
            Image.fromarray(picture).save(tmp_path / name / f"{number:03}.png")

    return make


@pytest.fixture
def unpaired(tmp_path: Path, fill: Fill) -> UnpairedData:
    fill("women", 7, shade=1)
    fill("men", 5, shade=2)
    return data(UnpairedData, tmp_path, a=tmp_path / "women", b=tmp_path / "men")


def data(kind: type, tmp_path: Path, **settings: object):
    return kind(**{"size_px": SIZE, "cache": tmp_path / "cache", **settings})


def side_by_side(folder: Path, count: int, width: int = 40) -> None:
    """Pairs whose left is (n, 100, column) and whose right is (n, 200, column)."""
    folder.mkdir(parents=True)
    for number in range(count):
        picture = np.zeros((20, width, 3), np.uint8)
        picture[..., 0] = number
        picture[:, : width // 2, 1], picture[:, width // 2 :, 1] = 100, 200
        picture[..., 2] = np.arange(width) % (width // 2)
        Image.fromarray(picture).save(folder / f"{number:03}.png")


def numbers(pictures: torch.Tensor) -> list[int]:
    return images.to_uint8(pictures)[:, 0, 0, 0].tolist()


def test_a_batch_is_what_a_network_takes(unpaired: UnpairedData):
    pictures = unpaired.open(0, "cpu")
    a, b = pictures.batch(torch.arange(3))
    for side, shade in (a, 1), (b, 2):
        assert side.shape == (3, 3, SIZE, SIZE)
        assert side.dtype == torch.float32
        assert side.is_contiguous(memory_format=torch.channels_last)
        assert side.min() >= -1
        assert side.max() <= 1
        assert (images.to_uint8(side)[..., 1] == shade).all()
    assert pictures.domains == {"a": "women", "b": "men"}
    assert pictures.counts == {"a": 7, "b": 5}
    assert pictures.epoch_images == 7


def test_each_epoch_shows_every_picture_once_in_another_order(unpaired: UnpairedData):
    pictures = unpaired.open(0, "cpu")
    a, b = pictures.batch(torch.arange(140))
    for shown, count in (numbers(a), 7), (numbers(b), 5):
        epochs = [tuple(shown[start : start + count]) for start in range(0, 140, count)]
        assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
        assert len(set(epochs)) > len(epochs) // 2
    together = set(zip(numbers(a), numbers(b), strict=True))
    assert len(together) == 35, "B is drawn independently of A: all combinations come"
    other = UnpairedData(a=unpaired.a, b=unpaired.b, size_px=SIZE, cache=unpaired.cache).open(1, "cpu")
    assert numbers(other.batch(torch.arange(140))[0]) != numbers(a), "another seed"


def test_a_sample_depends_on_its_position_alone(tmp_path: Path, shared_data: Path):
    settings = data(UnpairedData, tmp_path, root=shared_data / "face2anime", size_px=64)
    positions = torch.arange(190, 290)  # over the end of an epoch of 200
    a, b = settings.open(3, "cpu").batch(positions)
    fresh = settings.open(3, "cpu")
    order = torch.randperm(len(positions), generator=torch.Generator().manual_seed(0))
    shuffled = fresh.batch(positions[order])
    assert torch.equal(shuffled[0], a[order])
    assert torch.equal(shuffled[1], b[order])
    for at in (5, 50):
        alone = fresh.batch(positions[at : at + 1])
        assert torch.equal(alone[0][0], a[at])
        assert torch.equal(alone[1][0], b[at])


def test_windows_of_a_and_b_are_independent(tmp_path: Path):
    side_by_side(tmp_path / "a", 2)
    side_by_side(tmp_path / "b", 2)
    settings = data(UnpairedData, tmp_path, a=tmp_path / "a", b=tmp_path / "b", fit="stretch", load_size_px=40)
    a, b = settings.open(0, "cpu").batch(torch.arange(50))
    same = (images.to_uint8(a)[..., 1:] == images.to_uint8(b)[..., 1:]).all(axis=(1, 2, 3))
    assert same.sum() < 10


def test_load_size_fit_and_mirror(tmp_path: Path, fill: Fill):
    fill("a", 2, width=40, height=20)
    fill("b", 2)
    folders = {"a": tmp_path / "a", "b": tmp_path / "b"}
    assert data(UnpairedData, tmp_path, **folders, size_px=256).load_px == 286
    settings = data(UnpairedData, tmp_path, **folders, load_size_px=SIZE, mirror=False)
    pictures = settings.open(0, "cpu")
    first, again = pictures.batch(torch.arange(2))[0], pictures.batch(torch.arange(2, 4))[0]
    assert torch.equal(first[np.argsort(numbers(first))], again[np.argsort(numbers(again))]), "no chance is left"


def test_pictures_are_held_out_when_there_is_no_test_folder(tmp_path: Path, fill: Fill):
    fill("a", 40)
    fill("b", 25)
    pictures = data(UnpairedData, tmp_path, a=tmp_path / "a", b=tmp_path / "b").open(0, "cpu")
    assert pictures.held_out_kind == "held out"
    assert pictures.counts == {"a": 38, "b": 23}, "at most a tenth of the smaller domain"
    assert pictures.held_out_count == 2
    held = pictures.held_out()
    shown = pictures.batch(torch.arange(38))
    for kept, trained, count in zip(held, shown, (40, 25), strict=True):
        assert kept.shape == (2, 3, SIZE, SIZE)
        assert sorted({*numbers(kept), *numbers(trained)}) == list(range(count))
        assert not {*numbers(kept)} & {*numbers(trained)}
    assert torch.equal(pictures.held_out(1)[0], held[0][:1])
    assert torch.equal(pictures.held_out(start=1)[1], held[1][1:])
    assert pictures.held_out(5, start=2)[0].shape == (0, 3, SIZE, SIZE)


def test_holding_out_hardly_changes_with_new_names():
    names = [f"{number}.png" for number in range(100)]
    chosen = {name for name, apart in zip(names, hold_out(names, 8), strict=True) if apart}
    more = [*names, "new.png", "newer.png"]
    now = {name for name, apart in zip(more, hold_out(more, 8), strict=True) if apart}
    assert len(chosen) == 8
    assert len(chosen & now) >= 6


@pytest.mark.parametrize(("count", "hold_out"), [(40, 0), (9, 8)])
def test_without_held_out_pictures_those_of_training_are_shown(tmp_path: Path, fill: Fill, count: int, hold_out: int):
    fill("a", count)
    fill("b", count)
    settings = data(UnpairedData, tmp_path, a=tmp_path / "a", b=tmp_path / "b", hold_out=hold_out)
    pictures = settings.open(0, "cpu")
    assert pictures.held_out_kind == "training"
    assert pictures.counts["a"] == count
    assert numbers(pictures.held_out(4)[0]) == [0, 1, 2, 3]


def test_a_test_folder_is_held_out(tmp_path: Path, fill: Fill):
    for name, count in ("trainA", 30), ("trainB", 30), ("testA", 4), ("testB", 3):
        fill(name, count, width=30 if "test" in name else 20)
    pictures = data(UnpairedData, tmp_path, root=tmp_path).open(0, "cpu")
    a, b = pictures.held_out()
    assert (len(a), len(b), pictures.held_out_count) == (4, 3, 3)
    assert (images.to_uint8(a)[..., 2] == 30).all(), "from testA"
    assert pictures.counts == {"a": 30, "b": 30}
    assert pictures.held_out_kind == "test"
    assert pictures.domains == {"a": "A", "b": "B"}


@pytest.mark.parametrize(("count", "kind"), [(30, "held out"), (9, "training")])
def test_a_test_folder_of_one_domain_alone(tmp_path: Path, fill: Fill, count: int, kind: str):
    """The other holds out some of its own, or where they are too few neither claims to show more than training."""
    for name, pictures in ("trainA", count), ("trainB", 20), ("testB", 4):
        fill(name, pictures, width=30 if "test" in name else 20)
    pictures = data(UnpairedData, tmp_path, root=tmp_path).open(0, "cpu")
    a, b = pictures.held_out(8)
    assert pictures.held_out_kind == kind
    if kind == "training":
        assert (pictures.counts, len(a), len(b)) == ({"a": 9, "b": 20}, 8, 8)
        assert (images.to_uint8(b)[..., 2] == 20).all(), "from trainB"
    else:
        assert (pictures.counts, len(a), len(b)) == ({"a": 27, "b": 20}, 3, 4)
        assert (images.to_uint8(b)[..., 2] == 30).all(), "from testB"


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_pairs_stay_pairs(tmp_path: Path, direction: str):
    side_by_side(tmp_path / "data/train", 6)
    side_by_side(tmp_path / "data/val", 2)
    pictures = data(PairedData, tmp_path, root=tmp_path / "data", direction=direction).open(0, "cpu")
    for source, target in (pictures.batch(torch.arange(60)), pictures.held_out()):
        left, right = images.to_uint8(source), images.to_uint8(target)
        if direction == "b2a":
            left, right = right, left
        assert (left[..., 1] == 100).all(), "A is the left half"
        assert (right[..., 1] == 200).all()
        assert np.array_equal(left[..., [0, 2]], right[..., [0, 2]]), "same image, same window, same mirror"
        assert source.is_contiguous(memory_format=torch.channels_last)
    assert pictures.domains == {"a": "A", "b": "B"}
    assert pictures.counts == {"a": 6, "b": 6}
    assert pictures.epoch_images == 6
    assert (pictures.held_out_count, pictures.held_out_kind) == (2, "test")


def test_pairs_in_two_folders(tmp_path: Path, fill: Fill):
    fill("photos", 20, shade=1)
    fill("labels", 20, shade=2)
    pictures = data(PairedData, tmp_path, a=tmp_path / "photos", b=tmp_path / "labels").open(0, "cpu")
    a, b = pictures.batch(torch.arange(18))
    assert numbers(a) == numbers(b)
    assert (images.to_uint8(b)[..., 1] == 2).all()
    assert pictures.held_out_count == 2
    assert pictures.domains == {"a": "photos", "b": "labels"}


def test_grey(tmp_path: Path, fill: Fill):
    side_by_side(tmp_path / "pairs", 3)
    pairs = data(PairedData, tmp_path, root=tmp_path / "pairs", channels_a=1, direction="b2a")
    assert pairs.channels == (3, 1)
    source, target = pairs.open(0, "cpu").batch(torch.arange(2))
    assert (source.shape[1], target.shape[1]) == pairs.channels
    fill("a", 3)
    fill("b", 3)
    unpaired = data(UnpairedData, tmp_path, a=tmp_path / "a", b=tmp_path / "b", channels_a=1, channels_b=1)
    assert unpaired.open(0, "cpu").batch(torch.arange(2))[1].shape == (2, 1, SIZE, SIZE)
    assert unpaired.open(0, "cpu").held_out(2)[0].shape == (2, 1, SIZE, SIZE)


def test_the_facades(tmp_path: Path, shared_data: Path):
    some = tmp_path / "some"
    some.mkdir()
    for number in range(1, 21):
        (some / f"{number:04}.jpg").symlink_to(shared_data / "facades" / "pairs" / f"{number:04}.jpg")
    pictures = data(PairedData, tmp_path, root=some, size_px=64, direction="b2a").open(0, "cpu")
    labels, photos = pictures.held_out(2)
    assert pictures.epoch_images == 18
    assert labels.shape == photos.shape == (2, 3, 64, 64)
    # Few colours on a label map: half of its pixels lie within a rounding of their left neighbour, unlike a photo's.
    flat = [(side.diff(dim=3).abs() < 0.02).float().mean() for side in (labels, photos)]
    assert flat[0] > 2 * flat[1]


def test_broken_files_among_good_ones_are_counted(unpaired: UnpairedData, tmp_path: Path):
    (tmp_path / "women/text.jpg").write_text("not an image")
    (tmp_path / "men/zero.jpg").touch()
    pictures = unpaired.open(0, "cpu")
    assert [skip.path.name for skip in pictures.skipped] == ["text.jpg", "zero.jpg"]
    assert pictures.counts == {"a": 7, "b": 5}
    strict = data(UnpairedData, tmp_path, a=unpaired.a, b=unpaired.b, strict=True)
    with pytest.raises(PictureError, match=r"text\.jpg: it is no image"):
        strict.open(0, "cpu")


def test_one_picture_is_not_enough(tmp_path: Path, fill: Fill):
    fill("zebras", 1)
    fill("horses", 3)
    settings = data(UnpairedData, tmp_path, a=tmp_path / "horses", b=tmp_path / "zebras")
    with pytest.raises(DataError, match=r"zebras/ holds only one image to train on, 000\.png; it takes two or more\.$"):
        settings.open(0, "cpu")
    (tmp_path / "zebras/001.png").touch()
    with pytest.raises(DataError, match=r"000\.png; .*\. 1 skipped, the first for .*001\.png: the file is empty"):
        settings.open(0, "cpu")


def test_pictures_smaller_than_the_window(tmp_path: Path, fill: Fill):
    fill("a", 3, width=15)
    fill("b", 3)
    folders = {"a": tmp_path / "a", "b": tmp_path / "b"}
    with pytest.raises(DataError, match=r"None of 3 .* 15 x 20 px, smaller than the 16 px .* --size, .* --enlarge"):
        data(UnpairedData, tmp_path, **folders).open(0, "cpu")
    assert data(UnpairedData, tmp_path, **folders, enlarge=True).open(0, "cpu").counts == {"a": 3, "b": 3}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"size_px": 0}, "--size must be at least 1 pixel, not 0"),
        ({"size_px": 64, "load_size_px": 63}, "--load-size 63 is smaller than --size 64"),
        ({"hold_out": -1}, "--hold-out must be 0 or more"),
        ({"fit": "squash"}, '--fit must be .* not "squash"'),
        ({"root": Path("x"), "a": Path("y")}, "--data and --a or --b were given"),
        ({"direction": "left"}, "--direction must be"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], sentence: str):
    with pytest.raises(ConfigError, match=sentence):
        PairedData(**settings)


def test_no_folders_are_noticed_when_opened():
    for kind in UnpairedData, PairedData:
        with pytest.raises(ConfigError, match="No images were given"):
            kind().open(0, "cpu")


def test_progress_is_told(unpaired: UnpairedData):
    steps: list[tuple[int, int]] = []
    unpaired.open(0, "cpu", lambda done, count: steps.append((done, count)))
    assert steps == [(done, 7) for done in range(1, 8)] + [(done, 5) for done in range(1, 6)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("share", [0.25, 0.0])
def test_a_gpu_gives_the_same_batches(unpaired: UnpairedData, share: float, monkeypatch: pytest.MonkeyPatch):
    """Those that it holds, and those that are sent to it because it has no room for all."""
    monkeypatch.setattr("viceversa.data.pictures._CUDA_SHARE", share)
    here, there = unpaired.open(0, "cpu"), unpaired.open(0, "cuda")
    assert isinstance(there.a.store, torch.Tensor) == (share > 0)
    for mine, yours in zip(here.batch(torch.arange(20)), there.batch(torch.arange(20)), strict=True):
        assert torch.equal(mine, yours.cpu())
