"""Posting: the only way in which money moves. Inserts, never edits; the database's triggers roll it up and check it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from models import clock
from models.base import INSTANT, table
from models.database import Db, Statement
from models.funds.books import Account, Entry, TxnKind, reversal
from models.funds.tables import LedgerAccount, LedgerEntry, LedgerTxn

account, entry, txn = table(LedgerAccount), table(LedgerEntry), table(LedgerTxn)
lines = (
    sa.func.unnest(
        sa.bindparam("funds", type_=sa.ARRAY(sa.Uuid())),
        sa.bindparam("accounts", type_=sa.ARRAY(sa.Text())),
        sa.bindparam("amounts", type_=sa.ARRAY(sa.BigInteger())),
    )
    .table_valued(sa.column("fund_id", sa.Uuid()), sa.column("account", sa.Text()), sa.column("fen", sa.BigInteger()))
    .render_derived()
)
posted = (
    sa.insert(txn)
    .values(
        organization_id=sa.bindparam("organization", type_=sa.Uuid()),
        kind=sa.bindparam("kind", type_=sa.Text()),
        at=sa.bindparam("at", type_=INSTANT),
        month=sa.bindparam("month", type_=sa.Date()),
        donation_id=sa.bindparam("donation", type_=sa.Uuid()),
        disbursement_id=sa.bindparam("disbursement", type_=sa.Uuid()),
        reverses_id=sa.bindparam("reverses", type_=sa.Uuid()),
        made_by=sa.bindparam("by", type_=sa.Uuid()),
        made_at=sa.bindparam("now", type_=INSTANT),
    )
    .returning(txn.c.id, txn.c.organization_id, txn.c.at)
    .cte("posted")
)
POST = Statement(
    sa.insert(entry)
    .from_select(
        ["txn_id", "account_id", "fund_id", "organization_id", "at", "amount_fen"],
        sa.select(posted.c.id, account.c.id, account.c.fund_id, posted.c.organization_id, posted.c.at, lines.c.fen)
        .select_from(posted)
        .join(lines, sa.true())
        .join(account, sa.and_(account.c.fund_id == lines.c.fund_id, account.c.account == lines.c.account)),
        include_defaults=False,
    )
    .returning(entry.c.txn_id)
)
SUBJECT = sa.bindparam("subject", type_=sa.Uuid())
POSTING = Statement(
    sa.select(txn.c.id, entry.c.fund_id, account.c.account, entry.c.amount_fen)
    .select_from(txn.join(entry, entry.c.txn_id == txn.c.id).join(account, account.c.id == entry.c.account_id))
    .where(
        txn.c.kind == sa.bindparam("kind", type_=sa.Text()),
        sa.or_(txn.c.donation_id == SUBJECT, txn.c.disbursement_id == SUBJECT),
    )
    .order_by(entry.c.id)
)


async def post(
    db: Db,
    organization: UUID,
    kind: TxnKind,
    at: datetime,
    entries: Sequence[Entry[UUID]],
    *,
    donation: UUID | None = None,
    disbursement: UUID | None = None,
    reverses: UUID | None = None,
) -> UUID:
    """Posts balanced entries at a time, in fen, for a gift or a disbursement; gives the posting's id.

    The caller holds the locks of all its funds.
    """
    made: UUID = await db.value(
        POST,
        organization=organization,
        kind=kind,
        at=at,
        month=clock.month(at),
        donation=donation,
        disbursement=disbursement,
        reverses=reverses,
        by=db.actor.person,
        funds=[e.fund for e in entries],
        accounts=[e.account for e in entries],
        amounts=[e.amount_fen for e in entries],
    )
    return made


async def undo(
    db: Db,
    organization: UUID,
    kind: TxnKind,
    by: TxnKind,
    *,
    donation: UUID | None = None,
    disbursement: UUID | None = None,
) -> UUID:
    """Posts, now, the reversal `by` of the posting of a kind that a gift or a disbursement has."""
    rows = await db.all(POSTING, kind=kind, subject=donation or disbursement)
    entries = [Entry(r["fund_id"], Account(r["account"]), r["amount_fen"]) for r in rows]
    return await post(
        db,
        organization,
        by,
        db.now,
        reversal(entries),
        donation=donation,
        disbursement=disbursement,
        reverses=rows[0]["id"],
    )
