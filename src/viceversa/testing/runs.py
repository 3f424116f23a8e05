"""Runs so small that they take a second, and what tells two of them apart."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from viceversa import methods
from viceversa.config import TrainConfig, configure, values
from viceversa.networks import initialise, vgg_file
from viceversa.networks.vgg import VGG19, VGGConfig
from viceversa.training import machine
from viceversa.training.trainer import Trainer

_SMALL = {
    "size_px": 16, "width": 4, "latent": 3, "q_width": 4, "hidden": 4, "discriminator_hidden": 4, "categories": 3,
    "n_critic": 2, "warm_up": 0, "blocks": 1, "discriminator_width": 4, "discriminator_layers": 2, "pool": 4,
    "images": 12, "init_images": 2, "log_every": 1, "samples": 2, "sample_pictures": 1, "ema_images": 10,
    "device": "cpu", "precision": "32-true",
}  # fmt: skip


def write_images(folder: Path) -> None:
    """Write ``a/`` and ``b/``, with seven images of 72 x 72 px each, of equal names."""
    for domain, seed in ("a", 1), ("b", 2):
        (folder / domain).mkdir(parents=True)
        for index, coarse in enumerate(np.random.default_rng(seed).integers(0, 256, (7, 4, 4, 3), dtype=np.uint8)):
            image = Image.fromarray(coarse).resize((72, 72), Image.Resampling.BILINEAR)
            image.save(folder / domain / f"{index}.png")


def write_vgg(path: Path) -> None:
    """Write a file as ``train vgg`` does, of untrained weights, 4 channels wide."""
    network = VGG19(VGGConfig(width=4, classes=2))
    initialise(network, "kaiming", 1.0, torch.Generator().manual_seed(1))
    path.write_bytes(vgg_file.to_bytes(network, turns=1, images=0))


def small_config(method: str, folder: Path, out: Path, /, **settings: Any) -> TrainConfig[Any]:
    """Return the settings of a run of 12 images of 16 px, with networks of some thousand weights, on the CPU.

    Args:
        method: A method's name.
        folder: What `write_images` wrote; the cache lies beside it.
        out: The run's folder.
        settings: As of ``viceversa.configure``; they go before those of a small run.
    """
    there = values(TrainConfig(method=methods.find(method).Config(), out=out))
    folders = {"a": folder / "a", "b": folder / "b"} if "a" in there else {"root": folder}
    given = {
        **folders,
        "batch": 1 if "a" in there else 2,  # batch normalisation of vectors needs two
        "cache": folder.with_name("cache"),
        **_SMALL,
    }
    if "vgg" in there and "vgg" not in settings:
        given["vgg"] = folder.with_name(vgg_file.FILE)
        if not given["vgg"].exists():
            write_vgg(given["vgg"])
    return configure(method, out=out, **{**{k: v for k, v in given.items() if k in there}, **settings})


def make_trainer(config: TrainConfig[Any]) -> Trainer:
    """Return the trainer of a config, as a run makes it, without a run folder."""
    pictures = config.method.data.open(0, "cpu")
    method = methods.make(config.method, pictures, config.seed)
    return Trainer(config, method, pictures, machine.make_fabric("cpu", config.precision))


def checkpoint_tensors(run: Path) -> dict[str, Any]:
    """Return all tensors of a run's newest checkpoint, by file and name, and "images", the number of images seen."""
    newest = max((run / "checkpoints").iterdir())
    assert json.loads((newest / "progress.json").read_text())["images"] == int(newest.name)
    files = sorted(newest.glob("*.safetensors"))
    tensors = {f"{file.stem}: {name}": value for file in files for name, value in load_file(file).items()}
    return {"images": int(newest.name), **tensors}


def assert_same_run(one: Path, other: Path) -> None:
    """Check that two runs are equal to the last bit: weights, averages, optimizers, buffers, the log."""
    first, second = checkpoint_tensors(one), checkpoint_tensors(other)
    assert first.keys() == second.keys(), f"one run keeps what the other lacks: {first.keys() ^ second.keys()}"
    assert first.pop("images") == second.pop("images"), "the runs have seen different numbers of images"
    differ = [name for name in first if _bits(first[name]) != _bits(second[name])]
    assert not differ, f"{len(differ)} of {len(first)} tensors differ: {differ[:3]}"
    assert (one / "metrics.jsonl").read_bytes() == (other / "metrics.jsonl").read_bytes(), "the logs differ"


def _bits(tensor: Tensor) -> Any:
    return tensor.dtype, tensor.shape, tensor.numpy().tobytes()
