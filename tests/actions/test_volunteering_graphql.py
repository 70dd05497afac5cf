"""What volunteers say of themselves, over GraphQL: who reads what of it, and the way of a paper."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
import strawberry

from models.access import Actor, Role
from models.pool import Pool
from resolvers.people import PeopleMutation, PeopleQuery
from resolvers.people.volunteering import VolunteeringMutation, VolunteeringQuery
from resolvers.territory import TerritoryQuery
from tests.asking import Asked, engine_of
from tests.make_people import Town, as_resident, as_volunteer, insert, organization, resident, staff, town, volunteer


@strawberry.type
class Query(TerritoryQuery, PeopleQuery, VolunteeringQuery):
    pass


@strawberry.type
class Mutation(PeopleMutation, VolunteeringMutation):
    pass


ENGINE = engine_of(Query, Mutation)


@pytest.fixture
def ask(pool: Pool, now: datetime) -> Asked:
    return Asked(ENGINE, pool, now)


@pytest.fixture
async def there(pool: Pool) -> Town:
    async with pool.connection() as connection:
        return await town(connection)


async def test_skills_are_public_and_in_order(ask: Asked) -> None:
    skills = (await ask(Actor(), "{ skills { id code name pinyin } }"))["skills"]
    assert len(skills) == 42
    assert skills[0] | {"id": ""} == {"id": "", "code": "ELDERLY_CARE", "name": "老人照护", "pinyin": "lao ren zhao hu"}
    assert len({s["code"] for s in skills}) == len({s["name"] for s in skills}) == 42


SET = """
mutation ($id: ID!, $version: Int!, $input: VolunteerAvailabilityInput!, $key: String!) {
    volunteerAvailabilitySet(id: $id, version: $version, input: $input, idempotencyKey: $key) {
        __typename ... on Volunteer { windows { weekday fromMinute toMinute } point { latitude longitude } version }
        ... on InvalidInput { field message }
    } }
"""
READ = """
query ($id: ID!) { volunteer(id: $id) {
    languages radiusKm weeklyCap point { latitude longitude } windows { weekday fromMinute toMinute }
    absences { startsOn endsOn } reliability { score completed noShows lateCancels sentence }
    qualifications { type number numberMasked counts }
} }
"""
AVAILABLE: dict[str, Any] = {
    "windows": [{"weekday": 3, "fromMinute": 540, "toMinute": 720}],
    "absences": [{"startsOn": "2026-11-20", "endsOn": "2026-11-22"}],
    "radiusKm": 5.5,
    "weeklyCap": 2,
    "languages": ["KOREAN"],
    "point": {"latitude": 41.8123, "longitude": 123.4321},
}
HIDDEN = {
    "languages": ["KOREAN"],
    "radiusKm": None,
    "weeklyCap": None,
    "point": None,
    "windows": [],
    "absences": [],
    "reliability": None,
    "qualifications": [],
}


async def test_his_week_and_whereabouts_are_his_own(ask: Asked, pool: Pool, there: Town) -> None:
    async with pool.connection() as connection:
        me, other = await volunteer(connection, there), await volunteer(connection, there, "赵六")
        neighbour = await resident(connection, there)
        clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
        elsewhere = await staff(connection, Role.COMMUNITY_STAFF, area=Town.NEIGHBOUR)
        ngo = await organization(connection, there)
        await insert(connection, "organization_volunteer", organization_id=ngo, person_id=me.person, since=ask.now)
        boss = await staff(connection, Role.NGO_STAFF, organization=ngo)
        await connection.execute(
            "UPDATE volunteer SET completed = 12, no_shows = 1, reliability = 20 / 23.0 WHERE id = $1", me.id
        )
    id_ = f"volunteer_{me.id}"
    done = await ask(as_volunteer(me), SET, id=id_, version=1, input=AVAILABLE, key="set-00001")
    assert done["volunteerAvailabilitySet"] == {
        "__typename": "Volunteer",
        "windows": AVAILABLE["windows"],
        "point": {"latitude": 41.8126, "longitude": 123.4324},  # to 0.1 km
        "version": 2,
    }
    mine = (await ask(as_volunteer(me), READ, id=id_))["volunteer"]
    assert mine == {
        **{name: AVAILABLE[name] for name in ("windows", "absences", "radiusKm", "weeklyCap", "languages")},
        "point": {"latitude": 41.8126, "longitude": 123.4324},
        "reliability": {
            "score": pytest.approx(20 / 23, abs=1e-6),
            "completed": 12,
            "noShows": 1,
            "lateCancels": 0,
            "sentence": "近一年履约 12 次，未到 1 次，服务前 24 小时内取消 0 次，守约分 0.87（满分 1，新志愿者从 0.80 起）。",
        },
        "qualifications": [],
    }
    assert (await ask(clerk, READ, id=id_))["volunteer"] == mine | {"point": None}
    for who in (elsewhere, as_volunteer(other), as_resident(neighbour), boss):
        assert (await ask(who, READ, id=id_))["volunteer"] == HIDDEN, who.role


async def test_what_is_wrong_is_a_named_problem(ask: Asked, pool: Pool, there: Town) -> None:
    async with pool.connection() as connection:
        me = await volunteer(connection, there)
    wrong = AVAILABLE | {"windows": [{"weekday": 3, "fromMinute": 1200, "toMinute": 1500}]}
    answer = await ask(as_volunteer(me), SET, id=f"volunteer_{me.id}", version=1, input=wrong, key="set-00001")
    assert answer["volunteerAvailabilitySet"] == {
        "__typename": "InvalidInput",
        "field": "windows",
        "message": "时段不能跨过零点，请拆成两段。",
    }


ADD = """
mutation ($input: QualificationAddInput!, $key: String!) { qualificationAdd(input: $input, idempotencyKey: $key) {
    __typename ... on Qualification { id number numberMasked status counts validTo version
        viewerCan { verify reject revoke withdraw } } ... on Problem { code }
} }
"""
VERIFY = """
mutation ($id: ID!, $version: Int!, $number: String!, $key: String!) {
    qualificationVerify(id: $id, version: $version, number: $number, idempotencyKey: $key) {
        __typename ... on Qualification { number numberMasked status counts decidedBy { name }
            viewerCan { verify revoke withdraw } } ... on Problem { code message }
    } }
"""
QUEUE = """
{ qualifications(filter: {status: [PENDING], type: [NURSE]}) { totalCount edges { node {
    id number volunteer { person { name } } viewerCan { verify reject } } } } }
"""


async def test_the_way_of_a_paper(ask: Asked, pool: Pool, there: Town) -> None:
    async with pool.connection() as connection:
        me, other = await volunteer(connection, there), await volunteer(connection, there, "赵六")
        clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
        ngo = await organization(connection, there)
        await insert(connection, "organization_volunteer", organization_id=ngo, person_id=me.person, since=ask.now)
        boss = await staff(connection, Role.NGO_STAFF, organization=ngo)
    given = {"type": "NURSE", "number": "202111012345", "issuedBy": "沈阳市卫生健康委员会", "validTo": "2027-06-30"}
    added = (await ask(as_volunteer(me), ADD, input=given, key="add-00001"))["qualificationAdd"]
    id_ = added.pop("id")
    assert added == {
        "__typename": "Qualification",
        "number": "202111012345",
        "numberMasked": "20****45",
        "status": "PENDING",
        "counts": False,
        "validTo": "2027-06-30",
        "version": 1,
        "viewerCan": {"verify": False, "reject": False, "revoke": False, "withdraw": True},
    }
    waiting = (await ask(clerk, QUEUE))["qualifications"]
    assert waiting == {
        "totalCount": 1,
        "edges": [
            {
                "node": {
                    "id": id_,
                    "number": None,
                    "volunteer": {"person": {"name": "王*"}},
                    "viewerCan": {"verify": True, "reject": True},
                }
            }
        ],
    }
    for who in (as_volunteer(other), boss, Actor()):
        assert (await ask(who, QUEUE))["qualifications"]["totalCount"] == 0
    values = {"id": id_, "version": 1, "number": "202111012345"}
    refused = (await ask(as_volunteer(me), VERIFY, **values, key="verify-01"))["qualificationVerify"]
    assert refused["code"] == "FORBIDDEN"
    wrong = (await ask(clerk, VERIFY, **{**values, "number": "202111012346"}, key="verify-02"))["qualificationVerify"]
    assert wrong == {
        "__typename": "InvalidInput",
        "code": "INVALID_INPUT",
        "message": "与本人填写的证书编号不一致，请核对原件。",
    }
    done = (await ask(clerk, VERIFY, **values, key="verify-03"))["qualificationVerify"]
    assert done == {
        "__typename": "Qualification",
        "number": None,
        "numberMasked": "20****45",
        "status": "VERIFIED",
        "counts": True,
        "decidedBy": {"name": "陈*"},
        "viewerCan": {"verify": False, "revoke": True, "withdraw": False},
    }
    paper = [{"type": "NURSE", "number": None, "numberMasked": "20****45", "counts": True}]
    assert (await ask(boss, READ, id=f"volunteer_{me.id}"))["volunteer"]["qualifications"] == paper
    assert (await ask(as_volunteer(other), READ, id=f"volunteer_{me.id}"))["volunteer"]["qualifications"] == []


AVOID = """
mutation ($person: ID, $category: String, $key: String!) {
    avoidanceAdd(person: $person, category: $category, idempotencyKey: $key) {
        __typename ... on Avoidance { id person { name } category { code } } ... on Problem { code }
    } }
"""
FORGET = """
mutation ($id: ID!, $key: String!) { avoidanceRemove(id: $id, idempotencyKey: $key) {
    __typename ... on Me { avoidances { id } } ... on Problem { code }
} }
"""
MINE = "{ me { avoidances { person { name } category { code } } } }"


async def test_whom_somebody_avoids_is_under_me_and_nowhere_else(ask: Asked, pool: Pool, there: Town) -> None:
    async with pool.connection() as connection:
        one, other = await resident(connection, there), await volunteer(connection, there, "赵六")
    me = as_resident(one)
    made = (await ask(me, AVOID, person=f"person_{other.person}", key="avoid-001"))["avoidanceAdd"]
    id_ = made.pop("id")
    assert made == {"__typename": "Avoidance", "person": {"name": "赵*"}, "category": None}
    await ask(me, AVOID, category="ELDERLY.BATHING", key="avoid-002")
    assert (await ask(me, MINE))["me"]["avoidances"] == [
        {"person": None, "category": {"code": "ELDERLY.BATHING"}},
        {"person": {"name": "赵*"}, "category": None},
    ]
    assert (await ask(as_volunteer(other), MINE))["me"]["avoidances"] == []
    hidden = (await ask(as_volunteer(other), FORGET, id=id_, key="forget-01"))["avoidanceRemove"]
    assert hidden == {"__typename": "NotFound", "code": "NOT_FOUND"}
    gone = (await ask(me, FORGET, id=id_, key="forget-02"))["avoidanceRemove"]
    assert gone["__typename"] == "Me"
    assert len(gone["avoidances"]) == 1
