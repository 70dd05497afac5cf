"""A free list of held PostgreSQL connections.

The stock pool costs several times a small statement, because it runs a query on each release. Here a connection goes
back as it is when it is in order, through quarantine when a statement on it was cancelled, and away otherwise.

Who is slow does not hold up who is fast: `models.shares` says how many connections the runs of one statement, and all
slow statements together, may hold.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from models.problems import Busy
from models.shares import Line, Shares
from models.vault import Vault

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server has said that it ends, and the socket is not closed yet
    ConnectionError,
    OSError,
)
"""What is raised when the server is gone, or going."""


class Pool:
    """At most `size` connections to one server; a caller waits at most `patience` seconds for one."""

    def __init__(
        self, url: str, size: int, *, patience: float = 2.0, statement_timeout_ms: int = 5000, **settings: str
    ) -> None:
        self.url, self.size, self.patience = url, size, patience
        self.settings = {
            "jit": "off",
            "timezone": "Asia/Shanghai",
            "statement_timeout": str(statement_timeout_ms),
            "idle_in_transaction_session_timeout": "10000",
            "client_connection_check_interval": "1000",  # what a killed process was waiting for ends soon after it
            "application_name": "wushe",
            **settings,
        }
        self.vault = Vault()
        """The data keys of this server's database."""
        self.shares = Shares(size)
        self.made = 0
        self.closed = False
        self._free: list[asyncpg.Connection] = []
        self._quarantined: set[asyncio.Task[None]] = set()

    @property
    def free(self) -> int:
        """Connections that nobody holds."""
        return len(self._free)

    @property
    def waiting(self) -> int:
        """Callers that wait for a connection."""
        return self.shares.waiting

    async def acquire(self, line: Line | None = None) -> asyncpg.Connection:
        """A connection in order. Raises Busy when none comes free in time, and one of LOST when there is no server.

        `line`: what it is for, if that has a share of the pool; it goes back with the same one.
        """
        line = self.shares.own if line is None else line
        connection: asyncpg.Connection | None
        if line.waiting or not self.shares.admits(line):
            connection = await self._wait(line)
        elif self._free:
            self.shares.taken(line)
            connection = self._free.pop()
        elif self.made < self.size:
            self.shares.taken(line)
            self.made += 1
            connection = None
        else:
            connection = await self._wait(line)
        while connection is not None and connection.is_closed():
            connection = self._free.pop() if self._free else None  # its place is ours: a new one takes it
            self.made -= connection is not None
        return await self._connect(line) if connection is None else connection

    def release(
        self,
        connection: asyncpg.Connection,
        line: Line | None = None,
        began: float | None = None,
        *,
        doubtful: bool = False,
    ) -> None:
        """Gives a connection back. `began`: when its work did, by the shares' clock, if that is to count.

        `doubtful`: a statement on it may still be under cancellation.
        """
        shares = self.shares
        shares.given_back(shares.own if line is None else line, began)
        if self.closed or connection.is_closed() or connection.is_in_transaction():
            connection.terminate()
            self.made -= 1
        elif doubtful:
            task = asyncio.ensure_future(self._quarantine(connection))
            self._quarantined.add(task)
            task.add_done_callback(self._quarantined.discard)
        else:
            self._free.append(connection)
        if shares.lines:
            self._serve()

    @contextlib.asynccontextmanager
    async def connection(self, purpose: str | None = None) -> AsyncIterator[asyncpg.Connection]:
        """A connection for a while. `purpose` names work that has its share of the pool; without it, it is our own."""
        line = None if purpose is None else self.shares.line(purpose)
        connection = await self.acquire(line)
        began = self.shares.clock()
        doubtful = True
        try:
            yield connection
            doubtful = False
        except asyncpg.PostgresError:
            doubtful = False
            raise
        finally:
            self.release(connection, line, began, doubtful=doubtful)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first cell of a read's answer; a read that meets a broken connection is tried once more."""
        shares, free = self.shares, self._free
        line = shares.known.get(sql) or shares.line(sql)
        for last in (False, True):
            began = shares.clock()
            if free and shares.at_once(line, began):  # without a further coroutine: nearly every read goes here
                connection = free.pop()
                if connection.is_closed():
                    self.release(connection, line)
                    connection = await self.acquire(line)
            else:
                connection = await self.acquire(line)
                began = shares.clock()
            doubtful = True
            try:
                answer = await connection.fetchval(sql, *args)
                doubtful = False
                return answer
            except LOST:
                if last or not connection.is_closed():
                    raise
            except asyncpg.PostgresError:
                doubtful = False  # the server answered: the connection is in order
                raise
            finally:
                self.release(connection, line, began, doubtful=doubtful)
        raise AssertionError

    async def close(self) -> None:
        """Ends every connection; those in use end when they come back."""
        self.closed = True
        self.shares.turn_away(asyncpg.InterfaceError("the pool is closed"))
        await asyncio.gather(*self._quarantined, return_exceptions=True)
        for connection in self._free:
            with contextlib.suppress(*LOST):
                await connection.close(timeout=2)
        self.made -= len(self._free)
        self._free.clear()

    async def _connect(self, line: Line) -> asyncpg.Connection:
        """A new connection, whose place is counted already."""
        try:
            return await asyncpg.connect(
                self.url,
                timeout=self.patience,
                server_settings=self.settings,
                statement_cache_size=400,
                max_cached_statement_lifetime=0,
                max_cacheable_statement_size=0,
            )
        except BaseException as e:
            self._vacate(line)
            if isinstance(e, asyncpg.TooManyConnectionsError):
                raise Busy() from e
            raise

    async def _wait(self, line: Line) -> asyncpg.Connection | None:
        """The connection that comes free for this line; None for a place in which to make one."""
        loop = asyncio.get_running_loop()
        handed: asyncio.Future[asyncpg.Connection | None] = loop.create_future()
        self.shares.stand(line, handed)
        timer = loop.call_later(self.patience, _give_up, handed)
        try:
            return await handed
        except asyncio.CancelledError:
            if handed.done() and not handed.cancelled() and handed.exception() is None:
                given = handed.result()  # handed over while we were being cancelled
                self._vacate(line) if given is None else self.release(given, line)
            raise
        finally:
            timer.cancel()
            self.shares.leave(line, handed)

    def _serve(self) -> None:
        """Hands what is free to those who wait and may have it."""
        while self._free or self.made < self.size:
            found = self.shares.next()
            if found is None:
                return
            if self._free:
                found.set_result(self._free.pop())
            else:
                self.made += 1
                found.set_result(None)

    def _vacate(self, line: Line) -> None:
        self.made -= 1
        self.shares.given_back(line)
        self._serve()

    async def _quarantine(self, connection: asyncpg.Connection) -> None:
        """asyncpg cancels on a second connection: wait for that apart, then use this one again."""
        try:
            await connection.reset(timeout=1)
        except (asyncpg.PostgresError, *LOST, TimeoutError):
            connection.terminate()
        self.shares.taken(self.shares.own)
        self.release(connection)


def _give_up(handed: asyncio.Future[Any]) -> None:
    if not handed.done():
        handed.set_exception(Busy())
