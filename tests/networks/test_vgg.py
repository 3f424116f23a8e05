"""VGG-19: torchvision's names and order, conv4_4 as the measure of content, a scale of its own making."""

import pytest
import torch

from viceversa.errors import ConfigError
from viceversa.networks import initialise
from viceversa.networks.vgg import VGG19, ContentFeatures, VGGConfig, content_layers, with_unit_content

# Places of the convolutions in torchvision's vgg19().features, and channels at width 64.
PUBLISHED = {
    0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 16: 256, 19: 512, 21: 512, 23: 512, 25: 512, 28: 512,
    30: 512, 32: 512, 34: 512,
}  # fmt: skip


def network(width: int = 4, classes: int = 3, seed: int = 1) -> VGG19:
    made = VGG19(VGGConfig(width=width, classes=classes))
    initialise(made, "kaiming", 1.0, torch.Generator().manual_seed(seed))
    return made


def content_of(made: VGG19) -> ContentFeatures:
    state = made.state_dict()
    names = content_layers(made.config.width)
    return ContentFeatures([(state[f"{name}.weight"], state[f"{name}.bias"]) for name in names], b"x" * 32)


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_the_layers_are_those_of_the_published_weights():
    with torch.device("meta"):
        state = VGG19(VGGConfig()).state_dict()
    weights = {key: value for key, value in state.items() if key.startswith("features.") and key.endswith("weight")}
    assert {int(key.split(".")[1]): len(value) for key, value in weights.items()} == PUBLISHED
    expected = [f"features.{place}" for place in PUBLISHED if place <= 25]
    assert list(content_layers(64)) == expected, "up to conv4_4, the fourth of the fourth block"
    for name, shape in content_layers(64).items():
        assert state[f"{name}.weight"].shape == shape


@pytest.mark.parametrize("size", [(16, 16), (33, 50)])
def test_content_is_conv4_4_before_its_relu(size):
    made = network()
    x = noise(2, 3, *size)
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    expected = made.features[:26](((x + 1) / 2 - mean) / deviation)
    found = content_of(made)(x)
    assert found.shape == (2, 32, size[0] // 8, size[1] // 8)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert (found < 0).any(), "no ReLU has gone over it"


def test_grey_is_equal_parts_of_three_colours():
    made = network()
    x = noise(2, 1, 32, 32)
    torch.testing.assert_close(made(x), made(x.expand(-1, 3, -1, -1)))
    assert made(x).shape == (2, 3)


def test_content_weights_are_no_parameters_and_not_in_a_checkpoint():
    content = content_of(network())
    assert not list(content.parameters())
    assert list(content.state_dict()) == ["digest"]
    x = noise(1, 3, 16, 16).requires_grad_()
    content(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_unit_content_has_one_scale_and_changes_no_answer():
    for factor in 0.01, 1.0, 30.0:
        made = network()
        with torch.no_grad():
            made.features[25].weight *= factor
        scaled = VGG19(made.config)
        scaled.load_state_dict(with_unit_content(made))
        x = noise(2, 3, 64, 64)
        torch.testing.assert_close(scaled(x), made(x), rtol=1e-3, atol=1e-4)
        smooth = torch.nn.functional.interpolate(noise(8, 3, 8, 8), 64, mode="bilinear")
        seen = content_of(scaled)(smooth)
        assert (seen - seen.mean(0)).abs().mean().item() == pytest.approx(1, rel=0.3), factor


def test_other_weights_than_those_of_before_are_refused():
    first, other = content_of(network()), content_of(network())
    other.digest[0] = 0
    first.load_state_dict(content_of(network()).state_dict())
    with pytest.raises(ConfigError, match="began with other weights to compare contents by"):
        first.load_state_dict(other.state_dict())


def test_settings_that_cannot_be_are_refused():
    for changes in ({"width": 0}, {"classes": 1}):
        with pytest.raises(ConfigError):
            VGGConfig(**changes)
