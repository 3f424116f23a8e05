"""Single images with their classes: every layout, MNIST itself, what is built in, and what cannot be trained on."""

import gzip
import struct
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from viceversa.data import images, single
from viceversa.data.avatars.classes import portraits
from viceversa.data.idx import read_labels, read_pictures
from viceversa.data.single import SingleData, SinglePictures, require_classes
from viceversa.errors import ConfigError, DataError, MissingExtra, PictureError

SIZE = 16


def fill(folder: Path, count: int, first: int = 0, side: int = 20) -> None:
    """``count`` plain images: the n-th is ``(n, n, n)`` all over, but for its left half, of which blue is 255."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        picture = np.full((side, side, 3), number, np.uint8)
        picture[:, : side // 2, 2] = 255
        Image.fromarray(picture).save(folder / f"{number:03}.png")


def numbers(pictures: torch.Tensor) -> list[int]:
    return images.to_uint8(pictures)[:, 0, 0, 0].tolist()


def opened(tmp_path: Path, root: Path | None = None, seed: int = 0, **settings: Any) -> SinglePictures:
    data = SingleData(**{"root": root, "size_px": SIZE, "cache": tmp_path / "cache", **settings})
    return data.open(seed, "cpu")


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """Sub-folders rose/ (0 to 11), daisy/ (100 to 119) and an empty one."""
    fill(tmp_path / "flowers/rose", 8)
    fill(tmp_path / "flowers/rose/more", 4, first=8)
    fill(tmp_path / "flowers/daisy", 20, first=100)
    (tmp_path / "flowers/notes").mkdir()
    (tmp_path / "flowers/notes/read.txt").touch()
    return tmp_path / "flowers"


def test_a_batch_is_pictures_and_labels(tmp_path: Path, flowers: Path):
    pictures = opened(tmp_path, flowers, hold_out=0)
    shown, labels = pictures.batch(torch.arange(32))
    assert (shown.shape, shown.dtype) == ((32, 3, SIZE, SIZE), torch.float32)
    assert (labels.shape, labels.dtype) == ((32,), torch.int64)
    assert (shown.min(), shown.max()) == (-1, 1)
    assert pictures.classes == ("daisy", "rose")
    assert sorted(numbers(shown)) == [*range(12), *range(100, 120)], "each once an epoch"
    assert [number >= 100 for number in numbers(shown)] == (labels == 0).tolist()
    assert (images.to_uint8(shown)[:, :, 0, 2] == 255).all(), "nothing is mirrored or cut off"
    assert pictures.domains == {"a": "flowers"}
    assert pictures.counts == {"a": 32}
    assert (pictures.epoch_images, pictures.channels, pictures.size_px) == (32, 3, SIZE)
    assert pictures.held_out_kind == "training"
    require_classes(pictures)


def test_a_sample_is_a_function_of_seed_and_position(tmp_path: Path, flowers: Path):
    pictures, same = opened(tmp_path, flowers), opened(tmp_path, flowers)
    positions = torch.tensor([70, 3, 31, 3])
    together, labels = pictures.batch(positions)
    for index, position in enumerate(positions):
        alone, label = same.batch(position[None])
        assert torch.equal(alone[0], together[index])
        assert label[0] == labels[index]
    first, second = (numbers(pictures.batch(torch.arange(start, start + 29))[0]) for start in (0, 29))
    assert sorted(first) == sorted(second)
    assert first != second
    assert numbers(opened(tmp_path, flowers, seed=1).batch(torch.arange(29))[0]) != first


def test_pictures_are_held_out_when_there_is_no_test_folder(tmp_path: Path, flowers: Path):
    pictures = opened(tmp_path, flowers)
    assert (pictures.held_out_kind, pictures.held_out_count, pictures.counts) == ("held out", 3, {"a": 29})
    kept, labels = pictures.held_out()
    trained, _ = pictures.batch(torch.arange(29))
    assert sorted(numbers(kept) + numbers(trained)) == [*range(12), *range(100, 120)]
    assert [number >= 100 for number in numbers(kept)] == (labels == 0).tolist()
    part, some = pictures.held_out(1, 1)
    assert torch.equal(part, kept[1:2])
    assert torch.equal(some, labels[1:2])
    assert [len(side) for side in pictures.held_out(3, 9)] == [0, 0]


def test_a_test_folder_is_held_out_and_classes_take_turns(tmp_path: Path):
    for part, first in ("train", 0), ("test", 50):
        for label in range(11):
            fill(tmp_path / "digits" / part / f"{label}", 2 + label % 2, first=first + 4 * label)
    pictures = opened(tmp_path, tmp_path / "digits")
    assert pictures.classes == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"), "numbers by size"
    kept, labels = pictures.held_out(22)
    assert labels.tolist() == [*range(11), *range(11)]
    assert numbers(kept) == [50 + 4 * label + turn for turn in (0, 1) for label in range(11)]
    assert (pictures.held_out_kind, pictures.held_out_count) == ("test", 27)
    assert pictures.counts == {"a": 27}
    shown, labels = pictures.batch(torch.arange(27))
    assert [number // 4 for number in numbers(shown)] == labels.tolist()
    require_classes(pictures)


@pytest.mark.parametrize(
    ("folders", "classes", "count", "kind"),
    [
        ({"": 20}, (), 18, "held out"),
        ({"deep/down": 20}, ("deep",), 18, "held out"),
        ({"": 1, "a": 10, "b": 9}, (), 18, "held out"),
        ({"train": 20}, (), 18, "held out"),
        ({"train": 12, "val": 3}, (), 12, "test"),
        ({"train": 12, "test": 3, "val": 4, "extra": 5, "": 1}, (), 12, "test"),
        ({"train": 10, "car": 10}, ("car", "train"), 18, "held out"),
        ({"train/a": 10, "train/b": 10, "test": 5}, ("a", "b"), 18, "held out"),
        ({"train": 12, "test/a": 3, "test/b": 3}, (), 12, "test"),
        ({"train/a": 6, "train/b": 6, "test/c": 3}, ("a", "b", "c"), 12, "test"),
        ({"trainA": 10, "trainB": 10, "truth": 3}, ("A", "B"), 18, "held out"),
        ({"trainA": 6, "trainB": 6, "testA": 1, "testB": 2, "truth/testA": 1}, ("A", "B"), 12, "test"),
    ],
)
def test_layouts(tmp_path: Path, folders: dict[str, int], classes: tuple[str, ...], count: int, kind: str):
    for number, (name, some) in enumerate(folders.items()):
        fill(tmp_path / "set" / name, some, first=50 * number)
    pictures = opened(tmp_path, tmp_path / "set")
    assert (pictures.classes, pictures.counts, pictures.held_out_kind) == (classes, {"a": count}, kind)
    labels = torch.cat([pictures.batch(torch.arange(count))[1], pictures.held_out()[1]])
    assert set(labels.tolist()) == set(range(max(1, len(classes))))


def test_files_that_cannot_be_used_keep_labels_in_place(tmp_path: Path, flowers: Path):
    (flowers / "rose/001.png").write_text("no image")
    fill(flowers / "daisy", 1, first=105, side=9)
    pictures = opened(tmp_path, flowers, hold_out=0)
    shown, labels = pictures.batch(torch.arange(30))
    assert [number >= 100 for number in numbers(shown)] == (labels == 0).tolist()
    assert [lost.path.name for lost in pictures.skipped] == ["flowers", "105.png", "001.png"]  # for notes/read.txt
    assert opened(tmp_path, flowers, hold_out=0, enlarge=True).counts == {"a": 31}
    with pytest.raises(PictureError, match=r"001\.png"):
        opened(tmp_path, flowers, strict=True, enlarge=True)


def test_windows_mirrors_and_grey(tmp_path: Path, flowers: Path):
    left = images.to_uint8(opened(tmp_path, flowers, mirror=True, hold_out=0).batch(torch.arange(200))[0])[:, 0, 0, 2]
    assert 60 < (left == 255).sum() < 140, "half of them are mirrored"
    jittered = opened(tmp_path, flowers, load_size_px=24)
    blue = (images.to_uint8(jittered.batch(torch.arange(200))[0])[:, 0, :, 2] > 200).sum(axis=1)
    assert (blue.min(), blue.max()) == (4, 12), "a window of 16 out of 24, anywhere"
    assert jittered.held_out()[0].shape[2:] == (SIZE, SIZE)
    grey = opened(tmp_path, flowers, channels=1)
    assert grey.channels == grey.batch(torch.arange(2))[0].shape[1] == 1


def test_mnist(tmp_path: Path, shared_data: Path):
    folder = shared_data / "mnist"
    pictures = opened(tmp_path, folder, size_px=32)
    start = time.process_time()
    again = opened(tmp_path, folder, size_px=32)
    assert time.process_time() - start < 2
    assert (again.counts, again.held_out_count, again.held_out_kind) == ({"a": 60000}, 10000, "test")
    assert again.classes == tuple("0123456789")
    assert (again.channels, again.domains) == (1, {"a": "mnist"})
    raw = np.concatenate(list(read_pictures(folder / "train-images-idx3-ubyte.gz")))
    digits = read_labels(folder / "train-labels-idx1-ubyte.gz")
    positions = torch.arange(59990, 60010)
    shown, labels = again.batch(positions)
    rows = again.dataset.rows_at(positions)
    assert np.array_equal(images.to_uint8(shown)[:, 2:-2, 2:-2, 0], raw[rows]), "crisp, with a margin of 2 px"
    assert np.array_equal(labels.numpy(), digits[rows])
    assert (shown[:, :, :2] == -1).all()
    assert torch.equal(pictures.batch(positions)[0], shown), "the cache holds what was read"
    assert again.held_out(20)[1].tolist() == [*range(10), *range(10)]


def test_mnist_by_one_file_in_colour(tmp_path: Path, shared_data: Path):
    pictures = opened(tmp_path, shared_data / "mnist" / "t10k-images-idx3-ubyte.gz", channels=3, size_px=28)
    shown, labels = pictures.batch(torch.arange(50))
    assert shown.shape == (50, 3, 28, 28)
    assert torch.equal(shown[:, 0], shown[:, 2])
    assert len(labels.unique()) > 5
    assert (pictures.counts, pictures.held_out_count) == ({"a": 9936}, 64)


def test_idx_files_without_labels_or_cut_short(tmp_path: Path):
    file = tmp_path / "fashion/train-images-idx3-ubyte.gz"
    file.parent.mkdir()
    head, body = struct.pack(">IIII", 0x803, 20, 16, 16), bytes(range(256)) * 20
    file.write_bytes(gzip.compress(head + body))
    pictures = opened(tmp_path, file.parent)
    assert (pictures.counts, pictures.classes, pictures.channels) == ({"a": 18}, (), 1)
    assert pictures.batch(torch.arange(18))[1].eq(0).all()
    with pytest.raises(DataError, match=r"there is no train-labels-idx1-ubyte beside it, .* or train dcgan"):
        require_classes(pictures)
    file.write_bytes(gzip.compress(head + body[:-1]))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz: it is cut short"):
        opened(tmp_path, file.parent)
    assert len(list((tmp_path / "cache/pictures").iterdir())) == 1, "nothing half-made is left"


def test_the_built_in_digits(tmp_path: Path):
    pytest.importorskip("sklearn", reason="needs the extra digits")
    pictures = opened(tmp_path, builtin="digits", size_px=32)
    assert pictures.counts == {"a": 1573}
    assert (pictures.held_out_kind, pictures.held_out_count) == ("test", 224)
    assert pictures.classes == tuple("0123456789")
    assert (pictures.channels, pictures.domains) == (1, {"a": "digits"})
    shown, labels = pictures.batch(torch.arange(1573))
    test, wanted = pictures.held_out()
    assert shown.shape == (1573, 1, 32, 32)
    means = torch.stack([shown[labels == digit].mean(0) for digit in range(10)])
    nearest = (test[:, None] - means).square().flatten(2).sum(2).argmin(1)
    assert (nearest == wanted).float().mean() > 0.8, "images and labels belong together"
    assert torch.equal(opened(tmp_path, builtin="digits", size_px=32).batch(torch.arange(9))[0], shown[:9])


def test_digits_without_scikit_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtra, match=r"needs sklearn.*pip install 'viceversa\[digits\]'"):
        opened(tmp_path, builtin="digits")


def test_the_built_in_avatars_are_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(single, "portraits", partial(portraits, people=6))
    data = SingleData(builtin="avatars", size_px=24, cache=tmp_path)
    steps: list[tuple[int, int]] = []
    pictures = data.open(0, "cpu", lambda *step: steps.append(step))
    assert steps == [(done, 12) for done in range(1, 13)]
    assert pictures.classes == ("women", "men")
    assert pictures.counts == {"a": 11}
    assert (pictures.held_out_kind, pictures.domains, pictures.channels) == ("held out", {"a": "avatars"}, 3)
    shown, labels = pictures.batch(torch.arange(11))
    assert len({picture.numpy().tobytes() for picture in shown}) == 11
    assert sorted([*labels.tolist(), *pictures.held_out()[1].tolist()]) == [0] * 6 + [1] * 6
    again = data.open(0, "cpu", lambda *_: pytest.fail("drawn again"))
    assert torch.equal(again.batch(torch.arange(11))[0], shown)


def test_classes_that_cannot_be_told_apart(tmp_path: Path, flowers: Path):
    fill(tmp_path / "loose", 4)
    with pytest.raises(DataError, match=r"loose/ holds no sub-folders, so its images have no labels; put .*dcgan"):
        require_classes(opened(tmp_path, tmp_path / "loose"))
    fill(tmp_path / "loose/below", 4)
    with pytest.raises(DataError, match=r"loose/ holds loose images beside its sub-folders, so"):
        require_classes(opened(tmp_path, tmp_path / "loose"))
    fill(tmp_path / "one/rose", 4)
    with pytest.raises(DataError, match=r"one/ holds only one class, rose, and it takes two or more"):
        require_classes(opened(tmp_path, tmp_path / "one"))
    fill(flowers / "tulip", 1)
    pictures = opened(tmp_path, flowers, hold_out=0)
    assert pictures.batch(torch.arange(33))[1].max() == 2, "without a need for labels one image is as good as any"
    with pytest.raises(DataError, match=r"flowers/tulip/: there is only one image of this class to train on"):
        require_classes(pictures)
    fill(tmp_path / "parts/train/a", 3)
    fill(tmp_path / "parts/train/b", 3)
    fill(tmp_path / "parts/test/c", 3)
    with pytest.raises(DataError, match=r"parts/train/c/: there is no image of this class"):
        require_classes(opened(tmp_path, tmp_path / "parts"))


def test_too_little_to_train_on(tmp_path: Path):
    fill(tmp_path / "few", 1)
    (tmp_path / "few/broken.png").touch()
    with pytest.raises(DataError, match=r"few/ holds only one image to train on; .* 1 skipped, .*broken\.png: "):
        opened(tmp_path, tmp_path / "few")
    with pytest.raises(DataError, match=r"nowhere does not exist\. Point --data at a folder"):
        opened(tmp_path, tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"No images were given.*--data.*--builtin avatars or --builtin digits"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"size_px": 15}, "--size must be 16 to 128 pixels .* got 15"),
        ({"size_px": 256}, "--size must be 16 to 128 pixels .* got 256"),
        ({"load_size_px": 31}, "--load-size 31 is smaller than --size 32"),
        ({"hold_out": -1}, "--hold-out must be 0 or more"),
        ({"channels": 2}, r"--channels must be 3 \(colour\) or 1 \(grey\), not 2"),
        ({"fit": "squash"}, '--fit must be .* not "squash"'),
        ({"builtin": "cats"}, '--builtin must be "avatars" or "digits", not "cats"'),
        ({"root": Path("x"), "builtin": "digits"}, "--data and --builtin were given"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], sentence: str):
    with pytest.raises(ConfigError, match=sentence):
        SingleData(**settings)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_batches(tmp_path: Path, flowers: Path):
    data = SingleData(root=flowers, size_px=SIZE, cache=tmp_path / "cache")
    here, there = data.open(0, "cpu"), data.open(0, "cuda")
    for mine, yours in zip(here.batch(torch.arange(40)), there.batch(torch.arange(40)), strict=True):
        assert yours.device.type == "cuda"
        assert torch.equal(mine, yours.cpu())
