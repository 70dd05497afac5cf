"""The demo: what is in it, that it keeps every promise, and that each role's account has something to look at."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime

import asyncpg
import pytest

from models import vault
from models.access import FUND_ROLES, Role
from models.activity.rules import AttendanceStatus, SessionStatus
from models.exchange.states import CommitmentStatus, NeedStatus, OfferStatus
from models.funds.rules import AllocationStatus, DisbursementStatus, DonationStatus
from models.people.care import ResidentTag
from models.people.identity import (
    UNALLOTTED,
    born_by,
    mask_address,
    mask_name,
    mask_number,
    mask_phone,
    read_id_number,
    read_uscc,
)
from models.people.queries import actor_of
from models.people.rules import IdType, VolunteerRegistration
from models.pinyin import sort_key
from models.seed import account, accounts, load
from models.vault import Kind
from tests.conftest import NOW
from tests.seed import raw
from tests.seed.conftest import Loaded
from tests.server import Server

HOME = "210103005024"
AREAS = {
    Role.RESIDENT: HOME + "001",
    Role.VOLUNTEER: HOME,
    Role.SOCIAL_WORKER: HOME,
    Role.GRID_OFFICER: HOME + "001",
    Role.COMMUNITY_STAFF: HOME,
    Role.DISTRICT_VIEWER: "210103",
    Role.CITY_VIEWER: "2101",
    Role.PARTY_SECRETARY: HOME,
}
STATES = {
    "need": NeedStatus,
    "offer": OfferStatus,
    "commitment": CommitmentStatus,
    "service_session": SessionStatus,
    "allocation": AllocationStatus,
    "disbursement": set(DisbursementStatus),
    "donation": DonationStatus,
    "attendance": set(AttendanceStatus)
    - {AttendanceStatus.CHECKED_OUT, AttendanceStatus.REFUSED, AttendanceStatus.LAPSED},
}
"""Every state that lasts stands in the demo somewhere."""


@pytest.fixture
async def rows(demo: Loaded) -> asyncpg.Connection:
    connection = await asyncpg.connect(demo.api)
    yield connection
    await connection.close()


async def test_how_much_there_is(demo: Loaded, rows: asyncpg.Connection) -> None:
    want = {
        "division": 2907,
        "grid": 171,
        "building": 291,
        "volunteer": 500,
        "organization": 64,
        "social_worker": 24,
        "resident": 72,
        "need": 186,  # and the home community's livelihood items
        "offer": 96,
        "commitment": 304,
        "service_session": 300,
        "attendance": 1100,
        "fund": 9,
        "donation": 600,
    }
    assert {name: demo.counts[name] for name in want} == want
    for name, count in demo.counts.items():
        assert await rows.fetchval(f"SELECT count(*) FROM {name}") == count
    assert (
        await rows.fetchval("SELECT count(DISTINCT left(area, 12)) FROM grid WHERE starts_with(area, '210103')") == 20
    )
    kinds = dict(await rows.fetch("SELECT kind, count(*) FROM organization GROUP BY kind"))
    assert (kinds["FOUNDATION"], kinds["DEPARTMENT"]) == (3, 1)
    assert kinds["SOCIAL_ORG"] + kinds["SERVICE_ORG"] == 60


@pytest.mark.parametrize("table", STATES)
async def test_every_state_is_there(rows: asyncpg.Connection, table: str) -> None:
    found = {r[0] for r in await rows.fetch(f"SELECT DISTINCT status FROM {table}")}
    assert {s.value for s in STATES[table]} <= found


async def test_registrations_of_every_state(rows: asyncpg.Connection) -> None:
    found = {r[0] for r in await rows.fetch("SELECT DISTINCT state FROM volunteer")}
    assert found == {s.value for s in VolunteerRegistration}


async def test_needs_ask_for_more_than_a_helper(rows: asyncpg.Connection) -> None:
    whole = await rows.fetchrow(
        "SELECT n.qty_total, sum(p.qty_total) AS parts FROM need n JOIN need p ON p.parent_id = n.id"
        " WHERE n.status = 'SPLIT' GROUP BY n.id"
    )
    assert whole["qty_total"] == whole["parts"]
    assert (
        await rows.fetchval(
            "SELECT count(*) FROM need n WHERE n.options <> (SELECT count(*) FROM need_option o WHERE o.need_id = n.id)"
            " OR n.options > 0 AND (n.window_from, n.window_to) <> (SELECT min(o.starts_at), max(o.ends_at)"
            " FROM need_option o WHERE o.need_id = n.id)"
        )
        == 0
    )
    for some in (
        "options > 0",
        "skill_code IS NOT NULL",
        "gender_required",
        "vulnerability = 3",
        "language <> 'MANDARIN'",
    ):
        assert await rows.fetchval(f"SELECT count(*) FROM need WHERE {some}") > 0, some
    assert await rows.fetchval("SELECT count(*) FROM need WHERE x IS NULL") == 0
    levels = dict(await rows.fetch("SELECT level, count(*) FROM party_unit GROUP BY level"))
    assert levels[1] == 13 and levels[4] == await rows.fetchval("SELECT count(*) FROM grid")


@pytest.mark.parametrize("promise", [raw.marketplace, raw.hours, raw.volunteers, raw.money])
async def test_promises_hold(rows: asyncpg.Connection, promise: raw.marketplace) -> None:
    await promise(rows)


async def test_the_last_twelve_months_of_every_fund(rows: asyncpg.Connection, now: datetime) -> None:
    months = await rows.fetch(
        "SELECT fund_id, count(*) FROM fund_month WHERE month >= '2025-11-01' AND month <= '2026-10-01'"
        " AND received_fen > 0 AND spent_fen > 0 GROUP BY fund_id"
    )
    assert [m["count"] for m in months] == [12] * 9


async def test_an_account_for_each_role(demo: Loaded, rows: asyncpg.Connection, now: datetime) -> None:
    found = dict(await accounts(demo.api))
    assert set(found) == {r.slug for r in Role if r is not Role.PUBLIC}
    foundation = None
    for slug, claims in found.items():
        assert claims == await account(rows, slug)
        actor = await actor_of(rows, claims.person, claims.role, claims.membership, now)
        assert actor is not None and actor.role.slug == slug, slug
        assert actor.area == AREAS.get(actor.role)
        if actor.role in FUND_ROLES:
            foundation = foundation or actor.organization
            assert actor.organization == foundation is not None
        else:
            assert (actor.organization is not None) == (actor.role in (Role.NGO_STAFF, Role.DEPARTMENT))
    assert await account(rows, "nobody") is None


LOOK = {
    "resident": "SELECT count(DISTINCT status) >= 4 FROM need n JOIN resident r ON r.id = n.beneficiary_id"
    " WHERE r.person_id = $1",
    "volunteer": "SELECT (SELECT count(DISTINCT status) >= 3 FROM commitment WHERE volunteer_person_id = $1)"
    " AND (SELECT sum(minutes) > 600 FROM hour_entry WHERE volunteer_id = $1)"
    " AND EXISTS (SELECT FROM donation WHERE person_id = $1)",
    "ngo-staff": "SELECT count(*) > 2 FROM commitment c JOIN membership m USING (organization_id) WHERE m.person_id = $1",
    "fund-maker": "SELECT count(*) > 50 FROM donation d JOIN membership m USING (organization_id) WHERE m.person_id = $1",
    "grid-officer": "SELECT count(*) > 0 FROM need n JOIN grid g ON g.id = n.grid_id WHERE g.officer_id = $1",
    "community-staff": f"SELECT count(DISTINCT status) >= 6 FROM need WHERE starts_with(area, '{HOME}') AND $1::uuid IS"
    " NOT NULL",
}


@pytest.mark.parametrize("slug", LOOK)
async def test_something_to_look_at(rows: asyncpg.Connection, slug: str) -> None:
    claims = await account(rows, slug)
    assert claims is not None and await rows.fetchval(LOOK[slug], claims.person)


async def test_nobody_is_real(demo: Loaded) -> None:
    connection = await asyncpg.connect(demo.owner)
    try:
        keys = await vault.load(connection)
        people = await connection.fetch(
            "SELECT * FROM person p JOIN person_name n ON n.person_id = p.id JOIN person_contact c ON c.person_id = p.id"
        )
        assert len(people) == demo.counts["person"]
        for p in people:
            name, phone = keys.open(Kind.NAME, p["name"], p["id"]), keys.open(Kind.PHONE, p["phone"], p["id"])
            assert UNALLOTTED.fullmatch(phone) and p["phone_masked"] == mask_phone(phone)
            assert p["phone_index"] == keys.index(Kind.PHONE, phone) and p["phone_whose"] == "OWN"
            assert p["name_masked"] == mask_name(name) and p["pinyin"] == sort_key(p["name_masked"])
            if p["address"] is not None:
                assert p["address_masked"] == mask_address(keys.open(Kind.ADDRESS, p["address"], p["id"]))
        for i in await connection.fetch("SELECT * FROM person_identity JOIN person ON person.id = person_id"):
            number = keys.open(Kind.IDENTITY, i["number"], i["person_id"])
            assert read_id_number(number, IdType.ID_CARD, NOW) == number and number.startswith("219999")
            assert i["number_masked"] == mask_number(number) and born_by(number) == i["birth_date"]
        for o in await connection.fetch("SELECT * FROM organization"):
            assert o["pinyin"] == sort_key(o["name"]) and "爱心广场" not in o["name"]
            assert o["uscc"] is None or (read_uscc(o["uscc"]) == o["uscc"] and o["uscc"][2:8] == "219999")
        for r in await connection.fetch("SELECT * FROM resident"):
            tags = json.loads(keys.open(Kind.CARE, r["care"], r["person_id"]))
            assert set(tags) <= set(ResidentTag) and r["verified_at"] is not None
    finally:
        await connection.close()


CATALOGUE = """
SELECT 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), convalidated::text
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index', tablename, indexname, indexdef, '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname::text, pg_get_triggerdef(oid), tgenabled::text
FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'right', table_name, grantee, privilege_type, '' FROM information_schema.table_privileges
WHERE table_schema = 'public' AND grantee = 'wushe_api'
"""


async def catalogue(url: str) -> set[tuple[str, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return {tuple(r) for r in await connection.fetch(CATALOGUE)}
    finally:
        await connection.close()


async def test_all_that_was_put_aside_is_back(demo: Loaded, server: Server) -> None:
    assert await catalogue(demo.owner) == await catalogue(server.owner_url(server.template))


async def test_only_into_an_empty_database(demo: Loaded, now: datetime) -> None:
    with pytest.raises(ValueError, match="has data already"):
        await load(demo.owner, "demo", now)
    with pytest.raises(ValueError, match="no scale 'village'"):
        await load(demo.owner, "village", now)


def test_a_load_that_fails_leaves_nothing(
    server: Server, worker: str, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"failed_{worker}"
    server.clone(name)
    owner = server.owner_url(name)

    async def refuse(connection: asyncpg.Connection) -> None:
        raise AssertionError("not so: this promise")

    monkeypatch.setattr("models.seed.loading.verify", refuse)
    with pytest.raises(AssertionError, match="this promise"):
        asyncio.run(load(owner, "demo", now))
    assert asyncio.run(catalogue(owner)) == asyncio.run(catalogue(server.owner_url(server.template)))

    async def people() -> int:
        connection = await asyncpg.connect(owner)
        try:
            return int(await connection.fetchval("SELECT (SELECT count(*) FROM person) + (SELECT count(*) FROM grid)"))
        finally:
            await connection.close()

    assert asyncio.run(people()) == 0
    server.drop(name)
