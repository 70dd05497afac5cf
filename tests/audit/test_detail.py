"""What stands beside an act: ids of whom it concerned besides, and over what; never a name, number or address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime

import asyncpg
import pytest

from models.access import Role
from models.exchange.actions import cancel_need
from models.people import actions
from tests.make_exchange import Scene, neighbourhood
from tests.make_people import Town, as_resident, handle, person, resident, staff, town, volunteer


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> AsyncIterator[Scene]:
    yield Scene(connection, await neighbourhood(connection))


async def test_whose_capacity_it_was_and_over_what(connection: asyncpg.Connection, now: datetime) -> None:
    await town(connection)
    admin = await staff(connection, Role.ADMIN, "何管理")
    who = await person(connection, "吴新")
    for work in ("grant", "revoke"):
        db = handle(connection, admin, now)
        if work == "grant":
            made = await actions.grant_membership(db, who, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
        else:
            await actions.revoke_membership(db, made)
        assert db.detail == {"person": str(who), "role": "COMMUNITY_STAFF", "area": Town.COMMUNITY}


async def test_whose_need_was_taken_back_and_what_ended_with_it(scene: Scene) -> None:
    need = await scene.need()
    commitment = await scene.confirmed(need)
    db = scene.as_("staff")
    await cancel_need(db, need, "不再需要")
    row = await scene.row("need", need)
    assert db.detail == {"person": row["subject_id"], "requester": row["requester_id"], "ended": [commitment]}


async def test_who_consented_for_whom(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    mother = await resident(connection, there, household="h9", birth_date=date(1985, 1, 1))
    child = await resident(connection, there, household="h9", birth_date=date(2011, 1, 1))
    registered = await volunteer(connection, there, person=child.person, born=date(2011, 1, 1))
    db = handle(connection, as_resident(mother), now)
    await actions.record_consent(db, registered.id, mother.person)
    assert db.detail == {"minor": child.person, "guardian": mother.person}
