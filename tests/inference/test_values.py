"""A translator that was trained on a range of values gives values back, in the kind of number that came in."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from viceversa import load, train
from viceversa.cli import main
from viceversa.data import formats
from viceversa.data.values import Values
from viceversa.errors import CheckpointError, ConfigError, PictureError
from viceversa.inference.files import translate_files
from viceversa.inference.folder import config_from_json, save_translator
from viceversa.inference.onnx.export import export
from viceversa.inference.translator import Translator
from viceversa.networks import ResNetConfig, ResNetGenerator, initialise


class Same(torch.nn.Module):
    """Gives back what it gets."""

    config = type("Config", (), {"in_channels": 1, "out_channels": 1})
    multiple = 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def translator(a: Values | None, b: Values | None) -> Translator:
    values = {side: each for side, each in (("a", a), ("b", b)) if each is not None}
    return Translator({"a2b": Same()}, domains={"a": "a", "b": "b"}, size_px=16, values=values)


CT = Values(low=-1000, high=1000)


def slice_(dtype: str = "int16") -> np.ndarray:
    return np.random.default_rng(1).integers(-1000, 1001, (16, 18)).astype(dtype)


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("suffix", ["tif", "npy"])
def test_files_come_back_as_the_kind_that_they_were(tmp_path: Path, dtype: str, suffix: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    values, path = slice_(dtype), tmp_path / f"x.{suffix}"
    np.save(path, values) if suffix == "npy" else tifffile.imwrite(path, values)
    summary = translate_files(translator(CT, CT), path, tmp_path / "out", progress=False)
    assert not summary.failed
    back = np.load(tmp_path / "out" / "x.npy") if suffix == "npy" else tifffile.imread(tmp_path / "out" / "x.tif")
    assert back.dtype == values.dtype
    assert np.abs(back.astype(float) - values).max() < 1e-3
    halved = translate_files(translator(CT, Values(low=0, high=1000)), path, tmp_path / "half", progress=False)
    back = np.load(halved.done[0]) if suffix == "npy" else tifffile.imread(halved.done[0])
    assert np.abs(back - (values.astype(float) + 1000) / 2).max() <= 0.51


def test_stacks_of_slices_come_back_as_stacks(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    slices = np.stack([slice_(), slice_()[::-1], slice_()[:, ::-1]])
    tifffile.imwrite(tmp_path / "x.tif", slices, photometric="minisblack")
    translate_files(translator(CT, CT), tmp_path / "x.tif", tmp_path / "y.tif", progress=False)
    assert np.array_equal(tifffile.imread(tmp_path / "y.tif"), slices)


def test_missing_values_are_the_low_end_and_are_told(tmp_path: Path) -> None:
    values = slice_("float32")
    values[2, 3:6] = np.nan
    np.save(tmp_path / "x.npy", values)
    summary = translate_files(translator(CT, CT), tmp_path / "x.npy", tmp_path / "y.npy", progress=False)
    assert np.load(tmp_path / "y.npy")[2, 3:6].tolist() == [-1000] * 3
    assert "3 missing values were taken for the low end of the range" in str(summary)


def test_what_cannot_hold_the_values_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", slice_())
    summary = translate_files(translator(CT, CT), tmp_path / "x.npy", tmp_path / "y.png", progress=False)
    assert "signed whole numbers of 16 bits" in summary.failed[0][1]
    assert "choose --format tif or npy" in summary.failed[0][1]
    assert not (tmp_path / "y.png").exists()
    with pytest.raises(ConfigError, match="is a video, and this model was trained on a range of values"):
        translator(CT, CT).video(tmp_path / "x.mp4", tmp_path / "y.mp4")


def test_without_a_range_the_file_is_refused_as_before(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", slice_())
    summary = translate_files(translator(None, None), tmp_path / "x.npy", tmp_path / "y.npy", progress=False)
    assert "signed whole numbers of 16 bits have no usual range; these go from -" in summary.failed[0][1]


def test_arrays_and_pil_pictures() -> None:
    both = translator(CT, CT)
    assert np.array_equal(both(slice_()), slice_())
    assert both(slice_()).dtype == np.int16
    assert np.array_equal(both(slice_()[:, :, None]), slice_()[:, :, None])
    answer = both(Image.fromarray(slice_("float32")))
    assert answer.mode == "F"
    assert np.abs(np.asarray(answer) - slice_()).max() < 1e-3
    levels = translator(CT, None)(slice_())
    assert levels.dtype == np.uint16
    assert np.abs(levels - (slice_().astype(float) + 1000) / 2000 * 65535).max() <= 0.51
    depth = translator(None, Values(low=0, high=10))(np.full((9, 9), 255, np.uint8))
    assert (depth.dtype, float(depth[0, 0])) == (np.float32, 10)
    with pytest.raises(PictureError, match="alpha has no range"):
        both(np.zeros((9, 9, 2), np.int16))


def test_a_run_hands_its_range_on(tmp_path: Path, tiny: Any, capfd: pytest.CaptureFixture[str]) -> None:
    for side in "ab":
        (tmp_path / side).mkdir()
        for number in range(4):
            np.save(tmp_path / side / f"{number}.npy", np.roll(slice_(), number))
    where: dict[str, Any] = {"a": tmp_path / "a", "b": tmp_path / "b", "channels_a": 1, "channels_b": 1}
    train(tiny("pix2pix", tmp_path / "run", **where, range_a=(-1000, 1000), range_b=(0, 500), nodata_b=-9999))
    made = load(tmp_path / "run")
    assert made.values == {"a": CT, "b": Values(low=0, high=500, nodata=-9999)}
    answer = made(slice_())
    assert answer.dtype == np.int16
    assert 0 <= answer.min() <= answer.max() <= 500
    out = ["--out", str(tmp_path / "y.npy")]
    assert main(["translate", str(tmp_path / "run"), str(tmp_path / "a" / "0.npy"), *out]) == 0
    assert np.load(tmp_path / "y.npy").dtype == np.int16
    train(tiny("pix2pix", tmp_path / "usual"))
    assert load(tmp_path / "usual").values == {}
    assert '"values"' not in (tmp_path / "usual" / "translator" / "config.json").read_text()
    text = (tmp_path / "run" / "translator" / "config.json").read_text()
    for wrong in ('"values": {"c": [0, 1, null]}', '"values": {"a": [1, 0, null]}', '"values": {"a": ["x", 0, 1]}'):
        start = text.index('"values"')
        changed = text[:start] + wrong + text[text.index("}", start) + 1 :]
        with pytest.raises(CheckpointError, match="values must give"):
            config_from_json(changed, "x")


def test_values_are_written_whole(tmp_path: Path) -> None:
    from viceversa.data.picture import About, Picture

    picture = Picture(pixels=slice_()[:, :, None], about=About(plain=True))
    formats.save(picture, tmp_path / "x.tif")
    assert np.array_equal(formats.read(tmp_path / "x.tif", raw=True).pixels, picture.pixels)


def test_of_a_pair_side_by_side_the_half_with_the_values_is_translated(tmp_path: Path) -> None:
    whole = np.concatenate([slice_(), slice_() + np.int16(6000)], axis=1)
    np.save(tmp_path / "pair.npy", whole)
    model = translator(CT, CT)
    model.side_by_side = (2.25, 2.25)
    summary = translate_files(model, tmp_path / "pair.npy", tmp_path / "out", progress=False)
    assert not summary.failed
    assert np.abs(np.load(tmp_path / "out" / "pair.npy").astype(int) - slice_()).max() <= 1


def test_a_model_of_values_is_calibrated_on_values(tmp_path: Path) -> None:
    network = ResNetGenerator(ResNetConfig(in_channels=1, out_channels=1, width=4, blocks=1))
    initialise(network, "xavier", 1.0, torch.Generator().manual_seed(1))
    about: dict[str, Any] = {"method": "cyclegan", "domains": {"a": "a", "b": "b"}, "size_px": 16, "images": 1}
    save_translator(tmp_path / "model", {"a2b": network.eval()}, **about, values={"a": CT, "b": CT})
    (tmp_path / "slices").mkdir()
    for number in range(16):
        np.save(tmp_path / "slices" / f"{number}.npy", np.roll(slice_(), number))
    export(tmp_path / "model", tmp_path / "x.onnx", calibrate=tmp_path / "slices")
    assert load(tmp_path / "x.onnx").values == {"a": CT, "b": CT}
