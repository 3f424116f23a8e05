"""The training step: what it achieves of what the machine attains.

    python benchmarks/train_step.py                                     # CycleGAN, 9 blocks, 64 wide, 256 px, batch 1
    python benchmarks/train_step.py --baseline                          # beside it, the well-known code's way
    python benchmarks/train_step.py --size 64 --width 32 --batch 1 4    # other sizes
    python benchmarks/train_step.py --method dcgan --size 32 --batch 128

The attainable rate is that of a residual block's 3x3 convolution (256 channels, 64 x 64 px), forward, kept up for a
second or more, in the faster of the two memory layouts. It is measured again before and after every step, since
machines are shared and their speed changes; a step's share is its own rate over the mean of the two beside it.
Reported are the median and the best. Operations are counted by tracing the step (convolutions and matrix products,
forward and backward).

For the methods that make images of noise, whose steps are short, the time outside of tensor kernels is told too: that
of the same iteration, session and all, on networks one channel wide and batches of two, where the kernels have next to
nothing to do.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from viceversa import methods, train
from viceversa.allocator import keep_freed_memory
from viceversa.config import TrainConfig, configure
from viceversa.data.images import save
from viceversa.networks import initialise, layers, vgg_file
from viceversa.networks.vgg import VGG19, VGGConfig
from viceversa.training import machine
from viceversa.training.trainer import Trainer
from viceversa.training.units import peak_memory_bytes


def main() -> None:
    """Measures each batch size asked for, and prints a line for each."""
    options = _options()
    if options.only_baseline:
        _baseline()
    device = machine.choose_device(options.device)
    precision = machine.choose_precision(options.precision, device)
    if device == "cpu" and not options.only_baseline:
        keep_freed_memory()
    print(machine.describe(device, precision, 1))
    noise = "latents" in {part.name for part in fields(methods.find(options.method).Config)}
    for batch in options.batch:
        with tempfile.TemporaryDirectory() as folder:
            config = _config(options, Path(folder), batch, precision)
            line = _measure(config, device, options.steps)
        print(f"{options.method} {options.size} px, batch {batch}: {line}", flush=True)
        if noise:
            print(f"  outside of tensor kernels: {_outside(options, batch, precision):.1%}", flush=True)
        if options.baseline:
            command = [sys.executable, __file__, "--only-baseline", "--precision", "32-true", "--batch", str(batch)]
            command += ["--size", str(options.size), "--steps", str(options.steps)]
            command += ["--width", str(options.width)] if options.width else []
            command += ["--blocks", str(options.blocks)] if options.blocks else []
            print("the well-known code's way, in float32:", flush=True)
            subprocess.run(command, check=True)


def _measure(config: TrainConfig, device: str, steps: int) -> str:
    fabric = machine.make_fabric(device, config.precision)
    pictures = config.method.data.open(config.seed, fabric.device)
    method = methods.make(config.method, pictures, config.seed)
    trainer = Trainer(config, method, pictures, fabric)
    flops = counted(trainer)
    dtype = torch.bfloat16 if config.precision == "bf16-mixed" else torch.float32
    rates, times = [_attainable(fabric.device, dtype)], list[float]()
    loads: list[float] = []
    inner = 10 if device == "cuda" else 1

    def after(trainer: Trainer) -> bool:
        nonlocal started
        if trainer.images_seen % (inner * trainer.images_per_step):
            return False
        _wait(fabric.device)
        times.append((time.perf_counter() - started) / inner)
        rates.append(_attainable(fabric.device, dtype))
        started = time.perf_counter()
        trainer.pictures.batch(torch.arange(trainer.batch_images) + trainer.images_seen)
        _wait(fabric.device)
        loads.append(time.perf_counter() - started)
        started = time.perf_counter()
        return len(times) > steps

    started = time.perf_counter()
    trainer.run(after)
    times, rates, loads = times[1:], rates[1:], loads[1:]  # the first warms up
    shares = [
        flops / seconds / ((before + behind) / 2)
        for seconds, before, behind in zip(times, rates, rates[1:], strict=False)
    ]
    seconds = statistics.median(times)
    return (
        f"{seconds:.3f} s a step ({min(times):.3f} best), {trainer.images_per_step / seconds:.2f} images/s, "
        f"{flops / 1e12:.3f} TFLOP, {flops / seconds / 1e9:.0f} of {statistics.median(rates) / 1e9:.0f} "
        f"GFLOP/s attainable: {statistics.median(shares):.0%} (best {max(shares):.0%}); "
        f"peak memory {peak_memory_bytes(device) / 2**20:.0f} MiB; "
        f"a batch loads in {statistics.median(loads) * 1e3:.1f} ms, "
        f"{seconds / statistics.median(loads):.0f} times the step's speed"
    )


def counted(trainer: Trainer) -> int:
    """Operations of one step: convolutions and matrix products, forward and backward. The step is taken."""
    trainer.method.train()
    with FlopCounterMode(display=False) as counter:
        trainer.step([trainer._load(0)])
    return counter.get_total_flops()


def _outside(options: argparse.Namespace, batch: int, precision: str) -> float:
    """The share of a whole run's time that an iteration takes where its kernels have nothing to do."""
    seconds: list[float] = []
    for narrow in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            size, images = 2 if narrow else batch, (400, 40)[not narrow]
            small = {"width": 1, "discriminator_width": 1} if narrow else {}
            config = _config(options, Path(folder), size, precision, **small)
            method = replace(config.method, schedule=replace(config.method.schedule, images=size * images))
            train(replace(config, method=method, samples=1, checkpoint_minutes=60), quiet=True)
            clock = (Path(folder) / "run" / "timing.jsonl").read_text().splitlines()
            lines = [json.loads(line) for line in clock]
            first, last = lines[len(lines) // 4], lines[-2]
            seconds.append((last["seconds"] - first["seconds"]) / (last["images"] - first["images"]) * size)
    return seconds[0] / seconds[1]


def _config(options: argparse.Namespace, folder: Path, batch: int, precision: str, **small: int) -> TrainConfig:
    """A config on images of noise: what they show costs the same."""
    numbers = np.random.default_rng(0)
    for side in ("trainA", "trainB"):
        (folder / side).mkdir()
        for index in range(4):
            save(
                numbers.integers(0, 256, (options.size, options.size, 3), dtype=np.uint8),
                folder / side / f"{index}.png",
            )
    paired = {"a": folder / "trainA", "b": folder / "trainB"} if options.method == "pix2pix" else {"root": folder}
    given = {"width": options.width, "discriminator_width": options.width, "blocks": options.blocks, **small}
    if options.method == "cartoongan":
        given |= {"vgg": _vgg(folder, options.vgg_width), "init_images": 0}
    if options.method == "vgg":
        del given["discriminator_width"], given["blocks"]
    return configure(
        options.method, out=folder / "run", size_px=options.size, batch=batch, images=10**6, precision=precision,
        device=options.device, cache=folder / "cache", **{k: v for k, v in given.items() if v is not None}, **paired,
    )  # fmt: skip


def _vgg(folder: Path, width: int) -> Path:
    """Untrained weights: they cost the same."""
    network = VGG19(VGGConfig(width=width))
    initialise(network, "kaiming", 1.0, torch.Generator().manual_seed(0))
    path = folder / vgg_file.FILE
    path.write_bytes(vgg_file.to_bytes(network, turns=1, images=0))
    return path


def _baseline() -> None:
    """Puts the well-known code's way in place: separate calls, torch's own instance norm, torch's own Adam loop."""

    def one_by_one(network: nn.Module, *pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(network(batch) for batch in pictures)

    def adam(self: methods.Method, group: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        c = self.config.optimizer
        return torch.optim.Adam(parameters, lr=c.learning_rate, betas=(c.beta1, c.beta2))

    for module in ("viceversa.methods.cyclegan", "viceversa.methods.settings", "viceversa.networks.layers"):
        sys.modules[module].apply_to_each = one_by_one  # type: ignore[attr-defined]
    methods.METHODS["cyclegan"].make_optimizer = adam
    methods.METHODS["cyclegan"].__init__ = _with_norms(methods.METHODS["cyclegan"].__init__)


def _with_norms(make):
    def init(self, config):
        make(self, config)
        _with_torch_norm(self)

    return init


def _with_torch_norm(network: nn.Module) -> None:
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, layers.InstanceNorm):
                setattr(module, name, nn.InstanceNorm2d(child.channels))


def _attainable(device: torch.device, dtype: torch.dtype, seconds: float = 1.0) -> float:
    """Floating-point operations a second of the convolution, sustained."""
    return max(_sustained(device, dtype, layout, seconds) for layout in (torch.contiguous_format, torch.channels_last))


def _sustained(device: torch.device, dtype: torch.dtype, layout: torch.memory_format, seconds: float) -> float:
    pictures = 2 if device.type == "cpu" else 16
    x = torch.randn(pictures, 256, 64, 64, device=device, dtype=dtype).to(memory_format=layout)
    w = torch.randn(256, 256, 3, 3, device=device, dtype=dtype).to(memory_format=layout)
    with torch.inference_mode():
        F.conv2d(x, w, padding=1)
        _wait(device)
        calls, start = 0, time.perf_counter()
        while (passed := time.perf_counter() - start) < seconds:
            F.conv2d(x, w, padding=1)
            _wait(device)
            calls += 1
    return calls * 2 * pictures * 256 * 256 * 9 * 64 * 64 / passed


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="cyclegan", choices=list(methods.METHODS))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=int, help="default: the method's own")
    parser.add_argument("--blocks", type=int, default=None)
    parser.add_argument("--batch", type=int, nargs="+", default=[1])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--vgg-width", type=int, default=64, help="cartoongan: width of the VGG-19")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--baseline", action="store_true")
    parser.add_argument("--only-baseline", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
