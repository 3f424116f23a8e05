"""A server whose terminal is closed ends as on SIGTERM: what it has accepted is answered first."""

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

httpx = pytest.importorskip("httpx", reason="needs pip install 'viceversa[dev]'")


@pytest.fixture
def _hearing():
    """What is started here hears SIGHUP, also if the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def _deaf():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("_hearing")
def test_sighup_loses_nothing_that_was_accepted(start, folder, file):
    server = start(folder, "--no-page", "--batch", "1")
    given = [file(96, 96, seed=seed) for seed in range(12)]
    with httpx.Client(base_url=server.url, timeout=300, trust_env=False) as client, ThreadPoolExecutor(12) as pool:
        waiting = [pool.submit(client.post, "/v1/translate", content=data) for data in given]
        accepted = 0.0
        while accepted < 6:
            accepted = float(client.get("/metrics").text.split("\nviceversa_accepted ")[1].split()[0])
            assert not all(one.done() for one in waiting), "it was faster than this test; give it more to do"
        server.process.send_signal(signal.SIGHUP)
        while client.post("/v1/translate", content=given[0]).status_code != 503:
            pass
        server.process.send_signal(signal.SIGHUP)  # the system sends one, and the shell another
        failures = [one.exception() for one in waiting]
    codes = [one.result().status_code for one, failure in zip(waiting, failures, strict=True) if failure is None]
    assert all(isinstance(failure, httpx.TransportError) for failure in failures if failure), "the door was closed"
    assert codes.count(200) >= accepted
    assert set(codes) <= {200, 503}
    assert server.end() == (0, "")


@pytest.mark.usefixtures("_deaf")
def test_under_nohup_it_goes_on_serving(start, folder, file):
    server = start(folder, "--no-page")
    server.process.send_signal(signal.SIGHUP)
    with httpx.Client(base_url=server.url, timeout=300, trust_env=False) as client:
        assert client.post("/v1/translate", content=file()).status_code == 200
    server.process.terminate()
    assert server.end() == (0, "")
