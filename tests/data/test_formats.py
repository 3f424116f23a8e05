import io
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from viceversa.data import formats
from viceversa.data.formats import limits, png
from viceversa.data.formats.bands import in_bands, write_bands
from viceversa.data.picture import About, Animation, Picture
from viceversa.errors import PictureError

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
HUGE_ARRAY = b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999, 99999), }"
LOSSLESS = {"PNG": ".png", "TIFF": ".tif", "NPY": ".npy"}
ORIENTATION, MAKE, SOFTWARE = 0x0112, 0x010F, 0x0131


def values(channels: int, dtype: Any = np.uint8, height: int = 11, width: int = 13) -> np.ndarray:
    numbers = np.random.default_rng(channels).integers(0, 65536, (height, width, channels))
    if dtype == np.float32:
        return (numbers / 65535).astype(dtype)
    return numbers.astype(np.uint16) if dtype == np.uint16 else (numbers >> 8).astype(np.uint8)


def stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """How a camera that was held so stores the image (EXIF 2.32, tag 274: which side row 0 and column 0 are)."""
    turned = upright.transpose(1, 0, 2) if orientation >= 5 else upright
    row_0_last = orientation in ((3, 4) if orientation < 5 else (6, 7))
    column_0_last = orientation in ((2, 3) if orientation < 5 else (7, 8))
    return np.ascontiguousarray(turned[:: -1 if row_0_last else 1, :: -1 if column_0_last else 1])


def save(path: Path, pixels: np.ndarray, **about: Any) -> Path:
    formats.save(Picture(pixels=pixels, about=About(**about)), path)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_kinds_give_back_what_was_written(tmp_path: Path, kind: str, channels: int, dtype: Any) -> None:
    pixels = values(channels, dtype)
    path = tmp_path / f"x{LOSSLESS[kind]}"
    if kind == "PNG" and channels == 7:
        with pytest.raises(PictureError, match=r"7 channels cannot be written as PNG; choose --format npy or tif"):
            save(path, pixels)
        assert not list(tmp_path.iterdir())
        return
    back = formats.read(save(path, pixels))
    assert back.about.kind == kind
    if kind == "PNG" and dtype == np.float32:
        assert back.pixels.dtype == np.uint16
        assert np.abs(back.pixels / 65535 - pixels).max() < 1e-5
    else:
        assert back.pixels.dtype == dtype
        assert np.array_equal(back.pixels, pixels)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_others_read_our_16_bits(tmp_path: Path, suffix: str, channels: int) -> None:
    cv2 = pytest.importorskip("cv2")
    pixels = values(channels, np.uint16)
    there = cv2.imread(str(save(tmp_path / f"x{suffix}", pixels)), cv2.IMREAD_UNCHANGED)
    rgb = {1: lambda x: x[:, :, None], 3: lambda x: x[:, :, ::-1], 4: lambda x: x[:, :, [2, 1, 0, 3]]}[channels](there)
    assert rgb.dtype == np.uint16
    assert np.array_equal(rgb, pixels)
    cv2.imwrite(str(tmp_path / f"y{suffix}"), there, [cv2.IMWRITE_TIFF_COMPRESSION, 1] if suffix == ".tif" else [])
    assert np.array_equal(formats.read(tmp_path / f"y{suffix}").pixels, pixels)


def test_every_filter_of_png(tmp_path: Path) -> None:
    """Rows of all five filters, in 8 and 16 bits, whole and in bands: what W3C's section 9 defines."""
    for dtype, depth in ((np.uint8, 8), (np.uint16, 16)):
        for channels in (1, 2, 3, 4):
            pixels = values(channels, dtype, height=20)
            path = tmp_path / "x.png"
            path.write_bytes(filtered_png(pixels, depth))
            assert np.array_equal(formats.read(path).pixels, pixels)
            header = png.read_header(path)
            assert np.array_equal(np.concatenate(list(png.bands(path, header, rows=7))), pixels)


def filtered_png(pixels: np.ndarray, depth: int) -> bytes:
    step = pixels.shape[2] * depth // 8
    rows = np.ascontiguousarray(pixels.astype(">u2") if depth == 16 else pixels).view(np.uint8)
    rows = rows.reshape(len(pixels), -1).astype(int)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    left = np.hstack([np.zeros((len(rows), step), int), rows[:, :-step]])
    corner = np.hstack([np.zeros((len(rows), step), int), above[:, :-step]])
    estimate = left + above - corner
    near = [np.abs(estimate - other) for other in (left, above, corner)]
    paeth = np.where((near[0] <= near[1]) & (near[0] <= near[2]), left, np.where(near[1] <= near[2], above, corner))
    predicted = [0 * rows, left, above, (left + above) // 2, paeth]
    lines = b"".join(
        bytes([number % 5]) + ((rows[number] - predicted[number % 5][number]) % 256).astype(np.uint8).tobytes()
        for number in range(len(rows))
    )
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[pixels.shape[2]]
    return chunks(pixels.shape[1], pixels.shape[0], depth, colour, 0, lines)


def chunks(width: int, height: int, depth: int, colour: int, interlaced: int, lines: bytes, *more: Any) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    packed = zlib.compress(lines)
    parts = [(b"IHDR", head), *more, (b"IDAT", packed[:50]), (b"IDAT", packed[50:]), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (9, 20)])
def test_interlaced_16_bit_png(tmp_path: Path, size: tuple[int, int]) -> None:
    pixels = values(3, np.uint16, *size)
    lines = b""
    for top, down, left, across in (
        (0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1),
    ):  # fmt: skip
        part = pixels[top::down, left::across].astype(">u2")
        lines += b"".join(b"\0" + row.tobytes() for row in part) if part.size else b""
    (tmp_path / "x.png").write_bytes(chunks(size[1], size[0], 16, 2, 1, lines))
    assert np.array_equal(formats.read(tmp_path / "x.png").pixels, pixels)


@pytest.mark.parametrize(("depth", "dtype"), [(8, np.uint8), (16, np.uint16)])
def test_a_colour_key_is_alpha(tmp_path: Path, depth: int, dtype: Any) -> None:
    pixels = values(3, dtype)
    pixels[2, 3] = pixels[0, 0]
    key = struct.pack(">3H", *pixels[0, 0].tolist())
    rows = pixels.astype(">u2") if depth == 16 else pixels
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    (tmp_path / "x.png").write_bytes(chunks(13, 11, depth, 2, 0, lines, (b"tRNS", key)))
    for back in (formats.read(tmp_path / "x.png").pixels, np.concatenate(list(in_bands(tmp_path / "x.png").read()))):
        assert back.dtype == dtype
        assert np.array_equal(back[:, :, :3], pixels)
        assert np.argwhere(back[:, :, 3] == 0).tolist() == [[0, 0], [2, 3]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_upright_in_every_depth(tmp_path: Path, suffix: str, dtype: Any, orientation: int) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = values(3, dtype)
    if suffix == ".tif":
        tag = (ORIENTATION, 3, 1, orientation, True)
        tifffile.imwrite(tmp_path / "x.tif", stored(pixels, orientation), photometric="rgb", extratags=[tag])
    else:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        exif[MAKE] = "camera"
        save(tmp_path / "x.png", stored(pixels, orientation), exif=exif.tobytes())
    back = formats.read(tmp_path / f"x{suffix}")
    assert np.array_equal(back.pixels, pixels)
    again = formats.read(save(tmp_path / f"y{suffix}", back.pixels, **vars(back.about)))
    assert np.array_equal(again.pixels, pixels), "the orientation is not said again"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".avif", ".heic"])
def test_profile_and_exif_go_with_the_picture(tmp_path: Path, suffix: str, dtype: Any) -> None:
    exif = Image.Exif()
    exif[MAKE], exif[SOFTWARE] = "a camera", "a program"
    pixels = values(3, dtype, 16, 16)
    back = formats.read(save(tmp_path / f"x{suffix}", pixels, icc=SRGB, exif=exif.tobytes(), dpi=(300.0, 150.0)))
    assert back.about.icc == SRGB
    found = Image.Exif()
    found.load(back.about.exif or b"")
    assert (found[MAKE], found[SOFTWARE]) == ("a camera", "a program")
    if suffix in (".png", ".tif", ".jpg"):
        assert back.about.dpi == pytest.approx((300, 150), abs=0.02)


def test_camera_fields_stay_and_the_preview_goes(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x8769] = {0xA002: 16, 0xA003: 8, 0x9003: "2020:01:02 03:04:05"}
    exif[0x0100] = 999  # the width as a TIFF would have it
    Image.new("RGB", (16, 8)).save(tmp_path / "x.jpg", exif=exif)
    back = formats.read(tmp_path / "x.jpg")
    assert back.pixels.shape == (16, 8, 3)
    found = Image.Exif()
    found.load(back.about.exif or b"")
    assert set(found) == {0x8769}
    assert found.get_ifd(0x8769) == {0xA002: 8, 0xA003: 16, 0x9003: "2020:01:02 03:04:05"}
    again = formats.read(save(tmp_path / "x.tif", back.pixels, **vars(back.about)))
    assert b"2020:01:02" in (again.about.exif or b""), "such a TIFF is written too"


def test_a_profile_of_other_colours_is_not_kept(tmp_path: Path) -> None:
    assert formats.read(save(tmp_path / "x.png", values(1), icc=SRGB)).about.icc is None
    assert formats.read(save(tmp_path / "y.png", values(1, np.uint16), icc=SRGB)).about.icc is None


@pytest.mark.parametrize(("suffix", "mode"), [(".jpg", "CMYK"), (".tif", "CMYK"), (".tif", "LAB")])
def test_colour_spaces_are_left_and_returned_to(tmp_path: Path, suffix: str, mode: str) -> None:
    smooth = np.asarray(Image.fromarray(values(3, height=3, width=3)).resize((32, 32), Image.Resampling.BILINEAR))
    save(tmp_path / f"x{suffix}", smooth, mode=mode)
    with Image.open(tmp_path / f"x{suffix}") as image:
        assert image.mode == mode
    back = formats.read(tmp_path / f"x{suffix}")
    assert back.about.mode == mode
    assert np.abs(back.pixels.astype(int) - smooth).mean() < 4


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_a_profile_by_which_colours_cannot_be_converted_is_not_named_again(tmp_path: Path, suffix: str) -> None:
    """Another rule converts them, and whoever went by the profile would see other colours."""
    broken = bytes(16) + b"CMYK" + bytes(200)
    Image.new("CMYK", (32, 32), (0, 200, 200, 0)).save(tmp_path / f"x{suffix}", icc_profile=broken)
    with Image.open(tmp_path / f"x{suffix}") as image:
        assert image.info["icc_profile"] == broken
    picture = formats.read(tmp_path / f"x{suffix}")
    assert picture.pixels[16, 16] == pytest.approx([255, 55, 55], abs=2)
    save(tmp_path / f"y{suffix}", picture.pixels, mode=picture.about.mode, icc=picture.about.icc)
    with Image.open(tmp_path / f"y{suffix}") as image:
        assert (image.mode, image.info.get("icc_profile")) == ("CMYK", None)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".bmp", ".gif", ".avif", ".heic"])
def test_other_kinds_hold_8_bits(tmp_path: Path, suffix: str) -> None:
    deep = np.linspace(0, 65535, 32 * 32 * 3).reshape(32, 32, 3).astype(np.uint16)
    back = formats.read(save(tmp_path / f"x{suffix}", deep)).pixels
    assert back.dtype == (np.uint16 if suffix == ".heic" else np.uint8)
    expected = deep / (1 if suffix == ".heic" else 257)
    assert np.abs(back - expected).mean() < (3000 if suffix == ".heic" else 8)


def test_alpha_is_laid_on_white_where_it_cannot_be_held(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, 4:, 3] = 255
    back = formats.read(save(tmp_path / "x.bmp", pixels)).pixels
    assert (back[:, :4] == 255).all()
    assert (back[:, 4:] == 0).all()
    webp = formats.read(save(tmp_path / "x.webp", pixels)).pixels
    assert np.array_equal(webp[:, :, 3], pixels[:, :, 3])


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".avif", ".tif"])
def test_animations_keep_frames_times_and_loop(tmp_path: Path, suffix: str) -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    frames = [
        Picture(pixels=np.full((16, 16, 3), c, np.uint8), about=About(duration_ms=100.0 + 100 * i))
        for i, c in enumerate(colours)
    ]
    path = tmp_path / f"x{suffix}"
    with formats.replacing(path) as file:
        formats.write_frames(file, Animation(frames=iter(frames), about=About(), loop=3), formats.kind_of(path))
    back = formats.read_frames(path)
    assert back is not None
    found = list(back.frames)
    assert [np.abs(f.pixels.astype(int) - c).max() < 12 for f, c in zip(found, colours, strict=True)] == [True] * 3
    if suffix != ".tif":
        assert [frame.about.duration_ms for frame in found] == [100, 200, 300]
    if suffix in (".gif", ".webp", ".png"):
        assert back.loop == 3
    assert formats.read_frames(save(tmp_path / f"still{suffix}", values(3))) is None


def test_a_transparent_gif_stays_so(tmp_path: Path) -> None:
    pixels = np.full((8, 8, 4), 200, np.uint8)
    pixels[:4, :, 3], pixels[4:, :, 3] = 0, 255
    frames = [Picture(pixels=pixels), Picture(pixels=np.flipud(pixels))]
    with formats.replacing(tmp_path / "x.gif") as file:
        formats.write_frames(file, Animation(frames=iter(frames), about=About()), "GIF")
    back = formats.read_frames(tmp_path / "x.gif")
    assert back is not None
    assert [frame.pixels[:, 0, 3].tolist() for frame in back.frames] == [[0] * 4 + [255] * 4, [255] * 4 + [0] * 4]


def test_kinds_of_one_picture_refuse_several(tmp_path: Path) -> None:
    frames = iter([Picture(pixels=values(3))] * 2)
    with pytest.raises(PictureError, match=r"JPEG holds one; choose another kind with --format: .*\.gif"):
        formats.write_frames(io.BytesIO(), Animation(frames=frames, about=About()), "JPEG")


def test_arrays_in_files(tmp_path: Path) -> None:
    flat = values(1)[:, :, 0]
    np.save(tmp_path / "x.npy", flat)
    picture = formats.read(tmp_path / "x.npy")
    assert picture.pixels.shape == (11, 13, 1)
    formats.save(picture, tmp_path / "y.npy")
    assert np.load(tmp_path / "y.npy").shape == (11, 13), "it came without an axis for channels"
    np.save(tmp_path / "f.npy", np.asfortranarray(values(3).astype(np.float64) / 255).astype(">f8"))
    assert formats.read(tmp_path / "f.npy").pixels.dtype == np.float32


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((3, 64, 2000), np.uint8), r"Channels come last: array.transpose\(1, 2, 0\)"),
        (np.zeros((2, 8, 8, 3), np.uint8), "one by one"),
        (np.zeros(5, np.uint8), r"\(H, W, C\)"),
        (np.zeros((0, 5), np.uint8), "at least one pixel"),
        (np.zeros((5, 5), np.int32), "signed whole numbers of 32 bits have no usual range"),
        (np.zeros((5, 5), bool), "bool is no image"),
        (np.full((5, 5), 3.0), r"lies in \[0, 1\]"),
        (np.full((5, 5), np.nan), "nan"),
        (np.array([[{}]]), "Python objects"),
    ],
)
def test_arrays_that_are_no_pictures(tmp_path: Path, array: np.ndarray, words: str) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(PictureError, match=words):
        formats.read(tmp_path / "x.npy")


def test_kinds_of_tiff_that_pillow_does_not_read(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels, path = values(4, np.uint16), tmp_path / "x.tif"
    tifffile.imwrite(path, 65535 - pixels[:, :, 0], photometric="miniswhite")
    assert np.array_equal(formats.read(path).pixels, pixels[:, :, :1])
    tifffile.imwrite(path, np.moveaxis(pixels[:, :, :3], 2, 0), photometric="rgb", planarconfig="separate")
    assert np.array_equal(formats.read(path).pixels, pixels[:, :, :3])
    pixels[:, :, 3] = 32768
    multiplied = np.concatenate([np.rint(pixels[:, :, :3] * (32768 / 65535)), pixels[:, :, 3:]], 2).astype(np.uint16)
    tifffile.imwrite(path, multiplied, photometric="rgb", extrasamples=["assocalpha"])
    assert np.abs(formats.read(path).pixels.astype(int) - pixels).max() <= 1
    tifffile.imwrite(path, pixels[:, :, :3], photometric="rgb", bigtiff=True)
    assert np.array_equal(formats.read(path).pixels, pixels[:, :, :3])
    tifffile.imwrite(path, np.stack([pixels] * 2)[..., :3], photometric="rgb")
    assert np.array_equal(formats.read(path, page=1).pixels, pixels[:, :, :3])
    tifffile.imwrite(path, pixels[:, :, :3].astype(np.int32), photometric="rgb")
    with pytest.raises(PictureError, match="signed whole numbers of 32 bits have no usual range"):
        formats.read(path)


@pytest.mark.parametrize("tag", ["ImageWidth", "ImageLength"])
@pytest.mark.parametrize("parts", [{"tile": (32, 32)}, {"rowsperstrip": 8}])
def test_a_tiff_that_tells_of_another_size_than_its_parts_is_refused(tmp_path: Path, tag: str, parts: Any) -> None:
    """Also where it tells of none, whose width and height tifffile takes for 0."""
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.zeros((64, 64, 3), np.uint16), photometric="rgb", **parts)
    with tifffile.TiffFile(path, mode="r+b") as file:
        place = file.pages[0].tags[tag].offset
        file.pages[0].tags[tag].overwrite(128)
    with pytest.raises(PictureError, match=r"x\.tif: the file is damaged"):
        list(in_bands(path).read())
    data = bytearray(path.read_bytes())
    data[place : place + 2] = b"\xff\xfe"  # a tag that nobody knows
    path.write_bytes(data)
    for attempt in (formats.read, lambda path: list(in_bands(path).read())):
        with pytest.raises(PictureError, match=r"x\.tif: "):
            attempt(path)


@pytest.mark.parametrize(("name", "package"), [("x.heic", "pillow_heif"), ("x.tif", "tifffile")])
def test_a_missing_part_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str) -> None:
    save(tmp_path / name, values(3, np.uint16))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(PictureError, match=rf"x\.\w+: This needs {package}.*pip install 'viceversa\[formats\]'"):
        formats.read(tmp_path / name)


def test_a_compression_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    pytest.importorskip("tifffile")
    try:
        import imagecodecs as _  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("imagecodecs is installed, which reads it")
    cv2 = pytest.importorskip("cv2")
    cv2.imwrite(str(tmp_path / "x.tif"), values(3, np.uint16), [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    for attempt in (formats.read, in_bands):
        with pytest.raises(
            PictureError, match=r"its compression \(LZW\) needs one more package: pip install imagecodecs"
        ):
            attempt(tmp_path / "x.tif")


def test_limits() -> None:
    file = __file__  # some kilobytes
    limits.check_pixels(file, 8000, 4000)
    limits.check_pixels(file, 2000, 4000, pixel_bytes=12)
    with pytest.raises(PictureError, match=r"would unpack to 8000 x 4000 px, 384 MB, like those of a"):
        limits.check_pixels(file, 8000, 4000, pixel_bytes=12)
    with pytest.raises(PictureError, match=r"would unpack to 10 x 10 px, 1 MB, more than 0 MB; make it smaller"):
        limits.check_pixels(file, 10, 10, 100, pixel_bytes=9999)
    with pytest.raises(PictureError, match="decompression bomb"):
        limits.check_pixels(file, 16000, 16000)
    limits.check_pixels(file, 16000, 16000, max_pixels=16000**2)
    for arguments in ((16385, 16384), (16385, 16384, None), (10, 11, 100), (10, 10, 999, 10)):
        with pytest.raises(
            limits.TooManyPixels, match=r"megapixels; make it smaller, or remove it\.|bomb; remove it\."
        ) as no:
            limits.check_pixels(file, *arguments)
        assert "--max-pixels" not in str(no.value), "what only reads images has no such flag"


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("x.png", chunks(30000, 30000, 16, 6, 0, bytes(100))),
        ("x.png", chunks(30000, 30000, 8, 2, 1, bytes(100))),
        ("x.gif", b"GIF89a" + struct.pack("<HH", 60000, 60000) + bytes(20)),
        ("x.bmp", b"BM" + bytes(8) + struct.pack("<IIiiHH", 54, 40, 17000, 17000, 1, 24) + bytes(60)),
        ("x.npy", b"\x93NUMPY\1\0\x76\0" + HUGE_ARRAY.ljust(117) + b"\n"),
    ],
)  # fmt: skip
def test_bombs_are_refused_undecoded(tmp_path: Path, name: str, head: bytes) -> None:
    (tmp_path / name).write_bytes(head)
    for attempt in (formats.read, formats.read_frames, formats.size_of, in_bands):
        if name in ("x.npy", "x.png") and attempt is formats.read_frames:
            continue  # the head says that there is one image
        with pytest.raises(PictureError, match=r"^.*x\.\w+: .*(megapixels|mmap length|damaged)"):
            attempt(tmp_path / name)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "NPY", "BMP"])
def test_bands_are_the_picture(tmp_path: Path, kind: str, channels: int, dtype: Any) -> None:
    pixels = values(channels, dtype, 300, 270)
    about = About(icc=SRGB if channels > 1 else None, dpi=(72.0, 72.0))
    parts = iter([pixels[:1], pixels[1:100], pixels[100:290], pixels[290:]])
    name = {"PNG": "x.png", "TIFF": "x.tif", "NPY": "x.npy", "BMP": "x.bmp"}[kind]
    with formats.replacing(tmp_path / name) as file:
        write_bands(file, parts, (300, 270), about, kind)
    whole = formats.read(tmp_path / name)
    expected = formats.fitted(Picture(pixels=pixels), kind).pixels
    if kind != "BMP" or channels != 1:
        assert np.array_equal(whole.pixels, expected)
    if kind in ("PNG", "TIFF"):
        assert whole.about.icc == about.icc
    bands = in_bands(tmp_path / name)
    assert bands.shape == whole.pixels.shape
    assert np.array_equal(np.concatenate(list(bands.read())), whole.pixels)


def test_damage_in_bands_is_named(tmp_path: Path) -> None:
    for name, channels in (("x.png", 3), ("x.tif", 3)):
        path = save(tmp_path / name, values(channels, np.uint16, 300, 300))
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        with pytest.raises(PictureError, match=rf"^{path}: the file is damaged or cut short"):
            list(in_bands(path).read())
    path = save(tmp_path / "y.png", values(3, np.uint16, 300, 300))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(PictureError, match="damaged"):
        formats.read(path)
