"""The files of `viceversa sample`: what is in them, and what is left after mistakes and interruptions."""

import json
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from viceversa import load
from viceversa.cli import main
from viceversa.data.images import to_uint8
from viceversa.errors import ConfigError
from viceversa.inference.sample_files import Wanted, sample_files
from viceversa.inference.sampler import Sampler
from viceversa.inference.translator import save_translator

Make = Callable[..., nn.Module]
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "sampling.md"
PX = 16


@pytest.fixture
def plain(from_noise: Make) -> Sampler:
    return Sampler(from_noise("dcgan"), name="digits")


@pytest.fixture
def coded(from_noise: Make) -> Sampler:
    """With classes and codes, in grey."""
    return Sampler(from_noise("mlp", classes=3, codes=2, out_channels=1, width=32), classes=["cat", "dog", "cow"])


def make(sampler: Sampler, out: Path, *, overwrite: bool = False, **wanted: Any) -> str:
    return sample_files(sampler, out, Wanted(**wanted), overwrite=overwrite, progress=False)


def cells(sheet: np.ndarray, tolerance: int) -> np.ndarray:
    """``(rows, columns, PX, PX, 3)``: a sheet cut up; the gaps are white, or nearly."""
    rows, columns = ((side + 2) // (PX + 2) for side in sheet.shape[:2])
    padded = np.full((rows * (PX + 2), columns * (PX + 2), 3), 255, np.uint8)
    padded[: sheet.shape[0], : sheet.shape[1]] = sheet[: padded.shape[0], : padded.shape[1]]
    cut = padded.reshape(rows, PX + 2, columns, PX + 2, 3).transpose(0, 2, 1, 3, 4)
    assert min(cut[:, :, PX:].min(), cut[:, :, :, PX:].min()) >= 255 - tolerance
    return cut[:, :, :PX, :PX]


def colours(pictures: Tensor) -> np.ndarray:
    array = to_uint8(pictures)
    return np.repeat(array, 3 // array.shape[3], axis=3)


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return cells(np.asarray(picture.convert("RGB")), 0)


def test_a_sheet_is_nearly_square_and_reads_like_a_text(plain: Sampler, tmp_path: Path) -> None:
    assert "7 images" in make(plain, tmp_path / "new" / "grid.png", count=7, seed=3)
    sheet = opened(tmp_path / "new" / "grid.png")
    assert sheet.shape[:2] == (3, 3)
    shown = sheet.reshape(9, PX, PX, 3)
    assert np.array_equal(shown[:7], colours(plain.tensor(7, seed=3)))
    assert (shown[7:] == 255).all()
    make(plain, tmp_path / "grid.webp")
    with Image.open(tmp_path / "grid.webp") as picture:
        assert picture.size == (8 * (PX + 2) - 2,) * 2
        assert getattr(picture, "n_frames", 1) == 1


def test_a_model_with_classes_shows_a_row_of_each(coded: Sampler, tmp_path: Path) -> None:
    assert "cat, dog, cow" in make(coded, tmp_path / "a.png", count=4)
    make(coded, tmp_path / "b.png", count=4, traverse="class")
    sheet = opened(tmp_path / "a.png")
    assert sheet.shape[:2] == (3, 4)
    for row, label in zip(sheet, coded.classes, strict=True):
        np.testing.assert_allclose(row, colours(coded.tensor(4, label=label)), atol=1)
    assert np.array_equal(sheet, opened(tmp_path / "b.png"))
    make(coded, tmp_path / "dogs.png", count=4, label="dog", codes=[0.5, -1])
    dogs = opened(tmp_path / "dogs.png").reshape(4, PX, PX, 3)
    assert np.array_equal(dogs, colours(coded.tensor(4, label="dog", codes=[0.5, -1])))


def test_a_traversal_has_a_row_a_value_of_the_code(coded: Sampler, tmp_path: Path) -> None:
    said = make(coded, tmp_path / "codes.png", count=3, traverse="2", reach=2.0, label="cow")
    assert "code 2, from -2 to 2" in said
    sheet = opened(tmp_path / "codes.png")
    assert sheet.shape[:2] == (10, 3)
    latents = coded.latents(3, label="cow")
    for row, value in zip(sheet, np.linspace(-2, 2, 10), strict=True):
        latents[:, -1] = value
        np.testing.assert_allclose(row, colours(coded(latents)), atol=1)
    make(coded, tmp_path / "all.png", count=4, traverse="1", codes=[0, 0.5])
    latents = coded.latents(4, label=["cat", "dog", "cow", "cat"], codes=[-1, 0.5])
    np.testing.assert_allclose(opened(tmp_path / "all.png")[0], colours(coded(latents)), atol=1)


@pytest.mark.parametrize("how", ["spherical", "linear"])
def test_a_strip_leads_from_one_latent_to_the_next(plain: Sampler, tmp_path: Path, how: Any) -> None:
    make(plain, tmp_path / "strip.png", count=2, interpolate=3, frames=5, how=how)
    sheet = opened(tmp_path / "strip.png")
    assert sheet.shape[:2] == (4, 5)
    stops = colours(plain.tensor(6)).reshape(2, 3, PX, PX, 3)
    for row, (way, leg) in zip(sheet, [(0, 0), (0, 1), (1, 0), (1, 1)], strict=True):
        np.testing.assert_allclose(row[0], stops[way, leg], atol=1)
        np.testing.assert_allclose(row[-1], stops[way, leg + 1], atol=1)
        there = {seed: plain.latents(6)[3 * way + leg + seed] for seed in (0, 1)}
        between = np.stack([np.asarray(one) for one in plain.interpolate(there[0], there[1], 5, how)])
        np.testing.assert_allclose(row, between, atol=1)


def frames_of(path: Path) -> tuple[list[np.ndarray], float]:
    """RGB frames, and the seconds of each."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as container:
            (stream,) = container.streams.video
            assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
            rate = float(stream.average_rate or 0)
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)], 1 / rate
    frames: list[np.ndarray] = []
    with Image.open(path) as picture:
        assert picture.info["loop"] == 0
        for index in range(getattr(picture, "n_frames", 1)):
            picture.seek(index)
            frames.append(np.asarray(picture.convert("RGB")))
        return frames, picture.info["duration"] / 1000


@pytest.mark.parametrize(("suffix", "far"), [(".gif", 12), (".webp", 12), (".mp4", 16)])
def test_an_animation_goes_through_all_latents_and_back_to_the_first(
    from_noise: Make, tmp_path: Path, suffix: str, far: float
) -> None:
    class Smooth(nn.Module):
        """Plain colours: what a codec does to noise says nothing."""

        def __init__(self) -> None:
            super().__init__()
            self.config = from_noise("dcgan").config

        def forward(self, z: Tensor) -> Tensor:
            return torch.tanh(z[:, :3, None, None]).expand(-1, -1, PX, PX)

    sampler = Sampler(Smooth())
    out = tmp_path / f"morph{suffix}"
    said = make(sampler, out, count=3, interpolate=3, frames=4)
    assert "12 frames through 3 latents" in said
    frames, seconds = frames_of(out)
    assert (len(frames), seconds) == (12, pytest.approx(0.04))
    stops = colours(sampler.tensor(9)).reshape(3, 3, PX, PX, 3)
    for leg in range(3):
        shown = cells(frames[4 * leg], 100)
        assert shown.shape[:2] == (2, 2)
        error = np.abs(shown.reshape(4, PX, PX, 3)[:3, 4:-4, 4:-4].astype(int) - stops[:, leg, 4:-4, 4:-4])
        assert error.mean() < far
    moves = [np.abs(a.astype(int) - b).mean() for a, b in zip(frames, frames[1:] + frames[:1], strict=True)]
    assert max(moves[-1], moves[0]) < 3 * np.mean(moves), "no jump where it begins again"
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_an_mp4_has_even_sides(from_noise: Make, tmp_path: Path) -> None:
    make(Sampler(from_noise("dcgan", size_px=17)), tmp_path / "a.mp4", count=1, interpolate=2, frames=2)
    frames, _ = frames_of(tmp_path / "a.mp4")
    assert frames[0].shape == (18, 18, 3)


def test_greys_are_exact_in_a_gif(coded: Sampler, tmp_path: Path) -> None:
    make(coded, tmp_path / "grey.gif", count=1, interpolate=2, frames=2, label="cat")
    frames, _ = frames_of(tmp_path / "grey.gif")
    np.testing.assert_allclose(frames[0].astype(int), colours(coded.tensor(1, label="cat"))[0], atol=1)


def read(folder: Path) -> np.ndarray:
    names = sorted(path.name for path in folder.glob("*.png"))
    assert names == [f"{index:06d}.png" for index in range(len(names))]
    return np.stack([np.asarray(Image.open(folder / name)) for name in names])


def test_a_folder_of_single_pictures_goes_on(plain: Sampler, tmp_path: Path) -> None:
    out = tmp_path / "many" / "faces"
    assert make(plain, out, count=40, seed=2) == f"{out}: 40 images"
    assert np.array_equal(read(out), to_uint8(plain.tensor(40, seed=2)))
    for lost in ("000003.png", "000039.png"):
        (out / lost).unlink()
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert make(plain, out, count=70, seed=2) == f"{out}: 32 images, beside 38 that were there"
    assert np.array_equal(read(out), to_uint8(plain.tensor(70, seed=2)))
    assert all((out / name).stat().st_mtime_ns == time for name, time in before.items())
    assert make(plain, out, count=70, seed=2, overwrite=True) == f"{out}: 70 images"
    assert (out / "000000.png").stat().st_mtime_ns > before["000000.png"]


def test_a_folder_of_a_class(coded: Sampler, tmp_path: Path) -> None:
    make(coded, tmp_path / "dogs", count=3, label=1, codes=[0, 1])
    assert np.array_equal(read(tmp_path / "dogs"), to_uint8(coded.tensor(3, label="dog", codes=[0, 1]))[..., 0])
    settings = json.loads((tmp_path / "dogs" / "samples.json").read_text())
    assert (settings["class"], settings["codes"], settings["seed"]) == ("dog", [0, 1], 0)


def test_pictures_of_two_kinds_are_never_mixed(plain: Sampler, from_noise: Make, tmp_path: Path) -> None:
    make(plain, tmp_path, count=5)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    other = Sampler(from_noise("dcgan", seed=9), name="digits")
    with pytest.raises(ConfigError, match="another model, seed, class or codes"):
        make(plain, tmp_path, count=5, seed=1)
    with pytest.raises(ConfigError, match="another model"):
        make(other, tmp_path, count=5)
    with pytest.raises(ConfigError, match=r"more images .* than the 4"):
        make(other, tmp_path, count=4, overwrite=True)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    make(other, tmp_path, count=6, overwrite=True)
    assert np.array_equal(read(tmp_path), to_uint8(other.tensor(6)))
    (tmp_path / "samples.json").write_text("{")
    with pytest.raises(ConfigError, match="another model"):
        make(other, tmp_path, count=6)


def stop_after(sampler: Sampler, calls: int) -> Any:
    """Ctrl-C while the network computes for the time after these."""
    left = [calls]

    def count(*_: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    return sampler.network.register_forward_pre_hook(count)


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_interrupted_folder_keeps_what_it_has(plain: Sampler, tmp_path: Path, overwrite: bool) -> None:
    if overwrite:
        make(plain, tmp_path, count=80, seed=7)
    hook = stop_after(plain, 2)
    with pytest.raises(KeyboardInterrupt):
        make(plain, tmp_path, count=100, overwrite=overwrite)
    hook.remove()
    assert len(read(tmp_path)) == 2 * plain.batch
    make(plain, tmp_path, count=100)
    assert np.array_equal(read(tmp_path), to_uint8(plain.tensor(100)))


@pytest.mark.parametrize("name", ["morph.gif", "morph.mp4", "morph.webp"])
def test_an_interrupted_animation_leaves_nothing(plain: Sampler, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"before")
    stop_after(plain, 2)
    with pytest.raises(KeyboardInterrupt):
        make(plain, tmp_path / name, interpolate=3, overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {name: b"before"}


def test_no_more_than_a_batch_is_computed_at_once(coded: Sampler, tmp_path: Path) -> None:
    sizes: set[int] = set()
    coded.network.register_forward_pre_hook(lambda _, given: sizes.add(len(given[0])))
    make(coded, tmp_path / "many", count=coded.batch * 3 + 1)
    make(coded, tmp_path / "grid.png", count=coded.batch + 1)
    make(coded, tmp_path / "morph.gif", count=2, interpolate=2, frames=3)
    assert sizes == {coded.batch}


@pytest.mark.parametrize(
    ("name", "wanted", "words"),
    [
        ("x.png", {"count": 0}, "--count must be at least 1"),
        ("x.png", {"traverse": "1", "interpolate": 2}, "two different images"),
        ("x.png", {"interpolate": 1}, "at least 2 latents"),
        ("x.png", {"interpolate": 2, "frames": 1}, "--frames must be at least 2"),
        ("x.png", {"reach": 2.0}, "--range says how far"),
        ("x.png", {"reach": 2.0, "traverse": "class"}, "--range says how far"),
        ("x.png", {"how": "linear"}, "belong to --interpolate"),
        ("many", {"frames": 3}, "belong to --interpolate"),
        ("many", {"interpolate": 3}, r"An interpolation is one image, and .*many a folder; give .*many\.png"),
        ("many", {"traverse": "1"}, "A traversal is one image"),
        ("x.gif", {"traverse": "1"}, "A traversal is an image"),
        ("x.txt", {}, r"x\.txt: \.txt is no kind of file for samples; use \.jpg"),
        ("x.png", {"traverse": "3"}, "no '3' to be led through; it has class, 1, 2"),
        ("x.png", {"traverse": "1", "reach": -1.0}, "from -range to range"),
        ("x.png", {"traverse": "class", "label": "cat"}, "leave --class out"),
        ("x.png", {"label": "cta"}, "Perhaps you meant cat"),
        ("many", {"label": "cta"}, "Perhaps you meant cat"),
        ("x.gif", {"label": "cta"}, "Perhaps you meant cat"),
        ("x.png", {"count": 10**6}, "are too many for one"),
        ("x.gif", {"count": 10**6}, "are too many for one"),
        ("x.webp", {"count": 1000, "traverse": "class"}, "make fewer images, or a .png"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    coded: Sampler, tmp_path: Path, name: str, wanted: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        make(coded, tmp_path / name, **wanted)
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_replaced_only_if_asked(plain: Sampler, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    out.write_text("mine")
    with pytest.raises(ConfigError, match="is there already; name another file, or replace it with --overwrite"):
        make(plain, out)
    assert out.read_text() == "mine"
    with pytest.raises(ConfigError, match="is a file and no folder"):
        make(plain, out.rename(tmp_path / "grid"))
    (tmp_path / "v1.2").mkdir()
    make(plain, tmp_path / "v1.2", count=1)
    assert len(read(tmp_path / "v1.2")) == 1


@pytest.fixture
def runs(tmp_path: Path, from_noise: Make, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runs of the guide: runs/digits (conditional), runs/codes (InfoGAN), runs/faces (noise alone)."""
    common: dict[str, Any] = {"method": "m", "size_px": PX, "images": 1, "domains": {"a": "digits"}}
    digits = from_noise("dcgan", classes=10, out_channels=1)
    names = [str(digit) for digit in range(10)]
    save_translator(tmp_path / "runs/digits/translator", {"z2a": digits}, classes=names, **common)
    save_translator(tmp_path / "runs/codes/translator", {"z2a": from_noise(classes=10, codes=2)}, **common)
    save_translator(tmp_path / "runs/faces/translator", {"z2a": from_noise("mlp", out_channels=3)}, **common)
    (tmp_path / "runs/swap").mkdir()
    os.rename(folder, tmp_path / "runs/swap/translator")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_guide_runs(runs: Path) -> None:
    text = GUIDE.read_text()
    blocks = re.findall(r"^```(bash|python)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = "".join(code for kind, code in blocks if kind == "bash").splitlines()
    commands = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("viceversa sample")]
    assert len(commands) >= 8
    for words in commands:
        small = ["--frames", "3"] if {".gif", ".mp4"} & {Path(word).suffix for word in words} else []
        assert main([*words, "--count", "2", "--device", "cpu", *small]) == 0, words
        assert Path(words[words.index("--out") + 1]).exists()
    for code in (code for kind, code in blocks if kind == "python"):
        exec(compile(code, "sampling.md", "exec"), {})


def test_the_command_and_python_make_the_same(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "sample runs/codes --class 3 --codes 0.5 -1 --count 4 --seed 6 --out new.png --device cpu"
    assert main(words.split()) == 0
    assert "new.png: 4 images" in capsys.readouterr().err
    there = load("runs/codes", device="cpu")
    assert isinstance(there, Sampler)
    shown = opened(Path("new.png")).reshape(4, PX, PX, 3)
    assert np.array_equal(shown, colours(there.tensor(4, seed=6, label=3, codes=[0.5, -1])))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("sample runs/swap --out x.png", "use: viceversa translate runs/swap PICTURE"),
        ("translate runs/digits x.png --out y.png", "use: viceversa sample runs/digits --out grid.png"),
        ("sample runs/nothing --out x.png", "There is no folder runs/nothing"),
        ("sample runs/digits --class ten --out x.png", "There is no class 'ten'"),
        ("sample runs/faces --class 1 --out x.png", "knows no classes"),
    ],
)
def test_mistakes_end_in_a_sentence(runs: Path, capsys: pytest.CaptureFixture[str], words: str, sentence: str) -> None:
    assert main(words.split()) == 2
    assert sentence in capsys.readouterr().err
    assert not Path("x.png").exists()
