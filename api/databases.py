"""The primary and its replicas: where a query is read.

An answer to a mutation carries the position in the write-ahead log that it had reached, in `X-Wushe-Wal`; a client
that sends it back reads from a replica only once that replica has replayed so far, and from the primary until then.
Who sends none may be told what was true a moment ago, and no longer: a replica that falls behind serves nobody.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import re
import time

import asyncpg
import structlog

from api.logs import traced
from models.pool import LOST, Pool
from models.problems import Busy

POSITION = re.compile(rb"[0-9A-F]{1,8}/[0-9A-F]{1,8}")
UNKNOWN = b"FFFFFFFF/FFFFFFFF"
"""A position that no replica ever has: whoever echoes it reads from the primary."""
DOWN_FOR = 3.0
"""Seconds for which a replica that failed is left alone; then one question decides."""
READ, ASKED = 2.0, 1.0
"""Seconds that a replica may take for a read, and for saying how far it is: one that hangs must not hold its clients."""
BEHIND, LOOK = 3.0, 1.0
"""Seconds by which a replica may be behind, and between two looks at it."""
FLUSHED = "SELECT pg_current_wal_flush_lsn()::text"
GONE = (*LOST, Busy, asyncpg.PostgresError, TimeoutError)

log = structlog.get_logger("wushe.databases")


def place(position: bytes | str) -> int:
    """A log position as a number that can be compared."""
    high, _, low = (position.decode() if isinstance(position, bytes) else position).partition("/")
    return (int(high, 16) << 32) | int(low, 16)


@dataclasses.dataclass(eq=False)
class Replica:
    """A streaming replica: how far it is known to have come, and whether it was heard of lately."""

    pool: Pool
    replayed: int = 0
    down: bool = False
    behind: bool = False
    again_at: float = 0.0
    asking: asyncio.Task[bool] | None = None

    def failed(self) -> None:
        """It is left alone for a while."""
        self.down, self.again_at = True, time.monotonic() + DOWN_FOR

    def serves(self) -> bool:
        """Whether reads may go there. One that was left alone long enough is asked, aside, and serves once it answers."""
        if self.down and time.monotonic() >= self.again_at and (self.asking is None or self.asking.done()):
            self.asking = asyncio.ensure_future(self.has(0))
        return not self.down and not self.behind

    async def look(self, due: int) -> None:
        """Whether it has what it must have by now."""
        if not self.down:
            behind = not await self.has(due)
            if behind != self.behind and not self.down:
                log.warning("a replica has fallen behind" if behind else "a replica has caught up")
            self.behind = behind

    async def has(self, position: int) -> bool:
        """Whether it has replayed a position. False when it cannot say."""
        if self.replayed >= position > 0:
            return True
        try:
            async with asyncio.timeout(ASKED):
                found = await self.pool.fetchval("SELECT pg_last_wal_replay_lsn()::text")
        except GONE:
            self.failed()
            return False
        self.down = False
        self.replayed = place(found) if found else 0
        return self.replayed >= position


class Reader:
    """Reads from a replica; what a replica cannot answer, gone, hanging or in conflict with its recovery, the primary does."""

    def __init__(self, replica: Replica, primary: Pool) -> None:
        self.replica, self.primary = replica, primary

    async def fetchval(self, sql: str, *args: object) -> object:
        """The first cell of the answer."""
        try:
            async with asyncio.timeout(READ):
                return await self.replica.pool.fetchval(sql, *args)
        except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
            pass  # its recovery was in the way of this one read
        except (*LOST, TimeoutError):
            self.replica.failed()
        return await self.primary.fetchval(sql, *args)


class Databases:
    """One primary, and any number of replicas."""

    def __init__(self, primary: Pool, replicas: list[Pool]) -> None:
        self.primary = primary
        self.replicas = [Replica(pool) for pool in replicas]
        self._turn = 0
        self._looking: asyncio.Task[None] | None = None
        self._marks: collections.deque[tuple[float, int]] = collections.deque()
        """When the primary's log had come how far."""

    async def reads(self, seen: bytes | None) -> Pool | Reader:
        """Where a query goes: a replica that has all that its client has seen, else the primary."""
        if self._looking is None and self.replicas:
            self._looking = asyncio.ensure_future(self._look())
        position = place(seen) if seen is not None and POSITION.fullmatch(seen) else 0
        for _ in self.replicas:
            self._turn = (self._turn + 1) % len(self.replicas)
            replica = self.replicas[self._turn]
            if replica.serves() and (position == 0 or await replica.has(position)):
                return Reader(replica, self.primary)
        return self.primary

    async def position(self) -> bytes | None:
        """How far the primary's log has come; None where there is no replica to wait for.

        What it is asked for is committed: where it cannot be said any more, the answer is UNKNOWN, never a failure.
        """
        if not self.replicas:
            return None
        try:
            found: str = await self.primary.fetchval("SELECT pg_current_wal_insert_lsn()::text")
        except GONE:
            return UNKNOWN
        return found.encode()

    async def _look(self) -> None:
        """Looks now and then which replicas have what the primary had BEHIND seconds ago. Where it is gone, none is behind."""
        while True:
            try:
                await self._look_once(time.monotonic())
            except Exception as bug:  # a replica that nobody looks at any more would serve what is long past
                log.error("bug", error=traced(bug))
            await asyncio.sleep(LOOK)

    async def _look_once(self, now: float) -> None:
        with contextlib.suppress(*GONE):
            async with asyncio.timeout(ASKED):
                self._marks.append((now, place(await self.primary.fetchval(FLUSHED))))
        while len(self._marks) > 1 and self._marks[1][0] <= now - BEHIND:
            self._marks.popleft()
        if self._marks and self._marks[0][0] <= now - BEHIND:
            await asyncio.gather(*(replica.look(self._marks[0][1]) for replica in self.replicas))

    async def close(self) -> None:
        """Ends every connection."""
        asking = [task for task in (self._looking, *(r.asking for r in self.replicas)) if task is not None]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        for pool in (self.primary, *[r.pool for r in self.replicas]):
            await pool.close()
