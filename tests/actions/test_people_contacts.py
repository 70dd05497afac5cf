"""Who sees whom, and how plain values leave: masked everywhere, revealed once, on record."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import sqlalchemy as sa
import strawberry

from models.access import Actor, Role, seen
from models.base import table
from models.database import Db, Seen
from models.people import actions, tables
from models.people.problems import RevealNotAllowed
from models.people.rules import AccessPurpose, ContactField, VolunteerRegistration
from models.pool import Pool
from models.problems import Forbidden, InvalidInput, NotFound
from resolvers.people import PeopleMutation, PeopleQuery
from resolvers.territory import TerritoryQuery
from tests.asking import Asked, engine_of
from tests.make_people import (
    Known,
    Town,
    as_resident,
    as_volunteer,
    handle,
    identity,
    organization,
    person,
    resident,
    staff,
    town,
    volunteer,
)

HOLDERS = {cls.__tablename__: cls for cls in vars(tables).values() if hasattr(cls, "__table__")}
LOOK = {
    name: Seen(
        lambda viewer, name=name: sa.select(  # type: ignore[misc]
            sa.func.array_agg(next(iter(table(HOLDERS[name]).primary_key.columns)))
        ).where(*seen(table(HOLDERS[name]), name, viewer))
    )
    for name in HOLDERS
}


async def shown(db: Db, name: str) -> set[UUID]:
    """The keys of a table's rows that somebody sees."""
    return set(await db.value(LOOK[name]) or ())


async def revealed(connection: asyncpg.Connection) -> int:
    found: int = await connection.fetchval("SELECT count(*) FROM pii_access")
    assert bool(found) == bool(await connection.fetchval("SELECT count(*) FROM contact_reveal"))
    return found


async def test_a_reveal_writes_a_row_for_each_person(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one, two = await resident(connection, there, "李奶奶"), await resident(connection, there, "吴伯")
    actor = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    clerk = handle(connection, actor, now)
    id_ = await actions.reveal_contacts(
        clerk,
        [one.person, two.person, one.person],
        AccessPurpose.VISIT,
        [ContactField.ADDRESS, ContactField.NAME],
        " 月度走访 ",
    )
    rows = await connection.fetch("SELECT * FROM pii_access ORDER BY subject_id")
    assert [r["subject_id"] for r in rows] == sorted([one.person, two.person])
    for row in rows:
        assert row["reveal_id"] == id_
        assert row["actor_id"] == actor.person
        assert (row["at"], row["role"], row["purpose"]) == (now, "COMMUNITY_STAFF", "VISIT")
        assert (row["fields"], row["reason"], row["area"]) == (["NAME", "ADDRESS"], "月度走访", Town.GRID)
    reveal = await connection.fetchrow("SELECT * FROM contact_reveal")
    assert (reveal["person_id"], reveal["subject_count"]) == (actor.person, 2)
    assert [(e.topic, e.subject, e.data) for e in clerk.events] == [
        ("contact.revealed", id_, {"count": 2, "purpose": "VISIT"})
    ]


async def test_nothing_written_is_ever_changed(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one = await resident(connection, there)
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    await actions.reveal_contacts(clerk, [one.person], AccessPurpose.VISIT)
    for name in ("pii_access", "contact_reveal"):
        for sql in (f"UPDATE {name} SET purpose = 'OTHER'", f"DELETE FROM {name}", f"TRUNCATE {name} CASCADE"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with connection.transaction():
                    await connection.execute(sql)


@pytest.mark.parametrize(
    ("role", "area", "sees", "reveals"),
    [
        (Role.COMMUNITY_STAFF, Town.COMMUNITY, True, True),
        (Role.COMMUNITY_STAFF, Town.NEIGHBOUR, False, False),
        (Role.SOCIAL_WORKER, Town.COMMUNITY, True, False),
        (Role.SOCIAL_WORKER, Town.FAR, False, False),
        (Role.GRID_OFFICER, Town.GRID, True, True),
        (Role.GRID_OFFICER, Town.OTHER_GRID, False, False),
        (Role.RESIDENT, Town.COMMUNITY, False, False),
        (Role.VOLUNTEER, Town.COMMUNITY, False, False),
        (Role.NGO_STAFF, None, False, False),
        (Role.FUND_MAKER, None, False, False),
        (Role.FUND_REPORTER, None, False, False),
        (Role.DISTRICT_VIEWER, Town.DISTRICT, False, False),
        (Role.CITY_VIEWER, Town.CITY, False, False),
        (Role.DEPARTMENT, None, False, False),
        (Role.PARTY_SECRETARY, Town.COMMUNITY, True, False),
        (Role.AUDITOR, None, True, False),
        (Role.ADMIN, None, True, False),
        (Role.PUBLIC, None, False, False),
    ],
)
async def test_who_sees_a_resident_and_who_may_reveal_him(
    connection: asyncpg.Connection, now: datetime, role: Role, area: str | None, sees: bool, reveals: bool
) -> None:
    there = await town(connection)
    one = await resident(connection, there)
    who = None if role is Role.PUBLIC else await person(connection, "查看者")
    group = await organization(connection, there) if role is Role.NGO_STAFF else None
    db = handle(connection, Actor(role, who, group, area), now)
    assert (one.person in await shown(db, "person")) == sees
    plain = {who} - {None}
    assert await shown(db, "person_name") == plain
    assert await shown(db, "person_contact") == plain
    if reveals:
        await actions.reveal_contacts(db, [one.person], AccessPurpose.SERVICE)
        assert await revealed(connection) == 1
        assert await shown(db, "person_name") == {who, one.person}
    else:
        with pytest.raises((Forbidden, NotFound, RevealNotAllowed)):
            await actions.reveal_contacts(db, [one.person], AccessPurpose.SERVICE)
        assert await revealed(connection) == 0


@pytest.mark.parametrize("role", [r for r in Role if r is not Role.PUBLIC])
async def test_a_document_s_number_is_for_community_staff(
    connection: asyncpg.Connection, now: datetime, role: Role
) -> None:
    there = await town(connection)
    one, serves = await resident(connection, there), await volunteer(connection, there)
    await identity(connection, one.person)
    who = await person(connection, "查看者")
    db = handle(connection, Actor(role, who, None, Town.COMMUNITY), now)
    await actions.grant_contact(db, one.person, uuid4(), to_person=who)
    wanted = [ContactField.ID_NUMBER]
    if role is Role.COMMUNITY_STAFF:
        with pytest.raises(RevealNotAllowed):  # a volunteer who does not live here
            await actions.reveal_contacts(db, [serves.person], AccessPurpose.VERIFICATION, wanted)
        await actions.reveal_contacts(db, [one.person], AccessPurpose.VERIFICATION, wanted)
        assert await shown(db, "person_identity") == {one.person}
        assert await shown(db, "person_contact") == {who}
    else:
        with pytest.raises(Forbidden):
            await actions.reveal_contacts(db, [one.person], AccessPurpose.VERIFICATION, wanted)
        assert await shown(db, "person_identity") == set()


async def test_it_is_all_or_none(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    mine, away = await resident(connection, there), await volunteer(connection, there, area=Town.FAR)
    hidden = await resident(connection, there, area=Town.NEIGHBOUR)
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    with pytest.raises(RevealNotAllowed) as refused:
        await actions.reveal_contacts(clerk, [mine.person, away.person], AccessPurpose.SERVICE)
    assert (refused.value.count, refused.value.persons) == (1, [f"person_{away.person}"])
    for nobody in (hidden.person, uuid4()):
        with pytest.raises(NotFound):
            await actions.reveal_contacts(clerk, [mine.person, nobody], AccessPurpose.SERVICE)
    assert await revealed(connection) == 0


async def test_community_staff_reach_their_own_volunteers(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one = await volunteer(connection, there)
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    officer = handle(connection, await staff(connection, Role.GRID_OFFICER, area=Town.GRID), now)
    await actions.reveal_contacts(clerk, [one.person], AccessPurpose.VERIFICATION)
    with pytest.raises(RevealNotAllowed):
        await actions.reveal_contacts(officer, [one.person], AccessPurpose.VERIFICATION)
    assert await revealed(connection) == 1


@pytest.mark.parametrize(
    ("persons", "over", "field"),
    [
        (0, {}, "persons"),
        (101, {}, "persons"),
        (1, {"fields": []}, "fields"),
        (1, {"purpose": AccessPurpose.OTHER}, "reason"),
        (1, {"reason": "x" * 201}, "reason"),
        (1, {"reason": "a\x00"}, "reason"),
    ],
)
async def test_bad_requests_are_named(
    connection: asyncpg.Connection, now: datetime, persons: int, over: dict[str, Any], field: str
) -> None:
    there = await town(connection)
    one = await resident(connection, there)
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    ids = [one.person, *(uuid4() for _ in range(persons - 1))][:persons]
    with pytest.raises(InvalidInput) as refused:
        await actions.reveal_contacts(clerk, ids, **{"purpose": AccessPurpose.VISIT, **over})
    assert refused.value.field == field
    assert await revealed(connection) == 0


async def test_a_hundred_at_once(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    ids = [(await resident(connection, there)).person for _ in range(100)]
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    await actions.reveal_contacts(clerk, ids, AccessPurpose.SERVICE)
    assert await revealed(connection) == 100


async def a_grant(connection: asyncpg.Connection, there: Town, now: datetime) -> tuple[Known, Known, UUID]:
    old, helper, source = await resident(connection, there), await volunteer(connection, there), uuid4()
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    until = now + timedelta(hours=26)
    await actions.grant_contact(clerk, old.person, source, to_person=helper.person, until=until)
    return old, helper, source


async def test_a_volunteer_reveals_while_his_grant_lasts(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    old, helper, _ = await a_grant(connection, there, now)
    for at, may in ((-1, False), (0, True), (26 * 60 - 1, True), (26 * 60, False)):
        db = handle(connection, as_volunteer(helper), now + timedelta(minutes=at))
        before = await revealed(connection)
        assert (old.person in await shown(db, "person")) == may
        assert (old.id in await shown(db, "resident")) == may
        if may:
            await actions.reveal_contacts(db, [old.person], AccessPurpose.SERVICE)
        else:
            with pytest.raises(NotFound):
                await actions.reveal_contacts(db, [old.person], AccessPurpose.SERVICE)
        assert await revealed(connection) == before + may
    subject = handle(connection, as_resident(old), now)
    assert len(await shown(subject, "pii_access")) == 2
    other = handle(connection, as_resident(await resident(connection, there, "别人")), now)
    assert await shown(other, "pii_access") == set()
    auditor = handle(connection, await staff(connection, Role.AUDITOR), now)
    assert len(await shown(auditor, "pii_access")) == 2


async def test_a_cancelled_commitment_ends_the_grant(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    old, helper, source = await a_grant(connection, there, now)
    later = now + timedelta(hours=1)
    await actions.end_contact_grants(handle(connection, as_volunteer(helper), later), source)
    with pytest.raises(NotFound):
        await actions.reveal_contacts(
            handle(connection, as_volunteer(helper), later), [old.person], AccessPurpose.SERVICE
        )
    again = handle(connection, as_volunteer(helper), later)
    await actions.grant_contact(again, old.person, source, to_person=helper.person, until=later + timedelta(hours=1))
    assert await connection.fetchval("SELECT count(*) FROM contact_grant") == 1
    await actions.reveal_contacts(again, [old.person], AccessPurpose.SERVICE)


async def test_a_grant_is_for_one_capacity(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    old, helper, _ = await a_grant(connection, there, now)
    group = await organization(connection, there)
    ngo = handle(connection, Actor(Role.NGO_STAFF, helper.person, group, None), now)
    with pytest.raises(NotFound):
        await actions.reveal_contacts(ngo, [old.person], AccessPurpose.SERVICE)
    await actions.grant_contact(ngo, old.person, uuid4(), to_organization=group)
    await actions.reveal_contacts(ngo, [old.person], AccessPurpose.SERVICE)
    assert await connection.fetchval("SELECT organization_id FROM pii_access") == group
    elsewhere = await staff(connection, Role.NGO_STAFF, organization=await organization(connection, there, "另一家"))
    with pytest.raises(NotFound):
        await actions.reveal_contacts(handle(connection, elsewhere, now), [old.person], AccessPurpose.SERVICE)


async def test_an_organization_sees_the_names_of_the_volunteers_that_it_took(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await town(connection)
    one, two = await volunteer(connection, there), await volunteer(connection, there, "赵六")
    group = await organization(connection, there)
    ours = await staff(connection, Role.NGO_STAFF, organization=group)
    theirs = await staff(connection, Role.NGO_STAFF, organization=await organization(connection, there, "另一家"))
    db = handle(connection, ours, now)
    await actions.take_volunteer(db, group, one.person)
    await actions.take_volunteer(db, group, one.person)
    assert await shown(db, "person_name") == {ours.person, one.person}
    assert await shown(db, "person_contact") == {ours.person}
    assert {one.person, two.person} <= await shown(db, "person")
    assert await shown(handle(connection, theirs, now), "person_name") == {theirs.person}
    clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    assert await shown(handle(connection, clerk, now), "person_name") == {clerk.person}
    await connection.execute("UPDATE organization_volunteer SET until = $1", now)
    assert await shown(db, "person_name") == {ours.person}


async def test_a_minor_volunteer_is_shown_to_few(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    mother = await resident(connection, there, "孙妈", household="7")
    child = await resident(connection, there, "孙小明", household="7", birth_date=date(2011, 6, 1))
    young = await volunteer(connection, there, person=child.person, born=date(2011, 6, 1))
    stranger = await resident(connection, there, "周某")
    group = await organization(connection, there)
    sees = {
        as_resident(mother): True,
        as_resident(child): True,
        as_resident(stranger): False,
        await staff(connection, Role.FUND_MAKER, organization=group): False,
        await staff(connection, Role.NGO_STAFF, organization=group): False,
        await staff(connection, Role.COMMUNITY_STAFF, area=Town.FAR): True,
    }
    for actor, may in sees.items():
        db = handle(connection, actor, now)
        assert (young.id in await shown(db, "volunteer")) == may, actor
        assert (young.person in await shown(db, "person")) == may, actor
    grown = handle(connection, as_resident(stranger), datetime(2029, 6, 1, tzinfo=now.tzinfo))
    assert young.id in await shown(grown, "volunteer")
    assert young.person in await shown(grown, "person")


async def test_registrations_that_are_not_active_are_staff_s(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    waiting = await volunteer(connection, there, state=VolunteerRegistration.PENDING_VERIFICATION)
    group = await organization(connection, there)
    sees = {
        await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY): True,
        await staff(connection, Role.COMMUNITY_STAFF, area=Town.NEIGHBOUR): False,
        await staff(connection, Role.NGO_STAFF, organization=group): False,
        await staff(connection, Role.ADMIN): True,
        as_resident(await resident(connection, there)): False,
        Actor(): False,
    }
    for actor, may in sees.items():
        assert (waiting.id in await shown(handle(connection, actor, now), "volunteer")) == may, actor


async def test_viewers_see_no_volunteer_and_no_name(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    await volunteer(connection, there)
    viewer = await staff(connection, Role.DISTRICT_VIEWER, area=Town.DISTRICT)
    db = handle(connection, viewer, now)
    assert await shown(db, "volunteer") == set()
    assert await shown(db, "person") == {viewer.person}


@pytest.mark.parametrize("name", sorted(set(HOLDERS) - {"social_worker", "organization"}))
async def test_the_public_sees_no_row_about_people(connection: asyncpg.Connection, now: datetime, name: str) -> None:
    there = await town(connection)
    old, helper, _ = await a_grant(connection, there, now)
    group = await organization(connection, there)
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    await actions.take_volunteer(clerk, group, helper.person)
    await actions.reveal_contacts(clerk, [old.person], AccessPurpose.SERVICE)
    assert await shown(handle(connection, Actor(), now), name) == set()


# over GraphQL


@strawberry.type
class Query(TerritoryQuery, PeopleQuery):
    pass


@strawberry.type
class Mutation(PeopleMutation):
    pass


ENGINE = engine_of(Query, Mutation)
REVEAL = """
mutation ($input: ContactRevealInput!) { contactReveal(input: $input) {
    __typename
    ... on ContactReveal { id at purpose subjectCount contacts {
        name phone address person { name phone fullName }
    } }
    ... on Problem { code message retry }
    ... on RevealNotAllowed { count persons }
} }
"""
LATER = """
query ($id: ID!, $person: ID!) {
    person(id: $person) { name phone fullName }
    piiAccesses { totalCount edges { node { fields purpose actor { name } subject { id name } } } }
    node: contactReveal(id: $id) { contacts { name phone address person { fullName } } }
}
"""


async def test_plain_values_are_in_the_mutation_s_own_answer_only(pool: Pool, now: datetime) -> None:
    ask = Asked(ENGINE, pool, now)
    async with pool.connection() as connection:
        there = await town(connection)
        one = await resident(connection, there, "欧阳淑芬")
        clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    given = {"persons": [f"person_{one.person}"], "purpose": "VISIT", "fields": ["NAME", "PHONE"]}
    answer = (await ask(clerk, REVEAL, input=given))["contactReveal"]
    assert answer["__typename"] == "ContactReveal"
    assert answer["subjectCount"] == 1
    assert answer["contacts"] == [
        {
            "name": "欧阳淑芬",
            "phone": "10012345678",
            "address": None,
            "person": {"name": "欧阳*", "phone": "100****5678", "fullName": "欧阳淑芬"},
        }
    ]
    # the same instant, the same person, the next query: nothing plain
    for at in (now, now + timedelta(seconds=1)):
        later = await ask(clerk, LATER, at=at, id=answer["id"], person=f"person_{one.person}")
        assert later["person"] == {"name": "欧阳*", "phone": "100****5678", "fullName": None}
        assert later["node"]["contacts"] == [
            {"name": None, "phone": None, "address": None, "person": {"fullName": None}}
        ]
        assert later["piiAccesses"]["totalCount"] == 1
    # a second reveal, of another field, at the same instant, shows that field only
    given["fields"] = ["ADDRESS"]
    second = (await ask(clerk, REVEAL, input=given))["contactReveal"]
    assert second["contacts"] == [
        {
            "name": None,
            "phone": None,
            "address": "1 号楼 2-3-1",
            "person": {"name": "欧阳*", "phone": "100****5678", "fullName": None},
        }
    ]
    his = await ask(as_resident(one), LATER, id=answer["id"], person=f"person_{one.person}")
    assert his["node"] is None
    assert [e["node"]["actor"]["name"] for e in his["piiAccesses"]["edges"]] == ["陈*", "陈*"]


async def test_a_refused_reveal_leaves_no_trace(pool: Pool, now: datetime) -> None:
    ask = Asked(ENGINE, pool, now)
    async with pool.connection() as connection:
        there = await town(connection)
        away = await volunteer(connection, there, area=Town.FAR)
        clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    given = {"persons": [f"person_{away.person}"], "purpose": "VISIT"}
    answer = (await ask(clerk, REVEAL, input=given))["contactReveal"]
    assert answer == {
        "__typename": "RevealNotAllowed",
        "code": "REVEAL_NOT_ALLOWED",
        "message": "其中 1 人的联系方式当前无权查看，本次未查看任何人的信息。",
        "retry": "CHANGE_INPUT",
        "count": 1,
        "persons": [f"person_{away.person}"],
    }
    async with pool.connection() as connection:
        assert await revealed(connection) == 0
