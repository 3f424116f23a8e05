"""Partners: which image of A belongs to which image of B, by their names."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from viceversa.errors import ConfigError, DataError

Named: TypeAlias = Sequence[tuple[str, Path]]
"""Files with their names below their folder, with forward slashes."""

_TOKEN = re.compile(r"[^\W\d_]+|\d+|[\W_]")  # letters, digits, and any other sign by itself
_SHOWN = 3
_MAY_DIFFER = {"may_differ": True}  # a run knows its pairs by their content


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """How pairs are found, where layout and names do not say it."""

    pair_suffix: str | None = field(default=None, metadata=_MAY_DIFFER)
    """What names end in on each side, with a comma between: "_A,_B" pairs 1_A.png with 1_B.png."""

    skip_unpaired: bool = field(default=False, metadata=_MAY_DIFFER)
    """Use the pairs that there are, and leave out images without a partner."""

    side_by_side: bool = field(default=False, metadata={**_MAY_DIFFER, "formerly": True})
    """Take images of any shape for pairs, A left and B right, and not only such as are twice as wide as high."""

    def __post_init__(self) -> None:
        if self.pair_suffix is not None:
            self.suffixes()

    def suffixes(self) -> tuple[str, str] | None:
        """Return the two suffixes, A's first; None where none were given.

        Raises:
            ConfigError: There are not two, or they are equal.
        """
        if self.pair_suffix is None:
            return None
        parts = [part.strip() for part in self.pair_suffix.split(",")]
        if len(parts) != 2 or parts[0] == parts[1]:
            raise ConfigError(
                f"--pair-suffix takes two different endings with a comma between, such as _A,_B; got "
                f"{self.pair_suffix!r}."
            )
        return parts[0], parts[1]


@dataclass(frozen=True, kw_only=True)
class Partners:
    """What was found."""

    pairs: tuple[tuple[str, Path, Path], ...]
    """Name, file of A, file of B, in A's order; no name is there twice."""

    rule: str
    """How: "equal names"."""

    alone_a: Named = ()
    """A's files without a partner, with their names."""

    alone_b: Named = ()
    """B's."""

    doubled: tuple[tuple[Path, Path], ...] = ()
    """Files of one side whose names are equal but for the kind of file; the second is not among the pairs."""

    others: int = 0
    """Files that do not end as they should."""

    @property
    def is_whole(self) -> bool:
        """Whether every file has a partner."""
        return not (self.alone_a or self.alone_b or self.doubled)


def match(a: Named, b: Named, suffixes: tuple[str, str] | None = None) -> Partners:
    """Return the pairs by the first rule that leaves nobody alone, else by the one that finds most.

    The rules, of names without the kind of file: equal names; equal but for upper and lower case; equal but for what
    all names of a side begin or end with ("001_A" and "001_B"); the latter without regard to case. With ``suffixes``:
    equal names without these endings.
    """
    best: Partners | None = None
    for rule, keys_a, keys_b, others in _by_suffix(a, b, suffixes) if suffixes else _rules(a, b):
        found = _joined(rule, keys_a, keys_b, others)
        if found.is_whole:
            return found
        if best is None or (len(found.pairs) > len(best.pairs) and not found.doubled):
            best = found
    assert best is not None
    return best


def by_line(a: Named, b: Named) -> Partners:
    """Return the pairs of two equally long lists, the first with the first."""
    pairs: dict[str, tuple[Path, Path]] = {}
    for number, ((name, file_a), (_, file_b)) in enumerate(zip(a, b, strict=True), 1):
        short = stem(name)
        pairs[short if short not in pairs else f"{short} (line {number})"] = file_a, file_b
    return Partners(
        pairs=tuple((name, *files) for name, files in pairs.items()), rule="the order of the lines of both lists"
    )


def refuse_alone(a: Path, b: Path, found: Partners, counts: tuple[int, int]) -> None:
    """Refuse images without a partner.

    Args:
        a: The folder or list of A, for the message.
        b: That of B.
        found: What `match` made of them.
        counts: How many images each has.

    Raises:
        DataError: There are some: how many, which, and what to do.
    """
    if found.doubled:
        first, second = found.doubled[0]
        raise DataError(f"{first} and {second} have the same name but for the suffix. Remove one of them.")
    if found.is_whole:
        return
    lost = [
        f"{len(alone)} of the {count} images of {here} have no partner in {there} ({some([name for name, _ in alone])})"
        for alone, count, here, there in (
            (found.alone_a, counts[0], shown(a), shown(b)),
            (found.alone_b, counts[1], shown(b), shown(a)),
        )
        if alone
    ]
    if len(found.pairs) == 1:
        way_out = (
            f"Only one pair is left, {found.pairs[0][0]}, and it takes two or more: add the images that are missing."
        )
    elif found.pairs:
        way_out = (
            f"Rename or remove them, or use the {len(found.pairs)} pairs that there are, found by {found.rule}, with "
            "--skip-unpaired."
        )
    elif found.rule.startswith("equal names"):
        way_out = (
            "Pairs are found by equal file names, or by what is left of them without an ending or a beginning that a "
            "whole side shares. Name the endings (--pair-suffix _A,_B), rename them, or train on images without "
            f"pairs: viceversa train cyclegan --a {a} --b {b}."
        )
    else:
        way_out = f"Pairs were looked for by {found.rule}: check --pair-suffix."
    raise DataError(f"{', and '.join(lost)}. {way_out}")


def some(names: Sequence[str]) -> str:
    """Return the first few of ``names`` for a message."""
    return ", ".join(sorted(names)[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")


def shown(place: Path) -> str:
    """Return the name of a folder with a slash behind it, and of a list without, for a message."""
    return f"{place}/" if place.is_dir() else str(place)


_Keyed: TypeAlias = list[tuple[str, str, Path]]  # key, name, file
_Rule: TypeAlias = tuple[str, _Keyed, _Keyed, int]


def _rules(a: Named, b: Named) -> Iterator[_Rule]:
    """The rules by which names are compared, the plainest first."""
    sides = [[(stem(name), file) for name, file in side] for side in (a, b)]
    for fold, how in (_same, "equal names"), (_folded, "names without regard to upper and lower case"):
        plain = [[(fold(stem), stem, file) for stem, file in side] for side in sides]
        yield how, plain[0], plain[1], 0
    for fold, how in (_same, ""), (_folded, ", without regard to upper and lower case"):
        folded = [[fold(stem) for stem, _ in side] for side in sides]
        if cuts := _cuts(*folded):
            cut = [
                [
                    (key.removeprefix(lead).removesuffix(tail), stem, file)
                    for key, (stem, file) in zip(keys, side, strict=True)
                ]
                for keys, side, (lead, tail) in zip(folded, sides, cuts, strict=True)
            ]
            words = [f"{cut} ({side})" for cut, side in ((_quoted(*cuts[0]), "A"), (_quoted(*cuts[1]), "B")) if cut]
            yield f"equal names without {' and '.join(words)}{how}", cut[0], cut[1], 0


def _by_suffix(a: Named, b: Named, suffixes: tuple[str, str]) -> Iterator[_Rule]:
    keyed: list[_Keyed] = []
    others = 0
    shared = {file for _, file in a} & {file for _, file in b}  # one folder for both sides
    for side, own, other in (a, *suffixes), (b, *reversed(suffixes)):
        found: _Keyed = []
        for name, file in side:
            key = _without(name, own)
            if key is None or (own == "" and _without(name, other) is not None):
                others += file not in shared
            else:
                found.append((key, stem(name), file))
        keyed.append(found)
    if shared:
        used = {file for side in keyed for _, _, file in side}
        others += len(shared - used)
    words = " and ".join(f'"{suffix}" ({side})' for suffix, side in zip(suffixes, "AB", strict=True))
    for fold, how in (_same, ""), (_folded, ", without regard to upper and lower case"):
        cut = [[(fold(key), name, file) for key, name, file in side] for side in keyed]
        yield f"the endings {words}{how}", cut[0], cut[1], others


def _without(name: str, suffix: str) -> str | None:
    """The name without its ending, which may be the kind of file; None if it ends in another way, or is no longer."""
    for text in name, stem(name):
        if text.endswith(suffix) and len(text) > len(suffix) and (suffix or text == stem(name)):
            return text.removesuffix(suffix)
    return None


def _joined(rule: str, a: _Keyed, b: _Keyed, others: int) -> Partners:
    doubled: list[tuple[Path, Path]] = []

    def by_key(side: _Keyed) -> dict[str, tuple[str, Path]]:
        found: dict[str, tuple[str, Path]] = {}
        for key, name, file in side:
            if (first := found.setdefault(key, (name, file)))[1] != file:
                doubled.append((first[1], file))
        return found

    of_a, of_b = by_key(a), by_key(b)
    return Partners(
        pairs=tuple((name, file, of_b[key][1]) for key, (name, file) in of_a.items() if key in of_b),
        rule=rule,
        alone_a=tuple(named for key, named in of_a.items() if key not in of_b),
        alone_b=tuple(named for key, named in of_b.items() if key not in of_a),
        doubled=tuple(doubled),
        others=others,
    )


_Cut: TypeAlias = tuple[str, str]  # beginning and ending


def _cuts(a: list[str], b: list[str]) -> tuple[_Cut, _Cut] | None:
    """What all names of A and all of B begin and end with, unlike those of the other side; None if nothing.

    Whole words alone are cut off, and no mere numbers: these tell what an image is of.
    """
    sides = [[_TOKEN.findall(name) for name in names] for names in (a, b)]
    leads = [_shared(names) for names in sides]
    tails = [
        _shared([tokens[len(lead) :][::-1] for tokens in names])[::-1] for names, lead in zip(sides, leads, strict=True)
    ]
    # From the rest of the name outwards, both ways.
    tail_a, tail_b = _differing(*tails)
    lead_a, lead_b = _differing(leads[0][::-1], leads[1][::-1])
    cores = [core for pair in (_cores(tail_a, tail_b), _cores(lead_a, lead_b)) for core in pair if core]
    if not cores or not all(any(map(str.isalpha, core)) for core in cores):
        return None
    return ("".join(lead_a[::-1]), "".join(tail_a)), ("".join(lead_b[::-1]), "".join(tail_b))


def _shared(names: list[list[str]]) -> list[str]:
    """The tokens that all names begin with; at least one is left of each."""
    shared: list[str] = []
    for tokens in zip(*(name[:-1] for name in names), strict=False):
        if len(set(tokens)) > 1:
            break
        shared.append(tokens[0])
    return shared


def _differing(a: list[str], b: list[str]) -> tuple[list[str], list[str]]:
    """Both without what they share at the front, next to the rest of the name, but with a separator there."""
    same = 0
    while same < min(len(a), len(b)) and a[same] == b[same]:
        same += 1
    if same and not a[same - 1].isalnum():
        same -= 1
    # A number at the front may end a word of the rest: "x1_A" and "y1_A" end in "_A".
    a, b = (rest[1:] if rest and not same and rest[0].isdecimal() else rest for rest in (a[same:], b[same:]))
    return a, b


def _cores(a: list[str], b: list[str]) -> tuple[list[str], list[str]]:
    """The words and numbers of both without what they share at the outer end."""
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    return [token for token in a if token.isalnum()], [token for token in b if token.isalnum()]


def _quoted(lead: str, tail: str) -> str:
    return " and ".join(f'"{text}"' for text in (lead, tail) if text)


def _same(text: str) -> str:
    return text


def _folded(text: str) -> str:
    """Without case, and composed: some systems write letters with marks as two signs."""
    return unicodedata.normalize("NFC", text).casefold()


def stem(name: str) -> str:
    """Return a name without the kind of file."""
    return PurePosixPath(name).with_suffix("").as_posix()
