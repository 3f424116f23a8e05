"""What a method is: it yields updates, and the trainer takes the steps."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, make_dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from viceversa import seeding
from viceversa.data.batch import Batch
from viceversa.errors import check
from viceversa.losses import Kind, Term
from viceversa.methods.settings import OptimizerConfig, ScheduleConfig
from viceversa.networks import features, initialise

METHODS: "dict[str, type[Method]]" = {}
"""Every method by the name that the command line gives it; a subclass of Method enters itself."""


@dataclass(frozen=True)
class Update:
    """One step for one group of networks: what is summed is what is logged."""

    group: str
    """Which networks it trains: a key of :meth:`Method.groups`."""
    terms: Mapping[str, Term | Tensor]
    """Weighted scalar losses, float32, by name; their sum is minimised. A plain tensor is a term of no special kind."""
    log: Mapping[str, Tensor | float] = field(default_factory=dict[str, Tensor | float])
    """What is logged besides: scalars by name, of which the log holds the mean since its last line."""
    images: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    """What is shown besides: ``(N, C, H, W)`` in [-1, 1] by name, with 1, 3 or 4 channels.

    They are kept only where a sample sheet is due, so that they cost nothing otherwise; names become names of files.
    A mask in [0, 1] is shown by ``2 * mask - 1``.
    """

    def __post_init__(self) -> None:
        for name, image in self.images.items():
            check(image.dim() == 4, f"Update.images[{name!r}] must be (N, C, H, W); got {tuple(image.shape)}.")
        for name, value in self.log.items():
            scalar = not isinstance(value, Tensor) or value.numel() == 1
            check(scalar, f"Update.log[{name!r}] must be a scalar; got the shape {tuple(getattr(value, 'shape', ()))}.")

    @property
    def losses(self) -> dict[str, Tensor]:
        """The values of the terms, by name."""
        return {name: term.value if isinstance(term, Term) else term for name, term in self.terms.items()}

    @property
    def kinds(self) -> dict[str, tuple[Kind, str]]:
        """The kind of each term, and the discriminator that it is part of, or ""."""
        return {
            name: (term.kind, term.of) if isinstance(term, Term) else ("other", "") for name, term in self.terms.items()
        }


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
    progress: float = 0.0
    """Share of the run before this iteration, 0 to 1: the same in all processes."""

    def uniform(self, stream: str, shape: tuple[int, ...] = ()) -> Tensor:
        """``(N, *shape)`` in [0, 1), the same numbers for the same sample in every run."""
        return seeding.uniform(self.seed, stream, self.positions, shape)

    def normal(self, stream: str, shape: tuple[int, ...] = ()) -> Tensor:
        """``(N, *shape)`` from N(0, 1), the same numbers for the same sample in every run."""
        return seeding.normal(self.seed, stream, self.positions, shape)


@dataclass(frozen=True)
class Preview:
    """Held-out images and what becomes of them, for the sample sheets."""

    columns: tuple[str, ...]
    rows: list[tuple[Tensor, ...]]
    """Blocks of rows: one ``(N, C, H, W)`` in [-1, 1] a column."""
    from_noise: bool = False
    """Whether all columns were made of noise; else the second was made of the first."""


def with_masks(preview: Preview, *generators: nn.Module) -> Preview:
    """Return ``preview`` with the masks of generators that have attention as one more column.

    Args:
        preview: Its first column is what the generators get.
        generators: Of each block of rows the one that made its second column.
    """
    if not all("mask" in getattr(network, "feature_layers", ()) for network in generators):
        return preview
    masks = [
        features(network, row[0], ["mask"])[1]["mask"] for network, row in zip(generators, preview.rows, strict=True)
    ]
    rows = [(*row, (2 * mask - 1).expand_as(row[1])) for mask, row in zip(masks, preview.rows, strict=True)]
    return replace(preview, columns=(*preview.columns, "mask"), rows=rows)


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
        """Sees to what a run needs besides images, before these are decoded, which may take long."""


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
        if "Config" not in vars(cls) and hasattr(cls, "Config"):  # settings tell which method they are of
            cls.Config = make_dataclass(f"{cls.__name__}Config", (), bases=(cls.Config,), frozen=True, kw_only=True)
        if shared:  # what several methods have in common is none itself
            return
        check(vars(cls).get("name"), f'The class {cls.__name__} needs a name of its own: name = "...".')
        there = METHODS.get(cls.name, cls)
        check(
            there.__module__ == cls.__module__,
            f"There is a method {cls.name} already, in {there.__module__}; name yours differently.",
        )
        METHODS[cls.name] = cls

    def __init__(self, config: Any):
        super().__init__()
        self.config = config
        self.names: tuple[str, ...] = ()
        """What :meth:`class_names` says of the images that it was made for."""

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
        """What the sample sheets show of held-out images, by (averaged) ``generators`` in evaluation mode."""

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
