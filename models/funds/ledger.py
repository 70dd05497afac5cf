"""The ledger's tables: accounts, postings and their entries. Inserted into, never changed (I14)."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from models.base import APPEND_ONLY, Table, check, choice, chosen, fen, flag, instant, key, text, to
from models.exchange.tables import numbered
from models.funds.books import Account, AccountKind, TxnKind


class LedgerAccount(Table, table=True):
    """会计科目: one account of one fund. A trigger opens a fund's accounts with the fund."""

    __tablename__ = "ledger_account"
    __table_args__ = (
        sa.UniqueConstraint("fund_id", "account"),
        sa.UniqueConstraint("id", "fund_id"),
        sa.ForeignKeyConstraint(["fund_id", "organization_id"], ["fund.id", "fund.organization_id"]),
        chosen("account", Account),
        chosen("kind", AccountKind),
        sa.Index("ix_ledger_account_organization_id_code", "organization_id", "code"),
        {"info": APPEND_ONLY},
    )
    id: UUID = key()
    organization_id: UUID = Field()
    fund_id: UUID = Field()
    account: Account = choice(Account)
    code: str = text()
    """Its number in the chart."""
    name: str = text()
    kind: AccountKind = choice(AccountKind)
    restricted: bool = flag()
    """Whether it belongs to the restricted part of the fund's net assets."""


class LedgerTxn(Table, table=True):
    """记账凭证: one event, posted. Its entries sum to 0 within each fund; a trigger at commit refuses others."""

    __tablename__ = "ledger_txn"
    __table_args__ = (
        sa.UniqueConstraint("no"),
        sa.UniqueConstraint("reverses_id"),
        chosen("kind", TxnKind),
        check("month", "month = date_trunc('month', timezone('Asia/Shanghai', at))::date"),
        check("subject", "num_nonnulls(donation_id, disbursement_id) = 1"),
        check("subject_kind", "(kind IN ('SPENDING', 'SPENDING_RETURN')) = (disbursement_id IS NOT NULL)"),
        check("reverses", "(kind IN ('GIFT_REVERSAL', 'SPENDING_RETURN')) = (reverses_id IS NOT NULL)"),
        sa.Index(
            "uq_ledger_txn_donation_id_kind",
            "donation_id",
            "kind",
            unique=True,
            postgresql_where=sa.text("kind IN ('GIFT', 'GIFT_REVERSAL')"),
        ),
        sa.Index(
            "uq_ledger_txn_disbursement_id_kind",
            "disbursement_id",
            "kind",
            unique=True,
            postgresql_where=sa.text("kind IN ('SPENDING', 'SPENDING_RETURN')"),
        ),
        sa.Index("ix_ledger_txn_donation_id", "donation_id"),
        sa.Index("ix_ledger_txn_organization_newest", "organization_id", sa.text("at DESC"), sa.text("id DESC")),
        {"info": APPEND_ONLY},
    )
    id: UUID = key()
    no: str = numbered("PZ", "ledger_txn_no")
    organization_id: UUID = to("organization.id", index=False)
    kind: TxnKind = choice(TxnKind)
    at: datetime = instant()
    """When it happened: a gift's receipt, a payment's date; for what undoes one, when that was done."""
    month: date
    """The month that it is booked in, in Shanghai."""
    donation_id: UUID | None = to("donation.id", optional=True, index=False)
    disbursement_id: UUID | None = to("disbursement.id", optional=True, index=False)
    reverses_id: UUID | None = to("ledger_txn.id", optional=True, index=False)
    made_by: UUID = to("person.id", index=False)
    made_at: datetime = instant()
    """When it was written down."""


class LedgerEntry(Table, table=True):
    """会计分录: fen on an account, a debit positive."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        sa.ForeignKeyConstraint(["account_id", "fund_id"], ["ledger_account.id", "ledger_account.fund_id"]),
        check("amount", "amount_fen <> 0"),
        sa.Index("ix_ledger_entry_txn_id", "txn_id"),
        sa.Index("ix_ledger_entry_fund_id_at", "fund_id", "at"),
        sa.Index("ix_ledger_entry_account_id_at_id", "account_id", "at", "id"),
        {"info": APPEND_ONLY},
    )
    id: UUID = key()
    txn_id: UUID = to("ledger_txn.id", index=False)
    account_id: UUID = Field()
    fund_id: UUID = Field()
    organization_id: UUID = Field()
    """The posting's, as a trigger makes sure."""
    at: datetime = instant()
    """The posting's, as a trigger makes sure."""
    amount_fen: int = fen()
