"""From one source to images in a work folder: looked through, chosen, cut out. A folder with a record is whole."""

import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from viceversa.data import images
from viceversa.data.images import Array
from viceversa.data.reading import gathered, in_words
from viceversa.preparation import crops, pairs
from viceversa.preparation.choose import Choice, choose
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.frames import BLANK_CONTRAST, Measures, measured
from viceversa.preparation.parallel import Team
from viceversa.preparation.records import Item, Record
from viceversa.preparation.seen import Seen, Sides, Source, Tick

THUMB_PX = 112
_EXAMPLES = 6  # dropped frames of each reason that are kept, shrunk, for the contact sheet
_LONGEST_NAME = 40


def harvest(source: Source, config: PrepareConfig, folder: Path, team: Team, tick: Tick) -> Record:
    """Fills ``folder`` with the images of ``source`` and their record; what a killed run left there goes.

    Raises:
        DataError: The source is damaged; the folder is gone then.
    """
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for place in places(folder, config):
            place.mkdir(parents=True)
        record = _filled(source, config, folder, team, tick)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    record.save(folder)
    return record


def places(folder: Path, config: PrepareConfig) -> tuple[Path, ...]:
    """Where in the work folder the images lie: a place for each folder of the data set that they will go to."""
    return tuple(folder / f"pictures{number}" for number in range(len(config.folders("train"))))


def _filled(source: Source, config: PrepareConfig, folder: Path, team: Team, tick: Tick) -> Record:
    seen = source.scan(config, team, tick)
    # Which of the good frames have a face is known when they are seen in full; only then are the best of them taken.
    late = source.is_video and config.crop == "faces"
    choice = choose(seen, replace(config, per_scene=len(seen) + 1) if late else config, is_video=source.is_video)
    examples = _examples(seen, choice)
    dropped, left_out = Counter(choice.dropped.values()), Counter[str]()
    items: list[Item] = []
    kept = len(choice.kept)

    def render(found: tuple[int, Sides]) -> tuple[int, list[Item], Counter[str]]:
        index, sides = found
        if index in examples:
            _save_example(sides[0], folder / examples[index][1])
        if index not in choice.kept:
            return index, [], Counter()
        made, rejected = _cut_out(source, seen[index], choice.kept[index], sides, config, folder)
        return index, made, rejected

    for index, made, rejected in team.map(render, source.fetch(choice.kept.keys() | examples.keys(), team, tick)):
        if index in choice.kept and not made and not rejected:
            dropped["faceless"] += 1
            kept -= 1
        items += made
        left_out += rejected
    if late:
        items, enough = _best(items, seen, config)
        dropped.update({"enough": enough} if enough else {})
        kept -= enough
    return Record(
        source=str(source.path),
        key=source.key,
        settings=config.settings(),
        is_video=source.is_video,
        frames=len(seen),
        scenes=len({frame.scene for frame in seen}) if source.is_video else 0,
        kept=kept,
        dropped=dict(sorted(dropped.items())),
        left_out=dict(sorted(left_out.items())),
        problems=tuple(frame.problem for frame in seen if frame.problem),
        notes=_notes(source, seen, config),
        links=tuple(sorted(choice.links)),
        examples=tuple(sorted(examples.values())),
        items=tuple(items),
    )


def _notes(source: Source, seen: list[Seen], config: PrepareConfig) -> tuple[str, ...]:
    """What of the files is not used or changed, in sentences."""
    found = [
        (frame.name, half, {kind: count for kind, count in {**remarks, "labels": int(near)}.items() if count})
        for frame in seen
        for half, (remarks, near) in enumerate(zip(frame.remarks, frame.nearest, strict=True))
    ]
    sides = "ab" if config.pair_with is not None else config.domain.lower()
    lines = in_words(gathered(found), sides, trained=False)
    return (*source.notes, *lines)


def _best(items: list[Item], seen: list[Seen], config: PrepareConfig) -> tuple[list[Item], int]:
    """The items of the sharpest frames of each scene, and how many frames are not among them."""
    frames: dict[int, set[int]] = {}
    for item in items:
        frames.setdefault(item.scene, set()).add(item.frame)

    def blur(frame: int) -> tuple[float, int]:
        found = seen[frame].measures
        return (-found.sharpness if found else 0.0), frame

    best = {frame for group in frames.values() for frame in sorted(group, key=blur)[: config.per_scene]}
    return [item for item in items if item.frame in best], sum(map(len, frames.values())) - len(best)


def _cut_out(
    source: Source, frame: Seen, why: str, sides: Sides, config: PrepareConfig, folder: Path
) -> tuple[list[Item], Counter[str]]:
    """The images that one frame makes, written to the work folder; and why others were left out."""
    items: list[Item] = []
    rejected: Counter[str] = Counter()
    boxes = crops.boxes(sides[0], frame.inner, config, source.key, frame.index)
    for number, box in enumerate(boxes, 1):
        how = frame.nearest or (False,) * len(sides)
        parts = tuple(crops.cut(side, box, config, nearest=near) for side, near in zip(sides, how, strict=True))
        # A part that is not the whole was not measured before, and may be a patch of sky.
        is_part = len(boxes) > 1 or config.crop == "faces"
        found = measured(*parts) if is_part or frame.measures is None else frame.measures
        fault = _fault(found, config) if is_part else None
        if fault is not None:
            rejected[fault] += 1
            continue
        name = f"{_stem(source, frame)}{f'-{number}' if len(boxes) > 1 else ''}.png"
        for place, picture in zip(places(folder, config), _halves(parts, config), strict=True):
            images.save(picture, place / name)
        items.append(
            Item(
                name=name,
                picture=frame.name,
                frame=frame.index,
                seconds=frame.seconds,
                scene=frame.scene,
                why=why,
                box=(box.left, box.top, box.right, box.bottom),
                brightness=round(found.brightness, 1),
                sharpness=round(found.sharpness, 1),
                fingerprint=found.fingerprint.hex(),
            )
        )
    return items, rejected


def _fault(found: Measures, config: PrepareConfig) -> str | None:
    """What may be wrong with a part of a good image."""
    if found.contrast < BLANK_CONTRAST:
        return "blank"
    return "blurred" if found.sharpness < config.least_sharpness else None


def _halves(parts: Sides, config: PrepareConfig) -> tuple[Array, ...]:
    """What is written: an image, a pair side by side, or its two halves."""
    if config.pair is not None:
        parts = (pairs.made(parts[0], config.pair), parts[0])
    if len(parts) == 2 and not config.pair_folders:
        return (np.concatenate(parts, axis=1),)
    return parts


def _stem(source: Source, frame: Seen) -> str:
    """A name that any system takes, and that no other image of any source has."""
    original = source.path.stem if source.is_video else PurePosixPath(frame.name.replace("\\", "/")).stem
    plain = (
        re.sub(r"[^\w-]+", "_", original.encode("ascii", "ignore").decode()).strip("_-")[:_LONGEST_NAME] or "picture"
    )
    if source.is_video:
        return f"{plain}-{source.key[:6]}-{frame.index:06d}"
    digest = hashlib.blake2b(f"{source.key}/{frame.index}".encode(), digest_size=4).hexdigest()
    return f"{plain}-{digest}"


def _examples(seen: list[Seen], choice: Choice) -> dict[int, tuple[str, str]]:
    """By index of some dropped frames, evenly spread: the reason, and the file to keep it in."""
    by_reason: dict[str, list[int]] = {}
    for index, reason in sorted(choice.dropped.items()):
        if seen[index].measures is not None:
            by_reason.setdefault(reason, []).append(index)
    return dict(_spread(by_reason))


def _spread(by_reason: dict[str, list[int]]) -> Iterator[tuple[int, tuple[str, str]]]:
    for reason, indices in by_reason.items():
        count = min(_EXAMPLES, len(indices))
        for number in range(count):
            index = indices[(2 * number + 1) * len(indices) // (2 * count)]
            yield index, (reason, f"{reason}-{number}.jpg")


def _save_example(picture: Array, file: Path) -> None:
    images.save(images.fit_square(picture, THUMB_PX), file)
