"""What is particular to each of the methods that make images of noise."""

import pytest
import torch

from viceversa import configure, load, train
from viceversa.errors import ConfigError, DataError
from viceversa.losses import OBJECTIVES, gaussian_nll, gradient_norm
from viceversa.methods import METHODS, Iteration, infogan
from viceversa.methods.infogan import askew
from viceversa.methods.noise import draw_codes, draw_labels, noise, preview_noise
from viceversa.networks import LatentConfig

FAMILY = ("gan", "dcgan", "cgan", "infogan", "wgan", "wgan-gp")


def iteration(count: int, seed: int = 0, first: int = 0) -> Iteration:
    return Iteration(seed, torch.arange(first, first + count), first)


def updates(trainer, images: int) -> list[str]:
    """The groups that were trained, in order."""
    done, step = [], trainer.method.step

    def watched(batch, iteration):
        for update in step(batch, iteration):
            done.append(update.group)
            yield update

    trainer.method.step = watched
    trainer.run(lambda trainer: trainer.images_seen >= images)
    return done


@pytest.mark.parametrize("method", ["wgan", "wgan-gp"])
def test_the_critic_takes_its_steps_before_each_of_the_generator(method, tiny, tmp_path, make_trainer):
    trainer = make_trainer(tiny(method, tmp_path, n_critic=3, images=14))
    assert updates(trainer, 14) == ["critic", "critic", "critic", "generator"] * 2 + ["critic"]
    assert trainer.method.period == 3


def test_wgans_critic_warms_up_alone(tiny, tmp_path, make_trainer):
    trainer = make_trainer(tiny("wgan", tmp_path, n_critic=2, warm_up=3, images=60))
    batch = trainer.config.method.schedule.batch
    assert updates(trainer, 5 * batch) == ["critic"] * 4 + ["generator", "critic"]
    trainer = make_trainer(tiny("wgan", tmp_path / "short", n_critic=2, warm_up=500, images=20 * batch))
    assert updates(trainer, 4 * batch) == ["critic"] * 4 + ["generator"], "a tenth of the run"


def test_wgans_generator_trains_however_many_images_a_step_takes(tiny, tmp_path, make_trainer):
    """Counted in batches, the tenth of a run of few and large steps would be longer than the run."""
    trainer = make_trainer(tiny("wgan", tmp_path, n_critic=2, warm_up=500, accumulate=16, images=128))
    assert trainer.images_per_step == 32
    assert updates(trainer, 128).count("generator") == 2 * 16, "one for each of the accumulated batches"


def test_wgans_critic_is_clipped_and_the_generator_is_not(tiny, tmp_path, make_trainer):
    trainer = make_trainer(tiny("wgan", tmp_path, clip=0.003, learning_rate=0.01))
    assert max(weight.abs().max() for weight in trainer.method.d.parameters()) > 0.003
    trainer.run(lambda trainer: trainer.images_seen >= 4)
    assert max(weight.abs().max() for weight in trainer.method.d.parameters()) <= 0.003
    assert max(weight.abs().max() for weight in trainer.method.g.parameters()) > 0.003


def test_a_batch_of_the_critic_is_its_own(tiny, tmp_path, make_trainer):
    """n_critic steps on one batch would be another algorithm."""
    trainer = make_trainer(tiny("wgan-gp", tmp_path, images=12))
    seen, batch = [], trainer.pictures.batch

    class Watched:
        epoch_images = trainer.pictures.epoch_images

        def batch(self, positions):
            seen.extend(positions.tolist())
            return batch(positions)

    trainer.pictures = Watched()
    trainer.run(lambda trainer: False)
    assert seen == list(range(12))


def test_the_penalty_pulls_the_slope_towards_one(tiny, tmp_path, make_trainer):
    trainer = make_trainer(
        tiny("wgan-gp", tmp_path, images=400, learning_rate=0.003, lambda_gradient_penalty=100.0, n_critic=50)
    )
    real, _ = trainer.pictures.batch(torch.arange(4))
    before = gradient_norm(trainer.method.d, real.clone()).mean().item()
    trainer.run(lambda trainer: False)
    after = gradient_norm(trainer.method.d, real.clone()).mean().item()
    assert before < 0.1
    assert 0.5 < after < 1.5


def test_a_conditional_discriminator_sees_the_class(tiny, tmp_path, make_trainer):
    method = make_trainer(tiny("cgan", tmp_path)).method.eval()
    assert method.classes == 2, "the two sub-folders"
    pictures = torch.zeros(2, 3, 16, 16)
    as_0, as_1 = (method.d(method.shown(pictures, torch.full((2,), label))) for label in (0, 1))
    assert not torch.equal(as_0, as_1)
    planes = method.shown(pictures, torch.tensor([0, 1]))[:, 3:]
    assert planes[0, 0].min() == planes[1, 1].min() == 1
    assert planes[0, 1].max() == planes[1, 0].max() == 0


def test_a_conditional_generator_is_told_the_class_that_the_discriminator_is_told(tiny, tmp_path, make_trainer):
    trainer = make_trainer(tiny("cgan", tmp_path, batch=8))
    method, given, told = trainer.method, [], []
    method.g.register_forward_hook(lambda _m, args, _out: given.append(args[0][:, -2:].argmax(1)))
    method.d.register_forward_hook(lambda _m, args, _out: told.append(args[0][:, 3:, 0, 0].argmax(1)))
    trainer.run(lambda trainer: True)
    assert len(given[0].unique()) == 2
    assert torch.equal(told[-1], given[0]), "the generator's own turn"
    assert torch.equal(told[1], given[0]), "the discriminator's turn on fakes"


def test_infogans_generator_has_a_rate_of_its_own(tiny, tmp_path, make_trainer):
    trainer = make_trainer(tiny("infogan", tmp_path))
    trainer.set_learning_rate()
    rates = {group: optimizer.param_groups[0]["lr"] for group, optimizer in trainer.optimizers.items()}
    assert rates == {"discriminator": 2e-4, "generator": 1e-3}


def test_infogan_learns_to_read_its_codes(tiny, tmp_path, make_trainer):
    trainer = make_trainer(tiny("infogan", tmp_path, images=480, batch=8, learning_rate=0.003, width=8))
    losses = []
    trainer.run(lambda trainer: losses.append(trainer.take_means()) or False)
    first, last = (sum(line["q_categorical"] for line in part) / 10 for part in (losses[:10], losses[-10:]))
    assert last < first - 0.15


def test_infogan_reads_the_class_askew_and_the_codes_straight(tiny, tmp_path, make_trainer):
    """The networks of both are the same, so what is read from the same images is too."""
    lines = []
    for augment_q in False, True:
        trainer = make_trainer(tiny("infogan", tmp_path, augment_q=augment_q, discriminator_norm="none", init_gain=0.3))
        trainer.run(lambda trainer: lines.append(trainer.take_means()) or True)
    plain, augmented = lines
    assert plain["d_fake"] == augmented["d_fake"]
    assert plain["q_continuous"] == pytest.approx(augmented["q_continuous"])
    for turn in "qg":
        assert plain[f"{turn}_categorical"] != pytest.approx(augmented[f"{turn}_categorical"], abs=1e-5)


def test_a_picture_askew():
    picture = torch.full((2, 1, 9, 9), -1.0)
    picture[:, :, 4, 4] = 1
    picture[:, :, 4, 6] = 0.5
    torch.testing.assert_close(askew(picture, torch.full((2, 6), 0.5)), picture)
    draws = torch.rand(3, 6, generator=torch.Generator().manual_seed(0))
    noise = torch.rand(3, 2, 12, 12, generator=torch.Generator().manual_seed(1), requires_grad=True)
    with pytest.MonkeyPatch.context() as patch:
        here = torch.autograd.grad(askew(noise, draws).square().sum(), noise)[0]
        patch.setattr(infogan, "_sampled", lambda x, at: torch.nn.functional.grid_sample(x, at, align_corners=False))
        torch.testing.assert_close(here, torch.autograd.grad(askew(noise, draws).square().sum(), noise)[0])
    turned = askew(picture, torch.tensor([[0.999, 0.5, 0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5, 0.999, 0.5]]))
    assert turned[0, 0, 4, 4] > 0.9, "about the middle"
    assert turned[1, 0, 4, 3] > 0, "a tenth of the image to the left"
    assert turned.min() >= -1
    assert turned[1, 0, :, -1].max() == -1, "nothing comes in from outside"


def test_the_gaussian_likelihood_is_torchs_own():
    x, means, spread = (torch.randn(5, 3, generator=torch.Generator().manual_seed(k)) for k in range(3))
    expected = torch.nn.functional.gaussian_nll_loss(x, means, spread.exp())
    torch.testing.assert_close(gaussian_nll(x, means, spread), expected)


def test_minimax_is_the_theorys_game():
    logits = torch.linspace(-4, 4, 9)
    loss = OBJECTIVES["minimax"]
    torch.testing.assert_close(loss.generator(logits), torch.log(1 - torch.sigmoid(logits)).mean())
    torch.testing.assert_close(loss.fake(logits), -loss.generator(logits))


@pytest.mark.parametrize("prior", ["normal", "uniform"])
def test_noise_is_of_its_prior_and_a_function_of_the_position(prior):
    space, like = LatentConfig(latent=50, prior=prior), torch.zeros(1)
    z = noise(space, iteration(200), like)
    assert torch.equal(z[100:], noise(space, iteration(100, first=100), like))
    assert not torch.equal(z, noise(space, iteration(200, seed=1), like))
    assert z.mean().abs() < 0.05
    assert z.std().item() == pytest.approx(1 if prior == "normal" else 3**-0.5, rel=0.03)
    assert prior == "normal" or z.abs().max() <= 1
    assert torch.equal(preview_noise(space, 3, like), preview_noise(space, 5, like)[:3])


def test_labels_and_codes_are_evenly_spread():
    labels, codes = draw_labels(iteration(3000), 3), draw_codes(iteration(3000), 2, torch.zeros(1))
    assert (labels.bincount(minlength=3) / 1000 - 1).abs().max() < 0.1
    assert codes.abs().max() <= 1
    assert codes.mean(0).abs().max() < 0.05
    assert abs(torch.corrcoef(codes.T)[0, 1]) < 0.05


@pytest.mark.parametrize(
    ("method", "settings", "words"),
    [
        ("wgan", {"clip": 0.0}, "--clip must be above 0"),
        ("wgan", {"n_critic": 0}, "--n-critic must be at least 1"),
        ("wgan-gp", {"discriminator_norm": "batch"}, "WGAN-GP's critic cannot have batch normalisation"),
        ("wgan-gp", {"lambda_gradient_penalty": -1.0}, "--lambda-gradient-penalty must not be negative"),
        ("infogan", {"categories": 1}, "--categories must be at least 2"),
        ("infogan", {"batch": 1}, "--batch 2 or more"),
        ("infogan", {"generator_learning_rate": -0.1}, "--generator-learning-rate must not be negative"),
        ("dcgan", {"latent": 0}, "--latent must be at least 1"),
        ("gan", {"size_px": 8}, "16 to 128 pixels"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(method, settings, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        configure(method, out=tmp_path, **settings)


def test_a_conditional_gan_without_classes_says_what_to_do(pictures, tiny, tmp_path, make_trainer):
    with pytest.raises(DataError, match="no sub-folders"):
        make_trainer(tiny("cgan", tmp_path, root=pictures / "a"))
    with pytest.raises(ConfigError, match="The data has 2 classes, not 3; leave --classes out"):
        make_trainer(tiny("cgan", tmp_path, classes=3))


@pytest.mark.parametrize("method", FAMILY)
def test_the_defaults_are_the_papers(method):
    config = METHODS[method].Config()
    adam = {
        "gan": (2e-4, 0.5),
        "dcgan": (2e-4, 0.5),
        "cgan": (2e-4, 0.5),
        "infogan": (2e-4, 0.5),
        "wgan-gp": (1e-4, 0.0),
    }
    if method == "wgan":
        assert (config.optimizer.learning_rate, config.clip, config.n_critic) == (5e-5, 0.01, 5)
    else:
        assert (config.optimizer.learning_rate, config.optimizer.beta1) == adam[method]
    assert config.optimizer.constant == 1, "no decay"
    assert config.latents.latent == {"infogan": 62, "wgan-gp": 128}.get(method, 100)


@pytest.mark.parametrize(
    ("method", "names"), [("cgan", ("a", "b")), ("infogan", ("code 0", "code 1", "code 2")), ("dcgan", ())]
)
def test_a_sampler_knows_its_classes_by_name(method, names, tiny, tmp_path):
    train(tiny(method, tmp_path / "run", images=2, latent=2), quiet=True)
    sampler = load(tmp_path / "run")
    assert tuple(sampler.classes) == names
    assert len(sampler.sample(2, **({"label": names[-1]} if names else {}))) == 2
