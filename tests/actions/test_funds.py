"""Gifts to the last fen: three of them spent, refusals by name, and that a refusal changes nothing."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from models import vault
from models.access import Actor, Role
from models.funds import actions
from models.funds.inputs import AllocationInput, DonationInput, DonorInput
from models.funds.problems import (
    AllocationExceeded,
    AlreadyReversed,
    AuthorisationRequired,
    BankRefUsed,
    DonationInUse,
    FundNameTaken,
    InsufficientFunds,
    MakerIsChecker,
    OpenDisbursements,
    OutsideFundRestriction,
    PayeeIsApprover,
    PaymentRefConflict,
    RestrictionViolation,
)
from models.funds.rules import Confirmation, DonationChannel, DonorKind, FundKind
from models.people.problems import ConflictOfInterest
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound
from tests import make_funds as make
from tests.make_funds import COMMUNITY, DISABLED, ELDERLY, HEPING, POVERTY, SHENHE, Books

LEDGERS = ("donation", "allocation", "allocation_line", "disbursement", "spend_trace", "ledger_txn", "ledger_entry")


async def state(connection: asyncpg.Connection) -> dict[str, Any]:
    """Everything that money consists of, to see that a refusal changed nothing."""
    out: dict[str, Any] = {}
    for table in (*LEDGERS, "fund_balance", "fund_month", "donor", "donor_name"):
        out[table] = await connection.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")
    return out


@pytest.fixture
async def books(connection: asyncpg.Connection, now: datetime) -> Books:
    return Books(connection, now, await make.foundation(connection))


async def checked(connection: asyncpg.Connection) -> None:
    """Runs what the database checks at commit."""
    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    await connection.execute("SET CONSTRAINTS ALL DEFERRED")


async def refused(books: Books, problem: type[Exception], work: Any) -> Any:
    """Asserts that something is refused by name, and that nothing changed."""
    before = await state(books.connection)
    nested = books.connection.transaction()
    await nested.start()
    with pytest.raises(problem) as caught:
        await work
    await nested.rollback()
    assert await state(books.connection) == before
    return caught.value


async def three_gifts(books: Books) -> tuple[UUID, UUID, UUID, UUID]:
    """Job 6: a fund with 50,000 for 助残 in 沈河区, 20,000 free, and 30,000 anonymous for 济困."""
    fund = await books.fund()
    first = await books.gift(fund, 50_000, category=DISABLED, area=SHENHE, publish_name=True)
    second = await books.gift(fund, 20_000)
    third = await books.gift(fund, 30_000, by=DonorInput(DonorKind.ANONYMOUS), category=POVERTY)
    return fund, first, second, third


async def test_job_six_to_the_last_fen(books: Books) -> None:
    fund, first, second, third = await three_gifts(books)
    assert (await books.balance(fund))["balance_fen"] == 10_000_000
    assert (await books.balance(fund))["restricted_fen"] == 8_000_000

    violation = await refused(books, RestrictionViolation, books.plan(50_000, ELDERLY, donations=(first,)))
    assert violation.available == 0
    violation = await refused(books, RestrictionViolation, books.plan(50_000, ELDERLY))
    assert violation.available == 2_000_000
    short = await refused(books, InsufficientFunds, books.plan(100_001, DISABLED))
    assert short.available == 7_000_000

    plan = await books.approved(60_000)
    payment = await books.signed(plan, 60_000, authorise=False)
    required = await refused(books, AuthorisationRequired, actions.pay_disbursement(books.db(books.at.maker), payment))
    assert required.threshold == 1_000_000
    await actions.authorise_disbursement(books.db(books.at.authoriser), payment)
    await actions.pay_disbursement(books.db(books.at.maker), payment)
    assert (await books.balance(fund))["balance_fen"] == 10_000_000
    await actions.settle_disbursement(books.db(books.at.maker), payment, "BK-1")
    await checked(books.connection)

    traced = await books.connection.fetch(
        "SELECT donation_id, amount_fen FROM spend_trace WHERE disbursement_id = $1 ORDER BY id", payment
    )
    assert [tuple(r) for r in traced] == [(first, 5_000_000), (second, 1_000_000)]
    closing = await books.balance(fund)
    assert (closing["balance_fen"], closing["restricted_fen"]) == (4_000_000, 3_000_000)
    assert (closing["received_fen"], closing["spent_fen"], closing["gift_count"]) == (10_000_000, 6_000_000, 3)
    left = await books.connection.fetch("SELECT id, amount_fen - spent_fen - refunded_fen AS left FROM donation")
    assert {r["id"]: r["left"] for r in left} == {first: 0, second: 1_000_000, third: 3_000_000}
    ledger = await books.connection.fetch(
        "SELECT a.account, sum(e.amount_fen) AS fen FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id"
        " GROUP BY a.account"
    )
    assert {r["account"]: r["fen"] for r in ledger} == {
        "BANK": 4_000_000,
        "INCOME_RESTRICTED": -8_000_000,
        "INCOME_UNRESTRICTED": -2_000_000,
        "NET_RESTRICTED": 5_000_000,
        "NET_UNRESTRICTED": -5_000_000,
        "EXPENSE_CHARITY": 6_000_000,
    }


async def test_closing_gives_the_rest_back(books: Books) -> None:
    fund, first, second, _ = await three_gifts(books)
    plan = await books.approved(60_000)
    await books.paid(plan, 55_000)
    open_payment = await books.payment(plan, 1_000)
    waiting = await refused(books, OpenDisbursements, actions.close_allocation(books.db(books.at.maker), plan))
    assert waiting.count == 1
    await actions.cancel_disbursement(books.db(books.at.maker), open_payment)
    await actions.close_allocation(books.db(books.at.maker), plan)
    rows = await books.connection.fetch("SELECT id, allocated_fen, spent_fen FROM donation ORDER BY received_at, id")
    assert [tuple(r) for r in rows][:2] == [(first, 5_000_000, 5_000_000), (second, 500_000, 500_000)]
    lines = await books.connection.fetch(
        "SELECT amount_fen, consumed_fen, returned_fen FROM allocation_line ORDER BY position"
    )
    assert [tuple(r) for r in lines] == [(5_000_000, 5_000_000, 0), (1_000_000, 500_000, 500_000)]
    await refused(books, InvalidTransition, actions.close_allocation(books.db(books.at.maker), plan))
    await books.approved(15_000)
    assert (await books.balance(fund))["balance_fen"] == 4_500_000


async def test_narrowest_gifts_go_first(books: Books) -> None:
    fund = await books.fund()
    free = await books.gift(fund, 100)
    category = await books.later(hours=1).gift(fund, 100, category=DISABLED)
    area = await books.later(hours=2).gift(fund, 100, area=SHENHE)
    city = await books.later(hours=3).gift(fund, 100, area="2101")
    both = await books.later(hours=4).gift(fund, 100, category=DISABLED, area="2101")
    await books.gift(fund, 100, category=DISABLED, area=HEPING)
    deep = await books.later(hours=5).gift(fund, 100, category="DISABLED.REHAB", area="2101")
    plan = await books.later(days=1).plan(600, "DISABLED.REHAB")
    rows = await books.connection.fetch(
        "SELECT donation_id FROM allocation_line WHERE allocation_id = $1 ORDER BY position", plan
    )
    assert [r[0] for r in rows] == [deep, both, area, city, category, free]


async def test_windows_bind_too(books: Books) -> None:
    fund = await books.fund()
    today = books.now.date()
    await books.gift(fund, 100, since=today + timedelta(days=1))
    await books.gift(fund, 100, until=today - timedelta(days=1))
    last = await books.gift(fund, 100, until=today)
    await refused(books, RestrictionViolation, books.plan(101))
    plan = await books.approved(100)
    payment = await books.signed(plan, 100, authorise=False)
    tomorrow = books.later(days=1)
    late = await refused(books, RestrictionViolation, actions.pay_disbursement(tomorrow.db(books.at.maker), payment))
    assert "已过" in late.message
    await actions.pay_disbursement(books.db(books.at.maker), payment)
    await actions.settle_disbursement(tomorrow.db(books.at.maker), payment, "BK-1")
    traced = await books.connection.fetchrow("SELECT donation_id, on_day, at FROM spend_trace")
    assert traced is not None
    assert tuple(traced) == (last, today, tomorrow.now), "it left inside the window, whenever the bank says so"


async def test_what_is_handed_over_can_be_settled_in_any_order(books: Books) -> None:
    """Two payments at the bank take two gifts: the second is handed over only where both gifts admit it."""
    fund, maker = await books.fund(), books.at.maker
    today = books.now.date()
    await books.gift(fund, 100, category=DISABLED, until=today + timedelta(days=9))
    await books.gift(fund, 100, until=today)
    plan = await books.approved(200)
    first, second = [await books.signed(plan, 100, authorise=False) for _ in range(2)]
    late = books.later(days=1)
    await actions.pay_disbursement(books.db(maker), first)
    await refused(books, RestrictionViolation, actions.pay_disbursement(late.db(maker), second))
    await actions.pay_disbursement(books.db(maker), second)
    await actions.settle_disbursement(late.db(maker), second, "BK-2")
    await actions.settle_disbursement(late.db(maker), first, "BK-1")
    await checked(books.connection)


async def test_a_line_that_came_back_is_passed_over(books: Books) -> None:
    """A payment at the bank does not take what another gave back, where that does not admit its day."""
    fund, maker = await books.fund(), books.at.maker
    today = books.now.date()
    await books.gift(fund, 100, category=DISABLED, until=today)
    wide = await books.gift(fund, 100)
    plan = await books.approved(200)
    before = await books.paid(plan, 100, authorise=False)
    late = books.later(days=1)
    payment = await books.signed(plan, 100, authorise=False)
    await actions.pay_disbursement(late.db(maker), payment)
    await actions.return_disbursement(late.db(maker), before, "账户注销")
    await actions.settle_disbursement(late.db(maker), payment, "BK-2")
    traced = await books.connection.fetch("SELECT donation_id FROM spend_trace WHERE disbursement_id = $1", payment)
    assert [r["donation_id"] for r in traced] == [wide]


async def test_a_fund_binds_its_gifts(books: Books) -> None:
    fund = await books.fund("沈河助残", FundKind.PURPOSE, category=DISABLED, area=SHENHE)
    await refused(books, OutsideFundRestriction, books.gift(fund, 1, category=POVERTY))
    await refused(books, OutsideFundRestriction, books.gift(fund, 1, area=HEPING))
    gift = await books.gift(fund, 1, area=COMMUNITY)
    row = await books.connection.fetchrow("SELECT category_code, restricted_area FROM donation WHERE id = $1", gift)
    assert row is not None
    assert tuple(row) == (DISABLED, COMMUNITY)
    await refused(books, FundNameTaken, books.fund("沈河助残"))
    await refused(books, InvalidInput, books.fund("无限定", FundKind.UNRESTRICTED, category=DISABLED))
    await refused(books, InvalidInput, books.fund("无用途", FundKind.PURPOSE, area=SHENHE))
    await refused(books, InvalidInput, books.gift(fund, 1, category="DISABLED.NOTHING"))
    await refused(books, InvalidInput, books.gift(fund, 1, area="210999"))


async def test_one_payment_notice_three_times_is_one_gift(books: Books) -> None:
    fund = await books.fund()
    other = await books.fund("另一基金")
    notice = {"channel": DonationChannel.DESIGNATED_PLATFORM, "external_txn": "P-20261102-1"}
    first = await books.gift(fund, 88, **notice)
    before = await state(books.connection)
    assert await books.later(minutes=1).gift(fund, 88, **notice) == first
    assert await books.later(days=1).gift(fund, 88, **notice) == first
    assert await state(books.connection) == before
    conflict = await refused(books, PaymentRefConflict, books.gift(fund, 89, **notice))
    assert conflict.donation_no.startswith("JZ")
    await refused(books, PaymentRefConflict, books.gift(other, 88, **notice))
    elsewhere = await books.gift(fund, 88, channel=DonationChannel.OWN_SITE, external_txn="P-20261102-1")
    assert elsewhere != first
    assert (await books.balance(fund))["gift_count"] == 2


async def test_a_reversed_gift_leaves_its_payment_for_the_right_one(books: Books) -> None:
    fund = await books.fund()
    other = await books.fund("另一基金")
    notice = {"channel": DonationChannel.DESIGNATED_PLATFORM, "external_txn": "P-20261102-1"}
    numbers = []
    for given, yuan in ((fund, 88), (fund, 88), (other, 90)):
        gift = await books.gift(given, yuan, **notice)
        assert await books.gift(given, yuan, **notice) == gift
        assert (await books.balance(given))["balance_fen"] == yuan * 100, "the money is booked"
        numbers.append(gift)
        await refused(books, PaymentRefConflict, books.gift(fund, 7, **notice))
        await actions.reverse_donation(books.db(books.at.checker), gift, "金额有误")
        assert (await books.balance(given))["balance_fen"] == 0
    assert len(set(numbers)) == 3


async def test_a_mistaken_gift_is_reversed_and_balanced(books: Books) -> None:
    fund = await books.fund()
    gift = await books.gift(fund, 300, category=DISABLED)
    used = await books.gift(fund, 100)
    plan = await books.plan(50, POVERTY)
    assert plan
    same = Actor(Role.FUND_CHECKER, books.at.maker.person, books.at.id)
    await refused(books, MakerIsChecker, actions.reverse_donation(books.db(same), gift, "重复登记"))
    await refused(books, Forbidden, actions.reverse_donation(books.db(books.at.maker), gift, "重复登记"))
    held = await refused(books, DonationInUse, actions.reverse_donation(books.db(books.at.checker), used, "重复登记"))
    assert (held.allocated, held.spent) == (5_000, 0)
    await actions.reverse_donation(books.later(days=40).db(books.at.checker), gift, "重复登记")
    await checked(books.connection)
    await refused(books, AlreadyReversed, actions.reverse_donation(books.db(books.at.checker), gift, "重复登记"))
    now = await books.balance(fund)
    assert (now["balance_fen"], now["restricted_fen"], now["gift_count"]) == (10_000, 0, 1)
    entries = await books.connection.fetch("SELECT sum(amount_fen) FROM ledger_entry GROUP BY txn_id")
    assert {r[0] for r in entries} == {0}
    months = await books.connection.fetch(
        "SELECT month, opening_fen, received_fen, closing_fen, gift_count FROM fund_month ORDER BY month"
    )
    assert [tuple(r) for r in months] == [
        (date(2026, 11, 1), 0, 40_000, 40_000, 2),
        (date(2026, 12, 1), 40_000, -30_000, 10_000, -1),
    ]


async def test_a_late_posting_moves_the_months_after_it(books: Books) -> None:
    fund = await books.fund()
    await books.gift(fund, 10, received_at=books.now)
    await books.gift(fund, 5, received_at=books.now - timedelta(days=70))
    months = await books.connection.fetch("SELECT month, opening_fen, closing_fen FROM fund_month ORDER BY month")
    assert [tuple(r) for r in months] == [(date(2026, 8, 1), 0, 500), (date(2026, 11, 1), 500, 1_500)]
    with pytest.raises(InvalidInput):
        await books.gift(fund, 5, received_at=books.now + timedelta(seconds=1))


async def test_three_pairs_of_hands(books: Books) -> None:
    fund = await books.fund()
    await books.gift(fund, 50_000)
    at = books.at
    plan = await books.plan(20_000)
    await refused(books, InvalidTransition, actions.approve_allocation(books.db(at.checker), plan))
    await actions.submit_allocation(books.db(at.maker), plan)
    maker_as_checker = Actor(Role.FUND_CHECKER, at.maker.person, at.id)
    await refused(books, MakerIsChecker, actions.approve_allocation(books.db(maker_as_checker), plan))
    await refused(books, Forbidden, actions.approve_allocation(books.db(at.maker), plan))
    await actions.approve_allocation(books.db(at.checker), plan)
    payment = await books.payment(plan, 100)
    await actions.submit_disbursement(books.db(at.maker), payment)
    await refused(books, MakerIsChecker, actions.approve_disbursement(books.db(maker_as_checker), payment))
    await actions.approve_disbursement(books.db(at.checker), payment)
    checker_as_authoriser = Actor(Role.FUND_AUTHORISER, at.checker.person, at.id)
    await refused(books, MakerIsChecker, actions.authorise_disbursement(books.db(checker_as_authoriser), payment))
    await refused(books, Forbidden, actions.authorise_disbursement(books.db(at.reporter), payment))
    for column in ("maker_id", "checker_id"):
        with pytest.raises(asyncpg.CheckViolationError):
            async with books.connection.transaction():
                await books.connection.execute(
                    f"UPDATE disbursement SET authoriser_id = {column} WHERE id = $1", payment
                )
    with pytest.raises(asyncpg.CheckViolationError):
        async with books.connection.transaction():
            await books.connection.execute("UPDATE disbursement SET status = 'PAYING' WHERE id = $1", payment)


async def test_nobody_approves_a_payment_to_himself(books: Books) -> None:
    fund = await books.fund()
    await books.gift(fund, 500)
    plan = await books.approved(500)
    assert books.at.checker.person is not None
    resident = await make.resident(books.connection, books.at.checker.person)
    payment = await books.payment(plan, 500, payee_resident=resident)
    await actions.submit_disbursement(books.db(books.at.maker), payment)
    await refused(books, PayeeIsApprover, actions.approve_disbursement(books.db(books.at.checker), payment))
    with pytest.raises(asyncpg.CheckViolationError):
        async with books.connection.transaction():
            await books.connection.execute(
                "UPDATE disbursement SET checker_id = payee_person_id WHERE id = $1", payment
            )


async def test_nobody_approves_a_payment_to_whom_he_works_for(books: Books) -> None:
    at, connection = books.at, books.connection
    await books.gift(await books.fund(), 50_000)
    plan = await books.approved(20_000)
    company = await make.organization(connection, "试验供应社", "SOCIAL_ORG")
    today = books.now.date()

    async def serves(who: UUID, since: date, until: date | None = None, revoked: bool = False) -> None:
        await connection.execute(
            "INSERT INTO membership (person_id, organization_id, role, starts_on, ends_on, granted_at, revoked_at)"
            " VALUES ($1, $2, 'NGO_STAFF', $3, $4, $5, $6)",
            *(who, company, since, until, books.now, books.now if revoked else None),
        )

    old, ahead = today - timedelta(days=30), today + timedelta(days=1)
    for actor in (at.maker, at.checker, at.authoriser):
        await serves(actor.person, old, today - timedelta(days=9))
        await serves(actor.person, ahead)
        await serves(actor.person, today - timedelta(days=5), today - timedelta(days=3), revoked=True)
    free = await books.paid(plan, 1, payee_organization=company)
    assert free

    payment = await books.payment(plan, 2, payee_organization=company)
    await actions.submit_disbursement(books.db(at.maker), payment)
    nested = connection.transaction()
    await nested.start()
    await serves(at.checker.person, today, today)
    await refused(books, PayeeIsApprover, actions.approve_disbursement(books.db(at.checker), payment))
    await nested.rollback()
    await connection.execute("UPDATE organization SET contact_id = $1 WHERE id = $2", at.checker.person, company)
    await refused(books, PayeeIsApprover, actions.approve_disbursement(books.db(at.checker), payment))
    await connection.execute("UPDATE organization SET contact_id = NULL WHERE id = $1", company)
    await actions.approve_disbursement(books.db(at.checker), payment)

    nested = connection.transaction()
    await nested.start()
    await serves(at.authoriser.person, today, today)
    await refused(books, PayeeIsApprover, actions.authorise_disbursement(books.db(at.authoriser), payment))
    await nested.rollback()
    nested = connection.transaction()
    await nested.start()
    await serves(at.maker.person, today, today)
    told = await refused(books, PayeeIsApprover, books.payment(plan, 1, payee_organization=company))
    assert "收款单位" in told.message
    await refused(books, PayeeIsApprover, actions.authorise_disbursement(books.db(at.authoriser), payment))
    await nested.rollback()
    await actions.authorise_disbursement(books.db(at.authoriser), payment)


async def test_job_seven_a_batch_with_one_failure(books: Books) -> None:
    fund = await books.fund()
    await books.gift(fund, 30_000, category=POVERTY)
    plan = await books.approved(30_000, POVERTY)
    payments = [await books.signed(plan, 1_200) for _ in range(25)]
    exceeded = await refused(books, AllocationExceeded, books.payment(plan, 1))
    assert exceeded.available == 0
    for payment in payments:
        await actions.pay_disbursement(books.db(books.at.maker), payment)
    for n, payment in enumerate(payments[:24]):
        await actions.settle_disbursement(books.db(books.at.maker), payment, f"BK-{n:02}")
    failed = payments[24]
    await refused(books, BankRefUsed, actions.settle_disbursement(books.db(books.at.maker), failed, "BK-00"))
    await actions.fail_disbursement(books.db(books.at.maker), failed, "账户名不符")
    assert (await books.balance(fund))["spent_fen"] == 2_880_000
    await actions.pay_disbursement(books.db(books.at.maker), failed)
    await actions.settle_disbursement(books.db(books.at.maker), failed, "BK-24")
    await refused(books, InvalidTransition, actions.settle_disbursement(books.db(books.at.maker), failed, "BK-25"))
    assert (await books.balance(fund))["spent_fen"] == 3_000_000
    assert await books.connection.fetchval("SELECT attempts FROM disbursement WHERE id = $1", failed) == 2
    done = Confirmation.RECEIVED_CONFIRMED
    await refused(books, ConflictOfInterest, actions.confirm_receipt(books.db(books.at.maker), payments[0], done))
    checker = books.db(books.at.checker)
    for payment in payments[:22]:
        await actions.confirm_receipt(checker, payment, done)
    wrong = Confirmation.RECEIVED_WITH_ISSUES
    await refused(books, InvalidInput, actions.confirm_receipt(checker, payments[22], wrong))
    await actions.confirm_receipt(checker, payments[22], wrong, "少收一百元")
    await actions.confirm_receipt(checker, payments[23], Confirmation.NOT_RECEIVED, "未到账")
    counts = await books.connection.fetch("SELECT status, count(*) FROM disbursement GROUP BY status")
    assert dict(counts) == {"RECEIVED_CONFIRMED": 22, "RECEIVED_WITH_ISSUES": 1, "NOT_RECEIVED": 1, "PAID": 1}
    await checked(books.connection)


async def test_a_payment_that_comes_back(books: Books) -> None:
    fund, first, second, _ = await three_gifts(books)
    plan = await books.approved(60_000)
    payment = await books.paid(plan, 60_000)
    later = books.later(days=35)
    await actions.return_disbursement(later.db(books.at.maker), payment, "收款账户已注销")
    await checked(books.connection)
    await refused(books, AlreadyReversed, actions.return_disbursement(later.db(books.at.maker), payment, "再次退回"))
    now = await books.balance(fund)
    assert (now["balance_fen"], now["restricted_fen"], now["spent_fen"]) == (10_000_000, 8_000_000, 0)
    rows = await books.connection.fetch(
        "SELECT donation_id, sum(amount_fen) AS fen, count(*) FROM spend_trace GROUP BY 1"
    )
    assert {tuple(r) for r in rows} == {(first, 0, 2), (second, 0, 2)}
    plan_row = await books.connection.fetchrow("SELECT committed_fen, spent_fen FROM allocation WHERE id = $1", plan)
    assert plan_row is not None
    assert tuple(plan_row) == (0, 0)
    again = await later.paid(plan, 60_000, "BK-again")
    await actions.close_allocation(later.db(books.at.maker), plan)
    await actions.return_disbursement(later.db(books.at.maker), again, "再次退回")
    await checked(books.connection)
    held = await books.connection.fetch("SELECT allocated_fen, spent_fen FROM donation")
    assert {tuple(r) for r in held} == {(0, 0)}
    assert (await books.balance(fund))["balance_fen"] == 10_000_000


async def test_management_cost_takes_no_money_that_is_bound(books: Books) -> None:
    from models.funds.books import Spending

    fund = await books.fund()
    await books.gift(fund, 1_000, category=DISABLED)
    await books.gift(fund, 100)
    cost = {"spending": Spending.MGMT, "category": None}
    await refused(books, RestrictionViolation, books.plan(101, area="2101", **cost))
    await refused(books, InvalidInput, books.plan(100, DISABLED, spending=Spending.MGMT))
    await refused(books, InvalidInput, books.plan(100, None))
    plan = await books.approved(100, area="2101", **cost)
    await books.paid(plan, 100, authorise=False)
    account = await books.connection.fetchval(
        "SELECT a.code FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id WHERE a.kind = 'EXPENSE'"
    )
    assert account == "5201"


async def test_staff_ask_and_the_foundation_chooses(books: Books, connection: asyncpg.Connection) -> None:
    fund = await books.fund()
    await books.gift(fund, 1_000)
    staff = Actor(Role.COMMUNITY_STAFF, await make.person(connection), None, COMMUNITY)
    ask = AllocationInput("轮椅坡道", 20_000, fund=fund, category=DISABLED, area=COMMUNITY)
    asked = await actions.create_allocation(books.db(staff), ask)
    assert await connection.fetchval("SELECT count(*) FROM allocation_line") == 0
    await refused(
        books,
        Forbidden,
        actions.create_allocation(
            books.db(staff), AllocationInput("越界", 100, fund=fund, category=DISABLED, area=HEPING)
        ),
    )
    await refused(books, Forbidden, actions.submit_allocation(books.db(staff), asked))
    await actions.submit_allocation(books.db(books.at.maker), asked)
    assert await connection.fetchval("SELECT allocated_fen FROM donation") == 20_000
    await actions.reject_allocation(books.db(books.at.checker), asked, "材料不全")
    assert await connection.fetchval("SELECT allocated_fen FROM donation") == 0


async def test_another_foundation_is_another_world(books: Books, connection: asyncpg.Connection) -> None:
    fund, first, *_ = await three_gifts(books)
    plan = await books.approved(60_000)
    payment = await books.payment(plan, 100)
    other = Books(connection, books.now, await make.foundation(connection, "乙试验基金会"))
    await refused(books, Forbidden, other.gift(fund, 1))
    await refused(books, NotFound, actions.reverse_donation(other.db(other.at.checker), first, "试试看"))
    await refused(books, NotFound, actions.submit_allocation(other.db(other.at.maker), plan))
    await refused(books, NotFound, actions.submit_disbursement(other.db(other.at.maker), payment))
    await refused(books, NotFound, other.payment(plan, 1))
    await refused(books, Forbidden, other.plan(1, fund=fund))
    await refused(books, InsufficientFunds, other.plan(1))
    for role in (Role.RESIDENT, Role.NGO_STAFF, Role.CITY_VIEWER, Role.FUND_REPORTER, Role.AUDITOR, Role.ADMIN):
        stranger = Actor(role, books.at.maker.person, books.at.id, "2101")
        with pytest.raises(Forbidden):
            await actions.record_donation(
                books.db(stranger), DonationInput(fund, 100, DonationChannel.GRANT, donor=first)
            )


async def test_the_same_donor_is_one_donor(books: Books, connection: asyncpg.Connection) -> None:
    fund = await books.fund()
    who = await make.person(connection)
    by = DonorInput(DonorKind.PERSON, "钱试验", person=who)
    gifts = [await books.gift(fund, 1, by=by), await books.gift(fund, 2, by=by)]
    company = await make.organization(connection, "试验企业", "COMPANY")
    await books.gift(fund, 3, by=DonorInput(DonorKind.ORGANIZATION, organization=company), publish_name=True)
    hidden = await books.gift(fund, 4, by=DonorInput(DonorKind.ANONYMOUS, person=who))
    donors = await connection.fetch(
        "SELECT d.id, d.kind, d.label, n.name FROM donor d LEFT JOIN donor_name n ON n.donor_id = d.id ORDER BY d.id"
    )
    assert [tuple(r)[1:3] for r in donors] == [
        ("PERSON", "钱*"),
        ("ORGANIZATION", "试验企业"),
        ("ANONYMOUS", "匿名"),
    ]
    assert [r["name"] is None for r in donors] == [False, True, True]
    keys = await vault.load(connection)
    assert keys.open(vault.Kind.NAME, donors[0]["name"], donors[0]["id"]) == "钱试验"
    with pytest.raises(vault.Tampered):
        keys.open(vault.Kind.NAME, donors[0]["name"], donors[1]["id"])
    shown = await connection.fetch("SELECT public_name FROM donation ORDER BY id")
    assert [r[0] for r in shown] == ["爱心人士", "爱心人士", "试验企业", "匿名"]
    assert await connection.fetchval("SELECT count(*) FROM donation WHERE person_id = $1", who) == 3
    assert len({*gifts, hidden}) == 3
    await refused(books, InvalidInput, books.gift(fund, 1, by=DonorInput(DonorKind.ANONYMOUS, "孙试验")))
    await refused(books, InvalidInput, books.gift(fund, 1, by=DonorInput(DonorKind.ANONYMOUS), publish_name=True))
