"""How long events are kept: months that are long past are dropped whole, once all of them has been told.

What somebody asks for by `since` is at most a week old (`api/live/hub.py`); the rest is for whoever looks into what
happened. What happened for good is on the audit log, not here.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

import asyncpg

from models import clock

KEPT = timedelta(days=30)
"""After the end of its month. An event is kept for so long at least, and for two months at most."""
CHUNK = 5_000

PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'event'::regclass ORDER BY 1"
UNTOLD = """
SELECT EXISTS (
    SELECT FROM {} AS event, relay_position AS here WHERE here.name = 'main' AND (event.xid, event.id) > (here.xid, here.event_id)
)
"""
STRAYS = f"""
DELETE FROM event_pdefault WHERE ctid = ANY (ARRAY (
    SELECT event.ctid FROM event_pdefault AS event, relay_position AS here
    WHERE event.at < $1 AND here.name = 'main' AND (event.xid, event.id) <= (here.xid, here.event_id) LIMIT {CHUNK}
))
"""  # noqa: S608 - of a number written here
"""Rows of months that have no partition: of times that requests gave, outside production."""


async def forget_events(connection: asyncpg.Connection, now: datetime) -> int:
    """Drops what is past its time, as the owner, and answers how many events that were.

    A month of which something has not been told yet stays, however old. Dropping waits for a lock on all events, which
    those who write wait behind; the caller bounds that.
    """
    gone = 0
    for (name,) in await connection.fetch(PARTITIONS):
        found = re.fullmatch(r"event_p(\d{4})(\d\d)", name)
        if found and clock.midnight(clock.next_month(date(int(found[1]), int(found[2]), 1))) <= now - KEPT:
            gone += await _drop(connection, name)
    while True:
        done = int((await connection.execute(STRAYS, now - KEPT)).split()[1])
        gone += done
        if done < CHUNK:
            return gone


async def _drop(connection: asyncpg.Connection, name: str) -> int:
    count: int = await connection.fetchval(f"SELECT count(*) FROM {name}")  # noqa: S608 - a partition of our own naming
    async with connection.transaction():
        await connection.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
        if await connection.fetchval(UNTOLD.format(name)):
            return 0
        await connection.execute(f"DROP TABLE {name}")
    return count
