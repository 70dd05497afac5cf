"""A served town with demo data and a relay beside it, for tests of sockets and streams."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import asyncpg

from api.jobs import Duties
from models import clock, relay
from models.access import Claims
from models.identity.tokens import sign
from tests.demo import Demo
from tests.faults.client import CATEGORIES, CLAIM, SUBMIT, VERIFY
from tests.faults.holding import locked
from tests.live.talking import Talk, talking
from tests.site import Site, served
from tests.worker.conftest import working

CHANGED = "subscription ($id: ID!) { needChanged(id: $id) { topic need { id status } } }"
READ = "query ($id: ID!) { need(id: $id) { id status } }"


def key() -> str:
    """A new idempotency key."""
    return f"live-{uuid.uuid4()}"


async def until(holds: Callable[[], object], seconds: float = 10.0) -> None:
    """Waits until something holds; fails when it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


class Place:
    """A served town, and who asks there."""

    def __init__(self, site: Site, demo: Demo) -> None:
        self.site, self.demo = site, demo

    def token(self, role: str, seconds: float | None = None) -> str:
        """A credential of a role's account; for so many seconds, or a demo's long ones."""
        claims: Claims = self.demo.claims[role]
        if seconds is None:
            return f"Bearer {self.site.token(claims)}"
        return f"Bearer {sign(self.site.keys, claims, clock.now(), timedelta(seconds=seconds))}"

    async def do(self, role: str, text: str, **variables: Any) -> Any:
        """What a mutation answers."""
        given = {"key": key(), **variables}
        data = await self.site.ask(text, given, token=self.site.token(self.demo.claims[role]))
        return next(iter(data.values()))

    async def submitted(self) -> str:
        """A need that waits for its verification."""
        categories = {c["code"]: c["id"] for c in (await self.site.ask(CATEGORIES))["serviceCategories"]}
        given = {"title": "社区活动帮手", "category": categories["ELDERLY.ESCORT"], "quantity": 1}
        made: str = (await self.do("social-worker", SUBMIT, input=given))["id"]
        hub = self.site.door.sockets.hub
        connection = await asyncpg.connect(self.demo.superuser)
        try:  # until it has been told, so that nobody who watches it from now on hears of it
            for _ in range(700):
                if (await relay.waiting(connection))[0] is None and hub.told >= await relay.place(connection):
                    break
                await asyncio.sleep(0.02)
        finally:
            await connection.close()
        return made

    async def verify(self, need: str) -> None:
        assert (await self.do("community-staff", VERIFY, id=need))["status"] == "OPEN"

    @contextlib.asynccontextmanager
    async def talk(self, role: str | None = None, **more: Any) -> AsyncIterator[Talk]:
        """A socket that is acknowledged."""
        async with talking(self.site, **more) as made:
            await made.greet(**({} if role is None else {"authorization": self.token(role)}))
            yield made

    def locked(self, statement: str, *args: Any) -> contextlib.AbstractAsyncContextManager[None]:
        """Another session holds a lock while the block runs."""
        return locked(self.demo.superuser, statement, *args)

    async def sql(self, query: str, *args: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.demo.superuser)
        try:
            return list(await connection.fetch(query, *args))
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def placed(demo: Demo, **more: str) -> AsyncIterator[Place]:
    """The town, served with these settings, and relayed."""
    async with served(demo.api, **more) as site, working(demo.api, Duties()):
        yield Place(site, demo)


__all__ = ["CHANGED", "CLAIM", "READ", "Place", "key", "placed", "until"]
