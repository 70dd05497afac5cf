"""What a subscription may take: each statement is paid for, and it ends when they take too long. What was told stays told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from api import errors
from api.limits import Limits
from api.live import hub as hubs
from api.live.hub import CUT_OFF, Hub
from api.operations import Operations
from api.rates import Rates
from models import relay
from models.pool import Pool
from models.problems import Busy
from resolvers.engine.engine import Engine
from tests.live.conftest import WATCH, Live, Watch, _true
from tests.live.test_order import _told, happens, places
from tests.worker.conftest import eventually


def another(pool: Pool, engine: Engine, limits: Limits) -> Hub:
    """The hub of a further process."""
    return Hub(pool, engine, limits, lambda answer, id: Operations.written(None, answer, id))  # type: ignore[arg-type]


@pytest.fixture
async def poor(live: Live, pool: Pool, engine: Engine) -> AsyncIterator[Live]:
    """A process that gives everybody two points a second."""
    live.hub = another(pool, engine, Limits(pool, Rates(person=120, anonymous=120, address=100_000, sign_in=30)))
    await live.hub.start()
    yield live
    for watch in live.watches:
        await watch.end()
    await live.hub.close()
    await live.hub.limits.close()


async def used_up(live: Live, who: str) -> None:
    """He spends whatever he has."""
    for points in (60, 6, 1):
        while not await live.hub.limits.afford(live.n.actor(who), None, points):
            pass


# what it costs


@pytest.mark.parametrize(("who", "count"), [("daughter", 1), ("public", 10)])
async def test_each_statement_is_paid_by_whoever_begins_it(live: Live, who: str, count: int) -> None:
    need = await live.opened()
    actor, limits = live.n.actor(who), live.hub.limits
    context = live.context(actor, WATCH, id=f"need_{need}")
    cost = live.hub.engine.document(context).cost(context.variables)
    watches = [await live.watch(who, need) for _ in range(count)]
    assert cost >= 2 and limits.spend(actor, None, 1)
    bucket, _ = limits._of(actor, None)
    for _ in range(3):
        left, reads = bucket.left, live.hub.reads
        await happens(live.scene.c, live, need)
        for watch in watches:
            await watch.next()
        assert left - bucket.left == cost * (live.hub.reads - reads) > 0


async def test_who_has_no_points_left_is_told_later_and_of_everything(poor: Live) -> None:
    need = await poor.opened()
    watch, other = await poor.watch("daughter", need), await poor.watch("staff", need)
    await used_up(poor, "daughter")
    wrote = []
    for _ in range(3):
        wrote += await happens(poor.scene.c, poor, need)
        await other.next()
    assert watch._new.empty()
    for _ in range(3):
        await watch.next()
    assert places(watch) == wrote == places(other)


async def test_who_waits_for_points_is_let_go_when_the_process_ends(poor: Live) -> None:
    need = await poor.opened()
    watch = await poor.watch("daughter", need)
    await used_up(poor, "daughter")
    await happens(poor.scene.c, poor, need)
    await poor.settled()
    await asyncio.sleep(0.3)
    await poor.hub.close()
    with pytest.raises(Busy):
        await watch.next(1)


# what takes too long


@pytest.fixture
async def hasty(still: Live, committed: str, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    """A process whose statements may take little. Nobody relays: what was told is said by the tests."""
    monkeypatch.setattr(hubs, "LOOK", 0.1)
    quick = Pool(committed, 4, statement_timeout_ms=200)
    async with quick.connection() as connection:
        await quick.vault.keys(connection)
    still.hub = another(quick, engine, still.hub.limits)
    await still.hub.start()
    yield still
    for watch in still.watches:
        await watch.end()
    await still.hub.close()
    await quick.close()


async def test_what_takes_too_long_again_and_again_ends(hasty: Live) -> None:
    need = await hasty.opened()
    await _told(hasty.scene.c)
    watch = await hasty.watch("daughter", need)
    await happens(hasty.scene.c, hasty, need)
    locker = await asyncpg.connect(hasty.pool.url)
    async with locker.transaction():
        await locker.execute("LOCK TABLE need IN ACCESS EXCLUSIVE MODE")
        reads = hasty.hub.reads
        await _told(hasty.scene.c)
        with pytest.raises(TimeoutError) as ended:
            await watch.next()
        assert isinstance(ended.value.__cause__, asyncpg.QueryCanceledError)
        assert errors.failure_of(ended.value) is errors.DEADLINE
        assert hasty.hub.reads - reads == CUT_OFF and len(hasty.hub) == 0
    await locker.close()


async def test_what_takes_too_long_once_is_told_later(hasty: Live) -> None:
    need = await hasty.opened()
    await _told(hasty.scene.c)
    watch = await hasty.watch("daughter", need)
    wrote = await happens(hasty.scene.c, hasty, need)
    locker = await asyncpg.connect(hasty.pool.url)
    async with locker.transaction():
        await locker.execute("LOCK TABLE need IN ACCESS EXCLUSIVE MODE")
        reads = hasty.hub.reads
        await _told(hasty.scene.c)
        await eventually(lambda: _true(hasty.hub.reads == reads + 2))
    await watch.next()
    assert places(watch) == wrote
    await locker.close()


async def test_a_disk_that_is_full_is_waited_for(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test fills a disk: what PostgreSQL says then is said in its stead."""
    need = await live.opened()
    watch = await live.watch("daughter", need)
    real, times = live.hub._rows, 0

    async def full(*args: Any) -> Any:
        nonlocal times
        times += 1
        if times <= 5:
            raise asyncpg.DiskFullError("could not extend file: No space left on device")
        return await real(*args)

    monkeypatch.setattr(live.hub, "_rows", full)
    wrote = await happens(live.scene.c, live, need)
    await watch.next()
    assert places(watch) == wrote and times > 5


# how far was told


async def test_what_is_heard_while_it_looks_is_not_taken_back(
    pool: Pool, engine: Engine, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An announcement that comes between the look and its answer is further than the answer."""
    hub = another(pool, engine, limits)

    async def slow(connection: asyncpg.Connection) -> tuple[int, int]:
        found = await relay.place(connection)
        hub._announced(None, 0, "", json.dumps({"xid": found[0] + 7, "id": 3, "subjects": []}))
        return found

    monkeypatch.setattr(hubs, "place", slow)
    await hub.start()
    async with pool.connection() as connection:
        await eventually(lambda: _true(hub._there.is_set()))
        assert hub.told == ((await relay.place(connection))[0] + 7, 3)
    await hub.close()


async def test_whoever_brings_a_later_place_brings_it_to_all(live: Live, pool: Pool, engine: Engine) -> None:
    need = await live.opened()
    heard = live.hub
    deaf = another(pool, engine, heard.limits)
    first = await live.watch("daughter", need)
    deaf.told = heard.told
    deaf._there.set()
    waiting = Watch(deaf.subscribe(*asked(live, need), fresh=nobody))
    await eventually(lambda: _true(len(deaf) == 1))
    wrote = await happens(live.scene.c, live, need)
    cursor = (await first.next())["cursor"]
    brings = Watch(deaf.subscribe(*asked(live, need, since=cursor), fresh=nobody))
    await waiting.next()
    assert places(waiting) == wrote
    for watch in (waiting, brings):
        await watch.end()
    await deaf.close()


def asked(live: Live, need: Any, **more: Any) -> tuple[Any, Any]:
    context = live.context(live.n.actor("daughter"), WATCH, id=f"need_{need}", **more)
    return context, live.hub.engine.document(context)


async def nobody() -> Any:
    raise AssertionError("it is not yet time to ask")
