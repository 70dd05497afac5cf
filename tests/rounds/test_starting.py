"""Asking for a round: by whom, over what, one at a time over a place; calling it off."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from models.access import Actor, Role
from models.database import Db, transaction
from models.exchange.rounds import actions
from models.exchange.rounds.actions.starting import RoundInput
from models.exchange.rounds.problems import RoundUnderWay
from models.pool import Pool
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, Problem
from tests.make_exchange import HERE, NOW, THERE, Scene, neighbourhood
from tests.rounds.making import a_proposal, a_round, ready


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> Scene:
    return Scene(connection, await neighbourhood(connection))


async def test_staff_plan_their_own_community_and_administrators_a_district(scene: Scene) -> None:
    made = await scene.row("match_round", await a_round(scene, days=7))
    assert (made["status"], made["area"], made["stage"], made["progress"]) == ("QUEUED", HERE, "WAITING", 0)
    assert (made["horizon_from"], made["horizon_to"]) == (date(2026, 11, 2), date(2026, 11, 8))
    assert made["no"].startswith("LC")
    with pytest.raises(Forbidden):
        await a_round(scene, division=THERE)
    with pytest.raises(Forbidden):
        await a_round(scene, division="210103")
    for name in ("wang", "ngo", "social_worker", "officer", "viewer", "daughter"):
        with pytest.raises(Forbidden):
            await a_round(scene, name)
    await a_round(scene, "staff_there", THERE)
    await actions.cancel_round(scene.as_("staff"), made["id"])
    db = scene.as_("admin")
    there = await scene.c.fetchval("SELECT id FROM match_round WHERE area = $1", THERE)
    await actions.cancel_round(scene.as_("admin"), there)
    assert await actions.start_round(db, scene.n.districts["210103"], RoundInput())
    assert [e.topic for e in db.events] == ["match_round.requested"]
    with pytest.raises(NotFound):
        await actions.start_round(scene.as_("admin"), scene.n.organization, RoundInput())


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"days": 0}, "horizonDays"),
        ({"days": 15}, "horizonDays"),
        ({"first": date(2026, 11, 1)}, "horizonFrom"),
        ({"first": date(2026, 12, 3)}, "horizonFrom"),
        ({"fairness": 1.01}, "fairness"),
        ({"fairness": math.nan}, "fairness"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": 601}, "seconds"),
        ({"seed": -1}, "seed"),
    ],
)
async def test_bad_input_is_named(scene: Scene, over: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await a_round(scene, **over)
    assert refused.value.field == field
    assert await scene.c.fetchval("SELECT count(*) FROM match_round") == 0


@pytest.mark.parametrize("first", [HERE, "210103"])
async def test_places_that_overlap_are_planned_one_after_another(scene: Scene, first: str) -> None:
    one = await a_round(scene, "admin", first)
    for second in (HERE, "210103"):
        with pytest.raises(RoundUnderWay) as refused:
            await a_round(scene, "admin", second)
        assert refused.value.no == (await scene.row("match_round", one))["no"]
    if first == HERE:
        await a_round(scene, "admin", THERE)  # beside it
    else:
        with pytest.raises(RoundUnderWay):
            await a_round(scene, "admin", THERE)
    await ready(scene, one)
    if first == HERE:
        await a_round(scene, "staff", HERE)


async def test_calling_off_withdraws_what_nobody_has_answered(scene: Scene) -> None:
    round = await ready(scene, await a_round(scene))
    need = await scene.need()
    open_ = await a_proposal(scene, round, need)
    declined = await a_proposal(
        scene,
        round,
        need,
        person_id=scene.n.people["sun"],
        status="DECLINED",
        decline_reason="NO_TIME",
        answered_at=NOW,
    )
    with pytest.raises(NotFound):
        await actions.cancel_round(scene.as_("staff_there"), round)
    await actions.cancel_round(scene.as_("staff"), round)
    assert (await scene.row("match_round", round))["status"] == "CANCELLED"
    assert (await scene.row("match_proposal", open_))["status"] == "WITHDRAWN"
    assert (await scene.row("match_proposal", declined))["status"] == "DECLINED"
    with pytest.raises(InvalidTransition):
        await actions.cancel_round(scene.as_("staff"), round)


async def test_many_at_once_start_one(pool: Pool) -> None:
    async with pool.connection() as connection, connection.transaction():
        n = await neighbourhood(connection)
    admin = Actor(Role.ADMIN, n.people["admin"])
    places = [n.districts["210103"], n.communities[HERE], n.communities[THERE]] * 5

    async def attempt(place: Any) -> str:
        async def work(db: Db) -> Any:
            return await actions.start_round(db, place, RoundInput())

        try:
            await transaction(pool, admin, NOW, work)
        except Problem as problem:
            return type(problem).__name__
        return "done"

    came = Counter(await asyncio.gather(*(attempt(place) for place in places)))
    assert set(came) == {"done", "RoundUnderWay"}
    async with pool.connection() as c:
        areas = [r["area"] for r in await c.fetch("SELECT area FROM match_round ORDER BY area")]
    assert areas in (["210103"], [HERE, THERE])
    assert came["done"] == len(areas)


async def test_a_round_whose_worker_is_silent_begins_anew_and_then_fails_by_name(scene: Scene) -> None:
    round = await a_round(scene)

    async def run() -> None:
        await scene.c.execute(
            "UPDATE match_round SET status = 'RUNNING', stage = 'SOLVING', progress = 40, tries = tries + 1,"
            " heartbeat_at = $2 WHERE id = $1",
            round,
            scene.now,
        )

    await run()
    scene.now += timedelta(seconds=29)
    assert await actions.requeue_rounds(scene.as_("admin")) == 0
    scene.now += timedelta(seconds=2)
    db = scene.as_("admin")
    assert await actions.requeue_rounds(db) == 1
    assert [e.topic for e in db.events] == ["match_round.requested"]
    row = await scene.row("match_round", round)
    assert (row["status"], row["stage"], row["progress"], row["tries"]) == ("QUEUED", "WAITING", 0, 1)
    await run()
    scene.now += timedelta(seconds=31)
    db = scene.as_("admin")
    assert await actions.requeue_rounds(db) == 1
    assert [e.topic for e in db.events] == ["match_round.failed"]
    row = await scene.row("match_round", round)
    assert (row["status"], row["failure"], row["tries"]) == ("FAILED", "WORKER_LOST", 2)
    await a_round(scene)  # the place is free again


async def test_rounds_close_when_nothing_waits_any_more(scene: Scene) -> None:
    round = await ready(scene, await a_round(scene))
    need = await scene.need()
    late = await a_proposal(scene, round, need)
    assert await actions.close_rounds(scene.as_("admin")) == 0
    scene.later(hours=21)
    assert await actions.close_rounds(scene.as_("admin")) == 0
    assert await actions.lapse_proposals(scene.as_("admin")) == 1
    assert (await scene.row("match_proposal", late))["status"] == "LAPSED"
    assert await actions.close_rounds(scene.as_("admin")) == 1
    assert (await scene.row("match_round", round))["status"] == "CLOSED"
    assert await actions.lapse_proposals(scene.as_("admin")) == 0
