"""A round as a worker runs it: planned in a process of its own, written whole or not at all, whatever is killed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest

from api.jobs import SYSTEM
from api.settings import ROOT
from models import clock
from models.access import Actor, Role
from models.database import Db, transaction
from models.exchange import actions as exchange
from models.exchange.rounds import actions
from models.exchange.rounds.actions.starting import RoundInput
from models.exchange.rounds.running import run_round
from models.pool import Pool
from models.problems import Kept, Problem
from tests.make_exchange import HERE, THERE, Scene, insert, neighbourhood
from tests.rounds.making import X, Y, placed, willing
from tests.rounds.process import DOES
from tests.worker.conftest import eventually, working


@pytest.fixture
async def scene(pool: Pool) -> AsyncIterator[Scene]:
    """The neighbourhood, today: a worker's time is the machine's."""
    async with pool.connection() as connection:
        made = Scene(connection, await neighbourhood(connection))
        await placed(made)
        made.now = clock.now()
        yield made


def morning(days: int = 1) -> dict[str, Any]:
    """The window of an appointment, some days ahead."""
    start = clock.midnight(clock.day(clock.now()) + timedelta(days=days)) + timedelta(hours=9)
    return {"window_from": start, "window_to": start + timedelta(hours=2)}


async def started(scene: Scene, division: str = HERE, by: str = "staff", **over: Any) -> UUID:
    """A round that was asked for, and told of."""
    id = scene.n.communities.get(division) or scene.n.districts[division]
    pool, now = scene.pool, clock.now()  # type: ignore[attr-defined]
    return await transaction(
        pool, scene.n.actor(by), now, lambda db: actions.start_round(db, id, RoundInput(**{"seconds": 5, **over}))
    )


@pytest.fixture(autouse=True)
def with_pool(scene: Scene, pool: Pool) -> None:
    scene.pool = pool  # type: ignore[attr-defined]


async def proposals(scene: Scene, round: UUID) -> list[tuple[UUID, UUID | None]]:
    rows = await scene.c.fetch(
        "SELECT need_id, person_id FROM match_proposal WHERE round_id = $1 ORDER BY need_id, person_id", round
    )
    return [(r["need_id"], r["person_id"]) for r in rows]


async def left_open(scene: Scene, round: UUID) -> dict[UUID, str]:
    rows = await scene.c.fetch("SELECT need_id, reason FROM match_open WHERE round_id = $1", round)
    return {r["need_id"]: r["reason"] for r in rows}


async def topics(scene: Scene, round: UUID) -> list[str]:
    rows = await scene.c.fetch("SELECT topic FROM event WHERE subject = $1 ORDER BY xid, id", round)
    return [r["topic"] for r in rows]


async def test_from_beginning_to_end(scene: Scene, pool: Pool) -> None:
    """Two who help two; one of them is wanted by somebody who needs a skill that nobody has."""
    two, skilled = await scene.need(quantity=2, **morning()), await scene.need(quantity=1, **morning(2))
    await scene.c.execute("UPDATE need SET skill_code = 'WHEELCHAIR' WHERE id = $1", skilled)
    for name in ("wang", "zhao"):
        await willing(scene, name)
    people = scene.n.people
    round = await started(scene)
    assert await run_round(pool, SYSTEM, round, asyncio.Event()) == "READY"
    row = await scene.row("match_round", round)
    assert (row["stage"], row["progress"], row["tries"], row["weights_version"]) == ("DONE", 100, 1, 1)
    assert await proposals(scene, round) == sorted([(two, people["wang"]), (two, people["zhao"])])
    assert await left_open(scene, round) == {skilled: "NO_SKILL"}
    mine = await scene.c.fetchrow("SELECT * FROM match_proposal WHERE person_id = $1", people["wang"])
    assert (mine["slot_from"], mine["slot_to"]) == (morning()["window_from"], morning()["window_to"])
    assert mine["score"] == sum(mine["points"]) > 3000 and mine["km"] == pytest.approx(0.5, abs=0.1)
    figures = await scene.row("match_figure", row["figures_id"])
    assert (figures["needs"], figures["served"], figures["wanted"], figures["helpers"]) == (2, 1, 3, 2)
    assert (figures["busy_helpers"], figures["mean_km"]) == (2, pytest.approx(0.5, abs=0.1))
    said = await topics(scene, round)
    assert said[:2] == ["match_round.requested", "match_round.running"] and said[-1] == "match_round.ready"
    told = await scene.c.fetch("SELECT subject FROM event WHERE topic = 'match_proposal.offered'")
    assert {r["subject"] for r in told} == {people["wang"], people["zhao"]}
    # the job may come twice
    assert await run_round(pool, SYSTEM, round, asyncio.Event()) is None
    assert len(await proposals(scene, round)) == 2


async def test_a_trial_proposes_nothing(scene: Scene, pool: Pool) -> None:
    await scene.need(quantity=1, **morning())
    await willing(scene, "wang")
    round = await started(scene, dry_run=True)
    assert await run_round(pool, SYSTEM, round, asyncio.Event()) == "READY"
    row = await scene.row("match_round", round)
    assert (await scene.row("match_figure", row["figures_id"]))["served"] == 1
    assert await proposals(scene, round) == []


async def test_a_solver_that_finds_nothing(scene: Scene, pool: Pool) -> None:
    needs = [await scene.need(quantity=1, **morning()) for _ in range(3)]
    round = await started(scene)
    assert await run_round(pool, SYSTEM, round, asyncio.Event()) == "READY"
    assert await proposals(scene, round) == []
    assert await left_open(scene, round) == dict.fromkeys(needs, "NOBODY_IN_REACH")
    row = await scene.row("match_round", round)
    figures = await scene.row("match_figure", row["figures_id"])
    assert (figures["served"], figures["helpers"], figures["mean_km"]) == (0, 0, 0)


async def test_a_round_over_nothing_at_all(scene: Scene, pool: Pool) -> None:
    round = await started(scene, THERE, "staff_there")
    assert await run_round(pool, SYSTEM, round, asyncio.Event()) == "READY"
    assert (await proposals(scene, round), await left_open(scene, round)) == ([], {})


async def test_who_avoids_whom_is_told_to_nobody(scene: Scene, pool: Pool) -> None:
    need = await scene.need(quantity=1, beneficiary=scene.n.residents["grandmother"], **morning())
    await willing(scene, "wang")
    people = scene.n.people
    await insert(
        scene.c, "avoidance", person_id=people["grandmother"], avoided_person_id=people["wang"], created_at=scene.now
    )
    round = await started(scene)
    assert await run_round(pool, SYSTEM, round, asyncio.Event()) == "READY"
    assert (await proposals(scene, round), await left_open(scene, round)) == ([], {need: "ALL_TAKEN"})


async def test_a_newer_round_plans_anew(scene: Scene, pool: Pool) -> None:
    need = await scene.need(quantity=1, **morning())
    await willing(scene, "wang")
    first = await started(scene)
    await run_round(pool, SYSTEM, first, asyncio.Event())
    second = await started(scene)
    await run_round(pool, SYSTEM, second, asyncio.Event())
    states = dict(await scene.c.fetch("SELECT round_id, status FROM match_proposal WHERE need_id = $1", need))
    assert states == {first: "SUPERSEDED", second: "OPEN"}


# what is called off, killed, stopped


async def solving(parent: psutil.Process) -> psutil.Process:
    """The process that plans, held still as soon as it is there."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for child in parent.children():
            with suppress(psutil.NoSuchProcess):
                if any("models.exchange.rounds.solving" in part for part in child.cmdline()):
                    child.suspend()
                    return child
        await asyncio.sleep(0.005)
    raise AssertionError("nobody plans")


async def gone(process: psutil.Process) -> None:
    async def dead() -> bool:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE

    await eventually(dead)


async def nothing_written(scene: Scene) -> None:
    for table in ("match_proposal", "match_open", "match_figure", "match_coverage"):
        assert await scene.c.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_a_round_that_is_called_off_stops(scene: Scene, pool: Pool) -> None:
    await scene.need(quantity=1, **morning())
    await willing(scene, "wang")
    round = await started(scene)
    running = asyncio.create_task(run_round(pool, SYSTEM, round, asyncio.Event()))
    child = await solving(psutil.Process())
    await transaction(pool, scene.n.actor("staff"), clock.now(), lambda db: actions.cancel_round(db, round))
    async with asyncio.timeout(5):
        assert await running is None
    await gone(child)
    assert (await scene.row("match_round", round))["status"] == "CANCELLED"
    await nothing_written(scene)


async def test_a_solver_that_dies_fails_by_name(scene: Scene, pool: Pool) -> None:
    await scene.need(quantity=1, **morning())
    await willing(scene, "wang")
    round = await started(scene)
    running = asyncio.create_task(run_round(pool, SYSTEM, round, asyncio.Event()))
    child = await solving(psutil.Process())
    child.kill()
    assert await running == "FAILED"
    row = await scene.row("match_round", round)
    assert (row["status"], row["failure"]) == ("FAILED", "SOLVER_FAILED")
    await nothing_written(scene)


async def test_a_worker_that_stops_puts_it_back(scene: Scene, pool: Pool, committed: str) -> None:
    await scene.need(quantity=1, **morning())
    await willing(scene, "wang")
    round = await started(scene)
    async with working(committed, DOES):
        child = await solving(psutil.Process())
    await gone(child)
    row = await scene.row("match_round", round)
    assert (row["status"], row["tries"]) == ("QUEUED", 0)
    await nothing_written(scene)
    async with working(committed, DOES):  # the next one hears of it at once
        await eventually(lambda: _is(scene, round, "READY"), 60)


async def _is(scene: Scene, round: UUID, status: str) -> bool:
    return bool(await scene.c.fetchval("SELECT status FROM match_round WHERE id = $1", round) == status)


@contextmanager
def worker(url: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("process.py")), url], cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_a_worker_killed_in_mid_round(scene: Scene, pool: Pool, committed: str) -> None:
    """Nothing is half written, the planning ends with its worker, and the next one begins anew."""
    need = await scene.need(quantity=1, **morning())
    await willing(scene, "wang")
    round = await started(scene)
    with worker(committed) as process:
        child = await solving(psutil.Process(process.pid))
        process.send_signal(signal.SIGKILL)
        process.wait()
    child.resume()
    await gone(child)
    row = await scene.row("match_round", round)
    assert (row["status"], row["tries"]) == ("RUNNING", 1)
    await nothing_written(scene)

    async def requeue(db: Db) -> int:
        return await actions.requeue_rounds(db)

    assert await transaction(pool, SYSTEM, clock.now(), requeue) == 0  # it may live yet
    assert await transaction(pool, SYSTEM, clock.now() + timedelta(seconds=31), requeue) == 1
    async with working(committed, DOES):
        await eventually(lambda: _is(scene, round, "READY"), 60)
    assert (await scene.row("match_round", round))["tries"] == 2
    assert await proposals(scene, round) == [(need, scene.n.people["wang"])]


# under load


async def test_two_rounds_and_live_claims_at_once_book_nobody_twice(scene: Scene, pool: Pool) -> None:
    """Twenty helpers between two communities, forty needs, two rounds side by side; then everybody says yes, and others
    claim: no need has more than it wants, nobody is at two places at once, and both books agree."""
    needs = [await scene.need(quantity=1 + n % 2, **morning(1 + n % 3)) for n in range(20)]
    for n in range(20):
        made = await scene.need(quantity=1, **morning(1 + n % 3))
        needs.append(made)
        await scene.c.execute(
            "UPDATE need SET community_id = $2, area = $3, grid_id = NULL, x = $4, y = $5 WHERE id = $1",
            made,
            scene.n.communities[THERE],
            THERE,
            X + 1.5,
            Y,
        )
    actors = []
    for _ in range(20):
        person = await insert(scene.c, "person", name_masked="志*", pinyin="z", created_at=scene.now)
        await insert(
            *(scene.c, "volunteer"),
            person_id=person,
            state="ACTIVE",
            area=HERE,
            adult_on=clock.day(scene.now) - timedelta(days=9000),
            created_at=scene.now,
        )
        name = f"v{len(actors)}"
        scene.n.people[name] = person
        await willing(scene, name, x=X + 0.8, weekly_cap=5)
        actors.append(Actor(Role.VOLUNTEER, person, None, HERE))
    here, there = await started(scene), await started(scene, THERE, "staff_there")
    done = await asyncio.gather(*(run_round(pool, SYSTEM, r, asyncio.Event()) for r in (here, there)))
    assert done == ["READY", "READY"]
    offered = await scene.c.fetch("SELECT id, person_id, need_id FROM match_proposal WHERE status = 'OPEN'")
    assert len(offered) > 20
    by_person = {a.person: a for a in actors}

    async def answer(actor: Actor, work: Any) -> str:
        async def act(db: Db) -> Any:
            try:
                return await work(db)
            except Kept as kept:
                return kept.problem

        try:
            found = await transaction(pool, actor, clock.now(), act)
        except Problem as problem:
            found = problem
        return type(found).__name__ if isinstance(found, Problem) else "done"

    def accept(id: UUID) -> Any:
        return lambda db: actions.accept_proposal(db, id)

    def claim(need: UUID) -> Any:
        return lambda db: exchange.claim_need(db, need)

    came = Counter(
        await asyncio.gather(
            *(answer(by_person[row["person_id"]], accept(row["id"])) for row in offered),
            *(answer(actor, claim(need)) for need in needs[:10] for actor in actors[:4]),
        )
    )
    assert came["done"] > 10
    assert set(came) <= {"done", "NeedFullyCommitted", "OverlappingBooking", "AlreadyCommitted"}
    books = await scene.c.fetch(
        "SELECT n.qty_total, n.qty_committed, (SELECT coalesce(sum(qty), 0) FROM commitment c WHERE c.need_id = n.id"
        " AND c.status IN ('PROPOSED', 'ACCEPTED')) AS held FROM need n"
    )
    assert all(b["qty_committed"] == b["held"] <= b["qty_total"] for b in books)
    accepted = await scene.c.fetchval("SELECT count(*) FROM match_proposal WHERE status = 'ACCEPTED'")
    assert accepted == await scene.c.fetchval("SELECT count(*) FROM commitment WHERE status = 'ACCEPTED'")
    assert accepted == await scene.c.fetchval("SELECT count(*) FROM booking")
