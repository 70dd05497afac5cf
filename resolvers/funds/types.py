"""The types of money that comes in: funds, donors, gifts, and the books. `spending.py` has what goes out."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
import strawberry
from sqlmodel import desc

from models.access import FUND_ROLES, Role
from models.funds import eligibility, queries, tables
from models.funds.books import Account, AccountKind, Spending, TxnKind
from models.funds.rules import (
    DONATION_STEPS,
    AllocationStatus,
    Confirmation,
    DisbursementStatus,
    DonationChannel,
    DonationStatus,
    DonorKind,
    FundKind,
)
from models.people.rules import AccessPurpose
from models.vault import Kind
from resolvers.common import Connection, Money, Node, money
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.funds.eligibility import EligibleNeed
from resolvers.people import Organization, Person
from resolvers.territory import Division

if TYPE_CHECKING:
    from resolvers.exchange import ServiceCategory
    from resolvers.funds.spending import Disbursement, SpendTrace

for values in (
    Account,
    AccountKind,
    AllocationStatus,
    Confirmation,
    DisbursementStatus,
    DonationChannel,
    DonationStatus,
    DonorKind,
    FundKind,
    Spending,
    TxnKind,
):
    shown(values)


def keeps_books(view: w.View) -> bool:
    """Whether the asker sees gifts as the foundation's, or as an auditor."""
    return view.actor.role in FUND_ROLES or view.actor.role is Role.AUDITOR


def within_books(row: w.Row, view: w.View, value: w.Row) -> w.Row:
    """A value for the foundation, for auditors and for the donor himself; NULL for others who see the gift."""
    if keeps_books(view):
        return value
    return sa.case((row.person_id == view.actor.person, value))


@strawberry.type(description="What money is bound to. What is null does not bind.")
class Restriction:
    category: Annotated[ServiceCategory, strawberry.lazy("resolvers.exchange")] | None = w.one(
        "category_code", target="code", description="The service category that it may be spent on, with all below it."
    )
    division: Division | None = w.one(
        "restricted_area", target="code", description="The division whose people it may be spent on."
    )
    since: date | None = w.named("restricted_from", description="The first day on which it may be spent.")
    until: date | None = w.named("restricted_to", description="The last day on which it may be spent.")


def bounds(row: w.Row) -> dict[str, w.Row]:
    """The columns of a restriction, and whether there is one."""
    names = ("category_code", "restricted_area", "restricted_from", "restricted_to")
    columns = {name: getattr(row, name) for name in names}
    return {**columns, "bound": sa.func.nullif(sa.func.num_nonnulls(*columns.values()), 0)}


@w.entity(tables.FundBalance)
@strawberry.type(description="Where a fund stands: written in the same transaction as each posting.")
class FundTotals:
    balance: Money = money(tables.FundBalance.balance_fen, description="What it has.")
    restricted: Money = money(
        tables.FundBalance.restricted_fen, description="The part of the balance that donors have restricted."
    )
    unrestricted: Money = money(
        lambda row: row.balance_fen - row.restricted_fen, description="The part of the balance that is free."
    )
    received: Money = money(tables.FundBalance.received_fen, description="All gifts, less those reversed.")
    spent: Money = money(tables.FundBalance.spent_fen, description="All payments, less those that came back.")
    refunded: Money = money(tables.FundBalance.refunded_fen, description="All that went back to donors.")
    donation_count: int = w.column(
        tables.FundBalance.gift_count, description="How many gifts it received, less those reversed."
    )


@w.entity(tables.Fund, "fund")
@strawberry.type(description="Money of a foundation that is kept apart, and what binds all of it. 基金、专项。")
class Fund(Node):
    name: str = w.column(tables.Fund.name, description="Its name.")
    kind: FundKind = w.column(tables.Fund.kind, description="What it is bound to.")
    organization: Organization | None = w.one(tables.Fund.organization_id, description="The foundation.")
    restriction: Restriction | None = w.inside(
        bounds, present="bound", description="What binds every gift to it, at least; null when nothing does."
    )
    note: str | None = w.column(tables.Fund.note, description="What it is for, in words.")
    created_at: datetime = w.column(tables.Fund.created_at, description="When it was opened.")
    totals: FundTotals = w.one("id", target="fund_id", description="Where it stands now. Open data.")
    donations: Connection[Donation] = w.connection(
        tables.Donation.fund_id,
        order=(desc(tables.Donation.received_at),),
        description="Its gifts, newest first; the public sees those whose donors wish to be named.",
    )
    eligible_needs: list[EligibleNeed] = w.listing(
        eligibility.eligible_needs,
        limit=eligibility.LONGEST,
        default=20,
        description="Needs that the foundation was asked to pay for and that this fund may pay for today, most pressing first; for the foundation's people, empty for everybody else.",
    )
    accounts: list[LedgerAccount] = w.many(
        tables.LedgerAccount.fund_id,
        order=(tables.LedgerAccount.code,),
        limit=20,
        description="Its chart of accounts; empty for callers who do not see the books.",
    )


@w.entity(tables.Donor, "donor")
@strawberry.type(description="Who gives to a foundation. 捐赠人。")
class Donor(Node):
    kind: DonorKind = w.column(tables.Donor.kind, description="A person, an organization, or somebody anonymous.")
    label: str = w.column(
        tables.Donor.label, description="`张*`, an organization's name, or 匿名 for an anonymous donor, whoever asks."
    )
    name: str | None = w.sealed(
        Kind.NAME,
        lambda row, view: queries.plain_name(view.rows(tables.DonorName), row.id),
        subject=lambda row: row.id,
        description="A person's plain name: in the answer of `donorReveal` itself, and null ever after; null for organizations, whose label it is, and for anonymous donors.",
    )
    giver: Organization | None = w.one(
        tables.Donor.giver_organization_id, description="The organization that gives, where it is on record."
    )
    donations: Connection[Donation] = w.connection(
        tables.Donation.donor_id,
        order=(desc(tables.Donation.received_at),),
        description="His gifts to this foundation, newest first.",
    )


@w.entity(tables.DonorReveal, "donor_reveal")
@strawberry.type(description="One reading of donors' names, of up to 100. Visible to who read, and to auditors.")
class DonorReveal(Node):
    at: datetime = w.column(tables.DonorReveal.at, description="When.")
    actor: Person | None = w.one(tables.DonorReveal.actor_id, description="Who read, masked.")
    purpose: AccessPurpose = w.column(tables.DonorReveal.purpose, description="What for.")
    reason: str | None = w.column(tables.DonorReveal.reason, description="What for, in the reader's words.")
    donors: list[Donor] = w.many(
        match=lambda item, parent: item.id == sa.any_(parent.donors),
        order=(tables.Donor.id,),
        limit=100,
        description="Whose names. They are here in the answer of `donorReveal` itself.",
    )


@strawberry.type(description="What the caller may do with a gift now.")
class DonationCan:
    reverse: bool = w.expression(
        lambda row, view: sa.and_(
            queries.may(row, view.actor, "donation.reverse", DONATION_STEPS, row.recorded_by),
            row.allocated_fen + row.refunded_fen == 0,
        ),
        description="`donationReverse`.",
    )


@w.entity(tables.Donation, "donation")
@strawberry.type(description="A gift of money. 捐赠。")
class Donation(Node):
    no: str = w.column(tables.Donation.no, description="Its number.")
    fund: Fund = w.one(tables.Donation.fund_id, description="The fund that it went to.")
    donor: Donor | None = w.one(
        tables.Donation.donor_id, description="Who gave; null for callers other than the foundation and himself."
    )
    public_name: str = w.column(
        tables.Donation.public_name,
        description="What anybody may read where the donor's name would stand: the name that he consents to, 爱心人士, or 匿名.",
    )
    publish_name: bool = w.column(tables.Donation.publish_name, description="Whether he consents to being named.")
    amount: Money = money(tables.Donation.amount_fen, description="What was given.")
    channel: DonationChannel = w.column(tables.Donation.channel, description="The way on which it came.")
    external_txn: str | None = w.expression(
        lambda row, view: within_books(row, view, row.external_txn),
        description="The payment's number on its channel; for the foundation, auditors and the donor.",
    )
    received_at: datetime = w.column(tables.Donation.received_at, description="When it arrived.")
    designation: str | None = w.expression(
        lambda row, view: within_books(row, view, row.designation),
        description="What the donor wrote; for the foundation, auditors and the donor.",
    )
    restricted: bool = w.column(tables.Donation.restricted, description="Whether anything binds it.")
    restriction: Restriction | None = w.inside(
        bounds, present="bound", description="What binds it: the donor's words and the fund's; null when nothing does."
    )
    status: DonationStatus = w.column(tables.Donation.status, description="Its state.")
    allocated: Money = money(
        tables.Donation.allocated_fen, description="What allocations hold of it, the spent part included."
    )
    spent: Money = money(tables.Donation.spent_fen, description="What is spent of it: the sum of its traces.")
    refunded: Money = money(tables.Donation.refunded_fen, description="What went back to the donor.")
    unspent: Money = money(lambda row: queries.unspent(row), description="What is neither spent nor given back.")
    free: Money = money(
        lambda row: sa.case((row.status == "REVERSED", 0), else_=queries.free(row)),
        description="What no allocation holds and was not given back.",
    )
    recorded_by: Person | None = w.one(
        tables.Donation.recorded_by,
        when=lambda row, view: sa.true() if keeps_books(view) else sa.false(),
        description="Who recorded it, masked; for the foundation and auditors.",
    )
    recorded_at: datetime = w.column(tables.Donation.recorded_at, description="When it was recorded.")
    reason: str | None = w.expression(
        lambda row, view: within_books(row, view, row.reason), description="Why it was reversed."
    )
    traces: list[Annotated[SpendTrace, strawberry.lazy("resolvers.funds.spending")]] = w.many(
        tables.SpendTrace.donation_id,
        order=(tables.SpendTrace.at,),
        limit=100,
        default=10,
        description="Where the money went, payment by payment; the donor sees his own (Charity Law art. 42).",
    )
    viewer_can: DonationCan = w.inside(description="What the caller may do with it now.")


@w.entity(tables.LedgerAccount, "account")
@strawberry.type(description="One account of one fund's books. 会计科目。")
class LedgerAccount(Node):
    account: Account = w.column(tables.LedgerAccount.account, description="Which account.")
    code: str = w.column(tables.LedgerAccount.code, description="Its number in the chart.")
    name: str = w.column(tables.LedgerAccount.name, description="Its name.")
    kind: AccountKind = w.column(
        tables.LedgerAccount.kind, description="Its kind, which decides the side on which its balance grows."
    )
    restricted: bool = w.column(
        tables.LedgerAccount.restricted, description="Whether it belongs to the restricted part of the net assets."
    )
    fund: Fund = w.one(tables.LedgerAccount.fund_id, description="The fund.")
    balance: Money = money(
        lambda row, view: queries.account_balance(view.rows(tables.LedgerEntry), row),
        description="Its balance on its own side: debits less credits for assets and expenses, credits less debits for the rest.",
    )


@w.entity(tables.LedgerEntry, "entry")
@strawberry.type(description="Money on an account. 会计分录。")
class LedgerEntry(Node):
    txn: LedgerTxn = w.one(tables.LedgerEntry.txn_id, description="The posting that it is a line of.")
    account: LedgerAccount = w.one(tables.LedgerEntry.account_id, description="The account.")
    fund: Fund = w.one(tables.LedgerEntry.fund_id, description="The fund.")
    amount: Money = money(tables.LedgerEntry.amount_fen, description="A debit positive, a credit negative.")


@w.entity(tables.LedgerTxn, "posting")
@strawberry.type(description="One event, posted; its entries sum to 0 within each fund. 记账凭证。")
class LedgerTxn(Node):
    no: str = w.column(tables.LedgerTxn.no, description="Its number.")
    kind: TxnKind = w.column(tables.LedgerTxn.kind, description="What happened.")
    at: datetime = w.column(tables.LedgerTxn.at, description="When it happened.")
    month: date = w.column(tables.LedgerTxn.month, description="The first day of the month that it is booked in.")
    donation: Donation | None = w.one(tables.LedgerTxn.donation_id, description="The gift, where it is about one.")
    disbursement: Annotated[Disbursement, strawberry.lazy("resolvers.funds.spending")] | None = w.one(
        tables.LedgerTxn.disbursement_id, description="The payment, where it is about one."
    )
    reverses: LedgerTxn | None = w.one(tables.LedgerTxn.reverses_id, description="The posting that it undoes.")
    made_by: Person | None = w.one(tables.LedgerTxn.made_by, description="Who wrote it, masked.")
    made_at: datetime = w.column(tables.LedgerTxn.made_at, description="When it was written.")
    entries: list[LedgerEntry] = w.many(
        tables.LedgerEntry.txn_id, order=("id",), limit=100, default=20, description="Its lines."
    )
