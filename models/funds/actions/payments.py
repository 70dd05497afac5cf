"""Verbs of payments: the bank pays, fails or sends back; each payment is posted, and traced to its gifts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models import clock
from models.access import may
from models.base import INSTANT, table
from models.database import Db, Statement
from models.funds import inputs, queries
from models.funds.actions import allocations
from models.funds.actions.allocations import restriction
from models.funds.actions.disbursements import EXPLAIN, NOW, locked, moving
from models.funds.actions.ledger import post, undo
from models.funds.books import Part, Spending, TxnKind, spending
from models.funds.problems import AlreadyReversed, AuthorisationRequired, BankRefUsed, RestrictionViolation
from models.funds.restrictions import Purpose, Share, take
from models.funds.rules import (
    AUTHORISE_ABOVE_FEN,
    DISBURSEMENT_STEPS,
    MAY,
    AllocationStatus,
    DisbursementStatus,
    step,
)
from models.funds.tables import Allocation, AllocationLine, Disbursement, DisbursementLine, Donation, SpendTrace
from models.people.actions.interests import no_conflict
from models.people.problems import ConflictOfInterest
from models.problems import Fen, InvalidTransition, refuses
from models.rules_text import clean

allocation, disbursement, donation = table(Allocation), table(Disbursement), table(Donation)
line, trace, held = table(AllocationLine), table(SpendTrace), table(DisbursementLine)

HAND = moving(handed_at=NOW, attempts=disbursement.c.attempts + 1)
SETTLE = moving(paid_at=sa.bindparam("paid_at", type_=INSTANT), bank_ref=sa.bindparam("bank_ref", type_=sa.Text()))
shares = (
    sa.func.unnest(
        sa.bindparam("lines", type_=sa.ARRAY(sa.Uuid())),
        sa.bindparam("amounts", type_=sa.ARRAY(sa.BigInteger())),
    )
    .table_valued(sa.column("line_id", sa.Uuid()), sa.column("fen", sa.BigInteger()), name="shares")
    .render_derived()
)
COPIED = ("organization_id", "title", "spending", "category_code", "area", "requested_by", "sealed")
"""What a trace repeats of its allocation."""
TRACE = Statement(
    sa.insert(trace).from_select(
        [
            "donation_id",
            "disbursement_id",
            "line_id",
            "fund_id",
            "amount_fen",
            "at",
            "on_day",
            *COPIED,
            "donor_person_id",
        ],
        sa.select(
            donation.c.id,
            disbursement.c.id,
            line.c.id,
            line.c.fund_id,
            shares.c.fen,
            disbursement.c.paid_at,
            sa.bindparam("on", type_=sa.Date()),
            *(allocation.c[name] for name in COPIED),
            donation.c.person_id,
        )
        .select_from(
            shares.join(line, line.c.id == shares.c.line_id)
            .join(donation, donation.c.id == line.c.donation_id)
            .join(allocation, allocation.c.id == line.c.allocation_id)
            .join(disbursement, disbursement.c.allocation_id == allocation.c.id)
        )
        .where(disbursement.c.id == queries.ID)
        .order_by(line.c.position),
        include_defaults=False,
    )
)
HOLD = Statement(
    sa.insert(held).from_select(
        ["disbursement_id", "line_id", "amount_fen"],
        sa.select(queries.ID, shares.c.line_id, shares.c.fen),
        include_defaults=False,
    )
)
KEEP = Statement(sa.update(line).where(line.c.id == shares.c.line_id).values(held_fen=line.c.held_fen + shares.c.fen))
LET_GO = Statement(
    sa.update(line)
    .where(held.c.line_id == line.c.id, held.c.disbursement_id == queries.ID)
    .values(held_fen=line.c.held_fen - held.c.amount_fen)
)
UNHOLD = Statement(sa.delete(held).where(held.c.disbursement_id == queries.ID))
KEPT = ("donation_id", "disbursement_id", "line_id", "fund_id", *COPIED, "donor_person_id")
UNTRACE = Statement(
    sa.insert(trace).from_select(
        [*KEPT, "amount_fen", "at", "on_day", "reverses_id"],
        sa.select(
            *(trace.c[name] for name in KEPT),
            -trace.c.amount_fen,
            NOW,
            sa.bindparam("on", type_=sa.Date()),
            trace.c.id,
        ).where(trace.c.disbursement_id == queries.ID, trace.c.reverses_id.is_(None)),
        include_defaults=False,
    )
)


def admitted(lines: Sequence[Any], amount_fen: int, plan: Any, on: date) -> list[Share[Any]]:
    """What a payment takes of each line, in their order. Raises RestrictionViolation where a gift does not admit it."""
    taken, missing = take((Share(r, r["rest"]) for r in lines), amount_fen)
    assert missing == 0, "an allocation holds what its disbursements take"
    purpose = Purpose(plan["category_code"], plan["area"], on)
    for share in taken:
        why = restriction(share.of).refusal(purpose)
        if why:
            fit = sum(r["rest"] for r in lines if restriction(r).admits(purpose))
            raise RestrictionViolation(reason=f"捐赠 {share.of['no']} {why}", available=Fen(fit))
    return taken


async def let_go(db: Db, id: UUID) -> None:
    """A payment is at the bank no more: what it held of its allocation's lines is free again."""
    await db.one(LET_GO, id=id)
    await db.one(UNHOLD, id=id)


async def _unconcerned(db: Db, payment: Any) -> None:
    """Raises ConflictOfInterest when the actor is paid, or is close to, or of, whoever is (I17)."""
    await no_conflict(db, concerns=[payment["payee_person_id"]], organizations=[payment["payee_organization_id"]])


@may(MAY["disbursement.pay"])
@refuses(InvalidTransition, AuthorisationRequired, RestrictionViolation, ConflictOfInterest)
async def pay_disbursement(db: Db, id: UUID) -> UUID:
    """Hands a payment to the bank, for the first time or again after a failure. No money has moved yet.

    The gifts whose turn it is must admit it today. It holds them until it settles or fails: no other payment takes them.
    """
    payment, plan = await locked(db, id)
    after = step(DISBURSEMENT_STEPS, "pay", payment["status"])
    if payment["needs_authoriser"] and payment["authoriser_id"] is None:
        raise AuthorisationRequired(threshold=Fen(AUTHORISE_ABOVE_FEN))
    await _unconcerned(db, payment)
    taken = admitted(await db.all(queries.LINES, id=plan["id"]), payment["amount_fen"], plan, clock.day(db.now))
    chosen = {"lines": [s.of["id"] for s in taken], "amounts": [s.fen for s in taken]}
    await db.one(HOLD, id=id, **chosen)
    await db.one(KEEP, **chosen)
    await db.one(HAND, id=id, status=after)
    db.tell("disbursement.handed", id, area=plan["area"])
    return id


@may(MAY["disbursement.settle"])
@refuses(InvalidTransition, BankRefUsed, ConflictOfInterest)
async def settle_disbursement(db: Db, id: UUID, bank_ref: str, paid_at: datetime | None = None) -> UUID:
    """Writes down that the bank paid: posts it, and traces it to the gifts that it has held since it was handed over.

    What counts for a gift's window is the day of that, when the gifts were asked whether they admit it: the money has
    left, and a bank that settles after a gift's last day changes nothing.
    """
    bank_ref = clean(bank_ref, "bankRef", most=100, least=2)
    payment, plan = await locked(db, id, money=True)
    after = step(DISBURSEMENT_STEPS, "settle", payment["status"])
    paid_at = inputs.happened(paid_at, db.now, "paidAt", since=payment["handed_at"])
    await _unconcerned(db, payment)
    taken = await db.all(queries.HELD, id=id)
    await let_go(db, id)
    try:
        await db.one(SETTLE, id=id, status=after, paid_at=paid_at, bank_ref=bank_ref)
    except asyncpg.UniqueViolationError:
        raise BankRefUsed() from None
    chosen = {"lines": [h["line_id"] for h in taken], "amounts": [h["amount_fen"] for h in taken]}
    await db.one(TRACE, id=id, on=clock.day(payment["handed_at"]), **chosen)
    parts = [Part(h["fund_id"], h["amount_fen"], h["restricted"]) for h in taken]
    entries = spending(parts, Spending(payment["spending"]))
    await post(db, plan["organization_id"], TxnKind.SPENDING, paid_at, entries, disbursement=id)
    db.tell("disbursement.paid", id, area=plan["area"], amount_fen=payment["amount_fen"])
    return id


@may(MAY["disbursement.fail"])
@refuses(InvalidTransition)
async def fail_disbursement(db: Db, id: UUID, reason: str) -> UUID:
    """Writes down that the bank could not pay. It may be paid again, or cancelled."""
    reason = clean(reason, "reason", most=500, least=2)
    payment, plan = await locked(db, id)
    after = step(DISBURSEMENT_STEPS, "fail", payment["status"])
    await let_go(db, id)
    await db.one(EXPLAIN, id=id, status=after, reason=reason)
    db.tell("disbursement.failed", id, area=plan["area"])
    return id


@may(MAY["disbursement.return"])
@refuses(InvalidTransition, AlreadyReversed)
async def return_disbursement(db: Db, id: UUID, reason: str) -> UUID:
    """Writes down that a payment came back: a balanced posting, and the trace taken back from its gifts."""
    reason = clean(reason, "reason", most=500, least=2)
    payment, plan = await locked(db, id, money=True)
    if payment["status"] == DisbursementStatus.RETURNED:
        raise AlreadyReversed()
    after = step(DISBURSEMENT_STEPS, "return", payment["status"])
    await db.one(EXPLAIN, id=id, status=after, reason=reason)
    await db.one(UNTRACE, id=id, on=clock.day(db.now))
    organization_id = plan["organization_id"]
    await undo(db, organization_id, TxnKind.SPENDING, TxnKind.SPENDING_RETURN, disbursement=id)
    if plan["status"] == AllocationStatus.CLOSED:
        await allocations.release(db, plan["id"])
    db.tell("disbursement.returned", id, area=plan["area"], amount_fen=payment["amount_fen"])
    return id
