"""What is to be translated, and to which file each: known, and in order, before the first one is touched."""

import glob
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from viceversa.data import formats, lists
from viceversa.data.folders import is_same, walk
from viceversa.errors import ConfigError, DataError
from viceversa.inference.video.kinds import MOVING, VIDEOS, WRITTEN, is_video

_LOOKED_FOR = (*formats.SUFFIXES, *VIDEOS)
_NAMED = 5  # of what is missing where there is nothing else
_FILE_SUFFIX = re.compile(r"\.[A-Za-z]\w{1,4}")  # a folder may be called results.v2.1


@dataclass(frozen=True, kw_only=True)
class Job:
    """One file to translate."""

    source: Path
    """The image or video."""
    target: Path
    """Where its translation goes."""
    kind: str | None = None
    """What was asked for; None is the kind of the source."""
    video: bool = False
    """Whether it is a video, or an animation that becomes one."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done, and what not."""

    jobs: list[Job]
    """Every file to translate."""
    missing: list[tuple[Path, str]]
    """The inputs that are not there."""
    others: Counter[str]
    """How many files of each suffix lie beside the images and are of no kind that is translated."""


def plan(inputs: Sequence[Path | str], out: Path, suffix: str | None) -> Plan:
    """What is to be done; nothing is written yet.

    Raises:
        ConfigError: An input would be replaced, two would have one output, or ``out`` or ``suffix`` cannot be.
        DataError: There is nothing to translate.
    """
    suffix = _checked(suffix)
    found: dict[tuple[Path, Path], None] = {}  # source and its place within out; a dict keeps order and drops doubles
    missing: list[tuple[Path, str]] = []
    others: dict[Path, None] = {}
    from_folder = False
    for text in inputs:
        paths = _expand(Path(text))
        if not paths:
            missing.append((Path(text), "there is no such file or folder."))
        for path in paths:
            if path.is_dir():
                from_folder = True
                away: list[Path] = []
                for file in walk(path, away, without=out):  # else a repeated run would translate its own results
                    if _is_looked_for(file):
                        found[file, file.relative_to(path)] = None
                    else:
                        others[file] = None
                for file in away:
                    if not file.is_symlink():
                        missing.append((file, "the folder cannot be read."))
                    elif _is_looked_for(file):
                        missing.append((file, "the link leads nowhere."))
                    else:
                        others[file] = None
            elif path.suffix.lower() == ".txt" and path.is_file():
                from_folder = True
                there, absent = _listed(path)
                found |= dict.fromkeys(there)
                missing += absent
            else:
                found[path, Path(path.name)] = None
    if not found:
        if missing:
            raise DataError(" ".join(f"{shown(path)}: {reason}" for path, reason in missing[:_NAMED]))
        places = ", ".join(shown(Path(text)) for text in inputs)
        lost = "".join(f" {shown(path)}: {reason}" for path, reason in missing[:3])
        raise DataError(
            f"There is nothing to translate: no image or video ({' '.join(_LOOKED_FOR)}) in {places}.{lost}"
        )
    jobs = _to_files(found, out, suffix, single=not from_folder and len(found) == 1)
    _refuse_replacing_inputs(jobs)
    return Plan(jobs=jobs, missing=missing, others=Counter(file.suffix.lower() for file in others))


def _to_files(found: dict[tuple[Path, Path], None], out: Path, suffix: str | None, *, single: bool) -> list[Job]:
    """``out`` is an image's name, or a folder."""
    if out.suffix.lower() in (*formats.SUFFIXES, *WRITTEN) and not out.is_dir():
        if not single:
            raise ConfigError(f"{out} is one file, but there are several to translate; give a folder as --out.")
        return [_to_file(source, out) for source, _ in found]
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file and no folder; give another --out.")
    if single and not out.exists() and _FILE_SUFFIX.fullmatch(out.suffix):
        raise ConfigError(
            f"{out}: {out.suffix} is no kind of image or video that can be written; use "
            f"{' '.join((*formats.SUFFIXES, *WRITTEN))}. If it is to be a folder, make it first."
        )
    kind = formats.KINDS.get(suffix) if suffix else None
    jobs: list[Job] = []
    for (source, _), name in _named(found, suffix, ignores_case=_ignores_case(out)).items():
        video = is_video(source)
        jobs.append(Job(source=source, target=out / name, kind=None if video else kind, video=video))
    return jobs


def _to_file(source: Path, out: Path) -> Job:
    """One input to a file of a given name."""
    wanted, video = out.suffix.lower(), is_video(source)
    if video and wanted not in (*WRITTEN, *MOVING):
        raise ConfigError(f"{out}: {shown(source)} is a video; it becomes one of {' '.join((*WRITTEN, *MOVING))}.")
    if wanted in WRITTEN and not video and source.suffix.lower() != ".gif":
        raise ConfigError(f"{out} is a video, and {shown(source)} is none; only videos and .gif become videos.")
    if video or wanted in WRITTEN:
        return Job(source=source, target=out, video=True)
    return Job(source=source, target=out, kind=formats.kind_of(out))


def _listed(file: Path) -> tuple[list[tuple[Path, Path]], list[tuple[Path, str]]]:
    """The files that a list names, each with its place within out; and what it names in vain."""
    named = lists.named_in(file, "Name images, folders, or text files with one path a line.")
    paths = [(number, os.path.abspath(path)) for number, _, path in named]
    there = [path for _, path in paths if os.path.isfile(path)]
    base = lists.base_of(there) if there else file.parent
    lost = [
        (Path(path), f"{_why_lost(path)} (line {number} of {shown(file)}).")
        for number, path in paths
        if not os.path.isfile(path)
    ]
    return [(Path(path), Path(path).relative_to(base)) for path in there], lost


def _why_lost(path: str) -> str:
    return "it is a folder and no file" if os.path.isdir(path) else "there is no such file"


def _expand(path: Path) -> list[Path]:
    """The path itself if there is such a thing; else what it matches as a glob, for shells that do not expand them."""
    if path.exists():
        return [path]
    return [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]


def _is_looked_for(file: Path) -> bool:
    return file.name.lower().endswith(_LOOKED_FOR)


def _named(
    found: dict[tuple[Path, Path], None], suffix: str | None, *, ignores_case: bool
) -> dict[tuple[Path, Path], Path]:
    """A name within ``out`` for each file: its own, with another suffix where its kind is not kept.

    Where ``ignores_case``, A.png and a.png are one name.
    """

    def wanted(source: Path, place: Path) -> Path:
        if is_video(source):  # what is asked of images does not hold for videos, and the other way round
            own = place.suffix if place.suffix.lower() in WRITTEN else ".mp4"
            return place.with_suffix(suffix if suffix in WRITTEN else own)
        if suffix is None or suffix in WRITTEN:
            return place if place.suffix.lower() in formats.SUFFIXES else place.with_suffix(".png")
        return place if place.suffix.lower() == suffix else place.with_suffix(suffix)

    def on_disk(name: Path) -> str:
        return str(name).casefold() if ignores_case else str(name)

    claims = Counter(on_disk(wanted(*entry)) for entry in found)
    names: dict[tuple[Path, Path], Path] = {}
    taken: dict[str, Path] = {}
    for entry in found:
        source, place = entry
        name = wanted(source, place)
        if claims[on_disk(name)] > 1 and name != place:
            name = place.with_name(place.name + name.suffix)
        if (other := taken.get(on_disk(name))) is not None:
            raise ConfigError(
                f"{shown(other)} and {shown(source)} would both become {shown(name)}; translate their "
                "folder, which keeps sub-folders, or give them an --out each."
            )
        names[entry], taken[on_disk(name)] = name, source
    return names


def _ignores_case(out: Path) -> bool:
    """Whether the file system of ``out``, which need not be there yet, takes A and a for one name, as Apple's do."""
    for folder in (out, *out.absolute().parents):
        turned = folder.with_name(folder.name.swapcase()) if folder.name else folder
        if folder.exists() and turned.name != folder.name:
            return is_same(folder, turned)
    return os.path.normcase("A") == "a"


def _refuse_replacing_inputs(jobs: list[Job]) -> None:
    sources = {_identity(job.source): job.source for job in jobs}
    for job in jobs:
        identity = _identity(job.target)
        if identity is not None and identity in sources:
            raise ConfigError(
                f"{shown(job.target)} would replace an input ({shown(sources[identity])}); give another --out."
            )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _checked(suffix: str | None) -> str | None:
    if suffix is None:
        return None
    dotted = "." + suffix.lower().removeprefix(".")
    if dotted not in (*formats.SUFFIXES, *WRITTEN):
        known = " ".join((*formats.SUFFIXES, *WRITTEN))
        raise ConfigError(f"{suffix!r} is no kind of image or video that can be written; use {known}.")
    return dotted


def shown(path: Path) -> str:
    """The path as text that any terminal takes: names on disk need not be valid UTF-8."""
    return os.fsencode(path).decode(errors="replace")
