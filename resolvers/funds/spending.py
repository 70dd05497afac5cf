"""The types of money that goes out: allocations and the gifts they hold, payments, and the trace between them."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
import strawberry

from models.access import FUND_ROLES, Role
from models.files import tables as files
from models.funds import queries, tables
from models.funds.books import Spending
from models.funds.rules import (
    ALLOCATION_STEPS,
    DISBURSEMENT_STEPS,
    AllocationStatus,
    Confirmation,
    DisbursementStatus,
)
from resolvers.attached import attached
from resolvers.common import Connection, Money, Node, money
from resolvers.engine import words as w
from resolvers.funds.types import Donation, Fund
from resolvers.people import Organization, Person, Resident
from resolvers.territory import Division

if TYPE_CHECKING:
    from resolvers.exchange import Need, ServiceCategory
    from resolvers.files import Attachment

SPENDABLE = tuple(status for name, status in ALLOCATION_STEPS if name == "spend")


@w.entity(tables.SpendTrace, "trace")
@strawberry.type(description="That so much of one gift was spent by one payment. 资金去向。")
class SpendTrace(Node):
    donation: Donation | None = w.one(tables.SpendTrace.donation_id, description="The gift.")
    public_name: str = w.expression(
        lambda row: sa.func.gift_public_name(row.donation_id, type_=sa.Text()),
        description="The name under which the gift is published, as its donor allowed; known to whoever sees the trace.",
    )
    disbursement: Disbursement | None = w.one(tables.SpendTrace.disbursement_id, description="The payment.")
    fund: Fund = w.one(tables.SpendTrace.fund_id, description="The fund that the gift was in.")
    amount: Money = money(tables.SpendTrace.amount_fen, description="How much; negative where the payment came back.")
    at: datetime = w.column(tables.SpendTrace.at, description="When it was paid, or came back.")
    on_day: date = w.column(
        tables.SpendTrace.on_day,
        description="The day in Shanghai on which it was handed to the bank, or came back: what a gift's window is held against.",
    )
    title: str = w.column(tables.SpendTrace.title, description="What it was for: the allocation's title.")
    spending: Spending = w.column(tables.SpendTrace.spending, description="What kind of spending it was.")
    category: Annotated[ServiceCategory, strawberry.lazy("resolvers.exchange")] | None = w.one(
        "category_code", target="code", description="The service category that it served."
    )
    division: Division | None = w.one("area", target="code", description="Whose people it served.")


@strawberry.type(description="What the caller may do with an allocation now.")
class AllocationCan:
    submit: bool = w.expression(
        lambda row, view: queries.may(row, view.actor, "allocation.submit", ALLOCATION_STEPS),
        description="`allocationSubmit`.",
    )
    approve: bool = w.expression(
        lambda row, view: queries.may(
            row, view.actor, "allocation.approve", ALLOCATION_STEPS, row.requested_by, row.submitted_by
        ),
        description="`allocationApprove`.",
    )
    reject: bool = w.expression(
        lambda row, view: queries.may(row, view.actor, "allocation.reject", ALLOCATION_STEPS, row.requested_by),
        description="`allocationReject`.",
    )
    close: bool = w.expression(
        lambda row, view: sa.and_(
            queries.may(row, view.actor, "allocation.close", ALLOCATION_STEPS), row.committed_fen == row.spent_fen
        ),
        description="`allocationClose`.",
    )
    spend: bool = w.expression(
        lambda row, view: sa.and_(
            queries.may(row, view.actor, "disbursement.create", {("create", s): s for s in SPENDABLE}),
            row.committed_fen < row.amount_fen,
        ),
        description="`disbursementCreate`.",
    )


@w.entity(tables.AllocationLine, "line")
@strawberry.type(description="The part of one gift that an allocation holds. 拨付明细。")
class AllocationLine(Node):
    allocation: Allocation = w.one(tables.AllocationLine.allocation_id, description="The allocation.")
    donation: Donation | None = w.one(tables.AllocationLine.donation_id, description="The gift.")
    fund: Fund = w.one(tables.AllocationLine.fund_id, description="The fund that the gift is in.")
    position: int = w.column(
        tables.AllocationLine.position, description="Where it stands: payments consume the lines in this order."
    )
    amount: Money = money(tables.AllocationLine.amount_fen, description="How much of the gift it holds.")
    consumed: Money = money(tables.AllocationLine.consumed_fen, description="How much of that is spent.")
    returned: Money = money(
        tables.AllocationLine.returned_fen, description="How much went back to the gift unspent when it ended."
    )


@w.entity(tables.Allocation, "allocation")
@strawberry.type(description="So much money for a purpose, out of gifts that admit it. 拨付计划。")
class Allocation(Node):
    no: str = w.column(tables.Allocation.no, description="Its number.")
    title: str = w.column(tables.Allocation.title, description="What it is called.")
    purpose: str | None = w.column(tables.Allocation.purpose, description="What it is for, in words.")
    organization: Organization | None = w.one(tables.Allocation.organization_id, description="The foundation.")
    fund: Fund | None = w.one(
        tables.Allocation.fund_id,
        description="The one fund whose gifts it may take; null where any of the foundation's may serve: `lines` has their funds.",
    )
    spending: Spending = w.column(tables.Allocation.spending, description="What kind of spending it is.")
    category: Annotated[ServiceCategory, strawberry.lazy("resolvers.exchange")] | None = w.one(
        "category_code", target="code", description="The service category; null for management and fundraising."
    )
    division: Division = w.one("area", target="code", description="Whose people it is for.")
    need: Annotated[Need, strawberry.lazy("resolvers.exchange")] | None = w.one(
        tables.Allocation.need_id, description="The need that it is for, where it is for one that the caller sees."
    )
    amount: Money = money(tables.Allocation.amount_fen, description="The total.")
    committed: Money = money(
        tables.Allocation.committed_fen, description="What its payments hold, the spent part included."
    )
    spent: Money = money(tables.Allocation.spent_fen, description="What is paid.")
    left: Money = money(
        lambda row: row.amount_fen - row.committed_fen, description="What no payment holds yet, or any more."
    )
    status: AllocationStatus = w.column(tables.Allocation.status, description="Its state.")
    requested_by: Person | None = w.one(tables.Allocation.requested_by, description="Who asked for it, masked.")
    requester_organization: Organization | None = w.one(
        tables.Allocation.requester_organization_id, description="For whom, where it was not the foundation itself."
    )
    requested_at: datetime = w.column(tables.Allocation.requested_at, description="When it was asked for.")
    submitted_at: datetime | None = w.column(
        tables.Allocation.submitted_at, description="When it was last handed in for approval."
    )
    approved_by: Person | None = w.one(tables.Allocation.approved_by, description="Who approved it, masked.")
    approved_at: datetime | None = w.column(tables.Allocation.approved_at, description="When it was approved.")
    closed_at: datetime | None = w.column(tables.Allocation.closed_at, description="When it was closed or rejected.")
    reason: str | None = w.column(tables.Allocation.reason, description="Why it was rejected.")
    lines: list[AllocationLine] = w.many(
        tables.AllocationLine.allocation_id,
        order=(tables.AllocationLine.position,),
        limit=100,
        default=10,
        description="The gifts that it holds, in the order in which they are consumed.",
    )
    disbursements: Connection[Disbursement] = w.connection(
        tables.Disbursement.allocation_id,
        order=(tables.Disbursement.made_at,),
        description="Its payments, oldest first.",
    )
    attachments: list[Annotated[Attachment, strawberry.lazy("resolvers.files")]] = attached(
        files.Attachment.allocation_id, "allocation"
    )
    viewer_can: AllocationCan = w.inside(description="What the caller may do with it now.")


@strawberry.type(description="What the caller may do with a payment now.")
class DisbursementCan:
    submit: bool = w.expression(
        lambda row, view: queries.may(row, view.actor, "disbursement.submit", DISBURSEMENT_STEPS),
        description="`disbursementSubmit`.",
    )
    approve: bool = w.expression(
        lambda row, view: queries.may_sign(row, view, "disbursement.approve", DISBURSEMENT_STEPS, row.maker_id),
        description="`disbursementApprove`.",
    )
    authorise: bool = w.expression(
        lambda row, view: queries.may_sign(
            row, view, "disbursement.authorise", DISBURSEMENT_STEPS, row.maker_id, row.checker_id
        ),
        description="`disbursementAuthorise`.",
    )
    reject: bool = w.expression(
        lambda row, view: queries.may(row, view.actor, "disbursement.reject", DISBURSEMENT_STEPS, row.maker_id),
        description="`disbursementReject`.",
    )
    pay: bool = w.expression(
        lambda row, view: sa.and_(
            queries.may(row, view.actor, "disbursement.pay", DISBURSEMENT_STEPS),
            sa.or_(sa.not_(row.needs_authoriser), row.authoriser_id.is_not(None)),
        ),
        description="`disbursementPay`.",
    )
    settle: bool = w.expression(
        lambda row, view: queries.may(row, view.actor, "disbursement.settle", DISBURSEMENT_STEPS),
        description="`disbursementSettle` and `disbursementFail`.",
    )
    cancel: bool = w.expression(
        lambda row, view: queries.may(row, view.actor, "disbursement.cancel", DISBURSEMENT_STEPS),
        description="`disbursementCancel`.",
    )
    confirm: bool = w.expression(
        lambda row, view: queries.may_confirm(row, view.actor), description="`disbursementConfirmReceipt`."
    )
    return_: bool = w.expression(
        lambda row, view: queries.may(row, view.actor, "disbursement.return", DISBURSEMENT_STEPS),
        name="return",
        description="`disbursementReturn`.",
    )
    close: bool = w.expression(
        lambda row, view: queries.may(row, view.actor, "disbursement.close", DISBURSEMENT_STEPS),
        description="`disbursementClose`.",
    )


@w.entity(tables.Disbursement, "disbursement")
@strawberry.type(description="A payment out of an allocation, and the hands that it passed. 支出。")
class Disbursement(Node):
    no: str = w.column(tables.Disbursement.no, description="Its number.")
    allocation: Allocation | None = w.one(
        tables.Disbursement.allocation_id, description="The allocation that it is paid out of."
    )
    organization: Organization | None = w.one(tables.Disbursement.organization_id, description="The foundation.")
    spending: Spending = w.column(tables.Disbursement.spending, description="What kind of spending it is.")
    division: Division | None = w.one("area", target="code", description="Whose people it is for.")
    payee_name: str | None = w.column(
        tables.Disbursement.payee_name, description="The supplier who is paid, where it is one."
    )
    payee_organization: Organization | None = w.one(
        tables.Disbursement.payee_organization_id, description="The organization that is paid, where it is one."
    )
    payee_resident: Resident | None = w.one(
        tables.Disbursement.payee_resident_id, description="The resident who is paid, for callers who see him."
    )
    amount: Money = money(tables.Disbursement.amount_fen, description="How much.")
    purpose: str | None = w.column(tables.Disbursement.purpose, description="What for, in words.")
    status: DisbursementStatus = w.column(tables.Disbursement.status, description="Its state.")
    needs_authoriser: bool = w.column(
        tables.Disbursement.needs_authoriser, description="Whether the allocation's total is above the threshold."
    )
    maker: Person | None = w.one(tables.Disbursement.maker_id, description="Who made it, masked.")
    made_at: datetime = w.column(tables.Disbursement.made_at, description="When it was made.")
    checker: Person | None = w.one(tables.Disbursement.checker_id, description="Who checked it, masked.")
    checked_at: datetime | None = w.column(tables.Disbursement.checked_at, description="When it was checked.")
    authoriser: Person | None = w.one(tables.Disbursement.authoriser_id, description="Who authorised it, masked.")
    authorised_at: datetime | None = w.column(tables.Disbursement.authorised_at, description="When it was authorised.")
    attempts: int = w.column(tables.Disbursement.attempts, description="How often it was handed to the bank.")
    handed_at: datetime | None = w.column(
        tables.Disbursement.handed_at, description="When it was last handed to the bank."
    )
    paid_at: datetime | None = w.column(tables.Disbursement.paid_at, description="When the bank paid.")
    bank_ref: str | None = w.expression(
        lambda row, view: (
            row.bank_ref
            if view.actor.role in FUND_ROLES or view.actor.role is Role.AUDITOR
            else sa.cast(sa.null(), sa.Text())
        ),
        description="The bank's number; for the foundation and auditors.",
    )
    confirmation: Confirmation | None = w.column(
        tables.Disbursement.confirmation, description="What became of it at the payee's end; null while nobody said."
    )
    confirmed_by: Person | None = w.one(tables.Disbursement.confirmed_by, description="Who said so, masked.")
    confirmed_at: datetime | None = w.column(tables.Disbursement.confirmed_at, description="When he said so.")
    reason: str | None = w.column(
        tables.Disbursement.reason,
        description="Why it was rejected, failed or came back, or what the payee found wrong: the last of these.",
    )
    traces: list[SpendTrace] = w.many(
        tables.SpendTrace.disbursement_id,
        order=(tables.SpendTrace.at,),
        limit=100,
        default=10,
        description="The gifts that it consumed, in the allocation's order.",
    )
    attachments: list[Annotated[Attachment, strawberry.lazy("resolvers.files")]] = attached(
        files.Attachment.disbursement_id, "payment"
    )
    viewer_can: DisbursementCan = w.inside(description="What the caller may do with it now.")
