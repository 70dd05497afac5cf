"""Reports equal a recomputation from raw rows, and show each caller what is his to have counted."""

from __future__ import annotations

import csv
import dataclasses
import io
import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa

import models.funds.visible
import models.reports.visible  # noqa: F401
from models.access import Actor, Role, seen
from models.clock import SHANGHAI
from models.database import Db, Seen
from models.funds import actions
from models.funds.inputs import DonorInput
from models.funds.rules import DonorKind, FundKind
from models.problems import Forbidden, InvalidInput
from models.reports import csv as files
from models.reports import queries
from tests import make_funds as make
from tests.make_funds import COMMUNITY, DISABLED, HEPING, POVERTY, SHENHE, Books

TYPES: dict[str, Any] = {
    "since": sa.Date(),
    "until": sa.Date(),
    "fund": sa.Uuid(),
    "months": sa.Integer(),
    "level": sa.Text(),
    "area": sa.Text(),
    "by_category": sa.Boolean(),
    "by_month": sa.Boolean(),
}


def report(build: Callable[..., sa.Select[Any]], *names: str) -> Seen:
    binds = {name: sa.bindparam(name, type_=TYPES[name]) for name in names}
    return Seen(lambda viewer: build(queries.Looking(viewer, seen), **binds))


STATEMENT = report(queries.fund_statement, "since", "until", "fund")
RESTRICTIONS = report(queries.fund_restrictions, "since", "until", "fund")
MONTHS = report(queries.fund_months, "since", "months")
GROUPED = ("since", "until", "level", "area", "by_category", "by_month")
PARTICIPATION = report(queries.five_society_participation, *GROUPED)
FUNNEL = report(queries.need_funnel, *GROUPED)


def first(day: date) -> date:
    return day.replace(day=1)


# money


async def a_year_of_money(connection: asyncpg.Connection, now: datetime) -> tuple[Books, list[UUID]]:
    """Two funds over a year: gifts, payments, a return, a reversal, a late booking, quiet months."""
    chance = random.Random(6)
    books = Books(connection, now.replace(year=2025, month=11, day=3), await make.foundation(connection))
    funds = [await books.fund("乙基金"), await books.fund("甲助残基金", FundKind.PURPOSE, category=DISABLED)]
    bounds: tuple[dict[str, Any], ...] = ({}, {"category": DISABLED}, {"category": DISABLED, "area": SHENHE})
    gifts: list[UUID] = []
    for month in range(12):
        at = books.later(days=30 * month + chance.randrange(20), hours=chance.randrange(-9, 9))
        if month % 4 == 2:
            continue
        for _ in range(chance.randrange(1, 4)):
            gifts.append(await at.gift(chance.choice(funds), chance.randrange(1, 900), **chance.choice(bounds)))
        if month % 2:
            plan = await at.approved(chance.randrange(1, 60), DISABLED, SHENHE)
            paid = await at.paid(plan, 1)
            if month % 3 == 0:
                await actions.return_disbursement(at.later(days=3).db(at.at.maker), paid, "账户注销")
            await actions.close_allocation(at.later(days=4).db(at.at.maker), plan)
    last = books.later(days=364)
    extra = await last.gift(funds[0], 77)
    await last.gift(funds[0], 5, received_at=last.now - timedelta(days=200))
    await actions.reverse_donation(last.db(books.at.checker), extra, "重复登记")
    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return last, funds


async def ledger(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    return await connection.fetch(
        "SELECT e.*, a.account, a.kind AS side, a.restricted, t.kind AS txn_kind, t.donation_id FROM ledger_entry e"
        " JOIN ledger_account a ON a.id = e.account_id JOIN ledger_txn t ON t.id = e.txn_id"
    )


def standing(rows: Iterable[Any], fund: UUID, since: date, until: date) -> dict[str, int]:
    """A fund's statement, computed again in Python from its entries."""
    out: dict[str, int] = defaultdict(int)
    for r in rows:
        if r["fund_id"] != fund:
            continue
        day, fen = r["at"].astimezone(SHANGHAI).date(), r["amount_fen"]
        if day > until:
            continue
        if r["side"] == "ASSET":
            out["closing"] += fen
            out["opening"] += fen if day < since else 0
        if r["restricted"]:
            out["closing_restricted"] -= fen
            out["opening_restricted"] -= fen if day < since else 0
        if day < since:
            continue
        if r["side"] == "INCOME":
            out["received"] -= fen
            out["received_restricted"] -= fen if r["restricted"] else 0
        if r["side"] == "EXPENSE":
            out["spent"] += fen
        if r["account"] == "NET_RESTRICTED":
            out["spent_restricted"] += fen
    return {name: out[name] for name in (*STANDING, *(f"{n}_restricted" for n in STANDING))}


STANDING = ("opening", "received", "spent", "closing")


async def test_a_statement_is_the_ledger(connection: asyncpg.Connection, now: datetime) -> None:
    books, funds = await a_year_of_money(connection, now)
    db = books.db(books.at.reporter)
    rows = await ledger(connection)
    for since, until in (
        (date(2025, 1, 1), date(2027, 1, 1)),
        (date(2026, 1, 1), date(2026, 3, 31)),
        (date(2026, 2, 11), date(2026, 7, 9)),
        (date(2026, 4, 5), date(2026, 4, 5)),
        (date(2024, 1, 1), date(2024, 12, 31)),
    ):
        lines = await db.all(STATEMENT, since=since, until=until, fund=None)
        assert [r["fund_id"] for r in lines] == funds
        for line in lines:
            expected = standing(rows, line["fund_id"], since, until)
            assert {n: line[n] for n in expected} == expected
            assert line["refunded"] == 0
        parts = await db.all(RESTRICTIONS, since=since, until=until, fund=None)
        for line in lines:
            own = [p for p in parts if p["fund_id"] == line["fund_id"]]
            for name in STANDING:
                assert sum(p[name] for p in own) == line[name]
                bound = [p for p in own if p["category_code"] or p["restricted_area"]]
                assert sum(p[name] for p in bound) == line[f"{name}_restricted"]
        one = await db.all(STATEMENT, since=since, until=until, fund=funds[1])
        assert [dict(r) for r in one] == [dict(lines[1])]
    now_ = await books.balance(funds[0])
    whole = await db.all(STATEMENT, since=date(2025, 1, 1), until=date(2027, 1, 1), fund=funds[0])
    assert (whole[0]["closing"], whole[0]["closing_restricted"]) == (now_["balance_fen"], now_["restricted_fen"])


async def test_months_are_the_ledger_quiet_ones_too(connection: asyncpg.Connection, now: datetime) -> None:
    books, funds = await a_year_of_money(connection, now)
    rows = await ledger(connection)
    lines = await books.db(books.at.reporter).all(MONTHS, since=date(2025, 10, 15), months=15)
    assert len(lines) == 30
    assert [(r["fund_id"], r["month"]) for r in lines] == [
        (fund, date(2025 + (9 + n) // 12, (9 + n) % 12 + 1, 1)) for fund in funds for n in range(15)
    ]
    for line in lines:
        end = first(line["month"] + timedelta(days=32)) - timedelta(days=1)
        expected = standing(rows, line["fund_id"], line["month"], end)
        assert {n: line[n] for n in STANDING} == {n: expected[n] for n in STANDING}
        counted = sum(
            {"GIFT": 1, "GIFT_REVERSAL": -1}.get(r["txn_kind"], 0)
            for r in rows
            if r["account"] == "BANK"
            and r["fund_id"] == line["fund_id"]
            and first(r["at"].astimezone(SHANGHAI).date()) == line["month"]
        )
        assert line["donation_count"] == counted
    restricted = await connection.fetch("SELECT fund_id, month, restricted_fen FROM fund_month")
    for r in restricted:
        end = first(r["month"] + timedelta(days=32)) - timedelta(days=1)
        assert r["restricted_fen"] == standing(rows, r["fund_id"], r["month"], end)["closing_restricted"]
    assert len(await books.db(books.at.reporter).all(MONTHS, since=date(2025, 10, 15), months=500)) == 72
    assert len(await books.db(books.at.reporter).all(MONTHS, since=date(2025, 10, 15), months=-3)) == 2


async def test_statements_are_for_the_foundation_and_auditors(connection: asyncpg.Connection, now: datetime) -> None:
    books = Books(connection, now, await make.foundation(connection))
    fund = await books.fund()
    await books.gift(fund, 1)
    other = await make.foundation(connection, "乙试验基金会")
    span = {"since": now.date(), "until": now.date(), "fund": None}
    who = books.at.maker.person
    for actor, count in (
        (books.at.reporter, 1),
        (books.at.authoriser, 1),
        (Actor(Role.AUDITOR, who), 1),
        (other.reporter, 0),
        (Actor(Role.COMMUNITY_STAFF, who, None, COMMUNITY), 0),
        (Actor(Role.CITY_VIEWER, who, None, "2101"), 0),
        (Actor(), 0),
    ):
        db = Db(connection, actor, now)
        assert len(await db.all(STATEMENT, **span)) == count
        assert len(await db.all(RESTRICTIONS, **span)) == count
        assert len(await db.all(MONTHS, since=now.date(), months=1)) == count


async def test_a_statement_as_a_file(connection: asyncpg.Connection, now: datetime) -> None:
    books = Books(connection, now, await make.foundation(connection))
    fund = await books.fund("=1+1基金")
    await books.gift(fund, 50_000, category=DISABLED, area=SHENHE)
    await books.gift(fund, 20_000)
    await books.gift(fund, 30_000, category=POVERTY, by=DonorInput(DonorKind.ANONYMOUS))
    await books.paid(await books.approved(60_000), 60_000)
    text = await files.fund_statement(books.db(books.at.reporter), now.date(), now.date())
    assert text.startswith("\ufeff基金收支表 2026-11-02 至 2026-11-02（单位：元）\r\n")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert rows[1:] == [
        ["基金", "口径", "期初余额", "本期收入", "本期支出", "本期退款", "期末余额"],
        ["'=1+1基金", "合计", "0.00", "100000.00", "60000.00", "0.00", "40000.00"],
        ["'=1+1基金", "其中：限定性", "0.00", "80000.00", "50000.00", "0.00", "30000.00"],
        ["'=1+1基金", "其中：非限定性", "0.00", "20000.00", "10000.00", "0.00", "10000.00"],
        [],
        [
            "基金",
            "限定用途",
            "限定地区",
            "限定自",
            "限定至",
            "期初余额",
            "本期收入",
            "本期支出",
            "本期退款",
            "期末余额",
        ],
        ["'=1+1基金", "不限", "不限", "不限", "不限", "0.00", "20000.00", "10000.00", "0.00", "10000.00"],
        ["'=1+1基金", "助残服务", "沈河区", "不限", "不限", "0.00", "50000.00", "50000.00", "0.00", "0.00"],
        ["'=1+1基金", "济困帮扶", "不限", "不限", "不限", "0.00", "30000.00", "0.00", "0.00", "30000.00"],
    ]
    stranger = Actor(Role.CITY_VIEWER, books.at.maker.person, None, "2101")
    with pytest.raises(Forbidden):
        await files.fund_statement(books.db(stranger), now.date(), now.date())
    with pytest.raises(InvalidInput):
        await files.fund_statement(books.db(books.at.reporter), now.date(), now.date() - timedelta(days=1))


@pytest.mark.parametrize("cell", ["=A1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝1+1", "＋1", "－1", "＠x"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert files.safe(cell) == "'" + cell
    assert files.safe("甲" + cell) == "甲" + cell


def test_yuan_to_the_fen() -> None:
    assert [files.yuan(n) for n in (0, 5, 100, -1, -12345)] == ["0.00", "0.05", "1.00", "-0.01", "-123.45"]


# activity and needs

AREAS = (COMMUNITY, COMMUNITY + "001", "210103005025", "210102005001", "210102005001002")
CATEGORIES = ("ELDERLY", "ELDERLY.ESCORT", "DISABLED.REHAB", "CHILDCARE")


async def a_city(connection: asyncpg.Connection, now: datetime) -> Actor:
    """Two districts with sessions, attendances, hours and needs of some months, in all states."""
    chance = random.Random(7)
    at = await make.foundation(connection)
    organization = await make.organization(connection, "试验服务社", "SOCIAL_ORG")
    community = await connection.fetchval("SELECT id FROM division WHERE code = $1", COMMUNITY)
    category = {r["code"]: r["id"] for r in await connection.fetch("SELECT code, id FROM service_category")}
    volunteers = [await make.person(connection) for _ in range(12)]
    for _ in range(60):
        starts = now - timedelta(days=chance.randrange(1, 120), hours=chance.randrange(24))
        status = chance.choice(["PUBLISHED", "RUNNING", "ENDED", "CONFIRMED", "CANCELLED"])
        area, code = chance.choice(AREAS), chance.choice(CATEGORIES)
        session = await connection.fetchval(
            "INSERT INTO service_session (title, category_id, category_code, community_id, area, starts_at, ends_at, place,"
            " capacity, status, headcount_registered, headcount_unregistered, cancelled_reason, created_by, created_at,"
            " published_at, organization_id) VALUES ('场次', $1, $2, $3, $4, $5, $6, '社区', 50, $7, $8, $9, $10, $11, $5, $5,"
            " $12) RETURNING id",
            category[code],
            code,
            community,
            area,
            starts,
            starts + timedelta(hours=2),
            status,
            chance.randrange(9),
            chance.randrange(4),
            "雨" if status == "CANCELLED" else None,
            at.maker.person,
            chance.choice([organization, None]),
        )
        for position, volunteer in enumerate(chance.sample(volunteers, chance.randrange(6)), 1):
            state = chance.choice(["CONFIRMED", "CONFIRMED", "CHECKED_IN", "ABSENT", "WAITLISTED", "REVERSED"])
            minutes = chance.randrange(1, 120)
            came = state in ("CONFIRMED", "CHECKED_IN", "REVERSED")
            attendance = await connection.fetchval(
                "INSERT INTO attendance (session_id, volunteer_id, status, position, applied_at, accepted_at, starts_at,"
                " check_in_at, check_in_method, credited_minutes, area)"
                " VALUES ($1, $2, $3, $4, $5, $5, $5, $6, $7, $8, $9) RETURNING id",
                session,
                volunteer,
                state,
                position,
                starts,
                starts if came else None,
                "CODE" if came else None,
                minutes if state == "CONFIRMED" else None,
                area,
            )
            if state not in ("CONFIRMED", "REVERSED"):
                continue
            entry = (
                "INSERT INTO hour_entry (attendance_id, session_id, volunteer_id, kind, revision, reverses_id, minutes,"
                " trust, approved_by, reason, served_on, credited_on, at, category_code, area, organization_id)"
                " VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, '更正', $9, $10, $11, $12, $13, $14) RETURNING id"
            )
            day, trust = starts.astimezone(SHANGHAI).date(), chance.choice(["SYSTEM", "CONFIRMED", "MANUAL"])
            of = (at.checker.person, day)
            credit = await connection.fetchval(
                entry,
                attendance,
                session,
                volunteer,
                "CREDIT",
                None,
                minutes,
                trust,
                *of,
                day,
                starts,
                code,
                area,
                None,
            )
            if state == "REVERSED":
                later = day + timedelta(days=20)
                await connection.execute(
                    entry,
                    attendance,
                    session,
                    volunteer,
                    "REVERSAL",
                    credit,
                    -minutes,
                    trust,
                    *of,
                    later,
                    now,
                    code,
                    area,
                    None,
                )
    for n in range(80):
        created = now - timedelta(days=chance.randrange(1, 120), minutes=chance.randrange(1440))
        total = chance.randrange(1, 4)
        status = chance.choice(
            ["SUBMITTED", "OPEN", "IN_PROGRESS", "CLOSED", "EXPIRED", "CANCELLED", "DRAFT", "REJECTED"]
        )
        opened = (
            created + timedelta(minutes=chance.randrange(9000))
            if status not in ("SUBMITTED", "DRAFT", "REJECTED")
            else None
        )
        delivered = total if status == "CLOSED" else chance.randrange(total) if status == "IN_PROGRESS" else 0
        code = chance.choice(CATEGORIES)
        await connection.execute(
            "INSERT INTO need (title, kind, category_id, category_code, requester_id, submitted_via, community_id, area, unit,"
            " qty_total, qty_committed, qty_delivered, due_at, answer_due_at, sensitivity, status, opened_at, closed_at,"
            " created_at) VALUES ($1, 'SERVICE', $2, $3, $4, 'ONLINE', $5, $6, 'HELPER', $7, $8, $9, $10, $10, $11, $12, $13,"
            " $14, $15)",
            f"需求{n}",
            category[code],
            code,
            at.maker.person,
            community,
            chance.choice(AREAS),
            total,
            max(delivered, chance.randrange(total + 1)) if opened else 0,
            delivered,
            created + timedelta(days=chance.randrange(1, 90)),
            chance.choice(["NORMAL", "NORMAL", "RESTRICTED"]),
            status,
            opened,
            opened + timedelta(minutes=chance.randrange(9000)) if opened and status == "CLOSED" else None,
            created,
        )
    return Actor(Role.CITY_VIEWER, at.reporter.person, None, "2101")


Group = tuple[str, str | None, date | None]


def grouped(area: str, code: str, day: date, digits: int, by_category: bool, by_month: bool) -> Group:
    return area[:digits], code.split(".")[0] if by_category else None, first(day) if by_month else None


SPANS = [
    ("DISTRICT", 6, None, True, True),
    ("CITY", 4, None, False, False),
    ("STREET", 9, "210103", True, False),
    ("COMMUNITY", 12, COMMUNITY, False, True),
]


@pytest.mark.parametrize(("level", "digits", "area", "by_category", "by_month"), SPANS)
async def test_participation_is_what_the_rows_say(
    connection: asyncpg.Connection,
    now: datetime,
    level: str,
    digits: int,
    area: str | None,
    by_category: bool,
    by_month: bool,
) -> None:
    viewer = dataclasses.replace(await a_city(connection, now), role=Role.COMMUNITY_STAFF)  # who is told small cells
    since, until = date(2026, 8, 3), date(2026, 10, 20)
    values = {
        "since": since,
        "until": until,
        "level": level,
        "area": area,
        "by_category": by_category,
        "by_month": by_month,
    }
    lines = await Db(connection, viewer, now).all(PARTICIPATION, **values)

    sessions = await connection.fetch(
        "SELECT * FROM service_session WHERE status NOT IN ('PLANNED', 'PUBLISHED', 'CANCELLED')"
    )
    ran = {s["id"]: s for s in sessions}
    came = await connection.fetch("SELECT * FROM attendance WHERE check_in_at IS NOT NULL")
    hours = await connection.fetch("SELECT * FROM hour_entry")

    def key(row: Any, day: date) -> Group | None:
        inside = since <= day <= until and row["area"].startswith(area or "")
        return grouped(row["area"], row["category_code"], day, digits, by_category, by_month) if inside else None

    expected: dict[Group, dict[str, Any]] = defaultdict(lambda: dict.fromkeys(queries.ACTIVITY, 0) | {"who": set()})
    for s in sessions:
        if k := key(s, s["starts_at"].astimezone(SHANGHAI).date()):
            expected[k]["sessions"] += 1
            expected[k]["served_registered"] += s["headcount_registered"]
            expected[k]["served_unregistered"] += s["headcount_unregistered"]
    for a in came:
        s = ran.get(a["session_id"])
        if s and (k := key(s, s["starts_at"].astimezone(SHANGHAI).date())):
            expected[k]["person_times"] += 1
            expected[k]["who"].add(a["volunteer_id"])
    for h in hours:
        if k := key(h, h["credited_on"]):
            expected[k]["minutes"] += h["minutes"]
            expected[k][f"minutes_{h['trust'].lower()}"] += h["minutes"]
    for measures in expected.values():
        measures["persons"] = len(measures.pop("who"))

    assert {
        (r["division_code"], r["category_code"], r["month"]): {n: r[n] for n in queries.ACTIVITY} for r in lines
    } == expected
    assert len(lines) == len(expected) > 0
    assert all(r["persons"] <= r["person_times"] for r in lines)


@pytest.mark.parametrize(("level", "digits", "area", "by_category", "by_month"), SPANS)
async def test_the_funnel_is_what_the_rows_say(
    connection: asyncpg.Connection,
    now: datetime,
    level: str,
    digits: int,
    area: str | None,
    by_category: bool,
    by_month: bool,
) -> None:
    viewer = dataclasses.replace(await a_city(connection, now), role=Role.COMMUNITY_STAFF)  # who is told small cells
    since, until = date(2026, 8, 3), date(2026, 10, 20)
    values = {
        "since": since,
        "until": until,
        "level": level,
        "area": area,
        "by_category": by_category,
        "by_month": by_month,
    }
    lines = await Db(connection, viewer, now).all(FUNNEL, **values)
    groups: dict[Group, list[Any]] = defaultdict(list)
    for n in await connection.fetch("SELECT * FROM need WHERE status <> 'DRAFT'"):
        day = n["created_at"].astimezone(SHANGHAI).date()
        if since <= day <= until and n["area"].startswith(area or ""):
            groups[grouped(n["area"], n["category_code"], day, digits, by_category, by_month)].append(n)

    def median(rows: list[Any], until_: str) -> float | None:
        hours = [(r[until_] - r["created_at"]).total_seconds() / 3600 for r in rows]
        return round(statistics.median(hours), 2) if hours else None

    assert [(r["division_code"], r["category_code"], r["month"]) for r in lines] == sorted(
        groups, key=lambda g: (g[2] or date.min, g[0], g[1] or "")
    )
    for line in lines:
        rows = groups[line["division_code"], line["category_code"], line["month"]]
        opened = [r for r in rows if r["opened_at"]]
        closed = [r for r in rows if r["status"] == "CLOSED"]
        late = [r for r in rows if r["status"] in ("OPEN", "IN_PROGRESS") and r["due_at"] < now]
        assert line["submitted"] == len(rows)
        assert line["verified"] == len(opened)
        assert line["matched"] == len([r for r in rows if r["qty_committed"]])
        assert line["delivered"] == len([r for r in rows if r["qty_delivered"] >= r["qty_total"]])
        assert line["closed"] == len(closed)
        assert line["unmet"] == len(late) + len([r for r in rows if r["status"] == "EXPIRED"])
        for name, until_, which in (("verify", "opened_at", opened), ("close", "closed_at", closed)):
            told, known = line[f"median_hours_to_{name}"], median(which, until_)
            assert (told is None) == (known is None)
            assert told is None or abs(float(told) - known) <= 0.0101  # type: ignore[operator]


async def test_counts_are_for_those_whose_area_it_is(connection: asyncpg.Connection, now: datetime) -> None:
    city = await a_city(connection, now)
    span: dict[str, Any] = {
        "since": date(2026, 1, 1),
        "until": now.date(),
        "level": "DISTRICT",
        "area": None,
        "by_category": False,
        "by_month": False,
    }

    async def places(actor: Actor, statement: Seen) -> list[str]:
        return [r["division_code"] for r in await Db(connection, actor, now).all(statement, **span)]

    for statement in (PARTICIPATION, FUNNEL):
        assert await places(city, statement) == [HEPING, SHENHE]
        who = city.person
        assert await places(Actor(Role.AUDITOR, who), statement) == [HEPING, SHENHE]
        assert await places(Actor(Role.DISTRICT_VIEWER, who, None, SHENHE), statement) == [SHENHE]
        assert await places(Actor(Role.COMMUNITY_STAFF, who, None, COMMUNITY), statement) == [SHENHE]
        for nobody in (
            Actor(),
            Actor(Role.RESIDENT, who, None, COMMUNITY),
            Actor(Role.VOLUNTEER, who, None, COMMUNITY),
        ):
            assert await places(nobody, statement) == []
    whole = await Db(connection, city, now).all(PARTICIPATION, **(span | {"level": "CITY"}))
    parts = await Db(connection, city, now).all(PARTICIPATION, **span)
    for name in queries.ACTIVITY:
        together = sum(p[name] for p in parts)
        assert whole[0][name] <= together if name == "persons" else whole[0][name] == together
    own = await Db(connection, Actor(Role.DISTRICT_VIEWER, city.person, None, HEPING), now).all(PARTICIPATION, **span)
    assert [dict(r) for r in own] == [dict(parts[0])]


@pytest.mark.parametrize("statement", [PARTICIPATION, FUNNEL])
@pytest.mark.parametrize(
    "role",
    [Role.CITY_VIEWER, Role.DISTRICT_VIEWER, Role.PARTY_SECRETARY, Role.FUND_REPORTER, Role.AUDITOR, Role.ADMIN],
)
async def test_small_cells_are_for_those_who_see_the_people(
    connection: asyncpg.Connection, now: datetime, statement: Seen, role: Role
) -> None:
    """I30: the others get null for a count under five, and for those from which one could be reckoned."""
    city = await a_city(connection, now)
    span = {"since": date(2026, 1, 1), "until": now.date(), "level": "COMMUNITY", "area": None}
    span |= {"by_category": True, "by_month": True}
    full = await Db(connection, dataclasses.replace(city, role=Role.COMMUNITY_STAFF), now).all(statement, **span)
    told = await Db(connection, dataclasses.replace(city, role=role), now).all(statement, **span)
    assert not any(line["suppressed"] for line in full)
    if role is Role.FUND_REPORTER:  # sees what his own foundation did only: nothing here
        assert told == []
        return
    groups = ("division_code", "category_code", "month")
    assert [tuple(line[g] for g in groups) for line in told] == [tuple(line[g] for g in groups) for line in full]
    people = ("person_times", "persons") if statement is PARTICIPATION else ("submitted", "verified", "closed")
    seen_small = 0
    for line, whole in zip(told, full, strict=True):
        for name in people:
            if 0 < whole[name] < 5:
                seen_small += 1
                assert line[name] is None and line["suppressed"]
            elif line[name] is not None:
                assert line[name] == whole[name]
        if statement is PARTICIPATION and line["persons"] in (None, 0):
            assert not line["minutes"]
    assert seen_small > 3
