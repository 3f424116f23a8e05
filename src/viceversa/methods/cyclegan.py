"""CycleGAN: unpaired image-to-image translation, in both directions.

Zhu, Park, Isola and Efros: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks.
ICCV 2017, arXiv 1703.10593.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor, nn

from viceversa.data.sources import MaskedData
from viceversa.errors import check
from viceversa.losses import Term, distance, l1
from viceversa.methods.adversary import Adversary, logged
from viceversa.methods.augmented import AugmentedConfig
from viceversa.methods.base import Batch, Iteration, Method, MethodConfig, Preview, Update, with_masks
from viceversa.methods.pool import ImagePool
from viceversa.methods.settings import AdversarialConfig, NetworksConfig, check_at_least
from viceversa.networks import apply_to_each


@dataclass(frozen=True)
class Translated:
    """What the generators make of a batch: images ``(N, C, H, W)``."""

    fake_b: Tensor
    fake_a: Tensor
    again_a: Tensor
    """a, translated and back again."""
    again_b: Tensor
    same_a: Tensor | None = None
    """What the generator to a makes of a; None without the identity loss."""
    same_b: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class CycleGANConfig(MethodConfig):
    """CycleGAN's settings; the defaults are the paper's."""

    data: MaskedData = field(default_factory=MaskedData)
    networks: NetworksConfig = field(default_factory=NetworksConfig)
    adversarial: AdversarialConfig = field(default_factory=AdversarialConfig)
    augmented: AugmentedConfig = field(default_factory=AugmentedConfig)
    lambda_cycle: float = 10.0
    """Weight of the cycle loss (Eq. 3)."""
    lambda_identity: float = 0.5
    """Weight of the identity loss, as a share of --lambda-cycle (Sec. 5.2); 0 leaves it out."""
    pool: int = 50
    """Images in each discriminator's pool of former fakes (Sec. 4); 0 for none."""

    def __post_init__(self) -> None:
        check_at_least(self, lambda_cycle=0, lambda_identity=0, pool=0)
        self.adversarial.check(self.networks)
        self.augmented.check(self.adversarial.objective)
        check(
            not self.lambda_identity or self.data.channels_a == self.data.channels_b,
            f"The identity loss needs equal channels on both sides; got {self.data.channels_a} and "
            f"{self.data.channels_b}. Pass --lambda-identity 0.",
        )


class CycleGAN(Method):
    """Two generators, two discriminators, and the cycle that ties them."""

    name = "cyclegan"
    paper = "Zhu et al. 2017, arXiv 1703.10593"
    Config = CycleGANConfig

    def __init__(self, config: CycleGANConfig):
        super().__init__(config)
        data, networks = config.data, config.networks
        a, b, size_px = data.channels_a, data.channels_b, data.size_px
        self.a2b = networks.make_generator(a, b, size_px)
        self.b2a = networks.make_generator(b, a, size_px)
        self.d_a = networks.make_discriminator(a, size_px)
        self.d_b = networks.make_discriminator(b, size_px)
        self.against_a, self.against_b = (
            Adversary(name, config.adversarial, config.augmented) for name in ("d_a", "d_b")
        )
        self.pool_a = ImagePool(config.pool, a, size_px)
        self.pool_b = ImagePool(config.pool, b, size_px)

    def step(self, batch: Batch, iteration: Iteration) -> Iterator[Update]:
        """Generators first, then discriminators on images from the pools (Sec. 4)."""
        out = self.translate(batch)
        yield Update("generators", self.generator_terms(batch, out, iteration))
        yield Update("discriminators", self.discriminator_terms(batch, out, iteration), logged(self))

    def translate(self, batch: Batch) -> Translated:
        """What the generators make of a batch."""
        (a, b), mask_a, mask_b = batch, batch.planes.get("mask_a"), batch.planes.get("mask_b")
        fake_b, same_b = apply_to_each(self.a2b, a, b) if self.config.lambda_identity else (self.a2b(a), None)
        fake_a, same_a = apply_to_each(self.b2a, b, a) if self.config.lambda_identity else (self.b2a(b), None)
        fake_b, fake_a = within(mask_a, fake_b, a), within(mask_b, fake_a, b)
        again_a, again_b = within(mask_a, self.b2a(fake_b), a), within(mask_b, self.a2b(fake_a), b)
        same_a = None if same_a is None else within(mask_a, same_a, a)
        same_b = None if same_b is None else within(mask_b, same_b, b)
        return Translated(fake_b, fake_a, again_a, again_b, same_a, same_b)

    def generator_terms(self, batch: Batch, out: Translated, iteration: Iteration) -> dict[str, Term | Tensor]:
        """What both generators minimise, by name."""
        (a, b), c = batch, self.config
        terms: dict[str, Term | Tensor] = {
            "gan_a2b": self.against_b.generator(
                self.d_b, seen(batch, "mask_a", out.fake_b), iteration, seen(batch, "mask_b", b)
            ),
            "gan_b2a": self.against_a.generator(
                self.d_a, seen(batch, "mask_b", out.fake_a), iteration, seen(batch, "mask_a", a)
            ),
            "cycle_a": distance(c.lambda_cycle * l1(out.again_a, a)),  # Eq. 2
            "cycle_b": distance(c.lambda_cycle * l1(out.again_b, b)),
        }
        if out.same_a is not None and out.same_b is not None:
            terms["identity_a"] = distance(c.lambda_identity * c.lambda_cycle * l1(out.same_a, a))  # Sec. 5.2
            terms["identity_b"] = distance(c.lambda_identity * c.lambda_cycle * l1(out.same_b, b))
        return terms

    def discriminator_terms(self, batch: Batch, out: Translated, iteration: Iteration) -> dict[str, Term | Tensor]:
        """What both discriminators minimise, by name."""
        a, b = seen(batch, "mask_a", batch[0]), seen(batch, "mask_b", batch[1])
        fake_a = self.pool_a.exchange(seen(batch, "mask_b", out.fake_a), iteration.uniform("pool_a", (2,)))
        fake_b = self.pool_b.exchange(seen(batch, "mask_a", out.fake_b), iteration.uniform("pool_b", (2,)))
        return {
            **self.against_a.discriminator(self.d_a, iteration, real=a, fake=fake_a),
            **self.against_b.discriminator(self.d_b, iteration, real=b, fake=fake_b),
        }

    def groups(self) -> dict[str, list[nn.Module]]:
        """Both generators take one step together, and so do both discriminators."""
        return {"generators": [self.a2b, self.b2a], "discriminators": [self.d_a, self.d_b]}

    def generators(self) -> dict[str, nn.Module]:
        """One a direction."""
        return {"a2b": self.a2b, "b2a": self.b2a}

    def preview(self, generators: dict[str, nn.Module], batch: Batch) -> Preview:
        """Each side, translated, and back again."""
        a, b = batch
        a2b, b2a = generators["a2b"], generators["b2a"]
        mask_a, mask_b = batch.planes.get("mask_a"), batch.planes.get("mask_b")
        fake_b, fake_a = within(mask_a, a2b(a), a), within(mask_b, b2a(b), b)
        back_a, back_b = within(mask_a, b2a(fake_b), a), within(mask_b, a2b(fake_a), b)
        sheet = Preview(("input", "output", "back again"), [(a, fake_b, back_a), (b, fake_a, back_b)])
        return with_masks(sheet, a2b, b2a)


def within(mask: Tensor | None, made: Tensor, x: Tensor) -> Tensor:
    """``made`` where the mask ``(N, 1, H, W)`` is 1, and ``x`` where it is 0, both ``(N, C, H, W)``.

    Without a mask it is ``made``.
    """
    return made if mask is None else x + mask * (made - x)


def seen(batch: Batch, mask: str, x: Tensor) -> Tensor:
    """What a discriminator sees of ``x``, ``(N, C, H, W)``: gray where the batch's plane ``mask`` is 0."""
    return x * batch.planes[mask] if mask in batch.planes else x
