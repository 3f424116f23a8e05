"""The command as people run it: starting, being told to stop, being killed, mistakes."""

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from viceversa.cli import main

httpx = pytest.importorskip("httpx", reason="needs pip install 'viceversa[dev]'")


def test_sigterm_loses_nothing_that_was_accepted(start, folder, file):
    server = start(folder, "--no-page", "--batch", "1")
    given = [file(96, 96, seed=seed) for seed in range(24)]
    with httpx.Client(base_url=server.url, timeout=300, trust_env=False) as client, ThreadPoolExecutor(24) as pool:
        client.post("/v1/translate", content=given[0])

        def post(data: bytes):
            try:
                return client.post("/v1/translate", content=data)
            except httpx.TransportError as error:  # the door was closed already
                return error

        waiting = [pool.submit(post, data) for data in given]
        accepted = 0
        while accepted < 12:
            text = client.get("/metrics").text
            accepted = float(text.split("\nviceversa_accepted ")[1].split()[0])
            assert not all(one.done() for one in waiting), "it was faster than this test; give it more to do"
        server.process.terminate()
        answers = [one.result() for one in waiting]
    done = [one for one in answers if getattr(one, "status_code", 0) == 200]
    refused = [one for one in answers if getattr(one, "status_code", 0) == 503]
    assert len(done) >= accepted
    assert all(len(one.content) > 1000 for one in done)
    assert all(one.json()["error"]["code"] == "stopping" for one in refused)
    assert server.end() == (0, "")
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url, trust_env=False)


def test_after_kill_it_serves_again_on_the_same_port(start, folder, file):
    server = start(f"one={folder}", "--no-page")
    with httpx.Client(base_url=server.url, timeout=300, trust_env=False) as client:
        client.post("/v1/translate", content=file())
        server.process.kill()
        server.process.wait()
    again = start(f"one={folder}", "--no-page", port=server.port)
    assert httpx.post(f"{again.url}/v1/translate", content=file(), trust_env=False).status_code == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Name the models to serve"),
        (("{folder}", "{folder}/translator"), "would both be called swap"),
        (("a b={folder}",), "is no name for a model"),
        (("{folder}/nothing",), "There is no folder"),
        (("{folder}", "--port", "{taken}"), "is in use by another program; choose another: --port"),
        (("{folder}", "--host", "no.such.host.invalid"), "there is no such address"),
        (("{folder}", "--queue", "0"), "--queue must be at least 1"),
        (("{folder}", "--api-key-file", "{folder}/none"), "cannot be read"),
    ],
)
def test_mistakes_are_one_sentence(folder, capsys, arguments, said):
    with socket.create_server(("127.0.0.1", 0)) as other:
        filled = [text.format(folder=folder, taken=other.getsockname()[1]) for text in arguments]
        if "--port" not in filled:
            filled += ["--port", "0"]
        assert main(["serve", *filled]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


HELP = """
import sys
from viceversa.cli import main
try:
    main(["serve", "--help"])
finally:
    print(*sys.modules, file=sys.stderr)
"""


def test_help_does_not_load_the_server():
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True)
    assert done.returncode == 0
    assert "--max-pixels" in done.stdout
    assert "tyro" in done.stderr.split()
    assert not {"torch", "gradio", "fastapi", "uvicorn", "starlette"} & set(done.stderr.split())


@pytest.mark.skipif(sys.platform != "linux", reason="PyTorch for Linux brings the library that says so")
@pytest.mark.parametrize("wanted", ["", "active"])
def test_threads_of_the_network_sleep_while_they_wait_unless_told_otherwise(tmp_path, monkeypatch, wanted):
    monkeypatch.setenv("OMP_DISPLAY_ENV", "VERBOSE")
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if wanted:
        monkeypatch.setenv("OMP_WAIT_POLICY", wanted)
    command = [sys.executable, "-m", "viceversa", "serve", tmp_path / "none"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "GOMP_SPINCOUNT = " in done.stderr
    assert ("GOMP_SPINCOUNT = '0'" in done.stderr) == (not wanted)
