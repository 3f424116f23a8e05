"""From videos, folders and archives to a data set: the whole way, in one function."""

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from viceversa.errors import ConfigError
from viceversa.extras import need
from viceversa.preparation import assemble, balance, records
from viceversa.preparation.assemble import Root
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.harvest import harvest
from viceversa.preparation.parallel import Team, team
from viceversa.preparation.records import Record
from viceversa.preparation.seen import Source
from viceversa.preparation.sources import find
from viceversa.preparation.summary import Summary, summarise


def prepare(
    sources: Sequence[Path | str] | Path | str,
    out: Path | str,
    config: PrepareConfig | None = None,
    *,
    progress: bool = True,
) -> Summary:
    """Makes one domain of a data set, or pairs, of videos, folders and archives.

    ``out`` gets the images (trainA/ and testA/, say), manifest-A.jsonl, contact-A.jpg and a hidden folder with what
    is needed to go on. The same call goes on where another was interrupted; sources that are in the data set already
    are not gone through again, and others may be added. What comes out does not depend on interruptions or on the
    number of workers. Sources are only read.

    Args:
        sources: Videos, folders of images and videos, zip and tar archives, images.
        out: The data set's folder, made if need be.
        config: What to keep and how to cut it.
        progress: Show a bar on the standard error stream.

    Raises:
        DataError: A source cannot be read or trusted, too little is left, or ``out`` holds something else.
        ConfigError: Settings that cannot be, or other ones than a source was prepared with before.
        MissingExtra: The extra ``prepare`` is not installed.
    """
    config = config or PrepareConfig()
    root = Root(Path(out), config)
    for module in ("cv2", "av", "imagehash", "scenedetect"):
        need(module, "prepare")
    paths = [Path(source) for source in ([sources] if isinstance(sources, str | Path) else sources)]
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    # Transient: nothing of it is left above the sentence that a mistake ends in.
    opening = Progress(*columns, console=console, transient=True, disable=not (progress and console.is_terminal))
    with team(config.workers) as workers:
        with opening:
            opening.add_task("opening the sources", total=None)
            found = find(paths, root, workers)
        assemble.finish_interrupted(root)
        root.check()
        _refuse_other_settings(root, found)
        # What is wrong with the folder to resemble is said before the work.
        like = None if root.like is None else balance.brightness_of(root.like, workers)
        try:
            with Progress(*columns, console=console, disable=not progress) as bar:
                done = _harvested(root, found, workers, bar)
            new = [(name, record) for name, record in done if name not in root.placed()]
            if new:
                assemble.place(root, new, like)
        finally:
            _tidy(root)
    return summarise(root.path, config, done, root.placed(), root.rows())


def _harvested(root: Root, sources: Sequence[Source], workers: Team, bar: Progress) -> list[tuple[str, Record]]:
    """The record of each source with the name of its work folder; those that are done are not gone through again."""
    done: list[tuple[str, Record]] = []
    for source in sources:
        name = _work_name(source.key, root.config)
        record = records.load(root.work / name)
        if record is None:
            # Looked through, then gone through again for what is kept.
            task = bar.add_task(source.path.name, total=2 * source.expected() or None)
            record = harvest(source, root.config, root.work / name, workers, partial(bar.advance, task))
            bar.update(task, completed=2 * record.frames, total=2 * record.frames)
        done.append((name, record))
    return done


def _work_name(key: str, config: PrepareConfig) -> str:
    settings = json.dumps(config.settings(), sort_keys=True)
    return hashlib.blake2b(f"{key} {settings}".encode(), digest_size=8).hexdigest()


def _refuse_other_settings(root: Root, sources: Sequence[Source]) -> None:
    before = {entry["key"]: entry["settings"] for entry in root.placed().values()}
    for source in sources:
        old, new = before.get(source.key), root.config.settings()
        if old is None or old == new:
            continue
        changed = ", ".join(
            f"{key} {old.get(key)} -> {new.get(key)}" for key in {**old, **new} if old.get(key) != new.get(key)
        )
        raise ConfigError(
            f"{source.path} is in {root.path} already, with other settings ({changed}). Give the same settings, or "
            "name another --out."
        )


def _tidy(root: Root) -> None:
    """Leaves no empty folders behind when nothing came of it."""
    for folder in (root.work, root.work.parent, root.path):
        try:
            folder.rmdir()
        except OSError:  # it holds something, or is not there
            return
