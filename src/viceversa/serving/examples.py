"""Images to try a translator with."""

from itertools import chain
from pathlib import Path

from viceversa.data import avatars, formats
from viceversa.serving.models import Model
from viceversa.serving.service import Service

_MOST = 8
_AVATARS = {"women": (3, 8, 14, 21), "men": (5, 11, 17, 26), "photo": (2, 9, 12, 20), "anime": (4, 7, 15, 23)}
_OTHER_NAMES = {"photos": "photo"}
_SIZE_PX = 256


def example_files(service: Service) -> list[Path]:
    """The images in the folders called ``examples`` beside the models' weights; or portraits drawn by number."""
    own = list(chain.from_iterable(_of_folder(model) for model in service.models))
    if own:
        return own[:_MOST]
    folder = service.folder / "examples"
    folder.mkdir()
    sources = {source for model in service.models for source, _ in model.directions().values()}
    domains = {_OTHER_NAMES.get(name, name) for name in sources}
    names = sorted(domains & _AVATARS.keys(), reverse=True) or ["photo"]
    made: list[Path] = []
    for name in names:
        for seed in _AVATARS[name][: _MOST // min(len(names), 2)]:
            file = folder / f"{name}-{seed}.png"
            avatars.draw(avatars.Identity.from_seed(seed), name, _SIZE_PX).save(file)  # pyright: ignore[reportArgumentType]
            made.append(file)
    return made[:_MOST]


def _of_folder(model: Model) -> list[Path]:
    beside = [model.path.parent] if model.path.is_file() else [model.path, model.path / "translator"]
    for folder in (place / "examples" for place in beside):
        if folder.is_dir():
            return sorted(file for file in folder.iterdir() if file.suffix.lower() in formats.SUFFIXES)
    return []
