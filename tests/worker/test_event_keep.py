"""Events that are past their time go by whole months, and none that was not told."""

from __future__ import annotations

from datetime import date, datetime

import asyncpg
import pytest

from api.jobs import Tools, upkeep
from api.live import hub
from models import clock, event_keep, migrate
from models.pool import Pool
from models.relay import relay
from tests.server import Server, name_of
from tests.worker.conftest import eventually, happen

MONTHS = "SELECT relname FROM pg_class WHERE relname ~ '^event_p(2031|default)' AND relkind = 'r' ORDER BY 1"
NOW = datetime(2031, 4, 15, 3, 20, tzinfo=clock.SHANGHAI)


@pytest.fixture
async def owner(server: Server, committed: str) -> str:
    """The owner's URL of a database with the months of January to April 2031."""
    url = server.owner_url(name_of(committed))
    connection = await asyncpg.connect(url)
    await migrate.make_partitions(connection, date(2031, 1, 1))
    await connection.close()
    return url


async def on(connection: asyncpg.Connection, month: int, day: int, *, year: int = 2031) -> object:
    return await happen(connection, datetime(year, month, day, 9, tzinfo=clock.SHANGHAI))


async def tell(connection: asyncpg.Connection) -> None:
    """Relays everything there is."""

    async def nobody(connection: asyncpg.Connection, batch: object) -> None: ...

    async def told() -> bool:
        await relay(connection, NOW, nobody)
        return not await connection.fetchval(
            "SELECT EXISTS (SELECT FROM event, relay_position AS here WHERE (event.xid, event.id) > (here.xid, here.event_id))"
        )

    await eventually(told)


async def subjects(connection: asyncpg.Connection) -> set[object]:
    return {row[0] for row in await connection.fetch("SELECT subject FROM event")}


async def test_months_are_dropped_whole_thirty_days_after_their_end(
    owner: str, plain: asyncpg.Connection, pool: Pool
) -> None:
    for day in (1, 31):
        await on(plain, 1, day)
    await on(plain, 2, 28)  # February ended 46 days ago
    kept = {await on(plain, 3, 1), await on(plain, 4, 14)}  # March ended 14 days ago
    strange = await on(plain, 12, 31, year=2029)  # of a time that a request gave: in no month's partition
    kept |= {await on(plain, 9, 1)}
    assert await plain.fetchval("SELECT tableoid::regclass::text FROM event WHERE subject = $1", strange) == (
        "event_pdefault"
    )
    await tell(plain)
    assert (await upkeep(Tools(pool, owner, NOW)))["event"] == 4
    assert await subjects(plain) == kept
    left = [row[0] for row in await plain.fetch(MONTHS)]
    assert left[:3] == ["event_p203103", "event_p203104", "event_p203105"] and left[-1] == "event_pdefault"
    assert (await upkeep(Tools(pool, owner, NOW)))["event"] == 0


async def test_what_was_not_told_stays_and_so_does_its_month(owner: str, plain: asyncpg.Connection, pool: Pool) -> None:
    told = {await on(plain, 1, 5), await on(plain, 2, 5), await on(plain, 6, 1, year=2030)}
    await tell(plain)
    untold = {await on(plain, 1, 6), await on(plain, 6, 2, year=2030)}
    assert (await upkeep(Tools(pool, owner, NOW)))["event"] == 2  # February, and one that has no month
    left = await subjects(plain)
    assert untold < left and len(left & told) == 1
    await tell(plain)
    assert (await upkeep(Tools(pool, owner, NOW)))["event"] == 3
    assert await subjects(plain) == set()


def test_events_are_kept_longer_than_a_cursor_is_good() -> None:
    assert event_keep.KEPT > hub.KEPT
