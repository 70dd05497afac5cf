"""What the worker forgets: used codes, failed tries and old proofs of phone numbers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from models.base import INSTANT, table
from models.database import Db, Statement
from models.identity.wechat.rules import CODE_LIFE, PROOF_KEPT, TRY_PERIOD
from models.identity.wechat.tables import BoundPhone, ClaimTry, LoginCode

CHUNK = 500
"""Rows of a table in one transaction."""


def _past(rows: sa.Table, at: str) -> Statement:
    key: Any = next(iter(rows.primary_key.columns))
    old = (
        sa.select(key)
        .where(rows.c[at] <= sa.bindparam("before", type_=INSTANT))
        .order_by(rows.c[at])
        .limit(CHUNK)
        .with_for_update(skip_locked=True)
    )
    return Statement(sa.delete(rows).where(key.in_(old)).returning(sa.literal_column("1")))


PAST: tuple[tuple[Statement, timedelta], ...] = (
    (_past(table(LoginCode), "at"), CODE_LIFE),
    (_past(table(ClaimTry), "at"), TRY_PERIOD),
    (_past(table(BoundPhone), "proven_at"), PROOF_KEPT),
)


async def sweep_wechat(db: Db) -> int:
    """Deletes what is past its time; how many rows."""
    return sum([len(await db.all(statement, before=db.now - kept)) for statement, kept in PAST])
