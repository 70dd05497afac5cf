"""How long the audit log is kept: months past their time are dropped whole, once they have been proven.

The law asks for six months at least (网络安全法: 网络日志不少于六个月); the platform keeps three years unless told otherwise.
"""

from __future__ import annotations

import re
from datetime import date, datetime

import asyncpg

from models import clock
from models.audit_proof import archive_proof, verify
from models.audit_seal import LOCK, end
from models.vault import Keys, Kind

KEPT_MONTHS = 36
FEWEST_MONTHS = 6
"""What may be configured at least."""

PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_event'::regclass ORDER BY 1"
INSERT = "INSERT INTO audit_archive (month, at, count, proof, key) VALUES ($1, $2, $3, $4, $5)"


async def archive(connection: asyncpg.Connection, keys: Keys, now: datetime, months: int) -> dict[str, int]:
    """Drops the partitions of months that ended more than so many months ago, as the owner; how many rows of each.

    The seals of a month are walked first, and a record is left that its rows were dropped lawfully; the seals stay.
    Raises Broken when something is not as it was: then the month stays. One with rows that no seal holds yet waits.
    """
    oldest = before(clock.month(now), months)
    dropped = {}
    for name in [r[0] for r in await connection.fetch(PARTITIONS)]:
        found = re.fullmatch(r"audit_event_p(\d{4})(\d\d)", name)
        if found is None or (month := date(int(found[1]), int(found[2]), 1)) >= oldest:
            continue
        await verify(connection, keys, since=month, until=month)
        count = await _drop(connection, keys, now, name, month)
        if count is not None:
            dropped[name] = count
    return dropped


def before(month: date, months: int) -> date:
    """The first day of the month so many months before another."""
    year, index = divmod(month.year * 12 + month.month - 1 - months, 12)
    return date(year, index + 1, 1)


async def _drop(connection: asyncpg.Connection, keys: Keys, now: datetime, name: str, month: date) -> int | None:
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        last = await end(connection)
        unsealed = f"SELECT EXISTS (SELECT FROM {name} WHERE (era, xid, id) > ($1, $2, $3))"  # noqa: S608 - a partition of our own naming
        if await connection.fetchval(unsealed, *last.read):
            return None
        count: int = await connection.fetchval(f"SELECT count(*) FROM {name}")  # noqa: S608 - a partition of our own naming
        key, secret = keys.secret(Kind.AUDIT)
        record = {"month": month, "at": now, "count": count, "key": key}
        await connection.execute(INSERT, month, now, count, archive_proof(secret, record), key)
        await connection.execute(f"DROP TABLE {name}")
        return count
