"""A folder in which the names that the guides use exist, all of it small and drawn by the tests."""

import os
import shlex
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from viceversa.cli import main
from viceversa.data.avatars import write_dataset
from viceversa.networks import PatchGANConfig, ResNetConfig

from ..inference.published_code import judge, theirs
from ..preparation.conftest import view, write_film
from .pages import ROOT, shortened

RUNS = {
    "runs/swap": "train cyclegan --a women --b men --evaluate-every 4",
    "runs/monet": "train cyclegan --data paintings-data",
    "runs/first": "train cyclegan --data faces --evaluate-every 4",
    "runs/second": "train cyclegan --data faces --lambda-cycle 5",
    "runs/faces": "train dcgan --data portraits",
    "runs/codes": "train infogan --builtin digits",
    "models/horses": "train cyclegan --data faces",
}
EXTRAS = (
    "av", "gradio", "httpx", "huggingface_hub", "onnxruntime", "openvino", "scenedetect", "sklearn", "tifffile",
    "torchmetrics",
)  # fmt: skip
PROGRAMS = ("curl", "openssl")
"""That the guides use, and Python does not bring."""


@pytest.fixture(scope="session")
def things(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data sets, images, videos and files of weights."""
    for module in EXTRAS:
        pytest.importorskip(module, reason="the guides use all of it: pip install 'viceversa[all,dev]'")
    root = tmp_path_factory.mktemp("things")
    write_dataset(root / "faces", count=24, test=6, size_px=32)
    parts = {
        "women": "trainA",
        "men": "trainB",
        "cats": "trainA",
        "dogs": "trainB",
        "portraits": "testA",
        "paintings-data": "",
    }
    for name, part in parts.items():
        shutil.copytree(root / "faces" / part, root / name)
    draw_views(root)
    draw_scans(root)
    for seed, side in enumerate(("ct", "mr")):
        (root / side).mkdir()
        for number in range(4):
            values = np.random.default_rng(10 * seed + number).integers(-1000, 2000, (272, 272), dtype=np.int16)
            np.save(root / side / f"{number}.npy", values)
    scenes = [view(200 + seed, 272, 408) for seed in range(8)]
    write_film(root / "film.mkv", [scene[:, 4 * step :][:, :360] for scene in scenes for step in range(12)])
    write_film(root / "clip.mp4", [view(90, 32, 88)[:, 2 * step :][:, :48] for step in range(20)])
    (root / "holiday").mkdir()
    shutil.copy(root / "clip.mp4", root / "holiday")
    shutil.copy(root / "portrait.jpg", root / "holiday")
    shutil.copy(root / "portrait.jpg", root / "cat.jpg")
    for name in ("latest_net_G_A.pth", "latest_net_G_B.pth"):
        torch.save(theirs(ResNetConfig(width=4, blocks=1)).state_dict(), root / name)
    for name in ("latest_net_D_A.pth", "latest_net_D_B.pth"):
        torch.save(judge(PatchGANConfig(width=4, layers=2)).state_dict(), root / name)
    runtime = root / "node_modules/onnxruntime-web/dist"
    runtime.mkdir(parents=True)
    (runtime / "ort.webgpu.bundle.min.mjs").write_text("// loads ort-wasm-simd-threaded.wasm")
    (runtime / "ort-wasm-simd-threaded.wasm").write_bytes(b"stand-in")
    (root / "benchmarks").symlink_to(ROOT / "benchmarks")
    (root / ".venv").symlink_to(sys.prefix)
    (root / ".curlrc").write_text("fail-with-body\nshow-error\nno-progress-meter\n")  # an error of HTTP is one
    return root


def draw_views(root: Path) -> None:
    """Photographs of their own, with labels, and side by side as pairs."""
    for folder in ("photos", "labels", "photographs", "facades/train", "facades/test", "more"):
        (root / folder).mkdir(parents=True)
    for seed in range(24):
        photo = Image.fromarray(view(seed, 272, 272))
        labels = photo.quantize(4, Image.Quantize.FASTOCTREE).convert("RGB")
        photo.save(root / f"photos/{seed:02}.jpg", quality=95)
        labels.save(root / f"labels/{seed:02}.png")
        pair = np.concatenate([np.asarray(one.resize((64, 64))) for one in (photo, labels)], axis=1)
        Image.fromarray(pair).save(root / "facades" / ("test" if seed > 20 else "train") / f"{seed:02}.png")
        Image.fromarray(view(100 + seed, 272, 272)).save(root / f"more/{seed:02}.png")
    labels.save(root / "map.png")
    shutil.copy(root / "photos/00.jpg", root / "photographs")
    Image.fromarray(view(50, 90, 70)).save(root / "portrait.jpg")
    Image.fromarray(view(51, 300, 700)).save(root / "panorama.png")
    with zipfile.ZipFile(root / "more.zip", "w") as archive:
        for picture in (root / "more").iterdir():
            archive.write(picture, picture.name)


def draw_scans(root: Path) -> None:
    """Images of 16 bits."""
    grey = view(60, 40, 60).astype(np.uint16)[..., 0] * 257
    np.save(root / "scan.npy", grey)
    (root / "scans").mkdir()
    for name in ("scan.tif", "scan.png"):
        Image.fromarray(grey).save(root / name)
        shutil.copy(root / name, root / "scans")


@pytest.fixture(scope="session")
def make_run(things: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``make_run("runs/swap")``: a folder of that run, made when it is first asked for."""
    made = tmp_path_factory.mktemp("made")

    def make(name: str) -> Path:
        if not (made / name).exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(things)
                command = shortened(f"viceversa {RUNS[name]}")
                assert main([*shlex.split(command)[1:], "--out", str(made / name)]) == 0
        return made / name

    return make


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def hub(make_run: Callable[[str], Path], tmp_path: Path) -> Iterator[None]:
    """A hub that has the guide's model already, at the version that it names."""
    from ..inference.hub_stand_in import Repository, hub_here

    with hub_here(tmp_path / "fetched") as served:
        repository = served.repositories["ann/women-and-men"] = Repository(private=False)
        files = {file.name: file.read_bytes() for file in (make_run("runs/swap") / "translator").iterdir()}
        repository.tags["v1.0"] = repository.commit("first", files)
        yield


@pytest.fixture
def lay_out(
    things: Path,
    make_run: Callable[[str], Path],
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Callable[[str], None]:
    """``lay_out(text)``: a folder with all that ``text`` names; one stands in it."""

    def lay(text: str) -> None:
        for program in PROGRAMS:
            if program in text and not shutil.which(program):
                pytest.skip(f"needs {program}, which this guide uses")
        shutil.copytree(things, tmp_path / "desk", symlinks=True)
        for name in RUNS:
            if name in text:
                shutil.copytree(make_run(name), tmp_path / "desk" / name)
        if "hf://" in text:
            request.getfixturevalue("hub")
        monkeypatch.chdir(tmp_path / "desk")

    programs = Path(sys.executable).parent
    for name, value in {
        "PATH": f"{programs}:{os.environ['PATH']}", "CURL_HOME": str(tmp_path / "desk"), "NO_PROXY": "*",
        "XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return lay
