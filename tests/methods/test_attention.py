"""Generators with attention in methods: the mask is on the sample sheets."""

import pytest
import torch

from viceversa.data.batch import Batch
from viceversa.data.sources import MaskedData, PairedData
from viceversa.methods.cyclegan import CycleGAN, CycleGANConfig
from viceversa.methods.pix2pix import Pix2Pix, Pix2PixConfig
from viceversa.methods.settings import NetworksConfig

NETWORKS = NetworksConfig(generator="compact", attention=True, width=4, blocks=1, discriminator_width=2)


@pytest.mark.parametrize(
    ("method", "columns"),
    [
        (CycleGAN(CycleGANConfig(data=MaskedData(size_px=32), networks=NETWORKS)), ("input", "output", "back again")),
        (Pix2Pix(Pix2PixConfig(data=PairedData(size_px=32), networks=NETWORKS)), ("input", "output", "truth")),
    ],
)
def test_the_mask_is_the_last_column(method, columns):
    method.initialise(0)
    batch = Batch(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(side)) * 2 - 1 for side in range(2))
    with torch.no_grad():
        preview = method.eval().preview(method.generators(), batch)
    assert preview.columns == (*columns, "mask")
    for row in preview.rows:
        image, made, mask = row[0], row[1], row[-1]
        assert mask.shape == image.shape
        assert ((made - image).abs() <= mask + 1 + 1e-6).all(), "what the mask lets through, and no more"
