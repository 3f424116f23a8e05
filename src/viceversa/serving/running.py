"""The server while it runs: starting, saying where, and stopping without losing what was accepted."""

import asyncio
import contextlib
import importlib.util
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Generator

import uvicorn

from viceversa import stopping
from viceversa.errors import MissingExtra
from viceversa.serving.app import LatePage, make_app, with_cors
from viceversa.serving.config import ServeConfig
from viceversa.serving.connection import Connection
from viceversa.serving.middleware import RequestMiddleware
from viceversa.serving.models import Models
from viceversa.serving.page import make_page
from viceversa.serving.service import Service

_LAST_WORDS_SECONDS = 2
_MOST_CONNECTIONS = 512  # a page holds one or two; each further one is answered with 503
_POLL_SECONDS = 0.02
_TIDY_SECONDS, _KEPT_SECONDS = 600, 3600


class _Server(uvicorn.Server):
    """uvicorn's, which says when it is ready and leaves signals alone."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]):
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to listen."""
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Nothing: uvicorn's way would end connections before the queue is empty, and exit by the signal."""
        yield


async def run(models: Models, config: ServeConfig, key: bytes | None, listener: socket.socket) -> None:
    """Serves on a bound socket until SIGTERM, SIGINT or SIGHUP.

    Raises:
        MissingExtra: The page's library is missing.
    """
    service = Service(models, config)
    try:
        page = LatePage() if config.page else None
        if page and importlib.util.find_spec("gradio") is None:
            raise MissingExtra(
                "The page needs gradio, which is not installed. Install it: pip install 'viceversa[serve]'; or leave "
                "the page out: --no-page"
            )
        middleware = make_app(service, key, page)
        settings = uvicorn.Config(
            with_cors(middleware, config.cors),  # pyright: ignore[reportArgumentType]
            log_level="warning", access_log=False, server_header=False, lifespan="off",
            timeout_graceful_shutdown=_LAST_WORDS_SECONDS,
            http=Connection, limit_concurrency=max(_MOST_CONNECTIONS, 2 * config.queue),
        )  # fmt: skip
        logging.getLogger("uvicorn.error").addFilter(lambda record: not str(record.msg).startswith("Cancel %s running"))

        def ready() -> None:
            _say(models, listener, key)
            if page:
                tasks.append(asyncio.create_task(page.make(lambda: make_page(service))))

        server = _Server(settings, ready)
        tasks = [asyncio.create_task(_stop(_signalled(), service, middleware, server))]
        if page:
            tasks.append(asyncio.create_task(_tidy(service)))
        await server.serve([listener])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if page:
            await page.close()
    finally:
        await asyncio.to_thread(service.close)


def _signalled() -> asyncio.Event:
    """Is set by the first signal; a second one ends the process at once.

    Not a second SIGHUP: the system and the shell both send one when a terminal is closed. One that is ignored, as under
    nohup, stays so.
    """
    event, loop = asyncio.Event(), asyncio.get_running_loop()

    def first(number: int, frame: object) -> None:
        again = signal.SIG_DFL if number in (signal.SIGTERM, signal.SIGINT) else signal.SIG_IGN
        signal.signal(number, again)
        loop.call_soon_threadsafe(event.set)

    for number in (signal.SIGINT, *stopping.numbers()):
        signal.signal(number, first)
    return event


async def _stop(
    signalled: asyncio.Event, service: Service, middleware: RequestMiddleware, server: uvicorn.Server
) -> None:
    """First refuses what is new, then waits for what was accepted, then ends the server."""
    await signalled.wait()
    service.stopping = True
    until = time.monotonic() + service.config.timeout_seconds + _LAST_WORDS_SECONDS
    # The second is of clients that do not fetch their answers; they must not keep the server for ever.
    while (service.accepted or middleware.running) and time.monotonic() < until:
        await asyncio.sleep(_POLL_SECONDS)
    server.should_exit = True


async def _tidy(service: Service) -> None:
    """Removes from the page's disk what visitors have left, time and again."""
    while True:
        await asyncio.sleep(_TIDY_SECONDS)
        await asyncio.to_thread(service.disk.clear_old, _KEPT_SECONDS)


def _say(models: Models, listener: socket.socket, key: bytes | None) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    names = ", ".join(model.name for model in models)
    print(f"Serving {names} at http://{shown}:{port} (the API is described at /docs). Ctrl-C stops.", flush=True)
    if key is None and not host.startswith("127.") and host != "::1":
        print(
            f"Whoever reaches this machine can use it: there is no API key (--api-key-file), and {host} is open.",
            file=sys.stderr, flush=True,
        )  # fmt: skip
