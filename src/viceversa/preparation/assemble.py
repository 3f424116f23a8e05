"""From work folders to the data set: no near-duplicates across sources, split by scene, moved to its place.

What is to be done is decided first and written down as a plan; then it is done. A plan that is found at the start was
interrupted, and is finished. So the manifest and the images always belong together.
"""

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from viceversa.errors import ConfigError, DataError
from viceversa.preparation import balance, records, sheet
from viceversa.preparation.choose import Known
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.harvest import places
from viceversa.preparation.records import Item, Record
from viceversa.preparation.split import Side, joined, split
from viceversa.preparation.summary import reasons

_PLAN, _STATE = "plan.json", "state.json"


@dataclass(frozen=True)
class Root:
    """A data set that is being made, and the hidden folder in it where the work is done."""

    path: Path
    config: PrepareConfig = field(repr=False)

    @property
    def work(self) -> Path:
        """Of this domain."""
        return self.path / ".prepare" / self.config.label

    @property
    def manifest(self) -> Path:
        """What was kept, from where and why: a line of JSON for each image."""
        return self.path / f"manifest-{self.config.label}.jsonl"

    @property
    def sheet(self) -> Path:
        """Small images to look at."""
        return self.path / f"contact-{self.config.label}.jpg"

    @property
    def like(self) -> Path | None:
        """The folder to resemble, if any."""
        if self.config.balance == "none":
            return None
        return self.config.like or self.path / ("trainB" if self.config.domain == "A" else "trainA")

    def rows(self) -> list[dict[str, Any]]:
        """The lines of the manifest."""
        return records.read_lines(self.manifest)

    def placed(self) -> dict[str, Any]:
        """What is known of the sources whose images are in their place, by the name of their work folder."""
        return (records.read_json(self.work / _STATE) or {}).get("placed", {})

    def check(self) -> None:
        """That there is room for this data set.

        Raises:
            DataError: ``path`` is a file, or holds images of others, or what was prepared is gone.
            ConfigError: It holds a data set of another layout.
        """
        if self.path.exists() and not self.path.is_dir():
            raise DataError(f"{self.path} is a file; name a folder with --out.")
        side_by_side = self.config.paired and not self.config.pair_folders
        for name in ("trainA", "trainB") if side_by_side else ("train",):
            if (self.path / name).exists():
                raise ConfigError(
                    f"{self.path} is a data set of another layout already: it holds {name}/. Name another --out."
                )
        rows = self.rows()
        own = {file for row in rows for file in row["files"]}
        for name in (*self.config.folders("train"), *self.config.folders("test")):
            if (self.path / name).is_dir():
                for file in sorted(os.listdir(self.path / name)):
                    if f"{name}/{file}" not in own:
                        raise DataError(
                            f"{self.path / name} already holds images that are not of this command's making "
                            f"({file}). Name another --out."
                        )
        if rows and not any((self.path / file).exists() for file in own):
            raise DataError(
                f"{self.path} was prepared before, but its images are gone. Delete {self.manifest} and {self.work} "
                "to make them anew, or name another --out."
            )


def finish_interrupted(root: Root) -> None:
    """Does what a killed run had begun to put in place."""
    plan = records.read_json(root.work / _PLAN)
    if plan is not None:
        _carry_out(root, plan)


def place(root: Root, found: Sequence[tuple[str, Record]], like: Sequence[float] | None) -> None:
    """Puts the images of sources that are done, each with the name of its work folder, in their place.

    ``like`` is the brightness of the images to resemble, if any.
    """
    config = root.config
    items = [(name, item) for name, record in found for item in record.items]
    left_out = {name: Counter(record.left_out) for name, record in found}
    rows = root.rows()
    before: dict[str, Side] = {row["group"]: _side(row) for row in reversed(rows)}
    known, owners = Known(), [row["group"] for row in rows]
    for row in rows:
        known.add(bytes.fromhex(row["fingerprint"]))
    links = [(_group(name, a), _group(name, b)) for name, record in found for a, b in record.links]
    kept: list[tuple[str, Item]] = []
    for name, item in items:
        group, fingerprint = _group(name, item.scene), bytes.fromhex(item.fingerprint)
        distance, nearest = known.nearest(fingerprint)
        if distance <= config.duplicates:
            left_out[name]["duplicate"] += 1
            links.append((owners[nearest], group))
            continue
        known.add(fingerprint)
        owners.append(group)
        kept.append((name, item))
    kept = _balanced(like, kept, left_out)
    if len(kept) + len(rows) < 2:
        for name, _ in found:
            shutil.rmtree(root.work / name)
        raise DataError(_too_few(found, len(kept), config))
    groups = joined(links)
    decided: dict[str, Side] = {groups.find(group): side for group, side in before.items()}
    sides = split([groups.find(_group(n, i.scene)) for n, i in kept], decided, config.test_share, config.seed)
    sources = dict(found)
    new = [_row(config, sources[n], n, i, sides[groups.find(_group(n, i.scene))]) for n, i in kept]
    state = {
        name: {"settings": record.settings, "key": record.key, "left_out": dict(sorted(left_out[name].items()))}
        for name, record in found
    }
    plan = {"rows": new, "placed": {**root.placed(), **state}}
    records.write_json(root.work / _PLAN, {"format": records.FORMAT, **plan})
    _carry_out(root, plan)


def _carry_out(root: Root, plan: dict[str, Any]) -> None:
    """May be begun again at any point."""
    rows = root.rows()
    there = {row["files"][0] for row in rows}
    for row in plan["rows"]:
        for source, file in zip(places(root.work / row["work"], root.config), row["files"], strict=True):
            target = root.path / file
            if not target.exists():
                target.parent.mkdir(exist_ok=True)
                os.replace(source / target.name, target)
    rows += [row for row in plan["rows"] if row["files"][0] not in there]
    records.write_lines(root.manifest, rows)
    for name in plan["placed"]:
        for folder in places(root.work / name, root.config):
            shutil.rmtree(folder, ignore_errors=True)
    examples = [
        (reason, root.work / name / file)
        for name in plan["placed"]
        if (record := records.load(root.work / name)) is not None
        for reason, file in record.examples
    ]
    sheet.write(root.sheet, root.path, rows, examples)
    records.write_json(root.work / _STATE, {"format": records.FORMAT, "placed": plan["placed"]})
    (root.work / _PLAN).unlink()


def _balanced(
    like: Sequence[float] | None, kept: list[tuple[str, Item]], left_out: dict[str, Counter[str]]
) -> list[tuple[str, Item]]:
    if like is None or not kept:
        return kept
    gone = balance.thin([item.brightness for _, item in kept], [item.sharpness for _, item in kept], like)
    for place in gone:
        left_out[kept[place][0]]["balance"] += 1
    return [entry for place, entry in enumerate(kept) if place not in gone]


def _row(config: PrepareConfig, record: Record, work: str, item: Item, side: Side) -> dict[str, Any]:
    return {
        "files": [f"{folder}/{item.name}" for folder in config.folders(side)],
        "source": record.source,
        "picture": item.picture,
        "frame": item.frame,
        "seconds": item.seconds,
        "scene": item.scene if record.is_video else None,
        "why": item.why,
        "box": list(item.box),
        "brightness": item.brightness,
        "sharpness": item.sharpness,
        "fingerprint": item.fingerprint,
        "group": _group(work, item.scene),
        "work": work,
    }


def _group(work: str, scene: int) -> str:
    return f"{work}/{scene}"


def _side(row: dict[str, Any]) -> Side:
    return "test" if row["files"][0].startswith("test") else "train"


def _too_few(found: Sequence[tuple[str, Record]], kept: int, config: PrepareConfig) -> str:
    names = ", ".join(record.source for _, record in found[:3]) + (" ..." if len(found) > 3 else "")
    names += f" and {config.pair_with}" if config.pair_with is not None else ""
    what = "pair" if config.pair_with is not None else "image"
    frames = sum(record.frames for _, record in found)
    dropped, left_out = Counter[str](), Counter[str]()
    for _, record in found:
        dropped.update(record.dropped)
        left_out.update(record.left_out)
    if frames == 1 and kept:
        holds = "hold" if config.pair_with is not None else "holds"
        return f"{names} {holds} only one {what}; a data set takes two or more. Add {what}s."
    lost = reasons(dropped + left_out)
    problems = [problem for _, record in found for problem in record.problems]
    first = f"; the first is {problems[0].removesuffix('.')}" if problems else ""
    way_out = f"Give more {'pairs' if config.pair_with is not None else 'sources'}, or other settings."
    if set(dropped + left_out) == {"unreadable"}:
        way_out = "No setting helps: give files that can be read."
    return (
        f"{names}: of {frames:,} {what}s {'none is' if not kept else 'only one is'} left, and a data set takes two or "
        f"more{f' ({lost})' if lost else ''}{first}. {way_out}"
    )
