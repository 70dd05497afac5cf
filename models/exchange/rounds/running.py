"""A round from beginning to end, as a worker runs it.

It is taken by one row's change, read in one snapshot, planned in a process of its own, and written in one transaction.
Meanwhile a pulse says every second that it lives and how far it is, and hears whether it was called off: what is lost
at whatever moment has written nothing but that. The worker that finds it silent begins anew (`requeue_rounds`).
"""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
import structlog

from models import clock
from models.access import Actor
from models.base import INSTANT, table
from models.database import Db, Statement, transaction
from models.exchange.actions.ground import bound
from models.exchange.rounds import reading, rules
from models.exchange.rounds.actions.jobs import QUEUE_AGAIN
from models.exchange.rounds.actions.starting import END_ROUND
from models.exchange.rounds.child import SolverFailed, plan
from models.exchange.rounds.days import Days
from models.exchange.rounds.solving import Asked
from models.exchange.rounds.states import ROUND_STEPS, MatchFailure, MatchRoundStatus, MatchStage
from models.exchange.rounds.tables import MatchRound
from models.exchange.visible import is_any
from models.pool import LOST, Pool
from models.problems import Busy

log = structlog.get_logger("wushe.rounds")
match_round = table(MatchRound)
R = MatchRoundStatus
PULSE = 1.0
"""Seconds between two looks at whether the round was called off."""
BEAT = 5.0
"""Seconds after which it says that it lives, where nothing else is to be said."""
GATHERED, SOLVED = 5, 95
"""Percent that are done when everything is read, and when everything is planned."""
DATABASE = (*LOST, Busy, TimeoutError, asyncpg.PostgresError)

TAKE = Statement(
    sa.update(match_round)
    .where(match_round.c.id == bound("id", sa.Uuid()), is_any(match_round.c.status, (R.QUEUED,)))
    .values(
        status=R.RUNNING.value,
        stage=MatchStage.GATHERING.value,
        progress=0,
        tries=match_round.c.tries + 1,
        heartbeat_at=bound("now", INSTANT),
        started_at=sa.func.coalesce(match_round.c.started_at, bound("now", INSTANT)),
        version=match_round.c.version + 1,
    )
    .returning(match_round)
)
MINE = (
    match_round.c.id == bound("id", sa.Uuid()),
    is_any(match_round.c.status, (R.RUNNING,)),
    match_round.c.tries == bound("tries", sa.Integer()),
)
STILL = Statement(sa.select(match_round.c.id).where(*MINE))
SAY = Statement(
    sa.update(match_round)
    .where(*MINE)
    .values(
        heartbeat_at=bound("now", INSTANT), stage=bound("stage", sa.Text()), progress=bound("progress", sa.Integer())
    )
    .returning(match_round.c.id)
)
LOCK = Statement(sa.select(match_round.c.tries).where(*MINE).with_for_update(key_share=True))
UNCOUNTED = Statement(
    sa.update(match_round).where(match_round.c.id == bound("id", sa.Uuid())).values(tries=match_round.c.tries - 1)
)


@dataclasses.dataclass
class Run:
    """A round that this worker has, and how far it is."""

    pool: Pool
    actor: Actor
    row: Any
    stage: MatchStage = MatchStage.GATHERING
    progress: int = 0

    @property
    def keys(self) -> dict[str, Any]:
        return {"id": self.row["id"], "tries": self.row["tries"]}

    def solving(self, done: float) -> None:
        """How much of the planning is done, of 1."""
        self.progress = max(self.progress, GATHERED + int((SOLVED - GATHERED) * min(1.0, done)))


async def run_round(pool: Pool, actor: Actor, id: UUID, stop: asyncio.Event) -> str | None:
    """Runs a round that waits: the state that it came to; None where it waits for nobody any more.

    Where `stop` is set first it is put back, for another worker. `actor`: the platform.
    """
    now = clock.now()

    async def take(db: Db) -> Any:
        row = await db.one(TAKE, id=id)
        if row is not None:
            db.tell("match_round.running", id, area=row["area"])
        return row

    row = await transaction(pool, actor, now, take)
    if row is None:
        return None
    run = Run(pool, actor, row)
    work, pulse = asyncio.create_task(_work(run, now)), asyncio.create_task(_pulse(run, stop))
    try:
        await asyncio.wait({work, pulse}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
            if stop.is_set():
                await _again(run, counted=False)
            return None
        return await _ended(run, work)
    finally:
        for task in (work, pulse):
            task.cancel()
        await asyncio.gather(work, pulse, return_exceptions=True)


async def _ended(run: Run, work: asyncio.Task[bool]) -> str | None:
    """What became of the work: written, or failed by name; what the database did not let us do is tried once more."""
    try:
        return R.READY.value if work.result() else None
    except reading.TooLarge:
        return await _failed(run, MatchFailure.TOO_LARGE)
    except DATABASE as problem:
        log.warning("round interrupted", round=str(run.row["id"]), error=type(problem).__name__)
        if run.row["tries"] >= rules.TRIES:
            return await _failed(run, MatchFailure.DATABASE)
        return await _again(run, counted=True)
    except SolverFailed as problem:
        log.error("round failed", round=str(run.row["id"]), error=str(problem))
        return await _failed(run, MatchFailure.SOLVER_FAILED)
    except Exception:
        await _failed(run, MatchFailure.SOLVER_FAILED)
        raise  # a bug, and loud


async def _work(run: Run, now: datetime) -> bool:
    from models.exchange.rounds.gathering import gather  # numpy and scipy: only where a round is run
    from models.exchange.rounds.writing import write

    row = run.row
    days = Days(row["horizon_from"], row["horizon_to"], now + rules.LEAD)
    async with run.pool.connection() as connection:
        snapshot = await reading.read(connection, row["area"], days, now)
    gathered = await asyncio.to_thread(gather, snapshot, days)
    run.stage, run.progress = MatchStage.SOLVING, GATHERED
    asked = Asked(gathered.instance, row["seconds"], row["seed"], row["fairness"])
    answer = await plan(asked, run.solving)
    run.stage, run.progress = MatchStage.WRITING, SOLVED

    async def written(db: Db) -> bool:
        return await write(db, row["id"], row["tries"], gathered, answer, now)

    return await transaction(run.pool, run.actor, clock.now(), written)


async def _pulse(run: Run, stop: asyncio.Event) -> None:
    """Says that it lives and how far it is; comes to an end when the round is not this worker's any more, or `stop` is set."""
    loop = asyncio.get_running_loop()
    said, told, heard = loop.time(), (run.stage, run.progress), loop.time()
    while not stop.is_set():
        try:
            async with asyncio.timeout(PULSE):
                await stop.wait()
            return
        except TimeoutError:
            pass
        news = (run.stage, run.progress) != told
        try:
            if not (news or loop.time() - said >= BEAT):
                async with run.pool.connection() as connection:
                    ours = await connection.fetchval(STILL.sql, *STILL.arguments(run.keys)) is not None
            else:
                told, said = (run.stage, run.progress), loop.time()
                ours = await _say(run, news=news)
            heard = loop.time()
        except DATABASE:
            ours = loop.time() - heard < rules.STALE.total_seconds()
        if not ours:
            return


async def _say(run: Run, *, news: bool) -> bool:
    async def work(db: Db) -> bool:
        found = await db.value(SAY, **run.keys, stage=run.stage, progress=run.progress)
        if found is not None and news:
            db.tell("match_round.progress", run.row["id"], area=run.row["area"])
        return found is not None

    return await transaction(run.pool, run.actor, clock.now(), work)


async def _again(run: Run, *, counted: bool) -> str | None:
    """Puts a round back, for whoever takes it next; `counted`: it was one of its tries."""

    async def work(db: Db) -> str | None:
        if await db.one(LOCK, **run.keys) is None:
            return None
        await db.value(QUEUE_AGAIN, id=run.row["id"])
        if not counted:
            await db.value(UNCOUNTED, id=run.row["id"])
        db.tell("match_round.requested", run.row["id"], area=run.row["area"])
        return R.QUEUED.value

    return await transaction(run.pool, run.actor, clock.now(), work)


async def _failed(run: Run, why: MatchFailure) -> str | None:
    async def work(db: Db) -> str | None:
        if await db.one(LOCK, **run.keys) is None:
            return None
        status = rules.step(ROUND_STEPS, "fail", R.RUNNING)
        await db.value(END_ROUND, id=run.row["id"], status=status, failure=why)
        db.tell("match_round.failed", run.row["id"], area=run.row["area"])
        return status.value

    return await transaction(run.pool, run.actor, clock.now(), work)


__all__ = ["SolverFailed", "run_round"]
