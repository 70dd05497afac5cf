"""Nothing is skipped, nothing is told twice, and the order is that of transactions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import pytest

from models import migrate
from models.pool import Pool
from models.relay import BATCH, FEW, LOOK, TAKE, Told, announcement, foreign, relay, waiting
from tests.server import Server
from tests.worker.conftest import Ears, eventually, happen


class Hands:
    """Keeps what is handed on."""

    def __init__(self) -> None:
        self.events: list[Told] = []

    async def __call__(self, connection: asyncpg.Connection, batch: Sequence[Told]) -> None:
        self.events += batch


async def place(connection: asyncpg.Connection) -> tuple[int, int]:
    return tuple(await connection.fetchrow("SELECT xid, event_id FROM relay_position"))


async def test_an_event_is_told_once_with_what_it_says(plain: asyncpg.Connection, ears: Ears, now: datetime) -> None:
    hands = Hands()
    subject = await happen(plain, now, topic="need.verified")

    async def told() -> bool:
        await relay(plain, now, hands)
        return bool(hands.events)

    await eventually(told)
    assert await relay(plain, now, hands) == 0
    (event,) = hands.events
    assert (event.topic, event.subject, event.at, event.area, event.data) == ("need.verified", subject, now, None, "{}")
    await eventually(lambda: _true(ears.heard))
    assert ears.heard == [{"xid": str(event.xid), "id": event.id, "count": 1, "subjects": [str(subject)]}]
    assert await place(plain) == (event.xid, event.id)
    assert await plain.fetchval("SELECT at FROM relay_position") == now


async def _true(value: object) -> bool:
    return bool(value)


async def test_a_transaction_that_commits_late_is_not_passed_by(
    plain: asyncpg.Connection, second: asyncpg.Connection, pool: Pool, now: datetime
) -> None:
    hands = Hands()
    late = second.transaction()
    await late.start()
    slow = await happen(second, now)  # the smaller number of the two
    quick = await happen(plain, now)
    async with pool.connection() as connection:
        assert await waiting(connection) == (now, False)
        for _ in range(3):
            assert await relay(connection, now, hands) == 0
        await late.commit()

        async def both() -> bool:
            await relay(connection, now, hands)
            return len(hands.events) == 2

        await eventually(both)
    assert [event.subject for event in hands.events] == [slow, quick]
    assert hands.events[0].xid < hands.events[1].xid


async def test_what_was_rolled_back_is_never_told(
    plain: asyncpg.Connection, second: asyncpg.Connection, now: datetime
) -> None:
    hands = Hands()
    undone = second.transaction()
    await undone.start()
    await happen(second, now)
    kept = await happen(plain, now)
    await undone.rollback()

    async def told() -> bool:
        await relay(plain, now, hands)
        return bool(hands.events)

    await eventually(told)
    assert [event.subject for event in hands.events] == [kept]
    assert await waiting(plain) == (None, False)


async def test_a_batch_that_fails_is_done_again_as_a_whole(
    plain: asyncpg.Connection, ears: Ears, now: datetime
) -> None:
    await happen(plain, now)
    await eventually(lambda: _ready(plain))
    before = await place(plain)

    async def breaks(connection: asyncpg.Connection, batch: Sequence[Told]) -> None:
        await connection.execute("INSERT INTO pgqueuer (priority, status, entrypoint) VALUES (0, 'queued', 'x')")
        raise ValueError

    with pytest.raises(ValueError):
        await relay(plain, now, breaks)
    assert await place(plain) == before
    assert await plain.fetchval("SELECT count(*) FROM pgqueuer") == 0
    assert await relay(plain, now, Hands()) == 1
    await eventually(lambda: _true(ears.count == 1))


async def _ready(connection: asyncpg.Connection) -> bool:
    return (await waiting(connection))[1]


async def test_many_relays_share_one_outbox(pool: Pool, now: datetime) -> None:
    hands = Hands()
    most = BATCH * 2 + 2
    told: list[int] = []

    async def write() -> None:
        async with pool.connection() as connection:
            for _ in range(most // 3):
                await happen(connection, now)

    async def read() -> None:
        while len(hands.events) < most:
            async with pool.connection() as connection:
                told.append(await relay(connection, now, hands))
            await asyncio.sleep(0.001)

    async with asyncio.timeout(20):
        await asyncio.gather(*[write() for _ in range(3)], *[read() for _ in range(4)])
    keys = [(event.xid, event.id) for event in hands.events]
    assert keys == sorted(set(keys))
    assert len(keys) == sum(told) == most
    async with pool.connection() as connection:
        assert await place(connection) == keys[-1]


async def test_while_one_relay_reads_the_others_find_nothing(
    plain: asyncpg.Connection, second: asyncpg.Connection, now: datetime
) -> None:
    await happen(plain, now)
    await eventually(lambda: _ready(plain))

    async def meanwhile(connection: asyncpg.Connection, batch: Sequence[Told]) -> None:
        async with asyncio.timeout(2):
            assert await relay(second, now, Hands()) == 0

    assert await relay(plain, now, meanwhile) == 1


async def test_looking_writes_nothing(plain: asyncpg.Connection, now: datetime) -> None:
    await happen(plain, now)
    async with plain.transaction():
        await waiting(plain)
        assert await plain.fetchval("SELECT pg_current_xact_id_if_assigned()") is None


async def test_the_outbox_is_read_in_the_order_of_its_index(
    server: Server, plain: asyncpg.Connection, now: datetime
) -> None:
    await plain.execute(
        "INSERT INTO event (at, topic, subject, role, data)"
        " SELECT $1::timestamptz + make_interval(days => n % 60), 'x', gen_random_uuid(), 'ADMIN', '{}'"
        " FROM generate_series(1, 20000) AS n",
        now,
    )
    owner = await asyncpg.connect(server.owner_url(await plain.fetchval("SELECT current_database()")))
    await owner.execute("ANALYZE event")
    await owner.close()
    for statement in (LOOK, TAKE):
        plan = "\n".join([row[0] for row in await plain.fetch("EXPLAIN " + statement)])
        assert "Merge Append" in plan and "Seq Scan on event" not in plan and "Bitmap" not in plan, plan


def test_an_announcement_fits_into_a_notification(now: datetime) -> None:
    from uuid import uuid4

    few = [Told(2**63, 2**63, now, "x", uuid4(), None, "{}") for _ in range(FEW)]
    assert len(announcement(few)) < 8000
    assert len(json.loads(announcement(few))["subjects"]) == FEW
    many = [*few, Told(2**63, 2**63, now, "x", uuid4(), None, "{}")]
    assert json.loads(announcement(many)) == {"xid": str(2**63), "id": 2**63, "count": FEW + 1}
    same = [Told(5, n, now, "x", few[0].subject, None, "{}") for n in range(BATCH)]
    assert json.loads(announcement(same))["subjects"] == [str(few[0].subject)]


async def test_an_outbox_from_another_server_is_told_from_where_it_stood(
    server: Server, plain: asyncpg.Connection, now: datetime
) -> None:
    """A logical dump keeps the numbers of the transactions that it was made of."""
    database = await plain.fetchval("SELECT current_database()")
    owner = await asyncpg.connect(server.owner_url(database))
    try:
        far = int(await owner.fetchval("SELECT pg_current_xact_id()")) + 1_000_000_000
        before, after = await happen(plain, now), await happen(plain, now)
        await owner.execute("UPDATE event SET xid = $1 WHERE subject = $2", far, before)
        await owner.execute("UPDATE event SET xid = $1 WHERE subject = $2", far + 7, after)
        assert not await foreign(plain)
        last = await owner.fetchval("SELECT id FROM event WHERE subject = $1", before)
        await owner.execute("UPDATE relay_position SET xid = $1, event_id = $2", far, last)
        assert await foreign(plain)
        fresh = await happen(plain, now + timedelta(seconds=1))
        await asyncio.to_thread(migrate.upgrade, server.owner_url(database), "wushe_api")
        assert not await foreign(plain)
        hands = Hands()

        async def told() -> bool:
            await relay(plain, now, hands)
            return len(hands.events) >= 2

        await eventually(told)
        assert {event.subject for event in hands.events} == {after, fresh}
    finally:
        await owner.close()
