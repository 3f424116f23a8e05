"""The page in the hands of somebody who means ill: its library's own routes, asked by hand."""

import contextlib
import json
import os
import socket
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="needs pip install 'viceversa[serve]'")
httpx = pytest.importorskip("httpx", reason="needs pip install 'viceversa[dev]'")


@contextlib.contextmanager
def serving(folder, *options: str):
    from .conftest import Server

    started = Server(folder, "--max-bytes", "200000", *options)
    try:
        until = time.monotonic() + 400
        while "gradio" not in httpx.get(started.url, trust_env=False, timeout=300).text:
            assert started.process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.2)
        yield started
        started.process.terminate()
        assert started.end() == (0, "")  # and its log tells of no fault
    finally:
        started.process.kill()
        started.process.communicate()


@pytest.fixture(scope="module")
def server(folder):
    """One server for all: its page takes seconds to import."""
    with serving(folder) as started:
        yield started


@pytest.fixture
def visitor(server):
    with httpx.Client(base_url=server.url, timeout=300, trust_env=False) as client:
        yield client


def translate(visitor, path: object, session: str = "s") -> httpx.Response:
    """Asks the page to translate a file, as its own script does."""
    listeners = visitor.get("/config").json()["dependencies"]
    number = next(one["id"] for one in listeners if one["api_name"] == "translate")
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    body = {"data": [file, "swap", "b", "", 95], "fn_index": number, "session_hash": session}
    return visitor.post("/gradio_api/queue/join", json=body)


def result(visitor, session: str = "s") -> dict:
    """What became of it."""
    with visitor.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as answer:
        for line in answer.iter_lines():
            if "process_completed" in line:
                return json.loads(line.removeprefix("data: "))["output"]
    raise AssertionError("It never ended.")


def upload(visitor, data: bytes, name: str = "portrait.png") -> httpx.Response:
    return visitor.post("/gradio_api/upload", files={"files": (name, data)})


def test_what_was_uploaded_is_translated_and_can_be_fetched(visitor, file):
    (path,) = upload(visitor, file()).json()
    assert translate(visitor, path).status_code == 200
    (before, after), saved, said = result(visitor)["data"]
    assert "20 × 24 px" in said
    for shown in (before, after, saved["value"]):
        assert visitor.get(f"/gradio_api/file={shown['path']}").status_code == 200


def test_no_other_file_of_the_machine_is_read(visitor, tmp_path):
    secret = tmp_path / "secret.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(secret)
    for path in (str(secret), f"/proc/self/root{secret}", "pyproject.toml", "a\0b", "x" * 5000, 7, ["/etc/passwd"]):
        answer = translate(visitor, path)
        assert (answer.status_code, answer.text) == (403, "The page has no such file; upload it.")
    (inside,) = upload(visitor, b"x").json()
    root = Path(inside).parents[1]
    assert translate(visitor, f"{root}/../../..{secret}").status_code == 403
    body = {"data": ["swap", {"deep": [{"path": str(secret)}]}], "fn_index": 0, "session_hash": "s"}
    assert visitor.post("/gradio_api/run/predict", json=body).status_code == 403
    assert visitor.get(f"/gradio_api/file={secret}").status_code == 403
    assert visitor.get("/gradio_api/file=/etc/passwd").status_code == 403


def test_a_folder_that_is_called_a_file_does_no_harm(visitor, file):
    """The library would remove it as one, now or when the server ends, and fail: `serving` looks how it ends."""
    (path,) = upload(visitor, file()).json()
    for place in (Path(path).parent, Path(path).parents[1]):
        assert translate(visitor, str(place)).status_code == 200
        assert "not kept here any more" in result(visitor)["error"]
    assert translate(visitor, path).status_code == 200
    assert "px" in result(visitor)["data"][2]


def test_visitors_under_ever_new_names_do_not_fill_the_memory(server, visitor):
    def visit(count: int, name: str) -> int:
        """What the server takes after it, in MB."""
        for index in range(count):
            body = {"data": ["swap"], "fn_index": 0, "session_hash": f"{name}{index}"}
            assert visitor.post("/gradio_api/run/predict", json=body).status_code == 200
        told = Path(f"/proc/{server.process.pid}/status").read_text()
        return int(told.split("VmRSS:")[1].split()[0]) // 1000

    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")
    before = visit(550, "early")
    assert visit(600, "late") - before < 15, "some 30 without a bound"


def test_no_address_is_fetched_for_a_visitor(visitor):
    for url in ("http://192.0.2.1/x.png", "https://example.org/x.png"):
        assert translate(visitor, url).status_code == 403
        assert visitor.get(f"/gradio_api/file={url}").status_code == 403
        assert visitor.get(f"/gradio_api/proxy={url}").status_code == 404


def test_what_the_page_does_not_need_is_closed(visitor):
    for method, path in (
        ("POST", "process_recording"), ("GET", "deep_link?session_hash=s"), ("POST", "component_server"),
        ("POST", "run-history/connect"), ("GET", "vibe-code"), ("GET", "openapi.json"), ("POST", "stream/x"),
        ("POST", "call/translate"), ("GET", "file/etc/passwd"), ("DELETE", "upload"), ("GET", "../monitoring"),
    ):  # fmt: skip
        answer = visitor.request(method, f"/gradio_api/{path}", content=b"{}")
        assert answer.status_code == 404, path
        assert "Not Found" in answer.text


def test_calls_that_are_none(visitor):
    for body in (b"{", b"\xff", b"[" * 50_000, b'"\\ud800'):
        assert visitor.post("/gradio_api/queue/join", content=body).status_code == 422
    assert visitor.post("/gradio_api/queue/join", content=b" " * 100_000).status_code == 413


def test_an_upload_that_promises_less_than_it_sends_is_refused_in_a_sentence(visitor):
    form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n' + b"x" * 400_000
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = visitor.post("/gradio_api/upload", content=iter([form]), headers=headers)
    assert answer.status_code == 413
    assert "larger than 0.2 MB" in answer.text


def test_a_small_disk_under_a_path_of_a_proxy(folder, file):
    """Two things of one server, since its page takes seconds to import."""
    options = ("--root-path", "/swap", "--max-disk-bytes", "2000000")
    with (
        serving(folder, *options) as server,
        httpx.Client(base_url=f"{server.url}/swap", timeout=300, trust_env=False) as visitor,
    ):
        assert visitor.get("/config").json()["root"] == f"{server.url}/swap"
        (path,) = upload(visitor, file()).json()
        assert translate(visitor, path).status_code == 200
        ((before, _), _, _) = result(visitor)["data"]
        assert before["url"].startswith(f"{server.url}/swap/gradio_api/file=")
        assert httpx.get(before["url"], trust_env=False).status_code == 200
        assert httpx.get(f"{server.url}/swap/gradio_api/file=/etc/passwd", trust_env=False).status_code == 403

        # A visitor cannot fill the disk.
        paths = []
        while (answer := upload(visitor, os.urandom(180_000))).status_code == 200:
            paths += answer.json()
            assert len(paths) < 20
        assert (answer.status_code, answer.headers["retry-after"]) == (507, "60")
        assert answer.text == "All room that the page has on disk is in use. Try again in 60 s."
        # What nobody has used for a minute makes memory, the oldest first.
        for index, path in enumerate(paths):
            os.utime(path, (time.time() - 1000 + index,) * 2)
        (new,) = upload(visitor, os.urandom(180_000)).json()
        kept = [Path(path).exists() for path in [*paths, new]]
        assert kept == sorted(kept)
        assert kept[-1]
        assert not kept[0]
        # What is gone is said to be gone.
        assert translate(visitor, paths[0]).status_code == 200
        assert "not kept here any more; upload it again" in result(visitor)["error"]
        # Results count too.
        for path in paths[1:]:
            with contextlib.suppress(FileNotFoundError):
                os.utime(path, (time.time(),) * 2)
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (240, 240, 3), np.uint8)).save(new, "PNG")
        for _ in range(4):
            assert translate(visitor, new).status_code == 200
            answer = result(visitor)
        assert "All room that the page has on disk is in use" in answer["error"]


def test_an_upload_that_breaks_off_leaves_nothing(server, visitor):
    (path,) = upload(visitor, b"x").json()
    page = Path(path).parents[1]
    form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n' + b"x" * 100_000
    head = "POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 150000\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode() + form)
        until = time.monotonic() + 300
        while not any(one.is_file() for one in page.iterdir()):
            assert time.monotonic() < until
            time.sleep(0.01)
    while any(one.is_file() for one in page.iterdir()):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert Path(path).exists()
