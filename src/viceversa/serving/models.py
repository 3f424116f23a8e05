"""The translators that are served, by name."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from viceversa.errors import ConfigError
from viceversa.inference.applied import Applied
from viceversa.inference.translator import Translator, load
from viceversa.serving.problems import Problem

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A translator under its name."""

    name: str
    """As requests name it."""

    path: Path
    """Where it was read from."""

    translator: Translator
    """What translates."""

    ready: dict[str, Applied] = field(default_factory=dict[str, Applied])
    """The network of each direction, one object each: images for the same one are computed together."""

    def __post_init__(self) -> None:
        for direction in self.translator.directions:
            self.ready[direction] = self.translator.applied(direction[-1])

    def applied(self, to: str | None) -> Applied:
        """The network that leads to ``to``.

        Raises:
            Problem: 422, none does.
        """
        try:
            return self.ready[self.translator.direction(to)]
        except ConfigError as error:
            raise Problem(422, "no_such_direction", str(error)) from None

    def directions(self) -> dict[str, tuple[str, str]]:
        """For each letter that ``to`` can be, the names of the domains from which and to which it leads."""
        domains = self.translator.domains
        return {name[-1]: (domains[name[0]], domains[name[-1]]) for name in self.translator.directions}


class Models:
    """All that are served; the first is the default where there is but one."""

    def __init__(self, models: list[Model]):
        self._models = {model.name: model for model in models}

    def __iter__(self):
        return iter(self._models.values())

    def __len__(self) -> int:
        return len(self._models)

    def find(self, name: str | None) -> Model:
        """The model of a name; without a name the only one.

        Raises:
            Problem: 422, there is no such model, or there are several and none was named.
        """
        names = ", ".join(self._models)
        if name is None:
            if len(self._models) == 1:
                return next(iter(self._models.values()))
            raise Problem(422, "no_model_named", f"There are several models; name one as 'model': {names}.")
        if name not in self._models:
            raise Problem(422, "no_such_model", f"There is no model {name[:80]!r}; there are: {names}.")
        return self._models[name]


def load_models(given: tuple[str, ...], device: str, engine: str) -> Models:
    """Loads what the command line names: PATH, or NAME=PATH.

    Raises:
        ConfigError: None is given, a name cannot be, or two have the same.
        CheckpointError: There is no translator at a path.
    """
    if not given:
        raise ConfigError("Name the models to serve: viceversa serve MODEL..., where MODEL is a run's folder.")
    named: dict[str, Path] = {}
    for text in given:
        name, path = _split(text)
        if name in named:
            raise ConfigError(
                f"{named[name]} and {path} would both be called {name}; give names of your own: NAME={path}."
            )
        named[name] = path
    return Models([Model(name=name, path=path, translator=load(path, device, engine)) for name, path in named.items()])


def _split(text: str) -> tuple[str, Path]:
    name, equals, rest = text.partition("=")
    if equals and not Path(text).exists():
        path = Path(rest)
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{name!r} is no name for a model: use letters, digits, '.', '_' and '-', 64 at most.")
        return name, path
    path = Path(text)
    folder = path.resolve()
    if folder.suffix in (".onnx", ".safetensors") and not folder.is_dir():
        folder = folder.with_suffix("") if folder.suffix == ".onnx" else folder.parent
    if folder.name == "translator":  # runs/swap/translator is swap
        folder = folder.parent
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).strip("-._")[:64] or "model", path
