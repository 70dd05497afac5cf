"""People and places over GraphQL: from a registration to a verified organization, and one's own data under `me`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
import strawberry

from models.access import Actor, Role
from models.people import actions
from models.people.organization_rules import LegalStatus, VerifiedState
from models.people.rules import VolunteerRegistration
from models.pool import Pool
from resolvers.people import PeopleMutation, PeopleQuery
from resolvers.people import numbers as accepted
from resolvers.territory import TerritoryQuery
from tests.asking import Asked, engine_of
from tests.make_people import (
    Town,
    as_resident,
    as_volunteer,
    handle,
    insert,
    organization,
    person,
    resident,
    social_worker,
    staff,
    town,
    volunteer,
)


@strawberry.type
class Query(TerritoryQuery, PeopleQuery):
    pass


@strawberry.type
class Mutation(PeopleMutation):
    pass


ENGINE = engine_of(Query, Mutation)


@pytest.fixture
def ask(pool: Pool, now: datetime) -> Asked:
    return Asked(ENGINE, pool, now)


@pytest.fixture
async def there(pool: Pool) -> Town:
    async with pool.connection() as connection:
        return await town(connection)


ME = """
{ me {
    id name phone address gender birthDate
    acting { role organization { name } division { name level } grid { name } }
    resident { community { name } grid { name officer { name } } household { person { name } } tags }
    volunteer { volunteerNo state }
    memberships { role isCurrent organization { name } division { name } grid { name } viewerCan { revoke } }
    consents { givenAt }
} }
"""


async def test_one_s_own_data_are_plain_under_me(ask: Asked, pool: Pool, there: Town) -> None:
    async with pool.connection() as connection:
        officer = await staff(connection, Role.GRID_OFFICER, "冯网格", area=Town.GRID)
        await connection.execute("UPDATE grid SET officer_id = $1 WHERE code = $2", officer.person, Town.GRID)
        one = await resident(connection, there, "欧阳淑芬", household="7", tags=("EMPTY_NEST",))
        await resident(connection, there, "王小明", household="7")
        await resident(connection, there, "别人")
    assert (await ask(as_resident(one), ME))["me"] == {
        "id": f"person_{one.person}",
        "name": "欧阳淑芬",
        "phone": "10012345678",
        "address": "1 号楼 2-3-1",
        "gender": "UNKNOWN",
        "birthDate": "1980-05-01",
        "acting": {"role": "RESIDENT", "organization": None, "division": None, "grid": {"name": "第一网格"}},
        "resident": {
            "community": {"name": "多福社区"},
            "grid": {"name": "第一网格", "officer": {"name": "冯*"}},
            "household": [{"person": {"name": "欧阳*"}}, {"person": {"name": "王*"}}],
            "tags": ["EMPTY_NEST"],
        },
        "volunteer": None,
        "memberships": [],
        "consents": [],
    }
    his = (await ask(officer, ME))["me"]
    assert his["name"] == "冯网格"
    assert his["acting"]["grid"] == {"name": "第一网格"}
    assert his["memberships"] == [
        {
            "role": "GRID_OFFICER",
            "isCurrent": True,
            "organization": None,
            "division": None,
            "grid": {"name": "第一网格"},
            "viewerCan": {"revoke": True},
        }
    ]
    assert (await ask(Actor(), ME))["me"] is None


REGISTER = """
mutation ($input: VolunteerRegisterInput!, $key: String!) { volunteerRegister(input: $input, idempotencyKey: $key) {
    __typename
    ... on Volunteer { id state person { name } division { name } skills categories isMinor noMatching version
        viewerCan { verify reject suspend resume withdraw } }
    ... on Problem { code message }
    ... on InvalidInput { field }
} }
"""
DECIDE = """
mutation ($id: ID!, $key: String!) { volunteerVerify(id: $id, idempotencyKey: $key) {
    __typename ... on Volunteer { state person { name fullName } viewerCan { verify suspend withdraw } }
    ... on Problem { code message }
} }
"""
QUEUE = """
query ($filter: VolunteerFilter) { volunteers(filter: $filter, order: OLDEST) { totalCount edges { node {
    id state stateReason person { name fullName phone } viewerCan { verify reject suspend }
} } } }
"""


async def test_a_registration_from_beginning_to_end(ask: Asked, pool: Pool, there: Town) -> None:
    async with pool.connection() as connection:
        one = await resident(connection, there, "王五")
        other = await volunteer(connection, there, "赵六")
        clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    given = {"community": f"division_{there.community}", "skills": ["HOSPITAL_ESCORT"], "categories": ["CARE.MEDICAL"]}
    first = (await ask(as_resident(one), REGISTER, input=given, key="register-1"))["volunteerRegister"]
    id_ = first.pop("id")
    assert first == {
        "__typename": "Volunteer",
        "state": "PENDING_VERIFICATION",
        "person": {"name": "王*"},
        "division": {"name": "多福社区"},
        "skills": ["HOSPITAL_ESCORT"],
        "categories": ["CARE.MEDICAL"],
        "isMinor": False,
        "noMatching": False,
        "version": 1,
        "viewerCan": {"verify": False, "reject": False, "suspend": False, "resume": False, "withdraw": True},
    }
    again = (await ask(as_resident(one), REGISTER, input=given, key="register-1"))["volunteerRegister"]
    assert again["id"] == id_
    twice = (await ask(as_resident(one), REGISTER, input=given, key="register-2"))["volunteerRegister"]
    assert twice == {
        "__typename": "AlreadyRegistered",
        "code": "ALREADY_REGISTERED",
        "message": "已经登记过志愿者，无需重复登记。",
    }
    waiting = {"state": ["PENDING_VERIFICATION"], "under": Town.COMMUNITY}
    queue = await ask(clerk, QUEUE, filter=waiting)
    assert queue["volunteers"] == {
        "totalCount": 1,
        "edges": [
            {
                "node": {
                    "id": id_,
                    "state": "PENDING_VERIFICATION",
                    "stateReason": None,
                    "person": {"name": "王*", "fullName": None, "phone": "100****5678"},
                    "viewerCan": {"verify": True, "reject": True, "suspend": False},
                }
            }
        ],
    }
    # others see only who is active
    assert (await ask(as_volunteer(other), QUEUE, filter=waiting))["volunteers"]["totalCount"] == 0
    done = (await ask(clerk, DECIDE, id=id_, key="verify-01"))["volunteerVerify"]
    assert done == {
        "__typename": "Volunteer",
        "state": "ACTIVE",
        "person": {"name": "王*", "fullName": None},
        "viewerCan": {"verify": False, "suspend": True, "withdraw": False},
    }
    wanted = {"category": "CARE.MEDICAL", "skill": "HOSPITAL_ESCORT"}
    seen = await ask(clerk, QUEUE, filter=wanted)
    assert [e["node"]["id"] for e in seen["volunteers"]["edges"]] == [id_]
    # the register is no list to page through for those who have nobody to look for
    assert (await ask(as_volunteer(other), QUEUE, filter=wanted))["volunteers"] == {"totalCount": 0, "edges": []}
    one = "query One($id: ID!) { volunteer(id: $id) { person { name phone } } }"
    assert (await ask(clerk, one, id=id_))["volunteer"]["person"] == {"name": "王*", "phone": "100****5678"}
    assert (await ask(as_volunteer(other), one, id=id_))["volunteer"]["person"] == {"name": "王*", "phone": None}


@pytest.mark.parametrize(
    ("input", "code", "field"),
    [
        ({"community": "division_nonsense"}, "INVALID_INPUT", "community"),
        ({"community": "grid_0199b3f0-0000-7000-8000-000000000000"}, "NOT_FOUND", None),
        ({"skills": ["FLYING"]}, "INVALID_INPUT", "skills"),
        ({"birthDate": "1990-02-03"}, "INVALID_INPUT", "birthDate"),
    ],
)
async def test_bad_input_is_a_named_problem(
    ask: Asked, pool: Pool, there: Town, input: dict[str, Any], code: str, field: str | None
) -> None:
    async with pool.connection() as connection:
        one = await resident(connection, there, "王五")
    given = {"community": f"division_{there.community}", **input}
    answer = (await ask(as_resident(one), REGISTER, input=given, key="register-1"))["volunteerRegister"]
    assert (answer["code"], answer.get("field")) == (code, field)
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM volunteer") == 0


EDIT = """
mutation ($id: ID!, $input: VolunteerEditInput!, $version: Int!, $key: String!) {
    volunteerEdit(id: $id, version: $version, input: $input, idempotencyKey: $key) {
        __typename ... on Volunteer { skills categories noMatching version } ... on StaleVersion { current message }
    } }
"""


async def test_only_what_is_given_is_edited(ask: Asked, pool: Pool, there: Town) -> None:
    async with pool.connection() as connection:
        one = await volunteer(connection, there, skills=("HAIRDRESSING",), categories=("CARE",))
    values = {"id": f"volunteer_{one.id}", "version": 1, "key": "edit-0001"}
    first = await ask(as_volunteer(one), EDIT, input={"noMatching": True}, **values)
    assert first["volunteerEdit"] == {
        "__typename": "Volunteer",
        "skills": ["HAIRDRESSING"],
        "categories": ["CARE"],
        "noMatching": True,
        "version": 2,
    }
    values["key"] = "edit-0002"
    stale = await ask(as_volunteer(one), EDIT, input={"skills": []}, **values)
    assert stale["volunteerEdit"] == {
        "__typename": "StaleVersion",
        "current": 2,
        "message": "内容已被他人更新，请刷新后再改。",
    }


RESIDENT = """
mutation ($input: ResidentRegisterInput!, $key: String!) { residentRegister(input: $input, idempotencyKey: $key) {
    __typename
    ... on Resident { id person { name phone isMinor } grid { code } tags household { id } }
    ... on Problem { code message }
} }
"""


async def test_staff_register_a_resident_and_never_see_the_plain_name_again(
    ask: Asked, pool: Pool, there: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pool.connection() as connection:
        clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    given = {
        "community": f"division_{there.community}",
        "grid": f"grid_{there.grid}",
        "address": "3 号楼 1-1-2",
        "person": {
            "name": "诸葛小亮",
            "phone": "100 1234 5678",
            "phoneWhose": "OWN",
            "gender": "MALE",
            "birthDate": "2011-01-01",
        },
        "tags": ["CHILD_IN_NEED"],
    }
    monkeypatch.setattr(accepted, "fictional", False)
    refused = (await ask(clerk, RESIDENT, input=given, key="resident-1"))["residentRegister"]
    assert refused == {
        "__typename": "InvalidInput",
        "code": "INVALID_INPUT",
        "message": "手机号无效：请填写中国大陆的 11 位手机号。",
    }
    monkeypatch.setattr(accepted, "fictional", True)
    made = (await ask(clerk, RESIDENT, input=given, key="resident-2"))["residentRegister"]
    assert made == {
        "__typename": "Resident",
        "id": made["id"],
        "person": {"name": "诸葛*", "phone": "100****5678", "isMinor": True},
        "grid": {"code": Town.GRID},
        "tags": ["CHILD_IN_NEED"],
        "household": [{"id": made["id"]}],
    }
    async with pool.connection() as connection:
        # what is kept besides the protected tables: no plain value, in no column of any table
        for name in ("event", "idempotency_record", "resident", "person", "pii_access"):
            for row in await connection.fetch(f"SELECT t::text AS all_of_it FROM {name} t"):
                assert "小亮" not in row["all_of_it"]
                assert "10012345678" not in row["all_of_it"]
                assert "1-1-2" not in row["all_of_it"]


APPLY = """
mutation ($input: OrganizationInput!, $key: String!) { organizationApply(input: $input, idempotencyKey: $key) {
    __typename
    ... on Organization { id name verifiedState uscc filingNo division { name } contact { name }
        viewerCan { edit submit verify reject } }
    ... on Problem { code message } ... on InvalidInput { field }
} }
"""
VERIFY = """
mutation ($id: ID!, $key: String!) { organizationVerify(id: $id, idempotencyKey: $key) {
    __typename
    ... on Organization { verifiedState viewerCan { verify } memberships { edges { node { role person { name } } } } }
    ... on Problem { code }
} }
"""
ORGANIZATIONS = """
query ($filter: OrganizationFilter, $order: OrganizationOrder! = NAME) {
    organizations(filter: $filter, order: $order) { totalCount edges { node { name verifiedState } } } }
"""


async def test_an_application_from_beginning_to_end(ask: Asked, pool: Pool, there: Town) -> None:
    async with pool.connection() as connection:
        one = await resident(connection, there, "何某")
        clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
        await organization(connection, there, "爱邻服务社")
        await organization(connection, there, "草稿社", verified_state=VerifiedState.DRAFT)
    given = {
        "name": "万家灯火互助队",
        "kind": "SOCIAL_ORG",
        "legalStatus": "FILED",
        "division": f"division_{there.community}",
        "filingNo": "万莲备 17",
    }
    made = (await ask(as_resident(one), APPLY, input=given, key="apply-001"))["organizationApply"]
    assert made == {
        "__typename": "Organization",
        "id": made["id"],
        "name": "万家灯火互助队",
        "verifiedState": "PENDING",
        "uscc": None,
        "filingNo": "万莲备 17",
        "division": {"name": "多福社区"},
        "contact": {"name": "何*"},
        "viewerCan": {"edit": False, "submit": False, "verify": False, "reject": False},
    }
    names = [e["node"]["name"] for e in (await ask(Actor(), ORGANIZATIONS))["organizations"]["edges"]]
    assert names == ["爱邻服务社"]
    mine = await ask(as_resident(one), ORGANIZATIONS, filter={"mine": True})
    assert [e["node"]["name"] for e in mine["organizations"]["edges"]] == ["万家灯火互助队"]
    queue = await ask(clerk, ORGANIZATIONS, filter={"verifiedState": ["PENDING"]}, order="OLDEST")
    assert queue["organizations"]["totalCount"] == 1
    done = (await ask(clerk, VERIFY, id=made["id"], key="verify-01"))["organizationVerify"]
    assert done["verifiedState"] == "VERIFIED"
    assert done["viewerCan"] == {"verify": False}
    names = [e["node"]["name"] for e in (await ask(Actor(), ORGANIZATIONS))["organizations"]["edges"]]
    assert names == ["爱邻服务社", "万家灯火互助队"]
    async with pool.connection() as connection:
        group = await connection.fetchval("SELECT id FROM organization WHERE name = '万家灯火互助队'")
    his = Actor(Role.NGO_STAFF, one.person, group, None)
    staffed = await ask(
        his, "query ($id: ID!) { organization(id: $id) { memberships { edges { node { role } } } } }", id=made["id"]
    )
    assert staffed["organization"]["memberships"]["edges"] == [{"node": {"role": "NGO_STAFF"}}]


GRANT = """
mutation ($input: MembershipGrantInput!, $key: String!) { membershipGrant(input: $input, idempotencyKey: $key) {
    __typename
    ... on Membership { id role startsOn endsOn isCurrent person { name } organization { name } division { name }
        grid { code officer { name } } grantedBy { name } viewerCan { revoke } }
    ... on Problem { code }
} }
"""
REVOKE = """
mutation ($id: ID!, $key: String!) { membershipRevoke(id: $id, idempotencyKey: $key) {
    __typename ... on Membership { isCurrent revokedAt viewerCan { revoke } } ... on Problem { code message }
} }
"""


async def test_a_capacity_is_given_and_taken_back(ask: Asked, pool: Pool, there: Town) -> None:
    async with pool.connection() as connection:
        admin = await staff(connection, Role.ADMIN, "管理员")
        one = await person(connection, "冯网格")
    given = {"person": f"person_{one}", "role": "GRID_OFFICER", "area": Town.GRID}
    made = (await ask(admin, GRANT, input=given, key="grant-001"))["membershipGrant"]
    assert made == {
        "__typename": "Membership",
        "id": made["id"],
        "role": "GRID_OFFICER",
        "startsOn": "2026-11-02",
        "endsOn": None,
        "isCurrent": True,
        "person": {"name": "冯*"},
        "organization": None,
        "division": None,
        "grid": {"code": Town.GRID, "officer": {"name": "冯*"}},
        "grantedBy": {"name": "管*"},
        "viewerCan": {"revoke": True},
    }
    done = (await ask(admin, REVOKE, id=made["id"], key="revoke-01"))["membershipRevoke"]
    assert done == {
        "__typename": "Membership",
        "isCurrent": False,
        "revokedAt": "2026-11-02T10:00:00.000+08:00",
        "viewerCan": {"revoke": False},
    }
    again = (await ask(admin, REVOKE, id=made["id"], key="revoke-02"))["membershipRevoke"]
    assert again == {
        "__typename": "InvalidTransition",
        "code": "INVALID_TRANSITION",
        "message": "当前状态“已撤销”不允许此操作。",
    }
    listed = "query ($filter: MembershipFilter) { memberships(filter: $filter) { edges { node { role } } } }"
    current = await ask(admin, listed, filter={"current": True})
    assert [e["node"]["role"] for e in current["memberships"]["edges"]] == ["ADMIN"]
    past = await ask(admin, listed, filter={"current": False, "person": f"person_{one}"})
    assert [e["node"]["role"] for e in past["memberships"]["edges"]] == ["GRID_OFFICER"]


VOLUNTEERS_OF = """
query ($id: ID!) { organization(id: $id) { name volunteers { totalCount edges { node {
    since person { name fullName phone } volunteer { volunteerNo }
} } } } }
"""


async def test_staff_read_the_names_of_their_own_volunteers(ask: Asked, pool: Pool, there: Town, now: datetime) -> None:
    async with pool.connection() as connection:
        one = await volunteer(connection, there, "王五五")
        number = await connection.fetchval("SELECT volunteer_no FROM volunteer")
        ours, theirs = await organization(connection, there), await organization(connection, there, "另一家")
        mine = await staff(connection, Role.NGO_STAFF, organization=ours)
        other = await staff(connection, Role.NGO_STAFF, organization=theirs)
        await actions.take_volunteer(handle(connection, mine, now), ours, one.person)
    id_ = f"organization_{ours}"
    listed = (await ask(mine, VOLUNTEERS_OF, id=id_))["organization"]["volunteers"]
    assert listed == {
        "totalCount": 1,
        "edges": [
            {
                "node": {
                    "since": "2026-11-02T10:00:00.000+08:00",
                    "person": {"name": "王*", "fullName": "王五五", "phone": "100****5678"},
                    "volunteer": {"volunteerNo": number},
                }
            }
        ],
    }
    assert (await ask(other, VOLUNTEERS_OF, id=id_))["organization"]["volunteers"] == {"totalCount": 0, "edges": []}
    his = (await ask(as_volunteer(one), VOLUNTEERS_OF, id=id_))["organization"]["volunteers"]
    assert his["totalCount"] == 1


PLACES = """
query ($filter: DivisionFilter, $grids: GridFilter) {
    divisions(filter: $filter, first: 3) { totalCount edges { node {
        code name level parent { name } children(first: 5) { code } asOf validTo
        counts(first: 5) { measure value asOf source }
        grids(first: 2) { totalCount edges { node { code } } }
        organizations(first: 5) { edges { node { name } } }
    } } }
    grids(filter: $grids, first: 3) { edges { node { code community { name } officer { name } buildings(first: 5) { name grid { code } } } } }
}
"""


async def test_places_are_open_data(ask: Asked, pool: Pool, there: Town) -> None:
    async with pool.connection() as connection:
        await insert(
            connection,
            "building",
            grid_id=there.grid,
            community_id=there.community,
            name="3 号楼",
            area=Town.GRID,
        )
        for value, source in ((967, "甲文"), (955, "乙文")):
            await insert(
                connection,
                "division_count",
                division_id=there.divisions[Town.CITY],
                measure="COMMUNITIES",
                value=value,
                source=source,
            )
        await organization(connection, there)
        await organization(connection, there, "社区队", code=Town.COMMUNITY, legal_status=LegalStatus.FILED)
    answer = await ask(Actor(), PLACES, filter={"level": ["CITY", "DISTRICT"]}, grids={"under": Town.COMMUNITY})
    city, near, far = (e["node"] for e in answer["divisions"]["edges"])
    assert answer["divisions"]["totalCount"] == 3
    assert (city["name"], city["parent"], [c["code"] for c in city["children"]]) == (
        "沈阳市",
        None,
        [Town.DISTRICT, Town.OTHER_DISTRICT],
    )
    assert city["counts"] == [
        {"measure": "COMMUNITIES", "value": 955, "asOf": None, "source": "乙文"},
        {"measure": "COMMUNITIES", "value": 967, "asOf": None, "source": "甲文"},
    ]
    assert city["grids"] == {
        "totalCount": 4,
        "edges": [{"node": {"code": Town.GRID}}, {"node": {"code": Town.OTHER_GRID}}],
    }
    assert [e["node"]["name"] for e in near["organizations"]["edges"]] == ["暖邻服务社", "社区队"]
    assert far["organizations"]["edges"] == []
    assert (far["parent"]["name"], far["asOf"], far["validTo"]) == ("沈阳市", "2023-06-30", None)
    assert [e["node"] for e in answer["grids"]["edges"]] == [
        {
            "code": Town.GRID,
            "community": {"name": "多福社区"},
            "officer": None,
            "buildings": [{"name": "3 号楼", "grid": {"code": Town.GRID}}],
        },
        {"code": Town.OTHER_GRID, "community": {"name": "多福社区"}, "officer": None, "buildings": []},
    ]


@pytest.mark.parametrize(
    ("filter", "codes"),
    [
        ({"code": Town.COMMUNITY}, [Town.COMMUNITY]),
        ({"nameContains": "万莲"}, [Town.STREET, Town.NEIGHBOUR]),
        ({"under": Town.OTHER_DISTRICT}, [Town.OTHER_DISTRICT, "210104002", Town.FAR]),
        ({"parent": None}, [Town.CITY]),
        ({"level": ["STREET"], "under": Town.DISTRICT}, [Town.STREET]),
        ({"validOn": "2019-12-31"}, []),
        ({"nameContains": "%"}, []),
        ({"under": "2101~"}, []),
    ],
)
async def test_divisions_are_found(ask: Asked, there: Town, filter: dict[str, Any], codes: list[str]) -> None:
    text = "query ($filter: DivisionFilter) { divisions(filter: $filter) { edges { node { code } } } }"
    answer = await ask(Actor(), text, filter=filter)
    assert [e["node"]["code"] for e in answer["divisions"]["edges"]] == codes


async def test_divisions_by_name_go_by_pinyin(ask: Asked, there: Town) -> None:
    text = "{ divisions(order: NAME, first: 3) { edges { node { name pinyin } } } }"
    answer = await ask(Actor(), text)
    assert [e["node"]["name"] for e in answer["divisions"]["edges"]] == ["北海街道", "北苑社区", "大东区"]


async def test_everybody_meets_masked_people_only(ask: Asked, pool: Pool, there: Town) -> None:
    """Every role walks every way to persons; no plain value of anybody else is in any answer."""
    text = """
    { me { id } volunteers(first: 4) { edges { node { person { name fullName phone resident { person { fullName } } } } } }
      residents(first: 4) { edges { node { person { name fullName phone } household(first: 3) { person { fullName } } } } }
      socialWorkers(first: 4) { edges { node { licenceNo person { name fullName phone } division { name } } } }
      organizations(first: 4) { edges { node { contact { fullName } memberships(first: 4) { edges { node { person { fullName } } } }
          volunteers(first: 4) { edges { node { person { name } } } } } } }
      memberships(first: 4) { edges { node { person { name fullName } grantedBy { fullName } } } }
      piiAccesses(first: 4) { edges { node { actor { fullName } subject { fullName } } } } }
    """
    async with pool.connection() as connection:
        one = await resident(connection, there, "李隐私")
        await volunteer(connection, there, "李隐私")
        await volunteer(connection, there, "李隐私", area=Town.FAR, state=VolunteerRegistration.PENDING_VERIFICATION)
        await social_worker(connection, "李隐私")
        group = await organization(connection, there, contact_id=one.person)
        actors = [Actor()]
        for role in set(Role) - {Role.PUBLIC}:
            area = {Role.CITY_VIEWER: Town.CITY, Role.GRID_OFFICER: Town.GRID}.get(role, Town.COMMUNITY)
            who = await person(connection, "查看者")
            actors.append(Actor(role, who, group if "FUND" in role or role is Role.NGO_STAFF else None, area))
    for actor in actors:
        answer = str(await ask(actor, text))
        assert "李隐私" not in answer, actor
        assert "10012345678" not in answer, actor
        assert ("李*" in answer) == (
            actor.role not in (Role.PUBLIC, Role.PERSON, Role.CITY_VIEWER, Role.DISTRICT_VIEWER, Role.DEPARTMENT)
        ), actor
