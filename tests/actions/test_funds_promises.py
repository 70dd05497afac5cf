"""The database keeps the promises of money by itself: what a verb would refuse, SQL refuses too."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from models.access import IMPLIED, Actor, Role, seen
from models.clock import midnight
from models.database import Db, Seen
from models.funds import actions
from models.funds.inputs import AllocationInput, DonorInput
from models.funds.queries import candidates
from models.funds.restrictions import Purpose, Restriction
from models.funds.rules import DonorKind
from models.reports.queries import Looking
from models.tables import METADATA
from tests import make_funds as make
from tests.make_funds import DISABLED, POVERTY, SHENHE, Books


@pytest.fixture
async def books(connection: asyncpg.Connection, now: datetime) -> Books:
    return Books(connection, now, await make.foundation(connection))


async def refuses(connection: asyncpg.Connection, sql: str, *args: Any, error: type[Exception]) -> str:
    """Asserts that a statement, or the commit after it, fails; gives the message."""
    with pytest.raises(error) as caught:
        async with connection.transaction():
            await connection.execute(sql, *args)
            await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    await connection.execute("SET CONSTRAINTS ALL DEFERRED")
    return str(caught.value)


@pytest.mark.parametrize("table", ["ledger_account", "ledger_txn", "ledger_entry", "spend_trace"])
async def test_the_ledger_is_only_added_to(books: Books, table: str) -> None:
    for statement in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
        await refuses(books.connection, statement, error=asyncpg.InsufficientPrivilegeError)


@pytest.mark.parametrize("table", ["fund_balance", "fund_month"])
async def test_roll_ups_are_only_read(books: Books, table: str) -> None:
    fund = await books.fund()
    for statement in (f"UPDATE {table} SET gift_count = 0", f"DELETE FROM {table}"):
        await refuses(books.connection, statement, error=asyncpg.InsufficientPrivilegeError)
    await refuses(
        books.connection,
        "INSERT INTO fund_balance SELECT $1, organization_id, 1, 0, 1, 0, 0, 1 FROM fund WHERE id = $1",
        fund,
        error=asyncpg.InsufficientPrivilegeError,
    )


POSTING = """
WITH posted AS (
    INSERT INTO ledger_txn (organization_id, kind, at, month, donation_id, made_by, made_at)
    SELECT organization_id, 'REFUND', $2, '2026-11-01', id, recorded_by, $2 FROM donation WHERE id = $1
    RETURNING id, organization_id, at
)
INSERT INTO ledger_entry (txn_id, account_id, fund_id, organization_id, at, amount_fen)
SELECT p.id, a.id, a.fund_id, p.organization_id, p.at, l.fen
FROM posted p, unnest($3::text[], $4::bigint[]) AS l (account, fen)
JOIN ledger_account a ON a.account = l.account
WHERE a.fund_id = (SELECT fund_id FROM donation WHERE id = $1)
"""


async def test_postings_balance_and_no_fund_goes_below_zero(books: Books) -> None:
    fund = await books.fund()
    gift = await books.gift(fund, 100, category=DISABLED)
    await books.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    await books.connection.execute("SET CONSTRAINTS ALL DEFERRED")

    async def posting(accounts: list[str], amounts: list[int]) -> str:
        return await refuses(
            books.connection, POSTING, gift, books.now, accounts, amounts, error=asyncpg.CheckViolationError
        )

    assert "does not balance" in await posting(["NET_UNRESTRICTED", "NET_UNRESTRICTED"], [500, -400])
    assert "does not balance" in await posting(["NET_UNRESTRICTED"], [500])
    assert "does not balance" in await posting([], [])
    assert "fund_balance" in await posting(["INCOME_RESTRICTED", "BANK"], [10_001, -10_001])
    assert "fund_balance" in await posting(["INCOME_UNRESTRICTED", "BANK"], [10_000, -10_000])
    await books.connection.execute(POSTING, gift, books.now, ["INCOME_RESTRICTED", "BANK"], [4_000, -4_000])
    await books.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    row = await books.balance(fund)
    assert (row["balance_fen"], row["received_fen"], row["refunded_fen"]) == (6_000, 10_000, 4_000)
    month = await books.connection.fetchrow("SELECT received_fen, refunded_fen, closing_fen FROM fund_month")
    assert month is not None
    assert tuple(month) == (10_000, 4_000, 6_000)


async def test_an_entry_is_dated_like_its_posting(books: Books) -> None:
    fund = await books.fund()
    await books.gift(fund, 100)
    told = await refuses(
        books.connection,
        "INSERT INTO ledger_entry (txn_id, account_id, fund_id, organization_id, at, amount_fen)"
        " SELECT txn_id, account_id, fund_id, organization_id, at - interval '1 day', amount_fen FROM ledger_entry",
        error=asyncpg.CheckViolationError,
    )
    assert "the time and the foundation" in told


async def test_a_recorded_gift_is_not_edited(books: Books) -> None:
    fund = await books.fund()
    gift = await books.gift(fund, 100)
    for change in ("amount_fen = 200", "received_at = now()", "channel = 'GRANT'", "external_txn = 'x'"):
        await refuses(
            books.connection,
            f"UPDATE donation SET {change} WHERE id = $1",
            gift,
            error=asyncpg.IntegrityConstraintViolationError,
        )
    for change in ("allocated_fen = 10001", "spent_fen = 1", "refunded_fen = 10001", "allocated_fen = -1"):
        await refuses(
            books.connection, f"UPDATE donation SET {change} WHERE id = $1", gift, error=asyncpg.CheckViolationError
        )


async def test_an_anonymous_donor_has_no_name(books: Books) -> None:
    fund = await books.fund()
    await books.gift(fund, 1, by=DonorInput(DonorKind.ANONYMOUS))
    for kind, error in (("ANONYMOUS", asyncpg.CheckViolationError), ("PERSON", asyncpg.ForeignKeyViolationError)):
        await refuses(
            books.connection,
            "INSERT INTO donor_name (donor_id, kind, organization_id, name)"
            " SELECT id, $1, organization_id, '孙试验' FROM donor WHERE kind = 'ANONYMOUS'",
            kind,
            error=error,
        )


TRACE = """
INSERT INTO spend_trace (donation_id, disbursement_id, line_id, fund_id, amount_fen, at, on_day, organization_id, title,
    spending, category_code, area, requested_by)
SELECT l.donation_id, p.id, l.id, l.fund_id, $2, p.paid_at, $3, p.organization_id, a.title, a.spending,
    a.category_code, a.area, a.requested_by
FROM disbursement p JOIN allocation a ON a.id = p.allocation_id JOIN allocation_line l ON l.allocation_id = a.id
WHERE p.id = $1
"""


async def test_no_trace_leads_outside_its_gifts_restriction(books: Books) -> None:
    fund = await books.fund()
    gift = await books.gift(fund, 100)
    plan = await books.approved(100)
    payment = await books.signed(plan, 100)
    await actions.pay_disbursement(books.db(books.at.maker), payment)
    connection, today = books.connection, books.now.date()
    await connection.execute("UPDATE allocation_line SET held_fen = 0")
    await connection.execute("DELETE FROM disbursement_line")
    await connection.execute(
        "UPDATE disbursement SET status = 'PAID', paid_at = $2, bank_ref = 'x' WHERE id = $1", payment, books.now
    )
    for bound in (
        "category_code = 'POVERTY', restricted = true",
        "category_code = 'DISABLED.REHAB', restricted = true",
        "restricted_area = '210102', restricted = true",
        "restricted_from = '2026-11-03', restricted = true",
        "restricted_to = '2026-11-01', restricted = true",
    ):
        nested = connection.transaction()
        await nested.start()
        await connection.execute(f"UPDATE donation SET {bound} WHERE id = $1", gift)
        told = await refuses(connection, TRACE, payment, 10_000, today, error=asyncpg.CheckViolationError)
        assert "does not admit this purpose" in told
        await nested.rollback()
    await refuses(connection, TRACE, payment, 10_001, today, error=asyncpg.CheckViolationError)
    await refuses(connection, TRACE, payment, 10_000, books.later(days=1).now.date(), error=asyncpg.CheckViolationError)
    await connection.execute(TRACE, payment, 10_000, today)
    await refuses(connection, TRACE, payment, 1, today, error=asyncpg.CheckViolationError)
    assert await connection.fetchval("SELECT spent_fen FROM donation WHERE id = $1", gift) == 10_000


async def test_sql_and_python_admit_the_same(books: Books) -> None:
    fund = await books.fund()
    day = books.now.date()
    bounds = [
        Restriction(c, a, s, u)
        for c in (None, DISABLED, "DISABLED.REHAB", POVERTY)
        for a in (None, "2101", SHENHE, "210103005")
        for s, u in ((None, None), (day, None), (None, day), (day.replace(day=3), None))
    ]
    by_id = {}
    for n, bound in enumerate(bounds):
        given = {"category": bound.category, "area": bound.area, "since": bound.since, "until": bound.until}
        id = await books.gift(fund, 1, received_at=midnight(day.replace(month=1 + n % 9)), **given)
        by_id[id] = (bound, midnight(day.replace(month=1 + n % 9)))
    for purpose in (
        Purpose(DISABLED, SHENHE, day),
        Purpose("DISABLED.REHAB", "210103005", day.replace(day=4)),
        Purpose(None, "2101", day.replace(day=1)),
        Purpose("DISABLED.REHAB", "210103005024001", day),
    ):
        rows = await books.db(books.at.maker).all(
            candidates(one_fund=False),
            organization=books.at.id,
            category=purpose.category,
            area=purpose.area,
            on=purpose.on,
            breadth=-1,
            received_at=midnight(day.replace(year=2000)),
            after="00000000-0000-0000-0000-000000000000",
        )
        fit = [(id, *of) for id, of in by_id.items() if of[0].admits(purpose)]
        fit.sort(key=lambda g: (g[1].breadth, g[2], g[0]))
        assert [r["id"] for r in rows] == [g[0] for g in fit]
        assert fit


async def test_whoever_sees_a_row_sees_what_it_is_said_to_imply(books: Books, connection: asyncpg.Connection) -> None:
    fund = await books.fund()
    donor = await make.person(connection)
    await books.gift(fund, 100, by=DonorInput(DonorKind.PERSON, "赵试验", donor), publish_name=True)
    await books.gift(fund, 50)
    plan = await books.approved(120)
    payment = await books.paid(plan, 90)
    await actions.return_disbursement(books.db(books.at.maker), payment, "账户注销")
    staff = Actor(Role.COMMUNITY_STAFF, await make.person(connection), None, SHENHE)
    asked = AllocationInput("坡道", 1_000, fund=fund, category=DISABLED, area="210103005")
    await actions.submit_allocation(books.db(books.at.maker), await actions.create_allocation(books.db(staff), asked))
    actors = [Actor(role, staff.person, books.at.id, SHENHE) for role in Role]
    actors += [Actor(role, donor, None, "2101") for role in Role]
    told = 0
    for table, column in sorted(IMPLIED):
        child = METADATA.tables[table]
        if not table.startswith(("donation", "allocation", "disbursement", "spend", "ledger")):
            continue
        parent = METADATA.tables[{"txn_id": "ledger_txn", "account_id": "ledger_account"}.get(column, column[:-3])]

        def hidden(viewer: Any, child: sa.Table = child, column: str = column, parent: sa.Table = parent) -> Any:
            looking = Looking(viewer, seen)
            rows, above = looking.rows(child), looking.rows(parent)
            return sa.select(
                sa.func.count(), sa.func.count().filter(rows.c[column].is_not(None), above.c.id.is_(None))
            ).select_from(rows.outerjoin(above, above.c.id == rows.c[column]))

        for actor in actors:
            found = await Db(connection, actor, books.now).one(Seen(hidden))
            assert found is not None
            assert found[1] == 0, (table, column, actor.role)
            told += found[0]
    assert told > 100
