"""Workers: killed, cut off, many at once, told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import time
from datetime import datetime

import asyncpg
import orjson
import pytest
import structlog.testing
from pgqueuer.adapters.persistence.queries import Queries

from api import metrics
from api.jobs import SYSTEM, Called, Duties, Periodic, Tools, duties, upkeep
from api.worker import queue
from models import clock
from models.access import Role
from models.database import Db
from models.pool import Pool
from models.relay import Told
from tests.server import Server
from tests.worker.conftest import Ears, eventually, happen, relaying, working

EVERY_SECOND = "* * * * * *"
QUEUED = "SELECT payload FROM pgqueuer ORDER BY id"


async def queued(connection: asyncpg.Connection) -> list[tuple[int, int]]:
    """The places of the events for which jobs wait, in the order of the queue."""
    said = [orjson.loads(row["payload"]) for row in await connection.fetch(QUEUED)]
    return [(event["xid"], event["id"]) for event in said]


async def written(connection: asyncpg.Connection) -> list[tuple[int, int]]:
    """The places of all events, in order."""
    return [tuple(row) for row in await connection.fetch("SELECT xid, id FROM event ORDER BY xid, id")]


async def test_a_relay_killed_between_reading_and_committing_has_done_nothing(
    committed: str, plain: asyncpg.Connection, second: asyncpg.Connection, ears: Ears, now: datetime
) -> None:
    barrier = second.transaction()
    await barrier.start()
    await second.execute("LOCK TABLE pgqueuer IN SHARE ROW EXCLUSIVE MODE")
    with relaying(committed) as process:
        await happen(plain, now)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        await eventually(lambda: plain.fetchval(waits))  # it has read, and cannot put its job into the queue
        process.kill()
        process.wait()
    await barrier.rollback()
    await eventually(lambda: _none(plain, waits))
    assert await queued(plain) == []
    assert await plain.fetchval("SELECT event_id FROM relay_position") == 0
    with relaying(committed):
        await eventually(lambda: plain.fetchval("SELECT event_id <> 0 FROM relay_position"))
    assert await queued(plain) == await written(plain) == ears.places
    assert ears.count == 1


async def _heard(ears: Ears, batches: int) -> bool:
    return len(ears.heard) >= batches


async def _none(connection: asyncpg.Connection, counts: str) -> bool:
    return not await connection.fetchval(counts)


async def test_kills_at_any_moment_skip_nothing_and_repeat_nothing(
    committed: str, plain: asyncpg.Connection, pool: Pool, ears: Ears, now: datetime
) -> None:
    dice = random.Random(20261102)
    enough = asyncio.Event()

    async def write(held: float) -> None:
        async with pool.connection() as connection:
            while not enough.is_set():
                async with connection.transaction():
                    for _ in range(dice.randint(1, 5)):
                        await happen(connection, now)
                    await asyncio.sleep(dice.random() * held)

    writers = [asyncio.create_task(write(held)) for held in (0.003, 0.01, 0.3)]
    for _ in range(4):
        with relaying(committed):
            await eventually(functools.partial(_heard, ears, len(ears.heard) + 2))
            await asyncio.sleep(dice.random() * 0.06)
    enough.set()
    await asyncio.gather(*writers)
    everything = await written(plain)
    with relaying(committed):
        there = "SELECT (xid, event_id) = ($1, $2) FROM relay_position"
        await eventually(lambda: plain.fetchval(there, *everything[-1]))
    assert await queued(plain) == everything
    await eventually(functools.partial(_at_least, ears, len(everything)))
    assert ears.places == sorted(set(ears.places)) and ears.places[-1] == everything[-1]
    assert ears.count == len(everything) > 100


async def test_the_relay_is_close_behind(committed: str, plain: asyncpg.Connection, ears: Ears, now: datetime) -> None:
    took = []
    async with working(committed, Duties()):
        for n in range(20):
            await asyncio.sleep(0.013)
            await happen(plain, now)
            began = time.perf_counter()
            await eventually(functools.partial(_at_least, ears, n + 1))
            took.append(ears.times[-1] - began)
    assert ears.count == 20
    assert sorted(took)[10] < 0.06, took  # 40 ms between looks; the machine of a test may be slow


async def _at_least(ears: Ears, count: int) -> bool:
    return ears.count >= count


async def test_what_waits_is_measured(committed: str, plain: asyncpg.Connection, second: asyncpg.Connection) -> None:
    long = second.transaction()
    await long.start()
    await happen(second, clock.now())  # holds the next one back
    async with working(committed, Duties()):
        await happen(plain, clock.now())
        await eventually(lambda: _lag(lambda lag: lag > 0.2))
        await long.commit()
        await eventually(lambda: _lag(lambda lag: lag == 0))


async def _lag(holds: object) -> bool:
    assert callable(holds)
    return bool(holds(metrics.RELAY_LAG._value.get()))


async def test_an_event_calls_for_a_job_which_the_platform_does(
    committed: str, plain: asyncpg.Connection, now: datetime
) -> None:
    async def answer(db: Db, event: Told) -> None:
        assert db.actor is SYSTEM
        db.tell("thing.answered", event.subject, heard=event.topic)

    async with working(committed, Duties(called={"thing.happened": answer})):
        subjects = {await happen(plain, now) for _ in range(12)}
        await happen(plain, now, topic="other.happened")
        count = "SELECT count(*) = 12 FROM event WHERE topic = 'thing.answered'"
        await eventually(lambda: plain.fetchval(count))
        await eventually(lambda: plain.fetchval("SELECT count(*) = 0 FROM pgqueuer"))
    told = await plain.fetch("SELECT * FROM event WHERE topic = 'thing.answered'")
    assert {row["subject"] for row in told} == subjects
    assert {(row["role"], row["person"], row["data"]) for row in told} == {
        (Role.ADMIN, None, '{"heard": "thing.happened"}')
    }


async def test_a_job_that_fails_is_tried_again_and_its_secrets_are_not_kept(
    committed: str, plain: asyncpg.Connection, now: datetime
) -> None:
    tries: list[int] = []

    async def answer(db: Db, event: Told) -> None:
        tries.append(1)
        await db.connection.execute("INSERT INTO relay_position VALUES ('half', '0', 0, $1)", db.now)
        if len(tries) == 1:
            raise ValueError("13800000000")
        db.tell("thing.answered", event.subject)

    with structlog.testing.capture_logs() as logs:
        async with working(committed, Duties(called={"thing.happened": answer})):
            await happen(plain, now)
            await eventually(lambda: plain.fetchval("SELECT count(*) = 1 FROM event WHERE topic = 'thing.answered'"))
            await eventually(lambda: plain.fetchval("SELECT count(*) = 0 FROM pgqueuer"))
    assert len(tries) == 2
    (failure,) = [line for line in logs if line["event"] == "job failed"]
    assert failure["error"].startswith("ValueError at ") and failure["put_aside"] is False
    kept = str(await plain.fetch("SELECT traceback FROM pgqueuer_log"))
    assert "ValueError at" in kept and "13800000000" not in kept + str(logs)


async def test_each_tick_is_one_workers(committed: str, plain: asyncpg.Connection) -> None:
    ran: list[tuple[int, int]] = []

    def periodic(who: int) -> Duties:
        async def tick(tools: Tools) -> None:
            ran.append((round(time.time()), who))
            await asyncio.sleep(0.1)

        return Duties(periodic=(Periodic("tick", EVERY_SECOND, tick),))

    async with contextlib.AsyncExitStack() as stack:
        for who in range(4):
            await stack.enter_async_context(working(committed, periodic(who)))
        await asyncio.sleep(4.2)
    seconds = [second for second, _ in ran]
    assert len(seconds) >= 2 and len(seconds) == len(set(seconds)), ran


async def test_the_tick_of_a_worker_that_died_is_taken_by_another(committed: str, plain: asyncpg.Connection) -> None:
    took: list[str] = []

    def does(who: str) -> Duties:
        async def tick(tools: Tools) -> None:
            took.append(who)

        return Duties(periodic=(Periodic("tick", "0 0 1 1 *", tick),))

    async def taken() -> bool:
        return bool(took)

    async with working(committed, does("first")):
        await eventually(lambda: plain.fetchval("SELECT count(*) FROM pgqueuer_schedules"))
    dead = "UPDATE pgqueuer_schedules SET status = 'picked', heartbeat = now() - make_interval(secs => $1)"
    await plain.execute(dead, 20)
    async with working(committed, does("second")):
        await asyncio.sleep(0.3)
    assert took == []  # it may still live
    await plain.execute(dead, 31)
    async with working(committed, does("third")):
        await eventually(taken)
    assert took == ["third"]


async def test_a_tick_that_fails_is_logged_and_the_next_one_comes(committed: str) -> None:
    ran = 0

    async def tick(tools: Tools) -> None:
        nonlocal ran
        ran += 1
        raise ValueError("13800000000")

    async def twice() -> bool:
        return ran >= 2

    with structlog.testing.capture_logs() as logs:
        async with working(committed, Duties(periodic=(Periodic("tick", EVERY_SECOND, tick),))):
            await eventually(twice)
    assert [line["job"] for line in logs if line["event"] == "job failed"] == ["tick"] * ran
    assert "13800000000" not in str(logs)


async def test_a_worker_that_is_cut_off_begins_anew(
    server: Server, committed: str, plain: asyncpg.Connection, now: datetime
) -> None:
    async def answer(db: Db, event: Told) -> None:
        db.tell("thing.answered", event.subject)

    database = await plain.fetchval("SELECT current_database()")
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1 AND application_name = 'wushe worker'"
    root = await asyncpg.connect(server.superuser)
    try:
        with structlog.testing.capture_logs() as logs:
            async with working(committed, Duties(called={"thing.happened": answer})):
                for n in range(1, 4):
                    await happen(plain, now)
                    answered = f"SELECT count(*) = {n} FROM event WHERE topic = 'thing.answered'"
                    await eventually(functools.partial(plain.fetchval, answered))
                    assert await root.fetchval(cut, database) >= 2
                    await happen(plain, now, topic="other.happened")
                    await eventually(
                        lambda: plain.fetchval("SELECT event_id = (SELECT max(id) FROM event) FROM relay_position")
                    )
        assert {line["part"] for line in logs if line["event"] == "interrupted"} == {"relay", "jobs"}
    finally:
        await root.close()


async def test_a_stop_finishes_what_is_in_flight(committed: str, plain: asyncpg.Connection, now: datetime) -> None:
    begun = asyncio.Event()

    async def slow(db: Db, event: Told) -> None:
        begun.set()
        await asyncio.sleep(0.5)
        db.tell("thing.answered", event.subject)

    async with working(committed, Duties(called={"thing.happened": slow})):
        await happen(plain, now)
        await asyncio.wait_for(begun.wait(), 10)
    assert await plain.fetchval("SELECT count(*) FROM event WHERE topic = 'thing.answered'") == 1
    assert await plain.fetchval("SELECT count(*) FROM pgqueuer") == 0
    left = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'wushe worker'"
    )
    await eventually(lambda: _none(plain, left))


async def test_upkeep_makes_partitions_and_forgets_what_is_old(
    server: Server, committed: str, plain: asyncpg.Connection, pool: Pool
) -> None:
    now = datetime(2031, 3, 15, 3, 20, tzinfo=clock.SHANGHAI)
    put = "INSERT INTO idempotency_record VALUES ('a', 'm', $1, '', 'need', gen_random_uuid(), $2)"
    await plain.execute(put, "kept", datetime(2031, 3, 8, 3, 20, tzinfo=clock.SHANGHAI))
    await plain.execute(put, "gone", datetime(2031, 3, 8, 3, 19, 59, tzinfo=clock.SHANGHAI))
    await happen(plain, datetime(2031, 4, 30, 23, 59, tzinfo=clock.SHANGHAI))  # April is in the default one already
    owner = server.owner_url(await plain.fetchval("SELECT current_database()"))
    for expected in (
        {"idempotency_record": 1, "sign_in_throttle": 0, "pgqueuer_log": 0, "pgqueuer_statistics": 0, "event": 0},
        None,
    ):
        done = await upkeep(Tools(pool, owner, now))
        assert expected is None or done == expected
    assert await plain.fetch("SELECT key FROM idempotency_record") == [("kept",)]
    names = "SELECT relname FROM pg_class WHERE relname ~ '^event_p2031[0-9]+$' AND relkind = 'r' ORDER BY 1"
    assert [row[0] for row in await plain.fetch(names)] == ["event_p203103", "event_p203105", "event_p203106"]
    may = await happen(plain, datetime(2031, 5, 1, tzinfo=clock.SHANGHAI))
    assert await plain.fetchval("SELECT tableoid::regclass::text FROM event WHERE subject = $1", may) == "event_p203105"


async def test_a_worker_without_the_owners_url_leaves_the_owners_jobs(
    committed: str, plain: asyncpg.Connection
) -> None:
    async def never(tools: Tools) -> None:
        raise AssertionError

    async def tick(tools: Tools) -> None:
        ticked.set()

    ticked = asyncio.Event()
    does = Duties(
        periodic=(Periodic("owners", EVERY_SECOND, never, as_owner=True), Periodic("mine", EVERY_SECOND, tick))
    )
    with structlog.testing.capture_logs() as logs:
        async with working(committed, does):
            await asyncio.wait_for(ticked.wait(), 10)
    assert await plain.fetch("SELECT entrypoint FROM pgqueuer_schedules") == [("mine",)]
    assert [line["jobs"] for line in logs if "jobs" in line] == [["owners"]]


async def test_the_platforms_own_duties_run(committed: str, pool: Pool, now: datetime) -> None:
    does = duties()
    names = {each.name for each in does.periodic}
    assert {"lapse_due_holds", "expire_needs", "expire_offers", "upkeep", "archive_audit", "sweep_wechat"} <= names
    assert all(each.cron.split()[2:] == ["*", "*", "*"] for each in does.periodic)  # what fails waits a day at most
    for each in does.periodic:
        if not each.as_owner:
            assert await each.work(Tools(pool, None, now)) == 0


async def test_the_queues_tables_are_those_of_the_library(
    server: Server, committed: str, plain: asyncpg.Connection
) -> None:
    owner = await asyncpg.connect(server.owner_url(await plain.fetchval("SELECT current_database()")))
    try:
        plan = await Queries.from_asyncpg_connection(owner).plan_upgrade()
        assert plan.statements == () and plan.notes == ()
    finally:
        await owner.close()


async def test_a_stray_variable_does_not_rename_the_queue(
    committed: str, plain: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUEUE_TABLE", "elsewhere")
    monkeypatch.setenv("PGQUEUER_PREFIX", "x")
    assert len(await queue(plain).enqueue(["a"], [None], [0])) == 1


def test_called_jobs_have_topics_for_names() -> None:
    called: dict[str, Called] = dict(duties().called)
    assert all("." in topic for topic in called)
