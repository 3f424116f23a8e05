"""What every request passes: the key, the limit of its size, counting, and the headers that keep a page to itself."""

import asyncio
import base64
import binascii
import hmac
import ipaddress
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from viceversa.serving.problems import Problem, file_too_large
from viceversa.serving.service import FORM_BYTES, Service

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_DRAIN_SECONDS = 2.0
_FIRST_SECONDS, _LEAST_RATE = 5.0, 2**14  # a body may take the first, and a second for each so many bytes that came
_HERE = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(r"([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]*)?")
ROUTES = ("/v1/translate", "/v1/models", "/healthz", "/metrics", "/docs", "/openapi.json")
_OPEN = ("/healthz",)
# Nothing is loaded from anywhere else, whatever the page's library may ask for.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
_HEADERS = ((b"content-security-policy", _POLICY.encode()), (b"x-content-type-options", b"nosniff"))


class RequestMiddleware:
    """ASGI middleware around the whole application."""

    def __init__(self, app: App, service: Service, key: bytes | None):
        self.app = app
        self.service = service
        self.key = key
        self.running = 0
        """Requests for translations whose answers have not been sent to the end."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        root = self.service.config.root_path
        if root and scope["path"].startswith(f"{root}/"):  # a proxy that passes it on as it came
            scope = {**scope, "path": scope["path"].removeprefix(root)}
        route = scope["path"] if scope["path"] in ROUTES else "page"
        most = self.service.config.max_bytes + FORM_BYTES
        body = _Body(receive, most, dict(scope["headers"]), self.service if route == "/v1/translate" else None)
        answer = _Answer(send, body)
        start = time.perf_counter()
        self.running += route == "/v1/translate"
        try:
            self._check(scope)
            await self.app(scope, body.receive, answer.send)
        except Problem as problem:
            if answer.status:
                raise
            await problem.answer()(scope, receive, answer.send)
        finally:
            self.running -= route == "/v1/translate"
            body.let_go()
            self.service.metrics.requests.labels(route, str(answer.status or 500)).inc()
            if route != "page":  # where connections are held open for hours
                self.service.metrics.seconds.labels(route).observe(time.perf_counter() - start)

    def _check(self, scope: Message) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        self._check_host(headers.get(b"host", b"").decode("latin-1").lower())
        if self.key is not None and scope["path"] not in _OPEN and not _shows(headers, self.key):
            # A browser asks for a password after "Basic", and sends it with all requests of the page.
            scheme = "Bearer" if scope["path"].startswith("/v1/") else 'Basic realm="viceversa: any name, and the key"'
            raise Problem(401, "no_key", "Show the API key: Authorization: Bearer KEY.", {"WWW-Authenticate": scheme})
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self.service.config.max_bytes + FORM_BYTES:
            raise file_too_large(self.service.config.max_bytes)

    def _check_host(self, host: str) -> None:
        """Keeps pages of other sites out that let their own name lead to this machine (DNS rebinding)."""
        config = self.service.config
        if not host or "*" in config.allow_host or not (config.allow_host or is_local(config.host)):
            return
        found = _HOST.fullmatch(host)
        name = found[1] if found else ""
        if name not in (*_HERE, config.host.lower(), f"[{config.host.lower()}]", *config.allow_host):
            raise Problem(
                403, "wrong_host",
                f"This server is not called {host[:80]!r}. Ask for localhost, or start it with --allow-host NAME.",
            )  # fmt: skip


def is_local(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class _Body:
    """Counts what comes in, whatever its headers promised, and sees that it comes."""

    def __init__(self, receive: Receive, most: int, headers: dict[bytes, bytes], holder: Service | None):
        """``holder`` keeps all of it in memory; None if nobody does."""
        self._receive = receive
        self._most = most
        self._holder = holder
        self._held = 0
        self._begun = time.monotonic()
        self._asks_first = b"expect" in headers
        self.bytes = 0
        self.whole = False

    async def receive(self) -> Message:
        """The next part.

        Raises:
            Problem: 413, with this part it is too much; 408, it comes too slowly; 429, others hold too much.
        """
        message = await self._next()
        count = len(message.get("body", b""))
        self.bytes += count
        self.whole = message["type"] != "http.request" or not message.get("more_body", False)
        if self.bytes > self._most:
            raise file_too_large(self._most - FORM_BYTES)
        if self._holder is not None:
            self._holder.hold(count)
            self._held += count
        return message

    async def _next(self) -> Message:
        if self.whole:  # what comes now is that the client has left, whenever that is
            return await self._receive()
        until = self._begun + _FIRST_SECONDS + self.bytes / _LEAST_RATE
        try:
            async with asyncio.timeout(until - time.monotonic()):
                return await self._receive()
        except TimeoutError:
            raise Problem(408, "too_slow", f"The file came more slowly than {_LEAST_RATE / 1e3:.0f} kB/s.") from None

    def let_go(self) -> None:
        """Nothing of it is in memory any more."""
        if self._holder is not None:
            self._holder.hold(-self._held)
            self._held = 0

    async def drain(self) -> None:
        """Reads on for a moment: a client that cannot send to the end may never see why it was refused."""
        if self._asks_first and not self.bytes:
            return  # it sends nothing before it is told to, and reading would tell it
        until = self.bytes + self._most
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self.whole and self.bytes < until:
                    message = await self._receive()
                    self.bytes += len(message.get("body", b""))
                    self.whole = message["type"] != "http.request" or not message.get("more_body", False)
        except TimeoutError:
            pass


class _Answer:
    """Notes the status and adds headers."""

    def __init__(self, send: Send, body: _Body):
        self._send = send
        self._body = body
        self.status = 0

    async def send(self, message: Message) -> None:
        """Sends a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", []), *_HEADERS]
            if self.status >= 400:
                await self._body.drain()
        await self._send(message)


def _shows(headers: dict[bytes, bytes], key: bytes) -> bool:
    scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"basic":
        try:
            given = base64.b64decode(given, validate=True).partition(b":")[2]
        except binascii.Error:
            given = b""
    elif scheme.lower() != b"bearer":
        given = headers.get(b"x-api-key", b"")
    return hmac.compare_digest(given.strip(), key)
