"""One at a time: two requests about the same thing wait for each other, so that the second sees what the first did."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from models.database import Db, Statement

LOCK = Statement(
    sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(sa.bindparam("what", type_=sa.Text()), 2101)))
)


def secret_name(what: str, plain: str) -> str:
    """A name for something that is told nobody, such as a phone number: the same in every process, whatever keys it has.

    Five digits of a hash: thousands of numbers share it, so it tells none of them; two that do wait for a moment.
    """
    return f"{what} {hashlib.sha256(plain.encode()).hexdigest()[:5]}"


async def once(db: Db, *what: str) -> None:
    """Holds these names until the transaction ends, in one order. What is compared afterwards cannot change meanwhile."""
    for name in sorted(what):
        await db.one(LOCK, what=name)
