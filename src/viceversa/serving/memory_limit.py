"""A bound on what is decoded at once."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any


class Share:
    """A part of a `MemoryLimit`, which is given back when all work that uses it has ended."""

    def __init__(self) -> None:
        self.work: list[Future[Any]] = []
        """What runs, or ran, in threads: it goes on when whoever asked for it has given up."""


class MemoryLimit:
    """So many bytes may lie decoded in memory; who comes first, is let in first."""

    def __init__(self, most: int):
        self.most = self.free = most
        self._first = asyncio.Lock()  # only one waits for room; the others wait behind it, in their order
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def take(self, amount: int) -> AsyncGenerator[Share]:
        """Waits until there is room for ``amount``, of which there is never more than all.

        It is free again when the block has ended, and all threads that are noted in the share.
        """
        amount = min(amount, self.most)
        async with self._first:
            while self.free < amount:
                self._freed.clear()
                await self._freed.wait()
            self.free -= amount
        share = Share()
        try:
            yield share
        finally:
            self._give_back(amount, [one for one in share.work if not one.done()], asyncio.get_running_loop())

    def _give_back(self, amount: int, running: list[Future[Any]], loop: asyncio.AbstractEventLoop) -> None:
        def ended(_: Future[Any]) -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(self._give_back, amount, running[1:], loop)

        if running:
            running[0].add_done_callback(ended)
            return
        self.free += amount
        self._freed.set()
