"""Registering residents and social workers."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import asyncpg
import pytest

from models.access import Actor, Role
from models.people import actions
from models.people.care import ResidentTag
from models.people.problems import AlreadyRegistered, OwnCase
from models.people.rules import Gender, PhoneWhose, SocialWorkerLevel
from models.problems import Forbidden, InvalidInput, NotFound
from models.vault import Kind
from tests.make_people import (
    Town,
    as_resident,
    as_volunteer,
    handle,
    opened,
    person,
    resident,
    staff,
    town,
    volunteer,
)


def living(there: Town, **over: Any) -> actions.ResidentInput:
    values: dict[str, Any] = {
        "community": there.community,
        "grid": there.grid,
        "address": "1 号楼 2-3-1",
        "person": actions.PersonInput("欧阳淑芬", "10012345678", Gender.FEMALE, date(1944, 3, 8), PhoneWhose.OWN),
        **over,
    }
    return actions.ResidentInput(**values)


NAME = "SELECT name FROM person_name WHERE person_id = $1"
PHONE = "SELECT phone FROM person_contact WHERE person_id = $1"
ADDRESS = "SELECT address FROM person_contact WHERE person_id = $1"


async def counted(connection: asyncpg.Connection) -> tuple[int, int, int]:
    row = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM person_name), (SELECT count(*) FROM resident)"
    )
    return tuple(row)


async def test_staff_register_a_resident(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    tags = (ResidentTag.EMPTY_NEST, ResidentTag.LIVES_ALONE, ResidentTag.EMPTY_NEST)
    id_ = await actions.register_resident(clerk, living(there, tags=tags), fictional=True)
    row = await connection.fetchrow(
        "SELECT * FROM resident r JOIN person p ON p.id = r.person_id JOIN person_name n USING (person_id)"
        " JOIN person_contact c USING (person_id) WHERE r.id = $1",
        id_,
    )
    who = row["person_id"]
    assert await opened(connection, Kind.NAME, NAME, who) == "欧阳淑芬"
    assert row["name_masked"] == "欧阳*"
    assert row["pinyin"] == "ou yang *"
    assert await opened(connection, Kind.PHONE, PHONE, who) == "10012345678"
    assert row["phone_whose"] == "OWN"
    assert row["phone_masked"] == "100****5678"
    assert await opened(connection, Kind.ADDRESS, ADDRESS, who) == "1 号楼 2-3-1"
    assert row["address_masked"] == "*"
    assert row["gender"] == "FEMALE"
    assert row["birth_date"] == date(1944, 3, 8)
    written = await opened(connection, Kind.CARE, "SELECT care FROM resident WHERE person_id = $1", who)
    assert written is not None and len(written) == 160 and json.loads(written) == ["LIVES_ALONE", "EMPTY_NEST"]
    assert (row["verified_at"], row["verified_by"]) == (now, clerk.actor.person)
    assert row["grid_id"] == there.grid
    assert await connection.fetchval("SELECT area FROM resident WHERE id = $1", id_) == Town.GRID
    assert len(row["household"]) == 32
    assert not row["acts"]


async def test_a_relative_joins_the_household(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    first = await resident(connection, there, household="7")
    far = await resident(connection, there, area=Town.NEIGHBOUR)
    id_ = await actions.register_resident(clerk, living(there, household_of=first.id), fictional=True)
    assert await connection.fetchval("SELECT household FROM resident WHERE id = $1", id_) == "7"
    given = living(there, household_of=far.id, person=actions.PersonInput("张三"))
    with pytest.raises(NotFound):
        await actions.register_resident(clerk, given, fictional=True)


async def test_a_grid_officer_puts_nobody_into_a_household(connection: asyncpg.Connection, now: datetime) -> None:
    """Who is of a household reads what is the household's: he would invent a husband and read on in his name."""
    there = await town(connection)
    officer = handle(connection, await staff(connection, Role.GRID_OFFICER, area=Town.GRID), now)
    first = await resident(connection, there, household="7")
    before = await counted(connection)
    with pytest.raises(InvalidInput) as refused:
        await actions.register_resident(officer, living(there, household_of=first.id), fictional=True)
    assert refused.value.field == "householdOf"
    assert await counted(connection) == before


async def test_a_grid_officer_registers_in_his_grid_only(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    officer = handle(connection, await staff(connection, Role.GRID_OFFICER, area=Town.GRID), now)
    await actions.register_resident(officer, living(there), fictional=True)
    before = await counted(connection)
    for given in (
        living(there, grid=there.grids[Town.OTHER_GRID], person=actions.PersonInput("甲乙")),
        living(there, grid=None, person=actions.PersonInput("甲乙")),
    ):
        with pytest.raises(Forbidden):
            await actions.register_resident(officer, given, fictional=True)
    assert await counted(connection) == before


@pytest.mark.parametrize(
    "role", [Role.RESIDENT, Role.VOLUNTEER, Role.SOCIAL_WORKER, Role.NGO_STAFF, Role.ADMIN, Role.AUDITOR, Role.PUBLIC]
)
async def test_others_register_nobody_else(connection: asyncpg.Connection, now: datetime, role: Role) -> None:
    there = await town(connection)
    who = None if role is Role.PUBLIC else await person(connection)
    before = await counted(connection)
    with pytest.raises(Forbidden):
        await actions.register_resident(
            handle(connection, Actor(role, who, None, Town.COMMUNITY), now), living(there), fictional=True
        )
    assert await counted(connection) == before


@pytest.mark.parametrize(
    ("over", "field"),
    [
        (
            {"person": actions.PersonInput("张三", "10012345678", phone_whose=PhoneWhose.OWN), "address": "x" * 201},
            "address",
        ),
        ({"person": actions.PersonInput("张\x00三")}, "name"),
        ({"person": actions.PersonInput("张三", "12345")}, "phone"),
        ({"person": actions.PersonInput("张三", "10012345678")}, "phoneWhose"),
        ({"person": actions.PersonInput("张三", "10012345678", phone_whose=PhoneWhose.UNPROVEN)}, "phoneWhose"),
        ({"person": actions.PersonInput("张三", birth_date=date(2030, 1, 1))}, "birthDate"),
    ],
)
async def test_bad_input_is_named_and_nothing_is_written(
    connection: asyncpg.Connection, now: datetime, over: dict[str, Any], field: str
) -> None:
    there = await town(connection)
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    before = await counted(connection)
    with pytest.raises(InvalidInput) as refused:
        await actions.register_resident(clerk, living(there, **over), fictional=True)
    assert refused.value.field == field
    assert await counted(connection) == before


async def test_production_refuses_numbers_that_nobody_has(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    with pytest.raises(InvalidInput) as refused:
        await actions.register_resident(clerk, living(there))
    assert refused.value.field == "phone"


async def test_the_same_name_and_phone_is_the_same_resident(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    await actions.register_resident(clerk, living(there), fictional=True)
    before = await counted(connection)
    with pytest.raises(AlreadyRegistered):
        await actions.register_resident(clerk, living(there), fictional=True)
    assert await counted(connection) == before
    son = actions.PersonInput("王小明", "10012345678", phone_whose=PhoneWhose.RELATIVE)
    await actions.register_resident(clerk, living(there, person=son), fictional=True)


async def test_a_grid_belongs_to_its_community(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.NEIGHBOUR), now)
    with pytest.raises(InvalidInput) as refused:
        await actions.register_resident(clerk, living(there, community=there.neighbour), fictional=True)
    assert refused.value.field == "grid"


async def test_a_volunteer_registers_himself_as_a_resident(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me = await volunteer(connection, there)
    mine = handle(connection, as_volunteer(me), now)
    for over in ({"tags": (ResidentTag.LOW_INCOME,)}, {"household_of": me.id}):
        with pytest.raises(InvalidInput):
            await actions.register_resident(mine, living(there, person=None, **over))
    id_ = await actions.register_resident(mine, living(there, person=None))
    row = await connection.fetchrow("SELECT person_id, area FROM resident WHERE id = $1", id_)
    assert tuple(row) == (me.person, Town.GRID)
    assert await opened(connection, Kind.PHONE, PHONE, me.person) == "10012345678"
    assert await opened(connection, Kind.ADDRESS, ADDRESS, me.person) == "1 号楼 2-3-1"
    with pytest.raises(AlreadyRegistered):
        await actions.register_resident(mine, living(there, person=None))


async def test_a_social_worker_s_licence_is_recorded(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one = await resident(connection, there, "赵社工")
    actor = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    clerk = handle(connection, actor, now)
    until = date(2029, 12, 31)
    level = SocialWorkerLevel.SENIOR
    id_ = await actions.register_social_worker(clerk, one.person, there.community, level, "sw-210100123", until)
    row = await connection.fetchrow(
        "SELECT level, licence_no, licence_until, area FROM social_worker WHERE id = $1", id_
    )
    assert tuple(row) == ("SENIOR", "SW-210100123", until, Town.COMMUNITY)
    assert await connection.fetchval("SELECT acts FROM person WHERE id = $1", one.person)
    other = await resident(connection, there, "钱社工")
    with pytest.raises(AlreadyRegistered):
        await actions.register_social_worker(clerk, other.person, there.community, level, "SW-210100123", until)
    with pytest.raises(Forbidden):
        await actions.register_social_worker(clerk, other.person, there.neighbour, level, "SW-210100124", until)
    with pytest.raises(InvalidInput):
        await actions.register_social_worker(clerk, other.person, there.community, level, "证书", until)
    with pytest.raises(InvalidInput):
        early = date(2026, 11, 1)
        await actions.register_social_worker(clerk, other.person, there.community, level, "SW-210100124", early)
    with pytest.raises(OwnCase):
        assert actor.person is not None
        await actions.register_social_worker(clerk, actor.person, there.community, level, "SW-210100125", until)
    with pytest.raises(Forbidden):
        mine = handle(connection, as_resident(one), now)
        await actions.register_social_worker(mine, other.person, there.community, level, "SW-210100126", until)
    assert await connection.fetchval("SELECT count(*) FROM social_worker") == 1
