"""What small files that would unpack to gigabytes cost: memory above a harmless file, processor time, the refusal.

    python benchmarks/hostile.py [--only png] [--commands translate inspect]

Each file goes through each command in a process of its own, forked from one that has imported everything; `serve` is
one server that gets them all. Linux only. The files are those of tests/bombs.py, and are made in a temporary folder.
"""

import argparse
import contextlib
import http.client
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import bombs

from viceversa.cli import main
from viceversa.inference.translator import save_translator
from viceversa.networks import ResNetConfig, ResNetGenerator

MOST_BYTES, MOST_SECONDS = 300 * bombs.MIB, 10
LIMIT_BYTES, LIMIT_SECONDS = 8 * 2**30, 60  # of a process, so that a bomb does no harm here
SMALL = [
    "--size", "16", "--width", "4", "--blocks", "1", "--discriminator-width", "4", "--discriminator-layers", "2",
    "--images", "2", "--samples", "1", "--sample-pictures", "1", "--device", "cpu", "--precision", "32-true",
]  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """Of one file in one command."""

    bytes: int
    seconds: float
    code: int
    said: str


def beside(folder: Path) -> None:
    """Makes harmless images, since no command takes one image alone for a data set."""
    for index in range(3):
        Image.new("RGB", (64, 64), (index, 99, 9)).save(folder / f"{index}.png")


def inspect(file: Path, place: Path) -> list[str]:
    return ["inspect", str(file.parent)]


def prepare(file: Path, place: Path) -> list[str]:
    return ["prepare", str(file), "--out", str(place / "made"), "--size", "16"]


def train(file: Path, place: Path) -> list[str]:
    other = place / "b"
    other.mkdir()
    beside(other)
    folders = ["--a", file.parent, "--b", other, "--out", place / "run", "--cache", place / "c"]
    return ["train", "cyclegan", *map(str, folders), *SMALL]


SIZES = {
    "pages.tif": (2048, 2048), "pages-8-bits.tif": (2048, 2048), "large-frames.gif": (2000, 2000),
    "frames.png": (1024, 1024),
}  # fmt: skip
"""Of files that are served, since the API takes the first image."""
COMMANDS: dict[str, Callable[[Path, Path], list[str]]] = {"inspect": inspect, "prepare": prepare, "train": train}


def forked(arguments: list[str], place: Path) -> Cost:
    """Runs a command of the program in a process of its own."""
    said = place / "said"
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_SECONDS, LIMIT_SECONDS))
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        code = 99
        with contextlib.suppress(BaseException):
            code = main(arguments)
        os._exit(code)
    _, status, usage = os.wait4(child, 0)
    text = said.read_text(errors="replace")
    seconds = usage.ru_utime + usage.ru_stime
    return Cost(usage.ru_maxrss * 1024, seconds, os.waitstatus_to_exitcode(status), " ".join(text.split()))


class Served:
    """A server in a process of its own."""

    def __init__(self, folder: Path):
        command = [sys.executable, "-m", "viceversa", "serve", str(folder), "--port", "0", "--no-page"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().split(" at ")[1].split()[0].rsplit(":", 1)[1])
        self.about = Path(f"/proc/{self.process.pid}")

    def post(self, data: bytes) -> Cost:
        """Uploads a file."""
        (self.about / "clear_refs").write_text("5")
        before = self.seconds()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("POST", "/v1/translate", data)
        answer = connection.getresponse()
        content = answer.read()
        said = "" if answer.status == 200 else content.decode()
        (peak,) = re.findall(r"^VmHWM:\s*(\d+)", (self.about / "status").read_text(), re.MULTILINE)
        return Cost(1024 * int(peak), self.seconds() - before, answer.status, said)

    def seconds(self) -> float:
        """Of the processor."""
        fields = (self.about / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def files(only: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """All, or those whose names hold ``only``."""
    every = {**bombs.TIFFS, **bombs.OTHERS, **bombs.ARCHIVES, **bombs.VIDEOS}
    return ((name, make) for name, make in every.items() if only in name)


def harmless(name: str) -> bytes:
    """A small file of a kind that every command reads."""
    if name in bombs.ARCHIVES:
        return bombs.harmless_zip()
    return bombs.video(64, 64) if name in bombs.VIDEOS else bombs.saved("PNG", size=(64, 64))


def reads(command: str, name: str) -> bool:
    """Whether a command takes a file of this kind at all."""
    if name in bombs.ARCHIVES:
        return command == "prepare"
    return name not in bombs.VIDEOS or command in ("prepare", "translate")


def measure(only: str, commands: list[str], place: Path) -> int:
    """Prints a line for each; returns how many cost too much."""
    model = place / "model"
    torch.set_num_threads(1)
    save_translator(
        model, {"a2b": ResNetGenerator(ResNetConfig(width=4, blocks=1))}, method="cyclegan",
        domains={"a": "a", "b": "b"}, size_px=32, images=1,
    )  # fmt: skip
    made: dict[str, Callable[[Path, Path], list[str]]] = {
        "translate": lambda file, place: ["translate", str(model), str(file), "--out", str(place / "out")],
        **COMMANDS,
    }
    server = Served(model) if "serve" in commands else None
    bad = 0
    print(f"{'file':34} {'kB':>6} {'command':10} {'MB above':>9} {'seconds':>8} {'code':>5}  said", flush=True)
    for name, make in files(only):
        data = make()
        for command in commands:
            if command == "serve" and (name in bombs.ARCHIVES or name in bombs.VIDEOS):
                continue  # the API takes images
            if (name in bombs.ARCHIVES and command != "prepare") or (
                name in bombs.VIDEOS and command in ("inspect", "train")
            ):
                continue
            costs: list[Cost] = []
            for content in (harmless(name), data):
                if command == "serve":
                    assert server is not None
                    costs.append(server.post(content))
                    if costs[-1].code == 200 and costs[1:]:  # no more of it was unpacked: it is like any of its size
                        costs[0] = server.post(bombs.saved("PNG", size=SIZES.get(name, (64, 64))))
                    continue
                folder = place / "files"
                folder.mkdir()
                (folder / name).write_bytes(content)
                beside(folder)
                scratch = place / "scratch"
                scratch.mkdir()
                costs.append(forked(made[command](folder / name, scratch), scratch))
                shutil.rmtree(folder)
                shutil.rmtree(scratch)
            more = costs[1].bytes - costs[0].bytes
            over = more > MOST_BYTES or costs[1].seconds > MOST_SECONDS or "Traceback" in costs[1].said
            bad += over
            found = re.search(rf"[^ ]*{re.escape(name)}:? .*", costs[1].said)
            said = (found[0] if found else costs[1].said)[:150].replace(str(place), "")
            print(
                f"{name:34} {len(data) / 1e3:6.0f} {command:10} {more / 1e6:9.0f} {costs[1].seconds:8.1f} "
                f"{costs[1].code:5}  {said}{'  TOO MUCH' if over else ''}",
                flush=True,
            )
    if server is not None:
        server.process.terminate()
        server.process.wait()
    return bad


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="files whose names hold this")
    parser.add_argument("--commands", nargs="+", default=["translate", *COMMANDS, "serve"])
    given = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        count = measure(given.only, given.commands, Path(folder))
    print(
        f"{count} cost more than {MOST_BYTES / 1e6:.0f} MB or {MOST_SECONDS} s; {time.monotonic() - begun:.0f} s in all"
    )
    sys.exit(count > 0)
