"""The finished segments of a video that is being translated, kept beside it until all are there."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from viceversa.errors import ConfigError, DataError
from viceversa.inference.applied import Applied
from viceversa.replacing import replace_file, sync

_SETTINGS = "settings.json"
_FORMAT = 1
_ASKED_PX = 64


class Parts:
    """The folder ``OUT.parts``: settings.json, and one file for each finished segment."""

    def __init__(self, out: Path, settings: Mapping[str, Any], *, overwrite: bool):
        """Takes over what an earlier attempt left, if it was made of the same video in the same way.

        Raises:
            ConfigError: The folder holds parts of another translation, and ``overwrite`` is off.
        """
        self.folder = out.with_name(out.name + ".parts")
        wanted = {"format": _FORMAT, **settings}
        if self.folder.exists() and not self._is_new():
            there = self._settings()
            differ = sorted(key for key in wanted.keys() | there.keys() if wanted.get(key) != there.get(key))
            if differ and not (overwrite and there):
                what = f"of another translation (its {', '.join(differ)} differ{'s' * (len(differ) == 1)})"
                raise ConfigError(
                    f"{self.folder} holds parts {what if there else 'that are unknown'}; give the command that began "
                    f"it, or {'--overwrite to throw them away' if there else 'move them away'}."
                )
            if differ:
                shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / _SETTINGS).exists():
            replace_file(self.folder / _SETTINGS, json.dumps(wanted, indent=2).encode())
        self.finished: list[Path] = []
        while (path := self.path(len(self.finished))).exists():
            self.finished.append(path)

    def _settings(self) -> dict[str, Any]:
        try:
            found: Any = json.loads((self.folder / _SETTINGS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _is_new(self) -> bool:
        """An attempt was killed before its settings were whole: as good as if the folder were not there."""
        return self.folder.is_dir() and all(path == self.beside(_SETTINGS) for path in self.folder.iterdir())

    def path(self, index: int) -> Path:
        """The file of a segment."""
        return self.folder / f"{index:05d}.nut"

    def beside(self, name: str) -> Path:
        """Where it is written until it is whole; what a kill leaves there is written over."""
        return self.folder / f".{name}.partial"

    def state(self) -> dict[str, Tensor]:
        """What the first segment that is not finished depends on.

        Raises:
            DataError: It is damaged.
        """
        if not self.finished:
            return {}
        path = self.finished[-1].with_suffix(".safetensors")
        try:
            return load_file(path) if path.exists() else {}
        except SafetensorError as error:
            raise DataError(f"{path} is damaged ({error}); delete {self.folder} and begin anew.") from error

    def finish(self, state: Mapping[str, Tensor]) -> None:
        """The segment that was written beside is whole; ``state`` is what the next one depends on."""
        path = self.path(len(self.finished))
        written = self.beside(path.name)
        kept = path.with_suffix(".safetensors")
        if state:  # first: a segment that is there has its state
            replace_file(kept, save({name: tensor.contiguous() for name, tensor in state.items()}))
        sync(written)
        os.replace(written, path)
        if self.finished:
            self.finished[-1].with_suffix(".safetensors").unlink(missing_ok=True)
        self.finished.append(path)

    def leave(self) -> None:
        """The translation was broken off: only finished segments are kept."""
        if not self.finished:
            self.remove()
            return
        for path in self.folder.glob(".*.partial"):
            path.unlink(missing_ok=True)

    def remove(self) -> None:
        """The video is whole, or nothing is worth keeping."""
        shutil.rmtree(self.folder, ignore_errors=True)


def of_file(path: Path) -> str:
    """A fingerprint of a file's contents."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_network(applied: Applied) -> str:
    """A fingerprint of what translates: its settings and weights, or where it shows none, an answer."""
    network = applied.network
    digest = hashlib.sha256(f"{type(network).__name__} {network.config}".encode())
    # With dropout on it is another translation.
    digest.update(str([module.training for module in network.modules()]).encode())
    tensors: Mapping[str, Tensor] = network.state_dict()
    if not tensors:
        ramp = torch.linspace(-1, 1, applied.takes * _ASKED_PX**2).reshape(1, applied.takes, _ASKED_PX, _ASKED_PX)
        tensors = {"answer": applied(ramp)}
    for name, tensor in tensors.items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
