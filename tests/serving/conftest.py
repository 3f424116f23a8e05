import asyncio
import contextlib
import io
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from viceversa.inference.translator import Translator, save_translator
from viceversa.networks import ResNetConfig, ResNetGenerator, initialise

NEEDED = ("fastapi", "uvicorn", "httpx", "prometheus_client", "python_multipart")
DOMAINS = {"a": "women", "b": "men"}


def network(seed: int, width: int = 4) -> ResNetGenerator:
    made = ResNetGenerator(ResNetConfig(width=width, blocks=1))
    initialise(made, "kaiming", 1.0, torch.Generator().manual_seed(seed))
    return made.eval()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with a translator that leads both ways."""
    run = tmp_path_factory.mktemp("serving") / "swap"
    networks = {"a2b": network(1), "b2a": network(2)}
    save_translator(run / "translator", networks, method="cyclegan", domains=DOMAINS, size_px=32, images=1)
    return run


@pytest.fixture
def translator() -> Translator:
    return Translator({"a2b": network(1), "b2a": network(2)}, domains=DOMAINS, size_px=32)


@pytest.fixture(scope="session")
def file() -> Callable[..., bytes]:
    """``file(height, width, kind, seed)``: the bytes of an image's file."""

    def make(height: int = 24, width: int = 20, kind: str = "PNG", seed: int = 0) -> bytes:
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        saved = io.BytesIO()
        Image.fromarray(pixels).save(saved, kind)
        return saved.getvalue()

    return make


class Held(torch.nn.Module):
    """A network that computes when it is let go."""

    def __init__(self, inner: ResNetGenerator):
        super().__init__()
        self.inner, self.config, self.multiple = inner, inner.config, inner.multiple
        self.go = threading.Event()
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert self.go.wait(300)
        self.sizes.append(tuple(x.shape))
        return self.inner(x)


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held(network(1))
    yield made
    made.go.set()


@pytest.fixture
def serve_here() -> Iterator[Callable[..., Any]]:
    """``serve_here(networks, key=..., **settings)``: a server in this process on a free port, and a client of it."""
    for module in NEEDED:
        pytest.importorskip(module, reason="needs pip install 'viceversa[serve,dev]'")
    from viceversa.serving.config import ServeConfig

    with contextlib.ExitStack() as stack:

        def start(networks: Any, key: bytes | None = None, models: Any = None, **settings: Any) -> Any:
            return stack.enter_context(_serving(networks, key, models, ServeConfig(page=False, **settings)))

        yield start


@contextlib.contextmanager
def _serving(networks: Any, key: bytes | None, models: Any, config: Any) -> Generator[Any]:
    import httpx
    import uvicorn

    from viceversa.serving.app import make_app, with_cors
    from viceversa.serving.connection import Connection
    from viceversa.serving.models import Model, Models
    from viceversa.serving.service import Service

    given = models or {"swap": Translator(networks, domains=DOMAINS, size_px=32)}
    service = Service(
        Models([Model(name=name, path=Path(name), translator=one) for name, one in given.items()]), config
    )
    app = with_cors(make_app(service, key, None), config.cors)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", http=Connection))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=300, trust_env=False
        ) as client:
            client.service = service
            yield client
    finally:
        server.should_exit = True
        thread.join()
        service.close()


class Server:
    """`viceversa serve` in a process of its own."""

    def __init__(self, *arguments: str | Path, port: int = 0):
        command = [sys.executable, "-m", "viceversa", "serve", *map(str, arguments), "--port", str(port)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, text=True, **pipes)
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said, self.process.communicate()[1]
        self.url = said.split(" at ")[1].split()[0]
        self.port = int(self.url.rsplit(":", 1)[1])

    def end(self) -> tuple[int, str]:
        """Waits for its end; the exit code, and what it said of errors."""
        said = self.process.communicate(timeout=600)[1]
        return self.process.returncode, said


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    for module in NEEDED:
        pytest.importorskip(module, reason="needs pip install 'viceversa[serve,dev]'")
    started: list[Server] = []

    def begin(*arguments: str | Path, port: int = 0) -> Server:
        started.append(Server(*arguments, port=port))
        return started[-1]

    yield begin
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()
