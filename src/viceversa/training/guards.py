"""What stands around a run: which folder it may go on in, signals, memory that does not suffice, determinism."""

import json
import re
import shlex
import signal
import tempfile
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric

from viceversa import sizes, stopping
from viceversa.config import PrecisionName, TrainConfig, difference, read_config
from viceversa.data.pictures import Pictures
from viceversa.data.single import SingleData
from viceversa.data.sources import PairedData, PictureData
from viceversa.errors import ConfigError, TrainingError, ViceversaError, check
from viceversa.inference.folder import WEIGHTS_FILE
from viceversa.inference.memory import is_out_of_memory
from viceversa.naming import readable
from viceversa.training import checkpoint, lock
from viceversa.training.trainer import agree_on

T = TypeVar("T")
_NOTHING = (".config.json.partial", lock.FILE)  # what a run leaves that was killed before its first file


def check_folder(config: TrainConfig[Any]) -> TrainConfig[Any] | None:
    """Refuses a folder that holds a run of other settings, or something else; returns the config of a run there."""
    path = config.out / "config.json"
    out, known = config.out, readable(config.out)
    check(
        known == str(out),
        f"{known} is not valid UTF-8, and TensorBoard cannot write there. Name another folder with --out.",
    )
    check(out.is_dir() or not out.exists(), f"{out} is a file. Name a new folder with --out.")
    if path.exists():
        check(
            not (out / WEIGHTS_FILE).is_file(),  # such a folder has a config.json too, of another kind
            f"{out} is a translator folder, and a run needs a folder of its own. Name a new one with --out; to begin "
            f"with the weights of that translator, add --from {shlex.quote(str(out))}.",
        )
        former = read_config(path, out)
        changed = difference(former, as_before(former, config))
        check(
            not changed,
            f"{out} holds a run of other settings ({'; '.join(changed)}). Give the same settings to go on with it, or "
            f"another folder with --out{_begin_with(out)}.",
        )
        return former
    other = out.is_dir() and any(entry.name not in _NOTHING for entry in out.iterdir())
    check(not other, f"{out} holds other things and no run. Name a new folder with --out.")
    there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    try:  # before anything is said or computed
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise ConfigError(f"{out} cannot be made ({error.strerror}). Name another place with --out.") from None
    return None


@contextmanager
def begun(out: Path) -> Generator[None]:
    """Around the start of a run: remove config.json where an error ends a run that has written nothing else.

    Otherwise the folder would be refused to the next try, if that has other settings.
    """
    try:
        yield
    except ViceversaError:
        if all(entry.name in (*_NOTHING, "config.json") for entry in out.iterdir()):
            (out / "config.json").unlink(missing_ok=True)
        raise


def _begin_with(out: Path) -> str:
    """What helps where a run that has come to something cannot go on as it is asked to: the end of a sentence."""
    if not checkpoint.complete(out / "checkpoints"):
        return ""
    return f"; to begin a new run with its weights: --from {shlex.quote(str(out))} --out NEW"


def as_before(former: TrainConfig[Any], config: TrainConfig[Any]) -> TrainConfig[Any]:
    """With what ``config`` leaves to the machine, to the images or to defaults as the run has it: so it goes on."""
    method, data = config.method, config.method.data
    if type(method) is type(former.method):
        method = method.as_begun(former.method)
    if isinstance(data, PictureData | SingleData):
        left = [part.name for part in fields(data) if "formerly" in part.metadata and getattr(data, part.name) is None]
        before = {name: getattr(former.method.data, name, None) for name in left}
        method = replace(method, data=replace(data, **before))
    if isinstance(data, PairedData) and getattr(former.method.data, "side_by_side", False):
        method = replace(method, data=replace(method.data, side_by_side=True))
    precision = former.precision if config.precision == "auto" else config.precision
    return replace(config, method=method, precision=precision)


def former_defaults(former: TrainConfig[Any], config: TrainConfig[Any]) -> str:
    """Say with which settings a run goes on for their being the defaults when it was begun; empty where with none."""
    begun = replace(config, method=config.method.as_begun(former.method))
    settings = [phrase.partition(", now ")[0] for phrase in difference(begun, config)]
    return f"goes on with {' '.join(settings)}, the default when it was begun" if settings else ""


def check_precision(fabric: Fabric, precision: PrecisionName) -> None:
    """Refuses processes that have chosen different precisions, each on a machine of its own."""
    check(
        not all(agree_on(fabric, precision == "bf16-mixed", precision != "bf16-mixed")),
        "bfloat16 is faster on one of the machines, and not on another. Say --precision 32-true or bf16-mixed.",
    )


def check_length(former: TrainConfig[Any], config: TrainConfig[Any], epoch_images: int) -> str:
    """Refuses a plan that ends before where the run stands; where it is a new one, what follows from that, in words."""
    before, now = (_length(each, epoch_images) for each in (former, config))
    if now == before or not checkpoint.complete(config.out / "checkpoints"):
        return ""
    images, seconds = checkpoint.reached(config.out / "checkpoints")
    (amount, unit), alike = now, now[1] == before[1]
    if not (alike and now > before) and amount < (images if unit == "images" else seconds / 60):
        done = f"seen {images:,} images" if unit == "images" else f"trained for {seconds / 60:.3g} minutes"
        flags = "--images or --epochs" if unit == "images" else "--minutes"
        raise ConfigError(
            f"{config.out} has {done} already, and {flags} asks for {amount:,} in all. Ask for no fewer, or start anew "
            "with another --out."
        )
    plan = "new" if not alike else "longer" if now > before else "shorter"
    were = f"{before[0]:,}" if alike else f"{before[0]:,} {before[1]}"
    return (
        f"{amount:,} {unit} in all, {were} were planned before: the learning rate follows the {plan} plan from here on"
    )


def _length(config: TrainConfig[Any], epoch_images: int) -> tuple[float, str]:
    """How long a run is planned to be, and in which unit."""
    schedule = config.method.schedule
    if schedule.minutes is not None:
        return schedule.minutes, "minutes"
    return schedule.total_images(epoch_images), "images"


def former_summary(out: Path) -> dict[str, Any]:
    """summary.json of an earlier session; empty where there is none."""
    try:
        summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return summary if isinstance(summary, dict) else {}


def check_pictures(out: Path, pictures: Pictures, *, moved: bool) -> None:
    """Refuses to go on with other images, more or fewer: which one is seen when would no longer be what it was.

    A run that was begun before it was kept what its images are cannot tell; so where the folders have ``moved``, it
    is refused too.
    """
    if not checkpoint.complete(out / "checkpoints"):
        return
    summary, counts = former_summary(out), pictures.counts
    former, content = summary.get("pictures", counts), summary.get("content")
    way_out = f"Put them back as they were to go on, or start anew with another --out{_begin_with(out)}."
    check(former == counts, f"{out} was trained on {former} images and now there are {counts}. {way_out}")
    check(
        content in (None, pictures.content),
        f"{out} was trained on as many images, but on others, or under other names. {way_out}",
    )
    check(
        content is not None or not moved,
        f"{out} was begun by a version that knew images by their folders alone, and these are others. Name the same "
        f"folders with --data, or --a and --b, to go on, or start anew with another --out{_begin_with(out)}.",
    )


def moved(former: TrainConfig[Any] | None, config: TrainConfig[Any]) -> bool:
    """Whether the folders of the images are others than those of ``former``."""

    def folders(config: TrainConfig[Any]) -> list[Path | None]:
        given = [getattr(config.method.data, name, None) for name in ("root", "a", "b")]
        return [path and path.resolve() for path in given]

    return former is not None and folders(former) != folders(config)


class Together:
    """What goes wrong in one process ends all of them: it is kept until they meet, since none can leave alone.

    A process that only raised an error would leave the others waiting for its next word.
    """

    def __init__(self, fabric: Fabric):
        self.fabric = fabric
        self._error: Exception | None = None

    @contextmanager
    def kept(self) -> Generator[None]:
        """Around what one process does by itself: its error is raised by the next `meet`, not here."""
        try:
            yield
        except (ViceversaError, OSError) as error:
            self._error = self._error or error

    def meet(self, *flags: bool) -> list[bool]:
        """All processes call it: `agree_on`, unless one of them has an error; then all raise one."""
        *answers, failed = agree_on(self.fabric, *flags, self._error is not None)
        if not failed:
            return answers
        error, self._error = self._error, None
        raise error or TrainingError("Another process of this run cannot go on; its message says why.")

    def each(self, work: Callable[[], T]) -> T:
        """What ``work`` returns, once it is done in all processes."""
        done: list[T] = []
        with self.kept():
            done.append(work())
        self.meet()
        return done[0]


@contextmanager
def signals() -> Generator[threading.Event]:
    """An event that SIGINT, SIGTERM and SIGHUP set; a second SIGINT interrupts at once.

    A SIGHUP that is ignored, as under nohup, stays so: such a run outlives its terminal.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def notice(_number: int, _frame: Any) -> None:
        event.set()
        signal.signal(signal.SIGINT, at_once)

    def at_once(_number: int, _frame: Any) -> None:
        raise stopping.StoppedAtOnce

    before = {number: signal.signal(number, notice) for number in (signal.SIGINT, *stopping.numbers())}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def out_of_memory(config: TrainConfig[Any]) -> Generator[None]:
    """Memory that does not suffice, as a sentence that says what to change."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # NumPy's is a MemoryError, torch's a RuntimeError
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            f"The memory does not suffice for --size {sizes.words(config.method.data.size_px)} and --batch "
            f"{config.method.schedule.batch}. Start anew with a smaller --batch, --size or --width, in another "
            "--out."
        ) from error


@contextmanager
def deterministic(device: str, *, wanted: bool) -> Generator[None]:
    """Deterministic algorithms on a GPU where they are ``wanted``, else the fastest; on a CPU they are so anyway.

    Raises:
        TrainingError: An operation has no deterministic algorithm.
    """
    if device != "cuda":
        yield
        return
    settings: Any = torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled(), settings.fill_uninitialized_memory
    fastest = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(wanted)
    settings.fill_uninitialized_memory = False  # we read nothing that was not written
    torch.backends.cudnn.benchmark = not wanted
    try:
        yield
    except RuntimeError as error:
        operation = re.match(r"(\w+) does not have a deterministic implementation", str(error))
        if not wanted or operation is None:
            raise
        raise TrainingError(
            f"{operation[1]} has no deterministic algorithm on a GPU. Add --no-deterministic: the same command goes on."
        ) from error
    finally:
        torch.use_deterministic_algorithms(before[0])
        settings.fill_uninitialized_memory = before[1]
        torch.backends.cudnn.benchmark = fastest
