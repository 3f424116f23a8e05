"""The adversarial terms that the translation methods yield, against the objective on their own networks' answers."""

import pytest
import torch
from torch.nn.functional import softplus

from viceversa.losses import OBJECTIVES, gradient_penalty, r1_penalty


def test_the_relativistic_objective_compares_fakes_with_real_images(tiny, make_trainer, tmp_path):
    settings = {"objective": "relativistic", "r2_gamma": 2.0, "precision": "64-true"}
    trainer = make_trainer(tiny("cyclegan", tmp_path, **settings))
    terms, (a, b), _ = first_updates(trainer)
    m = trainer.method
    fake_b, fake_a = m.a2b(a).detach(), m.b2a(b).detach()
    expected = {}
    for way, side, d, real, fake in ("b2a", "a", m.d_a, a, fake_a), ("a2b", "b", m.d_b, b, fake_b):
        expected[f"gan_{way}"] = softplus(d(real) - d(fake)).mean()
        expected[f"d_{side}_fake"] = softplus(d(fake) - d(real)).mean() / 2
        expected[f"d_{side}_r2"] = 2 * r1_penalty(d, fake) / 2
    assert_all_equal(terms, expected)
    for update in m.step(*trainer._load(0)):
        if update.group == "generators":
            (gradient,) = torch.autograd.grad(update.losses["gan_a2b"], [next(m.a2b.parameters())])
            assert gradient.abs().max() > 0


def test_r1_of_the_sum_every_few_steps(tiny, make_trainer, tmp_path):
    settings = {"r1_gamma": 0.1, "r1_of": "sum", "r1_every": 3, "precision": "64-true"}
    trainer = make_trainer(tiny("pix2pix", tmp_path, norm="instance", dropout=False, **settings))
    d = trainer.method.d
    for number in range(4):
        trainer.images_seen = number
        batch, iteration = trainer._load(0)
        assert iteration.number == number
        terms = next(trainer.method.step(batch, iteration)).losses
        assert ("d_r1" in terms) == (number in (0, 3))
        if number == 3:
            real = torch.cat([*batch], 1).requires_grad_()
            (slope,) = torch.autograd.grad(d(real).sum(), real)
            expected = 3 * 0.1 * slope.square().sum((1, 2, 3)).mean() / 2
            torch.testing.assert_close(terms["d_r1"], 0.5 * expected)


CHOSEN = ["lsgan", "bce", "hinge", "minimax", "wgan-gp"]


def first_updates(trainer) -> tuple[dict[str, torch.Tensor], tuple[torch.Tensor, ...], object]:
    """The terms of the first iteration by name, all of them on the initial weights; its images, and its place."""
    batch, iteration = trainer._load(0)
    terms: dict[str, torch.Tensor] = {}
    for update in trainer.method.step(batch, iteration):
        terms |= update.losses
    return terms, batch, iteration


def assert_all_equal(terms: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert {name for name in terms if name.startswith(("gan", "d_"))} == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize("given", [{}, {"discriminator_weight": 0.3}])
@pytest.mark.parametrize("objective", CHOSEN)
def test_cyclegan(objective, given, tiny, make_trainer, tmp_path):
    settings = {"r1_gamma": 3.0, "precision": "64-true", **given}
    trainer, weight = make_trainer(tiny("cyclegan", tmp_path, objective=objective, **settings)), 0.3 if given else 0.5
    terms, (a, b), iteration = first_updates(trainer)
    m, wanted = trainer.method, OBJECTIVES[objective]
    fake_b, fake_a = m.a2b(a).detach(), m.b2a(b).detach()
    expected = {"gan_a2b": wanted.generator(m.d_b(fake_b)), "gan_b2a": wanted.generator(m.d_a(fake_a))}
    for side, d, real, fake in ("a", m.d_a, a, fake_a), ("b", m.d_b, b, fake_b):
        expected[f"d_{side}_real"] = weight * wanted.real(d(real))
        expected[f"d_{side}_fake"] = weight * wanted.fake(d(fake))
        expected[f"d_{side}_r1"] = weight * 3 * r1_penalty(d, real)
        if objective == "wgan-gp":
            penalty = gradient_penalty(d, real, fake, iteration.uniform(f"mixing_{side}"))
            expected[f"d_{side}_penalty"] = weight * 10 * penalty
    assert_all_equal(terms, expected)


@pytest.mark.parametrize("given", [{}, {"discriminator_weight": 0.3}])
@pytest.mark.parametrize("objective", CHOSEN)
def test_pix2pix(objective, given, tiny, make_trainer, tmp_path):
    settings = {"norm": "instance", "dropout": False, "r1_gamma": 3.0, "precision": "64-true", **given}
    trainer, weight = make_trainer(tiny("pix2pix", tmp_path, objective=objective, **settings)), 0.3 if given else 0.5
    terms, (x, y), iteration = first_updates(trainer)
    d, wanted = trainer.method.d, OBJECTIVES[objective]
    real, fake = torch.cat([x, y], 1), torch.cat([x, trainer.method.g(x).detach()], 1)
    expected = {
        "gan": wanted.generator(d(fake)),
        "d_real": weight * wanted.real(d(real)),
        "d_fake": weight * wanted.fake(d(fake)),
        "d_r1": weight * 3 * r1_penalty(d, real),
    }
    if objective == "wgan-gp":
        expected["d_penalty"] = weight * 10 * gradient_penalty(d, real, fake, iteration.uniform("mixing"))
    assert_all_equal(terms, expected)


@pytest.mark.parametrize("objective", ["bce", "minimax", "lsgan", "hinge"])
@pytest.mark.parametrize("method", ["gan", "dcgan", "infogan"])
def test_from_noise(method, objective, tiny, make_trainer, tmp_path):
    """Nothing is halved there: what the objective's table says is what is yielded."""
    same = {"norm": "instance", "discriminator_norm": "instance"} if method != "gan" else {"dropout": False}
    trainer = make_trainer(tiny(method, tmp_path, objective=objective, precision="64-true", **same))
    answers: list[torch.Tensor] = []
    trainer.method.d.register_forward_hook(lambda _module, _given, answer: answers.append(answer.detach()))
    if method == "infogan":  # its head is called by itself
        trainer.method.d.head.register_forward_hook(lambda _module, _given, answer: answers.append(answer.detach()))
    terms, (real, _), _ = first_updates(trainer)
    wanted = OBJECTIVES[objective]
    on_real = trainer.method.d(real).detach()
    on_fake = answers[0][len(real) :] if method != "infogan" else answers[1]
    assert_all_equal(
        terms, {"gan": wanted.generator(on_fake), "d_real": wanted.real(on_real), "d_fake": wanted.fake(on_fake)}
    )
