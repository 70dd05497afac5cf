"""Forgetting what has served: used codes, failed tries, old proofs of phone numbers."""

from __future__ import annotations

from datetime import datetime

import asyncpg
import sqlalchemy as sa

from models.base import INSTANT, table
from models.database import Statement
from models.identity.wechat.rules import CODE_LIFE, PROOF_KEPT, TRY_PERIOD
from models.identity.wechat.tables import BoundPhone, ClaimTry, LoginCode

used, tried, bound = table(LoginCode), table(ClaimTry), table(BoundPhone)
_BEFORE = sa.bindparam("before", type_=INSTANT)
SWEEPS = (
    (Statement(sa.delete(used).where(used.c.at < _BEFORE)), CODE_LIFE),
    (Statement(sa.delete(tried).where(tried.c.at < _BEFORE)), TRY_PERIOD),
    (Statement(sa.delete(bound).where(bound.c.proven_at < _BEFORE)), PROOF_KEPT),
)


async def sweep(connection: asyncpg.Connection, now: datetime) -> None:
    """Deletes rows past their time: for a job."""
    for statement, kept in SWEEPS:
        await connection.execute(statement.sql, *statement.arguments({"before": now - kept}))
