"""Pictures from a folder, an archive, or named one by one; and pairs of them from two folders."""

import tempfile
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from viceversa.data import folders, halves, images
from viceversa.errors import PictureError
from viceversa.preparation import archives, borders, crops
from viceversa.preparation.borders import Box
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.frames import measured, to_grey
from viceversa.preparation.parallel import Team
from viceversa.preparation.seen import Seen, Sides, Tick


class Unfit(PictureError):
    """Two halves of a pair, both of which can be read, that do not fit one another."""


@dataclass(frozen=True)
class Entry:
    """A picture that has not been decoded yet."""

    name: str
    load: Callable[[], Sides]


class Pictures:
    """Pictures that do not follow one another in time: each is a scene by itself."""

    is_film = False
    notes: tuple[str, ...] = ()

    def __init__(
        self, path: Path, key: str, count: int, entries: Callable[[], Iterator[Entry]], notes: tuple[str, ...] = ()
    ) -> None:
        """``entries`` starts anew at the first of ``count`` pictures each time that it is called.

        ``notes`` is what is to be said of them: how pairs were found, what is left out.
        """
        self.path, self.key, self.notes = path, key, notes
        self._count, self._entries = count, entries

    def expected(self) -> int:
        """The number of pictures."""
        return self._count

    def scan(self, config: PrepareConfig, team: Team, tick: Tick) -> list[Seen]:
        """See `Source.scan`."""

        def look(item: tuple[int, Entry]) -> Seen:
            index, entry = item
            try:
                sides = entry.load()
            except PictureError as error:
                fault = "unfit" if isinstance(error, Unfit) else "unreadable"
                return Seen(index, index, None, Box(0, 0, 0, 0), entry.name, problem=str(error), fault=fault)
            inner = Box(0, 0, sides[0].shape[1], sides[0].shape[0])
            # Cutting the halves of a pair apart from each other would spoil it, and both at once what fits one.
            if len(sides) == 1 and not config.keep_borders:
                inner = borders.of_picture(to_grey(sides[0]))
            gist = crops.gist(inner, config)
            return Seen(index, index, measured(*(gist.cut(side) for side in sides)), inner, entry.name)

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
            return item[0], item[1].load()

        return team.map(load, chosen())


def of_files(path: Path, key: str, files: list[tuple[str, Path]]) -> Pictures:
    """Files with the names that they go by."""

    def load(file: Path) -> Sides:
        return (images.read(file),)

    return Pictures(path, key, len(files), lambda: (Entry(name, partial(load, file)) for name, file in files))


def of_archive(path: Path, key: str) -> Pictures:
    """A zip or tar.

    Raises:
        DataError: It cannot be read, holds no picture, or cannot be trusted.
    """

    def load(name: str, content: bytes) -> Sides:
        # Readers of pictures want files. This one is named by us: names from archives do not become paths.
        with tempfile.TemporaryDirectory(prefix="viceversa-") as folder:
            file = Path(folder, "picture")
            file.write_bytes(content)
            try:
                return (images.read(file),)
            except PictureError as error:
                raise PictureError(f"{path}: {name}: {str(error).removeprefix(f'{file}: ')}") from error

    count = len(archives.names(path))
    return Pictures(
        path, key, count, lambda: (Entry(name, partial(load, name, data)) for name, data in archives.pictures(path))
    )


def of_pairs(path: Path, key: str, pairs: list[folders.Item], notes: tuple[str, ...] = ()) -> Pictures:
    """Pairs of files, A first; B is scaled to the size of A."""

    def load(pair: folders.Item) -> Sides:
        a, b = (images.read(file) for file in pair.files)
        fits = halves.fitting((a.shape[0], a.shape[1]), (b.shape[0], b.shape[1]))
        if fits in ("turned", "unlike"):
            shapes = " and ".join(f"{side.shape[1]} x {side.shape[0]}" for side in (a, b))
            turned = "one of the two lies on its side, so turn it" if fits == "turned" else "cut them alike"
            raise Unfit(f"{pair.name}: its two halves differ in shape ({shapes}); {turned}.")
        return a, images.resize(b, (a.shape[0], a.shape[1]))

    return Pictures(path, key, len(pairs), lambda: (Entry(pair.name, partial(load, pair)) for pair in pairs), notes)
