"""What is changed in a video is said in one line, by translate and by prepare."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from viceversa.cli import main
from viceversa.inference.translator import Translator
from viceversa.networks import ResNetConfig
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.parallel import Team
from viceversa.preparation.videos import Video

av = pytest.importorskip("av")
for module in ("cv2", "imagehash", "scenedetect"):
    pytest.importorskip(module, reason="needs pip install 'viceversa[prepare]'")


class Same(nn.Module):
    """Gives what it is given."""

    def __init__(self):
        super().__init__()
        self.config, self.multiple = ResNetConfig(), 4
        self.register_buffer("none", torch.zeros(1))

    def forward(self, x):
        return x


def write(path, codec, pix_fmt, pixels=None, transfer=None, matrix=None, **settings):
    if codec not in av.codecs_available:
        pytest.skip(f"this build of PyAV has no encoder {codec}")
    pixels = np.full((32, 48, 4), 200, np.uint8) if pixels is None else pixels
    with av.open(str(path), "w") as made:
        stream = made.add_stream(codec, rate=10, options=settings)
        stream.width, stream.height, stream.pix_fmt = pixels.shape[1], pixels.shape[0], pix_fmt
        if transfer:
            context = stream.codec_context
            context.color_trc, context.color_primaries, context.colorspace = transfer, 9, matrix
        for _ in range(3):
            made.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgba").reformat(format=pix_fmt)))
        made.mux(stream.encode(None))
    return path


def glass():
    """Half of it transparent, with black below, as programs leave it there."""
    pixels = np.zeros((32, 48, 4), np.uint8)
    pixels[:, 24:] = (200, 30, 40, 255)
    return pixels


def translated(source, out):
    translator = Translator({"a2b": Same()}, domains={"a": "day", "b": "night"}, size_px=32)
    return translator.video(source, out).notes


def prepared(source):
    film, team = Video(source, "key"), Team(1, None)
    film.scan(PrepareConfig(size_px=32), team, lambda: None)
    ((_, (picture,)),) = film.fetch({1}, team, lambda: None)
    return film.notes, picture


def both(source, tmp_path):
    notes, _ = prepared(source)
    assert list(translated(source, tmp_path / "y.mp4")) == list(notes)
    return list(notes)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("x.mov", "png", "rgba"), ("x.mov", "prores_ks", "yuva444p10le"), ("x.mov", "qtrle", "argb")],
    ids=["PNG in MOV", "ProRes 4444", "QuickTime Animation"],
)
def test_transparency_lies_on_white(tmp_path, name, codec, pix_fmt):
    source = write(tmp_path / name, codec, pix_fmt, glass())
    white = "what is transparent in it lies on white"
    notes, picture = prepared(source)
    assert picture[:, :20].min() > 250
    assert picture[:, 28:].mean((0, 1)) == pytest.approx((200, 30, 40), abs=6)
    assert white in notes
    assert white in translated(source, tmp_path / "y.mp4")
    with av.open(str(tmp_path / "y.mp4")) as film:
        shown = next(film.decode(video=0)).to_ndarray(format="rgb24")
    assert shown[:, :20].min() > 245


def test_an_alpha_channel_without_transparency_is_not_worth_a_word(tmp_path):
    pixels = glass()
    pixels[..., 3] = 255
    assert both(write(tmp_path / "x.mov", "png", "rgba", pixels), tmp_path) == []


def test_transparency_of_a_gif(tmp_path):
    from PIL import Image

    frames = [Image.fromarray(np.roll(glass(), step, 1)) for step in (0, 1)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:], disposal=2)
    notes, picture = prepared(tmp_path / "x.gif")
    assert notes == ("what is transparent in it lies on white",)
    assert picture[:, 2:20].min() > 250


def test_transparency_beside_the_pictures_of_vp9_is_left_out(tmp_path):
    source = write(tmp_path / "x.webm", "libvpx-vp9", "yuva420p", glass())
    with av.open(str(source)) as film:
        if film.streams.video[0].metadata.get("alpha_mode") != "1":
            pytest.skip("this build of PyAV writes no transparency into WebM")
    assert both(source, tmp_path) == ["its transparency cannot be decoded, and is left out"]


def test_ten_bits_and_high_dynamic_range(tmp_path):
    source = write(tmp_path / "x.mkv", "ffv1", "yuv420p10le")
    assert both(source, tmp_path) == ["its 10 bits are taken as 8 bits"]
    source = write(tmp_path / "z.mkv", "ffv1", "yuv420p10le", transfer=16, matrix=9)
    said = translated(source, tmp_path / "z.mp4")
    assert said == ("its high dynamic range, 10 bits, is taken as 8 bits without tone mapping",)


def test_interlaced(tmp_path):
    source = write(
        tmp_path / "x.mkv", "libx264", "yuv420p", np.full((64, 64, 4), 90, np.uint8), **{"x264-params": "interlaced=1"}
    )
    assert both(source, tmp_path) == ["it is interlaced: both fields of a frame are taken as one image"]


def test_turned(tmp_path):
    source = write(tmp_path / "x.mp4", "libx264", "yuv420p")
    content = bytearray(source.read_bytes())
    place = content.index(b"tkhd") + 44
    content[place : place + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 32 << 16, 0, 1 << 30)
    source.write_bytes(content)
    assert both(source, tmp_path) == ["turned upright"]


def test_prepare_says_it_in_a_line(tmp_path, capsys):
    sources: list[Path] = []
    for seed in (1, 2):
        pixels = np.kron(
            np.random.default_rng(seed).integers(0, 256, (4, 6, 4), dtype=np.uint8), np.ones((8, 8, 1), np.uint8)
        )
        sources.append(write(tmp_path / f"{seed}.mov", "png", "rgba", pixels))
    command = ["prepare", *map(str, sources), "--out", str(tmp_path / "set"), "--size", "16"]
    assert main([*command, "--least-sharpness", "0", "--keep-borders"]) == 0
    said = capsys.readouterr().err
    assert [f"{source}: what is transparent in it lies on white.\n" in said for source in sources] == [True, True]


def test_a_size_that_changes_midway(tmp_path):
    parts = [
        write(tmp_path / f"{side}.ts", "libx264", "yuv420p", np.full((side, 48, 4), 90, np.uint8)) for side in (32, 64)
    ]
    (tmp_path / "x.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    (note,) = translated(tmp_path / "x.ts", tmp_path / "y.mp4")
    assert note.endswith("frames of another size stretched to 48 x 32 px")
