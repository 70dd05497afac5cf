"""The nouns of funds: funds, donors and their gifts, allocations, disbursements, and the trace between them.

Counters stand on the gift, the line and the allocation and change under the row lock of their fund, taken in the
order of ids; CHECKs keep them in bounds (I16). `fund_balance` and `fund_month` are written by triggers on the ledger
alone (books.py): the API's role can only read them. Names of donors stand in `donor_name` and nowhere else (I21).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from models.base import APPEND_ONLY, READ_ONLY, Table, check, choice, chosen, count, fen, flag, instant, key, text, to
from models.exchange.tables import ROOM, numbered
from models.funds.books import Spending
from models.funds.ledger import LedgerAccount, LedgerEntry, LedgerTxn
from models.funds.rules import (
    HANDED_OVER,
    AllocationStatus,
    Confirmation,
    DisbursementStatus,
    DonationChannel,
    DonationStatus,
    DonorKind,
    FundKind,
)

WINDOW = "restricted_from <= restricted_to"
HANDED_OVER_SQL = "status NOT IN (" + ", ".join(f"'{s.value}'" for s in HANDED_OVER) + ")"


def category(*, optional: bool = True) -> Any:
    """A service category's code."""
    return Field(default=None, foreign_key="service_category.code", sa_type=sa.Text, nullable=optional)


class Fund(Table, table=True):
    """基金、专项: money of a foundation that is kept apart, and what binds all of it."""

    __tablename__ = "fund"
    __table_args__ = (
        sa.UniqueConstraint("organization_id", "name"),
        sa.UniqueConstraint("id", "organization_id"),
        chosen("kind", FundKind),
        check("window", WINDOW),
        check(
            "bound",
            "CASE kind WHEN 'PURPOSE' THEN category_code IS NOT NULL WHEN 'BENEFICIARY_AREA' THEN restricted_area IS NOT"
            " NULL WHEN 'TIME' THEN num_nonnulls(restricted_from, restricted_to) > 0"
            " ELSE num_nonnulls(category_code, restricted_area, restricted_from, restricted_to) = 0 END",
        ),
        sa.Index("ix_fund_name_id", "name", "id"),
        sa.Index("ix_fund_created_at_id", "created_at", "id"),
    )
    id: UUID = key()
    organization_id: UUID = to("organization.id", index=False)
    name: str = text()
    kind: FundKind = choice(FundKind)
    category_code: str | None = category()
    restricted_area: str | None = Field(default=None, foreign_key="division.code", sa_type=sa.Text)
    restricted_from: date | None = None
    restricted_to: date | None = None
    note: str | None = text(optional=True)
    created_by: UUID = to("person.id", index=False)
    created_at: datetime = instant()


class FundBalance(Table, table=True):
    """基金余额: what a fund has. One row for each, changed by the ledger's trigger in the posting's transaction."""

    __tablename__ = "fund_balance"
    __table_args__ = (
        check("whole", "balance_fen = received_fen - spent_fen - refunded_fen"),
        check("restricted", "restricted_fen BETWEEN 0 AND balance_fen"),
        {"info": READ_ONLY, **ROOM},
    )
    fund_id: UUID = Field(foreign_key="fund.id", primary_key=True)
    organization_id: UUID = to("organization.id")
    balance_fen: int = fen()
    restricted_fen: int = fen()
    received_fen: int = fen()
    spent_fen: int = fen()
    refunded_fen: int = fen()
    gift_count: int = count()


class FundMonth(Table, table=True):
    """基金月报: what moved in a fund in one month of Shanghai's. Months in which nothing moved have no row."""

    __tablename__ = "fund_month"
    __table_args__ = (
        check("month", "extract(day FROM month) = 1"),
        check("whole", "closing_fen = opening_fen + received_fen - spent_fen - refunded_fen"),
        check("closing", "closing_fen >= 0 AND opening_fen >= 0"),
        sa.Index("ix_fund_month_organization_id_month", "organization_id", "month"),
        {"info": READ_ONLY, **ROOM},
    )
    fund_id: UUID = Field(foreign_key="fund.id", primary_key=True)
    month: date = Field(primary_key=True)
    organization_id: UUID = to("organization.id", index=False)
    opening_fen: int = fen()
    received_fen: int = fen()
    spent_fen: int = fen()
    refunded_fen: int = fen()
    closing_fen: int = fen()
    gift_count: int = count()


class Donor(Table, table=True):
    """捐赠人: who gives to a foundation, as that foundation's reporter may see him: masked."""

    __tablename__ = "donor"
    __table_args__ = (
        sa.UniqueConstraint("id", "kind"),
        sa.UniqueConstraint("id", "organization_id"),
        chosen("kind", DonorKind),
        check("who", "num_nonnulls(person_id, giver_organization_id) <= 1"),
        check(
            "kind_who",
            "CASE kind WHEN 'PERSON' THEN giver_organization_id IS NULL WHEN 'ORGANIZATION' THEN person_id IS NULL"
            " ELSE giver_organization_id IS NULL END",
        ),
        sa.Index("ix_donor_organization_id_created_at_id", "organization_id", "created_at", "id"),
        sa.Index(
            "uq_donor_organization_id_person_id_kind",
            "organization_id",
            "person_id",
            "kind",
            unique=True,
            postgresql_where=sa.text("person_id IS NOT NULL"),
        ),
        sa.Index(
            "uq_donor_organization_id_giver_organization_id",
            "organization_id",
            "giver_organization_id",
            unique=True,
            postgresql_where=sa.text("giver_organization_id IS NOT NULL"),
        ),
        sa.Index("ix_donor_person_id", "person_id", postgresql_where=sa.text("person_id IS NOT NULL")),
    )
    id: UUID = key()
    organization_id: UUID = to("organization.id", index=False)
    kind: DonorKind = choice(DonorKind)
    label: str = text()
    """张*, an organization's name, or 匿名."""
    person_id: UUID | None = to("person.id", optional=True, index=False)
    """Whose account it is, so that he sees his own gifts; an anonymous donor's too. Never shown."""
    giver_organization_id: UUID | None = to("organization.id", optional=True, index=False)
    created_at: datetime = instant()


class DonorName(Table, table=True):
    """A donor's plain name, for the finance roles of the foundation that he gave to. An anonymous donor has none."""

    __tablename__ = "donor_name"
    __table_args__ = (
        sa.ForeignKeyConstraint(["donor_id", "kind"], ["donor.id", "donor.kind"]),
        check("anonymous", "kind <> 'ANONYMOUS'"),
    )
    donor_id: UUID = Field(primary_key=True)
    kind: DonorKind = choice(DonorKind)
    organization_id: UUID = to("organization.id")
    """The foundation."""
    name: str = text()


class Donation(Table, table=True):
    """捐赠: a gift of money, what binds it, and how much of it is allocated, spent and given back."""

    __tablename__ = "donation"
    __table_args__ = (
        sa.UniqueConstraint("no"),
        sa.ForeignKeyConstraint(["fund_id", "organization_id"], ["fund.id", "fund.organization_id"]),
        sa.ForeignKeyConstraint(["donor_id", "organization_id"], ["donor.id", "donor.organization_id"]),
        chosen("channel", DonationChannel),
        chosen("status", DonationStatus),
        check("amount", "amount_fen > 0"),
        check("allocated", "allocated_fen >= 0 AND refunded_fen >= 0 AND allocated_fen + refunded_fen <= amount_fen"),
        check("spent", "spent_fen BETWEEN 0 AND allocated_fen"),
        check("reversed", "status <> 'REVERSED' OR allocated_fen + refunded_fen = 0"),
        check("window", WINDOW),
        check(
            "restricted",
            "restricted = (num_nonnulls(category_code, restricted_area, restricted_from, restricted_to) > 0)",
        ),
        sa.Index(
            "uq_donation_organization_id_channel_external_txn",
            "organization_id",
            "channel",
            "external_txn",
            unique=True,
            postgresql_where=sa.text("external_txn IS NOT NULL"),
        ),
        sa.Index(
            "ix_donation_free",
            "organization_id",
            "breadth",
            "received_at",
            "id",
            postgresql_where=sa.text("amount_fen > allocated_fen + refunded_fen AND status = 'RECEIVED'"),
        ),
        sa.Index(
            "ix_donation_fund_free",
            "fund_id",
            "breadth",
            "received_at",
            "id",
            postgresql_where=sa.text("amount_fen > allocated_fen + refunded_fen AND status = 'RECEIVED'"),
        ),
        sa.Index("ix_donation_organization_id_received_at_id", "organization_id", "received_at", "id"),
        sa.Index("ix_donation_fund_id_received_at_id", "fund_id", "received_at", "id"),
        sa.Index("ix_donation_donor_id_received_at_id", "donor_id", "received_at", "id"),
        sa.Index(
            "ix_donation_person_id_received_at_id",
            "person_id",
            "received_at",
            "id",
            postgresql_where=sa.text("person_id IS NOT NULL"),
        ),
        sa.Index("ix_donation_received_at_id", "received_at", "id"),
        sa.Index("ix_donation_amount_fen_id", "organization_id", "amount_fen", "id"),
        ROOM,
    )
    id: UUID = key()
    no: str = numbered("JZ", "donation_no")
    organization_id: UUID = to("organization.id", index=False)
    fund_id: UUID = Field()
    donor_id: UUID = Field()
    person_id: UUID | None = to("person.id", optional=True, index=False)
    """The donor's account, so that he sees his gift. Never shown."""
    amount_fen: int = fen()
    channel: DonationChannel = choice(DonationChannel)
    external_txn: str | None = text(optional=True)
    """The payment's number on its channel: a notice that comes three times is one gift."""
    received_at: datetime = instant()
    designation: str | None = text(optional=True)
    """What the donor wrote."""
    restricted: bool = flag()
    category_code: str | None = category()
    restricted_area: str | None = Field(default=None, foreign_key="division.code", sa_type=sa.Text)
    restricted_from: date | None = None
    restricted_to: date | None = None
    breadth: int
    """How much the restriction leaves open: gifts are used from the narrowest on (restrictions.py)."""
    publish_name: bool = flag()
    public_name: str = text()
    """What anybody may read where the donor's name would stand (Charity Law art. 82)."""
    status: DonationStatus = choice(DonationStatus, default=DonationStatus.RECEIVED)
    allocated_fen: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs={"server_default": sa.text("0")})
    """What allocations hold of it, the spent part included."""
    spent_fen: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs={"server_default": sa.text("0")})
    """The sum of its traces: the trace's trigger writes it."""
    refunded_fen: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs={"server_default": sa.text("0")})
    recorded_by: UUID = to("person.id", index=False)
    recorded_at: datetime = instant()
    reason: str | None = text(optional=True)
    """Why it was reversed."""


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
    category_code: str | None = category()
    area: str = Field(foreign_key="division.code", sa_type=sa.Text)
    """Whose people it is for: the code of a division; for a need, of its community."""
    need_id: UUID | None = to("need.id", optional=True, index=False)
    sealed: bool = flag()
    """Whether the need is a RESTRICTED one: then staff of the area do not see it."""
    amount_fen: int = fen()
    committed_fen: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs={"server_default": sa.text("0")})
    """What its disbursements hold, the spent part included."""
    spent_fen: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs={"server_default": sa.text("0")})
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
        check("consumed", "consumed_fen >= 0 AND returned_fen >= 0 AND consumed_fen + returned_fen <= amount_fen"),
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
    consumed_fen: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs={"server_default": sa.text("0")})
    returned_fen: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs={"server_default": sa.text("0")})
    """What went back to the gift unspent when the allocation ended."""
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
    """The day on which it was spent, in Shanghai: what a restriction's window is held against."""
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


__all__ = [
    "Allocation",
    "AllocationLine",
    "Disbursement",
    "Donation",
    "Donor",
    "DonorName",
    "Fund",
    "FundBalance",
    "FundMonth",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTxn",
    "SpendTrace",
]
