"""Breaking the glass: nobody alone, nobody for himself, an hour long, and whoever was read about sees it."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import strawberry

from models.access import Actor, Role
from models.people import actions
from models.people.actions.break_glass import approve_break_glass, end_break_glass, request_break_glass
from models.people.problems import (
    AdministratorTooNew,
    ConflictOfInterest,
    NotIndependent,
    OutsideArea,
    OwnCase,
    RevealNotAllowed,
)
from models.people.rules import AccessPurpose, ContactField
from models.pool import Pool
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound
from resolvers.people import PeopleMutation, PeopleQuery
from resolvers.people.break_glass import BreakGlassMutation, BreakGlassQuery
from resolvers.territory import TerritoryQuery
from tests.asking import Asked, engine_of
from tests.make_people import EARLIER, Town, handle, insert, membership, person, town

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
    people = [await person(connection, f"赵{n}", phone=f"1001234567{k}", area=Town.GRID) for k, n in enumerate(names)]
    for who in people[:2]:
        await membership(connection, who, Role.ADMIN)
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


async def made_by(room: Room, *chain: UUID | None) -> None:
    """Each one administers because the one before him said so, since long ago."""
    for giver, who in itertools.pairwise(chain):
        await room.connection.execute("DELETE FROM membership WHERE person_id = $1", who)
        await membership(room.connection, who, Role.ADMIN, granted_by=giver)


async def third(room: Room) -> UUID:
    who = await person(room.connection, "赵三")
    await membership(room.connection, who, Role.ADMIN)
    return who


async def test_a_ghost_agrees_to_nothing(room: Room, now: datetime) -> None:
    """An administrator makes his second WeChat person one too, and an account for it: at first, a week later, ever."""
    me, ghost = room.one.person, await person(room.connection, "赵鬼")
    assert me is not None
    await actions.grant_membership(room.db(room.one), ghost, Role.ADMIN)
    await insert(room.connection, "account", person_id=ghost, invited_by=me, created_at=now)
    actor = Actor(Role.ADMIN, ghost)
    with pytest.raises(AdministratorTooNew):
        await approve_break_glass(room.db(actor, 1), await room.ask())
    with pytest.raises(AdministratorTooNew):
        await request_break_glass(room.db(actor, 1), room.people, AccessPurpose.EMERGENCY, WHY)
    room.now += timedelta(days=8)
    with pytest.raises(NotIndependent):
        await approve_break_glass(room.db(actor, 1), await room.ask())
    id = await request_break_glass(room.db(actor, 1), room.people, AccessPurpose.EMERGENCY, WHY)
    with pytest.raises(NotIndependent):
        await approve_break_glass(room.db(room.one, 2), id)
    await approve_break_glass(room.db(room.other, 3), id)


async def test_nor_one_that_a_ghost_made_nor_two_ghosts_of_one(room: Room) -> None:
    asker, agrees, boss = room.one.person, room.other.person, await third(room)
    assert asker is not None and agrees is not None
    await made_by(room, asker, boss, agrees)
    with pytest.raises(NotIndependent):
        await approve_break_glass(room.db(room.other, 1), await room.ask())
    await made_by(room, None, boss, asker)
    await made_by(room, boss, agrees)
    await approve_break_glass(room.db(room.other, 1), await room.ask())  # by the first one of all, whom a command made
    await made_by(room, await third(room), boss)
    with pytest.raises(NotIndependent):
        await approve_break_glass(room.db(room.other, 1), await room.ask())


async def test_whoever_invited_one_is_not_another(room: Room, now: datetime) -> None:
    asker, agrees = room.one.person, room.other.person
    await insert(room.connection, "account", person_id=asker, invited_by=agrees, created_at=now)
    with pytest.raises(NotIndependent):
        await approve_break_glass(room.db(room.other, 1), await room.ask())


async def test_nobody_agrees_for_those_he_is_close_to(room: Room) -> None:
    await insert(
        room.connection,
        "declared_interest",
        person_id=room.one.person,
        other_id=room.other.person,
        relation="SPOUSE",
        declared_at=EARLIER,
    )
    with pytest.raises(ConflictOfInterest):
        await approve_break_glass(room.db(room.other, 1), await room.ask())


async def test_an_administrator_of_an_area_stays_in_it(room: Room) -> None:
    districts = {}
    for code in (Town.DISTRICT, Town.OTHER_DISTRICT):
        who = await person(room.connection, "赵区")
        await membership(room.connection, who, Role.ADMIN, area=code)
        districts[code] = Actor(Role.ADMIN, who, area=code)
    here, there = districts.values()
    with pytest.raises(OutsideArea):
        await request_break_glass(room.db(there), room.people, AccessPurpose.EMERGENCY, WHY)
    id = await request_break_glass(room.db(here), room.people, AccessPurpose.EMERGENCY, WHY)
    with pytest.raises(OutsideArea):
        await approve_break_glass(room.db(there, 1), id)
    await approve_break_glass(room.db(room.one, 1), id)
    await room.connection.execute("UPDATE person SET area = NULL WHERE id = $1", room.people[0])
    with pytest.raises(OutsideArea):
        await request_break_glass(room.db(here, 2), room.people, AccessPurpose.EMERGENCY, WHY)


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
        for who in (one, other):
            await membership(connection, who, Role.ADMIN)
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
