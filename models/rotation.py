"""Rotating the vault's keys while everything runs: new data keys, values sealed anew, a new master key.

A column that holds sealed values says so where it is declared (`models.base.sealed`, `blind`), in whatever area, so
nothing is forgotten. The order is rotate, reseal, retire, and each step may be repeated at any time:

- `rotate` makes a data key whose time comes when every process has read it; from then on new values are sealed by it.
- `reseal` walks each table by its primary key, a thousand rows in one short transaction, past rows that others hold.
- `retire` ends the keys of which nothing is left. It refuses one of which something is.

A sealed value stays bound to its person: it is opened and sealed again for the same one.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models import audit, vault
from models.access import Actor, Role
from models.database import DIALECT
from models.tables import METADATA
from models.vault import ID, NO_ONE, Keys, Kind

BATCH = 1000
"""Rows in one transaction."""
PASSES, PAUSE = 60, 0.2
"""How often a table is walked before what others hold locked is left to the next time, and the seconds in between."""
AHEAD = timedelta(seconds=vault.FRESH + 10)
"""How long a new key waits: by then every process has read it."""
SETTLED = timedelta(seconds=vault.FRESH + 60)
"""How long after a newer key's time nothing is written by an older one any more: keys are kept, transactions run."""
TOKENS_LAST = timedelta(minutes=16)
"""For how long a token may be shown after its key was last used: 15 minutes, and one for clocks that differ."""
COMMAND = Actor(Role.ADMIN)
"""Who does it: nobody signed in, on the machine itself."""
ALONE = 210117
"""The advisory lock that a rotation holds."""


@dataclasses.dataclass(frozen=True)
class Sealed:
    """A column of sealed values."""

    table: sa.Table
    name: str
    kind: Kind
    subject: str | None
    """The column that holds whom the value is bound to; None for nobody."""


@dataclasses.dataclass(frozen=True)
class Blind:
    """A column of blind indexes, of what another column of the row holds sealed."""

    table: sa.Table
    name: str
    of: Sealed


def sealed_columns(kind: Kind | None = None) -> list[Sealed]:
    """Every column of sealed values there is, or those of a kind, in the order of tables."""
    found = [
        Sealed(table, column.name, column.info["sealed"], column.info["subject"])
        for table in METADATA.sorted_tables
        for column in table.columns
        if "sealed" in column.info
    ]
    return [c for c in found if kind is None or c.kind is kind]


def blind_columns() -> list[Blind]:
    """Every column of blind indexes there is."""
    sealed = {(c.table.name, c.name): c for c in sealed_columns()}
    return [
        Blind(table, column.name, sealed[table.name, column.info["blind"]])
        for table in METADATA.sorted_tables
        for column in table.columns
        if "blind" in column.info
    ]


class Walk:
    """The rows of a table in batches by primary key, and what is written of them."""

    def __init__(self, table: sa.Table, column: str, read: Sequence[str], where: str) -> None:
        """`read`: the columns that are needed besides; `where` uses $1, which `batches` is given."""
        self.keys = [c.name for c in table.primary_key.columns]
        types = [str(c.type.compile(dialect=DIALECT)) for c in table.primary_key.columns]
        key, mark = ", ".join(self.keys), ", ".join(f"${n + 2}" for n in range(len(self.keys)))
        chosen = ", ".join(dict.fromkeys([*self.keys, column, *read]))
        rest = f"ORDER BY {key} LIMIT {BATCH} FOR UPDATE SKIP LOCKED"
        start = f"SELECT {chosen} FROM {table.name} WHERE {column} IS NOT NULL AND {where}"  # noqa: S608 - names from the metadata
        self.first = f"{start} {rest}"
        self.next = f"{start} AND ({key}) > ({mark}) {rest}"
        given = ", ".join(f"${n + 1}::{t}[]" for n, t in enumerate([*types, "bytea"]))
        same = " AND ".join(f"t.{k} = v.{k}" for k in self.keys)
        self.write = f"UPDATE {table.name} t SET {column} = v.made FROM unnest({given}) AS v ({key}, made) WHERE {same}"  # noqa: S608 - names from the metadata

    async def batches(self, connection: asyncpg.Connection, given: Any) -> AsyncIterator[list[asyncpg.Record]]:
        """The rows, locked, each batch in a transaction of its own; those that others hold are passed by."""
        after: list[Any] = []
        while True:
            async with connection.transaction():
                rows = await connection.fetch(self.next if after else self.first, given, *after)
                if not rows:
                    return
                yield rows
            after = self.key(rows[-1])

    def key(self, row: asyncpg.Record) -> list[Any]:
        """A row's primary key."""
        return [row[k] for k in self.keys]

    async def put(self, connection: asyncpg.Connection, made: list[tuple[list[Any], bytes]]) -> None:
        """Writes new values of rows, by their keys."""
        if not made:
            return
        columns = [list(c) for c in zip(*(key for key, _ in made), strict=True)]
        await connection.execute(self.write, *columns, [value for _, value in made])


def _reading(column: Sealed) -> list[str]:
    return [] if column.subject is None else [column.subject]


def _opened(keys: Keys, column: Sealed, row: asyncpg.Record) -> tuple[str, UUID]:
    subject = NO_ONE if column.subject is None else row[column.subject]
    return keys.open(column.kind, row[column.name], subject), subject


async def alone(connection: asyncpg.Connection) -> bool:
    """Whether no other rotation is at work; it is then this connection's, until it closes."""
    found: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1)", ALONE)
    return found


async def note(
    connection: asyncpg.Connection, step: str, now: datetime, key: UUID | None = None, **detail: Any
) -> None:
    """Writes what a command did to the keys into the audit log."""
    about: dict[str, Any] = {} if key is None else {"subject_type": "DataKey", "subject": key}
    await audit.write(connection, *audit.row(COMMAND, now, f"command.keys.{step}", audit.DONE, detail=detail, **about))


async def rotate(
    connection: asyncpg.Connection, kinds: Sequence[Kind], now: datetime, ahead: timedelta = AHEAD
) -> list[UUID]:
    """Makes a new data key of each kind, whose time comes after `ahead`; returns their ids. Raises Locked."""
    made = []
    async with connection.transaction():
        for kind in kinds:
            made.append(await vault.make(connection, kind, now + ahead))
            await note(connection, "rotate", now, made[-1], kind=kind.value, since=(now + ahead).isoformat())
    return made


async def reseal(connection: asyncpg.Connection, kinds: Sequence[Kind], now: datetime) -> Counter[str]:
    """Seals what older keys sealed with the newest ones; returns how many values of each column were, `table.column`.

    For INDEX the blind indexes are computed again. Raises Locked, UnknownKey, Tampered.
    """
    keys, done = await vault.load(connection), Counter[str]()
    for kind in kinds:
        for column in sealed_columns(kind):
            done[f"{column.table.name}.{column.name}"] += await _reseal(connection, keys, column)
        if kind is Kind.INDEX:
            for blind in blind_columns():
                done[f"{blind.table.name}.{blind.name}"] += await _reindex(connection, keys, blind)
    done += Counter()  # what was nothing
    await note(connection, "reseal", now, kinds=[k.value for k in kinds], values=dict(done))
    return done


async def _reseal(connection: asyncpg.Connection, keys: Keys, column: Sealed) -> int:
    """Seals a column's values anew; how many were."""
    older = f"substring({column.name} FROM 1 FOR {ID}) <> $1"
    walk, newest, count = Walk(column.table, column.name, _reading(column), older), keys.current(column.kind).bytes, 0
    left = f"SELECT EXISTS (SELECT FROM {column.table.name} WHERE {older})"  # noqa: S608 - names from the metadata
    for _ in range(PASSES):
        async for rows in walk.batches(connection, newest):
            made = [(walk.key(row), keys.seal(column.kind, *_opened(keys, column, row))) for row in rows]
            await walk.put(connection, made)
            count += len(made)
        if not await connection.fetchval(left, newest):
            break
        await asyncio.sleep(PAUSE)
    return count


async def _reindex(connection: asyncpg.Connection, keys: Keys, blind: Blind) -> int:
    """Computes a column's blind indexes anew; how many differed."""
    walk, count = Walk(blind.table, blind.name, [blind.of.name, *_reading(blind.of)], "$1"), 0
    for _ in range(PASSES):
        async for rows in walk.batches(connection, True):
            made = [(walk.key(row), index) for row in rows if (index := _index(keys, blind, row)) != row[blind.name]]
            await walk.put(connection, made)
            count += len(made)
        if not await _differs(connection, keys, blind):
            break
        await asyncio.sleep(PAUSE)
    return count


def _index(keys: Keys, blind: Blind, row: asyncpg.Record) -> bytes:
    return keys.index(blind.of.kind, _opened(keys, blind.of, row)[0])


async def _differs(connection: asyncpg.Connection, keys: Keys, blind: Blind) -> bool:
    """Whether some blind index is not the newest key's."""
    async for row in _every(connection, blind):
        if _index(keys, blind, row) != row[blind.name]:
            return True
    return False


async def sealed_by(connection: asyncpg.Connection) -> Counter[UUID]:
    """How many values each data key has sealed, and how many blind indexes each index key has made."""
    found = Counter[UUID]()
    for column in sealed_columns():
        sql = (
            f"SELECT substring({column.name} FROM 1 FOR {ID}), count(*) FROM {column.table.name}"  # noqa: S608 - names from the metadata
            f" WHERE {column.name} IS NOT NULL GROUP BY 1"
        )
        for id, count in await connection.fetch(sql):
            found[UUID(bytes=id)] += count
    keys = await vault.load(connection)
    for blind in blind_columns():
        async for row in _every(connection, blind):
            plain = _opened(keys, blind.of, row)[0]
            found[_maker(keys, blind, plain, row[blind.name])] += 1
    return found


async def _every(connection: asyncpg.Connection, blind: Blind) -> Any:
    """Every row that has a blind index."""
    chosen = ", ".join(dict.fromkeys([blind.name, blind.of.name, *_reading(blind.of)]))
    sql = f"SELECT {chosen} FROM {blind.table.name} WHERE {blind.name} IS NOT NULL"  # noqa: S608 - names from the metadata
    async with connection.transaction():
        async for row in connection.cursor(sql, prefetch=BATCH):
            yield row


def _maker(keys: Keys, blind: Blind, plain: str, index: bytes) -> UUID:
    """Which index key made a blind index; no one's id for what none did."""
    made = zip(keys.secrets(Kind.INDEX), keys.indexes(blind.of.kind, plain), strict=True)
    return next((id for id, candidate in made if candidate == index), NO_ONE)


@dataclasses.dataclass(frozen=True)
class Key:
    """A data key, as `keys list` shows it."""

    id: UUID
    kind: Kind
    master: str
    created_at: datetime
    retired_at: datetime | None
    values: int
    newest: bool
    """Whether new values are sealed with it."""


KEYS = "SELECT id, kind, master, created_at, retired_at FROM data_key ORDER BY kind, created_at, id"


async def listed(connection: asyncpg.Connection, now: datetime) -> list[Key]:
    """Every data key by kind, the oldest first, and how many values it has sealed. Raises Locked."""
    counts, rows = await sealed_by(connection), await connection.fetch(KEYS)
    newest = {r["kind"]: r["id"] for r in rows if r["retired_at"] is None and r["created_at"] <= now}
    return [
        Key(**{**dict(r), "kind": Kind(r["kind"])}, values=counts[r["id"]], newest=newest.get(r["kind"]) == r["id"])
        for r in rows
    ]


@dataclasses.dataclass(frozen=True)
class Refused:
    """A key that may not be retired yet."""

    key: Key
    reason: str


async def retire(connection: asyncpg.Connection, now: datetime) -> tuple[list[Key], list[Refused]]:
    """Retires every key that is older than its kind's newest, and of which nothing is left; the others, and why not.

    Nothing is written by an older key once the newest has been the newest for a while, so what is not there now never
    will be. Raises Locked.
    """
    retired, refused = list[Key](), list[Refused]()
    for key, newer in _older(await listed(connection, now)):
        wait = TOKENS_LAST if key.kind is Kind.TOKEN else SETTLED
        if key.values:
            refused.append(Refused(key, f"{key.values} values are still sealed with it: run ./wushe keys reseal"))
        elif newer.created_at + wait > now:
            left = int((newer.created_at + wait - now).total_seconds()) + 1
            refused.append(Refused(key, f"processes may still use it for {left} seconds"))
        else:
            async with connection.transaction():
                await connection.execute("UPDATE data_key SET retired_at = $2 WHERE id = $1", key.id, now)
                await note(connection, "retire", now, key.id, kind=key.kind.value)
            retired.append(key)
    return retired, refused


def _older(keys: list[Key]) -> Iterator[tuple[Key, Key]]:
    """Keys that are neither retired nor the newest, nor waiting; each with its kind's newest."""
    newest = {key.kind: key for key in keys if key.newest}
    for key in keys:
        newer = newest.get(key.kind)
        if newer is not None and key.retired_at is None and (key.created_at, key.id) < (newer.created_at, newer.id):
            yield key, newer


async def rewrap(connection: asyncpg.Connection, now: datetime) -> int:
    """Wraps every data key by the newest master key; how many were wrapped by another. Raises Locked, changing nothing."""
    wrapper = vault.master()
    async with connection.transaction():
        rows = await connection.fetch(
            "SELECT id, kind, wrapped, master FROM data_key WHERE master <> $1 FOR UPDATE", wrapper.name
        )
        for row in rows:
            plain = vault.master_of(row).unwrap(row["id"], row["kind"], row["wrapped"])
            await connection.execute(
                "UPDATE data_key SET wrapped = $2, master = $3 WHERE id = $1",
                row["id"],
                wrapper.wrap(row["id"], row["kind"], plain),
                wrapper.name,
            )
        await note(connection, "rewrap", now, keys=len(rows), master=wrapper.name)
    return len(rows)
