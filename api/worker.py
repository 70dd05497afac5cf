"""The worker: relays the outbox, runs jobs and seals the audit log, until it is told to stop. Any number may run.

Its parts live on connections of their own and begin anew, ever more patiently, when PostgreSQL goes away. When the
worker is cancelled it finishes what is in flight.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import structlog
from pgqueuer import PgQueuer
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.db import AsyncpgDriver
from pgqueuer.domain.settings import DBSettings
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job, Schedule
from pgqueuer.types import Channel

from api import metrics
from api.jobs import SYSTEM, Called, Duties, Lasting, Periodic, Tools, duties
from api.logs import heed, traced
from api.settings import Settings
from api.storage import storage_of
from models import audit, audit_seal, clock
from models.database import Db, transaction
from models.exchange.watching import whose
from models.pool import LOST, Pool
from models.problems import Busy
from models.relay import BATCH, Told, foreign, relay, waiting
from models.vault import Locked, Vault

IDLE = 0.04
"""Seconds between two looks into an outbox in which nothing was waiting."""
SEALED = 2.0
"""Seconds between two looks for what is to be sealed of the audit log."""
ANCHORED = 3600.0
"""Seconds between two log lines that say how far it is sealed."""
GRACE = 10.0
"""Seconds that what is in flight is given to finish."""
LONGEST_PAUSE = 1.0
"""Seconds between two attempts to reach a PostgreSQL that is gone."""
STEADY = 5.0
"""Seconds after which a connection counts as having worked."""
TRIES = 6
"""How often a job that an event called for is tried, 1, 2, 4, … seconds apart, before it is put aside."""

OCCUPIED = timedelta(seconds=5)
"""After this a job that lasts is offered again, where the worker that was asked has another in hand."""
AGAIN = timedelta(seconds=2)
"""Between two looks into a queue from which nothing was heard."""

NAMES = DBSettings.model_construct()
"""pgqueuer's names of its tables as our migration makes them. Read from the environment, as it would itself, a stray
variable called FUNCTION or CHANNEL would change them."""

log = structlog.get_logger("wushe.worker")


async def run(settings: Settings, does: Duties | None = None) -> None:
    """Works until cancelled. `does`: other duties than the platform's, for tests."""
    assert settings.database_url is not None
    does = duties() if does is None else does
    heed(logging.getLogger())
    if settings.owner_url is None and (left := [p.name for p in does.periodic if p.as_owner]):
        log.warning("this worker has no DATABASE_OWNER_URL and leaves some jobs to others", jobs=left)
    pool = Pool(
        settings.database_url,
        size=6,
        patience=settings.acquire_timeout,
        statement_timeout_ms=int(settings.statement_timeout * 1000),
        application_name="wushe worker",
    )
    stop = asyncio.Event()
    hands: set[asyncio.Task[None]] = set()
    lives = {
        "relay": functools.partial(_relaying, pool, does, stop),
        "jobs": functools.partial(_working, pool, settings, does, stop, hands),
        "lasting": functools.partial(_finished, hands, stop),
    }
    if settings.owner_url is not None:
        lives["seals"] = functools.partial(_sealing, settings.owner_url, stop)
    parts = [asyncio.create_task(_persist(name, stop, live)) for name, live in lives.items()]
    try:
        done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        for part in done:
            part.result()  # only a bug ends one of them
    finally:
        stop.set()
        _, late = await asyncio.wait(parts, timeout=GRACE)
        for part in late:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await pool.close()


async def _persist(part: str, stop: asyncio.Event, live: Callable[[], Awaitable[None]]) -> None:
    """Lets one part live, again and again: PostgreSQL may restart, or not be there yet."""
    failures = 0
    while not stop.is_set():
        began = time.monotonic()
        try:
            await live()
        except (*LOST, Busy, Locked, asyncpg.PostgresError, TimeoutError) as problem:
            failures = 1 if time.monotonic() - began > STEADY else failures + 1
            if failures & (failures - 1) == 0:  # the 1st, 2nd, 4th, 8th, … in a row
                log.warning("interrupted", part=part, error=type(problem).__name__, times=failures)
            await _pause(stop, min(LONGEST_PAUSE, 0.05 * 2**failures))


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _relaying(pool: Pool, does: Duties, stop: asyncio.Event) -> None:
    hand = functools.partial(enqueue, does)
    async with pool.connection() as connection:
        if await foreign(connection):
            log.error("the relay's place is of another server: run ./wushe migrate, or events are not told")
        while not stop.is_set():
            oldest, ready = await waiting(connection)
            now = clock.now()
            metrics.RELAY_LAG.set(metrics.age(oldest, now))
            if not ready or await relay(connection, now, hand, whose) < BATCH:
                await _pause(stop, IDLE)


async def _sealing(owner_url: str, stop: asyncio.Event) -> None:
    """Seals the audit log, and every hour logs the newest seal: whoever keeps the logs can tell if its end is cut off."""
    connection = await asyncpg.connect(
        owner_url, timeout=10, server_settings={"application_name": "wushe seals", "lock_timeout": "2s"}
    )
    try:
        if await audit_seal.foreign(connection):
            log.error("the audit log was written in another server: run ./wushe migrate, or it is not sealed")
        vault, told = Vault(), 0.0
        while not stop.is_set():
            if await audit_seal.seal(connection, await vault.keys(connection), clock.now()) == audit_seal.BATCH:
                continue
            if time.monotonic() - told > ANCHORED:
                newest = await audit_seal.end(connection)
                log.info("audit head", seal=newest.n, hash=newest.hash.hex())
                told = time.monotonic()
            await _pause(stop, SEALED)
    finally:
        await connection.close()


async def enqueue(does: Duties, connection: asyncpg.Connection, batch: Sequence[Told]) -> None:
    """Puts the jobs that events call for into the queue, in the transaction that the relay has open."""
    called = [event for event in batch if event.topic in does.called or event.topic in does.lasting]
    if called:
        payloads: list[bytes | None] = [orjson.dumps(event, default=str) for event in called]
        await queue(connection).enqueue([event.topic for event in called], payloads, [0] * len(called))


def queue(connection: asyncpg.Connection) -> Queries:
    """pgqueuer on one connection, with the names that our migration gave."""
    return Queries(
        AsyncpgDriver(connection),
        qbe=QueryBuilderEnvironment(NAMES),
        qbq=QueryQueueBuilder(NAMES),
        qbs=QuerySchedulerBuilder(NAMES),
    )


async def _working(
    pool: Pool, settings: Settings, does: Duties, stop: asyncio.Event, hands: set[asyncio.Task[None]]
) -> None:
    """Runs jobs on one connection until that is lost, or `stop` is set; jobs in flight are finished."""
    async with pool.connection() as connection:
        await connection.execute("SELECT FROM pgqueuer LIMIT 0")  # not migrated yet: come again later
        queries = queue(connection)
        boss = PgQueuer(queries.driver, channel=Channel(NAMES.channel), queries=queries)
        for each in does.periodic:
            if settings.owner_url is not None or not each.as_owner:
                boss.schedule(each.name, each.cron)(_tick(pool, settings, each))
        for topic, verb in does.called.items():
            boss.entrypoint(topic, on_failure="hold")(_job(pool, verb))
        for topic, work in does.lasting.items():
            boss.entrypoint(topic, on_failure="hold")(_lasting_job(pool, settings, work, stop, hands))
        # Nothing wakes pgqueuer for a job that is to be tried again: it looks, and the shorter the pause the sooner.
        runs = boss.run(dequeue_timeout=AGAIN) if does.called or does.lasting else boss.sm.run()
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        ends = [asyncio.create_task(wait) for wait in (stop.wait(), lost.wait(), runs)]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            boss.shutdown.set()
            await ends[-1]
            if lost.is_set():
                raise ConnectionResetError
        finally:
            for end in ends:
                end.cancel()
            connection.terminate()  # it listens: it must not go back to the others


def _tick(pool: Pool, settings: Settings, each: Periodic) -> Callable[[Schedule], Awaitable[None]]:
    """Work by the clock, whose failure is logged: the next tick tries again."""

    def tools() -> Tools:
        return Tools(pool, settings.owner_url, clock.now(), settings.audit_months, storage_of(settings))

    async def tick(schedule: Schedule) -> None:
        began = time.perf_counter()
        try:
            result = await each.work(tools())
        except Exception as problem:
            log.error("job failed", job=each.name, error=traced(problem))
            await _note(pool, each.name, FAILED, error=type(problem).__name__)
        else:
            log.debug("job done", job=each.name, result=result, seconds=round(time.perf_counter() - began, 3))
            if result and (not isinstance(result, dict) or any(result.values())):
                await _note(pool, each.name, audit.DONE, did=result)

    return tick


FAILED = "FAILED"


async def _note(pool: Pool, job: str, result: str, *, subject: UUID | None = None, **detail: Any) -> None:
    """Writes on the audit log what became of a job. One that found nothing to do writes nothing."""
    row = audit.by_system(clock.now(), f"job.{job}", result, subject=subject, detail=detail)
    try:
        async with pool.connection() as connection:
            await audit.write(connection, *row)
    except (*LOST, Busy, asyncpg.PostgresError):
        log.warning("not on the audit log", action=f"job.{job}", result=result)


def _job(pool: Pool, verb: Called) -> Callable[[Job], Awaitable[None]]:
    """A job that an event called for. The queue keeps a failure's text, so that is only where it failed."""

    async def job(job: Job) -> None:
        assert job.payload is not None
        event = read(job.payload)

        async def work(db: Db) -> None:
            await verb(db, event)
            row = audit.by_system(db.now, f"job.{job.entrypoint}", subject=event.subject, detail=db.detail)
            await audit.write(db.connection, *row)

        try:
            await transaction(pool, SYSTEM, clock.now(), work)
        except Exception as problem:
            where = traced(problem)
            last = job.attempts + 1 >= TRIES
            log.error("job failed", job=job.entrypoint, told=event.id, error=where, put_aside=last)
            if last:
                await _note(pool, job.entrypoint, FAILED, subject=event.subject, error=type(problem).__name__)
                raise RuntimeError(where) from None
            raise RetryRequested(timedelta(seconds=2**job.attempts), where) from None

    return job


def _lasting_job(
    pool: Pool, settings: Settings, work: Lasting, stop: asyncio.Event, hands: set[asyncio.Task[None]]
) -> Callable[[Job], Awaitable[None]]:
    """A job that only begins something: what lasts outlives the connection that it was heard on, and keeps its own books."""

    async def lasting(job: Job, event: Told) -> None:
        tools = Tools(pool, settings.owner_url, clock.now(), settings.audit_months, storage_of(settings))
        try:
            did = await work(tools, event, stop)
        except Exception as problem:
            log.error("job failed", job=job.entrypoint, told=event.id, error=traced(problem))
            await _note(pool, job.entrypoint, FAILED, subject=event.subject, error=type(problem).__name__)
        else:
            if did is not None:
                await _note(pool, job.entrypoint, audit.DONE, subject=event.subject, did=did)

    async def begin(job: Job) -> None:
        assert job.payload is not None
        if hands or stop.is_set():
            raise RetryRequested(OCCUPIED, "occupied")
        task = asyncio.create_task(lasting(job, read(job.payload)))
        hands.add(task)
        task.add_done_callback(hands.discard)

    return begin


async def _finished(hands: set[asyncio.Task[None]], stop: asyncio.Event) -> None:
    """Waits for what lasts to come to an end, once the worker is to stop."""
    await stop.wait()
    if hands:
        await asyncio.wait(hands)


def read(payload: bytes) -> Told:
    """The event in a job's payload."""
    said: dict[str, Any] = orjson.loads(payload)
    return Told(**{**said, "at": datetime.fromisoformat(said["at"]), "subject": UUID(said["subject"])})
