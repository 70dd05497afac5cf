"""The nouns of funds: funds, donors and their gifts; `spending.py` has what goes out, `ledger.py` the books.

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

from models.base import (
    APPEND_ONLY,
    READ_ONLY,
    Table,
    check,
    choice,
    chosen,
    count,
    fen,
    flag,
    instant,
    key,
    sealed,
    several,
    text,
    to,
)
from models.events import Xid8
from models.exchange.tables import ROOM, numbered
from models.funds.ledger import LedgerAccount, LedgerEntry, LedgerTxn
from models.funds.rules import (
    DonationChannel,
    DonationStatus,
    DonorKind,
    FundKind,
)
from models.funds.spending import Allocation, AllocationLine, Disbursement, DisbursementLine, SpendTrace
from models.people.rules import AccessPurpose
from models.vault import Kind

FROM_ZERO = {"server_default": sa.text("0")}
WINDOW = "restricted_from <= restricted_to"


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
        check("restricted", "restricted_fen BETWEEN 0 AND closing_fen"),
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
    restricted_fen: int = fen()
    """The part of the closing balance that donors have restricted."""
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
    """The name of a donor who is a person, sealed: for one reveal's own answer. An organization's is no secret, and
    stands in its donor's label; an anonymous donor has none."""

    __tablename__ = "donor_name"
    __table_args__ = (
        sa.ForeignKeyConstraint(["donor_id", "kind"], ["donor.id", "donor.kind"]),
        check("person", "kind = 'PERSON'"),
    )
    donor_id: UUID = Field(primary_key=True)
    kind: DonorKind = choice(DonorKind)
    organization_id: UUID = to("organization.id")
    """The foundation."""
    name: bytes = sealed(Kind.NAME, "donor_id")


class DonorReveal(Table, table=True):
    """One act of reading donors' names: who, when, what for, of whom. `pii_access` has a row besides for each donor with
    an account, which he sees.

    `xid` is the transaction that wrote it: in that one, and in no other, the names may be read (visible.py).
    """

    __tablename__ = "donor_reveal"
    __table_args__ = (
        chosen("purpose", AccessPurpose),
        check("donors", "cardinality(donors) BETWEEN 1 AND 100"),
        sa.Index("ix_donor_reveal_organization_id_at", "organization_id", "at"),
        sa.Index("ix_donor_reveal_actor_id_at", "actor_id", "at"),
        {"info": APPEND_ONLY},
    )
    id: UUID = Field(foreign_key="contact_reveal.id", primary_key=True)
    at: datetime = instant()
    xid: Any = Field(default=None, sa_type=Xid8, sa_column_kwargs={"server_default": sa.text("pg_current_xact_id()")})
    actor_id: UUID = to("person.id", index=False)
    organization_id: UUID = to("organization.id", index=False)
    """The foundation."""
    purpose: AccessPurpose = choice(AccessPurpose)
    reason: str | None = text(optional=True)
    donors: list[UUID] = several(sa.Uuid)


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
            postgresql_where=sa.text("external_txn IS NOT NULL AND status <> 'REVERSED'"),
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
    """The payment's number on its channel: a notice that comes three times is one gift, until that is reversed."""
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
    allocated_fen: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs=FROM_ZERO)
    """What allocations hold of it, the spent part included."""
    spent_fen: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs=FROM_ZERO)
    """The sum of its traces: the trace's trigger writes it."""
    refunded_fen: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs=FROM_ZERO)
    recorded_by: UUID = to("person.id", index=False)
    recorded_at: datetime = instant()
    reason: str | None = text(optional=True)
    """Why it was reversed."""


__all__ = [
    "Allocation",
    "AllocationLine",
    "Disbursement",
    "DisbursementLine",
    "Donation",
    "Donor",
    "DonorName",
    "DonorReveal",
    "Fund",
    "FundBalance",
    "FundMonth",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTxn",
    "SpendTrace",
]
