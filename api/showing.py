"""How often needs are shown, counted in this process and written every few seconds (`models.exchange.attention`).

Nothing waits for it: an answer is looked at after its statement, one in several. While the database is away the counts
stay, up to their bound.
"""

from __future__ import annotations

import asyncio
import contextlib

from models import clock
from models.exchange.attention import Tally
from models.pool import LOST, Pool
from models.problems import Busy

EVERY = 5.0
"""Seconds between two writings: what a process that is killed may lose."""


class Showing:
    """The counts of one process, and the task that writes them."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.tally = pool, Tally()
        self._living: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to write what is counted."""
        self._living = asyncio.ensure_future(self._live())

    async def close(self) -> None:
        """Ends that; what was counted is written."""
        if self._living is not None:
            self._living.cancel()
            await asyncio.gather(self._living, return_exceptions=True)
        await self.write()

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self.write()

    async def write(self) -> None:
        """Writes what was counted since the last time."""
        if not self.tally.shown:
            return
        with contextlib.suppress(*LOST, Busy, TimeoutError):
            async with self.pool.connection("attention") as connection:
                await self.tally.write(connection, clock.now())
