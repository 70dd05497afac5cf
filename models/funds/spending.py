"""How money goes out: allocations and the gifts they hold, disbursements, and the trace from gifts to payments.

`requested_by`, `area` and `sealed` are repeated in each row, so that no rule of visibility needs a join.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from models.base import APPEND_ONLY, Table, check, choice, chosen, count, fen, flag, instant, key, text, to
from models.exchange.tables import ROOM, numbered
from models.funds.books import Spending
from models.funds.rules import HANDED_OVER, AllocationStatus, Confirmation, DisbursementStatus

HANDED_OVER_SQL = "status NOT IN (" + ", ".join(f"'{s.value}'" for s in HANDED_OVER) + ")"
FROM_ZERO = {"server_default": sa.text("0")}


class Allocation(Table, table=True):
    """拨付计划: so much money for a purpose, out of gifts that admit it."""

    __tablename__ = "allocation"
    __table_args__ = (
        sa.UniqueConstraint("no"),
        sa.ForeignKeyConstraint(["fund_id", "organization_id"], ["fund.id", "fund.organization_id"]),
        chosen("spending", Spending),
        chosen("status", AllocationStatus),
        check("amount", "amount_fen > 0"),
        check("spent", "spent_fen >= 0 AND spent_fen <= committed_fen AND committed_fen <= amount_fen"),
        check("category", "(spending = 'CHARITY') = (category_code IS NOT NULL)"),
        check("hands", "approved_by <> requested_by AND approved_by <> submitted_by"),
        check("approved", "status NOT IN ('APPROVED', 'ACTIVE') OR approved_by IS NOT NULL"),
        check("closed", "status NOT IN ('CLOSED', 'REJECTED') OR committed_fen = spent_fen"),
        sa.Index(
            "ix_allocation_organization_newest",
            "organization_id",
            sa.text("requested_at DESC"),
            sa.text("id DESC"),
            "status",
        ),
        sa.Index("ix_allocation_newest", sa.text("requested_at DESC"), sa.text("id DESC"), "status"),
        sa.Index("ix_allocation_organization_amount", "organization_id", "amount_fen", "id"),
        sa.Index("ix_allocation_fund_id", "fund_id", postgresql_where=sa.text("fund_id IS NOT NULL")),
        sa.Index(
            "ix_allocation_need_id_requested_at_id",
            "need_id",
            "requested_at",
            "id",
            postgresql_where=sa.text("need_id IS NOT NULL"),
        ),
        sa.Index("ix_allocation_area", "area"),
        sa.Index("ix_allocation_requested_by", "requested_by", "requested_at"),
    )
    id: UUID = key()
    no: str = numbered("BF", "allocation_no")
    organization_id: UUID = to("organization.id", index=False)
    """The foundation."""
    fund_id: UUID | None = Field(default=None)
    """The one fund that it may take gifts from; any of the foundation's when it names none."""
    title: str = text()
    purpose: str | None = text(optional=True)
    spending: Spending = choice(Spending, default=Spending.CHARITY)
    category_code: str | None = Field(default=None, foreign_key="service_category.code", sa_type=sa.Text, nullable=True)
    area: str = Field(foreign_key="division.code", sa_type=sa.Text)
    """Whose people it is for: the code of a division; for a need, of its community."""
    need_id: UUID | None = to("need.id", optional=True, index=False)
    sealed: bool = flag()
    """Whether the need is a RESTRICTED one: then staff of the area do not see it."""
    amount_fen: int = fen()
    committed_fen: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs=FROM_ZERO)
    """What its disbursements hold, the spent part included."""
    spent_fen: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs=FROM_ZERO)
    """The sum of its traces: the trace's trigger writes it."""
    status: AllocationStatus = choice(AllocationStatus, default=AllocationStatus.DRAFT)
    requested_by: UUID = to("person.id", index=False)
    requester_organization_id: UUID | None = to("organization.id", optional=True)
    """For whom he asked, where it was not the foundation itself."""
    requested_at: datetime = instant()
    submitted_by: UUID | None = to("person.id", optional=True, index=False)
    submitted_at: datetime | None = instant(optional=True)
    approved_by: UUID | None = to("person.id", optional=True, index=False)
    approved_at: datetime | None = instant(optional=True)
    closed_at: datetime | None = instant(optional=True)
    reason: str | None = text(optional=True)
    """Why it was rejected."""


class AllocationLine(Table, table=True):
    """拨付明细: the part of one gift that an allocation holds."""

    __tablename__ = "allocation_line"
    __table_args__ = (
        sa.UniqueConstraint("allocation_id", "donation_id"),
        sa.UniqueConstraint("allocation_id", "position"),
        check("amount", "amount_fen > 0"),
        check(
            "consumed",
            "consumed_fen >= 0 AND returned_fen >= 0 AND held_fen >= 0"
            " AND consumed_fen + returned_fen + held_fen <= amount_fen",
        ),
        sa.Index("ix_allocation_line_donation_id", "donation_id"),
        ROOM,
    )
    id: UUID = key()
    allocation_id: UUID = to("allocation.id", index=False)
    donation_id: UUID = to("donation.id", index=False)
    position: int
    """Where it stands: disbursements consume the lines in this order."""
    fund_id: UUID = to("fund.id", index=False)
    """The gift's."""
    restricted: bool = flag()
    """The gift's."""
    amount_fen: int = fen()
    consumed_fen: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs=FROM_ZERO)
    returned_fen: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs=FROM_ZERO)
    """What went back to the gift unspent when the allocation ended."""
    held_fen: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs=FROM_ZERO)
    """What payments at the bank hold of it: the sum of their `DisbursementLine`."""
    organization_id: UUID = Field()
    area: str = text()
    requested_by: UUID = Field()
    sealed: bool = flag()


class Disbursement(Table, table=True):
    """支出: a payment out of an allocation, and the hands that it passed."""

    __tablename__ = "disbursement"
    __table_args__ = (
        sa.UniqueConstraint("no"),
        chosen("spending", Spending),
        chosen("status", DisbursementStatus),
        chosen("confirmation", Confirmation),
        check("amount", "amount_fen > 0"),
        check("hands", "checker_id <> maker_id AND authoriser_id <> maker_id AND authoriser_id <> checker_id"),
        check(
            "payee_hands",
            "payee_person_id <> maker_id AND payee_person_id <> checker_id AND payee_person_id <> authoriser_id",
        ),
        check("payee", "num_nonnulls(payee_name, payee_organization_id, payee_resident_id) = 1"),
        check("payee_person", "(payee_resident_id IS NULL) = (payee_person_id IS NULL)"),
        check("checked", f"checker_id IS NOT NULL OR {HANDED_OVER_SQL}"),
        check("authorised", f"authoriser_id IS NOT NULL OR NOT needs_authoriser OR {HANDED_OVER_SQL}"),
        check("paid", "(paid_at IS NULL) = (bank_ref IS NULL)"),
        check("confirmed_by", "confirmed_by <> maker_id"),
        sa.Index("uq_disbursement_bank_ref", "organization_id", "bank_ref", unique=True),
        sa.Index("ix_disbursement_allocation_id_made_at_id", "allocation_id", "made_at", "id"),
        sa.Index(
            "ix_disbursement_organization_newest",
            "organization_id",
            sa.text("made_at DESC"),
            sa.text("id DESC"),
            "status",
        ),
        sa.Index("ix_disbursement_newest", sa.text("made_at DESC"), sa.text("id DESC"), "status"),
        sa.Index("ix_disbursement_area", "area"),
        sa.Index(
            "ix_disbursement_payee_organization_id",
            "payee_organization_id",
            "made_at",
            postgresql_where=sa.text("payee_organization_id IS NOT NULL"),
        ),
        sa.Index(
            "ix_disbursement_payee_person_id",
            "payee_person_id",
            "made_at",
            postgresql_where=sa.text("payee_person_id IS NOT NULL"),
        ),
    )
    id: UUID = key()
    no: str = numbered("ZC", "disbursement_no")
    organization_id: UUID = to("organization.id", index=False)
    """The foundation."""
    allocation_id: UUID = to("allocation.id", index=False)
    area: str = text()
    """The allocation's."""
    requested_by: UUID = Field()
    """The allocation's."""
    requester_organization_id: UUID | None = None
    """The allocation's."""
    sealed: bool = flag()
    """The allocation's."""
    spending: Spending = choice(Spending)
    """The allocation's."""
    needs_authoriser: bool = flag()
    """Whether the allocation's total is above the threshold."""
    payee_name: str | None = text(optional=True)
    """A supplier's name; a person is a resident or an organization's member, never a name here."""
    payee_organization_id: UUID | None = to("organization.id", optional=True, index=False)
    payee_resident_id: UUID | None = to("resident.id", optional=True, index=False)
    payee_person_id: UUID | None = to("person.id", optional=True, index=False)
    """The resident's person. Never shown."""
    amount_fen: int = fen()
    purpose: str | None = text(optional=True)
    status: DisbursementStatus = choice(DisbursementStatus, default=DisbursementStatus.DRAFT)
    maker_id: UUID = to("person.id", index=False)
    made_at: datetime = instant()
    checker_id: UUID | None = to("person.id", optional=True, index=False)
    checked_at: datetime | None = instant(optional=True)
    authoriser_id: UUID | None = to("person.id", optional=True, index=False)
    authorised_at: datetime | None = instant(optional=True)
    handed_at: datetime | None = instant(optional=True)
    """When it was last handed to the bank."""
    attempts: int = count(0)
    """How often it was handed to the bank."""
    paid_at: datetime | None = instant(optional=True)
    bank_ref: str | None = text(optional=True)
    confirmation: Confirmation | None = choice(Confirmation, optional=True)
    confirmed_by: UUID | None = to("person.id", optional=True, index=False)
    confirmed_at: datetime | None = instant(optional=True)
    reason: str | None = text(optional=True)
    """Why it was rejected, failed or came back, or what the payee found wrong: the last of these."""


class DisbursementLine(Table, table=True):
    """付款占用: what a payment at the bank holds of an allocation's line, from hand-over until it settles or fails.

    What was checked against the gifts' restrictions on hand-over is what is settled: no other payment takes it.
    """

    __tablename__ = "disbursement_line"
    __table_args__ = (sa.UniqueConstraint("disbursement_id", "line_id"), check("amount", "amount_fen > 0"))
    id: UUID = key()
    disbursement_id: UUID = to("disbursement.id", index=False)
    line_id: UUID = to("allocation_line.id")
    amount_fen: int = fen()


class SpendTrace(Table, table=True):
    """资金去向: that so much of one gift was spent by one payment; negative where the payment came back.

    A trigger refuses what lies outside the gift's restriction (I15), and keeps the counters of gift, line and
    allocation.
    """

    __tablename__ = "spend_trace"
    __table_args__ = (
        sa.UniqueConstraint("reverses_id"),
        check("amount", "amount_fen <> 0 AND (amount_fen < 0) = (reverses_id IS NOT NULL)"),
        sa.Index("ix_spend_trace_donation_id_at_id", "donation_id", "at", "id"),
        sa.Index("ix_spend_trace_disbursement_id", "disbursement_id"),
        sa.Index("ix_spend_trace_line_id", "line_id"),
        sa.Index(
            "ix_spend_trace_donor_person_id_at_id",
            "donor_person_id",
            "at",
            "id",
            postgresql_where=sa.text("donor_person_id IS NOT NULL"),
        ),
        sa.Index("ix_spend_trace_fund_id_on_day", "fund_id", "on_day"),
        sa.Index("ix_spend_trace_area", "area"),
        {"info": APPEND_ONLY},
    )
    id: UUID = key()
    donation_id: UUID = to("donation.id", index=False)
    disbursement_id: UUID = to("disbursement.id", index=False)
    line_id: UUID = to("allocation_line.id", index=False)
    fund_id: UUID = to("fund.id", index=False)
    amount_fen: int = fen()
    at: datetime = instant()
    on_day: date
    """The day on which it was handed to the bank, or came back, in Shanghai.

    A restriction's window is held against it: how long the bank takes is nothing that the foundation decides.
    """
    reverses_id: UUID | None = to("spend_trace.id", optional=True, index=False)
    organization_id: UUID = Field()
    title: str = text()
    """The allocation's, for the donor."""
    spending: Spending = choice(Spending)
    category_code: str | None = text(optional=True)
    area: str = text()
    requested_by: UUID = Field()
    sealed: bool = flag()
    donor_person_id: UUID | None = None
    """The gift's account, so that a donor can follow his money (Charity Law art. 42). Never shown."""
