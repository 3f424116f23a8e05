import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from viceversa import configure, methods
from viceversa.config import TrainConfig

_SMALL = {
    "size_px": 16, "width": 4, "blocks": 1, "discriminator_width": 4, "discriminator_layers": 2, "pool": 4,
    "images": 12, "log_every": 1, "samples": 2, "sample_pictures": 1, "ema_images": 10, "device": "cpu",
    "precision": "32-true",
}  # fmt: skip


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real pictures beside the repository; they are not ours to give away, so not everybody has them."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real pictures in {folder}")
    return folder


@pytest.fixture(scope="session")
def shared_parity() -> Path:
    """Numbers of the published code; see ``shared_data``."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "parity"
    if not folder.is_dir():
        pytest.skip(f"needs the parity fixtures in {folder}")
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a/ and b/: seven small pictures each, of equal names."""
    folder = tmp_path_factory.mktemp("pictures")
    for domain, seed in ("a", 1), ("b", 2):
        (folder / domain).mkdir()
        for index, coarse in enumerate(np.random.default_rng(seed).integers(0, 256, (7, 4, 4, 3), dtype=np.uint8)):
            picture = Image.fromarray(coarse).resize((72, 72), Image.Resampling.BILINEAR)
            picture.save(folder / domain / f"{index}.png")
    return folder


@pytest.fixture(scope="session")
def tiny(pictures: Path) -> Callable[..., TrainConfig[Any]]:
    """``tiny(method, out, **settings)``: a run of any method that takes a second; ``settings`` as of `configure`."""

    def make(method: str, out: Path, **settings: Any) -> TrainConfig[Any]:
        given = {"a": pictures / "a", "b": pictures / "b", "cache": pictures / "cache", **_SMALL}
        there = names(TrainConfig(method=methods.find(method).Config(), out=out))
        return configure(method, out=out, **{**{k: v for k, v in given.items() if k in there}, **settings})

    def names(config: Any) -> set[str]:
        parts = {part.name: getattr(config, part.name) for part in dataclasses.fields(config)}
        inner = [names(value) for value in parts.values() if dataclasses.is_dataclass(value)]
        return set(parts).union(*inner)

    return make


@pytest.fixture(scope="session")
def make_trainer() -> Callable[[TrainConfig[Any]], Any]:
    """Makes the trainer of a config, as a run does, without a run folder."""
    from viceversa.training import machine
    from viceversa.training.trainer import Trainer

    def make(config: TrainConfig[Any]) -> Trainer:
        method = methods.of(config.method)(config.method)
        method.initialise(config.seed)
        return Trainer(config, method, config.method.data.open(0, "cpu"), machine.make_fabric("cpu", config.precision))

    return make


@pytest.fixture(scope="session")
def checkpoint_tensors() -> Callable[[Path], dict[str, Any]]:
    """All tensors of a run's newest checkpoint, by file and name."""
    from safetensors.torch import load_file

    def read(run: Path) -> dict[str, Any]:
        newest = max((run / "checkpoints").iterdir())
        assert json.loads((newest / "progress.json").read_text())["images"] == int(newest.name)
        files = sorted(newest.glob("*.safetensors"))
        tensors = {f"{file.stem}: {name}": value for file in files for name, value in load_file(file).items()}
        return {"images": int(newest.name), **tensors}

    return read


@pytest.fixture(scope="session")
def assert_same_run(checkpoint_tensors: Callable[[Path], dict[str, Any]]) -> Callable[[Path, Path], None]:
    """Two runs are equal to the last bit: weights, averages, optimizers, pools, the log."""

    def check(one: Path, other: Path) -> None:
        first, second = checkpoint_tensors(one), checkpoint_tensors(other)
        assert first.keys() == second.keys()
        assert first.pop("images") == second.pop("images")
        differ = [name for name in first if _bits(first[name]) != _bits(second[name])]
        assert not differ, f"{len(differ)} of {len(first)} tensors differ: {differ[:3]}"
        assert (one / "metrics.jsonl").read_bytes() == (other / "metrics.jsonl").read_bytes()

    def _bits(tensor: Any) -> Any:
        return tensor.dtype, tensor.shape, tensor.numpy().tobytes()

    return check
