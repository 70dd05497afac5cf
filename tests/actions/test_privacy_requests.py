"""Requests of data subjects: corrections that staff decide, deadlines that are seen, restriction, and what is forgotten."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from api.jobs import duties
from models import vault
from models.access import Actor, Role
from models.clock import SHANGHAI
from models.database import transaction
from models.people.identity import check_digit
from models.pool import Pool
from models.privacy import actions
from models.privacy.actions import close_files, forget_grants, forget_proposals
from models.privacy.rules import due
from models.problems import InvalidTransition, Problem
from models.vault import Kind
from resolvers.people import numbers
from tests.actions.test_privacy_consents import ENGINE
from tests.asking import Asked
from tests.make_people import Known, Town, as_resident, identity, insert, opened, person, resident, staff, town

MAKE = """
mutation ($kind: RequestKind!, $correction: CorrectionInput, $person: ID, $key: String!) {
    subjectRequestMake(kind: $kind, correction: $correction, person: $person, idempotencyKey: $key) {
        __typename
        ... on SubjectRequest {
            id kind state dueAt isOverdue handledAt corrections { field before after proposed }
            file { path isAvailable expiresAt sizeBytes }
        }
        ... on Problem { code message }
    }
}
"""
ACCEPT = """
mutation ($id: ID!, $key: String!) { subjectRequestAccept(id: $id, idempotencyKey: $key) {
    __typename ... on SubjectRequest { state handledBy { name } } ... on Problem { code }
} }
"""
REFUSE = """
mutation ($id: ID!, $reason: String!, $key: String!) {
    subjectRequestRefuse(id: $id, reason: $reason, idempotencyKey: $key) {
        __typename ... on SubjectRequest { state reason } ... on Problem { code }
    }
}
"""
QUEUE = """
query ($filter: SubjectRequestFilter) { subjectRequests(filter: $filter) { edges { node {
    id kind state isOverdue viewerCan { cosign withdraw decide } person { name } corrections { field before after proposed }
} } } }
"""
REVEAL = """
mutation ($id: ID!) { correctionReveal(id: $id) {
    __typename ... on SubjectRequest { corrections { field after proposed } viewerCan { reveal } } ... on Problem { code }
} }
"""
WHOSE = "SELECT phone_whose FROM person_contact WHERE person_id = $1"
COUNTS = "{ subjectRequestCounts { kind state count overdue } }"
GIVEN = {
    "name": "欧阳淑芳",
    "phone": "10055507777",
    "address": "多福社区暖阳小区8号楼1单元101",
    "gender": "FEMALE",
    "birthDate": "1944-03-09",
    "idNumber": "21999919440309002" + check_digit("21999919440309002"),
}


@pytest.fixture(autouse=True)
def invented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "fictional", True)


@pytest.fixture
def ask(pool: Pool, now: datetime) -> Asked:
    return Asked(ENGINE, pool, now)


@pytest.fixture
async def there(pool: Pool) -> Town:
    async with pool.connection() as connection:
        return await town(connection)


@pytest.fixture
async def one(pool: Pool, there: Town) -> Known:
    async with pool.connection() as connection:
        made = await resident(connection, there, "欧阳淑芬", birth_date=date(1944, 3, 8))
        await identity(connection, made.person)
        return made


@pytest.fixture
async def clerk(pool: Pool, there: Town) -> Actor:
    async with pool.connection() as connection:
        return await staff(connection, Role.COMMUNITY_STAFF, "林社区", area=Town.COMMUNITY)


async def make(ask: Asked, who: Actor, kind: str, key: str = "make-request-1", **more: Any) -> Any:
    return (await ask(who, MAKE, kind=kind, key=key, **more))["subjectRequestMake"]


def test_fifteen_working_days_are_three_weeks() -> None:
    monday = datetime(2026, 11, 2, 10, 0, tzinfo=SHANGHAI)
    assert due(monday) == datetime(2026, 11, 23, 10, 0, tzinfo=SHANGHAI)
    saturday = datetime(2026, 11, 7, 10, 0, tzinfo=SHANGHAI)
    assert due(saturday) == datetime(2026, 11, 27, 10, 0, tzinfo=SHANGHAI)


async def test_a_correction_is_seen_masked_decided_by_staff_and_written(
    ask: Asked, pool: Pool, there: Town, one: Known, clerk: Actor, now: datetime
) -> None:
    made = await make(ask, as_resident(one), "CORRECT", correction=GIVEN)
    assert (made["state"], made["dueAt"], made["file"]) == ("RECEIVED", "2026-11-23T10:00:00.000+08:00", None)
    masked = {c["field"]: (c["before"], c["after"]) for c in made["corrections"]}
    assert masked == {
        "NAME": ("欧阳*", "欧阳*"),
        "PHONE": ("100****5678", "100****7777"),
        "ADDRESS": ("*", "多福社区暖阳小区"),
        "GENDER": ("未说明", "女"),
        "BIRTH_DATE": ("1944-**-**", "1944-**-**"),
        "ID_NUMBER": ("219***********" + (await stored(pool))[-4:], "219***********" + GIVEN["idNumber"][-4:]),
    }
    assert {c["field"]: c["proposed"] for c in made["corrections"]}["NAME"] == "欧阳淑芳"
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT name_masked FROM person WHERE id = $1", one.person) == "欧阳*"
    queue = (await ask(clerk, QUEUE, filter={"kind": ["CORRECT"]}))["subjectRequests"]["edges"]
    assert [c["proposed"] for c in queue[0]["node"]["corrections"]] == [None] * 6
    assert queue[0]["node"]["viewerCan"] == {"cosign": False, "withdraw": False, "decide": True}
    own = (await ask(as_resident(one), QUEUE))["subjectRequests"]["edges"][0]["node"]["viewerCan"]
    assert own == {"cosign": False, "withdraw": True, "decide": False}
    done = await ask(clerk, ACCEPT, id=made["id"], key="accept-request-1")
    assert done["subjectRequestAccept"] == {
        "__typename": "SubjectRequest",
        "state": "DONE",
        "handledBy": {"name": "林*"},
    }
    async with pool.connection() as connection:
        name = await opened(connection, Kind.NAME, "SELECT name FROM person_name WHERE person_id = $1", one.person)
        phone = await opened(
            connection, Kind.PHONE, "SELECT phone FROM person_contact WHERE person_id = $1", one.person
        )
        row = await connection.fetchrow("SELECT gender, birth_date, phone_masked FROM person WHERE id = $1", one.person)
        assert (name, phone, tuple(row)) == ("欧阳淑芳", "10055507777", ("FEMALE", date(1944, 3, 9), "100****7777"))
    again = await ask(clerk, ACCEPT, id=made["id"], key="accept-request-2")
    assert again["subjectRequestAccept"]["code"] == "INVALID_TRANSITION"


async def test_what_a_correction_proposes_is_read_by_a_reveal_only_and_until_it_is_decided(
    ask: Asked, pool: Pool, there: Town, one: Known, clerk: Actor, now: datetime
) -> None:
    made = await make(ask, as_resident(one), "CORRECT", correction=GIVEN)
    async with pool.connection() as connection:
        elsewhere = await staff(connection, Role.COMMUNITY_STAFF, "何社区", area=Town.FAR)
        colleague = await staff(connection, Role.COMMUNITY_STAFF, "孙社区", area=Town.COMMUNITY)
        admin = await staff(connection, Role.ADMIN, "何管理")

    async def reveal(who: Actor) -> Any:
        return (await ask(who, REVEAL, id=made["id"]))["correctionReveal"]

    assert [(await reveal(who))["code"] for who in (elsewhere, admin, as_resident(one))] == [
        "NOT_FOUND",
        "FORBIDDEN",
        "FORBIDDEN",
    ]
    read = await reveal(clerk)
    assert {c["field"]: c["proposed"] for c in read["corrections"]} == {
        "NAME": GIVEN["name"],
        "PHONE": GIVEN["phone"],
        "ADDRESS": GIVEN["address"],
        "GENDER": None,
        "BIRTH_DATE": GIVEN["birthDate"],
        "ID_NUMBER": GIVEN["idNumber"],
    }
    assert read["viewerCan"] == {"reveal": True}
    for who in (clerk, colleague):  # the next query shows nothing
        queue = (await ask(who, QUEUE))["subjectRequests"]["edges"]
        assert [c["proposed"] for c in queue[0]["node"]["corrections"]] == [None] * 6
    mine = "{ piiAccesses { edges { node { actor { name } role purpose fields } } } }"
    [row] = (await ask(as_resident(one), mine))["piiAccesses"]["edges"]
    assert row["node"] == {
        "actor": {"name": "林*"},
        "role": "COMMUNITY_STAFF",
        "purpose": "VERIFICATION",
        "fields": ["NAME", "PHONE", "ADDRESS", "ID_NUMBER", "BIRTH_DATE"],
    }
    await ask(clerk, REFUSE, id=made["id"], reason="与户口簿不一致", key="refuse-request-9")
    assert (await reveal(clerk))["code"] == "INVALID_TRANSITION"
    own = (await ask(as_resident(one), QUEUE))["subjectRequests"]["edges"][0]["node"]["corrections"]
    assert {c["field"]: c["proposed"] for c in own}["PHONE"] == GIVEN["phone"]


async def test_a_gender_is_proposed_unmasked_and_there_is_nothing_to_reveal(
    ask: Asked, one: Known, clerk: Actor
) -> None:
    made = await make(ask, as_resident(one), "CORRECT", correction={"gender": "FEMALE"})
    assert (await ask(clerk, REVEAL, id=made["id"]))["correctionReveal"]["code"] == "INVALID_INPUT"


async def stored(pool: Pool) -> str:
    async with pool.connection() as connection:
        found: str = await connection.fetchval("SELECT number_masked FROM person_identity LIMIT 1")
        return found


async def test_a_refusal_has_a_reason_and_changes_nothing(
    ask: Asked, pool: Pool, one: Known, clerk: Actor, there: Town
) -> None:
    made = await make(ask, as_resident(one), "CORRECT", correction={"name": "刘淑芬"})
    pending = await make(ask, as_resident(one), "CORRECT", "make-request-2", correction={"name": "刘淑芳"})
    assert pending["code"] == "REQUEST_PENDING"
    refused = await ask(clerk, REFUSE, id=made["id"], reason="与户口簿不一致", key="refuse-request-1")
    assert refused["subjectRequestRefuse"] == {
        "__typename": "SubjectRequest",
        "state": "REFUSED",
        "reason": "与户口簿不一致",
    }
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT name_masked FROM person WHERE id = $1", one.person) == "欧阳*"


async def test_who_may_decide(ask: Asked, pool: Pool, there: Town, one: Known, clerk: Actor, now: datetime) -> None:
    made = await make(ask, as_resident(one), "CORRECT", correction={"name": "刘淑芬"})
    id_ = UUID(made["id"].rpartition("_")[2])
    async with pool.connection() as connection:
        elsewhere = await staff(connection, Role.COMMUNITY_STAFF, "何社区", area=Town.FAR)
        admin = await staff(connection, Role.ADMIN, "何管理")
    himself = Actor(Role.COMMUNITY_STAFF, one.person, None, Town.COMMUNITY)

    async def decide(who: Actor) -> str:
        try:
            await transaction(pool, who, now, lambda db: actions.accept_correction(db, id_))
        except Problem as no:
            return no.code
        return "DONE"

    assert [await decide(who) for who in (elsewhere, admin, himself, as_resident(one))] == [
        "NOT_FOUND",
        "NOT_FOUND",
        "OWN_CASE",
        "FORBIDDEN",
    ]
    assert (await ask(elsewhere, QUEUE))["subjectRequests"]["edges"] == []
    await transaction(pool, as_resident(one), now, lambda db: actions.withdraw_request(db, id_))
    with pytest.raises(InvalidTransition):
        await transaction(pool, clerk, now, lambda db: actions.accept_correction(db, id_))


async def test_who_somebody_is_is_decided_by_those_only_who_read_it(
    ask: Asked, pool: Pool, there: Town, now: datetime
) -> None:
    """Of no community there is nobody but administrators, who see no plain data."""
    async with pool.connection() as connection:
        who = Actor(Role.PERSON, await person(connection, "吴新", area=None))
        admin = await staff(connection, Role.ADMIN, "何管理")
    for n, (field, value) in enumerate(GIVEN.items()):
        if field not in ("address", "gender"):
            told = await make(ask, who, "CORRECT", f"of-nowhere-{n}", correction={field: value, "gender": "FEMALE"})
            assert told["code"] == "CORRECTION_UNPROVEN", field
    made = await make(ask, who, "CORRECT", "of-nowhere-9", correction={"gender": "FEMALE"})
    async with pool.connection() as connection:  # as if it had been asked before
        sealed = (await vault.of(connection).keys(connection)).seal(Kind.IDENTITY, "吴旧", who.person)
        await connection.execute(
            "INSERT INTO correction (request_id, person_id, field, proposed, after) VALUES ($1, $2, 'NAME', $3, '吴*')",
            UUID(made["id"].rpartition("_")[2]),
            who.person,
            sealed,
        )
    accepted = await ask(admin, ACCEPT, id=made["id"], key="accept-blindly-1")
    assert accepted["subjectRequestAccept"]["code"] == "CORRECTION_UNPROVEN"
    async with pool.connection() as connection:
        await connection.execute("DELETE FROM correction WHERE field = 'NAME'")
    accepted = await ask(admin, ACCEPT, id=made["id"], key="accept-blindly-2")
    assert accepted["subjectRequestAccept"]["state"] == "DONE"


async def test_nobody_decides_for_somebody_close_to_him(
    ask: Asked, pool: Pool, there: Town, one: Known, clerk: Actor, now: datetime
) -> None:
    made = await make(ask, as_resident(one), "CORRECT", correction={"name": "刘淑芬"})
    async with pool.connection() as connection:
        near = {"person_id": clerk.person, "other_id": one.person, "relation": "CHILD", "declared_at": now}
        await insert(connection, "declared_interest", **near)
    for verb, text, more in (
        ("subjectRequestAccept", ACCEPT, {"key": "close-to-him-1"}),
        ("subjectRequestRefuse", REFUSE, {"key": "close-to-him-2", "reason": "不符"}),
        ("correctionReveal", REVEAL, {}),
    ):
        assert (await ask(clerk, text, id=made["id"], **more))[verb]["code"] == "CONFLICT_OF_INTEREST"
    [row] = (await ask(clerk, QUEUE))["subjectRequests"]["edges"]
    assert not row["node"]["viewerCan"]["decide"]


async def test_a_number_that_a_correction_writes_proves_nothing(
    ask: Asked, pool: Pool, one: Known, clerk: Actor
) -> None:
    made = await make(ask, as_resident(one), "CORRECT", correction={"phone": GIVEN["phone"]})
    await ask(clerk, ACCEPT, id=made["id"], key="accept-phone-1")
    async with pool.connection() as connection:
        assert await connection.fetchval(WHOSE, one.person) == "UNPROVEN"


async def test_what_is_overdue_is_seen_by_staff_and_counted_for_auditors(
    ask: Asked, pool: Pool, there: Town, one: Known, clerk: Actor, now: datetime
) -> None:
    async with pool.connection() as connection:
        auditor = await staff(connection, Role.AUDITOR, "郑审计")
    await make(ask, as_resident(one), "CORRECT", correction={"name": "刘淑芬"})
    last, late = due(now), due(now) + timedelta(seconds=1)
    overdue = {"filter": {"overdue": True}}
    assert (await ask(clerk, QUEUE, last, **overdue))["subjectRequests"]["edges"] == []
    found = (await ask(clerk, QUEUE, late, **overdue))["subjectRequests"]["edges"]
    assert [(e["node"]["isOverdue"], e["node"]["person"]["name"]) for e in found] == [(True, "欧阳*")]
    counted = (await ask(auditor, COUNTS, late))["subjectRequestCounts"]
    assert counted == [{"kind": "CORRECT", "state": "RECEIVED", "count": 1, "overdue": 1}]
    seen = (await ask(auditor, QUEUE, late))["subjectRequests"]["edges"]
    assert [e["node"]["corrections"] for e in seen] == [[]], "of what is to be corrected an auditor sees nothing"
    assert (await ask(Actor(), COUNTS))["subjectRequestCounts"] == []


async def test_a_file_says_where_it_is(ask: Asked, one: Known) -> None:
    made = await make(ask, as_resident(one), "ACCESS")
    assert made["state"] == "IN_PROGRESS"
    assert made["file"] == {
        "path": f"/privacy/export/{made['id']}.json",
        "isAvailable": True,
        "expiresAt": "2026-11-09T10:00:00.000+08:00",
        "sizeBytes": None,
    }


async def test_to_restrict_ends_every_use_that_is_not_necessary(ask: Asked, pool: Pool, one: Known) -> None:
    made = await make(ask, as_resident(one), "RESTRICT")
    assert made["state"] == "DONE"
    async with pool.connection() as connection:
        rows = await connection.fetch("SELECT purpose, state FROM consent ORDER BY purpose")
        assert [tuple(r) for r in rows] == [
            ("CONTACT_SHARING", "WITHDRAWN"),
            ("MATCHING", "WITHDRAWN"),
            ("PUBLICITY", "WITHDRAWN"),
            ("SENSITIVE_CARE", "WITHDRAWN"),
        ]
        flags = "SELECT no_sharing, no_matching, no_care FROM person p JOIN resident r ON r.person_id = p.id WHERE p.id = $1"
        assert tuple(await connection.fetchrow(flags, one.person)) == (True, True, True)


async def test_what_does_not_fit_is_refused(ask: Asked, one: Known) -> None:
    me = as_resident(one)
    assert (await make(ask, me, "DELETE"))["code"] == "INVALID_INPUT"
    assert (await make(ask, me, "CORRECT", "make-request-2"))["code"] == "INVALID_INPUT"
    assert (await make(ask, me, "EXPORT", "make-request-3", correction={"name": "刘"}))["code"] == "INVALID_INPUT"
    assert (await make(ask, me, "CORRECT", "make-request-4", correction={}))["code"] == "INVALID_INPUT"
    assert (await make(ask, me, "EXPORT", "make-request-5", person=f"person_{UUID(int=1)}"))["code"] == "NOT_GUARDIAN"


async def test_what_need_not_be_kept_is_forgotten_by_the_clock(
    ask: Asked, pool: Pool, there: Town, one: Known, clerk: Actor, now: datetime
) -> None:
    made = await make(ask, as_resident(one), "CORRECT", correction={"name": "刘淑芬"})
    await make(ask, as_resident(one), "EXPORT", "make-request-2")
    await ask(clerk, REFUSE, id=made["id"], reason="不一致", key="refuse-request-1")
    async with pool.connection() as connection:
        for days in (1, -1):
            since, until = now - timedelta(days=9), now + timedelta(days=days)
            grant: dict[str, Any] = {
                "viewer_person_id": clerk.person,
                "subject_id": one.person,
                "source_id": UUID(int=days + 2),
            }
            await insert(connection, "contact_grant", since=since, until=until, **grant)

    async def run(at: datetime) -> list[int]:
        verbs = (forget_proposals, close_files, forget_grants)
        return [await transaction(pool, Actor(Role.ADMIN), at, verb) for verb in verbs]

    assert await run(now + timedelta(days=7)) == [0, 0, 0]
    assert await run(now + timedelta(days=8)) == [0, 1, 0]
    assert await run(now + timedelta(days=31)) == [1, 0, 0]
    assert await run(now + timedelta(days=180)) == [0, 0, 1]
    assert await run(now + timedelta(days=182)) == [0, 0, 1]
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT proposed FROM correction") is None
        assert await connection.fetchval("SELECT after FROM correction") == "刘*"
    names = {p.name for p in duties().periodic}
    assert {"forget_proposals", "close_files", "forget_grants"} <= names
