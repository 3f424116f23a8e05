"""API and page as one application."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from starlette.middleware.cors import CORSMiddleware

from viceversa.serving.api import make_api
from viceversa.serving.middleware import ROUTES, App, Message, Receive, RequestMiddleware, Send
from viceversa.serving.service import Service

_LOADING = b"""<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="1">
<title>viceversa</title><style>:root{color-scheme:light dark}
body{font:16px system-ui,sans-serif;display:grid;place-items:center;min-height:90vh}</style>
<p>The page is being made; it comes by itself.</p></html>"""
_FAILED = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>viceversa</title>
<p>The page could not be made; the server's log says why. The API works: <a href="/docs">/docs</a>.</p></html>"""


class LatePage:
    """The page, once it is there: its library takes seconds to import, and the API need not wait for it."""

    def __init__(self) -> None:
        self._app: App | None = None
        self._failed = False
        self._stack = AsyncExitStack()

    async def make(self, build: Callable[[], Any]) -> None:
        """Calls ``build`` in a thread, and starts the application that it gives."""
        try:
            app = await asyncio.to_thread(build)
            await self._stack.enter_async_context(app.router.lifespan_context(app))
        except Exception:  # the API goes on without it
            logging.getLogger("uvicorn.error").exception("The page could not be made; --no-page leaves it out.")
            self._failed = True
            return
        self._app = app

    async def close(self) -> None:
        """Ends what was started."""
        await self._stack.aclose()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        if self._app is not None:
            await self._app(scope, receive, send)
            return
        status, body = (404, b"") if scope["path"] != "/" else (500, _FAILED) if self._failed else (200, _LOADING)
        headers = [(b"content-type", b"text/html")] if body else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def make_app(service: Service, key: bytes | None, page: LatePage | None) -> RequestMiddleware:
    """Everything, behind the middleware: the API for its own paths, the page for all others."""
    api: Any = make_api(service)

    async def either(scope: Message, receive: Receive, send: Send) -> None:
        own = scope["type"] != "http" or scope["path"] in ROUTES or scope["path"].startswith("/v1/")
        await (api if own or page is None else page)(scope, receive, send)

    return RequestMiddleware(either, service, key)


def with_cors(middleware: RequestMiddleware, origins: tuple[str, ...]) -> App:
    """Lets scripts of other web sites in; asking for leave (OPTIONS) needs no key."""
    if not origins:
        return middleware
    app: Any = middleware
    return CORSMiddleware(  # pyright: ignore[reportReturnType]
        app, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=["*"],
        expose_headers=["Content-Disposition", "Retry-After"],
    )  # fmt: skip
