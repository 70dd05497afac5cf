"""One at a time: two requests about the same thing wait for each other, so that the second sees what the first did."""

from __future__ import annotations

import sqlalchemy as sa

from models.database import Db, Statement

LOCK = Statement(
    sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(sa.bindparam("what", type_=sa.Text()), 2101)))
)


async def once(db: Db, *what: str) -> None:
    """Holds these names until the transaction ends, in one order. What is compared afterwards cannot change meanwhile."""
    for name in sorted(what):
        await db.one(LOCK, what=name)
