"""Nothing is lost, told twice or out of order, whatever happens to transactions, connections and clients."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from api.live import hub as hubs
from api.live.hub import Hub
from api.operations import Operations
from models.events import read_cursor
from models.problems import Busy
from resolvers.engine.engine import Refused
from tests.live.conftest import WATCH, Live, Watch
from tests.live.test_changes import code
from tests.worker.conftest import eventually

EVENT = "INSERT INTO event (at, topic, subject, role, data) VALUES ($1, 'need.edited', $2, 'RESIDENT', '{}') RETURNING xid, id"


async def happens(connection: asyncpg.Connection, live: Live, need: UUID, times: int = 1) -> list[tuple[int, int]]:
    """Events of a need, as its verbs would write them; their places."""
    return [tuple(await connection.fetchrow(EVENT, live.scene.now, need)) for _ in range(times)]


def places(watch: Watch) -> list[tuple[int, int]]:
    return [read_cursor(change["cursor"])[0] for change in watch.seen]


async def test_many_writers_are_told_in_one_order_and_once(live: Live) -> None:
    need = await live.opened()
    watches = [await live.watch(who, need) for who in ("daughter", "staff", "wang", "public")]

    async def write() -> list[tuple[int, int]]:
        wrote = []
        connection = await asyncpg.connect(live.pool.url)
        for n in range(30):
            async with connection.transaction():
                wrote += await happens(connection, live, need, 1 + n % 3)
                await asyncio.sleep(0.001 * (n % 4))
        await connection.close()
        return wrote

    wrote = sorted(place for each in await asyncio.gather(*[write() for _ in range(6)]) for place in each)
    for watch in watches:
        for _ in wrote:
            await watch.next()
        await watch.nothing(0.1)
        assert places(watch) == wrote


async def test_a_transaction_that_commits_late_comes_first(live: Live) -> None:
    need = await live.opened()
    watch = await live.watch("daughter", need)
    slow, quick = await asyncpg.connect(live.pool.url), await asyncpg.connect(live.pool.url)
    late = slow.transaction()
    await late.start()
    first = await happens(slow, live, need)
    second = await happens(quick, live, need)
    await watch.nothing()  # the later one has committed, and may not pass by the earlier one
    await late.commit()
    await watch.next(), await watch.next()
    assert places(watch) == first + second and first < second
    for connection in (slow, quick):
        await connection.close()


async def test_a_lost_connection_that_listens_loses_nothing(live: Live, pool: Any) -> None:
    need = await live.opened()
    watch = await live.watch("daughter", need)
    wrote: list[tuple[int, int]] = []
    writer = await asyncpg.connect(live.pool.url)
    killer = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wushe live' AND datname = current_database()"
    killed = 0
    for n in range(60):
        wrote += await happens(writer, live, need)
        if n % 15 == 5:
            killed += len(await live.scene.c.fetch(killer))
        await asyncio.sleep(0.01)
    assert killed >= 2
    for _ in wrote:
        await watch.next()
    await watch.nothing(0.2)
    assert places(watch) == wrote
    await writer.close()


async def test_an_announcement_that_is_never_heard_is_made_up_for(still: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LOOK", 0.2)
    live = still
    need = await live.opened()
    async with live.pool.connection() as connection:
        await eventually(lambda: _told(connection))  # before anybody watches
    watch = await live.watch("daughter", need)
    monkeypatch.setattr(live.hub, "_announced", lambda *_: None)
    wrote = await happens(live.scene.c, live, need)
    async with live.pool.connection() as connection:
        await connection.execute("UPDATE relay_position SET xid = $1, event_id = $2", *wrote[0])  # and no word of it
    await watch.next()
    assert places(watch) == wrote


async def _told(connection: asyncpg.Connection) -> bool:
    last = await connection.fetchrow("SELECT xid, id FROM event ORDER BY xid DESC, id DESC LIMIT 1")
    await connection.execute("UPDATE relay_position SET xid = $1, event_id = $2", *last)
    return True


async def test_since_goes_on_where_it_was_while_events_flow(live: Live) -> None:
    """A client that leaves and comes back again and again, while somebody writes, has seen everything once."""
    need = await live.opened()
    watch = await live.watch("daughter", need)
    wrote: list[tuple[int, int]] = []
    done = asyncio.Event()

    async def write() -> None:
        connection = await asyncpg.connect(live.pool.url)
        for _ in range(200):
            wrote.extend(await happens(connection, live, need))
            await asyncio.sleep(0.005)
        await connection.close()
        done.set()

    writing = asyncio.create_task(write())
    seen: list[tuple[int, int]] = []
    rounds = 0
    while len(seen) < 200:
        change = await watch.next()
        seen.append(read_cursor(change["cursor"])[0])
        if len(seen) % 17 == 0:
            rounds += 1
            await watch.end()
            watch = await live.watch("daughter", need, since=change["cursor"])
    await writing
    assert rounds >= 10
    assert seen == wrote
    await watch.nothing(0.2)


async def test_a_slow_client_keeps_no_answers_waiting(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has not taken is not read; what was read long ago is read anew."""
    monkeypatch.setattr(hubs, "STALE", 0.1)
    need = await live.opened()
    answers = live.answers(
        "daughter", "subscription ($id: ID!) { needChanged(id: $id) { cursor need { quantity } } }", id=f"need_{need}"
    )
    await live.settled()
    first = asyncio.create_task(anext(answers))  # type: ignore[arg-type]
    await eventually(lambda: _true(len(live.hub)))
    writer = await asyncpg.connect(live.pool.url)
    wrote = await happens(writer, live, need, 100)
    got = [await first]
    reads = live.hub.reads
    await asyncio.sleep(0.5)
    assert live.hub.reads == reads  # whatever waits for it waits in the database
    await live.scene.c.execute("UPDATE need SET qty_total = 7 WHERE id = $1", need)
    got += [await anext(answers) for _ in range(99)]
    changes = [orjson.loads(a)["data"]["needChanged"] for a in got]
    assert [read_cursor(c["cursor"])[0] for c in changes] == wrote
    assert [c["need"]["quantity"] for c in changes] == [2] + [7] * 99
    await answers.aclose()  # type: ignore[attr-defined]
    await writer.close()


async def _true(value: object) -> bool:
    return bool(value)


async def test_cursors_that_are_none_are_refused_by_name(live: Live) -> None:
    need = await live.opened()
    now = int(live.scene.now.timestamp() * 1000)

    def cursor(*parts: int) -> str:
        return base64.b64encode(".".join(map(str, parts)).encode()).decode()

    def odd(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    here = await live.scene.c.fetchrow("SELECT xid, id FROM event ORDER BY xid DESC, id DESC LIMIT 1")
    passed = await live.scene.c.fetchrow(
        "INSERT INTO event (at, topic, subject, role, data) VALUES ($1, 'needSubmitted', $2, 'SYSTEM', '{}')"
        " RETURNING xid, id",
        live.scene.now - timedelta(days=8),
        need,
    )
    old = int((live.scene.now - timedelta(days=8)).timestamp() * 1000)
    for given, name in (
        ("", "BAD_CURSOR"),
        ("nonsense", "BAD_CURSOR"),
        ("é", "BAD_CURSOR"),
        (cursor(1, 2), "BAD_CURSOR"),
        (cursor(-1, 2, now), "BAD_CURSOR"),
        (cursor(2**63, 2, now), "BAD_CURSOR"),
        (cursor(1, 2, 10**30), "BAD_CURSOR"),
        (cursor(2**62, 1, now), "BAD_CURSOR"),  # of events that never were
        (cursor(1, 1, old), "CURSOR_TOO_OLD"),
        (cursor(0, 0, now), "BAD_CURSOR"),  # of no event: everything would be behind it
        (cursor(*passed[:2], now), "CURSOR_TOO_OLD"),  # whatever it says of its age
        *[
            (odd(f"{here[0]}.{here[1]}{more}"), "BAD_CURSOR")
            for more in (f". {now}", f".+{now}", f".{now}_0", f".{now}\n")
        ],
        (odd(f"{here[0]}.{here[1]}.٣"), "BAD_CURSOR"),
    ):
        watch = await live.watch("daughter", need, since=given)
        with pytest.raises(Refused) as refused:
            await watch.next()
        assert code(refused) == name, given
    assert len(live.hub) == 0


async def test_a_cursor_of_a_process_that_has_heard_more_is_good(live: Live, pool: Any, engine: Any) -> None:
    need = await live.opened()
    deaf = Hub(pool, engine, live.hub.limits, lambda answer, id: Operations.written(None, answer, id))  # type: ignore[arg-type]
    deaf._there.set()
    watch = await live.watch("daughter", need)
    wrote = await happens(live.scene.c, live, need)
    change = await watch.next()
    live.hub, heard = deaf, live.hub
    again = Watch(live.answers("daughter", WATCH, id=f"need_{need}", since=change["cursor"]))
    await eventually(lambda: _true(len(deaf)))
    await again.nothing()
    assert len(deaf) == 1 and deaf.told >= wrote[0]
    await again.end()
    live.hub = heard
    await deaf.close()


async def test_what_cannot_be_heard_is_busy_and_a_hub_that_closes_says_come_again(
    live: Live, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    need = await live.opened()
    watch = await live.watch("daughter", need)
    await live.hub.close()
    with pytest.raises(Busy):
        await watch.next()
    monkeypatch.setattr(hubs, "PATIENCE", 0.05)
    with pytest.raises(Busy):
        await anext(
            live.answers("daughter", "subscription ($id: ID!) { needChanged(id: $id) { at } }", id=f"need_{need}")
        )  # type: ignore[arg-type]
