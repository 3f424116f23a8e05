"""What visitors may ask of the page's library.

Mounted in an application of ours, the library copies any file of this machine that a visitor names into the folder that
it serves, fetches any address that he names, and has routes of its makers that write to disk. So all that the page does
not need is closed, and a request may name no file but those that the page has shown or taken.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect

from viceversa.serving.config import ServeConfig
from viceversa.serving.disk import Disk
from viceversa.serving.middleware import App, Message, Receive, Send
from viceversa.serving.problems import Problem, busy, too_large

_FILE = "/gradio_api/file="
_UPLOAD = "/gradio_api/upload"
_ASKED = re.compile(
    r"/|/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)/?|/(assets|static|svelte)/.+"
    r"|/gradio_api/(info|app_id|startup-events|theme\.css|upload_progress|queue/data|heartbeat/[^/]+)/?"
)
_CALLS = re.compile(r"/gradio_api/(queue/join|run/[^/]+|cancel|reset)/?")
_CALL_BYTES = 2**16  # what a call holds are names: images are uploaded


class PageMiddleware:
    """ASGI middleware around the page."""

    def __init__(self, app: App, disk: Disk, config: ServeConfig):
        """``disk`` is where the page's files lie, of which alone visitors may speak."""
        self.app = app
        self.disk = disk
        self.config = config
        self._folder = disk.folder.resolve()
        self._uploads = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._let_in(scope, receive, noted)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Problem as problem:
            if not begun:
                # As plain text: the page shows to people what it is answered.
                await problem.answer(plain=True)(scope, receive, send)

    async def _let_in(self, scope: Message, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        if (method, path) == ("POST", _UPLOAD):
            await self._upload(scope, receive, send)
            return
        if method in ("GET", "HEAD") and path.startswith(_FILE):
            self._check_file(path.removeprefix(_FILE))
        elif method == "POST" and _CALLS.fullmatch(path):
            receive = _again(await self._call(receive), receive)
        elif not (method in ("GET", "HEAD") and _ASKED.fullmatch(path)):
            raise Problem(404, "not_found", f"{method} {path[:200]}: Not Found.")
        await self._go_on(scope, receive, send)

    async def _upload(self, scope: Message, receive: Receive, send: Send) -> None:
        self._uploads += 1
        try:
            # As much as it may be, since what its head says of its size need not be so.
            async with asyncio.timeout(self.config.timeout_seconds), self.disk.space(self.config.max_bytes):
                await self._go_on(scope, receive, send)
        except TimeoutError:
            raise busy(503, "timeout", f"It took more than {self.config.timeout_seconds:g} s.", 1) from None
        finally:
            self._uploads -= 1
            if not self._uploads:
                self.disk.clear_unfinished()

    async def _go_on(self, scope: Message, receive: Receive, send: Send) -> None:
        """The library's turn. It would take a refusal in the middle of a body for a fault of its own."""
        refused: list[Problem] = []

        async def guarded() -> Message:
            try:
                return await receive()
            except Problem as problem:
                refused.append(problem)
                return {"type": "http.disconnect"}

        async def unless_refused(message: Message) -> None:
            if not refused:
                await send(message)

        try:
            await self.app(scope, guarded, unless_refused)
        except Exception:
            if not refused:
                raise
        if refused:
            raise refused[0]

    async def _call(self, receive: Receive) -> bytes:
        """The body of a call, which names no file that is not the page's."""
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > _CALL_BYTES:
                raise too_large("A call of the page is never as large as this.")
        try:
            paths = list(_paths(json.loads(body or b"null")))
        except (ValueError, RecursionError):
            raise Problem(422, "damaged_call", "The body is no JSON.") from None
        for path in paths:
            self._check_file(path)
        return bytes(body)

    def _check_file(self, path: Any) -> None:
        try:
            inside = path is None or (isinstance(path, str) and Path(path).resolve().is_relative_to(self._folder))
        except (ValueError, OSError):  # a zero in it, or longer than a name can be
            inside = False
        if not inside:
            raise Problem(403, "not_yours", "The page has no such file; upload it.")


def _paths(value: Any) -> Iterator[Any]:
    """Whatever is called ``path``, however deep."""
    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            inner: dict[str, Any] = one
            if "path" in inner:
                yield inner["path"]
            rest.extend(inner.values())
        elif isinstance(one, list):
            rest.extend(one)  # pyright: ignore[reportUnknownArgumentType]


def _again(body: bytes, then: Receive) -> Receive:
    """Gives a body that has been read, and then what comes after it."""
    left = [body]

    async def receive() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await then()

    return receive
