"""A free list of held PostgreSQL connections.

The stock pool costs several times a small statement, because it runs a query on each release. Here a connection goes
back as it is when it is in order, through quarantine when a statement on it was cancelled, and away otherwise.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from models.problems import Busy
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
            "application_name": "wushe",
            **settings,
        }
        self.vault = Vault()
        """The data keys of this server's database."""
        self.made = 0
        self.closed = False
        self._free: list[asyncpg.Connection] = []
        self._waiting: collections.deque[asyncio.Future[asyncpg.Connection | None]] = collections.deque()
        self._quarantined: set[asyncio.Task[None]] = set()

    @property
    def free(self) -> int:
        """Connections that nobody holds."""
        return len(self._free)

    @property
    def waiting(self) -> int:
        """Callers that wait for a connection."""
        return len(self._waiting)

    async def acquire(self) -> asyncpg.Connection:
        """A connection in order. Raises Busy when none comes free in time, and one of LOST when there is no server."""
        while True:
            if self._free:
                connection = self._free.pop()
            elif self.made < self.size:
                return await self._connect()
            else:
                handed = await self._wait()
                if handed is None:
                    continue
                connection = handed
            if not connection.is_closed():
                return connection
            self.made -= 1

    def release(self, connection: asyncpg.Connection, *, doubtful: bool = False) -> None:
        """Gives a connection back. `doubtful`: a statement on it may still be under cancellation."""
        if self.closed or connection.is_closed() or connection.is_in_transaction():
            connection.terminate()
            self.made -= 1
            self._hand(None)
        elif doubtful:
            task = asyncio.ensure_future(self._quarantine(connection))
            self._quarantined.add(task)
            task.add_done_callback(self._quarantined.discard)
        elif not self._hand(connection):
            self._free.append(connection)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection for a while."""
        connection = await self.acquire()
        doubtful = True
        try:
            yield connection
            doubtful = False
        except asyncpg.PostgresError:
            doubtful = False
            raise
        finally:
            self.release(connection, doubtful=doubtful)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first cell of a read's answer; a read that meets a broken connection is tried once more."""
        for last in (False, True):
            connection = await self.acquire()
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
                self.release(connection, doubtful=doubtful)
        raise AssertionError

    async def close(self) -> None:
        """Ends every connection; those in use end when they come back."""
        self.closed = True
        while self._waiting:
            self._hand(None)
        await asyncio.gather(*self._quarantined, return_exceptions=True)
        for connection in self._free:
            with contextlib.suppress(*LOST):
                await connection.close(timeout=2)
        self.made -= len(self._free)
        self._free.clear()

    async def _connect(self) -> asyncpg.Connection:
        self.made += 1
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
            self.made -= 1
            self._hand(None)
            if isinstance(e, asyncpg.TooManyConnectionsError):
                raise Busy() from e
            raise

    async def _wait(self) -> asyncpg.Connection | None:
        handed: asyncio.Future[asyncpg.Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(handed)
        timer = handed.get_loop().call_later(self.patience, _give_up, handed)
        try:
            return await handed
        except asyncio.CancelledError:
            if handed.done() and not handed.cancelled() and handed.exception() is None:
                given = handed.result()  # handed over while we were being cancelled
                self.release(given) if given is not None else self._hand(None)
            raise
        finally:
            timer.cancel()

    def _hand(self, connection: asyncpg.Connection | None) -> bool:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    async def _quarantine(self, connection: asyncpg.Connection) -> None:
        """asyncpg cancels on a second connection: wait for that apart, then use this one again."""
        try:
            await connection.reset(timeout=1)
        except (asyncpg.PostgresError, *LOST, TimeoutError):
            connection.terminate()
        self.release(connection)


def _give_up(handed: asyncio.Future[Any]) -> None:
    if not handed.done():
        handed.set_exception(Busy())
