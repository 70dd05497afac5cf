"""Breaking the glass: nobody alone, nobody for himself, an hour long, and whoever was read about sees it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import strawberry

from models.access import Actor, Role
from models.people import actions
from models.people.actions.break_glass import approve_break_glass, end_break_glass, request_break_glass
from models.people.problems import OwnCase, RevealNotAllowed
from models.people.rules import AccessPurpose, ContactField
from models.pool import Pool
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound
from resolvers.people import PeopleMutation, PeopleQuery
from resolvers.people.break_glass import BreakGlassMutation, BreakGlassQuery
from resolvers.territory import TerritoryQuery
from tests.asking import Asked, engine_of
from tests.make_people import handle, person, town

WHY = "寻找走失老人的监护人"
FIELDS = (ContactField.NAME, ContactField.PHONE)


class Room:
    """Two administrators and two people."""

    def __init__(self, connection: asyncpg.Connection, people: list[UUID], now: datetime) -> None:
        self.connection, self.people, self.now = connection, people[2:], now
        self.one, self.other = (Actor(Role.ADMIN, who) for who in people[:2])

    def db(self, actor: Actor, minutes: int = 0) -> Any:
        return handle(self.connection, actor, self.now + timedelta(minutes=minutes))

    async def ask(self) -> UUID:
        return await request_break_glass(self.db(self.one), self.people, AccessPurpose.EMERGENCY, WHY)

    async def reveal(self, actor: Actor, minutes: int) -> UUID:
        async with self.connection.transaction():
            return await actions.reveal_contacts(
                self.db(actor, minutes), self.people, AccessPurpose.EMERGENCY, FIELDS, WHY
            )


@pytest.fixture
async def room(connection: asyncpg.Connection, now: datetime) -> Room:
    await town(connection)
    names = ("甲", "乙", "丙", "丁")
    people = [await person(connection, f"赵{n}", phone=f"1001234567{k}") for k, n in enumerate(names)]
    return Room(connection, people, now)


async def test_nothing_is_open_before_another_agrees(room: Room) -> None:
    with pytest.raises(RevealNotAllowed):
        await room.reveal(room.one, 0)
    id = await room.ask()
    with pytest.raises(RevealNotAllowed):
        await room.reveal(room.one, 1)
    with pytest.raises(OwnCase):
        await approve_break_glass(room.db(room.one, 2), id)
    await approve_break_glass(room.db(room.other, 3), id)
    await room.reveal(room.one, 4)
    read = await room.connection.fetch("SELECT actor_id, subject_id, role, purpose, reason FROM pii_access")
    assert {r["subject_id"] for r in read} == set(room.people)
    assert {tuple(r)[2:] for r in read} == {("ADMIN", "EMERGENCY", WHY)}


async def test_it_is_open_for_an_hour_and_for_who_asked(room: Room) -> None:
    id = await room.ask()
    await approve_break_glass(room.db(room.other), id)
    await room.reveal(room.one, 59)
    with pytest.raises(RevealNotAllowed):
        await room.reveal(room.other, 30)
    with pytest.raises(RevealNotAllowed):
        await room.reveal(room.one, 60)
    with pytest.raises(InvalidTransition):
        await end_break_glass(room.db(room.one, 61), id)


async def test_it_may_be_refused_withdrawn_and_ended(room: Room) -> None:
    first = await room.ask()
    await end_break_glass(room.db(room.other, 1), first)
    with pytest.raises(InvalidTransition):
        await approve_break_glass(room.db(room.other, 2), first)
    second = await room.ask()
    await approve_break_glass(room.db(room.other, 3), second)
    await end_break_glass(room.db(room.one, 4), second)
    with pytest.raises(RevealNotAllowed):
        await room.reveal(room.one, 5)


async def test_a_request_waits_for_a_day(room: Room) -> None:
    id = await room.ask()
    with pytest.raises(InvalidTransition):
        await approve_break_glass(room.db(room.other, 24 * 60), id)


async def test_nobody_agrees_to_what_is_about_himself(room: Room) -> None:
    assert room.other.person is not None
    room.people = [room.other.person]
    id = await room.ask()
    with pytest.raises(OwnCase):
        await approve_break_glass(room.db(room.other, 1), id)


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.COMMUNITY_STAFF, Role.VOLUNTEER, Role.PUBLIC])
async def test_only_administrators_ask_and_agree(room: Room, role: Role) -> None:
    id = await room.ask()
    nobody = room.db(Actor(role, room.other.person, area="2101"))
    for verb in (approve_break_glass(nobody, id), end_break_glass(nobody, id)):
        with pytest.raises(Forbidden):
            await verb
    with pytest.raises(Forbidden):
        await request_break_glass(nobody, room.people, AccessPurpose.EMERGENCY, WHY)
    assert await room.connection.fetchval("SELECT count(*) FROM break_glass WHERE approved_by IS NOT NULL") == 0


async def test_what_is_asked_is_bounded(room: Room) -> None:
    db = room.db(room.one)
    for people, why in (([], WHY), (room.people * 11, "短"), ([UUID(int=n) for n in range(21)], WHY)):
        with pytest.raises(InvalidInput):
            await request_break_glass(db, people, AccessPurpose.EMERGENCY, why)
    with pytest.raises(NotFound):
        await request_break_glass(db, [UUID(int=1)], AccessPurpose.EMERGENCY, WHY)
    assert await room.connection.fetchval("SELECT count(*) FROM break_glass") == 0


async def test_numbers_of_documents_stay_closed(room: Room) -> None:
    await approve_break_glass(room.db(room.other), await room.ask())
    with pytest.raises(Forbidden):
        await actions.reveal_contacts(
            room.db(room.one, 1), room.people, AccessPurpose.EMERGENCY, [ContactField.ID_NUMBER], WHY
        )


@strawberry.type
class Query(TerritoryQuery, PeopleQuery, BreakGlassQuery):
    pass


@strawberry.type
class Mutation(PeopleMutation, BreakGlassMutation):
    pass


ENGINE = engine_of(Query, Mutation)
ASK = """
mutation ($persons: [ID!]!, $why: String!) {
  breakGlassRequest(persons: $persons, purpose: EMERGENCY, reason: $why, idempotencyKey: "break-glass-1") {
    ... on BreakGlass { id state requestedBy { name } persons { person { name } } approvedBy { id } until }
  }
}
"""
AGREE = """
mutation ($id: ID!) { breakGlassApprove(id: $id, idempotencyKey: "break-glass-2") {
  __typename ... on BreakGlass { state until approvedBy { name } } } }
"""
REVEAL = """
mutation ($persons: [ID!]!) { contactReveal(input: {persons: $persons, purpose: EMERGENCY, fields: [NAME, PHONE]}) {
  __typename ... on ContactReveal { contacts { name phone } } } }
"""


async def test_over_graphql_it_is_told_read_and_audited(pool: Pool, now: datetime) -> None:
    async with pool.connection() as connection:
        await town(connection)
        one, other, whom = [await person(connection, f"钱{n}", phone=f"1001234560{n}") for n in range(3)]
    ask = Asked(ENGINE, pool, now)
    persons = [f"person_{whom}"]
    made = (await ask(Actor(Role.ADMIN, one), ASK, persons=persons, why=WHY))["breakGlassRequest"]
    assert made["state"] == "REQUESTED" and made["approvedBy"] is None
    assert made["persons"] == [{"person": {"name": "钱*"}}]
    agreed = (await ask(Actor(Role.ADMIN, other), AGREE, id=made["id"]))["breakGlassApprove"]
    assert agreed == {
        "__typename": "BreakGlass",
        "state": "OPEN",
        "until": "2026-11-02T11:00:00.000+08:00",
        "approvedBy": {"name": "钱*"},
    }
    told = (await ask(Actor(Role.ADMIN, one), REVEAL, persons=persons))["contactReveal"]
    assert told == {"__typename": "ContactReveal", "contacts": [{"name": "钱2", "phone": "10012345602"}]}
    theirs = await ask(Actor(Role.PERSON, whom), "{ piiAccesses { edges { node { purpose } } } }")
    assert theirs["piiAccesses"]["edges"] == [{"node": {"purpose": "EMERGENCY"}}]
    listed = "{ breakGlasses { edges { node { state } } } }"
    for role, count in ((Role.AUDITOR, 1), (Role.ADMIN, 1), (Role.COMMUNITY_STAFF, 0), (Role.PERSON, 0)):
        assert len((await ask(Actor(role, whom, area="2101"), listed))["breakGlasses"]["edges"]) == count
    async with pool.connection() as connection:
        steps = [r[0] for r in await connection.fetch("SELECT action FROM audit_event ORDER BY id")]
    assert steps == ["breakGlassRequest", "breakGlassApprove", "contactReveal", "personalData.read"]
