"""What a method is: it yields updates, and the trainer takes the steps."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from viceversa import seeding
from viceversa.methods.settings import OptimizerConfig, ScheduleConfig
from viceversa.networks import initialise

Batch = tuple[Tensor, ...]
METHODS: "dict[str, type[Method]]" = {}
"""Every method by the name that the command line gives it; a subclass of Method enters itself."""


@dataclass(frozen=True)
class Update:
    """One step for one group of networks: what is summed is what is logged."""

    group: str
    """Which networks it trains: a key of :meth:`Method.groups`."""
    terms: dict[str, Tensor]
    """Weighted scalar losses, float32; their sum is minimised."""


@dataclass(frozen=True)
class Iteration:
    """Where training stands: the only source of randomness of a step."""

    seed: int
    positions: Tensor
    """``(N,)`` int64, on the device: the place of each sample of the batch in the endless sequence of samples."""
    first: int = 0
    """The first of the positions, which can be had without waiting for the device."""
    number: int = 0
    """Iterations before this one: the same in all processes, for what is done every so many of them."""
    images: int = 0
    """Images seen before this iteration: the same in all processes, for phases of the training."""

    def uniform(self, stream: str, shape: tuple[int, ...] = ()) -> Tensor:
        """``(N, *shape)`` in [0, 1), the same numbers for the same sample in every run."""
        return seeding.uniform(self.seed, stream, self.positions, shape)

    def normal(self, stream: str, shape: tuple[int, ...] = ()) -> Tensor:
        """``(N, *shape)`` from N(0, 1), the same numbers for the same sample in every run."""
        return seeding.normal(self.seed, stream, self.positions, shape)


@dataclass(frozen=True)
class Preview:
    """Held-out pictures and what becomes of them, for the sample sheets."""

    columns: tuple[str, ...]
    rows: list[tuple[Tensor, ...]]
    """Blocks of rows: one ``(N, C, H, W)`` in [-1, 1] a column."""
    from_noise: bool = False
    """Whether all columns were made of noise; else the second was made of the first."""


@dataclass(frozen=True, kw_only=True)
class MethodConfig:
    """What every method's settings have."""

    data: Any = None
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)

    def fitted(self, pictures: Any) -> Self:
        """These settings with what only the opened data can tell, such as the number of classes."""
        return self

    def as_begun(self, former: Any) -> Self:
        """Return these settings for going on with a run of ``former``, which may have begun with other defaults."""
        return self

    def prepare(self, *, quiet: bool) -> None:
        """Sees to what a run needs besides pictures, before these are decoded, which may take long."""


class Method(nn.Module, ABC):
    """A way to train networks, as its paper has it: one subclass a paper, one file a subclass.

    A subclass makes its networks in ``__init__(config)`` and says in :meth:`step` what is minimised, in which order.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    Config: ClassVar[type[MethodConfig]]
    layout_on_cpu: ClassVar[torch.memory_format] = torch.contiguous_format
    """How tensors lie in memory there: instance norm is ten times as fast without channels last."""

    def __init_subclass__(cls, *, shared: bool = False) -> None:
        super().__init_subclass__()
        if not shared:  # what several methods have in common is none itself
            METHODS[cls.name] = cls

    def __init__(self, config: Any):
        super().__init__()
        self.config = config
        self.names: tuple[str, ...] = ()
        """What :meth:`class_names` says of the pictures that it was made for."""

    @abstractmethod
    def groups(self) -> dict[str, list[nn.Module]]:
        """Return the networks that are trained together, by the name that updates give.

        A name that begins with "generator", "discriminator" or "critic" says whose learning rate the group takes.
        """

    @abstractmethod
    def step(self, batch: Batch, iteration: Iteration) -> Iterator[Update]:
        """One training iteration. After each ``yield`` the group that it named has been updated.

        Never ``yield`` inside ``torch.no_grad()`` or autocast: the context would leak into the trainer.
        """

    @abstractmethod
    def generators(self) -> dict[str, nn.Module]:
        """What is averaged, exported and deployed: ``{"a2b": ..., "b2a": ...}``."""

    @abstractmethod
    def preview(self, generators: dict[str, nn.Module], batch: Batch) -> Preview:
        """What the sample sheets show of held-out pictures, by (averaged) ``generators`` in evaluation mode."""

    def files(self, generators: dict[str, nn.Module], images: int) -> dict[str, bytes]:
        """What a run's folder holds of (averaged) ``generators``, instead of a translator: files by name.

        Empty where the generators are a translator.
        """
        return {}

    def class_names(self, pictures: Any) -> tuple[str, ...]:
        """What the one-hot entries of a generator's input are called, where it has such."""
        return ()

    @property
    def period(self) -> int:
        """Iterations after which the order of updates repeats itself."""
        return 1

    def make_optimizer(self, group: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of one group of networks."""
        return self.config.optimizer.make(group, parameters)

    def initialise(self, seed: int) -> None:
        """Draws the weights of every network of every group, as a function of ``seed``."""
        networks = self.config.networks
        for group, members in self.groups().items():
            for index, network in enumerate(members):
                generator = torch.Generator().manual_seed(seeding.derive(seed, "init", group, index))
                initialise(network, networks.init, networks.init_gain, generator)
