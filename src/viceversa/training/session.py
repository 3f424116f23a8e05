"""A training run from its config to its last checkpoint: folders, logs, samples, signals around the trainer's loop."""

import dataclasses
import functools
import json
import math
import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from viceversa import methods
from viceversa.config import TrainConfig, changed_code, to_json
from viceversa.data.images import grid, save, to_uint8
from viceversa.data.pictures import Pictures
from viceversa.data.sources import values_of
from viceversa.errors import ViceversaError
from viceversa.evaluation.diversity import diversity
from viceversa.inference.folder import save_translator
from viceversa.losses import Kind
from viceversa.naming import json_bytes
from viceversa.training import checkpoint, guards, initial, lock, loggers, machine, summary
from viceversa.training.bar import PreparingBar, ProgressBar
from viceversa.training.evaluating import Evaluator, without_improvement
from viceversa.training.log import MetricsLog, replace_file
from viceversa.training.report import write_report
from viceversa.training.trainer import SCALARS, Trainer
from viceversa.training.units import duration, peak_memory_bytes, size

_REPORT_SECONDS = 60
_LOG_LINES = 2000  # about, where nobody said how many
_FORETELL_SECONDS = 5  # of training, after which it is said how long the rest will take


@dataclass(frozen=True)
class Run:
    """What a call of :func:`train` came to."""

    folder: Path
    images_seen: int
    total_images: int
    """Of the whole run; foretold where it is to take so many minutes, and 0 if nothing has been seen."""
    finished: bool
    """Whether all is trained, or it was ended early; else the same command goes on."""
    ended_early: bool = False
    """Whether ``patience`` has ended it."""


def train(config: TrainConfig[Any], *, quiet: bool = False) -> Run:
    """Trains, or goes on where the run in ``config.out`` stopped.

    SIGINT, SIGTERM and SIGHUP save a checkpoint and end the run in good order; the same call goes on.

    Raises:
        ConfigError: A setting cannot be, or ``config.out`` holds a run of other settings, or one that another process
            is training.
        DataError: The images cannot be trained on.
        CheckpointError: The newest checkpoint is damaged.
        TrainingError: A loss is no longer finite, or the disk is full.
    """
    device = machine.choose_device(config.device)
    initial.check_place(config)
    loggers.check(config)
    former, remarks = guards.check_folder(config), list[str]()
    if former:
        remarks = [guards.former_defaults(former, config), *changed_code(config.out / "config.json", config)]
        config = guards.as_before(former, config)
    config = dataclasses.replace(config, precision=machine.choose_precision(config.precision, device))
    fabric = machine.make_fabric(device, config.precision)
    guards.check_precision(fabric, config.precision)
    main = fabric.is_global_zero
    together = guards.Together(fabric)
    with guards.deterministic(device, wanted=config.deterministic), guards.out_of_memory(config), ExitStack() as stack:
        silent = quiet or not main
        where = machine.describe(device, config.precision, fabric.world_size)
        first_line = f"{methods.of(config.method).name} on {where}"
        greet = functools.cache(lambda: ProgressBar(0, quiet=silent).say(first_line))
        model = initial.shared_model(config, fabric, together)
        pictures = _open(config, fabric, together, quiet=silent, greet=greet)

        def prepare() -> Session:
            method = methods.make(config.method, pictures, config.seed)
            begun = initial.take(method, model) if model else {}
            trainer = Trainer(config, method, pictures, fabric)
            guards.check_pictures(config.out, pictures, moved=guards.moved(former, config))
            plan = guards.check_length(former, config, pictures.epoch_images) if former else ""
            greet()
            config.out.mkdir(parents=True, exist_ok=True)
            if main:
                stack.enter_context(lock.held(config.out))
                guards.check_folder(config)  # another process may have been here since
                stack.enter_context(guards.begun(config.out))
                replace_file(config.out / "config.json", json_bytes(to_json(config)))
            seconds = checkpoint.load_newest(trainer, config.out / "checkpoints") or 0.0
            session = Session(trainer, pictures, seconds, together, stack, quiet=silent)
            session.announce(where, begun, *remarks, plan)
            return session

        session = together.each(prepare)
        session.run()
    trainer = session.trainer
    return Run(config.out, trainer.images_seen, trainer.total_images, session.done, session.ended_early)


def _open(
    config: TrainConfig[Any], fabric: Fabric, together: guards.Together, *, quiet: bool, greet: Callable[[], None]
) -> Pictures:
    """Decodes the images, or finds them in the cache. All processes call it.

    The first process of each machine decodes, and the others, which wait for it, find what it made. ``greet`` is called
    before a bar is shown, and not before there is something to decode: a mistake in the folders is told alone.

    Raises:
        DataError: They cannot be trained on; where that is found in one process, all raise an error.
    """
    done: list[Pictures] = []
    # An error must not pass through the barrier: the others would wait there for ever.
    with fabric.rank_zero_first(local=True), together.kept(), PreparingBar(quiet=quiet, greet=greet) as bar:
        config.method.prepare(quiet=quiet)
        done.append(config.method.data.open(config.seed, fabric.device, bar))
    together.meet()
    return done[0]


class Session:
    """What happens around the trainer's iterations: log, samples, checkpoints, report."""

    def __init__(
        self,
        trainer: Trainer,
        pictures: Pictures,
        seconds: float,
        together: guards.Together,
        stack: ExitStack,
        *,
        quiet: bool,
    ):
        config = trainer.config
        self.together = together
        self.trainer, self.pictures, self.config, self.out = trainer, pictures, config, config.out
        self.main = trainer.fabric.is_global_zero
        self.quiet = quiet
        self.summary: dict[str, Any] = {}
        self.log = MetricsLog(self.out)
        total, seen = trainer.total_images, trainer.images_seen
        if self.main:
            self.log.truncate_after(seen)
        self.loggers = stack.enter_context(loggers.opened(config, seen) if self.main else loggers.Loggers())
        self.bar = ProgressBar(total, done=seen, title=trainer.method.name, quiet=quiet)
        self.signalled = stack.enter_context(guards.signals())
        self.evaluator = Evaluator(trainer, pictures) if config.evaluate_every else None
        self.log_every = config.log_every
        if self.log_every is None and config.method.schedule.minutes is None:
            self.log_every = max(trainer.images_per_step, total // _LOG_LINES)
        self.progress = trainer.progress
        """Before the newest iteration."""
        self.sheets = self._sheets_by(self.progress) if seen else 0
        # Closer together at the start, where images change fastest.
        self.sample_points = [max(1, round(total * (k / config.samples) ** 2)) for k in range(1, config.samples + 1)]
        self.seconds_before, self.started, self.first_image = seconds, time.monotonic(), seen
        trainer.shows = self._sheet_is_due
        self.warm: tuple[float, int] | None = None
        """When the first iteration, which is slower than the others, was over, and the images seen by then."""
        self.foretold = self.ended_early = False
        self.saved_at = self.reported_at = self.started

    @property
    def done(self) -> bool:
        """Whether nothing is left to train."""
        return self.trainer.progress >= 1 or self.ended_early

    @property
    def seconds(self) -> float:
        """Seconds of training in all sessions."""
        return self.seconds_before + time.monotonic() - self.started

    def announce(self, where: str, begun: dict[str, Any], *remarks: str) -> None:
        """Says with what and how much is trained, and writes it to summary.json.

        ``begun`` is what `initial.take` says of a run that begins with the weights of a model.
        """
        remarks = (*initial.remarks(begun), *remarks)
        for words in summary.announcement(self.trainer, self.pictures, remarks):
            self._say(words)
        former = guards.former_summary(self.out)
        self.summary = summary.begun(self.trainer, self.pictures, where, former)
        self.summary["initial"] = begun or former.get("initial", {})
        self._write_summary()

    def run(self) -> None:
        """The loop, and what must be there after it."""
        self.ended_early = self.together.meet(not self.done and self._patience_is_over())[0]
        try:
            with self.bar:
                if not self.ended_early:
                    self.trainer.run(self.after_each)
        except (ViceversaError, OSError):
            with suppress(ViceversaError, OSError):  # whatever stopped the run may stop this too
                self._close("stopped")
            raise
        done = self.done
        if self.trainer.images_seen > self.first_image:
            self._save()
        with self.together.kept():
            if self.main and self.first_image == self.trainer.images_seen > 0:
                self._write_translator()
            self._close("finished" if done else "stopped")
        self.together.meet()
        words = "finished" if done else "stopped; the same command goes on"
        if done and self.first_image == self.trainer.images_seen:
            words = "was finished already"
        if early := self.summary.get("ended_early"):
            self._say(f"ended early: {early}. To go on, give a larger --patience, or leave it out.")
        self._say(f"{words} at {self.trainer.images_seen:,} images. Report: {self.out / 'report.html'}")

    def _patience_is_over(self) -> bool:
        """Whether the newest evaluations were no better, in the first process; why is then in the summary."""
        if self.main and (words := without_improvement(self.out, self.config.patience)):
            self.summary["ended_early"] = words
        return "ended_early" in self.summary

    def after_each(self, trainer: Trainer) -> bool:
        """Everything that is due after an iteration; True to stop."""
        now, before = trainer.images_seen, trainer.images_seen - trainer.images_per_step
        progress, last = trainer.progress, trainer.progress >= 1

        def passed(every: int | None) -> bool:
            return every is not None and (last or now // every > before // every)

        log_due = (
            passed(self.log_every) if self.log_every else int(self.progress * _LOG_LINES) < int(progress * _LOG_LINES)
        )
        evaluate = passed(self.config.evaluate_every)
        meets = trainer.meets or last or evaluate
        if log_due or (meets and trainer.fabric.device.type == "cpu"):
            trainer.check_finite(self._last_good)
        if not self.foretold:
            self._foretell(last=last)
        if not self.quiet and trainer.fabric.device.type == "cpu":
            self.bar.update(now, {name: float(v) for name, v in _latest(trainer).items()}, trainer.total_images)
        means = trainer.take_means() if log_due else {}
        with self.together.kept():
            if self.main:
                self._write(means, samples=self._sheet_is_due(now) or last)
                if evaluate:
                    self._evaluate()
        self.progress = progress
        if not meets:
            return False
        minutes = (time.monotonic() - self.saved_at) / 60
        over = evaluate and not last and self._patience_is_over()
        stop, save_due, self.ended_early = self.together.meet(
            self.signalled.is_set(), minutes >= self.config.checkpoint_minutes, over
        )
        stop = stop or self.ended_early
        if save_due and not last and not stop:
            self._save()
        return stop

    def _foretell(self, *, last: bool) -> None:
        """Say once how long the rest takes and how much memory: measured, on the first seconds of training."""
        now, images = time.monotonic(), self.trainer.images_seen
        begun, before = self.warm = self.warm or (now, images)
        if last or images == before or now - begun < _FORETELL_SECONDS:
            return
        self.foretold = True
        seconds = (now - begun) / (images - before) * (self.trainer.total_images - images)
        memory = peak_memory_bytes(self.trainer.fabric.device.type)
        words = f" and {size(memory)} of memory" if memory else ""
        self._say(f"about {duration(seconds)} to go{words} (measured over the first {now - self.started:.0f} s)")

    def _sheet_is_due(self, images: int) -> bool:
        """Whether a sample sheet is due after the iteration by which so many images have been seen."""
        if self.config.method.schedule.minutes is None:
            return any(images - self.trainer.images_per_step < point <= images for point in self.sample_points)
        return self.sheets < self._sheets_by(self.progress)

    def _sheets_by(self, progress: float) -> int:
        return 1 + int((self.config.samples - 1) * math.sqrt(progress) + 1e-9)

    def _write(self, means: dict[str, float], *, samples: bool) -> None:
        """What the first process writes while training goes on."""
        if means:
            self._write_log(means)
        if samples:
            self._write_samples()
        if samples or time.monotonic() - self.reported_at > _REPORT_SECONDS:
            self._report()

    def _write_log(self, means: dict[str, float]) -> None:
        trainer = self.trainer
        scalars = {name: value for name, value in means.items() if name.startswith(SCALARS)}
        losses = {name: value for name, value in means.items() if name not in scalars}
        self._remember(trainer.kinds)
        images = trainer.images_seen
        epoch, rates = images / self.pictures.epoch_images, trainer.learning_rates
        rate = next(iter(rates.values()))
        differing = rates if len(set(rates.values())) > 1 else {}
        own = {name.removeprefix(SCALARS): value for name, value in scalars.items()}
        self.log.losses(images, epoch=epoch, learning_rate=rate, learning_rates=differing, losses=losses, scalars=own)
        speed = (images - self.first_image) / max(time.monotonic() - self.started, 1e-9)
        memory = peak_memory_bytes(trainer.fabric.device.type)
        self.log.timing(images, seconds=self.seconds, images_per_second=speed, memory_bytes=memory)
        scalars |= {f"losses/{name}": value for name, value in losses.items()}
        scalars |= {f"learning_rates/{group}": value for group, value in differing.items()}
        self.loggers.scalars(images, {**scalars, "learning_rate": rate, "images_per_second": speed})
        self.bar.update(images, losses, trainer.total_images)

    def _write_samples(self) -> None:
        trainer = self.trainer
        with torch.inference_mode(), trainer.fabric.autocast():
            batch = self.pictures.held_out(self.config.sample_pictures).map(trainer.cast)
            preview = trainer.method.preview(trainer.averaged.generators(), batch)
        varied = diversity(preview, batch)
        self.log.metrics(trainer.images_seen, {"diversity": round(varied, 6)})
        rows = [
            list(row) for block in preview.rows for row in zip(*(to_uint8(column) for column in block), strict=True)
        ]
        sheet = grid(rows)
        folder = self.out / "samples"
        folder.mkdir(exist_ok=True)
        self.sheets = self._sheets_by(self.progress)
        save(sheet, folder / f"{trainer.images_seen:08d}.jpg")
        self.loggers.picture(trainer.images_seen, sheet)
        for name, shown in trainer.images.items():
            shown_sheet = grid([list(to_uint8(shown))])
            name = re.sub(r"[^\w.-]", "_", name)
            save(shown_sheet, folder / f"{trainer.images_seen:08d}-{name}.jpg")
            self.loggers.picture(trainer.images_seen, shown_sheet, name)
        self.loggers.scalars(trainer.images_seen, {"metrics/diversity": varied})
        if not self.summary["sample_columns"]:
            self.summary["sample_columns"] = list(preview.columns)
            self._write_summary()

    def _remember(self, kinds: Mapping[str, tuple[Kind, str]]) -> None:
        """Write the kinds of loss terms to the summary as they come up: the report goes by them."""
        known = self.summary["terms"]
        if new := {name: {"kind": kind, "of": of} for name, (kind, of) in kinds.items() if name not in known}:
            known |= new
            self._write_summary()

    def _evaluate(self) -> None:
        """Measures the averaged generators; those that are better than ever go to best/."""
        if self.evaluator is None:
            return
        images, figures = self.trainer.images_seen, self.evaluator.measure()
        if self.evaluator.is_best(self.out, figures):
            self._write_folder(self.out / "best")
        self.log.metrics(images, figures)
        self.loggers.scalars(images, {f"metrics/{name}": value for name, value in figures.items()})

    def _save(self) -> None:
        folder = self.out / "checkpoints"
        if self.trainer.sums:
            self.trainer.check_finite(self._last_good)
        checkpoint.save(self.trainer, folder, seconds=self.seconds, keep=self.config.keep)
        with self.together.kept():
            if self.main:
                self._write_translator()
        self.together.meet()
        self.saved_at = time.monotonic()

    def _last_good(self) -> str:
        return checkpoint.latest_words(self.out / "checkpoints")

    def _write_translator(self) -> None:
        generators, images = self.trainer.averaged.generators(), self.trainer.images_seen
        if files := self.trainer.method.files(generators, images):
            for name, content in files.items():
                replace_file(self.out / name, content)
            return
        self._write_folder(self.out / "translator")

    def _write_folder(self, folder: Path) -> None:
        save_translator(
            folder,
            self.trainer.averaged.generators(),
            method=self.trainer.method.name,
            domains=self.pictures.domains,
            size_px=self.config.method.data.size_px,
            images=self.trainer.images_seen,
            classes=self.trainer.method.class_names(self.pictures),
            values=values_of(self.config.method.data),
            side_by_side=getattr(self.pictures, "side_by_side", None),
            pages_as_channels=getattr(self.config.method.data, "pages", None) == "channels",
            begun_with=initial.short_name(self.config),
        )

    def _write_summary(self) -> None:
        if self.main:
            self.summary["total_images"] = self.trainer.total_images
            text = json.dumps(self.summary, indent=2, ensure_ascii=False) + "\n"
            replace_file(self.out / "summary.json", json_bytes(text))

    def _close(self, state: str) -> None:
        self.summary["state"] = state
        self._write_summary()
        self._report()

    def _report(self) -> None:
        if self.main:
            if self.config.method.schedule.minutes is not None:
                self._write_summary()  # it tells how many images there will be
            write_report(self.out)
            self.reported_at = time.monotonic()

    def _say(self, text: str) -> None:
        if not self.quiet:
            self.bar.say(text)


def _latest(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value / count for name, (value, count) in trainer.sums.items() if not name.startswith(SCALARS)}
