"""Many at once: one wins, the others are refused by name, and nothing is written twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from models.access import Actor, Role
from models.database import Db, transaction
from models.people import actions
from models.people.organization_rules import LegalStatus, OrganizationKind
from models.people.rules import PhoneWhose
from models.pool import Pool
from models.problems import Problem
from tests.make_people import Known, Town, as_resident, person, resident, staff, town

MANY = 12


async def at_once(pool: Pool, now: datetime, actors: list[Actor], work: Callable[[Db], Awaitable[Any]]) -> Counter[str]:
    """Runs the same work for each actor at once; how often each outcome came."""

    async def one(actor: Actor) -> str:
        try:
            await transaction(pool, actor, now, work)
        except Problem as problem:
            return problem.code
        return "DONE"

    return Counter(await asyncio.gather(*(one(actor) for actor in actors)))


async def people(pool: Pool) -> tuple[Town, list[Known]]:
    async with pool.connection() as connection:
        there = await town(connection)
        return there, [await resident(connection, there, "何某") for _ in range(MANY)]


async def count(pool: Pool, of: str) -> int:
    found: int = await pool.fetchval(f"SELECT count(*) FROM {of}")
    return found


async def test_one_organization_under_a_code(pool: Pool, now: datetime) -> None:
    there, known = await people(pool)
    given = actions.OrganizationInput(
        name="暖邻服务社",
        kind=OrganizationKind.SERVICE_ORG,
        legal_status=LegalStatus.REGISTERED,
        division=there.divisions[Town.DISTRICT],
        uscc="52210103MJ0000023M",
    )
    outcomes = await at_once(
        pool, now, [as_resident(k) for k in known], lambda db: actions.apply_for_organization(db, given)
    )
    assert outcomes == {"DONE": 1, "DUPLICATE_ORGANIZATION": MANY - 1}
    assert await count(pool, "organization") == 1
    assert await count(pool, "event") == 1


async def test_one_registration_of_a_volunteer(pool: Pool, now: datetime) -> None:
    there, known = await people(pool)
    given = actions.VolunteerInput(community=there.community, skills=[], categories=[])
    outcomes = await at_once(
        pool, now, [as_resident(known[0])] * MANY, lambda db: actions.register_volunteer(db, given)
    )
    assert outcomes == {"DONE": 1, "ALREADY_REGISTERED": MANY - 1}
    assert await count(pool, "volunteer") == 1


async def test_one_capacity_of_a_kind(pool: Pool, now: datetime) -> None:
    await people(pool)
    async with pool.connection() as connection:
        admin, one = await staff(connection, Role.ADMIN), await person(connection)
    outcomes = await at_once(
        pool, now, [admin] * MANY, lambda db: actions.grant_membership(db, one, Role.GRID_OFFICER, area=Town.GRID)
    )
    assert outcomes == {"DONE": 1, "MEMBERSHIP_EXISTS": MANY - 1}


async def test_one_resident_of_a_name_and_number(pool: Pool, now: datetime) -> None:
    there, _ = await people(pool)
    async with pool.connection() as connection:
        clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    given = actions.ResidentInput(
        community=there.community, person=actions.PersonInput("吴新", "10012340000", phone_whose=PhoneWhose.OWN)
    )
    outcomes = await at_once(pool, now, [clerk] * MANY, lambda db: actions.register_resident(db, given, fictional=True))
    assert outcomes == {"DONE": 1, "ALREADY_REGISTERED": MANY - 1}


async def test_an_administrator_always_stays(pool: Pool, now: datetime) -> None:
    await people(pool)
    async with pool.connection() as connection:
        admins = [await staff(connection, Role.ADMIN) for _ in range(4)]
    ids = {a.person: await pool.fetchval("SELECT id FROM membership WHERE person_id = $1", a.person) for a in admins}
    outcomes = await at_once(pool, now, admins, lambda db: actions.revoke_membership(db, ids[db.actor.person]))
    assert outcomes == {"DONE": 3, "LAST_ADMINISTRATOR": 1}
