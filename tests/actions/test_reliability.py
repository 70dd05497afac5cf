"""How reliable a volunteer is: reckoned in the transaction that ends something, and the same as from the raw rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from models.access import Actor, Role
from models.activity import actions as activity
from models.database import Db
from models.exchange import actions as exchange
from models.people.reliability import reckon_aged, reckon_reliability, reliability
from tests.make_activity import World, at, attend, world
from tests.make_exchange import Scene, neighbourhood


async def raw(connection: asyncpg.Connection, now: datetime) -> dict[UUID, tuple[int, int, int]]:
    """Every volunteer's three counts in plain Python, from commitments and attendances as they stand."""
    since, counts = now - timedelta(days=365), {}
    commitments = {c["id"]: c for c in await connection.fetch("SELECT * FROM commitment")}
    attendances = await connection.fetch("SELECT * FROM attendance")
    for who in [v["person_id"] for v in await connection.fetch("SELECT person_id FROM volunteer")]:
        done = missed = late = 0
        for c in commitments.values():
            if c["volunteer_person_id"] != who or c["ended_at"] is None or c["ended_at"] <= since:
                continue
            done += c["status"] == "COMPLETED"
            missed += c["status"] == "NO_SHOW"
            late += (
                c["status"] == "CANCELLED"
                and c["cancelled_by"] == "PROVIDER"
                and c["person_id"] == who
                and c["slot_from"] is not None
                and c["slot_from"] - c["ended_at"] < timedelta(hours=24)
            )
        for a in attendances:
            own = a["commitment_id"] and commitments[a["commitment_id"]]["volunteer_person_id"] == who
            if a["volunteer_id"] != who or a["starts_at"] <= since or own:
                continue
            done += a["status"] == "CONFIRMED"
            missed += a["status"] == "ABSENT"
            late += a["status"] == "WITHDRAWN" and a["late"]
        counts[who] = (done, missed, late)
    return counts


async def stored(connection: asyncpg.Connection) -> dict[UUID, tuple[int, int, int]]:
    rows = await connection.fetch("SELECT * FROM volunteer")
    for row in rows:
        exact = reliability(row["completed"], row["no_shows"], row["late_cancels"])
        assert row["reliability"] == pytest.approx(exact, abs=1e-6)
    return {row["person_id"]: (row["completed"], row["no_shows"], row["late_cancels"]) for row in rows}


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> Scene:
    return Scene(connection, await neighbourhood(connection))


async def of(scene: Scene, name: str) -> tuple[int, int, int]:
    assert await stored(scene.c) == await raw(scene.c, scene.now)
    return (await stored(scene.c))[scene.n.people[name]]


def test_a_newcomer_stands_at_four_fifths_and_one_bad_day_is_no_verdict() -> None:
    assert reliability(0, 0, 0) == 0.8
    assert reliability(0, 1, 0) == pytest.approx(8 / 11)
    assert reliability(10, 1, 0) == pytest.approx(18 / 21)
    assert 0 < reliability(0, 1000, 1000) < 0.01


async def test_completed_and_missed(scene: Scene) -> None:
    assert await of(scene, "wang") == (0, 0, 0)
    done = await scene.delivered(await scene.need(quantity=1))
    assert await of(scene, "wang") == (0, 0, 0)
    await exchange.complete_commitment(scene.as_("daughter"), done)
    assert await of(scene, "wang") == (1, 0, 0)
    missed = await scene.confirmed(await scene.need(quantity=1), "zhao")
    scene.later(days=1, hours=1)
    await exchange.mark_no_show(scene.as_("staff"), missed)
    assert await of(scene, "zhao") == (0, 1, 0)
    assert await of(scene, "wang") == (1, 0, 0)


@pytest.mark.parametrize(
    ("by", "hours_before", "late"),
    [("wang", 24.5, 0), ("wang", 23.5, 1), ("wang", -1, 1), ("daughter", 1, 0), ("staff", 1, 0)],
)
async def test_what_he_calls_off_late_counts_and_what_others_do_not(
    scene: Scene, by: str, hours_before: float, late: int
) -> None:
    window = {"window_from": scene.now + timedelta(days=3), "window_to": scene.now + timedelta(days=3, hours=2)}
    made = await scene.confirmed(await scene.need(**window))
    scene.later(hours=72 - hours_before)
    await exchange.cancel_commitment(scene.as_(by), made, "临时有事")
    assert await of(scene, "wang") == (0, 0, late)


async def test_a_dispute_counts_as_it_is_decided(scene: Scene) -> None:
    for delivered in (True, False):
        made = await scene.delivered(await scene.need(quantity=1))
        await exchange.dispute_commitment(scene.as_("daughter"), made, "没有来")
        await exchange.resolve_commitment(scene.as_("staff"), made, delivered=delivered, reason="已核实")
    assert await of(scene, "wang") == (1, 0, 0)


async def test_what_is_a_year_old_is_taken_out_by_the_job(scene: Scene) -> None:
    made = await scene.delivered(await scene.need(quantity=1))
    await exchange.complete_commitment(scene.as_("daughter"), made)
    system = Actor(Role.ADMIN)
    for days, done, left in ((364, 0, (1, 0, 0)), (1, 1, (0, 0, 0)), (30, 0, (0, 0, 0))):
        scene.later(days=days)
        assert await reckon_aged(Db(scene.c, system, scene.now)) == done
        assert await of(scene, "wang") == left
    assert await scene.c.fetchval("SELECT count(*) FROM volunteer WHERE reliable_until IS NOT NULL") == 0


async def test_nothing_is_written_where_nothing_changed(scene: Scene) -> None:
    before = await scene.c.fetchval("SELECT xmin::text FROM volunteer WHERE person_id = $1", scene.n.people["wang"])
    done = await scene.c.fetch("SELECT ctid FROM volunteer ORDER BY person_id")
    await reckon_reliability(scene.as_("wang"), scene.n.people["wang"], None, scene.n.people["grandmother"])
    assert await scene.c.fetch("SELECT ctid FROM volunteer ORDER BY person_id") == done
    assert before is not None


async def sessions(there: World, who: Actor) -> tuple[int, int, int]:
    assert await stored(there.connection) == await raw(there.connection, there.now)
    return (await stored(there.connection))[who.person]  # type: ignore[index]


async def test_sessions_count_too(connection: asyncpg.Connection, now: datetime) -> None:
    there = await world(connection, now)
    one, other, third = [await there.volunteer() for _ in range(3)]
    session = await there.session()
    part = await attend(there, session, one, "09:00", "12:00")
    assert await sessions(there, one) == (1, 0, 0)
    missing = await activity.sign_up(there.as_(other, at("09:00")), session)
    await activity.mark_absent(there.as_(there.ngo, at("12:30")), missing)
    assert await sessions(there, other) == (0, 1, 0)
    assert part != missing
    assert await sessions(there, third) == (0, 0, 0)


@pytest.mark.parametrize(("hours_before", "late"), [(25, 0), (23, 1)])
async def test_to_step_back_from_a_place_at_the_last_moment_is_late(
    connection: asyncpg.Connection, now: datetime, hours_before: int, late: int
) -> None:
    there = await world(connection, now)
    me = await there.volunteer()
    start = now + timedelta(days=4)
    session = await there.session(starts_at=start, ends_at=start + timedelta(hours=3))
    part = await activity.sign_up(there.as_(me), session)
    await activity.withdraw(there.as_(me, start - timedelta(hours=hours_before)), part)
    assert await sessions(there, me) == (0, 0, late)


async def test_who_only_waited_is_never_late(connection: asyncpg.Connection, now: datetime) -> None:
    there = await world(connection, now)
    first, me = await there.volunteer(), await there.volunteer()
    session = await there.session(capacity=1)
    await activity.sign_up(there.as_(first), session)
    part = await activity.sign_up(there.as_(me), session)
    await activity.withdraw(there.as_(me, at("08:30")), part)
    assert await sessions(there, me) == (0, 0, 0)


async def test_a_presence_that_carries_out_his_own_commitment_counts_once(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await world(connection, now)
    me = await there.volunteer()
    need = await there.need()
    commitment = await there.commitment(need, me.person)
    session = await there.session(there.staff, commitments=[(commitment, 1)])
    part = await connection.fetchval("SELECT id FROM attendance WHERE session_id = $1", session)
    await activity.check_in(there.as_(there.staff, at("08:30")), part)
    await activity.check_out(there.as_(there.staff, at("11:00")), part)
    assert await connection.fetchval("SELECT status FROM attendance WHERE id = $1", part) == "CONFIRMED"
    assert await sessions(there, me) == (0, 0, 0)
    await exchange.complete_commitment(there.as_(there.staff, at("12:00")), commitment)
    assert await sessions(there, me) == (1, 0, 0)
