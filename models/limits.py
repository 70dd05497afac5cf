"""Buckets of points that the API's processes share: what each takes in advance, it spends by itself (api/limits.py).

A bucket holds a minute's worth and fills evenly. A row is how full one was at an instant; nothing has to fill it, and a
row that nobody touched for a minute says nothing more than its absence. So the table is unlogged: a crash fills every
bucket, and no write of it waits for a disk.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import sqlalchemy as sa
from sqlmodel import Field

from models.base import INSTANT, Table, instant, table
from models.database import Db, Statement
from models.vault import Keys, Kind

MINUTE = 60.0
"""Seconds in which an empty bucket fills."""
KEPT = timedelta(minutes=2)
CHUNK = 5_000


class RateBucket(Table, table=True):
    """How many points somebody may still spend, at an instant."""

    __tablename__ = "rate_bucket"
    __table_args__ = ({"prefixes": ["UNLOGGED"], "postgresql_with": {"fillfactor": 50}},)
    who: bytes = Field(primary_key=True)
    """A blind index of a key, a person or a network: who asks much is nobody's business in a back-up."""
    points: float
    size: float
    """What it holds when it is full, and gets in a minute."""
    at: datetime = instant()


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """What a process wants of one bucket."""

    name: str
    points: float
    """Below zero: what it took, did not use and gives back."""
    size: float


TAKE = """
INSERT INTO rate_bucket AS b (who, points, size, at)
SELECT w.who, greatest(w.size - w.points, 0), w.size, $1
FROM unnest($2::bytea[], $3::float8[], $4::float8[]) AS w (who, points, size)
ORDER BY w.who
ON CONFLICT (who) DO UPDATE SET
    points = greatest(0, least(excluded.size,
        least(excluded.size, b.points + excluded.size / 60 * greatest(0, extract(epoch FROM excluded.at - b.at)))
        - (excluded.size - excluded.points))),
    size = excluded.size,
    at = CASE WHEN b.at > excluded.at + interval '60 s' THEN excluded.at ELSE greatest(b.at, excluded.at) END
RETURNING who, least(new.size,
    coalesce(old.points + new.size / 60 * greatest(0, extract(epoch FROM $1 - old.at)), new.size)) - new.points AS got
"""
"""All wishes of a process at once, in one order, so that two processes wait for each other and never in a ring.

What is inserted for a bucket without a row tells the wish to the row that there is: full, less the wish. Time that
would run backwards stands still; a row from more than a minute ahead, which a clock that was wrong has left, counts
from now. (SQLAlchemy has no words for `old` and `new`.)
"""


def index(keys: Keys, name: str) -> bytes:
    """Under what a bucket is kept."""
    return keys.index(Kind.LOGIN, f"bucket {name}")


async def take(connection: asyncpg.Connection, keys: Keys, wishes: Sequence[Wish], now: datetime) -> dict[str, float]:
    """How many points each bucket gave, by its name: what was wished for, or what it had. Wishes of one name are one."""
    wanted: dict[str, Wish] = {}
    for wish in wishes:
        other = wanted.get(wish.name)
        wanted[wish.name] = wish if other is None else dataclasses.replace(wish, points=wish.points + other.points)
    names = {index(keys, name): name for name in wanted}
    asked = wanted.values()
    rows = await connection.fetch(TAKE, now, list(names), [w.points for w in asked], [w.size for w in asked])
    return {names[row["who"]]: row["got"] for row in rows}


bucket = table(RateBucket)
OLD = sa.select(bucket.c.who).where(bucket.c.at < sa.bindparam("before", type_=INSTANT)).limit(CHUNK)
SWEEP = Statement(sa.delete(bucket).where(bucket.c.who.in_(OLD)).returning(bucket.c.at))


async def sweep_buckets(db: Db) -> int:
    """Forgets buckets that are full by now; how many."""
    return len(await db.all(SWEEP, before=db.now - KEPT))
