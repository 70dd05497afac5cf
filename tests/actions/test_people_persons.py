"""Verifying residents, saying what care they need, finding people by exact number, correcting what is recorded."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import strawberry

from models.access import STAFF_ROLES, Actor, Role
from models.people import actions
from models.people.actions.finding import MOST_AN_HOUR
from models.people.identity import check_digit
from models.people.problems import (
    AlreadyVerified,
    ConflictOfInterest,
    DocumentOnRecord,
    DocumentTaken,
    OwnCase,
    TooManySearches,
)
from models.people.rules import AccessPurpose, Gender, IdType, PhoneWhose, VolunteerRegistration
from models.pool import Pool
from models.problems import Forbidden, InvalidInput, NotFound
from models.vault import Kind
from resolvers.people import PeopleMutation, PeopleQuery
from resolvers.people import numbers as accepted
from resolvers.territory import TerritoryQuery
from tests.asking import Asked, engine_of
from tests.make_people import (
    Town,
    as_resident,
    as_volunteer,
    handle,
    identity,
    opened,
    person,
    resident,
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
NUMBER = "21999919440308001" + check_digit("21999919440308001")
NAME = "SELECT name FROM person_name WHERE person_id = $1"
PHONE = "SELECT phone FROM person_contact WHERE person_id = $1"
ADDRESS = "SELECT address FROM person_contact WHERE person_id = $1"
NOTE = "SELECT care_note FROM resident WHERE person_id = $1"


@pytest.fixture
def ask(pool: Pool, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Asked:
    monkeypatch.setattr(accepted, "fictional", True)
    return Asked(ENGINE, pool, now)


async def found(connection: asyncpg.Connection, search: UUID) -> list[UUID]:
    people: list[UUID] = await connection.fetchval("SELECT found FROM person_search WHERE id = $1", search)
    return people


async def test_staff_verify_who_registered_himself(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me = await volunteer(connection, there)
    given = actions.ResidentInput(community=there.community, grid=there.grid, address="万莲小区1号楼")
    id_ = await actions.register_resident(handle(connection, as_volunteer(me), now), given)
    assert await connection.fetchval("SELECT verified_at FROM resident WHERE id = $1", id_) is None
    with pytest.raises(NotFound):
        far = await staff(connection, Role.COMMUNITY_STAFF, area=Town.FAR)
        await actions.verify_resident(handle(connection, far, now), id_)
    with pytest.raises(Forbidden):
        officer = await staff(connection, Role.GRID_OFFICER, area=Town.GRID)
        await actions.verify_resident(handle(connection, officer, now), id_)
    with pytest.raises(OwnCase):
        own = Actor(Role.COMMUNITY_STAFF, me.person, None, Town.COMMUNITY)
        await actions.verify_resident(handle(connection, own, now), id_)
    assert await connection.fetchval("SELECT verified_at FROM resident WHERE id = $1", id_) is None
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    await actions.verify_resident(clerk, id_)
    row = await connection.fetchrow("SELECT verified_at, verified_by FROM resident WHERE id = $1", id_)
    assert tuple(row) == (now, clerk.actor.person)
    with pytest.raises(AlreadyVerified):
        await actions.verify_resident(clerk, id_)


QUEUE = """{ residents(filter: {verified: false}) { totalCount edges { node {
    isVerified verifiedAt viewerCan { verify editCare } person { name address } } } } }"""


async def test_the_queue_of_the_unverified(ask: Asked, pool: Pool) -> None:
    async with pool.connection() as connection:
        there = await town(connection)
        await resident(connection, there, "李奶奶")
        one = await resident(connection, there, "新来", verified=False)
        await connection.execute("UPDATE person SET address_masked = '万莲小区' WHERE id = $1", one.person)
        clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    queue = (await ask(clerk, QUEUE))["residents"]
    assert queue["totalCount"] == 1
    assert queue["edges"][0]["node"] == {
        "isVerified": False,
        "verifiedAt": None,
        "viewerCan": {"verify": True, "editCare": False},
        "person": {"name": "新*", "address": "万莲小区"},
    }
    verify = """mutation ($id: ID!) { residentVerify(id: $id, idempotencyKey: "verify-01") {
        ... on Resident { isVerified verifiedAt viewerCan { verify } } ... on Problem { code } } }"""
    done = (await ask(clerk, verify, id=f"resident_{one.id}"))["residentVerify"]
    assert done == {
        "isVerified": True,
        "verifiedAt": "2026-11-02T10:00:00.000+08:00",
        "viewerCan": {"verify": False},
    }


CARE = "query ($id: ID!) { resident(id: $id) { tags careNote viewerCan { editCare } } }"
EDIT_CARE = """
mutation ($id: ID!, $input: ResidentCareEditInput!, $key: String!) {
    residentCareEdit(id: $id, input: $input, idempotencyKey: $key) {
        __typename ... on Resident { tags careNote } ... on Problem { code } } }
"""


async def test_care_is_read_by_himself_and_by_who_cares(ask: Asked, pool: Pool) -> None:
    async with pool.connection() as connection:
        there = await town(connection)
        one = await resident(connection, there, "李奶奶", household="7", tags=("EMPTY_NEST",), care_note="膝盖不便")
        kin = await resident(connection, there, "李小明", household="7")
        clerk, worker = [
            await staff(connection, role, area=Town.COMMUNITY) for role in (Role.COMMUNITY_STAFF, Role.SOCIAL_WORKER)
        ]
        officer = await staff(connection, Role.GRID_OFFICER, area=Town.GRID)
    id_ = f"resident_{one.id}"
    known = {"tags": ["EMPTY_NEST"], "careNote": "膝盖不便"}
    hidden: dict[str, Any] = {"tags": None, "careNote": None}
    for actor, sees, edits in (
        (as_resident(one), known, False),
        (clerk, known, True),
        (worker, known, True),
        (officer, hidden, False),
        (as_resident(kin), hidden, False),
    ):
        answer = (await ask(actor, CARE, id=id_))["resident"]
        assert answer == {**sees, "viewerCan": {"editCare": edits}}, actor
    given = {"tags": ["LOW_INCOME", "LIVES_ALONE"], "careNote": None}
    done = (await ask(worker, EDIT_CARE, id=id_, input=given, key="care-0001"))["residentCareEdit"]
    assert done == {"__typename": "Resident", "tags": ["LIVES_ALONE", "LOW_INCOME"], "careNote": None}
    done = await ask(clerk, EDIT_CARE, id=id_, input={"careNote": "独居，须每周电话"}, key="care-0002")
    assert done["residentCareEdit"]["careNote"] == "独居，须每周电话"
    assert done["residentCareEdit"]["tags"] == ["LIVES_ALONE", "LOW_INCOME"]
    refused = (await ask(as_resident(one), EDIT_CARE, id=id_, input=given, key="care-0003"))["residentCareEdit"]
    assert refused == {"__typename": "Forbidden", "code": "FORBIDDEN"}
    async with pool.connection() as connection:
        assert await opened(connection, Kind.CARE, NOTE, one.person) == "独居，须每周电话"
        rows = await connection.fetch("SELECT action, detail::text FROM audit_event WHERE action LIKE 'resident%'")
        assert len(rows) == 3 and not any("独居" in r["detail"] for r in rows)


async def test_staff_find_people_of_their_area(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    mother = await resident(connection, there, "李奶奶", phone="10012340001")
    daughter = await volunteer(
        connection, there, "李小明", person=await person(connection, "李小明", phone="10012340001")
    )
    away = await resident(connection, there, "王远", area=Town.FAR, phone="10012340002")
    await identity(connection, mother.person, NUMBER)
    actor = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    clerk = handle(connection, actor, now)

    async def search(db: Any = clerk, **given: Any) -> list[UUID]:
        id_ = await actions.find_person(db, AccessPurpose.SERVICE, fictional=True, **given)
        return await found(connection, id_)

    assert await search(phone="100 1234 0001") == sorted([mother.person, daughter.person])
    assert clerk.detail["purpose"] == "SERVICE" and clerk.detail["by"] == "PHONE"
    assert "10012340001" not in str(clerk.detail)
    assert await search(id_number=f" {NUMBER[:6]} {NUMBER[6:].lower()}") == [mother.person]
    # hidden looks like absent
    assert await search(phone="10012340002") == await search(phone="10012349999") == []
    far = handle(connection, await staff(connection, Role.SOCIAL_WORKER, area=Town.FAR), now)
    assert await search(far, phone="10012340002") == [away.person]
    assert await search(far, phone="10012340001") == await search(far, id_number=NUMBER) == []
    officer = handle(connection, await staff(connection, Role.GRID_OFFICER, area=Town.OTHER_GRID), now)
    assert await search(officer, phone="10012340001") == []
    for given in ({}, {"phone": "10012340001", "id_number": NUMBER}, {"phone": "12"}):
        with pytest.raises(InvalidInput):
            await search(**given)
    with pytest.raises(InvalidInput):
        await actions.find_person(clerk, AccessPurpose.OTHER, phone="10012340001", fictional=True)


@pytest.mark.parametrize("role", sorted(set(Role) - STAFF_ROLES))
async def test_others_find_nobody(connection: asyncpg.Connection, now: datetime, role: Role) -> None:
    await town(connection)
    db = handle(connection, Actor(role, await person(connection), None, Town.COMMUNITY), now)
    with pytest.raises(Forbidden):
        await actions.find_person(db, AccessPurpose.SERVICE, phone="10012345678", fictional=True)
    assert await connection.fetchval("SELECT count(*) FROM person_search") == 0


async def test_nobody_tries_numbers_out(connection: asyncpg.Connection, now: datetime) -> None:
    await town(connection)
    actor = await staff(connection, Role.GRID_OFFICER, area=Town.GRID)
    for n in range(MOST_AN_HOUR):
        at = now + timedelta(seconds=n)
        await actions.find_person(
            handle(connection, actor, at), AccessPurpose.VISIT, phone=f"1001234{n:04d}", fictional=True
        )
    with pytest.raises(TooManySearches) as refused:
        await actions.find_person(
            handle(connection, actor, now + timedelta(minutes=59)),
            AccessPurpose.VISIT,
            phone="10012345678",
            fictional=True,
        )
    assert refused.value.message == "查找次数过多，每小时最多 60 次，请稍后再试。"
    assert await connection.fetchval("SELECT count(*) FROM person_search") == MOST_AN_HOUR
    after = handle(connection, actor, now + timedelta(minutes=61))
    await actions.find_person(after, AccessPurpose.VISIT, phone="10012345678", fictional=True)


FIND = """
mutation ($input: PersonFindInput!) { personFind(input: $input) { __typename
    ... on PersonSearch { id foundBy purpose persons { name phone fullName resident { tags } } } ... on Problem { code } } }
"""


async def test_a_search_over_graphql(ask: Asked, pool: Pool) -> None:
    async with pool.connection() as connection:
        there = await town(connection)
        await resident(connection, there, "李奶奶", phone="10012340001", tags=("LIVES_ALONE",))
        clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    given = {"phone": "10012340001", "purpose": "SERVICE"}
    first, second = [(await ask(clerk, FIND, input=given))["personFind"] for _ in range(2)]
    assert first["id"] != second["id"]  # each is a search of its own
    assert first["persons"] == [
        {"name": "李*", "phone": "100****0001", "fullName": None, "resident": {"tags": ["LIVES_ALONE"]}}
    ]
    nobody = (await ask(clerk, FIND, input={"phone": "10012340002", "purpose": "SERVICE"}))["personFind"]
    assert nobody["persons"] == []
    query = "query ($id: ID!) { personSearch(id: $id) { persons { name } } }"
    assert (await ask(clerk, query, id=first["id"]))["personSearch"] == {"persons": [{"name": "李*"}]}
    async with pool.connection() as connection:
        other = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
        said = await connection.fetch("SELECT t::text AS row FROM audit_event t WHERE action = 'personFind'")
        kept = await connection.fetch("SELECT t::text AS row FROM person_search t")
    assert (await ask(other, query, id=first["id"]))["personSearch"] is None
    assert len(said) == len(kept) == 3
    assert not any("10012340001" in r["row"] or "李奶奶" in r["row"] for r in (*said, *kept))


async def test_a_document_is_recorded_once(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one = await resident(connection, there, "李奶奶", birth_date=None)
    other, away = await resident(connection, there, "吴伯"), await resident(connection, there, area=Town.FAR)
    actor = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    clerk = handle(connection, actor, now)
    await actions.record_identity(clerk, one.person, IdType.ID_CARD, NUMBER.lower())
    row = await connection.fetchrow("SELECT * FROM person_identity")
    assert (row["person_id"], row["id_type"], row["recorded_by"]) == (one.person, "ID_CARD", actor.person)
    assert row["number_masked"] == "219***********" + NUMBER[-4:]
    written = "SELECT number FROM person_identity WHERE person_id = $1"
    assert await opened(connection, Kind.IDENTITY, written, one.person) == NUMBER
    assert await connection.fetchval("SELECT birth_date FROM person WHERE id = $1", one.person) == date(1944, 3, 8)
    await actions.record_identity(clerk, one.person, IdType.ID_CARD, NUMBER)  # once more changes nothing
    with pytest.raises(DocumentTaken):
        await connection.execute("UPDATE person SET birth_date = NULL WHERE id = $1", other.person)
        await actions.record_identity(clerk, other.person, IdType.ID_CARD, NUMBER)
    with pytest.raises(NotFound):
        await actions.record_identity(clerk, away.person, IdType.PASSPORT, "E12345678")
    with pytest.raises(InvalidInput):
        older = await resident(connection, there, "钱某")  # born in 1980
        await actions.record_identity(clerk, older.person, IdType.ID_CARD, NUMBER)
    await actions.record_identity(clerk, other.person, IdType.PASSPORT, "E12345678")
    await actions.record_identity(clerk, other.person, IdType.PASSPORT, "E12345679")  # it was renewed
    assert await actions.of_number(clerk, IdType.PASSPORT, "E12345679") == other.person
    assert await actions.of_number(clerk, IdType.PASSPORT, "E12345678") is None


async def test_a_card_on_record_is_not_replaced_by_one_whose_number_staff_know(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await town(connection)
    victim = await resident(connection, there, "李奶奶", birth_date=None)
    actor = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    clerk = handle(connection, actor, now)
    await actions.record_identity(clerk, victim.person, IdType.ID_CARD, NUMBER)
    assert NUMBER not in str(clerk.detail) and len(clerk.detail["number"]) == 12
    another = NUMBER[:16] + "9"
    for type, number in (
        (IdType.ID_CARD, another + check_digit(another)),
        (IdType.PASSPORT, "E12345678"),
        (IdType.TRAVEL_PERMIT, "H12345678"),
    ):
        with pytest.raises(DocumentOnRecord):
            await actions.record_identity(clerk, victim.person, type, number)
    assert await actions.of_number(clerk, IdType.ID_CARD, NUMBER) == victim.person
    await connection.execute(
        "INSERT INTO declared_interest (person_id, other_id, relation, declared_at) VALUES ($1, $2, 'CHILD', $3)",
        actor.person,
        victim.person,
        now,
    )
    with pytest.raises(ConflictOfInterest):
        await actions.record_identity(clerk, victim.person, IdType.ID_CARD, NUMBER)


ME = "{ me { name phone phoneWhose address gender idType idNumberMasked } }"
EDIT = """
mutation ($input: MeEditInput!, $key: String!) { meEdit(input: $input, idempotencyKey: $key) {
    __typename ... on Me { address gender phone } ... on Problem { code } } }
"""


async def test_one_changes_one_s_own_address(ask: Asked, pool: Pool) -> None:
    async with pool.connection() as connection:
        there = await town(connection)
        one = await resident(connection, there, "李奶奶")
        await identity(connection, one.person, NUMBER)
    me = as_resident(one)
    assert (await ask(me, ME))["me"] == {
        "name": "李奶奶",
        "phone": "10012345678",
        "phoneWhose": "OWN",
        "address": "1 号楼 2-3-1",
        "gender": "UNKNOWN",
        "idType": "ID_CARD",
        "idNumberMasked": "219***********" + NUMBER[-4:],
    }
    done = (await ask(me, EDIT, input={"address": "万莲小区3号楼", "gender": "FEMALE"}, key="edit-0001"))["meEdit"]
    assert done == {"__typename": "Me", "address": "万莲小区3号楼", "gender": "FEMALE", "phone": "10012345678"}
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT address_masked FROM person WHERE id = $1", one.person) == "万莲小区"
        assert await opened(connection, Kind.ADDRESS, ADDRESS, one.person) == "万莲小区3号楼"
    done = (await ask(me, EDIT, input={"address": None}, key="edit-0002"))["meEdit"]
    assert done["address"] is None and done["gender"] == "FEMALE"
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT address_masked FROM person WHERE id = $1", one.person) is None


async def test_somebody_without_a_name(connection: asyncpg.Connection, now: datetime) -> None:
    db = handle(connection, Actor(), now)
    who = await actions.new_person(db, phone="10012345678", whose=PhoneWhose.RELATIVE)
    row = await connection.fetchrow("SELECT name_masked, phone_masked, area, acts FROM person WHERE id = $1", who)
    assert tuple(row) == ("微信用户", "100****5678", None, False)
    assert await connection.fetchval("SELECT count(*) FROM person_name") == 0
    assert [tuple(r) for r in await actions.of_phone(db, "10012345678")] == [(who, "RELATIVE")]
    await actions.set_name(db, who, "欧阳淑芬")
    await actions.set_phone(db, who, "10012340009", PhoneWhose.OWN)
    assert await actions.of_phone(db, "10012345678") == []
    assert [tuple(r) for r in await actions.of_phone(db, "10012340009")] == [(who, "OWN")]
    assert await opened(connection, Kind.NAME, NAME, who) == "欧阳淑芬"
    assert await connection.fetchval("SELECT name_masked FROM person WHERE id = $1", who) == "欧阳*"


async def test_what_is_recorded_is_corrected(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one = await volunteer(connection, there, "王五")
    db = handle(connection, Actor(), now)
    await actions.correct_person(
        db, one.person, name="王武", gender=Gender.MALE, address="万莲小区1号", birth_date=date(1990, 2, 28)
    )
    row = await connection.fetchrow("SELECT * FROM person WHERE id = $1", one.person)
    assert (row["name_masked"], row["gender"], row["birth_date"]) == ("王*", "MALE", date(1990, 2, 28))
    assert row["address_masked"] == "万莲小区"
    assert await opened(connection, Kind.NAME, NAME, one.person) == "王武"
    assert await opened(connection, Kind.PHONE, PHONE, one.person) == "10012345678"
    mine = await connection.fetchrow("SELECT adult_on, state FROM volunteer WHERE id = $1", one.id)
    assert tuple(mine) == (date(2008, 2, 28), VolunteerRegistration.ACTIVE)
    await actions.correct_person(db, one.person, birth_date=date(2012, 5, 1))  # a minor, without consent
    mine = await connection.fetchrow("SELECT adult_on, state FROM volunteer WHERE id = $1", one.id)
    assert tuple(mine) == (date(2030, 5, 1), VolunteerRegistration.SUSPENDED)
    with pytest.raises(InvalidInput):
        await actions.correct_person(db, one.person, birth_date=date(2030, 1, 1))
    with pytest.raises(NotFound):
        await actions.correct_person(db, UUID(int=5), name="无人")


REVEAL = """
mutation ($input: ContactRevealInput!) { contactReveal(input: $input) { __typename
    ... on ContactReveal { contacts { name phone phoneWhose address idNumber } } ... on Problem { code } } }
"""


async def test_what_is_revealed_is_opened_and_noted(ask: Asked, pool: Pool) -> None:
    async with pool.connection() as connection:
        there = await town(connection)
        one = await resident(connection, there, "李奶奶")
        await identity(connection, one.person, NUMBER)
        clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    given = {"persons": [f"person_{one.person}"], "purpose": "VERIFICATION", "fields": ["NAME", "ID_NUMBER"]}
    answer = (await ask(clerk, REVEAL, input=given))["contactReveal"]
    assert answer["contacts"] == [
        {"name": "李奶奶", "phone": None, "phoneWhose": None, "address": None, "idNumber": NUMBER}
    ]
    given = {**given, "fields": ["PHONE", "ADDRESS"]}
    answer = (await ask(clerk, REVEAL, input=given))["contactReveal"]
    assert answer["contacts"] == [
        {"name": None, "phone": "10012345678", "phoneWhose": "OWN", "address": "1 号楼 2-3-1", "idNumber": None}
    ]
    async with pool.connection() as connection:
        rows = await connection.fetch("SELECT fields FROM pii_access ORDER BY id")
        assert [r["fields"] for r in rows] == [["NAME", "ID_NUMBER"], ["PHONE", "ADDRESS"]]
        read = await connection.fetch("SELECT detail FROM audit_event WHERE action = 'personalData.read' ORDER BY id")
        assert len(read) == 2
        assert '"IDENTITY"' in read[0]["detail"] and str(one.person) in read[0]["detail"]
        assert NUMBER not in str(read) and "李奶奶" not in str(read)
