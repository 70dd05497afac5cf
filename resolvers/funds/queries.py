"""The roots of money: funds for everybody; gifts, plans, payments and books for whom they concern."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa
import strawberry
from sqlmodel import desc

from models.exchange.tables import Need
from models.funds import tables, visible
from models.funds.books import Spending, TxnKind
from models.funds.rules import (
    AllocationStatus,
    DisbursementStatus,
    DonationChannel,
    DonationStatus,
    DonorKind,
    FundKind,
)
from models.labels import labelled
from models.territory.queries import under
from resolvers.common import Connection
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.funds.spending import Allocation, Disbursement
from resolvers.funds.types import Donation, Donor, Fund, LedgerTxn


class FundOrder(enum.StrEnum):
    """In which order funds come."""

    NAME = "NAME"
    NEWEST = "NEWEST"


labelled(
    FundOrder,
    {FundOrder.NAME: "按名称", FundOrder.NEWEST: "最新设立在前"},
    description="In which order funds come.",
    describe={FundOrder.NAME: "By name.", FundOrder.NEWEST: "The last to be opened comes first."},
)


class MoneyOrder(enum.StrEnum):
    """In which order gifts, allocations and payments come."""

    NEWEST = "NEWEST"
    OLDEST = "OLDEST"
    LARGEST = "LARGEST"


labelled(
    MoneyOrder,
    {MoneyOrder.NEWEST: "最新在前", MoneyOrder.OLDEST: "最早在前", MoneyOrder.LARGEST: "金额大者在前"},
    description="In which order gifts, allocations and payments come.",
    describe={
        MoneyOrder.NEWEST: "The last comes first.",
        MoneyOrder.OLDEST: "The first comes first: a queue of work.",
        MoneyOrder.LARGEST: "The largest amount comes first.",
    },
)
shown(FundOrder)
shown(MoneyOrder)

D, A, P = tables.Donation, tables.Allocation, tables.Disbursement


def of_seen(table: type, column: str) -> Callable[[w.Row, w.Row, w.View], w.Row]:
    """That a column refers to this id, of something that the caller sees: what is hidden from him finds nothing."""

    def built(row: w.Row, value: w.Row, view: w.View) -> w.Row:
        rows = view.rows(table)
        there = sa.exists(sa.select(sa.literal_column("1")).where(rows.c.id == value))
        return sa.and_(getattr(row, column) == value, there)

    return built


@strawberry.input(description="Which funds. What is not given does not narrow.")
class FundFilter:
    organization: strawberry.ID | None = w.where(
        lambda row, value: row.organization_id == value, description="Of this foundation."
    )
    kind: list[FundKind] | None = w.where(
        lambda row, value: row.kind == sa.any_(value), description="Of one of these kinds."
    )
    name_contains: str | None = w.where(
        lambda row, value: sa.func.strpos(row.name, value) > 0, description="With this text in the name."
    )


@strawberry.input(description="Which donors. What is not given does not narrow.")
class DonorFilter:
    kind: list[DonorKind] | None = w.where(
        lambda row, value: row.kind == sa.any_(value), description="Of one of these kinds."
    )


@strawberry.input(description="Which gifts. What is not given does not narrow.")
class DonationFilter:
    fund: strawberry.ID | None = w.where(lambda row, value: row.fund_id == value, description="To this fund.")
    donor: strawberry.ID | None = w.where(of_seen(tables.Donor, "donor_id"), description="Of this donor.")
    no: str | None = w.where(lambda row, value: row.no == value, description="Of this number.")
    channel: list[DonationChannel] | None = w.where(
        lambda row, value: row.channel == sa.any_(value), description="That came on one of these ways."
    )
    status: list[DonationStatus] | None = w.where(
        lambda row, value: row.status == sa.any_(value), description="In one of these states."
    )
    restricted: bool | None = w.where(
        lambda row, value: row.restricted == value, description="Whether something binds them."
    )
    unspent: bool | None = w.where(
        lambda row, value: (row.amount_fen > row.spent_fen + row.refunded_fen) == value,
        description="Whether something of them is neither spent nor given back.",
    )
    received_from: datetime | None = w.where(
        lambda row, value: row.received_at >= value, description="That arrived then or later."
    )
    received_before: datetime | None = w.where(
        lambda row, value: row.received_at < value, description="That arrived before then."
    )


@strawberry.input(description="Which allocations. What is not given does not narrow.")
class AllocationFilter:
    status: list[AllocationStatus] | None = w.where(
        lambda row, value: row.status == sa.any_(value), description="In one of these states."
    )
    fund: strawberry.ID | None = w.where(lambda row, value: row.fund_id == value, description="That name this fund.")
    need: strawberry.ID | None = w.where(of_seen(Need, "need_id"), description="For this need.")
    spending: list[Spending] | None = w.where(
        lambda row, value: row.spending == sa.any_(value), description="For one of these kinds of spending."
    )
    under: str | None = w.where(
        lambda row, value: under(row.area, value), description="For the people of the division of this code."
    )


@strawberry.input(description="Which payments. What is not given does not narrow.")
class DisbursementFilter:
    status: list[DisbursementStatus] | None = w.where(
        lambda row, value: row.status == sa.any_(value), description="In one of these states."
    )
    allocation: strawberry.ID | None = w.where(
        of_seen(tables.Allocation, "allocation_id"), description="Out of this allocation."
    )
    payee_organization: strawberry.ID | None = w.where(
        lambda row, value: row.payee_organization_id == value, description="To this organization."
    )
    needs_authoriser: bool | None = w.where(
        lambda row, value: row.needs_authoriser == value, description="Whether an authoriser has to agree."
    )
    under: str | None = w.where(
        lambda row, value: under(row.area, value), description="For the people of the division of this code."
    )


@strawberry.input(description="Which postings. What is not given does not narrow.")
class LedgerTxnFilter:
    kind: list[TxnKind] | None = w.where(
        lambda row, value: row.kind == sa.any_(value), description="Of one of these kinds."
    )
    donation: strawberry.ID | None = w.where(
        lambda row, value: row.donation_id == value, description="About this gift."
    )
    disbursement: strawberry.ID | None = w.where(
        lambda row, value: row.disbursement_id == value, description="About this payment."
    )
    since: datetime | None = w.where(lambda row, value: row.at >= value, description="Then or later.")
    before: datetime | None = w.where(lambda row, value: row.at < value, description="Before then.")


@strawberry.type
class FundsQuery:
    fund: Fund | None = w.by_id(description="A fund. Open data.")
    funds: Connection[Fund] = w.connection(
        filter=FundFilter,
        order={
            FundOrder.NAME: (tables.Fund.name,),
            FundOrder.NEWEST: (desc(tables.Fund.created_at),),
        },
        description="Funds of all foundations. Open data.",
    )
    donor: Donor | None = w.by_id(description="A donor, for his foundation, for auditors and for himself.")
    donors: Connection[Donor] = w.connection(
        filter=DonorFilter, order=(tables.Donor.created_at,), description="Donors of the caller's foundation, by age."
    )
    donation: Donation | None = w.by_id(description="A gift that the caller may see.")
    donations: Connection[Donation] = w.connection(
        filter=DonationFilter,
        order={
            MoneyOrder.NEWEST: (desc(D.received_at),),
            MoneyOrder.OLDEST: (D.received_at,),
            MoneyOrder.LARGEST: (desc(D.amount_fen),),
        },
        description="Gifts: all of the caller's foundation; for others those whose donors wish to be named, and their own.",
    )
    my_donations: Connection[Donation] = w.connection(
        where=lambda row, view: row.person_id == view.actor.person,
        order=(desc(D.received_at),),
        description="The gifts of whoever is signed in, as himself: newest first.",
    )
    allocation: Allocation | None = w.by_id(description="An allocation that the caller may see.")
    allocations: Connection[Allocation] = w.connection(
        filter=AllocationFilter,
        order={
            MoneyOrder.NEWEST: (desc(A.requested_at),),
            MoneyOrder.OLDEST: (A.requested_at,),
            MoneyOrder.LARGEST: (desc(A.amount_fen),),
        },
        description="Allocations: the caller's foundation's, his area's, and those that he asked for.",
    )
    disbursement: Disbursement | None = w.by_id(description="A payment that the caller may see.")
    disbursements: Connection[Disbursement] = w.connection(
        filter=DisbursementFilter,
        order={
            MoneyOrder.NEWEST: (desc(P.made_at),),
            MoneyOrder.OLDEST: (P.made_at,),
            MoneyOrder.LARGEST: (desc(P.amount_fen),),
        },
        description="Payments: the caller's foundation's, his area's, and those to him or to his organization.",
    )
    ledger_txn: LedgerTxn | None = w.by_id(description="A posting in the books of the caller's foundation.")
    ledger_txns: Connection[LedgerTxn] = w.connection(
        filter=LedgerTxnFilter,
        order=(desc(tables.LedgerTxn.at),),
        description="The books of the caller's foundation, newest first; auditors read all.",
    )


__all__ = ["FundsQuery", "visible"]
