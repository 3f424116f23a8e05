"""Idx files: MNIST's own, whole; and hostile ones, which end in a sentence whatever is in them."""

import gzip
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from viceversa.data.idx import in_idx, read_labels, read_pictures, squares
from viceversa.data.parts import Keeping
from viceversa.data.recipe import Recipe
from viceversa.errors import DataError

from .. import bombs


def idx(numbers: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{numbers.ndim}I", 0, 0, 8, numbers.ndim, *numbers.shape) + numbers.tobytes()


def some(count: int = 5, height: int = 4, width: int = 6) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width), np.uint8)


def whole(path: Path) -> np.ndarray:
    return np.concatenate(list(read_pictures(path)))


def read_or_none(read: Callable[[Path], np.ndarray], path: Path) -> np.ndarray | None:
    """What is in the file; None if it ends in a sentence that names it."""
    try:
        return read(path)
    except DataError as error:
        if not str(error).startswith(f"{path}: "):
            raise
        return None


def keeping(folder: Path) -> Keeping:
    return Keeping(folder=folder, strict=False, progress=None)


def put(folder: Path, *names: str, count: int = 5) -> None:
    """Files of these names: images, or labels 0, 1, 0 ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        data = idx(np.arange(count, dtype=np.uint8) % 2 if "idx1" in name else some(count))
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to write to again and again."""
    return tmp_path_factory.mktemp("idx") / "train-images-idx3-ubyte"


@pytest.mark.parametrize("packed", [False, True])
def test_what_was_written_is_read(place: Path, packed: bool):
    pictures = some(300, 128, 128)  # read in more than one go
    place.write_bytes(gzip.compress(idx(pictures), 1) if packed else idx(pictures))
    assert len(list(read_pictures(place))) == 2
    assert np.array_equal(whole(place), pictures)
    labels = pictures[:, 0, 0]
    place.write_bytes(gzip.compress(idx(labels)) if packed else idx(labels))
    assert np.array_equal(read_labels(place), labels)


def test_mnist(shared_data: Path):
    folder = shared_data / "mnist"
    pictures, labels = whole(folder / "train-images-idx3-ubyte.gz"), read_labels(folder / "train-labels-idx1-ubyte.gz")
    assert pictures.shape == (60000, 28, 28)
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    means = np.stack([pictures[labels == digit].mean(axis=0) for digit in range(10)])
    test, wanted = whole(folder / "t10k-images-idx3-ubyte.gz"), read_labels(folder / "t10k-labels-idx1-ubyte.gz")
    nearest = ((test[:300, None] - means) ** 2).sum(axis=(2, 3)).argmin(axis=1)
    assert (nearest == wanted[:300]).mean() > 0.7, "images and labels belong together"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "it is empty"),
        (b"\x00\x00", "it is cut short"),
        (idx(some())[:9], "it is cut short"),
        (idx(some())[:-1], "it is cut short"),
        (idx(some()) + b"x", "it holds more than its header says"),
        (gzip.compress(idx(some())[:-1], mtime=0), "it is cut short"),
        (gzip.compress(idx(some()) + b"x", mtime=0), "it holds more than its header says"),
        (gzip.compress(idx(some()), mtime=0)[:-4], "it is cut short"),
        (gzip.compress(idx(some()), mtime=0)[:-8] + bytes(8), "what gzip packed is damaged"),
        (gzip.compress(b"", mtime=0)[:10] + b"\xff" * 20, "what gzip packed is damaged"),
        (b"\x1f\x8b" + bytes(20), "what gzip packed is damaged"),
        (b"\x89PNG\r\n\x1a\n", "it is no idx file of images; those begin with 00000803, this with 89504e47"),
        (idx(np.zeros(5, np.uint8)), "this with 00000801 as labels do. Name another file"),
        (b"\x00\x00\x0d\x03" + bytes(12), "this with 00000d03"),
        (struct.pack(">IIII", 0x803, 0, 28, 28), "its header promises 0 images of 28 x 28 px"),
        (struct.pack(">IIII", 0x803, 5, 0, 28), "its header promises 5 images of 28 x 0 px"),
        (struct.pack(">IIII", 0x803, 2**32 - 1, 28, 28), "its header promises 4294967295 images"),
        (struct.pack(">IIII", 0x803, 3, 2**31, 2**31), "its header promises 3 images of 2147483648 x 2147483648 px"),
        (struct.pack(">IIII", 0x803, 10**6, 1000, 1000), "1 to 1000000 of up to 1024 x 1024 px, 2 GB in all"),
    ],
)
def test_damaged_pictures(place: Path, data: bytes, sentence: str):
    place.write_bytes(data)
    with pytest.raises(DataError, match=rf"^{re.escape(str(place))}: .*{re.escape(sentence)}"):
        whole(place)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [(idx(some()), "no idx file of labels"), (idx(np.zeros(9, np.uint8))[:-1], "cut short")],
)
def test_damaged_labels(place: Path, data: bytes, sentence: str):
    place.write_bytes(data)
    with pytest.raises(DataError, match=sentence):
        read_labels(place)


@pytest.mark.parametrize("promise", [1, 2**32 - 1])
def test_a_bomb_is_not_unpacked(place: Path, promise: int):
    """64 MB of zeros in 64 KB: no more is read than the header promises, and no header may promise as much."""
    place.write_bytes(gzip.compress(struct.pack(">IIII", 0x803, promise, 28, 28) + bytes(2**26)))
    assert place.stat().st_size < 2**17
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="more than its header says" if promise == 1 else "its header promises"):
            whole(place)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@settings(max_examples=60, deadline=None)
@given(
    start=st.sampled_from([b"", b"\x00\x00\x08\x03", b"\x00\x00\x08\x01", b"\x1f\x8b\x08"]),
    sizes=st.lists(st.integers(0, 3), max_size=3),
    rest=st.binary(max_size=64),
    packed=st.booleans(),
)
def test_any_bytes_are_pictures_or_a_sentence(place: Path, start: bytes, sizes: list[int], rest: bytes, packed: bool):
    data = start + struct.pack(f">{len(sizes)}I", *sizes) + rest
    place.write_bytes(gzip.compress(data) if packed else data)
    for read, dimensions in ((whole, 3), (read_labels, 1)):
        if (found := read_or_none(read, place)) is not None:
            assert idx(found) == data
            assert found.ndim == dimensions


@settings(max_examples=40, deadline=None)
@given(where=st.integers(0, 10**6), value=st.integers(1, 255), packed=st.booleans())
def test_one_wrong_byte_is_never_a_traceback(place: Path, where: int, value: int, packed: bool):
    data = bytearray(gzip.compress(idx(some()), mtime=0) if packed else idx(some()))
    data[where % len(data)] ^= value
    place.write_bytes(data)
    found = read_or_none(whole, place)
    assert found is None or found.size == some().size


def test_a_margin_keeps_digits_crisp():
    pictures = some(3, 28, 28)
    for background in (0, 255):
        pictures[:, [0, -1]] = pictures[:, :, [0, -1]] = background
        pictures[0, 0] = 77  # one that touches an edge
        made = np.stack(list(squares(iter([pictures[:2], pictures[2:]]), Recipe(side_px=32, channels=(1,)))))
        assert made.shape == (3, 32, 32, 1)
        assert np.array_equal(made[:, 2:-2, 2:-2, 0], pictures)
        margin = np.ones((32, 32), bool)
        margin[2:-2, 2:-2] = False
        assert (made[:, margin] == background).all()


@pytest.mark.parametrize("side_px", [16, 27, 31, 36, 64])
def test_other_sizes_are_resized(side_px: int):
    pictures = np.zeros((1, 28, 28), np.uint8)
    pictures[0, :, 14:] = 200
    (made,) = squares(iter([pictures]), Recipe(side_px=side_px, channels=(3,)))
    assert made.shape == (side_px, side_px, 3)
    assert (made[:, 0] == 0).all(), "no margin"
    assert (made[:, -1] == 200).all()


def test_oblong_pictures_become_square():
    (made,) = squares(iter([some(1, 16, 32)]), Recipe(side_px=16, channels=(1,)))
    assert np.array_equal(made[..., 0], some(1, 16, 32)[0, :, 8:24]), "the middle"
    (made,) = squares(iter([some(1, 16, 32)]), Recipe(side_px=16, channels=(1,), fit="stretch"))
    assert made.shape == (16, 16, 1)


@pytest.mark.parametrize(
    "names",
    [
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
        ["train-images.idx3-ubyte", "train-labels.idx1-ubyte.gz", "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"],
        [
            "latest-train-images-idx3-ubyte.gz",
            "latest-train-labels-idx1-ubyte.gz",
            "latest-test-images-idx3-ubyte.gz",
            "latest-test-labels-idx1-ubyte",
        ],
    ],
)
def test_files_are_found_by_name(tmp_path: Path, names: list[str]):
    put(tmp_path / "letters", *names)
    for root in (tmp_path / "letters", tmp_path / "letters" / names[0]):
        source = in_idx(root, keeping(tmp_path))
        assert source
        assert source.name == "letters"
        assert source.test
        assert source.classes == ("0", "1")
        assert source.train.place.endswith(names[0])
        assert list(source.train.labels.values()) == ["0", "1", "0", "1", "0"]
        assert source.test.place.endswith(names[2])
    alone = in_idx(tmp_path / "letters" / names[2], keeping(tmp_path))
    assert alone
    assert alone.train.place.endswith(names[2])
    assert alone.test is None


def test_there_may_be_no_idx_files(tmp_path: Path):
    (tmp_path / "notes.txt").touch()
    assert in_idx(tmp_path, keeping(tmp_path)) is None
    assert in_idx(tmp_path / "nowhere", keeping(tmp_path)) is None


def test_sets_that_cannot_be(tmp_path: Path):
    put(tmp_path / "two", "emnist-letters-train-images-idx3-ubyte", "emnist-digits-train-images-idx3-ubyte.gz")
    with pytest.raises(DataError, match=r"2 files of images \(emnist-digits-train-.*, emnist-letters-.*--data"):
        in_idx(tmp_path / "two", keeping(tmp_path))
    put(tmp_path / "test", "t10k-images-idx3-ubyte.gz")
    with pytest.raises(DataError, match=r"holds t10k-images-idx3-ubyte but no images to train on"):
        in_idx(tmp_path / "test", keeping(tmp_path))
    put(tmp_path / "odd", "train-images-idx3-ubyte")
    put(tmp_path / "odd", "train-labels-idx1-ubyte", count=4)
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte: it holds 4 labels, and train-images.* 5 images"):
        in_idx(tmp_path / "odd", keeping(tmp_path))
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match=r"photo\.png: it is no idx file of images"):
        in_idx(tmp_path / "photo.png", keeping(tmp_path))


def test_a_head_that_promises_what_is_not_there_makes_no_names(tmp_path: Path):
    """A million names, and as many labels, take hundreds of megabytes."""
    for name, data in (
        ("train-images-idx3-ubyte", struct.pack(">IIII", 0x803, 10**6, 28, 28)),
        ("b.gz", gzip.compress(struct.pack(">IIII", 0x803, 10**6, 28, 28))),
    ):
        (tmp_path / name).write_bytes(data)

        def read(path: Path = tmp_path / name) -> None:
            with pytest.raises(DataError, match=r"it is cut short|like those of a decompression bomb"):
                next(read_pictures(path))

        assert bombs.peak(read) < 20 * bombs.MIB
