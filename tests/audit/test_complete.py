"""Who did what stands there: refusals and failures, jobs, commands; and no flood of refusals fills it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

import models.audit_flood as flood
from api.jobs import Duties, Periodic, Tools
from api.noting import noted
from api.settings import Trouble
from models import audit
from models.access import Actor, Role
from models.database import Db
from models.pool import Pool
from models.relay import Told
from resolvers.context import Context, asker, failure
from tests.audit.conftest import Log
from tests.worker.conftest import eventually, happen, settings, working


def context(pool: Pool, now: datetime, actor: Actor) -> Context:
    return Context("", {}, None, actor, asker(actor, now), pool, pool, now, 5.0, "203.0.113.7", "request-1")


async def rows(pool: Pool) -> list[dict[str, Any]]:
    async with pool.connection() as connection:
        found = await connection.fetch("SELECT * FROM audit_event ORDER BY id")
    return [{**r, "detail": json.loads(r["detail"])} for r in found]


async def test_refusals_of_a_minute_are_capped_and_then_counted(
    pool: Pool, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = 1_000.0
    monkeypatch.setattr(flood.time, "monotonic", lambda: time)
    asks = context(pool, now, Actor(Role.VOLUNTEER, person=uuid4()))
    for _ in range(flood.KIND + 40):
        await asks.refused("needClaim", "FORBIDDEN")
    assert len(await rows(pool)) == flood.KIND
    await asks.refused("contactReveal", "REVEAL_NOT_ALLOWED")
    assert (await rows(pool))[-1]["action"] == "contactReveal", "many harmless attempts hide no other kind"
    for n in range(flood.EACH):
        await asks.refused(f"verb{n}", "FORBIDDEN")
    await asks.refused("contactReveal", "REVEAL_NOT_ALLOWED")
    assert len(await rows(pool)) == flood.EACH
    other = context(pool, now, Actor(Role.VOLUNTEER, person=uuid4()))
    await other.refused("needClaim", "NOT_FOUND")  # another's minute is his own
    assert len(await rows(pool)) == flood.EACH + 1
    time += 61
    await other.refused("needVerify", "FORBIDDEN")
    found = await rows(pool)
    assert len(found) == flood.EACH + 3
    summary = next(r for r in found if r["action"] == flood.MANY)
    assert summary["person"] == asks.actor.person  # type: ignore[attr-defined]
    assert (summary["detail"], summary["result"], summary["address"]) == (
        {
            "count": 40 + flood.KIND + 2,
            "of": {
                **{f"verb{n}": {"FORBIDDEN": 1} for n in range(flood.EACH - flood.KIND - 1, flood.EACH)},
                "contactReveal": {"REVEAL_NOT_ALLOWED": 1},
                "needClaim": {"FORBIDDEN": 40},
            },
        },
        "FORBIDDEN",
        "203.0.113.7",
    )
    await asks.refused("needClaim", "FORBIDDEN")
    assert len(await rows(pool)) == flood.EACH + 4


async def test_the_minutes_of_many_do_not_fill_the_memory(pool: Pool, now: datetime) -> None:
    tide = flood.Flood()
    row = audit.by_system(now, "x")
    for n in range(flood.MOST + 10):
        tide.admits(("refused", n), 0, row, 0.0)
        tide.over(0.0)
    assert len(tide._minutes) <= flood.MOST


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (TimeoutError(), "DEADLINE"),
        (asyncpg.QueryCanceledError("x"), "BUSY"),
        (asyncpg.InvalidTextRepresentationError("x"), "BAD_INPUT"),
        (ConnectionResetError(), "UNAVAILABLE"),
        (KeyError("张三"), "INTERNAL"),
    ],
)
async def test_what_came_to_no_decision_is_named(pool: Pool, now: datetime, problem: Exception, code: str) -> None:
    assert failure(problem) == code
    asks = context(pool, now, Actor(Role.VOLUNTEER, person=uuid4()))
    await asks.failed("needClaim", problem)
    found = await rows(pool)
    if code in ("BUSY", "UNAVAILABLE"):  # counted: there was no connection to be had
        assert found == []
    else:
        assert [(r["action"], r["result"], r["detail"]) for r in found] == [("needClaim", code, {})]


@pytest.fixture
async def plain(committed: str) -> AsyncIterator[asyncpg.Connection]:
    made = await asyncpg.connect(committed)
    yield made
    await made.close()


async def test_jobs_that_did_something_or_failed_stand_there(
    committed: str, plain: asyncpg.Connection, pool: Pool
) -> None:
    async def busy(tools: Tools) -> dict[str, int]:
        return {"things": 3}

    async def idle(tools: Tools) -> dict[str, int]:
        return {"things": 0}

    async def broken(tools: Tools) -> int:
        raise ValueError("张三 10112345678")

    async def called(db: Db, event: Told) -> None:
        db.detail["count"] = 7

    does = Duties(
        tuple(Periodic(f.__name__, "* * * * * *", f) for f in (busy, idle, broken)), {"thing.happened": called}
    )
    async with working(committed, does):
        subject = await happen(plain, datetime.now().astimezone())
        await eventually(lambda: _has(plain, 3))
    found = {r["action"]: r for r in await rows(pool)}
    assert set(found) == {"job.busy", "job.broken", "job.thing.happened"}
    assert {r["role"] for r in found.values()} == {audit.SYSTEM}
    assert (found["job.busy"]["result"], found["job.busy"]["detail"]) == ("DONE", {"did": {"things": 3}})
    assert (found["job.broken"]["result"], found["job.broken"]["detail"]) == ("FAILED", {"error": "ValueError"})
    assert (found["job.thing.happened"]["subject"], found["job.thing.happened"]["detail"]) == (subject, {"count": 7})


async def _has(connection: asyncpg.Connection, most: int) -> bool:
    return int(await connection.fetchval("SELECT count(DISTINCT action) FROM audit_event")) >= most


async def test_a_worker_seals_what_is_written(log: Log, committed: str) -> None:
    await log.write(datetime.now().astimezone())
    async with working(committed, Duties(), log.owner_url):
        await eventually(lambda: log.owner.fetchval("SELECT count(*) FROM audit_seal"))


async def test_a_worker_without_the_owner_leaves_sealing_to_others(log: Log, committed: str) -> None:
    await log.write(datetime.now().astimezone() - timedelta(minutes=1))
    async with working(committed, Duties()):
        await asyncio.sleep(0.3)
    assert await log.owner.fetchval("SELECT count(*) FROM audit_seal") == 0


async def test_commands_say_that_they_were_run(log: Log, committed: str, pool: Pool) -> None:
    ready = settings(committed, log.owner_url)

    def commands() -> None:
        with noted(ready, "keys.rotate", kind="PHONE") as detail:
            detail["count"] = 12
        with pytest.raises(Trouble), noted(ready, "seed"):
            raise Trouble("张三")

    await asyncio.to_thread(commands)
    done, failed = await rows(pool)
    assert (done["action"], done["result"], done["role"]) == ("command.keys.rotate", "DONE", audit.SYSTEM)
    assert {k: v for k, v in done["detail"].items() if k != "user"} == {"kind": "PHONE", "count": 12}
    assert done["detail"]["user"]
    assert (failed["action"], failed["result"], failed["detail"]["error"]) == ("command.seed", "FAILED", "Trouble")
