"""Registering as a volunteer: verified by staff, minors by a guardian first."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import asyncpg
import pytest

from models.access import Actor, Role
from models.people import actions
from models.people.problems import AlreadyRegistered, GuardianConsentMissing, GuardianUnfit, OwnCase, TooYoung
from models.people.rules import VolunteerRegistration as V
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, StaleVersion
from tests.make_people import Known, Town, as_resident, as_volunteer, handle, person, resident, staff, town, volunteer

CHILD = date(2011, 6, 1)
"""15 years old on 2 November 2026."""


async def state(connection: asyncpg.Connection, id: Any) -> tuple[str, str | None]:
    row = await connection.fetchrow("SELECT state, state_reason FROM volunteer WHERE id = $1", id)
    return row["state"], row["state_reason"]


def registering(there: Town, **over: Any) -> actions.VolunteerInput:
    values: dict[str, Any] = {"community": there.community, "skills": ["HAIRDRESSING"], "categories": ["CARE"], **over}
    return actions.VolunteerInput(**values)


async def test_a_resident_registers_and_is_verified(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me = await resident(connection, there, "王五")
    mine = handle(connection, as_resident(me), now)
    id_ = await actions.register_volunteer(
        mine, registering(there, skills=["HAIRDRESSING", "HAIRDRESSING", "HOSPITAL_ESCORT"], no_matching=True)
    )
    row = await connection.fetchrow("SELECT * FROM volunteer WHERE id = $1", id_)
    assert row["state"] == "PENDING_VERIFICATION"
    assert row["area"] == Town.COMMUNITY
    assert row["skills"] == ["HAIRDRESSING", "HOSPITAL_ESCORT"]
    assert row["adult_on"] == date(1998, 5, 1)
    assert row["no_matching"] is True
    assert row["created_at"] == now
    assert len(row["volunteer_no"]) == 14
    assert row["volunteer_no"].startswith("2101")
    assert [e.topic for e in mine.events] == ["volunteer.registered"]
    assert not await connection.fetchval("SELECT acts FROM person WHERE id = $1", me.person)

    clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    assert await actions.verify_volunteer(handle(connection, clerk, now), id_) == id_
    assert await state(connection, id_) == ("ACTIVE", None)
    assert await connection.fetchval("SELECT acts FROM person WHERE id = $1", me.person)


async def test_nobody_registers_twice(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me = await resident(connection, there, "王五")
    await volunteer(connection, there, person=me.person)
    with pytest.raises(AlreadyRegistered):
        await actions.register_volunteer(handle(connection, as_resident(me), now), registering(there))
    assert await connection.fetchval("SELECT count(*) FROM volunteer") == 1


async def test_who_left_registers_again_under_his_number(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me = await volunteer(connection, there, state=V.WITHDRAWN)
    number = await connection.fetchval("SELECT volunteer_no FROM volunteer WHERE id = $1", me.id)
    actor = Actor(Role.RESIDENT, me.person, None, Town.COMMUNITY)
    given = registering(there, community=there.neighbour)
    assert await actions.register_volunteer(handle(connection, actor, now), given) == me.id
    row = await connection.fetchrow("SELECT state, volunteer_no, area, version FROM volunteer WHERE id = $1", me.id)
    assert tuple(row) == ("PENDING_VERIFICATION", number, Town.NEIGHBOUR, 2)


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"skills": ["理发"]}, "skills"),
        ({"skills": ["HAIRDRESSING", "FLYING"]}, "skills"),
        ({"skills": [f"SKILL_{n}" for n in range(21)]}, "skills"),
        ({"categories": ["no code"]}, "categories"),
        ({"birth_date": date(1899, 1, 1)}, "birthDate"),
        ({"birth_date": date(2026, 11, 3)}, "birthDate"),
        ({"birth_date": date(1990, 1, 1)}, "birthDate"),
    ],
)
async def test_bad_input_is_named_and_nothing_is_written(
    connection: asyncpg.Connection, now: datetime, over: dict[str, Any], field: str
) -> None:
    there = await town(connection)
    me = await resident(connection, there, "王五")
    with pytest.raises(InvalidInput) as refused:
        await actions.register_volunteer(handle(connection, as_resident(me), now), registering(there, **over))
    assert refused.value.field == field
    assert await connection.fetchval("SELECT count(*) FROM volunteer") == 0


async def test_a_birth_date_is_needed_once(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me = await resident(connection, there, "王五", birth_date=None)
    mine = handle(connection, as_resident(me), now)
    with pytest.raises(InvalidInput):
        await actions.register_volunteer(mine, registering(there))
    await actions.register_volunteer(mine, registering(there, birth_date=date(1990, 1, 1)))
    assert await connection.fetchval("SELECT birth_date FROM person WHERE id = $1", me.person) == date(1990, 1, 1)


async def test_the_place_is_a_community_that_is_valid(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me = await resident(connection, there, "王五")
    mine = handle(connection, as_resident(me), now)
    with pytest.raises(InvalidInput):
        await actions.register_volunteer(mine, registering(there, community=there.divisions[Town.STREET]))
    with pytest.raises(NotFound):
        await actions.register_volunteer(mine, registering(there, community=there.grid))
    await connection.execute("UPDATE division SET valid_to = '2026-11-01' WHERE code = $1", Town.NEIGHBOUR)
    with pytest.raises(InvalidInput):
        await actions.register_volunteer(mine, registering(there, community=there.neighbour))


async def test_the_public_registers_nobody(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    with pytest.raises(Forbidden):
        await actions.register_volunteer(handle(connection, Actor(), now), registering(there))


async def test_under_eight_nobody_registers(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me = await resident(connection, there, "小明", birth_date=date(2018, 11, 3))
    with pytest.raises(TooYoung):
        await actions.register_volunteer(handle(connection, as_resident(me), now), registering(there))


async def a_child(connection: asyncpg.Connection, there: Town, now: datetime) -> tuple[Known, Known, Any]:
    mother = await resident(connection, there, "孙妈", household="7")
    child = await resident(connection, there, "孙小明", household="7", birth_date=CHILD)
    id_ = await actions.register_volunteer(handle(connection, as_resident(child), now), registering(there))
    return mother, child, id_


async def test_a_minor_waits_for_the_guardian(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    mother, child, id_ = await a_child(connection, there, now)
    clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    assert await state(connection, id_) == ("PENDING_GUARDIAN", None)
    with pytest.raises(InvalidTransition):
        await actions.verify_volunteer(handle(connection, clerk, now), id_)

    assert await actions.record_consent(handle(connection, as_resident(mother), now), id_) == id_
    assert await state(connection, id_) == ("PENDING_VERIFICATION", None)
    row = await connection.fetchrow("SELECT minor_id, guardian_id, recorded_by, given_at FROM guardian_consent")
    assert tuple(row) == (child.person, mother.person, mother.person, now)
    await actions.record_consent(handle(connection, as_resident(mother), now), id_)
    assert await connection.fetchval("SELECT count(*) FROM guardian_consent") == 1
    await actions.verify_volunteer(handle(connection, clerk, now), id_)
    assert await state(connection, id_) == ("ACTIVE", None)


async def test_a_withdrawn_consent_suspends_and_comes_back(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    mother, _, id_ = await a_child(connection, there, now)
    clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    hers, theirs = handle(connection, as_resident(mother), now), handle(connection, clerk, now)
    await actions.record_consent(hers, id_)
    await actions.verify_volunteer(theirs, id_)
    await actions.withdraw_consent(hers, id_)
    assert await state(connection, id_) == ("SUSPENDED", "监护人撤回同意")
    with pytest.raises(GuardianConsentMissing):
        await actions.resume_volunteer(theirs, id_)
    with pytest.raises(NotFound):
        await actions.withdraw_consent(hers, id_)
    await actions.record_consent(hers, id_)
    await actions.resume_volunteer(theirs, id_)
    assert await state(connection, id_) == ("ACTIVE", None)
    assert await connection.fetchval("SELECT count(*) FROM guardian_consent") == 2


async def test_who_is_no_guardian_cannot_consent(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    _, child, id_ = await a_child(connection, there, now)
    stranger = await resident(connection, there, "周某")
    sister = await resident(connection, there, "孙大明", household="7", birth_date=date(2010, 1, 1))
    clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    other_clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.NEIGHBOUR)
    with pytest.raises(NotFound):
        await actions.record_consent(handle(connection, as_resident(stranger), now), id_)
    with pytest.raises(GuardianUnfit):
        await actions.record_consent(handle(connection, as_resident(sister), now), id_)
    with pytest.raises(GuardianUnfit):
        await actions.record_consent(handle(connection, as_resident(child), now), id_)
    with pytest.raises(GuardianUnfit):
        await actions.record_consent(handle(connection, clerk, now), id_, child.person)
    with pytest.raises(NotFound):
        await actions.record_consent(handle(connection, other_clerk, now), id_, stranger.person)
    assert await connection.fetchval("SELECT count(*) FROM guardian_consent") == 0
    await actions.record_consent(handle(connection, clerk, now), id_, stranger.person)
    assert await state(connection, id_) == ("PENDING_VERIFICATION", None)


async def test_grown_ups_need_no_guardian(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one = await volunteer(connection, there)
    mother = await resident(connection, there, "孙妈")
    clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    with pytest.raises(GuardianUnfit):
        await actions.record_consent(handle(connection, clerk, now), one.id, mother.person)


async def test_staff_reject_suspend_and_resume(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    waiting = await volunteer(connection, there, state=V.PENDING_VERIFICATION)
    active = await volunteer(connection, there, "赵六")
    await actions.reject_volunteer(clerk, waiting.id, "信息不符")
    assert await state(connection, waiting.id) == ("REJECTED", "信息不符")
    await actions.suspend_volunteer(clerk, active.id, "多次爽约")
    assert await state(connection, active.id) == ("SUSPENDED", "多次爽约")
    await actions.resume_volunteer(clerk, active.id)
    assert await state(connection, active.id) == ("ACTIVE", None)
    with pytest.raises(InvalidTransition) as refused:
        await actions.resume_volunteer(clerk, active.id)
    assert (refused.value.status, refused.value.label) == ("ACTIVE", "已注册")
    with pytest.raises(InvalidInput):
        await actions.suspend_volunteer(clerk, active.id, "  ")


@pytest.mark.parametrize(
    ("role", "area"),
    [
        (Role.COMMUNITY_STAFF, Town.NEIGHBOUR),
        (Role.SOCIAL_WORKER, Town.COMMUNITY),
        (Role.GRID_OFFICER, Town.GRID),
        (Role.DISTRICT_VIEWER, Town.DISTRICT),
        (Role.ADMIN, None),
    ],
)
async def test_others_decide_nothing(
    connection: asyncpg.Connection, now: datetime, role: Role, area: str | None
) -> None:
    there = await town(connection)
    waiting = await volunteer(connection, there, state=V.PENDING_VERIFICATION)
    db = handle(connection, await staff(connection, role, area=area), now)
    for verb in (actions.verify_volunteer, actions.resume_volunteer):
        with pytest.raises((Forbidden, NotFound)):
            await verb(db, waiting.id)
    with pytest.raises((Forbidden, NotFound)):
        await actions.reject_volunteer(db, waiting.id, "不行")
    assert await state(connection, waiting.id) == ("PENDING_VERIFICATION", None)


async def test_nobody_verifies_himself(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    id_ = await actions.register_volunteer(handle(connection, clerk, now), registering(there))
    with pytest.raises(OwnCase):
        await actions.verify_volunteer(handle(connection, clerk, now), id_)
    assert await state(connection, id_) == ("PENDING_VERIFICATION", None)


async def test_a_volunteer_edits_and_leaves(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one = await volunteer(connection, there, skills=("HAIRDRESSING",), categories=("CARE",))
    other = await volunteer(connection, there, "赵六")
    mine = handle(connection, as_volunteer(one), now)
    await actions.edit_volunteer(mine, one.id, 1, no_matching=True)
    await actions.edit_volunteer(mine, one.id, 2, skills=[])
    row = await connection.fetchrow(
        "SELECT skills, categories, no_matching, version FROM volunteer WHERE id = $1", one.id
    )
    assert tuple(row) == ([], ["CARE"], True, 3)
    with pytest.raises(StaleVersion) as refused:
        await actions.edit_volunteer(mine, one.id, 1, skills=["HOSPITAL_ESCORT"])
    assert refused.value.current == 3
    with pytest.raises(Forbidden):
        await actions.edit_volunteer(mine, other.id, 1, skills=["HOSPITAL_ESCORT"])
    with pytest.raises(Forbidden):
        await actions.withdraw_volunteer(mine, other.id)
    await actions.withdraw_volunteer(mine, one.id)
    assert await state(connection, one.id) == ("WITHDRAWN", None)


async def test_a_hidden_registration_is_absent(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    waiting = await volunteer(connection, there, state=V.PENDING_VERIFICATION)
    stranger = await resident(connection, there, "周某")
    with pytest.raises(NotFound):
        await actions.withdraw_volunteer(handle(connection, as_resident(stranger), now), waiting.id)
    assert await person(connection) is not None
