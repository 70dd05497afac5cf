"""Verbs of disbursements: three pairs of hands, and the payee's word. `payments.py` has the bank's side."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.access import Role, may, seen
from models.base import INSTANT, table
from models.clock import day
from models.database import Db, Seen, Statement
from models.funds import inputs, queries
from models.funds.actions import allocations
from models.funds.inputs import DisbursementInput
from models.funds.problems import (
    AllocationExceeded,
    MakerIsChecker,
    PayeeIsApprover,
)
from models.funds.rules import (
    ALLOCATION_STEPS,
    CONFIRMING,
    DISBURSEMENT_STEPS,
    FINANCE,
    MAY,
    AllocationStatus,
    Confirmation,
    DisbursementStatus,
    needs_authoriser,
    same_hands,
    step,
)
from models.funds.tables import Allocation, AllocationLine, Disbursement, Donation, SpendTrace
from models.people.actions.interests import no_conflict
from models.people.organizations import Membership, Organization
from models.people.problems import ConflictOfInterest
from models.people.tables import Resident
from models.problems import Fen, Forbidden, InvalidInput, InvalidTransition, NotFound, refuses
from models.rules_text import clean

allocation, disbursement, donation = table(Allocation), table(Disbursement), table(Donation)
line, trace = table(AllocationLine), table(SpendTrace)
membership, organization, resident = table(Membership), table(Organization), table(Resident)

A_PAYEE = Seen(
    lambda viewer: sa.select(organization.c.id).where(
        organization.c.id == queries.ID, *seen(organization, "organization", viewer)
    )
)
A_RESIDENT = Statement(sa.select(resident.c.id, resident.c.person_id).where(resident.c.id == queries.ID))
"""The one who is paid: whoever pays him is given his id, and sees nothing of him."""
OF_PAYEE = Statement(
    sa.select(
        queries.belongs(
            membership.c,
            organization.c,
            sa.bindparam("payee", type_=sa.Uuid()),
            sa.any_(sa.bindparam("acting", type_=sa.ARRAY(sa.Uuid()))),
            sa.bindparam("today", type_=sa.Date()),
        )
    )
)
"""Whether somebody who acts is of the organization that is paid."""
INSERT = Statement(
    sa.insert(disbursement)
    .from_select(
        [
            "organization_id",
            "allocation_id",
            "area",
            "requested_by",
            "requester_organization_id",
            "sealed",
            "spending",
            "needs_authoriser",
            "payee_name",
            "payee_organization_id",
            "payee_resident_id",
            "payee_person_id",
            "amount_fen",
            "purpose",
            "maker_id",
            "made_at",
        ],
        sa.select(
            allocation.c.organization_id,
            allocation.c.id,
            allocation.c.area,
            allocation.c.requested_by,
            allocation.c.requester_organization_id,
            allocation.c.sealed,
            allocation.c.spending,
            sa.bindparam("needs_authoriser", type_=sa.Boolean()),
            sa.bindparam("payee_name", type_=sa.Text()),
            sa.bindparam("payee_organization", type_=sa.Uuid()),
            sa.bindparam("payee_resident", type_=sa.Uuid()),
            sa.bindparam("payee_person", type_=sa.Uuid()),
            sa.bindparam("amount", type_=sa.BigInteger()),
            sa.bindparam("purpose", type_=sa.Text()),
            sa.bindparam("by", type_=sa.Uuid()),
            sa.bindparam("now", type_=INSTANT),
        ).where(allocation.c.id == queries.ID),
        include_defaults=False,
    )
    .returning(disbursement.c.id)
)
COMMIT = Statement(
    sa.update(allocation)
    .where(allocation.c.id == queries.ID)
    .values(
        committed_fen=allocation.c.committed_fen + sa.bindparam("amount", type_=sa.BigInteger()),
        status=sa.bindparam("status", type_=sa.Text()),
    )
)
FREE = Statement(
    sa.update(allocation)
    .where(allocation.c.id == queries.ID)
    .values(committed_fen=allocation.c.committed_fen - sa.bindparam("amount", type_=sa.BigInteger()))
)


def moving(**values: Any) -> Statement:
    """A step's UPDATE: the state, and what else the step writes."""
    return Statement(
        sa.update(disbursement)
        .where(disbursement.c.id == queries.ID)
        .values(status=sa.bindparam("status", type_=sa.Text()), **values)
    )


BY, NOW = sa.bindparam("by", type_=sa.Uuid()), sa.bindparam("now", type_=INSTANT)
REASON = sa.bindparam("reason", type_=sa.Text())
MOVE = moving()
CHECK = moving(checker_id=BY, checked_at=NOW)
AUTHORISE = moving(authoriser_id=BY, authorised_at=NOW)
EXPLAIN = moving(reason=REASON)
CONFIRM = moving(
    confirmation=sa.bindparam("status", type_=sa.Text()),
    confirmed_by=BY,
    confirmed_at=NOW,
    reason=sa.func.coalesce(REASON, disbursement.c.reason),
)


async def own(db: Db, id: UUID) -> Any:
    """A disbursement of the actor's foundation, not yet locked. Raises NotFound, and Forbidden for another's."""
    found = await db.one(queries.PEEK_DISBURSEMENT, id=id)
    if found is None:
        raise NotFound("该笔支出")
    if found["organization_id"] != db.actor.organization:
        raise Forbidden()
    return found


async def locked(db: Db, id: UUID, *, money: bool = False) -> tuple[Any, Any]:
    """A disbursement of the actor's foundation and its allocation, locked; `money`: the funds behind them first."""
    plan_id = (await own(db, id))["allocation_id"]
    if money:
        await db.all(queries.LOCK_HELD, id=plan_id)
    plan = await allocations.lock(db, plan_id)
    payment = await db.one(queries.LOCK_DISBURSEMENT, id=id)
    assert payment is not None
    return payment, plan


async def not_of_payee(db: Db, payee: UUID | None, acting: list[UUID]) -> None:
    """Raises PayeeIsApprover when who acts is staff or contact of the organization that is paid."""
    if payee is not None and await db.value(OF_PAYEE, payee=payee, acting=acting, today=day(db.now)):
        raise PayeeIsApprover()


async def hands(db: Db, payment: Any, *more: UUID | None) -> None:
    """Raises MakerIsChecker when one person would act twice, PayeeIsApprover when the payee would act,
    ConflictOfInterest when somebody close to him would (I17)."""
    acting = [payment["maker_id"], payment["checker_id"], payment["authoriser_id"], *more]
    if same_hands(*acting):
        raise MakerIsChecker()
    acted = [a for a in acting if a is not None]
    if payment["payee_person_id"] in acted:
        raise PayeeIsApprover()
    await not_of_payee(db, payment["payee_organization_id"], acted)
    paid = {"concerns": [payment["payee_person_id"]], "organizations": [payment["payee_organization_id"]]}
    await no_conflict(db, acting=acted, **paid)


@may(MAY["disbursement.create"])
@refuses(InvalidTransition, AllocationExceeded, PayeeIsApprover, ConflictOfInterest)
async def create_disbursement(db: Db, given: DisbursementInput) -> UUID:
    """Plans a payment out of an approved allocation, as its maker."""
    given = inputs.disbursement(given)
    await allocations.own(db, given.allocation)
    plan = await allocations.lock(db, given.allocation)
    after: AllocationStatus = step(ALLOCATION_STEPS, "spend", plan["status"])
    left = plan["amount_fen"] - plan["committed_fen"]
    if given.amount_fen > left:
        raise AllocationExceeded(available=Fen(left))
    person = None
    if given.payee_resident is not None:
        payee = await db.one(A_RESIDENT, id=given.payee_resident)
        if payee is None:
            raise NotFound("该收款居民")
        person = payee["person_id"]
    if given.payee_organization is not None and await db.value(A_PAYEE, id=given.payee_organization) is None:
        raise NotFound("该收款组织")
    assert db.actor.person is not None
    if person == db.actor.person:
        raise PayeeIsApprover()
    await not_of_payee(db, given.payee_organization, [db.actor.person])
    await no_conflict(db, concerns=[person], organizations=[given.payee_organization])
    made: UUID = await db.value(
        INSERT,
        id=given.allocation,
        needs_authoriser=needs_authoriser(plan["amount_fen"]),
        payee_name=given.payee_name,
        payee_organization=given.payee_organization,
        payee_resident=given.payee_resident,
        payee_person=person,
        amount=given.amount_fen,
        purpose=given.purpose,
        by=db.actor.person,
    )
    await db.one(COMMIT, id=given.allocation, amount=given.amount_fen, status=after)
    db.tell("disbursement.created", made, area=plan["area"])
    return made


@may(MAY["disbursement.submit"])
@refuses(InvalidTransition)
async def submit_disbursement(db: Db, id: UUID) -> UUID:
    """Hands a payment to the checker."""
    return await _simply(db, id, "submit", "disbursement.submitted")


@may(MAY["disbursement.approve"])
@refuses(InvalidTransition, MakerIsChecker, PayeeIsApprover, ConflictOfInterest)
async def approve_disbursement(db: Db, id: UUID) -> UUID:
    """Checks a payment, as somebody else than its maker."""
    return await _signed(db, id, "approve", CHECK, "disbursement.approved")


@may(MAY["disbursement.authorise"])
@refuses(InvalidTransition, MakerIsChecker, PayeeIsApprover, ConflictOfInterest)
async def authorise_disbursement(db: Db, id: UUID) -> UUID:
    """Authorises a payment, as somebody else than its maker and its checker."""
    return await _signed(db, id, "authorise", AUTHORISE, "disbursement.authorised")


@may(MAY["disbursement.reject"])
@refuses(InvalidTransition, MakerIsChecker)
async def reject_disbursement(db: Db, id: UUID, reason: str) -> UUID:
    """Refuses a payment, as its checker or authoriser; the allocation has its money again."""
    reason = clean(reason, "reason", most=500, least=2)
    payment, plan = await locked(db, id)
    after = step(DISBURSEMENT_STEPS, "reject", payment["status"])
    if same_hands(payment["maker_id"], db.actor.person):
        raise MakerIsChecker()
    await db.one(EXPLAIN, id=id, status=after, reason=reason)
    await db.one(FREE, id=plan["id"], amount=payment["amount_fen"])
    db.tell("disbursement.rejected", id, area=plan["area"])
    return id


@may(MAY["disbursement.cancel"])
@refuses(InvalidTransition)
async def cancel_disbursement(db: Db, id: UUID) -> UUID:
    """Gives a payment up before any money left; the allocation has its money again."""
    payment, plan = await locked(db, id)
    after = step(DISBURSEMENT_STEPS, "cancel", payment["status"])
    await db.one(MOVE, id=id, status=after)
    await db.one(FREE, id=plan["id"], amount=payment["amount_fen"])
    db.tell("disbursement.cancelled", id, area=plan["area"])
    return id


@may(MAY["disbursement.confirm"])
@refuses(InvalidTransition, ConflictOfInterest)
async def confirm_receipt(db: Db, id: UUID, outcome: Confirmation, note: str | None = None) -> UUID:
    """Writes down what became of a payment: by its payee, by staff of the area, by who asked for it, or by the foundation's
    people; not by its maker, who would vouch for himself."""
    note = inputs.optional(note, "note", most=500)
    if outcome is not Confirmation.RECEIVED_CONFIRMED and note is None:
        raise InvalidInput(field="note", reason="请说明存在的问题。")
    payment = await db.one(queries.PEEK_DISBURSEMENT, id=id)
    if payment is None:
        raise NotFound("该笔支出")
    if not _concerned(db, payment):
        raise Forbidden()
    await no_conflict(db, made_by=[payment["maker_id"]])
    payment = await db.one(queries.LOCK_DISBURSEMENT, id=id)
    assert payment is not None
    after: DisbursementStatus = step(DISBURSEMENT_STEPS, CONFIRMING[outcome], payment["status"])
    await db.one(CONFIRM, id=id, status=after, by=db.actor.person, reason=note)
    db.tell("disbursement.confirmed", id, area=payment["area"], outcome=outcome)
    return id


def _concerned(db: Db, payment: Any) -> bool:
    """Whether the actor, who sees a payment, may say that it came."""
    actor = db.actor
    if actor.role in FINANCE:
        return bool(payment["organization_id"] == actor.organization)
    if actor.role is Role.NGO_STAFF:
        return actor.organization in (payment["payee_organization_id"], payment["requester_organization_id"])
    if actor.role is Role.RESIDENT:
        return bool(payment["payee_person_id"] == actor.person)
    return True


@may(MAY["disbursement.close"])
@refuses(InvalidTransition)
async def close_disbursement(db: Db, id: UUID) -> UUID:
    """Files a payment that its payee has confirmed."""
    return await _simply(db, id, "close", "disbursement.closed")


async def _simply(db: Db, id: UUID, name: str, topic: str) -> UUID:
    """A step that writes nothing but the state."""
    payment, plan = await locked(db, id)
    await db.one(MOVE, id=id, status=step(DISBURSEMENT_STEPS, name, payment["status"]))
    db.tell(topic, id, area=plan["area"])
    return id


async def _signed(db: Db, id: UUID, name: str, statement: Statement, topic: str) -> UUID:
    """A step that another pair of hands takes."""
    payment, plan = await locked(db, id)
    after = step(DISBURSEMENT_STEPS, name, payment["status"])
    await hands(db, payment, db.actor.person)
    await db.one(statement, id=id, status=after, by=db.actor.person)
    db.tell(topic, id, area=plan["area"])
    return id
