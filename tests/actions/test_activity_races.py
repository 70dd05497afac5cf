"""Everybody at once: places in order, one booking at a time, one credit, and a ledger that only grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from models.access import Actor
from models.activity import actions, problems
from models.database import Db, transaction
from models.exchange.problems import OverlappingBooking
from models.pool import Pool
from models.problems import InvalidTransition, Problem
from tests.make_activity import World, at, world


@pytest.fixture
async def there(pool: Pool, now: datetime) -> AsyncIterator[World]:
    """A world that is committed; its connection reads and prepares."""
    async with pool.connection() as connection:
        yield await world(connection, now)


async def done(pool: Pool, actor: Actor, now: datetime, verb: Any, *args: Any) -> Any:
    """A verb in a transaction of its own: its outcome, or the problem that it was refused with."""

    async def work(db: Db) -> Any:
        return await verb(db, *args)

    try:
        return await transaction(pool, actor, now, work)
    except Problem as problem:
        return problem


async def statuses(there: World, session: Any) -> list[str]:
    rows = await there.all("SELECT status FROM attendance WHERE session_id = $1 ORDER BY position", session)
    return [r["status"] for r in rows]


async def test_forty_sign_up_at_once_for_fifteen_places(there: World, pool: Pool, now: datetime) -> None:
    session = await there.session(capacity=15)
    people = [await there.volunteer() for _ in range(40)]
    made = await asyncio.gather(*(done(pool, p, now, actions.sign_up, session) for p in people))
    assert not [m for m in made if isinstance(m, Problem)]
    rows = await there.all("SELECT id, volunteer_id, status, position FROM attendance ORDER BY position")
    assert [r["position"] for r in rows] == list(range(1, 41))
    assert [r["status"] for r in rows] == ["ACCEPTED"] * 15 + ["WAITLISTED"] * 25
    for leaving in (rows[3], rows[7]):
        by = next(p for p in people if p.person == leaving["volunteer_id"])
        assert await done(pool, by, now, actions.withdraw, leaving["id"]) == leaving["id"]
    expected = ["ACCEPTED"] * 17 + ["WAITLISTED"] * 23
    expected[3] = expected[7] = "WITHDRAWN"
    assert await statuses(there, session) == expected
    refused = await done(pool, there.ngo, now, actions.edit_session, session, 1, {"capacity": 12})
    assert isinstance(refused, problems.CapacityBelowAccepted)
    assert refused.accepted == 15
    held = await there.row("service_session", session)
    assert (held["capacity"], held["accepted_count"], held["version"]) == (15, 15, 1)
    assert len(await there.all("SELECT 1 FROM booking")) == 15


async def test_leaving_and_coming_at_once_keeps_the_count(there: World, pool: Pool, now: datetime) -> None:
    session = await there.session(capacity=5)
    first = [await there.volunteer() for _ in range(10)]
    parts = [await actions.sign_up(there.as_(p), session) for p in first]
    later = [await there.volunteer() for _ in range(10)]
    await asyncio.gather(
        *(done(pool, p, now, actions.withdraw, part) for p, part in zip(first[:7], parts[:7], strict=True)),
        *(done(pool, p, now, actions.sign_up, session) for p in later),
    )
    counted = await there.all("SELECT status, count(*) AS n FROM attendance GROUP BY status")
    assert {r["status"]: r["n"] for r in counted} == {"ACCEPTED": 5, "WITHDRAWN": 7, "WAITLISTED": 8}
    assert (await there.row("service_session", session))["accepted_count"] == 5
    assert len(await there.all("SELECT 1 FROM booking")) == 5
    waiting = await statuses(there, session)
    assert waiting.index("WAITLISTED") > max(i for i, s in enumerate(waiting) if s == "ACCEPTED")


async def test_a_volunteer_is_at_one_place_at_a_time(there: World, pool: Pool, now: datetime) -> None:
    sessions = [await there.session(starts_at=at("09:00"), ends_at=at(f"1{n}:00")) for n in range(8)]
    v = await there.volunteer()
    made = await asyncio.gather(*(done(pool, v, now, actions.sign_up, s) for s in sessions))
    assert sorted(type(m).__name__ for m in made) == ["OverlappingBooking"] * 7 + ["UUID"]
    assert isinstance(next(m for m in made if isinstance(m, Problem)), OverlappingBooking)
    assert len(await there.all("SELECT 1 FROM attendance")) == 1
    taken = await there.all("SELECT accepted_count FROM service_session ORDER BY 1")
    assert [r["accepted_count"] for r in taken] == [0] * 7 + [1]


async def test_an_approval_sent_five_times_makes_one_entry(there: World, pool: Pool) -> None:
    session = await there.session()
    part = await actions.sign_up(there.as_(await there.volunteer()), session)
    late = at("14:00")
    proposal = await actions.propose_hours(there.as_(there.ngo, late), part, 180, "忘记签到", "照片")
    made = await asyncio.gather(*(done(pool, there.worker, late, actions.approve_hours, proposal) for _ in range(5)))
    assert [m for m in made if not isinstance(m, Problem)] == [proposal]
    assert sum(isinstance(m, InvalidTransition) for m in made) == 4
    entries = await there.all("SELECT minutes, trust FROM hour_entry")
    assert [tuple(e) for e in entries] == [(180, "MANUAL")]


async def test_check_outs_at_once_credit_once_and_within_the_day(there: World, pool: Pool) -> None:
    v = await there.volunteer()
    parts = []
    for starts, ends in (("06:00", "13:00"), ("13:00", "20:00")):
        session = await there.session(starts_at=at(starts), ends_at=at(ends))
        part = await actions.sign_up(there.as_(v), session)
        await actions.check_in(there.as_(there.ngo, at(starts)), part)
        parts.append((part, at(ends)))
    made = await asyncio.gather(
        *(done(pool, there.ngo, when, actions.check_out, part) for part, when in parts for _ in range(4))
    )
    assert sum(isinstance(m, InvalidTransition) for m in made) == 6
    minutes = await there.all("SELECT minutes FROM hour_entry ORDER BY minutes")
    assert [m["minutes"] for m in minutes] == [300, 420]


async def test_two_check_outs_of_one_commitment_deliver_it_once(there: World, pool: Pool) -> None:
    need = await there.need(quantity=2)
    promised = await there.commitment(need, organization=there.organization, quantity=2)
    parts = []
    for _ in range(2):
        session = await there.session(commitments=((promised, 1),))
        part = await actions.sign_up(there.as_(await there.volunteer()), session)
        await actions.check_in(there.as_(there.ngo, at("08:30")), part)
        parts.append(part)
    made = await asyncio.gather(*(done(pool, there.ngo, at("11:00"), actions.check_out, p) for p in parts))
    assert made == parts
    assert (await there.row("commitment", promised))["status"] == "DELIVERED"
    assert (await there.row("need", need))["qty_delivered"] == 2


ENTRY = """
INSERT INTO hour_entry (attendance_id, session_id, volunteer_id, kind, revision, reverses_id, follows_id, minutes, trust,
    approved_by, reason, served_on, credited_on, at, category_code, area)
SELECT id, session_id, volunteer_id, $2, $3, $4, $5, $6, 'CONFIRMED', $7, '更正', '2026-11-03', '2026-11-03', now(), 'X', area
FROM attendance WHERE id = $1 RETURNING id
"""


async def test_the_database_keeps_the_ledger(there: World) -> None:
    session = await there.session()
    part = await actions.sign_up(there.as_(await there.volunteer()), session)
    await actions.check_in(there.as_(there.ngo, at("09:00")), part)
    await actions.check_out(there.as_(there.ngo, at("12:00")), part)
    [credit] = await there.all("SELECT id FROM hour_entry")
    by = there.worker.person
    for sql in ("UPDATE hour_entry SET minutes = 1", "DELETE FROM hour_entry", "TRUNCATE hour_entry"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await there.connection.execute(sql)
    with pytest.raises(asyncpg.UniqueViolationError):
        await there.connection.execute(ENTRY, part, "CREDIT", 1, None, None, 60, by)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await there.connection.execute(ENTRY, part, "CREDIT", 2, None, None, 60, by)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await there.connection.execute(ENTRY, part, "CREDIT", 2, None, credit["id"], 60, by)
    for revision, minutes in ((1, -60), (2, -180)):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await there.connection.execute(ENTRY, part, "REVERSAL", revision, credit["id"], None, minutes, by)
    assert len(await there.all("SELECT 1 FROM hour_entry")) == 1


async def test_the_owner_cannot_edit_the_ledger_either(there: World, server: Any, request: Any) -> None:
    session = await there.session()
    part = await actions.sign_up(there.as_(await there.volunteer()), session)
    await actions.check_in(there.as_(there.ngo, at("09:00")), part)
    await actions.check_out(there.as_(there.ngo, at("12:00")), part)
    name = await there.connection.fetchval("SELECT current_database()")
    owner = await asyncpg.connect(server.owner_url(name))
    try:
        for sql in ("UPDATE hour_entry SET minutes = 1", "DELETE FROM hour_entry"):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="only added to"):
                await owner.execute(sql)
    finally:
        await owner.close()
