"""Large images: how far tiles are from the whole, how else statistics could be had, and how much memory it takes.

python benchmarks/tiling.py --model runs/faces --pictures folder     # differences, in grey levels
python benchmarks/tiling.py --side 16000 --width 16 --blocks 6       # an image from disk to disk, its peak of memory
"""

import argparse
import copy
import itertools
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from viceversa.data import formats, images
from viceversa.data.formats.bands import write_bands
from viceversa.data.picture import About
from viceversa.inference.files import translate_files
from viceversa.inference.translator import Translator, load
from viceversa.networks import ResNetConfig, ResNetGenerator, initialise
from viceversa.networks.layers import InstanceNorm

HALO_PX = 96


class Joint(nn.Module):
    """Instance normalisation by the statistics of all images of a batch together, which it keeps."""

    def __init__(self, eps: float):
        super().__init__()
        self.eps = eps
        self.kept: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same."""
        if self.kept is None:
            self.kept = torch.var_mean(x, dim=(0, 2, 3), correction=0, keepdim=True)
        variance, mean = self.kept
        return (x - mean) * (variance + self.eps).rsqrt()


def with_statistics_of(network: nn.Module, sample: Tensor) -> nn.Module:
    """The network with its statistics fixed to those of a batch."""
    network = copy.deepcopy(network)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, InstanceNorm):
                setattr(module, name, Joint(child.eps))
    network(sample)
    return network


def tiles_alone(network: nn.Module, x: Tensor, side: int) -> Tensor:
    """Each tile, with a margin that is cut off, by statistics of its own: what tiling usually is."""
    padded = F.pad(x, (HALO_PX,) * 4, mode="reflect")
    answer = torch.empty_like(x)
    for top, left in itertools.product(range(0, x.shape[2], side), range(0, x.shape[3], side)):
        part = padded[:, :, top : top + side + 2 * HALO_PX, left : left + side + 2 * HALO_PX]
        answer[:, :, top : top + side, left : left + side] = network(part)[
            :, :, HALO_PX : HALO_PX + side, HALO_PX : HALO_PX + side
        ]
    return answer


def some_tiles(x: Tensor, side: int, share: float) -> Tensor:
    """Tiles drawn at random, ``(N, C, side, side)``."""
    tiles = x.unfold(2, side, side).unfold(3, side, side).permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, side, side)
    chosen = torch.randperm(len(tiles), generator=torch.Generator().manual_seed(0))[: round(len(tiles) * share)]
    return tiles[chosen]


def candidates(translator: Translator, x: Tensor) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Ways to translate ``(1, 3, S, S)`` in parts."""
    network = next(iter(translator.networks.values()))
    small = F.interpolate(x, scale_factor=0.25, mode="bicubic", antialias=True).clamp(-1, 1)
    yield "each tile of 256 px by its own statistics", lambda: tiles_alone(network, x, 256)
    yield "statistics of the image at a quarter of its size", lambda: with_statistics_of(network, small)(x)
    for share in (0.25, 0.5):
        sample = some_tiles(x, 128, share)
        yield f"statistics of {share:.0%} of its tiles", lambda sample=sample: with_statistics_of(network, sample)(x)
    yield "exact statistics, map by map (what --tile does)", lambda: translator(x, tile=256)


def differences(model: Path, folder: Path, side: int) -> None:
    translator = load(model, device="cpu")
    found: dict[str, list[np.ndarray]] = {}
    seconds: dict[str, float] = {}
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in formats.SUFFIXES)
    for file in files:
        picture = images.fit_square(images.read(file), side)
        x = images.to_tensor(picture[None])
        whole = images.to_uint8(translator(x, tile=0)).astype(int)
        with torch.inference_mode():
            for name, translate in candidates(translator, x):
                start = time.process_time()
                answer = images.to_uint8(translate()).astype(int)
                seconds[name] = seconds.get(name, 0) + time.process_time() - start
                found.setdefault(name, []).append(np.abs(answer - whole))
    print(f"{model}: {len(files)} images of {side} px; distance from the whole at once, in grey levels of 255")
    for name, distances in found.items():
        all_of_them = np.concatenate([one.ravel() for one in distances])
        print(
            f"{name:52} mean {all_of_them.mean():7.4f}   over 1: {100 * (all_of_them > 1).mean():8.4f} %   "
            f"most {all_of_them.max():3d}   {seconds[name] / len(files):6.1f} s"
        )


def write_picture(path: Path, side: int) -> None:
    """A smooth image with some grain, made row by row."""
    coarse = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    across = images.resize(coarse, (9, side)).astype(np.float32)
    grain = np.random.default_rng(1).integers(-8, 9, (256, side, 1))

    def bands() -> Iterator[np.ndarray]:
        for top in range(0, side, 256):
            places = np.linspace(0, 8, side)[top : top + 256]
            above, share = np.minimum(places.astype(int), 7), (places % 1)[:, None, None]
            rows = across[above] * (1 - share) + across[above + 1] * share + grain[: len(places)]
            yield np.clip(rows, 0, 255).astype(np.uint8)

    with formats.replacing(path) as file:
        write_bands(file, bands(), (side, side), About(), formats.kind_of(path))


def drawn_network(width: int, blocks: int) -> nn.Module:
    network = ResNetGenerator(ResNetConfig(width=width, blocks=blocks))
    initialise(network, "kaiming", 1.0, torch.Generator().manual_seed(0))
    return network


def one_file(folder: Path, source: Path, tile: int, width: int, blocks: int) -> None:
    """In a process of its own: its peak of memory is that of this file alone."""
    torch.set_num_threads(1)
    translator = Translator({"a2b": drawn_network(width, blocks)}, domains={"a": "a", "b": "b"}, size_px=256)
    translator(np.zeros((64, 64, 3), np.uint8))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, busy = time.time(), time.process_time()
    summary = translate_files(translator, source, folder / "out", tile=tile)
    assert not summary.failed, summary
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    above, below = (peak - before) / 2**20, before / 2**20
    spent = f"{time.process_time() - busy:.0f} s of one core ({time.time() - start:.0f} s passed)"
    print(f"tiles of {tile} px: {above:.2f} GiB above the {below:.2f} GiB of Python, torch and the model; {spent}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a run or a translator")
    parser.add_argument("--pictures", type=Path, help="a folder of images")
    parser.add_argument("--side", type=int, default=1024, help="pixels of a side")
    parser.add_argument("--tile", type=int, default=512, help="pixels of a tile's side")
    parser.add_argument("--width", type=int, default=64, help="channels of the network")
    parser.add_argument("--blocks", type=int, default=9, help="its residual blocks")
    parser.add_argument("--suffix", default=".png", help="the kind of file")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.model:
        differences(arguments.model, arguments.pictures, arguments.side)
        return
    if arguments.file:
        one_file(arguments.file.parent, arguments.file, arguments.tile, arguments.width, arguments.blocks)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"picture{arguments.suffix}")
        write_picture(file, arguments.side)
        print(f"{arguments.side} x {arguments.side} px, ResNet of width {arguments.width}, {arguments.blocks} blocks")
        again = [f"--{name}={getattr(arguments, name)}" for name in ("tile", "width", "blocks")]
        subprocess.run([sys.executable, __file__, f"--file={file}", *again], check=True)


if __name__ == "__main__":
    main()
