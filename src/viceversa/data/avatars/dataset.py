"""The built-in data set on disk: two unpaired folders to train on, two to test on, and the truth of the test images.

::

    ROOT/
      trainA/ trainB/          unpaired: no person is in both
      testA/  testB/           people who are in neither
      truth/testA/             the people of testA as they look in domain B, under the same file names
      truth/testB/             and the other way about
      avatars.json             version, domains, seed and the seed of every identity
"""

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from viceversa.data.avatars.drawing import draw
from viceversa.data.avatars.identity import Domain, Identity
from viceversa.errors import ConfigError, DataError

_VERSION = 1
_ABOUT = "avatars.json"
_MOST = 1 << 24


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Test images, what they should become, and who is in them."""

    names: tuple[str, ...]
    inputs: NDArray[np.uint8]
    """``(N, H, W, 3)``."""
    truths: NDArray[np.uint8]
    """``(N, H, W, 3)``: the same people in the other domain."""
    identities: tuple[Identity, ...]


def write_dataset(
    root: str | os.PathLike[str],
    *,
    domains: tuple[Domain, Domain] = ("women", "men"),
    count: int = 400,
    test: int = 32,
    size_px: int = 64,
    seed: int = 0,
) -> Path:
    """Draw ``count`` images to train on and ``test`` to test on in each domain; returns ``root``.

    Does nothing where ``root`` holds exactly this already. The folder appears whole or not at all.

    Raises:
        ConfigError: A setting that cannot be.
        DataError: ``root`` holds something else.
    """
    root = Path(root)
    _check(domains, count, test, size_px)
    about = _about(domains, count, test, size_px, seed)
    if _holds(root, about):
        return root
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise DataError(f"{root} already holds something else than these avatars; name a new or an empty folder.")
    root.parent.mkdir(parents=True, exist_ok=True)
    beside = root.with_name(f".{root.name}.{os.getpid()}")
    try:
        _write(beside, about)
        try:
            os.replace(beside, root)
        except OSError:
            # Another process may have finished the same data set meanwhile.
            if not _holds(root, about):
                raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return root


def load_truth(root: str | os.PathLike[str], side: Literal["A", "B"]) -> Truth:
    """The test images of one side of a data set that ``write_dataset`` wrote, with what they should become.

    Raises:
        DataError: ``root`` is no such data set.
    """
    root, folder = Path(root), f"test{side}"
    try:
        about = json.loads((root / _ABOUT).read_text(encoding="utf-8"))
        seeds = tuple(about["identities"][folder])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{root} holds no readable {_ABOUT}; write the avatars anew into an empty folder.") from error
    names = tuple(_name(position) for position in range(len(seeds)))
    return Truth(
        names=names,
        inputs=_read(root / folder / name for name in names),
        truths=_read(root / "truth" / folder / name for name in names),
        identities=tuple(Identity.from_seed(seed) for seed in seeds),
    )


def _check(domains: tuple[Domain, Domain], count: int, test: int, size_px: int) -> None:
    known = get_args(Domain)
    if len(set(domains)) != 2 or not set(domains) <= set(known):
        raise ConfigError(f"Avatars come in two different domains of {', '.join(known)}; got {', '.join(domains)}.")
    if count < 1 or test < 0 or 2 * (count + test) > _MOST:
        raise ConfigError(f"Avatars need at least 1 image to train on and 0 to test on; got {count} and {test}.")
    if not 16 <= size_px <= 2048:
        raise ConfigError(f"Avatars are drawn from 16 to 2048 pixels a side; got {size_px}.")


def _about(domains: tuple[Domain, Domain], count: int, test: int, size_px: int, seed: int) -> dict[str, Any]:
    # Consecutive numbers, so that nobody can be in two folders.
    first = seed * _MOST
    identities: dict[str, list[int]] = {}
    for folder, people in (("trainA", count), ("trainB", count), ("testA", test), ("testB", test)):
        identities[folder] = list(range(first, first + people))
        first += people
    return {
        "version": _VERSION,
        "domains": list(domains),
        "size_px": size_px,
        "seed": seed,
        "count": count,
        "test": test,
        "identities": identities,
    }


def _holds(root: Path, about: dict[str, Any]) -> bool:
    try:
        return json.loads((root / _ABOUT).read_text(encoding="utf-8")) == about
    except (OSError, ValueError):
        return False


def _write(root: Path, about: dict[str, Any]) -> None:
    here: dict[str, Domain] = dict(zip("AB", about["domains"], strict=True))
    there: dict[str, Domain] = {"A": here["B"], "B": here["A"]}
    for folder, seeds in about["identities"].items():
        side = folder[-1]
        places: list[tuple[Path, Domain]] = [(root / folder, here[side])]
        if folder.startswith("test"):
            places.append((root / "truth" / folder, there[side]))
        for place, domain in places:
            place.mkdir(parents=True)
            for position, seed in enumerate(seeds):
                draw(Identity.from_seed(seed), domain, about["size_px"]).save(place / _name(position))
    (root / _ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def _name(position: int) -> str:
    return f"{position:05d}.png"


def _read(paths: Iterable[Path]) -> NDArray[np.uint8]:
    pictures: list[NDArray[np.uint8]] = []
    for path in paths:
        try:
            with Image.open(path) as picture:
                pictures.append(np.asarray(picture.convert("RGB")))
        except OSError as error:
            raise DataError(f"{path} cannot be read; write the avatars anew into an empty folder.") from error
    return np.stack(pictures) if pictures else np.zeros((0, 0, 0, 3), np.uint8)
