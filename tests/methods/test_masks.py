"""CycleGAN with masks: only what they show is changed, and only that is looked at."""

import pytest
import torch

from viceversa.data.batch import Batch
from viceversa.data.sources import MaskedData
from viceversa.methods.base import Iteration
from viceversa.methods.cyclegan import CycleGAN, CycleGANConfig
from viceversa.methods.settings import NetworksConfig

NETWORKS = NetworksConfig(generator="compact", width=4, blocks=1, discriminator_width=2)


@pytest.fixture
def method() -> CycleGAN:
    made = CycleGAN(CycleGANConfig(data=MaskedData(size_px=32), networks=NETWORKS))
    made.initialise(0)
    return made


@pytest.fixture
def batch() -> Batch:
    numbers = torch.Generator().manual_seed(3)
    mask = torch.zeros(2, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    a, b = (torch.rand(2, 3, 32, 32, generator=numbers) * 2 - 1 for _ in "ab")
    return Batch((a, b), {"mask_a": mask, "mask_b": mask.flip(3).roll(4, 3)})


def test_nothing_outside_the_mask_is_changed(method, batch):
    with torch.no_grad():
        out = method.translate(batch)
    for made, side in ((out.fake_b, "a"), (out.again_a, "a"), (out.fake_a, "b"), (out.again_b, "b")):
        image, mask = batch["ab".index(side)], batch.planes[f"mask_{side}"]
        kept = (mask == 0).expand_as(image)
        assert torch.equal(made[kept], image[kept])
        assert not torch.equal(made, image)


def test_discriminators_see_only_what_may_change(method, batch):
    """What lies outside of the masks of real images makes no difference to what the discriminators are told."""
    positions = torch.arange(2)
    seen = []
    hook = method.d_a.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach().clone()))
    for _update in method.step(batch, Iteration(0, positions, 2, 100, 2)):
        pass
    hook.remove()
    assert len(seen) >= 2
    for image in seen:
        known = [batch.planes["mask_a"], batch.planes["mask_b"]]
        outside = [(mask == 0).expand(-1, 3, -1, -1) for mask in known]
        assert any(not image[at : at + 2][away].any() for at in range(0, len(image), 2) for away in outside), (
            "gray where no mask is"
        )


def test_the_sample_sheet_shows_what_is_kept(method, batch):
    with torch.no_grad():
        preview = method.eval().preview(method.generators(), batch)
    image, made, back = (torch.as_tensor(column) for column in preview.rows[0])
    kept = (batch.planes["mask_a"] == 0).expand_as(image)
    assert torch.equal(made[kept], image[kept])
    assert torch.equal(back[kept], image[kept])
