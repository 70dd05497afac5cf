"""What becomes of payments: refused, failed, given up, confirmed by whom they concern; and who may say so."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from models.access import Actor, Role
from models.funds import actions
from models.funds.inputs import DonationInput, DonorInput
from models.funds.problems import MakerIsChecker
from models.funds.rules import Confirmation, DonationChannel, DonorKind
from models.people.problems import ConflictOfInterest
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound
from tests import make_funds as make
from tests.make_funds import COMMUNITY, Books

DONE = Confirmation.RECEIVED_CONFIRMED


@pytest.fixture
async def books(connection: asyncpg.Connection, now: datetime) -> Books:
    return Books(connection, now, await make.foundation(connection))


async def committed(books: Books, plan: UUID) -> tuple[int, int]:
    row = await books.connection.fetchrow("SELECT committed_fen, spent_fen FROM allocation WHERE id = $1", plan)
    assert row is not None
    return tuple(row)


async def status(books: Books, payment: UUID) -> str:
    found: str = await books.connection.fetchval("SELECT status FROM disbursement WHERE id = $1", payment)
    return found


async def test_refused_and_given_up_payments_free_the_plan(books: Books) -> None:
    at = books.at
    await books.gift(await books.fund(), 500)
    plan = await books.approved(500)
    refused = await books.payment(plan, 300)
    given_up = await books.payment(plan, 200)
    assert await committed(books, plan) == (50_000, 0)
    await actions.submit_disbursement(books.db(at.maker), refused)
    same = Actor(Role.FUND_CHECKER, at.maker.person, at.id)
    with pytest.raises(MakerIsChecker):
        await actions.reject_disbursement(books.db(same), refused, "金额有误")
    with pytest.raises(InvalidInput):
        await actions.reject_disbursement(books.db(at.checker), refused, " ")
    await actions.reject_disbursement(books.db(at.checker), refused, "金额有误")
    await actions.cancel_disbursement(books.db(at.maker), given_up)
    assert await committed(books, plan) == (0, 0)
    assert [await status(books, p) for p in (refused, given_up)] == ["REJECTED", "CANCELLED"]
    for payment in (refused, given_up):
        with pytest.raises(InvalidTransition):
            await actions.submit_disbursement(books.db(at.maker), payment)


async def test_a_failed_payment_may_be_given_up(books: Books) -> None:
    at = books.at
    await books.gift(await books.fund(), 500)
    plan = await books.approved(500)
    payment = await books.signed(plan, 500, authorise=False)
    with pytest.raises(InvalidTransition):
        await actions.settle_disbursement(books.db(at.maker), payment, "BK-1")
    await actions.pay_disbursement(books.db(at.maker), payment)
    with pytest.raises(InvalidTransition):
        await actions.cancel_disbursement(books.db(at.maker), payment)
    await actions.fail_disbursement(books.db(at.maker), payment, "账户名不符")
    await actions.cancel_disbursement(books.db(at.maker), payment)
    assert await committed(books, plan) == (0, 0)
    assert await books.connection.fetchval("SELECT count(*) FROM ledger_txn WHERE kind = 'SPENDING'") == 0


async def test_when_a_payment_was_made(books: Books) -> None:
    await books.gift(await books.fund(), 500)
    plan = await books.approved(500)
    payment = await books.signed(plan, 500, authorise=False)
    await actions.pay_disbursement(books.db(books.at.maker), payment)
    later = books.later(hours=5)
    for when in (books.now - timedelta(seconds=1), later.now + timedelta(seconds=1)):
        with pytest.raises(InvalidInput) as caught:
            await actions.settle_disbursement(later.db(books.at.maker), payment, "BK-1", when)
        assert caught.value.field == "paidAt"
    await actions.settle_disbursement(later.db(books.at.maker), payment, "BK-1", books.now + timedelta(hours=2))
    at = await books.connection.fetchval("SELECT at FROM ledger_txn WHERE kind = 'SPENDING'")
    assert at == books.now + timedelta(hours=2)


async def test_the_payee_and_those_around_him_confirm(books: Books, connection: asyncpg.Connection) -> None:
    await books.gift(await books.fund(), 500)
    plan = await books.approved(500, area=COMMUNITY)
    payee = await make.person(connection)
    resident = await make.resident(connection, payee)
    company = await make.organization(connection, "试验供应社", "SOCIAL_ORG")
    to_resident = await books.paid(plan, 1, payee_resident=resident)
    to_company = await books.paid(plan, 1, payee_organization=company)
    to_supplier = await books.paid(plan, 1)
    himself = Actor(Role.RESIDENT, payee, None, COMMUNITY)
    employee = Actor(Role.NGO_STAFF, await make.person(connection), company)
    worker = Actor(Role.SOCIAL_WORKER, await make.person(connection), None, COMMUNITY)
    elsewhere = Actor(Role.SOCIAL_WORKER, worker.person, None, "210103005025")

    for actor, payment in ((himself, to_supplier), (employee, to_resident), (elsewhere, to_resident)):
        with pytest.raises(NotFound):
            await actions.confirm_receipt(books.db(actor), payment, DONE)
    with pytest.raises(ConflictOfInterest):
        await actions.confirm_receipt(books.db(books.at.maker), to_supplier, DONE)
    for actor in (books.at.reporter, Actor(Role.VOLUNTEER, payee, None, COMMUNITY), Actor()):
        with pytest.raises(Forbidden):
            await actions.confirm_receipt(books.db(actor), to_resident, DONE)
    assert {await status(books, p) for p in (to_resident, to_company, to_supplier)} == {"PAID"}

    await actions.confirm_receipt(books.db(himself), to_resident, Confirmation.NOT_RECEIVED, "未到账")
    assert await status(books, to_resident) == "NOT_RECEIVED"
    await actions.confirm_receipt(books.db(himself), to_resident, DONE)
    await actions.confirm_receipt(books.db(employee), to_company, Confirmation.RECEIVED_WITH_ISSUES, "少一件")
    await actions.confirm_receipt(books.db(worker), to_supplier, DONE)
    row = await connection.fetchrow("SELECT status, confirmed_by, reason FROM disbursement WHERE id = $1", to_company)
    assert row is not None
    assert tuple(row) == ("RECEIVED_WITH_ISSUES", employee.person, "少一件")
    for payment in (to_resident, to_company, to_supplier):
        with pytest.raises(InvalidTransition):
            await actions.return_disbursement(books.db(books.at.maker), payment, "退回")
        await actions.close_disbursement(books.db(books.at.maker), payment)
        assert await status(books, payment) == "CLOSED"


async def test_events_carry_no_personal_data(books: Books) -> None:
    fund = await books.fund()
    db = books.db(books.at.maker)
    given = DonationInput(
        fund, 100, DonationChannel.GRANT, giver=DonorInput(DonorKind.PERSON, "赵试验"), designation="愿早日康复"
    )
    gift = await actions.record_donation(db, given)
    assert [(e.topic, e.subject, e.area, e.data) for e in db.events] == [
        ("donation.recorded", gift, None, {"fund": fund, "amount_fen": 100})
    ]
