"""The worker: relays the outbox and runs jobs, until it is told to stop. Any number of them may run.

Both halves live on connections of their own and begin anew, ever more patiently, when PostgreSQL goes away. When the
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
from api.jobs import SYSTEM, Called, Duties, Periodic, Tools, duties
from api.logs import traced
from api.settings import Settings
from models import clock
from models.database import transaction
from models.pool import LOST, Pool
from models.problems import Busy
from models.relay import BATCH, Told, foreign, relay, waiting

IDLE = 0.04
"""Seconds between two looks into an outbox in which nothing was waiting."""
GRACE = 10.0
"""Seconds that what is in flight is given to finish."""
LONGEST_PAUSE = 1.0
"""Seconds between two attempts to reach a PostgreSQL that is gone."""
STEADY = 5.0
"""Seconds after which a connection counts as having worked."""
TRIES = 6
"""How often a job that an event called for is tried, 1, 2, 4, … seconds apart, before it is put aside."""

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
    heed(logging.getLogger("pgqueuer"))
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
    halves = [
        asyncio.create_task(_persist("relay", stop, functools.partial(_relaying, pool, does, stop))),
        asyncio.create_task(_persist("jobs", stop, functools.partial(_working, pool, settings, does, stop))),
    ]
    try:
        done, _ = await asyncio.wait(halves, return_when=asyncio.FIRST_COMPLETED)
        for half in done:
            half.result()  # only a bug ends one of them
    finally:
        stop.set()
        _, late = await asyncio.wait(halves, timeout=GRACE)
        for half in late:
            half.cancel()
        await asyncio.gather(*halves, return_exceptions=True)
        await pool.close()


async def _persist(part: str, stop: asyncio.Event, live: Callable[[], Awaitable[None]]) -> None:
    """Lets one half live, again and again: PostgreSQL may restart, or not be there yet."""
    failures = 0
    while not stop.is_set():
        began = time.monotonic()
        try:
            await live()
        except (*LOST, Busy, asyncpg.PostgresError, TimeoutError) as problem:
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
            metrics.RELAY_LAG.set(0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()))
            if not ready or await relay(connection, now, hand) < BATCH:
                await _pause(stop, IDLE)


async def enqueue(does: Duties, connection: asyncpg.Connection, batch: Sequence[Told]) -> None:
    """Puts the jobs that events call for into the queue, in the transaction that the relay has open."""
    called = [event for event in batch if event.topic in does.called]
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


async def _working(pool: Pool, settings: Settings, does: Duties, stop: asyncio.Event) -> None:
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
        # Nothing wakes pgqueuer for a job that is to be tried again: it looks, and the shorter the pause the sooner.
        runs = boss.run(dequeue_timeout=AGAIN) if does.called else boss.sm.run()
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

    async def tick(schedule: Schedule) -> None:
        began = time.perf_counter()
        try:
            result = await each.work(Tools(pool, settings.owner_url, clock.now()))
        except Exception as problem:
            log.error("job failed", job=each.name, error=traced(problem))
        else:
            log.debug("job done", job=each.name, result=result, seconds=round(time.perf_counter() - began, 3))

    return tick


def _job(pool: Pool, verb: Called) -> Callable[[Job], Awaitable[None]]:
    """A job that an event called for. The queue keeps a failure's text, so that is only where it failed."""

    async def job(job: Job) -> None:
        assert job.payload is not None
        event = read(job.payload)
        try:
            await transaction(pool, SYSTEM, clock.now(), lambda db: verb(db, event))
        except Exception as problem:
            where = traced(problem)
            last = job.attempts + 1 >= TRIES
            log.error("job failed", job=job.entrypoint, told=event.id, error=where, put_aside=last)
            if last:
                raise RuntimeError(where) from None
            raise RetryRequested(timedelta(seconds=2**job.attempts), where) from None

    return job


def read(payload: bytes) -> Told:
    """The event in a job's payload."""
    said: dict[str, Any] = orjson.loads(payload)
    return Told(**{**said, "at": datetime.fromisoformat(said["at"]), "subject": UUID(said["subject"])})


class _Heeded(logging.Handler):
    """What pgqueuer logs, in our form: its message, and where an exception was raised, without the values at hand."""

    def emit(self, record: logging.LogRecord) -> None:
        problem = record.exc_info[1] if record.exc_info else None
        more = {} if problem is None else {"error": traced(problem)}
        log.log(record.levelno, record.getMessage(), **more)


def heed(logger: logging.Logger) -> None:
    """Sends a library's warnings and errors into our log."""
    if not any(isinstance(handler, _Heeded) for handler in logger.handlers):
        handler = _Heeded()
        handler.setLevel(logging.WARNING)
        logger.addHandler(handler)
