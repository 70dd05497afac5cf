"""What the worker does besides relaying: some things by the clock, some because an event calls for them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import structlog

from models import clock, vault
from models.access import Actor, Role
from models.audit_archive import KEPT_MONTHS, archive
from models.database import Db, transaction
from models.event_keep import forget_events
from models.files.ports import Storage
from models.pool import Pool
from models.relay import Told

log = structlog.get_logger("wushe.jobs")

SYSTEM = Actor(role=Role.ADMIN)
"""The platform itself: an administrator without a person. Nobody can sign in as it, since every token names a person;
so an event of the role ADMIN without a person says that no human did it."""

CHUNK = 5_000
"""Rows that are deleted in one transaction. While a transaction that writes runs, the relay waits for it."""

OLD = (
    ("idempotency_record", "at", timedelta(days=7)),
    ("sign_in_throttle", "at", timedelta(days=2)),
    ("pgqueuer_log", "created", timedelta(days=30)),
    ("pgqueuer_statistics", "created", timedelta(days=90)),
)
"""(table, its time, how long a row is kept). I29 promises seven days for a key."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tools:
    """What work by the clock is given. `owner_url` is the role that owns the tables."""

    pool: Pool
    owner_url: str | None
    now: datetime
    audit_months: int = KEPT_MONTHS
    files: Storage | None = None
    """Where attachments are kept."""


Work = Callable[[Tools], Awaitable[Any]]
Called = Callable[[Db, Told], Awaitable[Any]]
"""A verb that an event calls for, as the platform. It may come twice for one event when a worker is killed."""
Lasting = Callable[[Tools, Told, asyncio.Event], Awaitable[Any]]
"""Work of minutes that an event calls for, in transactions of its own; it comes to an end soon when the event is set. It
may come twice, and be lost in the middle: what it does must say so itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Periodic:
    """Work by the clock. Each tick is one worker's; work that finds nothing to do must cost nothing."""

    name: str
    cron: str
    """Minute, hour, day, month and weekday, in UTC."""
    work: Work
    as_owner: bool = False
    """Whether it needs DATABASE_OWNER_URL; a worker without that leaves it to others."""


@dataclasses.dataclass(frozen=True, slots=True)
class Duties:
    """Everything that a worker does."""

    periodic: tuple[Periodic, ...] = ()
    called: Mapping[str, Called] = dataclasses.field(default_factory=dict)
    """By an event's topic, which is also the job's name in the queue."""
    lasting: Mapping[str, Lasting] = dataclasses.field(default_factory=dict)
    """Likewise; one at a time in each worker."""


def by_system(verb: Callable[[Db], Awaitable[int]]) -> Work:
    """A verb that does a batch and says how much it was, as work by the clock: until it finds nothing more to do."""

    async def work(tools: Tools) -> int:
        total = 0
        while done := await transaction(tools.pool, SYSTEM, tools.now, verb):
            total += done
        return total

    return work


async def upkeep(tools: Tools) -> dict[str, int]:
    """Makes the coming months' partitions, then drops or deletes what is past its time; how many rows of what.

    It waits at most two seconds for a lock, since others wait behind it; what it could not do is done the next day.
    """
    from models.migrate import make_partitions  # brings Alembic along: 5 MB for one minute a day

    async with owning(tools) as connection:
        async with connection.transaction():
            await make_partitions(connection, clock.month(tools.now))
        gone = {table: await _purge(connection, table, at, tools.now - kept) for table, at, kept in OLD}
        return {**gone, "event": await forget_events(connection, tools.now)}


@contextlib.asynccontextmanager
async def owning(tools: Tools) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the role that owns the tables, which waits for a lock no longer than two seconds."""
    assert tools.owner_url is not None
    connection = await asyncpg.connect(
        tools.owner_url,
        timeout=10,
        server_settings={"lock_timeout": "2s", "timezone": "Asia/Shanghai", "application_name": "wushe upkeep"},
    )
    try:
        yield connection
    finally:
        await connection.close()


async def sweep_files(tools: Tools) -> int:
    """Forgets stored files that are no attachment's; how many."""
    from models.files.actions import sweep

    return 0 if tools.files is None else await sweep(tools.pool, tools.files, tools.now)


async def run_match_round(tools: Tools, event: Told, stop: asyncio.Event) -> str | None:
    """Runs the round that was asked for."""
    from models.exchange.rounds.running import run_round

    return await run_round(tools.pool, SYSTEM, event.subject, stop)


async def archive_audit(tools: Tools) -> dict[str, int]:
    """Drops the months of the audit log that are past their time, proven first; how many rows of which.

    It looks every day: a month that a lock, or a row not sealed yet, kept goes on the next.
    """
    async with owning(tools) as connection:
        return await archive(connection, await vault.load(connection), tools.now, tools.audit_months)


async def _purge(connection: asyncpg.Connection, table: str, at: str, before: datetime) -> int:
    chunk = f"SELECT ctid FROM {table} WHERE {at} < $1 ORDER BY {at} LIMIT {CHUNK}"  # noqa: S608
    gone = 0
    while True:
        done = await connection.execute(f"DELETE FROM {table} WHERE ctid = ANY (ARRAY ({chunk}))", before)  # noqa: S608
        count = int(done.split()[1])
        gone += count
        if count < CHUNK:
            return gone


def duties() -> Duties:
    """What this platform's workers do. Matching rounds last; whatever else an event calls for its verb does at once."""
    from models.exchange.actions import expire_needs, expire_offers, lapse_due_holds, tell_overdue_answers
    from models.exchange.rounds.actions import close_rounds, lapse_proposals, requeue_rounds
    from models.identity.sweep import sweep_sign_ins
    from models.identity.wechat.sweep import sweep_wechat
    from models.limits import sweep_buckets
    from models.people.actions import tell_ending
    from models.people.reliability import reckon_aged
    from models.privacy.actions import close_files, forget_grants, forget_proposals

    return Duties(
        periodic=(
            Periodic("lapse_due_holds", "* * * * *", by_system(lapse_due_holds)),
            Periodic("expire_needs", "* * * * *", by_system(expire_needs)),
            Periodic("expire_offers", "* * * * *", by_system(expire_offers)),
            Periodic("tell_overdue_answers", "*/5 * * * *", by_system(tell_overdue_answers)),
            Periodic("requeue_rounds", "* * * * *", by_system(requeue_rounds)),
            Periodic("lapse_proposals", "* * * * *", by_system(lapse_proposals)),
            Periodic("close_rounds", "* * * * *", by_system(close_rounds)),
            Periodic("sweep_sign_ins", "25 * * * *", by_system(sweep_sign_ins)),
            Periodic("sweep_wechat", "*/5 * * * *", by_system(sweep_wechat)),
            Periodic("sweep_buckets", "*/5 * * * *", by_system(sweep_buckets)),
            Periodic("close_files", "10 * * * *", by_system(close_files)),
            Periodic("forget_proposals", "15 19 * * *", by_system(forget_proposals)),
            Periodic("sweep_files", "40 * * * *", sweep_files),
            Periodic("forget_grants", "17 19 * * *", by_system(forget_grants)),
            Periodic("tell_ending_qualifications", "5 0 * * *", by_system(tell_ending)),  # 08:05 in Shanghai
            Periodic("reckon_aged_reliability", "35 18 * * *", by_system(reckon_aged)),
            Periodic("upkeep", "20 19 * * *", upkeep, as_owner=True),  # 03:20 in Shanghai
            Periodic("archive_audit", "40 19 * * *", archive_audit, as_owner=True),
        ),
        lasting={"match_round.requested": run_match_round},
    )
