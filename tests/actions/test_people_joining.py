"""Joining an organization: asked by himself or invited, answered by the other side, and never by oneself."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
import strawberry

from models.access import Actor, Role
from models.people import actions
from models.people.actions import joining
from models.people.organization_rules import JoinsAs, OrganizationKind, VerifiedState
from models.people.problems import (
    AnswerPending,
    MembershipExists,
    OrganizationNotVerified,
    OwnCase,
    TooManyPending,
)
from models.people.queries import actor_of
from models.people.rules import VolunteerRegistration
from models.pool import Pool
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound
from resolvers.people import PeopleMutation, PeopleQuery
from resolvers.people.joining import JoiningMutation, JoiningQuery
from resolvers.territory import TerritoryQuery
from tests.asking import Asked, engine_of
from tests.make_people import (
    Known,
    Town,
    as_volunteer,
    handle,
    insert,
    membership,
    organization,
    person,
    staff,
    town,
    volunteer,
)


@strawberry.type
class Query(TerritoryQuery, PeopleQuery, JoiningQuery):
    pass


@strawberry.type
class Mutation(PeopleMutation, JoiningMutation):
    pass


ENGINE = engine_of(Query, Mutation)
TOOK = "SELECT person_id, since, until, granted_by, ended_by FROM organization_volunteer ORDER BY since, id"


async def ngo(connection: asyncpg.Connection, there: Town, name: str = "暖邻服务社") -> Actor:
    """One of the staff of a new organization."""
    return await staff(connection, Role.NGO_STAFF, organization=await organization(connection, there, name))


async def asked(connection: asyncpg.Connection, now: datetime, who: Known, unit: Actor) -> UUID:
    assert unit.organization is not None
    return await actions.ask_to_join(handle(connection, as_volunteer(who), now), unit.organization, JoinsAs.VOLUNTEER)


async def test_a_volunteer_asks_and_staff_take_him(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    unit, helper = await ngo(connection, there), await volunteer(connection, there)
    id_ = await asked(connection, now, helper, unit)
    assert await connection.fetch(TOOK) == []
    later = now + timedelta(days=1)
    await actions.accept_membership(handle(connection, unit, later), id_)
    assert [tuple(r) for r in await connection.fetch(TOOK)] == [(helper.person, later, None, unit.person, None)]
    row = await connection.fetchrow("SELECT state, decided_by, decided_at FROM membership_request WHERE id = $1", id_)
    assert tuple(row) == ("ACCEPTED", unit.person, later)
    with pytest.raises(InvalidTransition):
        await actions.refuse_membership(handle(connection, unit, later), id_, "太迟了")
    with pytest.raises(MembershipExists):
        await asked(connection, later, helper, unit)


async def test_somebody_joins_the_staff_and_who_took_him_is_on_record(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await town(connection)
    unit, clerk = await ngo(connection, there), await person(connection, "新同事")
    assert unit.organization is not None
    me = Actor(Role.PERSON, clerk)
    id_ = await actions.ask_to_join(handle(connection, me, now), unit.organization, JoinsAs.STAFF)
    assert await actor_of(connection, clerk, Role.NGO_STAFF, id_, now) is None
    accepting = handle(connection, unit, now)
    await actions.accept_membership(accepting, id_)
    row = await connection.fetchrow("SELECT * FROM membership WHERE person_id = $1", clerk)
    assert (row["role"], row["organization_id"], row["starts_on"], row["ends_on"], row["granted_by"]) == (
        "NGO_STAFF",
        unit.organization,
        date(2026, 11, 2),
        None,
        unit.person,
    )
    assert await actor_of(connection, clerk, Role.NGO_STAFF, row["id"], now) is not None
    assert accepting.detail["role"] == "NGO_STAFF"


async def test_nobody_accepts_himself_nor_for_another_organization(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await town(connection)
    unit, other = await ngo(connection, there), await ngo(connection, there, "别家服务社")
    assert unit.organization is not None and unit.person is not None
    both = await volunteer(connection, there, person=unit.person)
    id_ = await asked(connection, now, both, unit)
    with pytest.raises(OwnCase):
        await actions.accept_membership(handle(connection, unit, now), id_)
    with pytest.raises(NotFound):
        await actions.accept_membership(handle(connection, other, now), id_)
    with pytest.raises(asyncpg.CheckViolationError):
        async with connection.transaction():
            await connection.execute(
                "UPDATE membership_request SET state = 'ACCEPTED', decided_by = made_by, decided_at = $2 WHERE id = $1",
                id_,
                now,
            )
    assert await connection.fetch(TOOK) == []
    colleague = Actor(Role.NGO_STAFF, await person(connection, "同事"), unit.organization)
    await actions.accept_membership(handle(connection, colleague, now), id_)
    assert [r["granted_by"] for r in await connection.fetch(TOOK)] == [colleague.person]


async def test_an_invitation_is_the_invited_one_s_to_answer(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    unit, helper = await ngo(connection, there), await volunteer(connection, there)
    inviting = handle(connection, unit, now)
    id_ = await actions.invite_to_join(inviting, helper.person, JoinsAs.VOLUNTEER)
    with pytest.raises(AnswerPending):
        await asked(connection, now, helper, unit)
    with pytest.raises(OwnCase):
        assert unit.person is not None
        await actions.invite_to_join(inviting, unit.person, JoinsAs.STAFF)
    with pytest.raises(Forbidden):
        await actions.accept_membership(inviting, id_)
    stranger = await volunteer(connection, there, "路人")
    with pytest.raises(NotFound):
        await actions.accept_membership(handle(connection, as_volunteer(stranger), now), id_)
    await actions.accept_membership(handle(connection, as_volunteer(helper), now), id_)
    assert [(r["person_id"], r["granted_by"]) for r in await connection.fetch(TOOK)] == [(helper.person, unit.person)]


async def test_an_invitation_shows_no_more_of_whom_it_invites(pool: Pool, now: datetime) -> None:
    """Whom staff saw by a grant that ends is not theirs to see for the thirty days in which he may answer."""
    ask, over = Asked(ENGINE, pool, now), now + timedelta(hours=1)
    text = "query ($person: ID!, $volunteer: ID!) { person(id: $person) { name } volunteer(id: $volunteer) { state }"
    text += " membershipRequests { edges { node { isInvitation state person { name } } } } }"

    async with pool.connection() as connection:
        there = await town(connection)
        unit = await ngo(connection, there)
        young = await volunteer(connection, there, "王小五", born=date(2010, 5, 1))
        grant = {"viewer_organization_id": unit.organization, "subject_id": young.person, "since": now, "until": over}
        await insert(connection, "contact_grant", source_id=young.id, **grant)
        id_ = await actions.invite_to_join(handle(connection, unit, now), young.person, JoinsAs.VOLUNTEER)
        await actions.invite_to_join(handle(connection, unit, now), young.person, JoinsAs.STAFF)

    async def seen(at: datetime) -> object:
        found = await ask(unit, text, at, person=f"person_{young.person}", volunteer=f"volunteer_{young.id}")
        people = [(e["node"]["isInvitation"], e["node"]["person"]) for e in found["membershipRequests"]["edges"]]
        return found["person"], found["volunteer"], people

    masked = {"name": "王*"}
    assert await seen(now) == (masked, None, [(True, masked)] * 2)
    assert await seen(over) == (None, None, [(True, None)] * 2)
    async with pool.connection() as connection:
        await actions.refuse_membership(handle(connection, as_volunteer(young), over), id_)
        await asked(connection, over, young, unit)
    assert await seen(over) == (masked, {"state": "ACTIVE"}, [(False, masked), (True, masked), (True, masked)])


async def test_the_invitation_of_one_who_has_left_is_void(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    unit, clerk = await ngo(connection, there), await person(connection, "新同事", acts=True)
    id_ = await actions.invite_to_join(handle(connection, unit, now), clerk, JoinsAs.STAFF)
    await connection.execute("UPDATE membership SET revoked_at = $1", now)
    with pytest.raises(InvalidTransition):
        await actions.accept_membership(handle(connection, Actor(Role.PERSON, clerk), now), id_)
    assert await connection.fetchval("SELECT count(*) FROM membership WHERE person_id = $1", clerk) == 0


async def test_refused_withdrawn_and_lapsed_requests_open_nothing(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await town(connection)
    unit, helper = await ngo(connection, there), await volunteer(connection, there)
    me, office = handle(connection, as_volunteer(helper), now), handle(connection, unit, now)
    first = await asked(connection, now, helper, unit)
    with pytest.raises(InvalidInput):
        await actions.refuse_membership(office, first)
    await actions.refuse_membership(office, first, "名额已满")
    second = await asked(connection, now, helper, unit)
    with pytest.raises(Forbidden):
        await actions.withdraw_request(office, second)
    await actions.withdraw_request(me, second)
    third = await asked(connection, now, helper, unit)
    over = now + joining.LASTS
    with pytest.raises(InvalidTransition) as late:
        await actions.accept_membership(handle(connection, unit, over), third)
    assert late.value.status == "LAPSED"
    await asked(connection, over, helper, unit)
    states = await connection.fetch("SELECT state FROM membership_request ORDER BY made_at, id")
    assert [r["state"] for r in states] == ["REFUSED", "WITHDRAWN", "LAPSED", "PENDING"]
    assert await connection.fetch(TOOK) == []


async def test_who_may_not_join(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    unit = await ngo(connection, there)
    waiting = await volunteer(connection, there, state=VolunteerRegistration.PENDING_VERIFICATION)
    with pytest.raises(InvalidInput):
        await asked(connection, now, waiting, unit)
    helper = await volunteer(connection, there)
    me = handle(connection, as_volunteer(helper), now)
    office = await organization(connection, there, "某局", kind=OrganizationKind.DEPARTMENT)
    with pytest.raises(InvalidInput):
        await actions.ask_to_join(me, office, JoinsAs.STAFF)
    draft = await organization(connection, there, "草稿", verified_state=VerifiedState.DRAFT, contact_id=helper.person)
    with pytest.raises(OrganizationNotVerified):
        await actions.ask_to_join(me, draft, JoinsAs.VOLUNTEER)
    for n in range(joining.MOST_OF_PERSON):
        await asked(connection, now, helper, await ngo(connection, there, f"第{n}服务社"))
    with pytest.raises(TooManyPending):
        await asked(connection, now, helper, unit)


async def test_nobody_becomes_twice_what_he_is(connection: asyncpg.Connection, now: datetime) -> None:
    """What stands behind a grant stands behind an acceptance."""
    there = await town(connection)
    unit = await ngo(connection, there)
    assert unit.organization is not None
    clerk = await person(connection, "老同事")
    me = Actor(Role.PERSON, clerk)
    id_ = await actions.ask_to_join(handle(connection, me, now), unit.organization, JoinsAs.STAFF)
    await membership(connection, clerk, Role.NGO_STAFF, organization=unit.organization)
    with pytest.raises(MembershipExists):
        await actions.accept_membership(handle(connection, unit, now), id_)
    assert await connection.fetchval("SELECT state FROM membership_request WHERE id = $1", id_) == "PENDING"


async def test_a_volunteer_leaves_and_his_name_is_gone(pool: Pool, now: datetime) -> None:
    ask = Asked(ENGINE, pool, now)
    text = "{ membershipRequests { edges { node { state isInvitation person { name fullName } organization { name }"
    text += " viewerCan { accept refuse withdraw } } } } }"
    async with pool.connection() as connection:
        there = await town(connection)
        unit, other = await ngo(connection, there), await ngo(connection, there, "别家服务社")
        helper = await volunteer(connection, there, "王小五")
        id_ = await asked(connection, now, helper, unit)

    def listed(found: dict[str, object]) -> list[object]:
        return [e["node"] for e in found["membershipRequests"]["edges"]]  # type: ignore[index]

    (mine,) = listed(await ask(as_volunteer(helper), text))
    (theirs,) = listed(await ask(unit, text))
    assert mine == {
        "state": "PENDING",
        "isInvitation": False,
        "person": {"name": "王*", "fullName": "王小五"},
        "organization": {"name": "暖邻服务社"},
        "viewerCan": {"accept": False, "refuse": False, "withdraw": True},
    }
    assert theirs == {
        **mine,
        "person": {"name": "王*", "fullName": None},
        "viewerCan": {"accept": True, "refuse": True, "withdraw": False},
    }
    assert listed(await ask(other, text)) == []
    accept = 'mutation ($id: ID!) { membershipAccept(id: $id, idempotencyKey: "key-00001") { __typename } }'
    await ask(unit, accept, id=f"membership_request_{id_}")
    volunteers = "{ organization(id: %s) { volunteers { edges { node { id person { fullName } grantedBy { name }"
    volunteers = volunteers.replace("%s", f'"organization_{unit.organization}"')
    volunteers += " viewerCan { end } } } } } }"
    (taken,) = [e["node"] for e in (await ask(unit, volunteers))["organization"]["volunteers"]["edges"]]
    assert taken["person"] == {"fullName": "王小五"} and taken["grantedBy"] == {"name": "陈*"}
    assert taken["viewerCan"] == {"end": True}
    end = 'mutation ($id: ID!) { organizationVolunteerEnd(id: $id, idempotencyKey: "key-00002") { __typename } }'
    await ask(as_volunteer(helper), end, id=taken["id"])
    (left,) = [e["node"] for e in (await ask(unit, volunteers))["organization"]["volunteers"]["edges"]]
    assert left["person"] == {"fullName": None} and left["viewerCan"] == {"end": False}
    async with pool.connection() as connection:  # and he may come back
        assert await asked(connection, now, helper, unit)
