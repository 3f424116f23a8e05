"""Nothing leaves the machine by itself: whole commands without a network, and a look at what they leave behind."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("needs Linux: a network namespace, and the counters in /proc/net", allow_module_level=True)
for module in ("av", "cv2", "gradio", "onnxruntime", "openvino", "scenedetect", "torchmetrics"):
    pytest.importorskip(module, reason="needs pip install 'viceversa[all]'")

UNSHARE = shutil.which("unshare")

COMMANDS = r"""
import fcntl, os, re, signal, socket, struct, sys, threading, time, urllib.request
from pathlib import Path
import numpy as np
from PIL import Image
from viceversa import cli

with socket.socket() as any_socket:  # the loopback is brought up: SIOCSIFFLAGS, IFF_UP
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1))

def run(*arguments):
    assert cli.main(list(arguments)) == 0, arguments

def draw(folder, seed):
    Path(folder).mkdir()
    for index, coarse in enumerate(np.random.default_rng(seed).integers(0, 256, (24, 4, 4, 3), dtype=np.uint8)):
        Image.fromarray(coarse).resize((32, 32), 2).save(f"{folder}/{index}.png")

draw("a", 1)
draw("b", 2)
small = "--size 32 --images 4 --samples 1 --width 4 --device cpu".split()
run("train", "cyclegan", "--a", "a", "--b", "b", *small, "--hold-out", "8", "--blocks", "1",
    "--discriminator-width", "4", "--out", "run")
run("train", "dcgan", "--data", "a", *small, "--batch", "2", "--out", "noise")
run("sample", "noise", "--out", "made.png", "--device", "cpu")
run("export", "run", "--to", "b", "--out", "net.onnx")
run("translate", "run", "a/0.png", "--to", "b", "--out", "new.png", "--device", "cpu")
for engine in "openvino", "onnxruntime":
    run("translate", "net.onnx", "a/0.png", "--out", f"{engine}.png", "--engine", engine)
run("evaluate", "run", "--device", "cpu")
run("compare", "run", "net.onnx", "--a", "a", "--b", "b", "--out", "compared", "--device", "cpu")
run("prepare", "a", "--out", "set", "--size", "32", "--least-sharpness", "0")
from viceversa import demo  # here, not above: a command comes first, as a user types it
demo.PEOPLE, demo.TEST_PEOPLE = 12, 6
run("demo", "--out", "demo", "--minutes", "0.001")

with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
got = {}

def get(path, data=None):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(f"http://127.0.0.1:{port}{path}", data, timeout=120).read()

def visit():
    try:
        until = time.monotonic() + 300
        while time.monotonic() < until:
            time.sleep(0.05)
            try:
                if b"gradio_config" in (page := get("/")):
                    break
            except OSError:
                pass
        got["page"], got["docs"] = page, get("/docs")
        for path in re.findall(rb'(?:src|href)="\.?(/[^"]+\.(?:js|css))"', page):
            got[path.decode()] = get(path.decode())
        got["answer"] = get("/v1/translate?model=run&to=b", Path("a/0.png").read_bytes())
    finally:
        os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=visit).start()
run("serve", "run", "net.onnx", "--port", str(port), "--device", "cpu")
assert got["answer"].startswith(b"\x89PNG")
for name in "page", "docs":
    Path(f"{name}.html").write_bytes(got[name])

def counted(file, kind, name):
    names, values = (line.split() for line in Path("/proc/net", file).read_text().splitlines() if line.startswith(kind))
    return int(values[names.index(name)])

# What has been tried: each address that there is no way to, and each question to a name server of this machine.
Path("tried").write_text(f"{counted('snmp', 'Ip:', 'OutNoRoutes')} {counted('snmp', 'Udp:', 'OutDatagrams')}")
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bool]:
    """A folder in which all commands were run, and whether that was in a network namespace of their own."""
    root = tmp_path_factory.mktemp("alone")
    places = {"HOME": "home", "TMPDIR": "tmp", "XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config",
              "XDG_DATA_HOME": "data", "XDG_STATE_HOME": "state"}  # fmt: skip
    for folder in (*places.values(), "work"):
        (root / folder).mkdir()
    # What a developer has set for himself, or what runs the tests, must not be what keeps libraries silent.
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    environment = {
        **kept, **{name: str(root / folder) for name, folder in places.items()},
        "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "CUDA_VISIBLE_DEVICES": "",
    }  # fmt: skip
    apart = [UNSHARE, "-rn"] if UNSHARE else []
    allowed = bool(apart) and not subprocess.run([*apart, "true"], capture_output=True).returncode
    ended = subprocess.run(
        [*(apart if allowed else []), sys.executable, "-c", COMMANDS if allowed else _WITHOUT_LOOPBACK],
        cwd=root / "work", env=environment, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]
    (root / "work/said").write_text(ended.stdout)
    return root, allowed


_WITHOUT_LOOPBACK = COMMANDS.replace("    fcntl.ioctl", "    pass; #")


def test_without_a_network_all_works_and_none_is_looked_for(done):
    root, allowed = done
    if not allowed:
        pytest.skip("needs unshare -rn, which makes a network namespace; it is not there, or not allowed here")
    assert (root / "work/tried").read_text() == "0 0"


def test_nothing_lies_outside_the_cache_and_what_was_named(done):
    root, _ = done
    assert {path.relative_to(root).as_posix() for path in root.glob("[!w]*/*")} == {"cache/viceversa"}
    made = "a b run noise made.png net.onnx new.png openvino.png onnxruntime.png compared set demo demo-avatars"
    seen = "page.html docs.html tried said"
    assert {path.name for path in (root / "work").iterdir()} == {*made.split(), *seen.split()}


_LOADED = re.compile(
    r"""(?:\b(?:src|srcset|poster|data|action)=|<link[^>]*\bhref=|url\(|@import\s)["']?\s*"""
    r"""(?:https?:)?//(?!127\.0\.0\.1)[^\s"'>]*"""
)


def test_pages_load_nothing_from_elsewhere(done):
    root, _ = done
    pages = [*(root / "work").glob("*.html"), root / "work/run/report.html", root / "work/compared"]
    assert len(pages) == 4
    assert [found for page in pages for found in _LOADED.findall(page.read_text())] == []
    assert _LOADED.findall('<script src="https://example.org/x.js"></script>')
