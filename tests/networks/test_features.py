"""Inner features of networks, by the names of layers, from the pass that gives the answer."""

import pytest
import torch

from viceversa.errors import ConfigError
from viceversa.networks import DISCRIMINATORS, GENERATORS, features
from viceversa.testing.networks import small

ALL = {name: cls for name, cls in (GENERATORS | DISCRIMINATORS).items() if hasattr(cls, "feature_layers")}


def images() -> torch.Tensor:
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("name", ALL)
def test_the_answer_is_the_same_and_each_layer_runs_once(name):
    network, x = small(ALL[name], norm="instance").eval(), images()
    runs = 0

    def count(*_):
        nonlocal runs
        runs += 1

    first = next(module for module in network.modules() if isinstance(module, torch.nn.Conv2d))
    first.register_forward_hook(count)
    layers = network.feature_layers
    answer, found = features(network, x, layers[::-1])
    assert runs == 1
    assert set(found) == set(layers)
    assert torch.equal(answer, network(x))
    assert all(len(value) == 2 and value.dim() == 4 for value in found.values())


@pytest.mark.parametrize("name", ALL)
def test_features_have_gradients_and_are_not_overwritten(name):
    network, x = small(ALL[name], norm="instance").train(), images()
    one_by_one = {layer: features(network, x, [layer])[1][layer] for layer in network.feature_layers}
    _, together = features(network, x, network.feature_layers)
    for layer, value in together.items():
        torch.testing.assert_close(value, one_by_one[layer], msg=layer)
    sum(value.square().mean() for value in together.values()).backward()  # fails where one was changed in place
    assert all(parameter.grad is not None for parameter in list(network.parameters())[:1])


def test_the_layers_that_contrastive_methods_take_have_names():
    network = small(GENERATORS["resnet"], blocks=6).eval()
    _, found = features(network, images(), ["pixels", "down1", "down2", "block1", "block5"])
    assert [tuple(value.shape[1:]) for value in found.values()] == [
        (3, 38, 38), (8, 16, 16), (16, 8, 8), (16, 8, 8), (16, 8, 8),
    ]  # fmt: skip


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="no layer relu4_1 to take features of; there are pixels, stem"):
        features(small(GENERATORS["resnet"]), images(), ["relu4_1"])


@pytest.mark.parametrize("name", ["resnet", "unet", "cartoon", "compact"])
def test_where_the_mask_of_attention_is_nothing_the_image_stays(name):
    network, x = small(GENERATORS[name], attention=True, norm="instance").eval(), images()
    y, found = features(network, x, ["mask"])
    mask = found["mask"]
    assert mask.shape == (2, 1, 32, 32)
    assert 0 <= mask.min() < mask.max() <= 1
    assert torch.equal(y, network(x))
    assert ((y - x).abs() <= 2 * mask + 1e-6).all(), "no more than the mask lets through"
    with torch.no_grad():
        last = [module for module in network.modules() if hasattr(module, "bias") and module.bias is not None][-1]
        last = network.up[0] if name == "unet" else last
        last.bias[-1] = -100.0
    assert torch.equal(network(x), x)


def test_a_mask_needs_equal_channels():
    with pytest.raises(ConfigError, match="which needs equal channels; got 1 and 3"):
        small(GENERATORS["compact"], in_channels=1, attention=True)
