"""The access token of the WeChat platform, one for all processes: sealed in `platform_token`, renewed by one of them.

A stable token does not turn when it is asked for again, and a new one is given from five minutes before its end on,
while the old one still serves. So whoever finds it that old takes a lease of a few seconds and renews it, holding no
connection while WeChat is asked. The others use the old one to its end, or, where there is none, wait a little.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeGuard

import asyncpg

from models import clock
from models.database import Statement
from models.identity.wechat.problems import WechatUnavailable
from models.identity.wechat.queries import LEASED, RELEASED, RENEWED, SHARED
from models.pool import LOST, Pool
from models.problems import Busy, Problem
from models.vault import Kind, Tampered, UnknownKey

EARLY = timedelta(minutes=5)
"""How long before its end a token is renewed."""
PATIENCE = 3.0
"""Seconds that WeChat is given for it: besides, the call that needs it has to fit into `resolvers.context.BEFORE`."""
LEASE = timedelta(seconds=5)
"""After how long another one renews, where who began did not come to an end."""
WAITS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Seconds between looks for the token that somebody else is renewing."""
Held = tuple[str, datetime]
"""A token, and when it ends."""


class Source(Protocol):
    """Who gives new tokens."""

    appid: str

    async def stable_token(self, *, force: bool = False) -> tuple[str, timedelta]: ...


class SharedToken:
    """The token of one mini-program: in memory, else in the database, else from WeChat."""

    def __init__(self, pool: Pool, source: Source, now: Callable[[], datetime] = clock.now) -> None:
        self.pool, self.source, self.now = pool, source, now
        self.name = f"wechat {source.appid}"
        self._held: Held | None = None
        self._one = asyncio.Lock()

    async def valid(self, *, refused: str | None = None) -> str:
        """A token that is good for some time yet; another one than `refused`. Raises WechatUnavailable, WechatBusy."""
        held = self._held
        if self._serves(held, refused) and (self._fresh(held) or self._one.locked()):
            return held[0]
        async with self._one:  # one of this process asks the database; the others find what it brought
            held = self._held
            if not self._serves(held, refused) or not self._fresh(held):
                held = self._held = await self._shared(refused)
        return held[0]

    def _serves(self, held: Held | None, refused: str | None) -> TypeGuard[Held]:
        return held is not None and held[1] > self.now() and held[0] != refused

    def _fresh(self, held: Held) -> bool:
        return held[1] - EARLY > self.now()

    async def _shared(self, refused: str | None) -> Held:
        for seconds in (*WAITS, 0.0):
            lease = self.now() + LEASE
            async with self.pool.connection() as connection:
                mine = False
                found = await self._stored(connection)
                if not self._serves(found, refused) or not self._fresh(found):
                    mine = await self._run(connection, LEASED, until=lease, now=self.now())
                    found = await self._stored(connection)  # another process may have been first
                if self._serves(found, refused) and (self._fresh(found) or not mine):
                    if mine:
                        await self._run(connection, RELEASED, until=lease)
                    return found
            if mine:
                return await self._renewed(lease, found, refused)
            await asyncio.sleep(seconds)
        raise WechatUnavailable()

    async def _renewed(self, lease: datetime, old: Held | None, refused: str | None) -> Held:
        """A token that WeChat gives, stored; where it gives none, the old one, as long as that lives."""
        now = self.now()
        try:
            async with asyncio.timeout(PATIENCE):
                token, life = await self.source.stable_token()
                if token == refused:  # the platform believes in what it does not take
                    token, life = await self.source.stable_token(force=True)
        except (Problem, TimeoutError) as no:
            with contextlib.suppress(*LOST, Busy):  # it lapses by itself
                async with self.pool.connection() as connection:
                    await self._run(connection, RELEASED, until=lease)
            if self._serves(old, refused):
                return old
            raise no if isinstance(no, Problem) else WechatUnavailable() from None
        async with self.pool.connection() as connection:
            keys = await self.pool.vault.keys(connection)
            await self._run(connection, RENEWED, token=keys.seal(Kind.TOKEN, token), ends_at=now + life, now=now)
        return token, now + life

    async def _run(self, connection: asyncpg.Connection, statement: Statement, **values: object) -> bool:
        """Whether a statement met this token's row."""
        given = statement.arguments({"name": self.name, **values})
        return await connection.fetchval(statement.sql, *given) is not None

    async def _stored(self, connection: asyncpg.Connection) -> Held | None:
        """The database's token; None where there is none, or none that opens: then a new one is asked for."""
        row = await connection.fetchrow(SHARED.sql, *SHARED.arguments({"name": self.name}))
        if row is None or row["token"] is None:
            return None
        for newest in (False, True):
            try:
                keys = await self.pool.vault.keys(connection, newest=newest)
                return keys.open(Kind.TOKEN, row["token"]), row["ends_at"]
            except UnknownKey:
                continue
            except Tampered:
                break
        return None


__all__ = ["SharedToken", "Source"]
