"""What the server refuses, and that it is no worse for it."""

import asyncio
import base64
import io
import socket
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from viceversa.serving.memory_limit import MemoryLimit


def code(answer) -> str:
    return f"{answer.status_code} {answer.json()['error']['code']}"


def until(condition, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_bytes_are_counted_whatever_the_head_says(serve_here, translator, file):
    client = serve_here(translator.networks, max_bytes=1000)
    small, large = file(8, 8), b"x" * 1001
    assert client.post("/v1/translate", content=small).status_code == 200
    assert code(client.post("/v1/translate", content=large)) == "413 too_large"
    assert code(client.post("/v1/translate", files={"file": large})) == "413 too_large"

    assert code(client.post("/v1/translate", content=b"x" * 10_000)) == "413 too_large", "it alone is never busy"

    def parts(count: int):
        for _ in range(count):
            yield b"x" * 10_000

    assert code(client.post("/v1/translate", content=parts(40))) == "413 too_large"
    # More than a socket holds, sent by a client that reads nothing before all is sent.
    assert code(client.post("/v1/translate", content=b"x" * 3_000_000)) == "413 too_large"
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"x" * 500_000
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert code(client.post("/v1/translate", content=iter([form]), headers=headers)) == "413 too_large"
    until(lambda: client.service.accepted == 0)


def png(width: int, height: int) -> bytes:
    """A head that promises so many pixels, and nothing of them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def test_pixels_are_counted_before_they_are_decoded(serve_here, translator, file):
    client = serve_here(translator.networks, max_pixels=400)
    assert client.post("/v1/translate", content=file(20, 20)).status_code == 200
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"):
        answer = client.post("/v1/translate", content=file(21, 20, kind))
        assert code(answer) == "413 too_large"
        assert "20 x 21 px" in answer.json()["error"]["message"]
    bomb = io.BytesIO()
    Image.new("L", (6000, 6000)).save(bomb, "TIFF", compression="tiff_adobe_deflate")
    for given in (bomb.getvalue(), png(30_000, 30_000), png(2**31 - 1, 2**31 - 1)):
        assert code(client.post("/v1/translate", content=given)) == "413 too_large"


def test_a_full_queue_says_when_to_come_again(serve_here, held, file):
    client = serve_here({"a2b": held}, queue=3)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(client.post, "/v1/translate", content=file(seed=seed)) for seed in range(3)]
        until(lambda: client.service.accepted == 3)
        answer = client.post("/v1/translate", content=file())
        assert code(answer) == "429 busy"
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert "viceversa_accepted 3.0" in client.get("/metrics").text
        held.go.set()
        assert [one.result().status_code for one in waiting] == [200] * 3
    assert client.post("/v1/translate", content=file()).status_code == 200


def test_retry_after_grows_with_what_waits(serve_here, held):
    service = serve_here({"a2b": held}).service
    service.batcher.seconds_each = 2.0
    service.accepted = 10
    assert service.retry_seconds() == 10
    service.accepted = 1000
    assert service.retry_seconds() == 60
    service.accepted = 0
    assert service.retry_seconds() == 1


def test_what_takes_too_long_is_given_up_and_its_place_is_free(serve_here, held, file):
    client = serve_here({"a2b": held}, timeout_seconds=0.5, queue=2)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/translate", content=file()), range(2)))
    for answer in answers:
        assert code(answer) == "503 timeout"
        assert "retry-after" in answer.headers
    assert client.service.accepted == 0
    # So is one that does not send its image to the end.
    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
        connection.sendall(b"POST /v1/translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf")
        assert connection.recv(100).startswith(b"HTTP/1.1 503")
    held.go.set()
    until(lambda: client.service.batcher.waiting == 0)
    assert client.post("/v1/translate", content=file()).status_code == 200


def test_while_it_stops_nothing_new_is_accepted(serve_here, held, file):
    client = serve_here({"a2b": held})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.post, "/v1/translate", content=file())
        until(lambda: client.service.accepted == 1)
        client.service.stopping = True
        assert code(client.get("/healthz")) == "503 stopping"
        answer = client.post("/v1/translate", content=file())
        assert code(answer) == "503 stopping"
        assert "retry-after" in answer.headers
        held.go.set()
        assert waiting.result().status_code == 200


def test_without_the_key_nothing_is_told(serve_here, translator, file):
    client = serve_here(translator.networks, key=b"s3cret")
    for path in ("/v1/models", "/metrics", "/docs", "/openapi.json", "/", "/v1/nothing"):
        assert code(client.get(path)) == "401 no_key"
    assert client.get("/healthz").status_code == 200
    basic = base64.b64encode(b"anyone:s3cret").decode()
    for headers in ({"authorization": "Bearer s3cret"}, {"x-api-key": "s3cret"}, {"authorization": f"Basic {basic}"}):
        assert client.get("/v1/models", headers=headers).status_code == 200
        assert client.post("/v1/translate", content=file(), headers=headers).status_code == 200
    wrong = base64.b64encode(b"s3cret:wrong").decode()
    for value in (
        "Bearer wrong",
        "Bearer",
        "Bearer s3cret2",
        "Basic s3cret",
        f"Basic {wrong}",
        "s3cret",
        "Digest s3cret",
    ):
        answer = client.post("/v1/translate", content=file(), headers={"authorization": value})
        assert code(answer) == "401 no_key"
        assert "s3cret" not in answer.text
    assert client.get("/v1/models", headers={"x-api-key": "ß".encode()}).status_code == 401
    assert client.get("/v1/models").headers["www-authenticate"] == "Bearer"
    assert client.get("/").headers["www-authenticate"].startswith("Basic ")


def test_other_sites_are_let_in_only_if_named(serve_here, translator):
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    closed = serve_here(translator.networks)
    assert "access-control-allow-origin" not in closed.get("/v1/models", headers=asked).headers
    assert "access-control-allow-origin" not in closed.options("/v1/translate", headers=asked).headers
    opened = serve_here(translator.networks, key=b"k", cors=("https://example.org",))
    for answer in (opened.get("/v1/models", headers=asked), opened.options("/v1/translate", headers=asked)):
        assert answer.headers["access-control-allow-origin"] == "https://example.org"
    other = opened.get("/healthz", headers={"Origin": "https://example.com"})
    assert "access-control-allow-origin" not in other.headers


def test_many_at_once_each_get_their_own(serve_here, translator, file):
    client = serve_here(translator.networks, batch=4)
    given = [file(24, 20, seed=seed) for seed in range(6)]
    alone = [client.post("/v1/translate", content=data).content for data in given]
    barrier = threading.Barrier(6)

    def post(data: bytes) -> bytes:
        barrier.wait()
        return client.post("/v1/translate", content=data).content

    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(post, given))
    for one, other in zip(alone, together, strict=True):
        first, second = (np.asarray(Image.open(io.BytesIO(data))).astype(int) for data in (one, other))
        assert np.abs(first - second).max() <= 1
    assert len(set(alone)) == 6


@pytest.mark.parametrize(
    "settings",
    [
        {"batch": 0},
        {"queue": 0},
        {"timeout_seconds": 0.0},
        {"port": 70000},
        {"cors": ("foo",)},
        {"cors": ("*", "https://x.org/")},
        {"cors": ("ftp://x.org",)},
        {"cors": ("",)},
        {"allow_host": ("http://x.org",)},
        {"allow_host": ("x.org:80",)},
    ],
)
def test_settings_that_cannot_be(settings):
    from viceversa.errors import ConfigError
    from viceversa.serving.config import ServeConfig

    with pytest.raises(ConfigError, match="must be"):
        ServeConfig(**settings)


def test_origins_that_can_be():
    from viceversa.serving.config import ServeConfig

    origins = ("*", "https://example.org", "http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:80")
    assert ServeConfig(cors=origins).cors == origins


def test_where_the_key_comes_from(tmp_path, monkeypatch):
    from viceversa.errors import ConfigError
    from viceversa.serving.config import KEY_VARIABLE, ServeConfig

    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert ServeConfig().api_key() is None
    monkeypatch.setenv(KEY_VARIABLE, "from-environment")
    assert ServeConfig().api_key() == b"from-environment"
    (tmp_path / "key").write_text("from-file\n")
    assert ServeConfig(api_key_file=tmp_path / "key").api_key() == b"from-file"
    for text in ("", " \n", "two\nlines", "ä"):
        (tmp_path / "key").write_text(text)
        with pytest.raises(ConfigError, match="must hold a key"):
            ServeConfig(api_key_file=tmp_path / "key").api_key()
    with pytest.raises(ConfigError, match="cannot be read"):
        ServeConfig(api_key_file=tmp_path / "none").api_key()


def slow(client, head: str, body: bytes = b"") -> socket.socket:
    """A client that sends so much and then nothing."""
    connection = socket.create_connection((client.base_url.host, client.base_url.port), timeout=20)
    connection.sendall(head.encode() + body)
    return connection


UPLOAD = "POST /v1/translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n"


def test_who_sends_slowly_keeps_nobody_else_waiting(serve_here, translator, file, monkeypatch):
    from viceversa.serving import connection, middleware

    monkeypatch.setattr(middleware, "_FIRST_SECONDS", 1.0)
    monkeypatch.setattr(connection, "HEAD_SECONDS", 1.0)
    client = serve_here(translator.networks, queue=2)
    heads = [slow(client, "POST /v1/translate HTTP/1.1\r\nHost: loc") for _ in range(3)]
    bodies = [slow(client, UPLOAD, b"half") for _ in range(3)]
    assert client.post("/v1/translate", content=file()).status_code == 200
    for one in bodies:
        assert one.recv(1000).startswith(b"HTTP/1.1 408")
    for one in heads:
        assert one.recv(1000) == b""
    for one in (*heads, *bodies):
        one.close()
    until(lambda: client.service.held == 0)


def test_bodies_in_memory_are_counted_all_together(serve_here, translator, file):
    from viceversa.serving import service

    small = file()
    client = serve_here(translator.networks, max_bytes=len(small))
    service_most = service._HELD_AT_ONCE * (len(small) + service.FORM_BYTES)
    client.service.hold(service_most - len(small) + 1)
    answer = client.post("/v1/translate", content=small)
    assert code(answer) == "429 busy"
    assert "no room for another file now" in answer.json()["error"]["message"]
    assert int(answer.headers["retry-after"]) >= 1
    client.service.hold(-1)
    assert client.post("/v1/translate", content=small).status_code == 200
    until(lambda: client.service.held == service_most - len(small))


def test_a_local_server_answers_to_its_own_names_only(serve_here, translator):
    client = serve_here(translator.networks)
    for name in ("localhost", "LOCALHOST:81", "127.0.0.1:8000", "[::1]:80"):
        assert client.get("/v1/models", headers={"Host": name}).status_code == 200
    for name in ("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "a b", "[x"):
        answer = client.get("/v1/models", headers={"Host": name})
        assert code(answer) == "403 wrong_host"
        assert "--allow-host" in answer.json()["error"]["message"]
    named = serve_here(translator.networks, allow_host=("swap.example",))
    assert named.get("/v1/models", headers={"Host": "swap.example:81"}).status_code == 200
    assert code(named.get("/v1/models", headers={"Host": "evil.example"})) == "403 wrong_host"
    for settings in ({"allow_host": ("*",)}, {"host": "0.0.0.0"}):
        anybody = serve_here(translator.networks, **settings)
        assert anybody.get("/v1/models", headers={"Host": "evil.example"}).status_code == 200


def test_the_port_is_not_shared_on_windows(monkeypatch):
    """There SO_REUSEADDR would let a second server have the port too; SO_EXCLUSIVEADDRUSE has another number there."""
    from viceversa.serving.server import bind

    with bind("127.0.0.1", 0) as usual:
        assert usual.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_KEEPALIVE, raising=False)
    with bind("127.0.0.1", 0) as alone:
        assert alone.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert not alone.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


def test_room_is_free_again_when_the_thread_has_ended():
    async def run() -> None:
        memory, go = MemoryLimit(10), threading.Event()
        with ThreadPoolExecutor(1) as pool:

            async def decode() -> None:
                async with asyncio.timeout(0.05), memory.take(4) as share:
                    share.work.append(pool.submit(go.wait))
                    await asyncio.wrap_future(share.work[0])

            with pytest.raises(TimeoutError):
                await decode()
            assert memory.free == 6, "whoever asked has given up, but the thread goes on"
            go.set()
            async with asyncio.timeout(20), memory.take(10):
                pass
        assert memory.free == 10

    asyncio.run(run())


def test_only_so_much_is_decoded_at_once_and_who_comes_first_is_first():
    async def run() -> list[str]:
        memory, done = MemoryLimit(10), []

        async def ask(name: str, amount: int, seconds: float) -> None:
            async with memory.take(amount):
                assert memory.free >= 0
                await asyncio.sleep(seconds)
                done.append(name)

        small = asyncio.create_task(ask("small", 6, 0.02))
        await asyncio.sleep(0)
        large = asyncio.create_task(ask("larger than all", 99, 0))
        await asyncio.sleep(0)
        given_up = asyncio.create_task(ask("given up", 1, 0))
        last = asyncio.create_task(ask("last", 1, 0))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(small, large, last)
        assert memory.free == 10
        return done

    assert asyncio.run(run()) == ["small", "larger than all", "last"]
