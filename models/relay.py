"""The outbox's relay: reads what has happened, in an order in which nothing can be skipped, and tells of it.

Events are read in the order of (transaction, id), and only those of transactions older than every one that still
runs: a transaction that began early and commits late has a smaller number than what has been committed since, so a
reader that went by the number of the last event alone would pass it by. What events call for and how far has been
read commit together; so a relay that is killed anywhere has done a batch wholly or not at all.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from models.events import WHOLES

CHANNEL = "wushe_events"
"""Where each batch is announced, as JSON: `xid` and `id` of its last event, `count`, and `subjects` if they are few:
what its events are about, and what that is part of."""
BATCH = 500
"""The most events that are read at once."""
FEW = 190
"""The most subjects that an announcement names: it must stay under the 8,000 bytes of a notification."""


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """An event that has been committed, as its readers get it."""

    xid: int
    id: int
    at: datetime
    topic: str
    subject: UUID
    area: str | None
    data: str
    """JSON, as it was stored."""


Whom = Callable[[asyncpg.Connection, Sequence[str]], Awaitable[Sequence[Any]]]
"""What else is woken by some things that have changed: whose they are."""
Hand = Callable[[asyncpg.Connection, Sequence[Told]], Awaitable[Any]]
"""Hands on what a batch calls for, inside its transaction."""

LOOK = """
SELECT next.at, next.xid < pg_snapshot_xmin(pg_current_snapshot()) AS ready
FROM relay_position AS here
CROSS JOIN LATERAL (
    SELECT xid, at FROM event WHERE (xid, id) > (here.xid, here.event_id) ORDER BY xid, id LIMIT 1
) AS next
WHERE here.name = 'main'
"""
"""Takes no lock and writes nothing: an idle relay asks it many times a second."""

TAKE = f"""
WITH here AS MATERIALIZED (
    SELECT xid, event_id FROM relay_position WHERE name = 'main' FOR UPDATE SKIP LOCKED
)
SELECT next.*
FROM here
CROSS JOIN LATERAL (
    SELECT xid, id, at, topic, subject, area, data
    FROM event
    WHERE (xid, id) > (here.xid, here.event_id) AND xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY xid, id
    LIMIT {BATCH}
) AS next
ORDER BY next.xid, next.id
"""  # noqa: S608
"""The lock on the one row chooses who reads. One statement, so one snapshot: this transaction's own number, which the
lock gives it, does not hide events from it. The limit is written out: for an unknown one PostgreSQL may sort it all."""

ADVANCE = """
WITH moved AS (UPDATE relay_position SET xid = $1, event_id = $2, at = $3 WHERE name = 'main')
SELECT pg_notify($4, $5)
"""

REBASE = (
    "LOCK TABLE event IN SHARE ROW EXCLUSIVE MODE",
    """
    UPDATE event
    SET xid = CASE WHEN event.xid > here.xid OR event.id > here.event_id THEN '2'::xid8 ELSE '0'::xid8 END
    FROM relay_position AS here WHERE here.name = 'main'
    """,
    "UPDATE relay_position SET xid = '1', event_id = 0 WHERE name = 'main'",
)
"""For the owner, where the place is `foreign`: what was told before stays told, the rest is told next. What this server
has written since has greater ids; of what was written side by side at the place itself some may be told again. Every
transaction of this server has a greater number than 2."""

FOREIGN = "SELECT xid >= pg_snapshot_xmax(pg_current_snapshot()) FROM relay_position WHERE name = 'main'"


async def waiting(connection: asyncpg.Connection) -> tuple[datetime | None, bool]:
    """When the oldest event that has not been relayed happened (None: there is none), and whether it may be read now.

    It may not while a transaction runs that began before its own did.
    """
    found = await connection.fetchrow(LOOK)
    return (None, False) if found is None else (found["at"], found["ready"])


async def relay(connection: asyncpg.Connection, now: datetime, hand: Hand, whom: Whom | None = None) -> int:
    """Relays one batch; how many events there were. Zero also when another relay holds the place.

    `whom`: says whose the things are that a batch is about.
    """
    async with connection.transaction():
        batch = [Told(*row) for row in await connection.fetch(TAKE)]
        if not batch:
            return 0
        await hand(connection, batch)
        last = batch[-1]
        things = {id for event in batch for id in concerned(event)}
        if whom is not None and len(things) <= FEW:
            things |= {str(key) for key in await whom(connection, sorted(things))}
            things |= {str(key) for event in batch for key in places(event)}
        await connection.execute(ADVANCE, last.xid, last.id, now, CHANNEL, announcement(batch, things))
        return len(batch)


def announcement(batch: Sequence[Told], things: Iterable[str] | None = None) -> str:
    """What is told of a batch, once: also of which things, if they are few; those that it is about by default."""
    last = batch[-1]
    said: dict[str, Any] = {"xid": str(last.xid), "id": last.id, "count": len(batch)}
    subjects = sorted({id for event in batch for id in concerned(event)} if things is None else things)
    if len(subjects) <= FEW:
        said["subjects"] = subjects
    return json.dumps(said)


def places(event: Told) -> Iterable[UUID]:
    """Keys of the community and the district in which an event was, where it was in one."""
    return () if event.area is None else [area_key(event.area[:digits]) for digits in (12, 6)]


def area_key(code: str) -> UUID:
    """A place's code as an announcement names it, beside things: no UUID of ours is so small."""
    return UUID(int=int(code))


def concerned(event: Told) -> set[str]:
    """The UUIDs of what an event is about, and of what that is part of."""
    data = json.loads(event.data)
    return {str(event.subject), *[data[whole] for whole in WHOLES if data.get(whole)]}


async def place(connection: asyncpg.Connection) -> tuple[int, int]:
    """How far the outbox has been told: (transaction, id) of the last event."""
    found = await connection.fetchrow("SELECT xid, event_id FROM relay_position WHERE name = 'main'")
    return found["xid"], found["event_id"]


async def when(connection: asyncpg.Connection, xid: int, id: int) -> datetime | None:
    """When the event was that has this place; None where none has."""
    found: datetime | None = await connection.fetchval("SELECT at FROM event WHERE xid = $1 AND id = $2", xid, id)
    return found


async def foreign(connection: asyncpg.Connection) -> bool:
    """Whether the place was reached in another server, whose transactions had other numbers.

    A logical dump brings such a place along. Nothing would be relayed until this server's numbers have come as far;
    migrating puts it right.
    """
    return bool(await connection.fetchval(FOREIGN))
