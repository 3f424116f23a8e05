"""Code of your own: a file that you name, or an installed package that announces what it brings.

Methods, networks and augmentations are found by name once the code that defines them is imported. Code is imported
when somebody names it (on the command line, in Python), or when an installed package announces the name that is asked
for by an entry point; never because a folder says so. Runs and translators remember what they need, and an error says
it.
"""

import dataclasses
import difflib
import hashlib
import importlib
import importlib.metadata
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from viceversa.errors import ConfigError, ViceversaError

_GROUPS = {"generator": "networks", "sampler": "networks", "discriminator": "networks"}
"""Kinds whose entry points are in a group of another name: ``viceversa.methods``, ``viceversa.networks``, ..."""
_FIELDS = {"augmentation": "augment", "discriminator_augmentation": "augment_d"}
"""Kinds that settings hold the names of, by the field."""
_FILES: dict[str, ModuleType] = {}
"""What was imported, by its resolved path."""
_PACKAGES: dict[str, importlib.metadata.Distribution] = {}
"""The installed packages that were imported for what they announce, by the name of their top-level module."""


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where code comes from that is not part of viceversa."""

    name: str
    """A file such as "my_method.py", a module, or an installed package."""
    version: str
    """The SHA-256 of the file's content, or the version of the package; empty where neither is known."""
    kind: str
    """"file", "module" or "package"."""


def import_code(code: Path | str) -> ModuleType:
    """Import a file of Python, or a module by its name; what it defines can be used by name from then on.

    A file that was imported already is imported again if it has changed. Modules beside it can be imported by it.

    Args:
        code: The path of a file that ends in ``.py``, or a module's name such as ``my_package.networks``.

    Raises:
        ConfigError: There is no such code, or an error in it; the message names the file and the line.
    """
    if not str(code).endswith(".py"):
        return _import_module(str(code))
    path = Path(code).resolve()
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{code} cannot be read ({error.strerror or error}); name a file of Python.") from None
    former = _FILES.get(str(path))
    if former and former.__dict__["__content__"] == _digest(source):
        return former
    if former:
        _forget(former)
    _make_importable(path.parent)
    name = path.stem
    while name in sys.modules:  # of another file, or one that everybody has
        name += "_"
    module = ModuleType(name)
    module.__dict__.update(__file__=str(path), __content__=_digest(source))
    _FILES[str(path)] = sys.modules[name] = module
    try:
        exec(compile(source, path, "exec"), module.__dict__)
    except Exception as error:
        message = ConfigError(f"{place(error) or code}: {_words(error)}")
        _forget(module)
        raise message from None
    return module


def _import_module(name: str) -> ModuleType:
    _make_importable(Path.cwd())
    try:
        module = importlib.import_module(name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            raise ConfigError(
                f"There is no module {name}; name one that is installed or lies here, or a file that ends in .py."
            ) from None
        raise ConfigError(f"{name} cannot be imported: {_last_line(error)}{_words(error)}") from None
    if module.__file__:
        _FILES[str(Path(module.__file__).resolve())] = module
    return module


def _make_importable(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # last: it hides nothing that is installed


def _digest(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()


def _forget(module: ModuleType) -> None:
    """Undo an import: what the module has entered under a name, and the module itself."""
    for registry in _registries().values():
        for name in [name for name, entry in registry.items() if entry.__module__ == module.__name__]:
            del registry[name]
    _FILES.pop(str(module.__file__), None)
    sys.modules.pop(module.__name__, None)


def place(error: BaseException) -> str:
    """Say where in imported code an error arose, such as "my_method.py, line 12 in step"; "" if in none.

    The lines are those that the call went through, outermost first.
    """
    found = [
        f"{Path(frame.filename).name}, line {frame.lineno}" + (f" in {frame.name}" if frame.name[0] != "<" else "")
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename in _FILES
    ]
    if isinstance(error, SyntaxError) and error.filename in _FILES:
        found.append(f"{Path(str(error.filename)).name}, line {error.lineno}")
    return ", then ".join(found)


def _last_line(error: BaseException) -> str:
    """The last line of files that are not Python's own machinery for imports, as the beginning of a sentence."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: "
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    return f"{frames[-1].filename}, line {frames[-1].lineno}: " if len(frames) > 1 else ""


def _words(error: BaseException) -> str:
    """What an error says, as the end of a sentence; of ours the text alone."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return text if isinstance(error, ViceversaError) else f"{type(error).__name__}: {text.rstrip('.')}."


def explain(error: BaseException) -> str:
    """One sentence for an error in imported code, "" for one elsewhere."""
    where = place(error)
    return f"{where}: {_words(error)}" if where else ""


def find(kind: str, name: str) -> bool:
    """Import the installed package that announces the ``kind`` ("method", ...) called ``name``; whether there is one.

    Raises:
        ConfigError: It cannot be imported.
    """
    entries = list(importlib.metadata.entry_points(group=_group(kind), name=name))
    for entry in entries:
        if message := _load(kind, entry):
            raise ConfigError(message)
    return bool(entries)


def check_names(kind: str, flag: str, names: Sequence[str]) -> None:
    """Refuse names of a ``kind`` that nobody has registered or announces, and "none" beside others.

    Raises:
        ConfigError: With the option's ``flag``.
    """
    for name in names:
        if name == "none" or name in _registries()[kind] or (find(kind, name) and name in _registries()[kind]):
            continue
        near = difflib.get_close_matches(name, _registries()[kind], 1)
        hint = f" Perhaps you meant {near[0]}." if near else ""
        raise ConfigError(f"{flag} {name} is unknown; choose from {', '.join(_registries()[kind])}.{hint}")
    if "none" in names and len(names) > 1:
        raise ConfigError(f"{flag} none does not go with others.")


def _group(kind: str) -> str:
    return f"viceversa.{_GROUPS.get(kind, f'{kind}s')}"


def find_all(kind: str) -> Iterator[str]:
    """Import all installed packages that announce a ``kind``; yield a sentence for each that cannot be imported.

    The kind is "method", or "network" for generators, samplers and discriminators.
    """
    group = _group(kind)
    there = {name for other, registry in _registries().items() if _group(other) == group for name in registry}
    for entry in importlib.metadata.entry_points(group=group):
        if entry.name not in there and (message := _load(kind, entry)):
            yield message


def _load(kind: str, entry: importlib.metadata.EntryPoint) -> str:
    """Import what an entry point names; returns a sentence if that fails."""
    package = entry.dist
    if package:
        _PACKAGES[entry.module.partition(".")[0]] = package
    try:
        entry.load()
    except Exception as error:
        by = f"{package.name} {package.version}" if package else entry.module
        return f"The {kind} {entry.name} comes with {by}, which cannot be imported: {_last_line(error)}{_words(error)}"
    return ""


def _registries() -> Mapping[str, dict[str, Any]]:
    """What is found by name, by kind."""
    from viceversa.data.augmentations import AUGMENTATIONS
    from viceversa.methods.augmented import CHANGES
    from viceversa.methods.base import METHODS
    from viceversa.networks import DISCRIMINATORS, GENERATORS, SAMPLERS

    return {
        "method": METHODS,
        "generator": GENERATORS,
        "sampler": SAMPLERS,
        "discriminator": DISCRIMINATORS,
        "augmentation": AUGMENTATIONS,
        "discriminator_augmentation": CHANGES,
    }


def origin(thing: Any) -> Origin | None:
    """Where a class was defined; None if in viceversa itself."""
    module = sys.modules.get(thing.__module__)
    top = thing.__module__.partition(".")[0]
    if module is None or top == "viceversa":
        return None
    if top in _PACKAGES:
        return Origin(_PACKAGES[top].name, _PACKAGES[top].version, "package")
    if not module.__dict__.get("__file__"):  # a notebook
        return Origin(module.__name__, "", "module")
    path = Path(str(module.__file__))
    try:
        content = module.__dict__.get("__content__") or _digest(path.read_bytes())
    except OSError:
        content = ""
    return Origin(module.__name__, content, "module") if module.__package__ else Origin(path.name, content, "file")


def needed(method: type[Any] | None, configs: Any) -> list[dict[str, Any]]:
    """What a run or a translator needs besides viceversa, as JSON keeps it.

    Args:
        method: The method of a run.
        configs: Dataclasses of settings, or mappings and sequences of them; what is registered with one of their
            types is needed.
    """
    types = set(_types(configs))
    by_name = {kind: set(_named(configs, field)) for kind, field in _FIELDS.items()}
    used: dict[Origin, list[str]] = {}
    for kind, registry in _registries().items():
        for name, entry in registry.items():
            is_used = entry is method if kind == "method" else getattr(entry, "Config", None) in types
            is_used = is_used or name in by_name.get(kind, ())
            if is_used and (where := origin(entry)):
                used.setdefault(where, []).append(f"{kind} {name}")
    return [{**dataclasses.asdict(where), "defines": names} for where, names in used.items()]


def _types(value: Any) -> Iterator[type[Any]]:
    if dataclasses.is_dataclass(value):
        yield type(value)
        for part in dataclasses.fields(value):
            yield from _types(getattr(value, part.name))
    elif isinstance(value, Mapping):
        yield from _types(list(value.values()))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from _types(inner)


def _named(value: Any, field: str) -> Iterator[str]:
    """The names in a ``field`` that holds names, anywhere in settings."""
    if dataclasses.is_dataclass(value):
        yield from getattr(value, field, ())
        for part in dataclasses.fields(value):
            yield from _named(getattr(value, part.name), field)


def missing(imports: Any) -> str:
    """What has to be imported first, of what JSON keeps under "imports": the end of a sentence, "" if nothing."""
    for entry in _entries(imports):
        for defined in entry["defines"]:
            kind, _, name = defined.partition(" ")
            registry = _registries().get(kind, {})
            if name in registry or (kind in _registries() and find(kind, name)):
                continue
            if entry["kind"] == "package":
                return f"needs the {defined} of the package {entry['name']} {entry['version']}; install it first."
            code = f"PATH/{entry['name']}" if entry["kind"] == "file" else entry["name"]
            return (
                f"was trained with {entry['name']}, which defines the {defined}; give it with --import {code} (in "
                f'Python: viceversa.import_code("{code}") first).'
            )
    return ""


def changed(former: Any, imports: Any) -> list[str]:
    """Which code is no longer as it was, of what JSON keeps under "imports" then and now: a phrase each."""
    before = {entry["name"]: entry["version"] for entry in _entries(former)}
    return [
        f"{entry['name']} has changed since the run was last trained"
        for entry in _entries(imports)
        if before.get(entry["name"], entry["version"]) != entry["version"]
    ]


def _entries(imports: Any) -> list[dict[str, Any]]:
    """Those of ``imports`` that are what `needed` writes; JSON may hold anything."""
    wanted = {part.name for part in dataclasses.fields(Origin)}
    return [
        entry
        for entry in (imports if isinstance(imports, list) else [])
        if isinstance(entry, dict)
        and isinstance(entry.get("defines"), list)
        and all(isinstance(text, str) and text.isprintable() for text in (*map(entry.get, wanted), *entry["defines"]))
    ]
