"""A bound on what is decoded at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Room:
    """So many pixels may lie decoded in memory; who comes first, is let in first."""

    def __init__(self, most: int):
        self.most = self.free = most
        self._first = asyncio.Lock()  # only one waits for room; the others wait behind it, in their order
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def take(self, amount: int) -> AsyncGenerator[None]:
        """Waits until there is room for ``amount``, of which there is never more than all."""
        amount = min(amount, self.most)
        async with self._first:
            while self.free < amount:
                self._freed.clear()
                await self._freed.wait()
            self.free -= amount
        try:
            yield
        finally:
            self.free += amount
            self._freed.set()
