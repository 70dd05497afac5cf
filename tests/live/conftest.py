"""A hub over a database of its own, a real relay beside it, and people who watch and act."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from api.app import engine as whole
from api.jobs import Duties
from api.limits import Limits
from api.live.hub import Hub
from api.operations import Operations
from api.rates import Rates
from models.access import Actor
from models.database import transaction
from models.exchange import actions
from models.pool import Pool
from resolvers.context import Context, asker
from resolvers.engine.engine import Engine
from tests.demo import demo_of_module
from tests.make_exchange import NOW, Neighbourhood, Scene, neighbourhood
from tests.worker.conftest import eventually, every_log, happen, working

WATCH = """subscription ($id: ID!, $since: String) {
  needChanged(id: $id, since: $since) { cursor at topic label need { id status quantityLeft } }
}"""


class Watch:
    """Somebody's subscription: what has arrived, one after another."""

    def __init__(self, answers: AsyncIterator[bytes]) -> None:
        self.answers = answers
        self.seen: list[dict[str, Any]] = []
        self._new: asyncio.Queue[Any] = asyncio.Queue()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for answer in self.answers:
                self._new.put_nowait(orjson.loads(answer))
        except Exception as error:
            self._new.put_nowait(error)

    async def next(self, seconds: float = 10.0) -> Any:
        """The next change. Raises what ended the subscription."""
        async with asyncio.timeout(seconds):
            found = await self._new.get()
        if isinstance(found, Exception):
            raise found
        assert "errors" not in found, found
        (change,) = found["data"].values()
        self.seen.append(change)
        return change

    async def nothing(self, seconds: float = 0.4) -> None:
        """Asserts that nothing more arrives for a while."""
        with pytest.raises(TimeoutError):
            await self.next(seconds)

    async def topics(self, count: int) -> list[str]:
        """What the next changes say that happened."""
        return [(await self.next())["topic"] for _ in range(count)]

    async def end(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self.answers.aclose()  # type: ignore[attr-defined]


class Live:
    """A neighbourhood that is watched."""

    def __init__(self, hub: Hub, pool: Pool, scene: Scene) -> None:
        self.hub, self.pool, self.scene = hub, pool, scene
        self.watches: list[Watch] = []

    @property
    def n(self) -> Neighbourhood:
        return self.scene.n

    def wanted(self, **over: Any) -> actions.NeedInput:
        """An escort, wanted twice."""
        given: dict[str, Any] = {"title": "陪诊", "category": self.n.categories["ELDERLY.ESCORT"], "quantity": 2}
        return actions.NeedInput(**{**given, "note": "三楼，行动不便", **over})

    async def opened(self, by: str = "daughter", **over: Any) -> UUID:
        """A need that is open."""
        made: UUID = await self.act(by, actions.submit_need, self.wanted(**over))
        await self.act("staff", actions.verify_need, made)
        return made

    async def act(self, who: str | Actor, verb: Callable[..., Awaitable[Any]], *args: Any, **kw: Any) -> Any:
        """Does something in a transaction of its own, and tells of it."""
        actor = self.n.actor(who) if isinstance(who, str) else who
        return await transaction(self.pool, actor, self.scene.now, lambda db: verb(db, *args, **kw))

    def context(self, actor: Actor, text: str, now: datetime | None = None, **variables: Any) -> Context:
        at = now or self.scene.now
        return Context(
            text, variables, None, actor, asker(actor, at), self.pool, self.pool, at, 10.0, None, "r-1", None
        )

    def answers(
        self,
        who: str | Actor,
        text: str,
        fresh: Callable[[], Awaitable[Actor]] | None = None,
        now: datetime | None = None,
        **variables: Any,
    ) -> AsyncIterator[bytes]:
        """A subscription, not begun yet."""
        actor = self.n.actor(who) if isinstance(who, str) else who

        async def same() -> Actor:
            return actor

        context = self.context(actor, text, now, **variables)
        return self.hub.subscribe(context, self.hub.engine.document(context), fresh=fresh or same)

    async def watch(self, who: str | Actor, id: UUID, *, text: str = WATCH, kind: str = "need", **kw: Any) -> Watch:
        """A subscription that has begun, after all that has happened so far was told."""
        await self.settled()
        before = len(self.hub)
        made = Watch(self.answers(who, text, id=f"{kind}_{id}", **kw))
        self.watches.append(made)
        await eventually(lambda: _true(len(self.hub) > before or not made._new.empty()))
        return made

    async def settled(self) -> None:
        """Waits until the hub has heard of all that has happened."""

        async def heard() -> bool:
            last = await self.scene.c.fetchrow("SELECT xid, id FROM event ORDER BY xid DESC, id DESC LIMIT 1")
            return last is None or self.hub.told >= tuple(last)

        await eventually(heard)


async def _true(value: object) -> bool:
    return bool(value)


@pytest.fixture(scope="session")
def engine() -> Engine:
    return whole(production=False)


@pytest.fixture
async def pool(committed: str) -> AsyncIterator[Pool]:
    made = Pool(committed, 12)
    async with made.connection() as connection:
        await made.vault.keys(connection)
    yield made
    await made.close()


@pytest.fixture
async def limits(pool: Pool) -> AsyncIterator[Limits]:
    made = Limits(pool, Rates(person=60_000, anonymous=60_000, address=600_000, sign_in=30))
    yield made
    await made.close()


@pytest.fixture
async def hub(pool: Pool, engine: Engine, limits: Limits) -> AsyncIterator[Hub]:
    made = Hub(pool, engine, limits, lambda answer, id: Operations.written(None, answer, id))  # type: ignore[arg-type]
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def relayed(committed: str) -> AsyncIterator[None]:
    """A worker that relays, and does nothing else."""
    async with working(committed, Duties()):
        yield


@pytest.fixture
async def still(pool: Pool, hub: Hub) -> AsyncIterator[Live]:
    """The neighbourhood, with nobody to relay yet."""
    async with pool.connection() as connection:
        made = await neighbourhood(connection)
    own = await asyncpg.connect(pool.url)
    live = Live(hub, pool, Scene(own, made, NOW))
    yield live
    for watch in live.watches:
        await watch.end()
    await own.close()


@pytest.fixture
async def live(still: Live, relayed: None) -> Live:
    return still


__all__ = ["WATCH", "Live", "Watch", "demo_of_module", "every_log", "happen"]
