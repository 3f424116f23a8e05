import io
import re
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from viceversa.data import formats, images
from viceversa.data.picture import Picture
from viceversa.errors import PictureError

RED, WHITE = (255, 0, 0), (255, 255, 255)
BROKEN_ODD = {
    "MANIFEST.tsv",
    "bomb_30000x30000.png",
    "broken_data_stream.png",
    "broken_header.png",
    "half_photo.jpg",
    "huge_17000x17000.avif",
    "logo.svg",
    "truncated.gif",
    "truncated_a.jpg",
    "truncated_end_chunk.png",
    "unknown_compression.png",
    "zero_byte.jpg",
}


def corner(width: int = 6, height: int = 4) -> np.ndarray:
    """White with a red left upper corner, so that every turn shows."""
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[0, 0] = RED
    return picture


@pytest.mark.parametrize("suffix", images.SUFFIXES)
def test_what_is_saved_is_read(tmp_path: Path, suffix: str):
    picture = np.full((20, 30, 3), (200, 100, 50), np.uint8)
    images.save(picture, tmp_path / f"x{suffix}")
    back = images.read(tmp_path / f"x{suffix}")
    assert back.shape == picture.shape
    assert np.abs(back.astype(int) - picture).max() <= 3  # lossy kinds
    assert [path.name for path in tmp_path.iterdir()] == [f"x{suffix}"], "something was left beside it"


def test_grey_is_saved_and_read(tmp_path: Path):
    picture = np.arange(60, dtype=np.uint8).reshape(6, 10, 1)
    images.save(picture, tmp_path / "x.png")
    assert np.array_equal(images.read(tmp_path / "x.png", 1), picture)
    assert np.array_equal(images.read(tmp_path / "x.png"), picture.repeat(3, axis=2))


def test_an_unknown_kind_is_not_written(tmp_path: Path):
    with pytest.raises(PictureError, match=r"'\.xyz'.*\.jpg"):
        images.save(corner(), tmp_path / "x.xyz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_exif_orientation(tmp_path: Path, orientation: int, suffix: str):
    def stored(upright: np.ndarray) -> np.ndarray:
        # How a camera that was held so stores the image (EXIF 2.32, tag 274: which side row 0 and column 0 are).
        turned = upright.transpose(1, 0, 2) if orientation >= 5 else upright
        row_0_last = orientation in (3, 4, 7, 8) if orientation < 5 else orientation in (7, 6)
        column_0_last = orientation in (2, 3) if orientation < 5 else orientation in (8, 7)
        return turned[:: -1 if row_0_last else 1, :: -1 if column_0_last else 1]

    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if suffix == ".webp" else {}
    image = Image.fromarray(np.ascontiguousarray(stored(corner())))
    image.save(tmp_path / f"x{suffix}", exif=exif, **options)
    assert np.array_equal(images.read(tmp_path / f"x{suffix}"), corner())


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA"])
def test_transparent_is_laid_on_white(tmp_path: Path, mode: str):
    image = Image.new("RGBA", (4, 2), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 2, 2))
    image.convert(mode).save(tmp_path / ("x.tif" if mode == "PA" else "x.png"))
    picture = images.read(tmp_path / ("x.tif" if mode == "PA" else "x.png"))
    assert (picture[:, :2] == 255).all()
    assert (picture[:, 2:] == 0).all()


def test_a_colour_key_is_transparent(tmp_path: Path):
    Image.fromarray(corner()).save(tmp_path / "x.png", transparency=RED)
    assert (images.read(tmp_path / "x.png") == 255).all()


def test_cmyk(tmp_path: Path):
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # red ink on paper
    for name in "x.tif", "x.jpg":  # JPEG stores it inverted, as Adobe does
        image.save(tmp_path / name)
        assert np.abs(images.read(tmp_path / name).astype(int) - RED).max() < 8


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy"])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_are_scaled_not_clipped(tmp_path: Path, suffix: str, channels: int):
    values = np.array([[0, 128, 129, 257 * 7, 32768, 65535]], np.uint16)[:, :, None].repeat(channels, 2)
    formats.save(Picture(pixels=values), tmp_path / f"x{suffix}")
    assert images.read(tmp_path / f"x{suffix}", channels)[0, :, 0].tolist() == [0, 0, 1, 7, 128, 255]


def test_floats_lie_between_0_and_1(tmp_path: Path):
    Image.fromarray(np.array([[0, 0.5, 1]], np.float32)).save(tmp_path / "x.tif")
    assert images.read(tmp_path / "x.tif", 1)[0, :, 0].tolist() == [0, 128, 255]
    Image.fromarray(np.array([[-7, 0, 7]], np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(PictureError, match=r"goes from -7 to 7: .* train with --range-a -7 7 .*scale it first"):
        images.read(tmp_path / "x.tif")
    Image.fromarray(np.array([[-4, 0, 4]], np.int32)).save(tmp_path / "x.tif")
    with pytest.raises(PictureError, match="32 bits have no usual range"):
        images.read(tmp_path / "x.tif")


def test_many_channels_are_read_if_they_are_asked_for(tmp_path: Path):
    np.save(tmp_path / "x.npy", np.full((4, 5, 7), 9, np.uint8))
    assert images.read(tmp_path / "x.npy", 7).shape == (4, 5, 7)
    for channels in (1, 3, 5):
        with pytest.raises(PictureError, match=rf"x\.npy: it has 7 channels, and {channels} are asked for"):
            images.read(tmp_path / "x.npy", channels)


def test_1_bit(tmp_path: Path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "x.png")
    assert images.read(tmp_path / "x.png").tolist() == [[[255] * 3, [0] * 3]]


def test_the_first_frame_of_a_gif(tmp_path: Path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert (images.read(tmp_path / "x.gif") == RED).all()


def test_contents_decide_not_the_name(tmp_path: Path):
    Image.fromarray(corner()).save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(tmp_path / "x.jpg")
    assert np.array_equal(images.read(tmp_path / "x.jpg"), corner())


def test_large_jpegs_are_decoded_smaller_on_request(tmp_path: Path):
    smooth = np.linspace(0, 255, 640, dtype=np.uint8)[None, :, None].repeat(320, 0).repeat(3, 2)
    images.save(smooth, tmp_path / "x.jpg")
    assert images.read(tmp_path / "x.jpg").shape == (320, 640, 3)
    small = images.read(tmp_path / "x.jpg", at_least_px=80)
    assert small.shape == (80, 160, 3)
    assert np.abs(small[:, :, 0].astype(int) - images.resize(smooth, (80, 160))[:, :, 0]).max() < 6


def bomb() -> bytes:
    """A valid PNG of 900 megapixels in some kilobytes."""
    head = struct.pack(">IIBBBBB", 30000, 30000, 1, 0, 0, 0, 0)
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def half(suffix: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = images.encode(noise, suffix)
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("name", "contents", "sentence"),
    [
        ("zero.jpg", b"", "the file is empty; replace it or remove it"),
        ("text.jpg", b"This is a diary, not a picture.\n", "no image of a kind that can be read"),
        ("half.jpg", half(".jpg"), "damaged or cut short"),
        ("half.png", half(".png"), "damaged or cut short"),
        ("half.webp", half(".webp"), "damaged|no image"),
        ("half.gif", half(".gif"), "damaged or cut short"),
        ("bomb.png", bomb(), "more than 268 megapixels; make it smaller"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path: Path, name: str, contents: bytes, sentence: str):
    path = tmp_path / name
    path.write_bytes(contents)
    with pytest.raises(PictureError, match=sentence) as caught:
        images.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(PictureError, match=r"gone\.png: there is no such file"):
        images.read(tmp_path / "gone.png")


def test_odd_files_are_read_or_refused(shared_data: Path):
    for path in sorted((shared_data / "odd").iterdir()):
        for channels in (3, 1):
            if path.name in BROKEN_ODD:
                with pytest.raises(PictureError, match="^" + re.escape(f"{path}: ")):
                    images.read(path, channels)
            else:
                picture = images.read(path, channels)
                assert (picture.dtype, picture.ndim, picture.shape[2]) == (np.uint8, 3, channels)


def test_odd_files_come_out_right(shared_data: Path):
    odd = shared_data / "odd"
    assert images.read(odd / "exif_orient6_landscape.jpg").shape == (1200, 1800, 3)
    photo, cmyk = images.read(odd / "trailing_garbage.jpg"), images.read(odd / "cmyk_photo.jpg")
    assert np.abs(photo.astype(int) - cmyk).mean() < 3, "the same photograph in RGB and CMYK"
    assert (images.read(odd / "rgba_transparent.png")[0, 0] == 255).all()


def test_warnings_are_silenced_for_all_threads_and_come_back(tmp_path: Path):
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff"  # a list of 65535 entries that are not there
    Image.fromarray(corner(64, 64)).save(tmp_path / "x.jpg", exif=exif)
    errors: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(50):
                images.read(tmp_path / "x.jpg")
        except Exception as error:
            errors.append(error)

    with pytest.warns(UserWarning, match="."), Image.open(tmp_path / "x.jpg") as image:
        image.getexif()  # Pillow does warn of it
    before = list(warnings.filters)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert list(warnings.filters) == before


def test_ranges_are_inverse_for_every_value():
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    tensor = images.to_tensor(values)
    assert (tensor.min(), tensor.max()) == (-1, 1)
    assert np.array_equal(images.to_uint8(tensor), values)
    assert images.to_uint8(torch.tensor([-9.0, 0.0, 9.0]).reshape(1, 1, 1, 3)).ravel().tolist() == [0, 128, 255]


def test_tensors_are_channels_last_and_copies():
    pictures = np.zeros((2, 5, 7, 3), np.uint8)
    pictures.flags.writeable = False
    tensor = images.to_tensor(pictures)
    assert tensor.shape == (2, 3, 5, 7)
    assert tensor.is_contiguous(memory_format=torch.channels_last)
    assert images.to_uint8(tensor.bfloat16()).flags.c_contiguous


def test_resizing_does_not_alias():
    stripes = np.tile(np.array([0, 255], np.uint8), 128)[None, :, None].repeat(256, 0)
    small = images.resize(stripes, (32, 32))
    assert small.shape == (32, 32, 1)
    assert np.abs(small[2:-2, 2:-2].astype(int) - 128).max() <= 2


def test_squares():
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    assert (images.fit_square(wide, 10) == 255).all(), "the middle square, exactly"
    stretched = images.fit_square(wide, 30, "stretch")[:, :, 0]
    assert stretched.shape == (30, 30)
    assert (stretched[:, 13:17] == 255).all()
    assert (stretched[:, :7] == 0).all()


def test_a_sheet_of_pictures():
    red, grey = np.full((2, 3, 3), RED, np.uint8), np.full((2, 3, 1), 9, np.uint8)
    sheet = images.grid([[red, grey], [red]], gap_px=1)
    assert sheet.shape == (5, 7, 3)
    assert (sheet[3:, :3] == RED).all()
    assert (sheet[:2, 4:] == 9).all()
    assert (sheet[2] == 255).all()
    assert (sheet[3:, 4:] == 255).all()


def test_encoded_bytes_are_a_file():
    with Image.open(io.BytesIO(images.encode(corner(), ".PNG"))) as image:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), corner())
