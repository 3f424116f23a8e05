"""CycleGAN: unpaired image-to-image translation, in both directions.

Zhu, Park, Isola and Efros: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks.
ICCV 2017, arXiv 1703.10593.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import nn

from viceversa.data.sources import UnpairedData
from viceversa.errors import ConfigError
from viceversa.losses import OBJECTIVES, l1
from viceversa.methods.base import Batch, Iteration, Method, MethodConfig, Preview, Update
from viceversa.methods.penalties import penalties
from viceversa.methods.pool import ImagePool
from viceversa.methods.settings import AdversarialConfig, NetworksConfig
from viceversa.networks import apply_to_each


@dataclass(frozen=True, kw_only=True)
class CycleGANConfig(MethodConfig):
    """CycleGAN's settings; the defaults are the paper's."""

    data: UnpairedData = field(default_factory=UnpairedData)
    networks: NetworksConfig = field(default_factory=NetworksConfig)
    adversarial: AdversarialConfig = field(default_factory=AdversarialConfig)
    lambda_cycle: float = 10.0
    """Weight of the cycle loss (Eq. 3)."""
    lambda_identity: float = 0.5
    """Weight of the identity loss, as a share of --lambda-cycle (Sec. 5.2); 0 leaves it out."""
    pool: int = 50
    """Pictures in each discriminator's pool of former fakes (Sec. 4); 0 for none."""

    def __post_init__(self) -> None:
        if self.lambda_cycle < 0 or self.lambda_identity < 0 or self.pool < 0:
            raise ConfigError(
                f"--lambda-cycle, --lambda-identity and --pool must not be negative; got {self.lambda_cycle}, "
                f"{self.lambda_identity}, {self.pool}."
            )
        self.adversarial.check(self.networks)
        if self.lambda_identity and self.data.channels_a != self.data.channels_b:
            raise ConfigError(
                f"The identity loss needs equal channels on both sides; got {self.data.channels_a} and "
                f"{self.data.channels_b}. Pass --lambda-identity 0."
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
        self.pool_a = ImagePool(config.pool, a, size_px)
        self.pool_b = ImagePool(config.pool, b, size_px)

    def step(self, batch: Batch, iteration: Iteration) -> Iterator[Update]:
        """Generators first, then discriminators on pictures from the pools (Sec. 4)."""
        a, b = batch
        c: CycleGANConfig = self.config
        objective, half = OBJECTIVES[c.adversarial.objective], c.adversarial.discriminator_weight  # Sec. 7.1

        if c.lambda_identity:
            fake_b, same_b = apply_to_each(self.a2b, a, b)
            fake_a, same_a = apply_to_each(self.b2a, b, a)
            identity = {"identity_a": c.lambda_identity * c.lambda_cycle * l1(same_a, a),  # Sec. 5.2
                        "identity_b": c.lambda_identity * c.lambda_cycle * l1(same_b, b)}  # fmt: skip
        else:
            fake_b, fake_a, identity = self.a2b(a), self.b2a(b), {}
        yield Update("generators", {
            "gan_a2b": objective.generator(self.d_b(fake_b)),
            "gan_b2a": objective.generator(self.d_a(fake_a)),
            "cycle_a": c.lambda_cycle * l1(self.b2a(fake_b), a),  # Eq. 2
            "cycle_b": c.lambda_cycle * l1(self.a2b(fake_a), b),
            **identity,
        })  # fmt: skip

        fake_a = self.pool_a.exchange(fake_a, iteration.uniform("pool_a", (2,)))
        fake_b = self.pool_b.exchange(fake_b, iteration.uniform("pool_b", (2,)))
        on_a, on_fake_a = apply_to_each(self.d_a, a, fake_a)
        on_b, on_fake_b = apply_to_each(self.d_b, b, fake_b)
        mixing_a, mixing_b = iteration.uniform("mixing_a"), iteration.uniform("mixing_b")
        yield Update("discriminators", {
            "d_a_real": half * objective.real(on_a),
            "d_a_fake": half * objective.fake(on_fake_a),
            **penalties("d_a", self.d_a, a, fake_a, mixing_a, c.adversarial),
            "d_b_real": half * objective.real(on_b),
            "d_b_fake": half * objective.fake(on_fake_b),
            **penalties("d_b", self.d_b, b, fake_b, mixing_b, c.adversarial),
        })  # fmt: skip

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
        fake_b, fake_a = a2b(a), b2a(b)
        return Preview(("input", "output", "back again"), [(a, fake_b, b2a(fake_b)), (b, fake_a, a2b(fake_a))])
