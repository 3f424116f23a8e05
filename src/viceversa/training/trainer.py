"""The trainer: the only place that calls ``backward``, ``step``, ``zero_grad`` and ``all_reduce``.

From a batch to an optimizer's step in one screen: :meth:`Trainer.step`.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from viceversa import seeding
from viceversa.config import TrainConfig
from viceversa.errors import TrainingError
from viceversa.losses import Kind, precise
from viceversa.methods import Batch, Iteration, Method, Update
from viceversa.training.ema import AveragedGenerators

SCALARS = "scalars/"
"""What the names of logged scalars begin with among the means; loss terms have their names alone."""


_BUCKET_BYTES = 25 * 2**20
_SELDOM = 50  # iterations between two meetings of several processes, at most


class Pictures(Protocol):
    """What training needs of a data set: a sample is a pure function of its position."""

    @property
    def epoch_images(self) -> int:
        """Samples of one epoch."""
        ...

    def batch(self, positions: Tensor) -> Batch:
        """The samples at ``positions`` ``(N,)``: tensors ``(N, C, H, W)`` in [-1, 1] on the device."""
        ...


class Trainer:
    """Takes the steps that a method yields, and counts them.

    Everything that a run's future depends on is in ``method``, ``averaged``, ``optimizers``, ``sums``, ``images_seen``
    and ``seconds``; a checkpoint of these is the run.
    """

    def __init__(self, config: TrainConfig[Any], method: Method, pictures: Pictures, fabric: Fabric):
        self.config, self.method, self.pictures, self.fabric = config, method, pictures, fabric
        self.dtype = torch.float64 if config.precision == "64-true" else torch.float32
        # Channels last on GPUs, whose convolutions want it; on CPUs that depends on a method's normalisation.
        self.layout = torch.channels_last if fabric.device.type == "cuda" else method.layout_on_cpu
        self.method.to(device=fabric.device, dtype=self.dtype, memory_format=self.layout)  # pyright: ignore[reportCallIssue]
        self.averaged = AveragedGenerators(method.generators(), config.ema_images)
        self.parameters = {
            group: [parameter for network in networks for parameter in network.parameters()]
            for group, networks in method.groups().items()
        }
        config.method.optimizer.check_groups(method.name, self.parameters)
        self._buffers = [buffer for buffer in shared_buffers(method) if buffer.is_floating_point()]
        self.optimizers = {group: method.make_optimizer(group, params) for group, params in self.parameters.items()}
        self.base_rates = {group: [g["lr"] for g in opt.param_groups] for group, opt in self.optimizers.items()}
        if not any(itertools.chain(*self.base_rates.values())):
            for module in method.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):  # pyright: ignore[reportPrivateUsage]
                    module.momentum = 0.0  # at a rate of 0 networks stay as they are, batch norm's statistics too
        schedule = config.method.schedule
        self._planned_images = schedule.total_images(pictures.epoch_images)
        self._planned_seconds = schedule.minutes and 60 * schedule.minutes
        self.batch_images = schedule.batch
        self.images_seen = 0
        self.seconds = 0.0
        """Time that the run has taken, by `_clock`; the same in all processes."""
        # On a CPU the work of the thread that computes, since waiting for a busy machine is none. A GPU's work is not
        # seen by the process that asks for it: there it is the clock on the wall.
        self._clock = time.thread_time if fabric.device.type == "cpu" else time.monotonic
        self.meets = True
        """Whether the processes talk after this iteration: all answer alike. One alone need not wait for any."""
        self._met = 0.0, 0.0, 0
        """When they last met, by `_clock` and by the clock on the wall, and iterations since."""
        self.sums: dict[str, Tensor] = {}
        """``(2,)`` of each loss term and logged scalar since the last line of the log: its sum, and of how many."""
        self.kinds: dict[str, tuple[Kind, str]] = {}
        """Each loss term's kind, and what it is part of."""
        self.shows: Callable[[int], bool] = lambda images: False
        """Whether a sample sheet is due when so many images have been seen: what updates show is kept then alone."""
        self.images: dict[str, Tensor] = {}
        """What the last updates showed."""

    @property
    def images_per_step(self) -> int:
        """Samples that one iteration takes, over all processes."""
        return self.batch_images * self.config.accumulate * self.fabric.world_size

    @property
    def progress(self) -> float:
        """Share of the run that is over, 0 to 1: of its images, or of its minutes; the same in all processes."""
        done = self.images_seen / self._planned_images
        return min(1.0, self.seconds / self._planned_seconds if self._planned_seconds else done)

    @property
    def total_images(self) -> int:
        """Images of the whole run; where it has a length in time, as many as its speed foretells, 0 at the start."""
        if not self._planned_seconds:
            return self._planned_images
        progress = self.progress
        return round(self.images_seen / progress) + (progress < 1) if progress else 0

    def run(self, after_each: Callable[["Trainer"], bool]) -> None:
        """Trains to the end, or until ``after_each``, called after each iteration, returns True."""
        self.method.train()
        if self.config.compile:
            for generator in self.method.generators().values():
                generator.compile()
        # Steps seed torch's generators; whoever calls this finds them as they were.
        with torch.random.fork_rng([self.fabric.device] if self.fabric.device.type == "cuda" else []):
            self._met, interval = (self._clock(), time.monotonic(), 0), 1
            while self.progress < 1:
                self.set_learning_rate()
                self.step([self._load(index) for index in range(self.config.accumulate)])
                self.images_seen += self.images_per_step
                self.averaged.update(self.method.generators(), self.images_per_step, self.images_seen)
                self._met = *self._met[:2], self._met[2] + 1
                self.meets = self._met[2] >= interval
                if self.meets:
                    interval = self._meet()
                if after_each(self):
                    return

    def step(self, batches: Sequence[tuple[Batch, Iteration]]) -> None:
        """One iteration over one batch, or over several whose gradients are summed.

        The method's generators run side by side: all come to their first ``yield``, the group named there takes its
        step, then all go on to the second.
        """
        runs = [(self.method.step(batch, iteration), iteration) for batch, iteration in batches]
        self.images, shown = {}, self.shows(self.images_seen + self.images_per_step)
        for turn in itertools.count():
            groups = list[str | None]()
            for run, iteration in runs:
                # Dropout draws from torch's generator: it too becomes a function of the position.
                torch.manual_seed(seeding.derive(self.config.seed, "torch", iteration.first, turn))
                with self.fabric.autocast():
                    update = next(run, None)
                groups.append(update and update.group)
                if update is None:
                    continue
                loss = torch.stack(list(update.losses.values())).sum() / len(runs)
                # Only the group's own weights get gradients: the others cost nothing.
                self.fabric.backward(loss, inputs=self.parameters[update.group])
                self._log(update, len(runs))
                if shown:
                    self.images |= {name: image.detach() for name, image in update.images.items()}
            if len(set(groups)) > 1:
                raise RuntimeError(
                    f"The parts of one iteration must yield the same updates in the same order; as update {turn + 1} "
                    f"they named {', '.join(map(repr, groups))}. What a step does may depend on Iteration.number and "
                    ".images, not on its samples."
                )
            group = groups[0]
            if group is None:
                break
            self._average([parameter.grad for parameter in self.parameters[group] if parameter.grad is not None])
            if largest := self.config.method.optimizer.clip_norm:
                nn.utils.clip_grad_norm_(self.parameters[group], largest)
            self.optimizers[group].step()
            self.optimizers[group].zero_grad(set_to_none=True)
        self._average(self._buffers)  # batch norm's running statistics, so that all hold the same networks

    def _meet(self) -> int:
        """Count the time since the last meeting, as the first process has it; return the iterations till the next."""
        clock, wall, iterations = self._met
        self._met = self._clock(), time.monotonic(), 0
        seconds, interval = self.seconds + self._met[0] - clock, 1
        if self.fabric.world_size > 1:  # about once a second
            interval = int(min(_SELDOM, max(1.0, iterations / max(self._met[1] - wall, 1e-9))))
            seconds, interval = self.fabric.broadcast((seconds, interval))
        self.seconds = seconds
        return interval

    def set_learning_rate(self) -> None:
        """Sets every optimizer's rate for where the run stands."""
        factor = self.config.method.optimizer.factor(self.progress)
        for group, optimizer in self.optimizers.items():
            for base, parameters in zip(self.base_rates[group], optimizer.param_groups, strict=True):
                parameters["lr"] = base * factor

    @property
    def learning_rates(self) -> dict[str, float]:
        """The rate of the last step, of each group."""
        return {group: optimizer.param_groups[0]["lr"] for group, optimizer in self.optimizers.items()}

    def check_finite(self, last_good: Callable[[], str]) -> None:
        """Stops training where a loss has become NaN or infinite since the last line of the log.

        Raises:
            TrainingError: With the term's name and what ``last_good`` says of the checkpoint to go back to.
        """
        losses = {name: sums[0].float() for name, sums in self.sums.items() if not name.startswith(SCALARS)}
        fine = not losses or bool(torch.isfinite(torch.stack(list(losses.values()))).all())
        if not self.agree(not fine):  # all processes stop together
            return
        bad = ", ".join(name for name, value in losses.items() if not torch.isfinite(value)) or "of another process"
        raise TrainingError(
            f"The loss {bad} is no longer a finite number after {self.images_seen} images; {last_good()}. "
            "Start anew with a smaller --learning-rate or --precision 32-true, in another --out."
        )

    def take_means(self) -> dict[str, float]:
        """Each loss term's and logged scalar's mean since the last call, over all processes; starts anew.

        Empty where no update was yielded: in all processes alike.
        """
        if not self.sums:
            return {}
        wide = torch.float32 if self.fabric.device.type == "mps" else torch.float64
        means = torch.stack([value.to(wide) / count.to(wide) for value, count in self.sums.values()])
        self._average([means])
        names = list(self.sums)
        self.sums = {}
        return dict(zip(names, means.tolist(), strict=True))

    def agree(self, flag: bool) -> bool:
        """Whether any process says yes: all of them get the same answer."""
        return self.agree_on(flag)[0]

    def agree_on(self, *flags: bool) -> list[bool]:
        """The same for several questions at the cost of one."""
        return agree_on(self.fabric, *flags)

    def cast(self, side: Tensor) -> Tensor:
        """Images in the run's own precision and memory layout; labels as they are."""
        return side.to(self.dtype, memory_format=self.layout) if side.is_floating_point() else side

    def _load(self, index: int) -> tuple[Batch, Iteration]:
        """The batch of this process for the ``index``-th part of an iteration."""
        part = self.fabric.global_rank * self.config.accumulate + index
        first = self.images_seen + part * self.batch_images
        positions = torch.arange(first, first + self.batch_images)
        batch = self.pictures.batch(positions).map(self.cast)
        number = self.images_seen // self.images_per_step
        # Made on the device: a copy from here would wait until the device has done all that was asked for.
        where = torch.arange(first, first + self.batch_images, device=self.fabric.device)
        return batch, Iteration(self.config.seed, where, first, number, self.images_seen, self.progress)

    def _log(self, update: Update, parts: int) -> None:
        self.kinds |= update.kinds
        for name, value in {**update.losses, **self._scalars(update)}.items():
            value = value.detach() / parts
            part = torch.stack([value, torch.full_like(value, 1 / parts)])
            self.sums[name] = self.sums[name] + part if name in self.sums else part

    def _scalars(self, update: Update) -> dict[str, Tensor]:
        """What an update logs besides losses, as scalars on the device; numbers do not wait for it."""
        return {
            SCALARS + name: precise(value).reshape(())
            if isinstance(value, Tensor)
            else torch.full((), float(value), device=self.fabric.device)
            for name, value in update.log.items()
        }

    def _average(self, tensors: Sequence[Tensor]) -> None:
        """Replace ``tensors`` by their means over all processes; one bucket travels while the next is filled."""
        if self.fabric.world_size == 1:
            return
        sent = list[tuple[list[Tensor], Tensor, Any]]()
        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
            sent.append((bucket, flat, torch.distributed.all_reduce(flat, async_op=True)))
        for bucket, flat, work in sent:
            work.wait()
            flat /= self.fabric.world_size
            for tensor, mean in zip(bucket, flat.split([tensor.numel() for tensor in bucket]), strict=True):
                tensor.copy_(mean.view_as(tensor))


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """The tensors in order, in lists of one type and of about `_BUCKET_BYTES`."""
    bucket, size = list[Tensor](), 0
    for tensor in tensors:
        if bucket and (size > _BUCKET_BYTES or tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.nbytes
    if bucket:
        yield bucket


def per_process(method: nn.Module) -> tuple[str, ...]:
    """What the names of that state begin with which belongs to one process, as an image pool's does."""
    return tuple(f"{name}." for name, module in method.named_modules() if getattr(module, "per_process", False))


def shared_buffers(method: nn.Module) -> list[Tensor]:
    """The buffers that all processes hold alike."""
    own = per_process(method)
    return [buffer for name, buffer in method.named_buffers() if not name.startswith(own)]


def agree_on(fabric: Fabric, *flags: bool) -> list[bool]:
    """For each of several questions whether any process says yes: all of them get the same answers."""
    if fabric.world_size == 1:
        return list(flags)
    votes = torch.tensor([float(flag) for flag in flags], device=fabric.device)
    torch.distributed.all_reduce(votes)
    return [vote > 0 for vote in votes.tolist()]
