"""Networks of two, four and more channels, on images that may have alpha of their own."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from viceversa.errors import PictureError
from viceversa.inference.translator import Translator

DOMAINS = {"a": "day", "b": "night"}


def pixels(channels: int) -> np.ndarray:
    return np.random.default_rng(channels).integers(0, 256, (16, 20, channels), dtype=np.uint8)


@pytest.mark.parametrize(("takes", "gives", "mode"), [(4, 4, "RGBA"), (4, 3, "RGB"), (3, 4, "RGBA"), (2, 2, "LA")])
def test_pil_pictures_of_two_and_four_channels(resnet, tmp_path: Path, takes: int, gives: int, mode: str):
    model = Translator({"a2b": resnet(in_channels=takes, out_channels=gives)}, domains=DOMAINS, size_px=16)
    given = pixels(2 if takes == 2 else 4)
    made = model(Image.fromarray(given))
    assert (made.mode, made.size) == (mode, (20, 16))
    np.testing.assert_array_equal(np.asarray(made), model(given))
    Image.fromarray(given).save(tmp_path / "x.png")
    np.testing.assert_array_equal(np.asarray(model(tmp_path / "x.png")), model(given))


def test_alpha_is_kept_beside_by_a_network_of_colours(resnet):
    model = Translator({"a2b": resnet()}, domains=DOMAINS, size_px=16)
    given = pixels(4)
    np.testing.assert_array_equal(np.asarray(model(Image.fromarray(given)))[..., 3], given[..., 3])


def test_five_channels_are_no_pil_picture(resnet):
    model = Translator({"a2b": resnet(out_channels=5)}, domains=DOMAINS, size_px=16)
    assert model(pixels(3)).shape == (16, 20, 5)
    with pytest.raises(PictureError, match="gives 5 channels, which no PIL image holds"):
        model(Image.fromarray(pixels(3)))
