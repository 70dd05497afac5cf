"""The file of one's own data: twelve categories, complete, opened, documented; whoever else asks finds nothing."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from models import audit
from models.access import Actor, Role
from models.clock import SHANGHAI
from models.database import transaction
from models.people.identity import check_digit
from models.pool import Pool
from models.privacy import actions
from models.privacy.export import export
from models.privacy.export.build import camel, documentation
from models.privacy.export.categories import Category
from models.privacy.export.left_out import NOT_EXPORTED
from models.privacy.export.sources import SOURCES
from models.privacy.export.words import FIELDS
from models.privacy.rules import RequestKind
from models.problems import NotFound
from models.tables import METADATA
from tests.actions.test_privacy_consents import ENGINE
from tests.asking import Asked
from tests.make_people import Town, as_resident, person, resident, staff, town
from tests.make_privacy import ADDRESS, CONDITION, LOGIN, NAME, NOTE, NUMBER, OPENID, PHONE, Life, guardianship, life

PEOPLE = {"person.id", "account.person_id"}
WITHOUT_A_KEY = {"need.subject_id", "commitment.subject_id", "spend_trace.donor_person_id", "audit_event.person"}
"""Columns that name a person and refer to no table, so that nothing has to be locked."""


def test_every_column_that_names_a_person_is_exported_or_has_a_reason() -> None:
    naming = {
        f"{table.name}.{column.name}"
        for table in METADATA.sorted_tables
        for column in table.c
        if any(key.target_fullname in PEOPLE for key in column.foreign_keys)
    } | WITHOUT_A_KEY
    read = {name for source in SOURCES for name in source.names}
    assert read | NOT_EXPORTED.keys() == naming
    assert not read & NOT_EXPORTED.keys()
    assert all(reason for reason in NOT_EXPORTED.values())


def test_sealed_columns_of_these_tables_are_opened() -> None:
    secrets = {
        "attachment.opener",
        "account.totp_secret",
        "account.totp_pending",
        "wechat_identity.openid",
        "wechat_identity.unionid",
    }
    tables = {name.split(".")[0] for source in SOURCES for name in source.names}
    sealed = {f"{t.name}.{c.name}" for t in METADATA.sorted_tables for c in t.c if "sealed" in c.info}
    for full in sealed - secrets:
        table, column = full.split(".")
        if table in tables:
            of = [s for s in SOURCES if any(n.split(".")[0] == table for n in s.names)]
            assert any(column in s.opened or f"{column} AS" in s.sql for s in of), full


@pytest.fixture
async def there(pool: Pool) -> Town:
    async with pool.connection() as connection:
        return await town(connection)


@pytest.fixture
async def lived(pool: Pool, there: Town, now: datetime) -> Life:
    async with pool.connection() as connection:
        return await life(connection, there, now)


async def fetched(pool: Pool, who: Actor, now: datetime) -> dict[str, Any]:
    request = await transaction(pool, who, now, lambda db: actions.make_request(db, RequestKind.EXPORT))
    whose, text = await export(pool, who, now, request)
    assert whose == who.person
    found: dict[str, Any] = json.loads(text)
    return found


async def test_the_file_has_twelve_categories_and_something_in_each(pool: Pool, lived: Life, now: datetime) -> None:
    found = await fetched(pool, lived.me, now)
    parts = found["categories"]
    assert list(parts) == [c.value[0] for c in Category]
    assert len(parts) == 12
    empty = {f"{k}.{name}" for k, part in parts.items() for name, value in part.items() if value in (None, [])}
    assert empty == {
        "volunteering.matchProposals",
        "volunteering.socialWorker",
        "consents.consents",
        "consents.guardianships",
        "consents.guardianConsents",
        "needs.attachments",
        "commitments.bookings",
        "hours.proposals",
        "donations.traces",
        "donations.aid",
        "accounts.interests",
        "accounts.apiKeys",
        "accounts.merges",
        "access.breakGlass",
        "access.corrections",
        "accounts.acts",
    }
    number = NUMBER[:17] + check_digit(NUMBER[:17])
    assert parts["identity"]["person"] == {
        "name": NAME,
        "gender": "FEMALE",
        "birthDate": "1944-03-08",
        "state": "PRESENT",
        "recordedAt": "2026-01-05T09:00:00.000+08:00",
    }
    assert parts["identity"]["document"]["number"] == number
    assert parts["contact"]["contact"] == {"phone": PHONE, "phoneWhose": "OWN", "address": ADDRESS}
    assert parts["residence"]["residence"]["careTags"] == ["LIVES_ALONE"]
    assert parts["residence"]["residence"]["careNote"] == NOTE
    assert parts["residence"]["household"] == [{"name": "王*"}]
    assert parts["needs"]["needs"][0]["note"] == CONDITION
    assert parts["commitments"]["received"][0]["comment"] == "扶得很稳，谢谢"
    assert "comment" not in parts["commitments"]["given"][0]
    assert parts["sessions"]["attendances"][0]["reason"] == "本人住院，不能参加"
    assert parts["hours"]["total"] == {"minutes": 150}
    assert parts["donations"]["gifts"][0]["amount"] == "5000.00"
    assert parts["donations"]["donors"][0]["name"] == NAME
    assert parts["accounts"]["logins"] == [{"kind": "EMAIL", "login": LOGIN}]
    assert parts["accounts"]["wechat"][0]["openid"] == "***"
    assert parts["access"]["readings"][0]["reader"] == "陈*"
    assert [r["kind"] for r in parts["access"]["requests"]] == ["EXPORT"]


async def test_of_others_it_has_masked_names_and_no_ids(pool: Pool, lived: Life, now: datetime) -> None:
    text = json.dumps(await fetched(pool, lived.me, now), ensure_ascii=False)
    assert "王小二" not in text and "陈社工" not in text and "10055509999" not in text and OPENID not in text
    async with pool.connection() as connection:
        others = await connection.fetch("SELECT id FROM person WHERE id <> $1", lived.person)
    assert others and not any(str(row["id"]) in text for row in others)


async def test_every_key_is_documented_in_both_languages(pool: Pool, lived: Life, now: datetime) -> None:
    found = await fetched(pool, lived.me, now)
    assert found["documentation"] == documentation()
    async with pool.connection() as connection:
        used = set()
        for source in SOURCES:
            statement = await connection.prepare(source.sql)
            used |= {camel(a.name) for a in statement.get_attributes() if not a.name.startswith("_")}
    assert used <= FIELDS.keys()
    assert FIELDS.keys() - used == set()
    assert all(zh and en for zh, en in FIELDS.values())


async def test_somebody_of_whom_nothing_is_known_has_twelve_categories_too(
    pool: Pool, there: Town, now: datetime
) -> None:
    async with pool.connection() as connection:
        bare = Actor(Role.PERSON, await person(connection, "新来的", phone=None))
    parts = (await fetched(pool, bare, now))["categories"]
    assert len(parts) == 12
    assert parts["needs"] == {"needs": [], "appointments": [], "attachments": []}
    assert parts["residence"] == {"residence": None, "formerResidences": [], "household": []}


async def test_nobody_else_may_fetch_it(pool: Pool, lived: Life, now: datetime) -> None:
    async with pool.connection() as connection:
        clerk = await staff(connection, Role.COMMUNITY_STAFF, "林社区", area=Town.COMMUNITY)
        auditor = await staff(connection, Role.AUDITOR, "郑审计")
        stranger = Actor(Role.RESIDENT, lived.relative, None, Town.GRID)
    request = await transaction(pool, lived.me, now, lambda db: actions.make_request(db, RequestKind.ACCESS))
    for who in (clerk, auditor, stranger, Actor()):
        with pytest.raises(NotFound):
            await export(pool, who, now, request)
    key = Actor(Role.NGO_STAFF, lived.person, lived.donation, key=lived.session, scopes=frozenset({"READ"}))
    with pytest.raises(NotFound):
        await export(pool, key, now, request)
    async with pool.connection() as connection:
        row = await connection.fetchrow("SELECT state, size_bytes FROM subject_request WHERE id = $1", request)
        assert tuple(row) == ("IN_PROGRESS", None)
    await export(pool, lived.me, now + timedelta(days=6, hours=23), request)
    with pytest.raises(NotFound):
        await export(pool, lived.me, now + timedelta(days=7), request)


async def test_a_file_that_may_be_fetched_is_given_again_and_expires(pool: Pool, lived: Life, now: datetime) -> None:
    async def ask(at: datetime) -> Any:
        return await transaction(pool, lived.me, at, lambda db: actions.make_request(db, RequestKind.EXPORT))

    first = await ask(now)
    assert await ask(now + timedelta(days=2)) == first
    second = await ask(now + timedelta(days=8))
    assert second != first
    _, text = await export(pool, lived.me, now + timedelta(days=8), second)
    async with pool.connection() as connection:
        rows = await connection.fetch("SELECT id, state, size_bytes FROM subject_request ORDER BY received_at")
    assert [tuple(r) for r in rows] == [(first, "WITHDRAWN", None), (second, "DONE", len(text))]


async def test_a_file_that_was_taken_back_is_not_handed_out_and_stays_taken_back(
    pool: Pool, lived: Life, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def made() -> Any:
        return await transaction(pool, lived.me, now, lambda db: actions.make_request(db, RequestKind.EXPORT))

    async def take_back(request: Any) -> None:
        await transaction(pool, lived.me, now, lambda db: actions.withdraw_request(db, request))

    request = await made()
    shown = "{ mySubjectRequests { edges { node { state file { isAvailable } } } } }"
    ask = Asked(ENGINE, pool, now)

    async def available() -> Any:
        return (await ask(lived.me, shown))["mySubjectRequests"]["edges"][0]["node"]

    assert await available() == {"state": "IN_PROGRESS", "file": {"isAvailable": True}}
    await take_back(request)
    assert await available() == {"state": "WITHDRAWN", "file": {"isAvailable": False}}
    with pytest.raises(NotFound):
        await export(pool, lived.me, now, request)

    second = await made()

    async def slow(*_: Any) -> Any:
        await take_back(second)
        return {}

    monkeypatch.setattr("models.privacy.export.own_data", slow)
    with pytest.raises(NotFound):
        await export(pool, lived.me, now, second)
    async with pool.connection() as connection:
        rows = await connection.fetch("SELECT state, size_bytes FROM subject_request")
    assert [tuple(row) for row in rows] == [("WITHDRAWN", None)] * 2


async def test_one_s_own_acts_stand_in_the_file_with_the_address_they_came_from(
    pool: Pool, lived: Life, now: datetime
) -> None:
    async with pool.connection() as connection:
        for who, key in ((lived.me, None), (lived.me, lived.session), (Actor(Role.RESIDENT, lived.relative), None)):
            acted = dataclasses.replace(who, key=key)
            row = audit.row(acted, now, "needSubmit", audit.DONE, address="203.0.113.7", detail={"count": 1})
            await audit.write(connection, *row)
    assert (await fetched(pool, lived.me, now))["categories"]["accounts"]["acts"] == [
        {
            "at": "2026-11-02T10:00:00.000+08:00",
            "action": "needSubmit",
            "result": "DONE",
            "networkAddress": "203.0.113.7",
        }
    ]


async def test_a_child_s_file_waits_for_its_guardian_who_may_fetch_it_until_the_fourteenth_birthday(
    pool: Pool, there: Town
) -> None:
    now = datetime(2027, 5, 1, 10, 0, tzinfo=SHANGHAI)
    async with pool.connection() as connection:
        mother = await resident(connection, there, "周敏", household="h9", birth_date=date(1985, 1, 1))
        child = await resident(connection, there, "赵小宝", household="h9", birth_date=date(2013, 5, 4))
        await guardianship(connection, child.person, mother.person, now)
    hers, his = as_resident(mother), as_resident(child)
    request = await transaction(pool, his, now, lambda db: actions.make_request(db, RequestKind.EXPORT))
    for who in (hers, his):
        with pytest.raises(NotFound):
            await export(pool, who, now, request)
    assert await transaction(pool, hers, now, lambda db: actions.cosign_request(db, request)) == request
    for who in (his, hers):
        whose, text = await export(pool, who, now + timedelta(days=2), request)
        assert whose == child.person
        assert json.loads(text)["categories"]["identity"]["person"]["name"] == "赵小宝"
    birthday = datetime(2027, 5, 4, 0, 0, tzinfo=SHANGHAI)
    with pytest.raises(NotFound):
        await export(pool, hers, birthday, request)
    assert (await export(pool, his, birthday, request))[0] == child.person
