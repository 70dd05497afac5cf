"""Seals of the audit log: what makes a change to it known afterwards, also one by who owns the database.

Writers insert rows and wait for nobody (`models.audit`). A sealer, one at a time and as the owner, reads the rows that
have been committed, in the order of (era, transaction, id) as the relay reads the outbox, and writes a seal over each
run of them: an HMAC of every row, and one over those and the seal before. The HMACs' key is a data key (Kind.AUDIT),
which the database holds wrapped only: without the master key nobody, not even its administrator, makes a seal that
fits. What no seal can show is a log whose end was cut off; so its newest hash belongs into other hands
(`./wushe audit head`).
"""

from __future__ import annotations

import dataclasses
import hmac
import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from models import audit, clock
from models.access import NOBODY, Role, Viewer, visible
from models.base import READ_ONLY, Table, check, instant
from models.events import Xid8
from models.vault import Keys, Kind

BATCH = 1_000
"""The most rows that are read at once; a seal holds no more."""
DIGEST = 16
"""Bytes of a row's HMAC."""
LOCK = 7_302_014
"""The advisory lock of the one who seals."""


class AuditSeal(Table, table=True):
    """One link of the chain: which rows it holds, in order, the HMAC of each, and its own over all that it says."""

    __tablename__ = "audit_seal"
    __table_args__ = (
        check("rows", "count > 0 AND count = cardinality(row_ids) AND octet_length(digests) = 16 * count"),
        {"info": READ_ONLY},
    )
    n: int = Field(sa_column=sa.Column(sa.BigInteger, primary_key=True, autoincrement=False))
    """1, 2, 3, … without a gap."""
    at: datetime = instant()
    month: date
    """The month of all its rows, in Shanghai: months past their time are dropped, their seals stay."""
    era: int = Field(sa_type=sa.SmallInteger)
    last_xid: Any = Field(sa_type=Xid8, nullable=False)
    last_id: UUID
    """With `era` and `last_xid`: how far the log had been read. Whatever lies before is in this seal or an earlier one."""
    count: int
    row_ids: list[UUID] = Field(sa_type=ARRAY(sa.Uuid()))
    digests: bytes
    """The rows' HMACs, one after another."""
    previous: bytes
    """The hash of the seal before; zeros for the first."""
    hash: bytes
    key: UUID
    """The data key that it was made with."""


class AuditArchive(Table, table=True):
    """That a month of the log was past its time and was dropped; its seals stay, and no longer find their rows."""

    __tablename__ = "audit_archive"
    __table_args__ = ({"info": READ_ONLY},)
    month: date = Field(primary_key=True)
    at: datetime = instant()
    count: int = Field(sa_type=sa.BigInteger)
    proof: bytes
    """An HMAC over the month and the count: a month that somebody else dropped has none."""
    key: UUID


@visible("audit_seal")
@visible("audit_archive")
def audit_seal(row: Any, viewer: Viewer) -> sa.ColumnElement[bool] | None:
    """Auditors."""
    return None if viewer.role is Role.AUDITOR else NOBODY


NEWEST = 100
"""Seals that an auditor is shown."""


def newest(view: Any) -> sa.Select[Any]:
    """The newest seals, the newest first, without what they hold."""
    seal = view.rows(AuditSeal)
    hash_ = sa.func.encode(seal.c.hash, sa.literal_column("'hex'")).label("hash")
    return sa.select(seal.c.n, seal.c.at, seal.c.month, seal.c.count, hash_).order_by(seal.c.n.desc()).limit(NEWEST)


Place = tuple[int, int, UUID]
"""(era, transaction, id): where a row stands in the log."""
BEGINNING: Place = (0, 0, UUID(int=0))
NONE_BEFORE = bytes(32)

COLUMNS = (
    *("era", "xid", "id", "at", "action", "result", "subject_type", "subject", "role", "person", "organization"),
    *("area", "sign_in", "key", "address", "request", "detail"),
)
"""What a row's HMAC is over, in this order: every column."""
ROWS = ", ".join(COLUMNS)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def canonical(what: str, values: Iterable[Any]) -> bytes:
    """Values as bytes that only they have: what it is, then of each whether it is there, its length and itself.

    Instants are microseconds since 1970, whatever their offset; `detail` is the text that PostgreSQL writes of jsonb.
    """
    out = [b"wushe audit 1 ", what.encode(), b"\0"]
    for value in values:
        if value is None:
            out.append(b"\0")
            continue
        match value:
            case UUID():
                said = value.bytes
            case datetime():
                said = str((value - EPOCH) // timedelta(microseconds=1)).encode()
            case bytes():
                said = value
            case _:
                said = str(value).encode()
        out += [b"\1", len(said).to_bytes(8), said]
    return b"".join(out)


def digest(secret: bytes, row: Mapping[str, Any]) -> bytes:
    """A row's HMAC-SHA-256, of which half is kept."""
    return hmac.digest(secret, canonical("row", (row[name] for name in COLUMNS)), "sha256")[:DIGEST]


SEALED = ("n", "at", "month", "era", "last_xid", "last_id", "count", "digests", "previous", "key")


def link(secret: bytes, seal: Mapping[str, Any]) -> bytes:
    """A seal's hash: HMAC-SHA-256 over everything else that it says."""
    said = [seal[name] for name in SEALED]
    return hmac.digest(secret, canonical("seal", [*said, *seal["row_ids"]]), "sha256")


def place(row: Mapping[str, Any]) -> Place:
    """Where a row stands in the log."""
    return (row["era"], row["xid"], row["id"])


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """How far the log is sealed: the newest seal's number and hash, and what has been read."""

    n: int = 0
    hash: bytes = NONE_BEFORE
    read: Place = BEGINNING


LAST = "SELECT n, hash, era, last_xid, last_id FROM audit_seal ORDER BY n DESC LIMIT 1"
TAKE = f"""
SELECT {ROWS} FROM audit_event
WHERE (era, xid, id) > ($1, $2, $3) AND xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY era, xid, id
LIMIT {BATCH}
"""  # noqa: S608 - column names of our own
"""Only rows of transactions older than every one that still runs: what commits later stands behind them."""
COUNTED = 100_000
WAITING = f"""
SELECT count(*) AS count, min(at) AS oldest
FROM (SELECT at FROM audit_event WHERE (era, xid, id) > ($1, $2, $3) ORDER BY era, xid, id LIMIT {COUNTED}) AS waiting
"""  # noqa: S608 - column names of our own
"""Whether or not they may be sealed now: what is written only before the oldest running transaction ends waits, too."""
INSERT = """
INSERT INTO audit_seal (n, at, month, era, last_xid, last_id, count, row_ids, digests, previous, hash, key)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
ORDER = tuple(INSERT.partition("(")[2].partition(")")[0].split(", "))


async def end(connection: asyncpg.Connection) -> End:
    """How far the log is sealed."""
    found = await connection.fetchrow(LAST)
    return (
        End() if found is None else End(found["n"], found["hash"], (found["era"], found["last_xid"], found["last_id"]))
    )


async def waiting(connection: asyncpg.Connection) -> tuple[int, datetime | None]:
    """How many rows no seal holds yet, counted to `COUNTED`, and when the oldest of them was written."""
    found = await connection.fetchrow(WAITING, *(await end(connection)).read)
    return found["count"], found["oldest"]


async def seal(connection: asyncpg.Connection, keys: Keys, now: datetime) -> int:
    """Seals one batch, as the owner; how many rows. Zero also when another is at it."""
    async with connection.transaction():
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK):
            return 0
        last = await end(connection)
        rows = await connection.fetch(TAKE, *last.read)
        await write(connection, keys, now, last, rows)
        return len(rows)


async def seal_all(connection: asyncpg.Connection, keys: Keys, now: datetime) -> int:
    """Seals until nothing more may be read; how many rows."""
    total = 0
    while count := await seal(connection, keys, now):
        total += count
    return total


async def write(
    connection: asyncpg.Connection, keys: Keys, now: datetime, last: End, rows: Sequence[Mapping[str, Any]]
) -> End:
    """Writes the seals of these rows behind the last one, a seal for each run of rows of one month."""
    key, secret = keys.secret(Kind.AUDIT)
    made = []
    for month, run in itertools.groupby(rows, lambda row: clock.month(row["at"])):
        held = list(run)
        read = max(last.read, place(held[-1]))
        seal: dict[str, Any] = {
            "n": last.n + 1,
            "at": now,
            "month": month,
            "era": read[0],
            "last_xid": read[1],
            "last_id": read[2],
            "count": len(held),
            "row_ids": [row["id"] for row in held],
            "digests": b"".join(digest(secret, row) for row in held),
            "previous": last.hash,
            "key": key,
        }
        seal["hash"] = link(secret, seal)
        made.append([seal[name] for name in ORDER])
        last = End(seal["n"], seal["hash"], read)
    if made:
        await connection.executemany(INSERT, made)
    return last


FOREIGN = """
SELECT xid >= pg_snapshot_xmax(pg_current_snapshot())
FROM (
    (SELECT era, xid FROM audit_event ORDER BY era DESC, xid DESC LIMIT 1)
    UNION ALL (SELECT era, last_xid FROM audit_seal ORDER BY n DESC LIMIT 1)
) AS newest
ORDER BY era DESC, xid DESC
LIMIT 1
"""
LOST = f"""
SELECT {ROWS} FROM audit_event
WHERE NOT EXISTS (SELECT FROM unnest(ARRAY (SELECT unnest(row_ids) FROM audit_seal)) AS held (id) WHERE held.id = audit_event.id)
ORDER BY era, xid, id
"""  # noqa: S608 - column names of our own


async def foreign(connection: asyncpg.Connection) -> bool:
    """Whether the log was written in another server, whose transactions had other numbers: a dump was loaded here.

    Until migrating has put that right nothing may be sealed: what this server writes would stand before it.
    """
    return bool(await connection.fetchval(FOREIGN))


async def move(connection: asyncpg.Connection, keys: Keys, now: datetime) -> None:
    """Begins a new era after a move to another server, as the owner: seals what was written before, whatever its number.

    In a transaction of the caller's. The first row of the new era says what happened.
    """
    await connection.execute("LOCK TABLE audit_event IN SHARE ROW EXCLUSIVE MODE")
    await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
    last = await end(connection)
    era = await connection.fetchval("SELECT greatest($1, max(era)) FROM audit_event", last.read[0])
    rows = await connection.fetch(LOST)
    for start in range(0, len(rows), BATCH):
        last = await write(connection, keys, now, last, rows[start : start + BATCH])
    await connection.execute(f"ALTER TABLE audit_event ALTER COLUMN era SET DEFAULT {int(era) + 1}")
    await audit.write(connection, *audit.by_system(now, "audit.move", detail={"era": int(era) + 1}))
