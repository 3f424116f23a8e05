"""Images from a folder, an archive, or named one by one; and pairs of them from two folders."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from viceversa import sizes
from viceversa.data import folders, formats, halves, images, pages
from viceversa.data.reading import remarks_on
from viceversa.errors import PictureError
from viceversa.preparation import archives, borders, crops
from viceversa.preparation.borders import Box
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.frames import measured, to_grey
from viceversa.preparation.parallel import Team
from viceversa.preparation.seen import Seen, Sides, Tick


class Unfit(PictureError):
    """Two halves of a pair, both of which can be read, that do not fit one another."""


class TooSmall(PictureError):
    """Half of a pair that is smaller than the size."""


@dataclass(frozen=True)
class Loaded:
    """An image, or both halves of a pair, with what is to be known of their files."""

    sides: Sides
    labels: tuple[bool, ...]
    """Which of them were stored as label maps."""
    remarks: tuple[dict[str, int], ...] = ()
    """Of each: see `viceversa.data.reading.remarks_on`."""


@dataclass(frozen=True)
class Entry:
    """An image that has not been decoded yet."""

    name: str
    load: Callable[[], Loaded]
    group: int
    """Which of the files it is from: pages of one file belong together."""


class Pictures:
    """Images that do not follow one another in time: each file is a scene by itself."""

    is_video = False

    def __init__(
        self, path: Path, key: str, count: int, entries: Callable[[], Iterator[Entry]], notes: tuple[str, ...] = ()
    ) -> None:
        """``entries`` starts anew at the first of ``count`` images each time that it is called.

        ``notes`` is what is to be said of them: how pairs were found, what is left out.
        """
        self.path, self.key, self.notes = path, key, notes
        self._count, self._entries = count, entries

    def expected(self) -> int:
        """The number of images."""
        return self._count

    def scan(self, config: PrepareConfig, team: Team, tick: Tick) -> list[Seen]:
        """See `Source.scan`."""

        def look(item: tuple[int, Entry]) -> Seen:
            index, entry = item
            try:
                loaded = entry.load()
            except PictureError as error:
                fault = "unfit" if isinstance(error, Unfit) else "unreadable"
                fault = "small" if isinstance(error, TooSmall) else fault
                return Seen(index, entry.group, None, Box(0, 0, 0, 0), entry.name, problem=str(error), fault=fault)
            sides = loaded.sides
            inner = Box(0, 0, sides[0].shape[1], sides[0].shape[0])
            # Cutting the halves of a pair apart from each other would spoil it, and both at once what fits one.
            if len(sides) == 1 and not config.keep_borders:
                inner = borders.of_picture(to_grey(sides[0]))
            gist = crops.gist(inner, config)
            return Seen(
                index,
                entry.group,
                measured(*(gist.cut(side) for side in sides)),
                inner,
                entry.name,
                nearest=config.nearest(loaded.labels),
                remarks=loaded.remarks,
            )

        seen: list[Seen] = []
        for found in team.map(look, enumerate(self._entries())):
            seen.append(found)
            tick()
        return seen

    def fetch(self, wanted: Set[int], team: Team, tick: Tick) -> Iterator[tuple[int, Sides]]:
        """See `Source.fetch`."""

        def chosen() -> Iterator[tuple[int, Entry]]:
            for index, entry in enumerate(self._entries()):
                tick()
                if index in wanted:
                    yield index, entry

        def load(item: tuple[int, Entry]) -> tuple[int, Sides]:
            return item[0], item[1].load().sides

        return team.map(load, chosen())


def of_files(path: Path, key: str, files: list[tuple[str, Path]]) -> Pictures:
    """Files with the names that they go by; of a TIFF every page."""
    items = pages.expanded([folders.Item(name=name, files=(file,)) for name, file in files])
    groups = {name: number for number, (name, _) in enumerate(files)}

    def entries() -> Iterator[Entry]:
        for item in items:
            place = item.pages[0] if item.pages else None
            yield Entry(item.name, partial(_load, item.files[0], place), groups[item.group or item.name])

    return Pictures(path, _with_pages(key, items), len(items), entries, _said(items))


def of_archive(path: Path, key: str) -> Pictures:
    """A zip or tar.

    Raises:
        DataError: It cannot be read, holds no image, or cannot be trusted.
    """

    def load(name: str, content: bytes) -> Loaded:
        # Readers of images want files. This one is named by us: names from archives do not become paths.
        with tempfile.TemporaryDirectory(prefix="viceversa-") as folder:
            file = Path(folder, "picture")
            file.write_bytes(content)
            try:
                return _load(file, None)
            except PictureError as error:
                raise PictureError(f"{path}: {name}: {str(error).removeprefix(f'{file}: ')}") from error

    def entries() -> Iterator[Entry]:
        for number, (name, data) in enumerate(archives.pictures(path)):
            yield Entry(name, partial(load, name, data), number)

    return Pictures(path, key, len(archives.names(path)), entries)


def of_pairs(
    path: Path, key: str, pairs: list[folders.Item], config: PrepareConfig, notes: tuple[str, ...] = ()
) -> Pictures:
    """Pairs of files, A first; B is scaled to the size of A; page n of A belongs to page n of B."""
    items = pages.expanded(pairs)
    groups = {pair.name: number for number, pair in enumerate(pairs)}

    def load(item: folders.Item) -> Loaded:
        both = [_load(file, place) for file, place in zip(item.files, item.pages or (None, None), strict=True)]
        (a,), (b,) = (half.sides for half in both)
        for file, side in zip(item.files, (a, b), strict=True):
            if not config.enlarge and not sizes.covers((side.shape[0], side.shape[1]), config.size_px):
                raise TooSmall(
                    f"{file}: it is {side.shape[1]} x {side.shape[0]} px, smaller than --size; choose a "
                    "smaller one, or let it be enlarged with --enlarge."
                )
        fits = halves.fitting((a.shape[0], a.shape[1]), (b.shape[0], b.shape[1]))
        if fits in ("turned", "unlike"):
            shapes = " and ".join(f"{side.shape[1]} x {side.shape[0]}" for side in (a, b))
            turned = "one of the two lies on its side, so turn it" if fits == "turned" else "cut them alike"
            raise Unfit(f"{item.name}: its two halves differ in shape ({shapes}); {turned}.")
        b = images.resize(b, (a.shape[0], a.shape[1]), nearest=config.nearest(both[0].labels + both[1].labels)[1])
        labels, remarks = (both[0].labels + both[1].labels), (both[0].remarks + both[1].remarks)
        return Loaded((a, b), labels, remarks)

    def entries() -> Iterator[Entry]:
        for item in items:
            yield Entry(item.name, partial(load, item), groups[item.group or item.name])

    return Pictures(path, _with_pages(key, items), len(items), entries, (*notes, *_said(items)))


def _load(file: Path, page: int | None) -> Loaded:
    picture = formats.read(file, page=page or 0)
    with formats.named(file):
        remarks = remarks_on(picture, 3, 8)
        if "pages" in remarks:  # reduced images are no pages, and each page is gone through
            remarks["pages"] = int(page is None and len(formats.pages(file)) > 1)
        return Loaded((images.eight_bit(picture, 3),), (picture.about.labels,), (remarks,))


def _said(items: Sequence[folders.Item]) -> tuple[str, ...]:
    return tuple(filter(None, [pages.in_words(items, others="")]))


def _with_pages(key: str, items: Sequence[folders.Item]) -> str:
    """Another key where there are pages: before, only the first of each file was gone through."""
    if not any(item.pages for item in items):
        return key
    return hashlib.blake2b(f"{key} pages".encode(), digest_size=16).hexdigest()
