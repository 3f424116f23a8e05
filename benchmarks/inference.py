"""How fast an exported translator is on each engine, and how near to torch.

.venv/bin/python benchmarks/inference.py
.venv/bin/python benchmarks/inference.py --model runs/swap --pictures women --size 128

Without --model it is the generator of CycleGAN, 64 wide with 9 blocks, with random weights: good for its speed, and
nothing can be said of differences. All engines take turns on the same image, round by round, since machines are
shared and their speed changes; two rounds warm up. "speed" is by the clock; CPU time leaves out what others computed
meanwhile. Both are set against torch's eager float32 in its usual memory layout. bfloat16 is measured where the
processor has instructions for it; elsewhere OpenVINO can imitate it, which is good for the difference only (--imitate).
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from viceversa.data import avatars, images
from viceversa.data.folders import find_pictures
from viceversa.inference.onnx.engines import on_onnxruntime, on_openvino
from viceversa.inference.onnx.graph import network_graph
from viceversa.inference.onnx.precision import to_fp16, to_int8
from viceversa.inference.translator import load, pad_to_multiple
from viceversa.networks import ResNetConfig, ResNetGenerator, initialise

Run = Callable[[np.ndarray], np.ndarray]
_WARM_UP = 2
AIMS = {"openvino bf16": (2.4, 1.0), "openvino int8": (4.0, 3.0)}


def main() -> None:
    """Measures all engines, and prints a line for each."""
    options = _options()
    torch.set_num_threads(options.threads)
    network = _network(options)
    pictures = [_tensor(picture, network.multiple) for picture in _pictures(options)]
    count = min(options.calibrate, len(pictures) - max(1, len(pictures) // 3))  # of few a third is left to compare on
    learned, shown = pictures[:count], pictures[count:]
    runs = _runs(network, learned, options.imitate)
    times = _times(runs, shown[0].numpy(), options.rounds)
    wall, busy = (statistics.median(column) for column in zip(*times["torch"], strict=True))
    over = f"; differences over {len(shown)} images" if options.model else ""
    print(f"{options.threads} threads, {options.size} px, {options.rounds} rounds{over}")
    titles = f"{'':24}{'time':>10}{'best':>10}{'speed':>8}{'CPU time':>11}{'by CPU time':>13}"
    print(f"{titles}   mean difference in grey levels")
    for name, run in runs.items():
        seconds, cpu = (statistics.median(column) for column in zip(*times[name], strict=True))
        apart = _difference(runs["torch"], run, shown) if options.model else "-"
        aim = f"   (aims: {AIMS[name][0]}, at most {AIMS[name][1]:g})" if name in AIMS else ""
        print(
            f"{name:24}{seconds * 1e3:7.0f} ms{min(times[name])[0] * 1e3:7.0f} ms{wall / seconds:8.2f}"
            f"{cpu * 1e3:8.0f} ms{busy / cpu:13.2f}   {apart}{aim}",
            flush=True,
        )


def _runs(network: torch.nn.Module, learned: list[torch.Tensor], imitate: bool) -> dict[str, Run]:
    import openvino

    graph = network_graph(network)
    model = graph.SerializeToString()
    half, eighth = to_fp16(graph).SerializeToString(), to_int8(graph, learned).SerializeToString()
    fast = copy.deepcopy(network).to(memory_format=torch.channels_last)
    runs = {
        "torch": _eager(network, torch.contiguous_format),
        "torch channels-last": _eager(fast, torch.channels_last),
        "onnxruntime": on_onnxruntime(model),
        "onnxruntime fp16": on_onnxruntime(half),
        "onnxruntime int8": on_onnxruntime(eighth),
        "openvino": on_openvino(model, "f32"),
    }
    native = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if native or imitate:
        runs["openvino bf16" if native else "openvino bf16 imitated"] = on_openvino(model, "bf16")
    return runs | {"openvino int8": on_openvino(eighth)}


def _eager(network: torch.nn.Module, layout: torch.memory_format) -> Run:
    @torch.inference_mode()
    def run(x: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(x).contiguous(memory_format=layout)).numpy()

    return run


def _times(runs: dict[str, Run], x: np.ndarray, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds by the clock, and of all cores together, of every call."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for turn in range(rounds + _WARM_UP):
        for name, run in runs.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            run(x)
            if turn >= _WARM_UP:
                times[name].append((time.perf_counter() - start, time.process_time() - start_cpu))
    return times


def _difference(one: Run, other: Run, pictures: list[torch.Tensor]) -> str:
    """Mean absolute difference in grey levels, of 8-bit images."""
    found = [np.abs(_levels(one(x.numpy())) - _levels(other(x.numpy()))).mean() for x in pictures]
    return f"{np.mean(found):.2f}"


def _levels(x: np.ndarray) -> np.ndarray:
    return np.clip(np.rint((x + 1) * 127.5), 0, 255)


def _network(options: argparse.Namespace) -> torch.nn.Module:
    if options.model:
        translator = load(options.model, "cpu")
        return translator.networks[translator.direction(options.to)].to(memory_format=torch.contiguous_format)
    network = ResNetGenerator(ResNetConfig()).eval()
    initialise(network, "normal", 0.02, torch.Generator().manual_seed(0))
    return network


def _pictures(options: argparse.Namespace) -> list[np.ndarray]:
    count = options.calibrate + options.compare
    if options.pictures is None:
        women = [avatars.Identity.from_seed(seed) for seed in range(count)]
        return [np.asarray(avatars.draw(one, "women", options.size)) for one in women]
    files = find_pictures(options.pictures, "--pictures")
    step = max(len(files) / count, 1)
    chosen = [files[int(index * step)] for index in range(min(count, len(files)))]
    return [images.fit_square(images.read(file), options.size) for file in chosen]


def _tensor(picture: np.ndarray, multiple: int) -> torch.Tensor:
    return pad_to_multiple(images.to_tensor(picture[None]), multiple)[0].contiguous()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--to", default=None)
    parser.add_argument("--pictures", type=Path, default=None)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calibrate", type=int, default=None, help="images: 32, or 4 for random weights")
    parser.add_argument("--compare", type=int, default=16)
    parser.add_argument("--imitate", action="store_true")
    options = parser.parse_args()
    if options.calibrate is None:
        options.calibrate = 32 if options.model else 4  # the ranges of random weights are of no use but to compute with
    if not options.model:
        options.compare = 1
    return options


if __name__ == "__main__":
    main()
