"""The access token of the WeChat platform, one for all processes: sealed in `platform_token`, renewed by one of them.

A stable token does not turn when it is asked for again, and a new one is given from five minutes before its end on,
while the old one still serves. So whoever finds it that old renews it, alone, under an advisory lock; and where WeChat
does not answer then, the old one is used to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import asyncpg

from models import clock
from models.identity.wechat.problems import WechatUnavailable
from models.identity.wechat.queries import RENEWED, SHARED
from models.pool import Pool
from models.problems import Problem
from models.vault import Kind, Tampered, UnknownKey

EARLY = timedelta(minutes=5)
"""How long before its end a token is renewed."""
PATIENCE = 8.0
"""Seconds that WeChat is given: a transaction may stand idle for ten."""
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 2102))"


class Source(Protocol):
    """Who gives new tokens."""

    appid: str

    async def stable_token(self, *, force: bool = False) -> tuple[str, timedelta]: ...


class SharedToken:
    """The token of one mini-program: in memory, else in the database, else from WeChat."""

    def __init__(self, pool: Pool, source: Source, now: Callable[[], datetime] = clock.now) -> None:
        self.pool, self.source, self.now = pool, source, now
        self.name = f"wechat {source.appid}"
        self._held: tuple[str, datetime] | None = None
        self._one = asyncio.Lock()

    async def valid(self, *, refused: str | None = None) -> str:
        """A token that is good for some time yet; another one than `refused`. Raises WechatUnavailable, WechatBusy."""
        held = self._held
        if held is not None and self._fresh(held) and held[0] != refused:
            return held[0]
        async with self._one:  # one of this process asks the database; the others find what it brought
            held = self._held
            if held is None or not self._fresh(held) or held[0] == refused:
                held = self._held = await self._shared(refused)
        return held[0]

    def _fresh(self, held: tuple[str, datetime]) -> bool:
        return held[1] - EARLY > self.now()

    async def _shared(self, refused: str | None) -> tuple[str, datetime]:
        async with self.pool.connection() as connection:
            found = await self._stored(connection)
            if found is not None and self._fresh(found) and found[0] != refused:
                return found
            try:
                async with connection.transaction():
                    await connection.execute(LOCK, self.name)
                    found = await self._stored(connection)  # another process may have been first
                    if found is not None and self._fresh(found) and found[0] != refused:
                        return found
                    return await self._renewed(connection, found, refused)
            except asyncpg.QueryCanceledError:
                raise WechatUnavailable() from None

    async def _renewed(
        self, connection: asyncpg.Connection, old: tuple[str, datetime] | None, refused: str | None
    ) -> tuple[str, datetime]:
        now = self.now()
        try:
            async with asyncio.timeout(PATIENCE):
                token, life = await self.source.stable_token()
                if token == refused:  # the platform believes in what it does not take
                    token, life = await self.source.stable_token(force=True)
        except (Problem, TimeoutError) as no:
            if old is not None and old[0] != refused and old[1] > now:
                return old
            raise no if isinstance(no, Problem) else WechatUnavailable() from None
        keys = await self.pool.vault.keys(connection)
        row = {"name": self.name, "token": keys.seal(Kind.TOKEN, token), "ends_at": now + life, "now": now}
        await connection.execute(RENEWED.sql, *RENEWED.arguments(row))
        return token, now + life

    async def _stored(self, connection: asyncpg.Connection) -> tuple[str, datetime] | None:
        """The database's token; None where there is none, or none that opens: then a new one is asked for."""
        row = await connection.fetchrow(SHARED.sql, *SHARED.arguments({"name": self.name}))
        if row is None:
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
