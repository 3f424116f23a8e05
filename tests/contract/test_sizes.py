"""Every method that translates does so at sizes that are no squares, from the run to its figures and its export."""

import json

import numpy as np
import pytest
from PIL import Image

import viceversa as vv
from viceversa.data.sources import PictureData
from viceversa.evaluation.evaluate import evaluate
from viceversa.inference.onnx.export import export
from viceversa.methods import METHODS

TRANSLATING = [name for name, method in METHODS.items() if isinstance(method.Config().data, PictureData)]


@pytest.mark.parametrize("method", TRANSLATING)
def test_a_run_of_oblong_images_is_sampled_evaluated_and_exported(method, tiny, tmp_path):
    config = tiny(method, tmp_path / "run", size_px="16x32", load_size_px=(18, 36), images=3, samples=1)
    assert config.method.data.size_px == (16, 32)
    vv.train(config, quiet=True)
    (sheet,) = (tmp_path / "run" / "samples").iterdir()
    with Image.open(sheet) as opened:
        width, height = opened.size
    assert (height + 2) % 18 == (width + 2) % 34 == 0, "the sheet is made of images of 16 x 32 px and gaps of 2"
    assert "16x32 px" in (tmp_path / "run" / "report.html").read_text()

    translator = vv.load(tmp_path / "run", "cpu")
    assert translator.size_px == (16, 32)
    assert "16x32 px" in repr(translator)
    assert json.loads((tmp_path / "run" / "translator" / "config.json").read_text())["size_px"] == [16, 32]
    assert "images of 16x32 px" in (tmp_path / "run" / "translator" / "README.md").read_text()

    if method != "pix2pix":  # what follows knows a translator alone, not the method
        return
    found = evaluate(tmp_path / "run", resamples=0, device="cpu")
    assert found.size_px == (16, 32)
    assert found.directions[0].translated.kernel is not None

    done = export(tmp_path / "run", tmp_path / "x.onnx", to="b")
    assert (16, 32) in done.parity.sizes
    picture = np.random.default_rng(0).integers(0, 256, (19, 40, 3), dtype=np.uint8)
    assert vv.load(tmp_path / "x.onnx")(picture).shape == (19, 40, 3)
