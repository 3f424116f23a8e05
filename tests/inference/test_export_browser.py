"""The page that translates by itself, in a real browser.

It needs Chromium, and the files of onnxruntime-web: ``npm install onnxruntime-web`` in the root of the repository, or
the folder ``dist`` in the environment variable ``ONNXRUNTIME_WEB``.
"""

import functools
import http.server
import io
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from torch import Generator

from viceversa.cli import main
from viceversa.errors import ConfigError
from viceversa.inference.onnx.browser import read_runtime, write_page
from viceversa.inference.onnx.export import Exported, export
from viceversa.inference.translator import save_translator
from viceversa.networks import ResNetConfig, ResNetGenerator, initialise

ROOT = Path(__file__).resolve().parents[2]
DIST = Path(os.environ.get("ONNXRUNTIME_WEB", ROOT / "node_modules" / "onnxruntime-web" / "dist"))
PATIENCE_MS = 240_000  # machines that run tests are busy


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_api.sync_playwright() as playwright:
        path = path or playwright.chromium.executable_path
        if not Path(path).is_file():
            pytest.skip("needs Chromium: apt install chromium, or playwright install chromium")
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A folder with men.onnx and men.html, of a small network with random weights."""
    if not DIST.is_dir():
        pytest.skip(f"needs onnxruntime-web: npm install onnxruntime-web, or ONNXRUNTIME_WEB; not in {DIST}")
    runtime = read_runtime(DIST)
    root = tmp_path_factory.mktemp("site")
    network = ResNetGenerator(ResNetConfig(width=4, blocks=1)).eval()
    initialise(network, "xavier", 1.0, Generator().manual_seed(1))
    domains = {"a": "<women>", "b": "men & boys"}
    save_translator(root / "model", {"a2b": network}, method="cyclegan", domains=domains, size_px=32, images=9)
    exported = export(root / "model", root / "web" / "men.onnx")
    assert write_page(exported, runtime) == root / "web" / "men.html"
    return exported


@pytest.fixture
def address(site: Exported) -> Iterator[str]:
    """The page behind Python's own web server."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    handler = functools.partial(Handler, directory=site.file.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A new page; ``page.asked`` are the addresses that it asked for, ``page.wrong`` what went wrong in it."""
    opened = browser.new_page(viewport={"width": 1000, "height": 900}, accept_downloads=True)
    opened.set_default_timeout(PATIENCE_MS)
    opened.asked, opened.wrong = [], []
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.on("pageerror", lambda error: opened.wrong.append(str(error)))
    yield opened
    opened.close()


def portrait() -> np.ndarray:
    coarse = np.random.default_rng(3).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((61, 47), Image.Resampling.BICUBIC))


def translated_by(page: Any) -> np.ndarray:
    """Gives the page the portrait, and takes the image that it offers for download."""
    content = io.BytesIO()
    Image.fromarray(portrait()).save(content, "png")
    page.set_input_files("#drop input", {"name": "portrait.png", "mimeType": "image/png", "buffer": content.getvalue()})
    page.wait_for_selector("#save:not([hidden])")
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "portrait-men & boys.png"
    with Image.open(download.value.path()) as picture:
        return np.asarray(picture.convert("RGB"))


def assert_as_outside(answer: np.ndarray, site: Exported) -> None:
    session = onnxruntime.InferenceSession(str(site.file))
    (expected,) = session.run(None, {"picture": portrait()[None]})
    assert expected.std() > 2
    assert answer.shape == expected[0].shape
    assert np.abs(answer.astype(int) - expected[0]).max() <= 1


def test_it_translates_behind_a_web_server_and_sends_nothing(page, address, site, tmp_path):
    page.goto(address + "men.html")
    assert page.title() == "<women> → men & boys"
    page.wait_for_selector("#drop:not([hidden])")
    assert "WebAssembly" in page.inner_text("#status")
    loaded = len(page.asked)
    assert_as_outside(translated_by(page), site)
    assert "61 × 47 px, translated in" in page.inner_text("#status")
    assert all(one.startswith((address, "blob:", "data:")) for one in page.asked), page.asked
    assert not [one for one in page.asked[loaded:] if one.startswith("http")], "nothing is asked for with an image"
    assert page.wrong == []
    page.screenshot(path=tmp_path / "page.png")


def test_opened_from_disk_it_asks_for_the_model(page, site):
    page.goto((site.file.parent / "men.html").as_uri())
    page.wait_for_selector("#ask:not([hidden])")
    assert "men.onnx" in page.inner_text("#status")
    page.set_input_files("#ask input", site.file)
    page.wait_for_selector("#drop:not([hidden])")
    assert_as_outside(translated_by(page), site)
    assert page.wrong == []


def test_what_is_missing_or_mistaken_is_said(page, address, site):
    (site.file.parent / "alone").mkdir()
    shutil.copy(site.file.with_suffix(".html"), site.file.parent / "alone" / "men.html")
    page.goto(address + "alone/men.html")
    page.wait_for_selector("#status.wrong")
    assert page.inner_text("#status") == "men.onnx is not beside this page."
    text = {"name": "notes.onnx", "mimeType": "text/plain", "buffer": b"no model"}
    page.set_input_files("#ask input", text)
    page.locator("#status.wrong", has_text="This is no translator that can be used here").wait_for()
    page.set_input_files("#ask input", site.file)
    page.wait_for_selector("#drop:not([hidden])")
    page.set_input_files("#drop input", text | {"name": "notes.txt"})
    page.locator("#status.wrong", has_text="notes.txt is no image that this browser can read.").wait_for()
    assert page.wrong == []


@pytest.mark.parametrize("left_out", [".mjs", ".wasm"])
def test_a_folder_without_the_runtime_is_refused(left_out, tmp_path):
    files = {
        "ort.webgpu.bundle.min.mjs": b'"ort-wasm-simd-threaded.asyncify.wasm"',
        "ort-wasm-simd-threaded.asyncify.wasm": b"wasm",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert read_runtime(tmp_path).wasm == b"wasm"
    (path,) = tmp_path.glob(f"*{left_out}")
    path.unlink()
    with pytest.raises(ConfigError, match="npm install onnxruntime-web"):
        read_runtime(tmp_path)


@pytest.mark.parametrize("out", [".", "..", "/", "men", "men.html"])
def test_a_name_that_is_none_for_a_model_is_said_before_its_page_is_looked_for(out, tmp_path, monkeypatch, capsys):
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "ort.webgpu.bundle.min.mjs").write_text('load("ort-wasm-simd-threaded.wasm")')
    (tmp_path / "dist" / "ort-wasm-simd-threaded.wasm").touch()
    (tmp_path / "men.html").touch()
    monkeypatch.chdir(tmp_path)
    assert main(["export", "model", "--out", out, "--browser", "dist"]) == 2
    said = f"viceversa: {out} is no name for the file; give one that ends in .onnx.\n"
    assert capsys.readouterr() == ("", said)
