"""Many at once: nothing below zero, nothing twice, no deadlock shown, and the ledger equals what was acknowledged."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from models.access import Actor
from models.database import Db, transaction
from models.funds import actions
from models.funds.inputs import AllocationInput, DisbursementInput, DonationInput, DonorInput
from models.funds.problems import AllocationExceeded, InsufficientFunds
from models.funds.restrictions import Restriction
from models.funds.rules import DonationChannel, DonorKind
from models.pool import Pool
from models.problems import Problem
from tests import make_funds as make
from tests.make_funds import DISABLED, POVERTY, SHENHE, Books


class Busy:
    """A foundation at work in committed transactions, several at a time."""

    def __init__(self, pool: Pool, now: datetime, at: make.Foundation) -> None:
        self.pool, self.now, self.at = pool, now, at

    async def do(self, actor: Actor, work: Callable[[Db], Awaitable[UUID]]) -> UUID:
        return await transaction(self.pool, actor, self.now, work)

    async def books(self, work: Callable[[Books], Awaitable[Any]]) -> Any:
        async with self.pool.connection() as connection, connection.transaction():
            return await work(Books(connection, self.now, self.at))

    async def payment(self, plan: UUID, fen: int) -> UUID:
        """Makes a payment and takes it through every pair of hands, each in a transaction of its own."""
        made = await self.do(
            self.at.maker,
            lambda db: actions.create_disbursement(db, DisbursementInput(plan, fen, payee_name="试验供应商")),
        )
        await self.do(self.at.maker, lambda db: actions.submit_disbursement(db, made))
        await self.do(self.at.checker, lambda db: actions.approve_disbursement(db, made))
        await self.do(self.at.authoriser, lambda db: actions.authorise_disbursement(db, made))
        await self.do(self.at.maker, lambda db: actions.pay_disbursement(db, made))
        return await self.do(self.at.maker, lambda db: actions.settle_disbursement(db, made, f"BK-{made}"))


async def sound(connection: asyncpg.Connection) -> None:
    """What must hold of all books, whatever happened: recomputed from the entries, traces and lines."""
    assert not await connection.fetch(
        "SELECT txn_id FROM ledger_entry GROUP BY txn_id, fund_id HAVING sum(amount_fen) <> 0 OR count(*) < 2"
    )
    funds = await connection.fetch(
        "SELECT b.*, coalesce(e.cash, 0) AS cash, coalesce(e.bound, 0) AS bound FROM fund_balance b LEFT JOIN"
        " (SELECT e.fund_id, sum(e.amount_fen) FILTER (WHERE a.kind = 'ASSET') AS cash,"
        " -sum(e.amount_fen) FILTER (WHERE a.restricted) AS bound"
        " FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id GROUP BY 1) e USING (fund_id)"
    )
    for f in funds:
        assert f["balance_fen"] == f["cash"] >= 0
        assert f["restricted_fen"] == f["bound"]
        month = await connection.fetchrow(
            "SELECT closing_fen, restricted_fen FROM fund_month WHERE fund_id = $1 ORDER BY month DESC LIMIT 1",
            f["fund_id"],
        )
        assert month is None or tuple(month) == (f["balance_fen"], f["restricted_fen"])
    gifts = await connection.fetch(
        "SELECT d.*, coalesce((SELECT sum(amount_fen) FROM spend_trace t WHERE t.donation_id = d.id), 0) AS traced,"
        " coalesce((SELECT sum(amount_fen - returned_fen) FROM allocation_line l WHERE l.donation_id = d.id), 0) AS held,"
        " coalesce((SELECT sum(consumed_fen) FROM allocation_line l WHERE l.donation_id = d.id), 0) AS consumed"
        " FROM donation d"
    )
    for g in gifts:
        assert g["spent_fen"] == g["traced"] == g["consumed"]
        assert g["allocated_fen"] == g["held"] <= g["amount_fen"]
    for a in await connection.fetch(
        "SELECT a.*, coalesce((SELECT sum(amount_fen) FROM disbursement p WHERE p.allocation_id = a.id"
        " AND p.status NOT IN ('REJECTED', 'CANCELLED', 'RETURNED')), 0) AS bound FROM allocation a"
    ):
        assert a["committed_fen"] == a["bound"] <= a["amount_fen"]


@pytest.fixture
async def busy(pool: Pool, now: datetime) -> Busy:
    async with pool.connection() as connection, connection.transaction():
        return Busy(pool, now, await make.foundation(connection))


async def settled(*work: Awaitable[Any]) -> tuple[list[Any], list[Problem]]:
    """What was done, and what was refused by name; anything else is raised."""
    done: list[Any] = []
    refused: list[Problem] = []
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, Problem):
            refused.append(outcome)
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            done.append(outcome)
    return done, refused


async def test_fifty_payments_at_once_never_below_zero(busy: Busy) -> None:
    fund = await busy.books(lambda b: b.fund())
    for _ in range(10):
        await busy.books(lambda b: b.gift(fund, 1_000, category=DISABLED))
    plans = [await busy.books(lambda b: b.approved(5_000)) for _ in range(2)]
    done, refused = await settled(*(busy.payment(plans[n % 2], 23_000) for n in range(50)))
    assert len(done) == 2 * (500_000 // 23_000)
    assert {type(p) for p in refused} == {AllocationExceeded}
    async with busy.pool.connection() as connection:
        await sound(connection)
        row = await connection.fetchrow("SELECT * FROM fund_balance WHERE fund_id = $1", fund)
        assert row is not None
        assert row["balance_fen"] == 1_000_000 - 23_000 * len(done)
        assert await connection.fetchval("SELECT count(*) FROM disbursement WHERE status = 'PAID'") == len(done)


async def test_plans_at_once_bind_each_fen_once(busy: Busy) -> None:
    funds = [await busy.books(lambda b, n=n: b.fund(f"基金{n}")) for n in range(3)]
    for fund in funds:
        for bounds in ({}, {"category": DISABLED}, {"category": POVERTY}):
            await busy.books(lambda b, fund=fund, bounds=bounds: b.gift(fund, 100, **bounds))

    async def plan(n: int) -> UUID:
        of = None if n % 3 else funds[n % len(funds)]
        given = AllocationInput("试验", 7_000, fund=of, category=(DISABLED, POVERTY)[n % 2], area=SHENHE)
        return await busy.do(busy.at.maker, lambda db: actions.create_allocation(db, given))

    done, refused = await settled(*(plan(n) for n in range(30)))
    assert done
    assert refused
    async with busy.pool.connection() as connection:
        await sound(connection)
        held = await connection.fetchval("SELECT sum(amount_fen) FROM allocation_line")
        assert held == 7_000 * len(done) <= 90_000
        free = await connection.fetchval("SELECT sum(amount_fen - allocated_fen) FROM donation")
        assert free == 90_000 - held
    assert all(p.code in ("INSUFFICIENT_FUNDS", "RESTRICTION_VIOLATION") for p in refused)


async def test_gifts_and_payments_of_several_funds_do_not_deadlock(busy: Busy) -> None:
    funds = [await busy.books(lambda b, n=n: b.fund(f"基金{n}")) for n in range(4)]
    for fund in funds:
        await busy.books(lambda b, fund=fund: b.gift(fund, 1_000))
    plan = await busy.books(lambda b: b.approved(4_000))
    chance = random.Random(3)

    async def gift(n: int) -> UUID:
        given = DonationInput(
            funds[n % 4],
            chance.randrange(1, 1_000),
            DonationChannel.DESIGNATED_PLATFORM,
            received_at=busy.now - timedelta(days=chance.randrange(90)),
            giver=DonorInput(DonorKind.PERSON, "赵试验"),
            external_txn=f"P-{n // 3}",
            restriction=Restriction(DISABLED) if n % 2 else Restriction(),
        )
        return await busy.do(busy.at.maker, lambda db: actions.record_donation(db, given))

    done, refused = await settled(*(gift(n) for n in range(60)), *(busy.payment(plan, 9_000) for _ in range(30)))
    assert {p.code for p in refused} <= {"PAYMENT_REF_CONFLICT"}
    async with busy.pool.connection() as connection:
        await sound(connection)
        gifts = await connection.fetch("SELECT external_txn, amount_fen FROM donation WHERE external_txn IS NOT NULL")
        assert len({r["external_txn"] for r in gifts}) == len(gifts) == 20
        received = await connection.fetchval("SELECT sum(received_fen) FROM fund_balance")
        assert received == 400_000 + sum(r["amount_fen"] for r in gifts)
        assert await connection.fetchval("SELECT sum(spent_fen) FROM fund_balance") == 270_000
    assert len(done) >= 50


async def test_one_notice_many_times_at_once_is_one_gift(busy: Busy) -> None:
    fund = await busy.books(lambda b: b.fund())
    given = DonationInput(
        fund,
        5_000,
        DonationChannel.OWN_SITE,
        giver=DonorInput(DonorKind.PERSON, "赵试验"),
        external_txn="P-1",
    )
    made = await asyncio.gather(
        *(busy.do(busy.at.maker, lambda db: actions.record_donation(db, given)) for _ in range(20))
    )
    assert len(set(made)) == 1
    async with busy.pool.connection() as connection:
        await sound(connection)
        assert await connection.fetchval("SELECT count(*) FROM donation") == 1
        assert await connection.fetchval("SELECT count(*) FROM donor") == 1
        assert await connection.fetchval("SELECT balance_fen FROM fund_balance WHERE fund_id = $1", fund) == 5_000


async def test_a_gift_is_reversed_or_bound_never_both(busy: Busy) -> None:
    fund = await busy.books(lambda b: b.fund())
    for _ in range(8):
        gift = await busy.books(lambda b: b.gift(fund, 10))
        given = AllocationInput("试验", 1_000, category=DISABLED, area=SHENHE)
        done, refused = await settled(
            busy.do(busy.at.checker, lambda db, gift=gift: actions.reverse_donation(db, gift, "重复登记")),
            busy.do(busy.at.maker, lambda db, given=given: actions.create_allocation(db, given)),
        )
        assert len(done) == len(refused) == 1
        async with busy.pool.connection() as connection:
            await sound(connection)
    assert InsufficientFunds.code == "INSUFFICIENT_FUNDS"
