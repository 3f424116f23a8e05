"""Objectives and penalties against closed forms."""

import math

import pytest
import torch
from torch import nn

from viceversa.errors import ConfigError
from viceversa.losses import OBJECTIVES, gradient_norm, gradient_penalty, l1, precise, r1_penalty
from viceversa.methods.penalties import penalties
from viceversa.methods.settings import AdversarialConfig

LOGITS = torch.tensor([[-2.0, -0.5], [0.0, 3.0]], dtype=torch.float64)


def mean(function) -> float:
    """The mean of ``function`` over the logits, by Python's own arithmetic."""
    return sum(function(s) for s in LOGITS.flatten().tolist()) / LOGITS.numel()


def sigmoid(s: float) -> float:
    return 1 / (1 + math.exp(-s))


CLOSED_FORMS = {
    "bce": (lambda s: -math.log(sigmoid(s)), lambda s: -math.log(1 - sigmoid(s)), lambda s: -math.log(sigmoid(s))),
    "relativistic": (
        lambda s: -math.log(sigmoid(s)), lambda s: -math.log(1 - sigmoid(s)), lambda s: -math.log(sigmoid(s)),
    ),
    "minimax": (lambda s: -math.log(sigmoid(s)), lambda s: -math.log(sigmoid(-s)), lambda s: math.log(sigmoid(-s))),
    "lsgan": (lambda s: (s - 1) ** 2, lambda s: s**2, lambda s: (s - 1) ** 2),
    "wgan": (lambda s: -s, lambda s: s, lambda s: -s),
    "wgan-gp": (lambda s: -s, lambda s: s, lambda s: -s),
    "hinge": (lambda s: max(0, 1 - s), lambda s: max(0, 1 + s), lambda s: -s),
}  # fmt: skip


def test_every_objective_has_a_closed_form_here():
    assert OBJECTIVES.keys() == CLOSED_FORMS.keys()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_values_are_those_of_the_table(name):
    objective, (real, fake, generator) = OBJECTIVES[name], CLOSED_FORMS[name]
    assert objective.real(LOGITS).item() == pytest.approx(mean(real), rel=1e-12)
    assert objective.fake(LOGITS).item() == pytest.approx(mean(fake), rel=1e-12)
    assert objective.generator(LOGITS).item() == pytest.approx(mean(generator), rel=1e-12)


@pytest.mark.parametrize("part", ["real", "fake", "generator"])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_are_scalars_of_float32_or_float64(name, part):
    loss = getattr(OBJECTIVES[name], part)
    assert loss(LOGITS).dtype == torch.float64
    assert loss(LOGITS.float()).dtype == torch.float32
    assert loss(LOGITS.bfloat16()).dtype == torch.float32
    assert loss(LOGITS.half()).dtype == torch.float32
    assert loss(LOGITS).shape == ()


def test_bfloat16_is_widened_before_the_arithmetic_not_after():
    logits = torch.tensor([1.0078125], dtype=torch.bfloat16)  # (1 + 2^-7) - 1 is exact, its square is not a bfloat16
    assert OBJECTIVES["lsgan"].real(logits).item() == 2.0**-14
    x, y = torch.full((1000,), 1.0, dtype=torch.bfloat16), torch.full((1000,), 0.99609375, dtype=torch.bfloat16)
    assert l1(x, y).item() == 0.00390625


def test_precise_leaves_float64_alone():
    assert precise(LOGITS) is LOGITS


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_discriminator_tells_apart_and_the_generator_pulls_the_other_way(name):
    def slope(part: str) -> float:
        logit = torch.tensor(0.3, requires_grad=True)
        getattr(OBJECTIVES[name], part)(logit).backward()
        assert logit.grad is not None
        return logit.grad.item()

    assert slope("real") < 0  # a step downhill makes real images look more real
    assert slope("fake") > 0
    assert slope("generator") < 0


@pytest.mark.parametrize("name", ["bce", "minimax"])
def test_far_logits_give_finite_losses_and_gradients(name):
    for part in ("real", "fake", "generator"):
        logits = torch.tensor([-1e4, 1e4], requires_grad=True)
        loss = getattr(OBJECTIVES[name], part)(logits)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(logits.grad).all()


def test_l1_is_the_mean_over_all_elements():
    x, y = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    y[0, 0, 0, 0], y[1, 2, 3, 3] = 4.8, -4.8
    assert l1(x, y).item() == pytest.approx(9.6 / 96)


class Linear(nn.Module):
    """D(x) = <w, x> + bias: its gradient is w wherever it is taken."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.w = nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor(0.3, dtype=torch.float64))
        self.seen: list[torch.Tensor] = []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return (x * self.w).flatten(1).sum(1, keepdim=True) + self.bias


def pictures(seed: int, n: int = 3) -> torch.Tensor:
    return torch.randn(n, 2, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_gradient_penalty_of_a_linear_critic():
    critic = Linear((2, 4, 4))
    penalty = gradient_penalty(critic, pictures(1), pictures(2), torch.rand(3))
    length = critic.w.norm().item()
    assert penalty.item() == pytest.approx((length - 1) ** 2, rel=1e-9)
    penalty.backward()
    # d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|: the second backward pass reaches the critic's weights.
    expected = 2 * (length - 1) * critic.w.detach() / length
    torch.testing.assert_close(critic.w.grad, expected)


def test_gradient_penalty_looks_between_real_and_fake_for_each_sample():
    critic, real, fake = Linear((2, 4, 4)), pictures(1), pictures(2)
    gradient_penalty(critic, real, fake, torch.tensor([0.0, 0.25, 1.0]))
    (between,) = critic.seen
    torch.testing.assert_close(between[0], fake[0])
    torch.testing.assert_close(between[1], 0.25 * real[1] + 0.75 * fake[1])
    torch.testing.assert_close(between[2], real[2])


def test_gradient_penalty_leaves_the_generator_alone():
    fake = pictures(2).requires_grad_()
    gradient_penalty(Linear((2, 4, 4)), pictures(1), fake, torch.rand(3)).backward()
    assert fake.grad is None


def test_a_critic_of_patches_is_judged_by_their_mean():
    whole = Linear((2, 4, 4))

    def patches(x):
        return (x * whole.w).sum(1).reshape(len(x), 1, 4, 4) * 16  # the mean over 16 patches is <w, x>

    norms = gradient_norm(patches, pictures(1))
    torch.testing.assert_close(norms, whole.w.norm().expand(3))


def test_r1_of_a_linear_critic():
    critic = Linear((2, 4, 4))
    penalty = r1_penalty(critic, pictures(1))
    assert penalty.item() == pytest.approx(critic.w.square().sum().item() / 2, rel=1e-9)
    penalty.backward()
    torch.testing.assert_close(critic.w.grad, critic.w.detach())


def test_penalties_are_computed_in_float32_under_autocast():
    critic = nn.Sequential(nn.Conv2d(2, 8, 3), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 2))
    real, fake, mixing = pictures(1).float(), pictures(2).float(), torch.rand(3)
    plain = gradient_penalty(critic, real, fake, mixing)
    with torch.autocast("cpu", torch.bfloat16):
        narrow = gradient_penalty(critic, real, fake, mixing)
    assert narrow.dtype == torch.float32
    assert narrow.item() == plain.item()


def added(objective: str, **settings: float) -> tuple[dict[str, torch.Tensor], Linear]:
    critic = Linear((2, 4, 4))
    config = AdversarialConfig(objective=objective, **settings)  # pyright: ignore[reportArgumentType]
    terms = penalties("d_a", critic, pictures(1), pictures(2), torch.rand(3), config)
    return {name: term.value for name, term in terms.items()}, critic


def test_wgan_gp_really_adds_its_penalty():
    found, critic = added("wgan-gp", lambda_gradient_penalty=7.0)
    assert found.keys() == {"d_a_penalty"}
    length = critic.w.norm().item()
    assert found["d_a_penalty"].item() == pytest.approx(3.5 * (length - 1) ** 2, rel=1e-9)
    slope = torch.autograd.grad(found["d_a_penalty"], critic.w)[0]
    torch.testing.assert_close(slope, 3.5 * 2 * (length - 1) * critic.w.detach() / length)


@pytest.mark.parametrize("objective", ["lsgan", "bce", "hinge"])
def test_other_objectives_have_no_penalty(objective):
    assert added(objective)[0] == {}


def test_r1_of_a_sum_of_patches_is_their_number_squared_times_as_large():
    patches = torch.nn.Conv2d(2, 1, 2, dtype=torch.float64)
    x = pictures(1)
    with torch.no_grad():
        count = patches(x)[0].numel()
    summed = r1_penalty(lambda x: patches(x).flatten(1).sum(1, keepdim=True), x)
    torch.testing.assert_close(summed, count**2 * r1_penalty(patches, x))
    assert count > 1


def test_r1_is_added_to_any_objective():
    found, critic = added("lsgan", r1_gamma=4.0)
    assert found["d_a_r1"].item() == pytest.approx(2 * critic.w.square().sum().item() / 2, rel=1e-9)
    assert added("wgan-gp", r1_gamma=4.0)[0].keys() == {"d_a_penalty", "d_a_r1"}


@pytest.mark.parametrize("settings", [{"lambda_gradient_penalty": -1.0}, {"r1_gamma": -1.0}])
def test_negative_weights_of_penalties_are_refused(settings):
    (name,) = settings
    with pytest.raises(ConfigError, match=f"--{name.replace('_', '-')} must not be negative"):
        AdversarialConfig(**settings)
