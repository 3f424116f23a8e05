"""What a GPU shows in ten minutes, section by section; benchmarks/gpu.sh runs it.

A section that fails says why, and the others follow; the exit code is then 1.
"""

import argparse
import itertools
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from viceversa import methods, train
from viceversa.config import TrainConfig, configure
from viceversa.data.images import save
from viceversa.networks.layers import InstanceNorm
from viceversa.training import guards, machine
from viceversa.training.trainer import Trainer

_PEAK_TFLOPS = {"H200": 989, "H100": 989, "A100": 312, "L40": 181, "4090": 165, "A10": 125, "T4": 65}
"""Dense bfloat16 (T4: float16) rates of the data sheets, for the share of peak."""
_NORMS = ("forward", "by_group_norm", "by_mean_and_variance")


def main() -> int:
    """Run the sections asked for; return 1 where one has failed."""
    options = _options()
    device = machine.choose_device(options.device)
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), device, tiny=options.tiny)
        for name, section in SECTIONS.items():
            if (options.only or "") not in ("", name) or (name == "all-reduce") != (options.only == "all-reduce"):
                continue
            begun = time.monotonic()
            try:
                section(bench)
            except Exception:
                failed = True
                print(f"{name}: FAILED\n{traceback.format_exc()}", flush=True)
            print(f"  ({name}: {time.monotonic() - begun:.0f} s)", flush=True)
    return int(failed)


class Bench:
    """Images of noise, and runs on them."""

    def __init__(self, folder: Path, device: str, *, tiny: bool):
        self.folder, self.device, self.tiny = folder, device, tiny
        self.size_px, self.steps = (32, 3) if tiny else (256, 20)
        numbers = np.random.default_rng(0)
        for side in ("trainA", "trainB"):
            (folder / side).mkdir()
            for index in range(4):
                pixels = numbers.integers(0, 256, (self.size_px, self.size_px, 3), dtype=np.uint8)
                save(pixels, folder / side / f"{index}.png")

    def config(self, name: str = "run", **settings: Any) -> TrainConfig[Any]:
        """CycleGAN's defaults at 256 px; ``settings`` as of `configure`."""
        small = {"width": 4, "blocks": 1, "discriminator_width": 4, "discriminator_layers": 2} if self.tiny else {}
        given = {"images": 10**6, "precision": "bf16-mixed", "hold_out": 0, **small, **settings}
        return configure(
            "cyclegan", out=self.folder / name, root=self.folder, size_px=self.size_px, device=self.device,
            cache=self.folder / "cache", logger="none", **given,
        )  # fmt: skip

    def trainer(self, config: TrainConfig[Any]) -> Trainer:
        """As a run makes it."""
        fabric = machine.make_fabric(self.device, config.precision)
        pictures = config.method.data.open(config.seed, fabric.device)
        return Trainer(config, methods.make(config.method, pictures, config.seed), pictures, fabric)

    def speed(self, trainer: Trainer, *, wanted: bool = True) -> float:
        """Images a second, of one process, over some steps after as many that warm up."""
        marks: list[float] = []

        def after(_: Trainer) -> bool:
            marks.append(self.now() if len(marks) % self.steps == self.steps - 1 else 0.0)
            return len(marks) == 2 * self.steps

        with guards.deterministic(self.device, wanted=wanted):
            trainer.run(after)
        first, last = (moment for moment in marks if moment)
        return trainer.batch_images * self.steps / (last - first)

    def now(self) -> float:
        """The time, after all that was asked of the device is done."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def parity(bench: Bench) -> None:
    """Losses of some steps, on the device and on the CPU, in float64."""
    found = []
    for device in (bench.device, "cpu"):
        there = Bench.__new__(Bench)
        there.__dict__ = {**bench.__dict__, "device": device}
        trainer = there.trainer(there.config(precision="64-true", width=8, discriminator_width=8, images=4))
        with guards.deterministic(device, wanted=True):
            trainer.run(lambda _: False)
        found.append(trainer.take_means())
    worst = max(abs(found[0][name] - found[1][name]) / abs(found[1][name]) for name in found[0])
    print(f"parity: losses of four steps in float64 are within {worst:.1e} of the CPU's", flush=True)
    assert worst < 1e-6, found


def resume(bench: Bench) -> None:
    """A run that was stopped in the middle against one that was not, in bfloat16."""
    whole, parts = bench.config("whole", images=8, constant=1.0), bench.config("parts", images=4, constant=1.0)
    train(whole, quiet=True)
    train(parts, quiet=True)
    train(bench.config("parts", images=8, constant=1.0), quiet=True)
    states = [load_file(config.out / "checkpoints" / "00000008" / "state.safetensors") for config in (whole, parts)]
    differ = [name for name in states[0] if not torch.equal(states[0][name], states[1][name])]
    print(f"resume: {len(differ)} of {len(states[0])} tensors differ", flush=True)
    assert not differ, differ


def waiting(bench: Bench) -> None:
    """Steps in which reading anything back from the device is an error."""
    if bench.device != "cuda":
        print("waiting: only CUDA tells", flush=True)
        return
    trainer = bench.trainer(bench.config())

    def strict(trainer: Trainer) -> bool:
        torch.cuda.set_sync_debug_mode("error" if trainer.images_seen < 8 * trainer.images_per_step else "default")
        return trainer.images_seen >= 10 * trainer.images_per_step

    try:
        with guards.deterministic(bench.device, wanted=True):
            trainer.run(strict)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    print("waiting: seven steps without any", flush=True)


def layouts_and_norms(bench: Bench) -> None:
    """Both memory layouts, by three kinds of instance normalisation, at two batches."""
    for batch, norm, layout in itertools.product((1, 4), _NORMS, (torch.channels_last, torch.contiguous_format)):
        with _norm(norm), _layout(layout):
            trainer = bench.trainer(bench.config(batch=batch))
            trainer.layout = layout
            trainer.method.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
            speed = bench.speed(trainer)
        name = "NHWC" if layout is torch.channels_last else "NCHW"
        print(f"batch {batch}, {name}, norm {norm}: {speed:.2f} images/s", flush=True)


def batches(bench: Bench) -> None:
    """Batches of 1, 4 and 16: speed and share of the data sheet's rate."""
    for batch in (1, 4, 16):
        trainer = bench.trainer(bench.config(batch=batch))
        with FlopCounterMode(display=False) as counter:
            trainer.method.train()
            trainer.step([trainer._load(0)])
        flops = counter.get_total_flops() / batch
        speed = bench.speed(trainer)
        print(
            f"batch {batch}: {speed:.2f} images/s, {speed * flops / 1e12:.2f} TFLOP/s{_share(speed * flops)}",
            flush=True,
        )


def compiled(bench: Bench) -> None:
    """--compile against none."""
    for compile_ in (False, True):
        speed = bench.speed(bench.trainer(bench.config(batch=4, compile=compile_)))
        print(f"batch 4, {'--compile' if compile_ else '--no-compile'}: {speed:.2f} images/s", flush=True)


def determinism(bench: Bench) -> None:
    """--deterministic against --no-deterministic."""
    for wanted in (True, False):
        speed = bench.speed(bench.trainer(bench.config(batch=4)), wanted=wanted)
        print(f"batch 4, --{'' if wanted else 'no-'}deterministic: {speed:.2f} images/s", flush=True)


def all_reduce(bench: Bench) -> None:
    """Several processes: how much of a step the gradients' way takes."""
    trainer = bench.trainer(bench.config(batch=4))
    speed = bench.speed(trainer)
    for parameters in trainer.parameters.values():
        for parameter in parameters:
            parameter.grad = torch.ones_like(parameter)
    begun = bench.now()
    for _ in range(bench.steps):
        for parameters in trainer.parameters.values():
            trainer._average([parameter.grad for parameter in parameters if parameter.grad is not None])
    seconds = (bench.now() - begun) / bench.steps
    if trainer.fabric.is_global_zero:
        world = trainer.fabric.world_size
        print(f"all-reduce: {seconds * 1e3:.1f} ms a step of {4 / speed * 1e3:.1f} ms, {world} processes", flush=True)


SECTIONS: dict[str, Callable[[Bench], None]] = {
    "parity": parity,
    "resume": resume,
    "waiting": waiting,
    "layouts and norms": layouts_and_norms,
    "batches": batches,
    "compile": compiled,
    "determinism": determinism,
    "all-reduce": all_reduce,
}


@contextmanager
def _norm(way: str):
    def by_group_norm(self: InstanceNorm, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return nn.functional.group_norm(x, self.channels, eps=self.eps)

    kept = InstanceNorm.forward
    if way != "forward":
        InstanceNorm.forward = by_group_norm if way == "by_group_norm" else getattr(InstanceNorm, way)
    try:
        yield
    finally:
        InstanceNorm.forward = kept


@contextmanager
def _layout(layout: torch.memory_format):
    kept = methods.find("cyclegan").layout_on_cpu
    methods.find("cyclegan").layout_on_cpu = layout
    try:
        yield
    finally:
        methods.find("cyclegan").layout_on_cpu = kept


def _share(rate: float) -> str:
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    peak = next((tera for key, tera in _PEAK_TFLOPS.items() if key in name), None)
    return f", {rate / peak / 1e12:.0%} of the data sheet's {peak}" if peak else ""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small networks and images, few steps")
    parser.add_argument("--only", choices=list(SECTIONS))
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    sys.exit(main())
