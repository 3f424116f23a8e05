"""Masks beside the images: of the same names in a folder, or the images' own alpha channels."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from viceversa.data.sources import MaskedData
from viceversa.errors import DataError, PictureError


def draw(folder: Path, count: int = 6, alpha: bool = False, suffix: str = ".png") -> Path:
    """Images that are white where the other half of them, a mask, is white too, and black elsewhere."""
    folder.mkdir(parents=True)
    masks = folder.with_name(f"{folder.name}-masks")
    masks.mkdir()
    for number in range(count):
        area = np.zeros((40, 40), np.uint8)
        area[5 + number : 25, 8 : 30 - number] = 255
        image = np.dstack([area, area, area, area] if alpha else [area, area, area])
        Image.fromarray(image).save(folder / f"{number}.png")
        Image.fromarray(area).save(masks / f"{number}{suffix}")
    return masks


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    return {
        "a": tmp_path / "a", "mask_a": draw(tmp_path / "a", suffix=".bmp"),
        "b": tmp_path / "b", "mask_b": draw(tmp_path / "b"), "cache": tmp_path / "cache",
    }  # fmt: skip


def test_a_mask_moves_with_its_image_and_takes_no_new_values(folders):
    batch = (
        MaskedData(size_px=32, augment=("rotate", "scale", "flip", "color"), **folders)
        .open(3, "cpu")
        .batch(torch.arange(24))
    )
    for image, mask in zip(batch, (batch.planes["mask_a"], batch.planes["mask_b"]), strict=True):
        assert mask.shape == (24, 1, 32, 32)
        assert set(mask.unique().tolist()) == {0, 1}
        middle = (image.amin((1, 2, 3), keepdim=True) + image.amax((1, 2, 3), keepdim=True)) / 2
        assert ((image.mean(1, keepdim=True) > middle) == (mask > 0.5)).float().mean() > 0.95
        assert len({tuple(one.flatten().tolist()) for one in mask}) > 20, "each is cut out and turned in its own way"


def test_one_domain_may_have_masks_and_the_other_none(folders):
    del folders["mask_b"]
    pictures = MaskedData(size_px=32, **folders).open(0, "cpu")
    assert list(pictures.batch(torch.arange(2)).planes) == ["mask_a"]
    held_out = pictures.held_out(1)
    assert [side.shape for side in held_out] == [(1, 3, 32, 32)] * 2
    assert held_out.planes["mask_a"].shape == (1, 1, 32, 32)


def test_the_alpha_channel_is_the_mask(tmp_path):
    draw(tmp_path / "a", alpha=True)
    draw(tmp_path / "b", alpha=True)
    data = MaskedData(
        a=tmp_path / "a", b=tmp_path / "b", mask_a=Path("alpha"), mask_b=Path("alpha"), size_px=32,
        cache=tmp_path / "cache", mirror=False,
    )  # fmt: skip
    batch = data.open(0, "cpu").batch(torch.arange(6))
    assert set(batch.planes) == {"mask_a", "mask_b"}
    for image, mask in zip(batch, batch.planes.values(), strict=True):
        assert ((image.mean(1, keepdim=True) > 0) == (mask > 0.5)).float().mean() > 0.95


def test_images_without_alpha_are_no_masks(folders):
    data = MaskedData(size_px=32, strict=True, **{**folders, "mask_b": Path("alpha")})
    with pytest.raises(PictureError, match="it has no alpha channel, which is to be its mask"):
        data.open(0, "cpu")


def test_an_image_without_its_mask_is_named(folders):
    (folders["mask_a"] / "3.bmp").unlink()
    with pytest.raises(
        DataError, match=r"1 of the 6 images of .* have no mask in .*a-masks/ \(3\.png\)\. Name each mask"
    ):
        MaskedData(size_px=32, **folders).open(0, "cpu")


def test_masks_of_test_folders(tmp_path):
    for name in ("trainA", "trainB", "testA", "testB"):
        draw(tmp_path / "set" / name, 3)
    masks = tmp_path / "masks"
    masks.mkdir()
    (tmp_path / "set" / "trainA-masks").rename(masks / "train")
    (tmp_path / "set" / "testA-masks").rename(masks / "test")
    for name in ("trainB-masks", "testB-masks"):
        (tmp_path / "set" / name).rename(tmp_path / name)
    pictures = MaskedData(root=tmp_path / "set", mask_a=masks, size_px=32, cache=tmp_path / "cache").open(0, "cpu")
    assert pictures.held_out_kind == "test"
    assert pictures.held_out().planes["mask_a"].shape == (3, 1, 32, 32)
