"""A registration as a resident that is refused, and moving house: who sees whom from then on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import strawberry

from models.access import Actor, Role
from models.exchange.actions import NeedInput, submit_need
from models.exchange.kinds import Sensitivity
from models.people import actions
from models.people.care import ResidentTag
from models.people.problems import AlreadyVerified, OwnCase, ResidentUnverified, RevealNotAllowed
from models.people.queries import actor_of
from models.people.rules import AccessPurpose
from models.pool import Pool
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound
from models.vault import Kind
from resolvers.exchange import ExchangeMutation, ExchangeQuery
from resolvers.people import PeopleMutation, PeopleQuery
from resolvers.territory import TerritoryQuery
from tests.asking import Asked, engine_of
from tests.make_people import EARLIER, Known, Town, as_resident, handle, opened, person, resident, staff, town


@strawberry.type
class Query(TerritoryQuery, PeopleQuery, ExchangeQuery):
    pass


@strawberry.type
class Mutation(PeopleMutation, ExchangeMutation):
    pass


ENGINE = engine_of(Query, Mutation)
ROW = "SELECT * FROM resident WHERE id = $1"
FORMER = "SELECT area, since, until, refused, ended_by FROM former_residence WHERE person_id = $1 ORDER BY until, id"
REFUSAL = "SELECT refusal FROM resident WHERE person_id = $1"


async def clerk(connection: asyncpg.Connection, area: str = Town.COMMUNITY) -> Actor:
    return await staff(connection, Role.COMMUNITY_STAFF, area=area)


async def need(connection: asyncpg.Connection, now: datetime, one: Known, **over: Any) -> UUID:
    """What a resident asks for himself."""
    category = await connection.fetchval("SELECT id FROM service_category WHERE code = 'ELDERLY.ESCORT'")
    return await submit_need(handle(connection, as_resident(one), now), NeedInput("陪诊", category, **over))


async def newcomer(connection: asyncpg.Connection, there: Town, now: datetime) -> tuple[Actor, Any]:
    """Somebody who has just registered himself, with his address."""
    me = Actor(Role.PERSON, await person(connection, "新来的", phone="10012340000"))
    given = actions.ResidentInput(community=there.community, grid=there.grid, address="万莲里 1 号楼 2-3-1")
    return me, await actions.register_resident(handle(connection, me, now), given)


async def test_a_refused_resident_is_none_and_registers_again(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me, id_ = await newcomer(connection, there, now)
    assert me.person is not None
    assert await actor_of(connection, me.person, Role.RESIDENT, None, now) is not None
    office = handle(connection, await clerk(connection), now)
    await actions.reject_resident(office, id_, "查无此户")
    row = await connection.fetchrow(ROW, id_)
    assert (row["refused_at"], row["refused_by"], row["verified_at"]) == (now, office.actor.person, None)
    assert b"\xe6\x9f\xa5" not in row["refusal"]
    assert await opened(connection, Kind.CARE, REFUSAL, me.person) == "查无此户"
    assert await actor_of(connection, me.person, Role.RESIDENT, None, now) is None
    assert (
        await connection.fetchval("SELECT count(*) FROM capacity WHERE person_id = $1 AND role = 'RESIDENT'", me.person)
        == 0
    )
    with pytest.raises(NotFound):  # he is nobody of theirs any more
        await actions.reveal_contacts(office, [me.person], AccessPurpose.SERVICE)
    with pytest.raises(InvalidTransition):
        await actions.verify_resident(office, id_)
    with pytest.raises(InvalidTransition):
        await actions.move_resident(handle(connection, me, now), there.neighbour)
    later = now + timedelta(days=2)
    again = actions.ResidentInput(community=there.neighbour)
    assert await actions.register_resident(handle(connection, me, later), again) == id_
    row = await connection.fetchrow(ROW, id_)
    assert (row["area"], row["created_at"], row["refused_at"], row["refusal"]) == (Town.NEIGHBOUR, later, None, None)
    assert [tuple(r) for r in await connection.fetch(FORMER, me.person)] == [(Town.GRID, now, now, True, me.person)]
    assert await actor_of(connection, me.person, Role.RESIDENT, None, later) is not None


async def test_who_may_refuse_and_what(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me, id_ = await newcomer(connection, there, now)
    known = await resident(connection, there)
    office = await clerk(connection)
    with pytest.raises(AlreadyVerified):
        await actions.reject_resident(handle(connection, office, now), known.id, "搬走了")
    with pytest.raises(InvalidInput):
        await actions.reject_resident(handle(connection, office, now), id_, " ")
    with pytest.raises(NotFound):
        await actions.reject_resident(handle(connection, await clerk(connection, Town.NEIGHBOUR), now), id_, "查无此户")
    for role, area in ((Role.GRID_OFFICER, Town.GRID), (Role.SOCIAL_WORKER, Town.COMMUNITY)):
        with pytest.raises(Forbidden):
            await actions.reject_resident(
                handle(connection, await staff(connection, role, area=area), now), id_, "查无此户"
            )
    with pytest.raises(OwnCase):
        own = Actor(Role.COMMUNITY_STAFF, me.person, None, Town.COMMUNITY)
        await actions.reject_resident(handle(connection, own, now), id_, "查无此户")
    assert await connection.fetchval("SELECT refused_at FROM resident WHERE id = $1", id_) is None


async def test_moving_ends_one_residence_and_begins_another(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one = await resident(connection, there, household="7", tags=("LOW_INCOME",))
    wife = await resident(connection, there, "王小明", household="7")
    mine = await need(connection, now, one)
    me = handle(connection, as_resident(one), now)
    with pytest.raises(InvalidInput):
        await actions.move_resident(me, there.community)
    with pytest.raises(InvalidInput):
        await actions.move_resident(me, there.neighbour, grid=there.grid)
    await actions.move_resident(me, there.neighbour, grid=there.grids["210103005025001"], address="新居 2-1")
    row = await connection.fetchrow(ROW, one.id)
    assert (row["area"], row["created_at"], row["verified_at"]) == ("210103005025001", now, None)
    assert row["household"] not in ("7", wife.id)
    (left,) = [tuple(r) for r in await connection.fetch(FORMER, one.person)]
    assert left == (Town.GRID, EARLIER, now, False, one.person)
    assert await connection.fetchval("SELECT area FROM person WHERE id = $1", one.person) == "210103005025001"
    address = "SELECT address FROM person_contact WHERE person_id = $1"
    assert await opened(connection, Kind.ADDRESS, address, one.person) == "新居 2-1"
    asked = await connection.fetchrow("SELECT area, household FROM need WHERE id = $1", mine)
    assert tuple(asked) == (Town.GRID, row["household"])  # it stays there, and is not his wife's any more


async def test_staff_move_their_own_and_nobody_else(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one = await resident(connection, there)
    with pytest.raises(NotFound):
        far = handle(connection, await clerk(connection, Town.NEIGHBOUR), now)
        await actions.move_resident(far, there.neighbour, id=one.id)
    with pytest.raises(Forbidden):
        officer = handle(connection, await staff(connection, Role.GRID_OFFICER, area=Town.GRID), now)
        await actions.move_resident(officer, there.neighbour, id=one.id)
    office = handle(connection, await clerk(connection), now)
    await actions.move_resident(office, there.far, id=one.id)
    assert await connection.fetchval("SELECT area FROM resident WHERE id = $1", one.id) == Town.FAR
    with pytest.raises(NotFound):  # and now he is out of their hands
        await actions.move_resident(office, there.neighbour, id=one.id)
    assert office.detail == {"from": Town.GRID, "to": Town.FAR}


async def revealed(connection: asyncpg.Connection, now: datetime, who: Actor, one: Known) -> bool:
    assert one.person is not None
    try:
        await actions.reveal_contacts(handle(connection, who, now), [one.person], AccessPurpose.SERVICE)
    except (NotFound, RevealNotAllowed):
        return False
    return True


async def test_the_old_community_reaches_him_until_his_needs_there_have_ended(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await town(connection)
    one, other = await resident(connection, there), await resident(connection, there, "钱奶奶")
    asked = await need(connection, now, one)
    old, new = await clerk(connection), await clerk(connection, Town.NEIGHBOUR)
    for each in (one, other):
        await actions.move_resident(handle(connection, as_resident(each), now), there.neighbour)
    assert [await revealed(connection, now, who, one) for who in (old, new)] == [True, True]
    assert [await revealed(connection, now, who, other) for who in (old, new)] == [False, True]
    await connection.execute("UPDATE need SET status = 'CLOSED', closed_at = $2 WHERE id = $1", asked, now)
    assert not await revealed(connection, now, old, one)


async def test_nobody_learns_by_a_move_of_a_restricted_need(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one = await resident(connection, there)
    asked = await need(connection, now, one, sensitivity=Sensitivity.RESTRICTED)
    named, other = await clerk(connection), await clerk(connection)
    await connection.execute(
        "INSERT INTO need_staff (need_id, person_id, named_at) VALUES ($1, $2, $3)", asked, named.person, now
    )
    await actions.move_resident(handle(connection, as_resident(one), now), there.neighbour)
    assert [await revealed(connection, now, who, one) for who in (named, other)] == [True, False]


CARE = "{ residents(first: 5) { edges { node { tags careTier careNote isVerified refusal formerResidences { refused community { name } } viewerCan { verify reject move editCare } } } } }"


async def test_care_is_shown_where_he_is_verified_and_a_tier_to_the_grid(pool: Pool, now: datetime) -> None:
    ask = Asked(ENGINE, pool, now)
    async with pool.connection() as connection:
        there = await town(connection)
        one = await resident(connection, there)
        office, officer = await clerk(connection), await staff(connection, Role.GRID_OFFICER, area=Town.GRID)
        new = await clerk(connection, Town.NEIGHBOUR)
        next_door = await resident(connection, there, "邻居", area=Town.NEIGHBOUR, household="9")
        await actions.edit_care(
            handle(connection, office, now), one.id, tags=(ResidentTag.LOW_INCOME, ResidentTag.LIVES_ALONE), note="喘"
        )
    (seen,) = [e["node"] for e in (await ask(officer, CARE))["residents"]["edges"]]
    assert (seen["tags"], seen["careNote"], seen["careTier"]) == (None, None, "KEY")
    (seen,) = [e["node"] for e in (await ask(office, CARE))["residents"]["edges"]]
    assert (seen["tags"], seen["careNote"], seen["careTier"]) == (["LIVES_ALONE", "LOW_INCOME"], "喘", "KEY")
    assert seen["viewerCan"] == {"verify": False, "reject": False, "move": True, "editCare": True}
    async with pool.connection() as connection:
        await actions.move_resident(handle(connection, as_resident(one), now), there.neighbour)
    moved = next(e["node"] for e in (await ask(new, CARE))["residents"]["edges"] if not e["node"]["isVerified"])
    assert (moved["tags"], moved["careNote"], moved["careTier"], moved["formerResidences"]) == (None, None, None, [])
    assert moved["viewerCan"] == {"verify": True, "reject": True, "move": True, "editCare": False}
    async with pool.connection() as connection:
        with pytest.raises(ResidentUnverified):
            await actions.edit_care(handle(connection, new, now), one.id, tags=())
        await actions.verify_resident(handle(connection, new, now), one.id, household_of=next_door.id)
        assert await connection.fetchval("SELECT household FROM resident WHERE id = $1", one.id) == "9"
    known = [e["node"] for e in (await ask(new, CARE))["residents"]["edges"]]
    assert {"KEY"} == {n["careTier"] for n in known if n["careTier"]}
    mine = [e["node"] for e in (await ask(as_resident(one), CARE))["residents"]["edges"]]
    assert {"refused": False, "community": {"name": "多福社区"}} in [f for n in mine for f in n["formerResidences"]]
