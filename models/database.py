"""Statements that SQLAlchemy wrote once, and transactions that asyncpg runs: `transaction()` is the only commit.

A verb is given a `Db`: the open transaction, who asks, and the time. Deadlocks and serialization failures are
retried here, with jitter, and never shown.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import asyncpg as dialect

from models import vault
from models.access import VIEWER_TYPES, Actor, Role
from models.pool import Pool

DIALECT = dialect.dialect()  # type: ignore[no-untyped-call]
RETRIED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
TRIES = 12
retried: collections.Counter[str] = collections.Counter()
"""How often a transaction was begun again, by why: for the metrics."""
T = TypeVar("T")


class Statement:
    """SQL that SQLAlchemy wrote, and the order of its parameters. Bound values are handed to asyncpg as they are."""

    __slots__ = ("constants", "order", "sql")

    def __init__(self, statement: sa.ClauseElement) -> None:
        compiled = statement.compile(dialect=DIALECT)
        self.sql = str(compiled)
        self.order = tuple(compiled.positiontup or ())  # type: ignore[attr-defined]
        binds: dict[str, sa.BindParameter[Any]] = compiled.binds  # type: ignore[attr-defined]
        self.constants = {k: v for k, v in compiled.params.items() if v is not None or not binds[k].required}
        for column in getattr(compiled, "insert_prefetch", ()):  # what an INSERT does not name, but a class defaults
            if column.default is not None and column.default.is_scalar:
                self.constants[column.key] = column.default.arg
            else:
                self.constants.pop(column.key, None)

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """The values in the order of $1, $2, …; a name that is neither given nor constant raises KeyError."""
        return [values[name] if name in values else self.constants[name] for name in self.order]


class AsViewer:
    """A Viewer for a verb's statements: his person, organization, area and the time are filled in by `Db`."""

    def __init__(self, role: Role) -> None:
        self.role = role
        for name, type_ in VIEWER_TYPES.items():
            setattr(self, name, sa.bindparam(f"viewer_{name}", type_=type_, unique=False))

    person: sa.ColumnElement[Any]
    organization: sa.ColumnElement[Any]
    area: sa.ColumnElement[Any]
    area_end: sa.ColumnElement[Any]
    sign_in: sa.ColumnElement[Any]
    now: sa.ColumnElement[Any]


class Seen:
    """A statement that depends on who looks: `Seen(lambda viewer: select(...).where(*seen(need, "need", viewer)))`."""

    __slots__ = ("build", "by_role")

    def __init__(self, build: Callable[[AsViewer], sa.ClauseElement]) -> None:
        self.build = build
        self.by_role: dict[Role, Statement] = {}

    def for_role(self, role: Role) -> Statement:
        """The statement as that role may run it, written at its first use."""
        statement = self.by_role.get(role)
        if statement is None:
            statement = self.by_role[role] = Statement(self.build(AsViewer(role)))
        return statement


@dataclasses.dataclass(slots=True)
class Event:
    """Something that happened, for the outbox: no personal data."""

    topic: str
    subject: UUID
    area: str | None
    data: dict[str, Any]


class Db:
    """One open transaction: who asks, the time, and what is to be told when it has committed."""

    __slots__ = ("actor", "address", "connection", "detail", "events", "now", "vault")

    def __init__(
        self, connection: asyncpg.Connection, actor: Actor, now: datetime, keys: vault.Vault | None = None
    ) -> None:
        self.connection, self.actor, self.now = connection, actor, now
        self.vault = keys or vault.of(connection)
        self.events: list[Event] = []
        self.address: str | None = None
        """The network address of whoever asks, where it is known."""
        self.detail: dict[str, Any] = {}
        """What the audit row of this act says besides who, what and when: ids, counts, purposes; no personal data."""

    async def keys(self) -> vault.Keys:
        """The data keys, to seal and open personal data with."""
        return await self.vault.keys(self.connection)

    async def open(self, kind: vault.Kind, sealed: bytes, subject: UUID) -> str:
        """What was sealed for a person, to decide by: what is answered goes by the schema's sealed fields."""
        try:
            return (await self.keys()).open(kind, sealed, subject)
        except vault.UnknownKey:  # another process has made a new one
            return (await self.vault.keys(self.connection, newest=True)).open(kind, sealed, subject)

    def _prepared(self, statement: Statement | Seen, values: dict[str, Any]) -> tuple[str, list[Any]]:
        actor = self.actor
        known = {
            "viewer_person": actor.person,
            "viewer_organization": actor.organization,
            "viewer_area": actor.area,
            "viewer_area_end": actor.area_end,
            "viewer_sign_in": actor.sign_in,
            "viewer_now": self.now,
            "now": self.now,
            **values,
        }
        chosen = statement.for_role(actor.role) if isinstance(statement, Seen) else statement
        return chosen.sql, chosen.arguments(known)

    async def one(self, statement: Statement | Seen, **values: Any) -> asyncpg.Record | None:
        """The first row, or None."""
        sql, args = self._prepared(statement, values)
        return await self.connection.fetchrow(sql, *args)

    async def all(self, statement: Statement | Seen, **values: Any) -> Sequence[asyncpg.Record]:
        """Every row."""
        sql, args = self._prepared(statement, values)
        rows: Sequence[asyncpg.Record] = await self.connection.fetch(sql, *args)
        return rows

    async def value(self, statement: Statement | Seen, **values: Any) -> Any:
        """The first cell of the first row, or None."""
        sql, args = self._prepared(statement, values)
        return await self.connection.fetchval(sql, *args)

    def tell(self, topic: str, subject: UUID, *, area: str | None = None, **data: Any) -> None:
        """Puts an event into the outbox, written with the commit. `topic` is `need.verified`, say."""
        self.events.append(Event(topic, subject, area, data))


async def transaction(
    pool: Pool, actor: Actor, now: datetime, work: Callable[[Db], Awaitable[T]], purpose: str | None = None
) -> T:
    """Runs `work` in one transaction and commits it; any exception rolls back. `purpose`: see `Pool.connection`.

    Deadlocks and serialization failures run `work` again, from the start, up to twelve times; so it must do nothing
    that a rollback does not undo. A mutation always finishes: once begun, its caller's leaving does not stop it.
    """
    for attempt in range(TRIES):
        try:
            async with pool.connection(purpose) as connection, connection.transaction():
                db = Db(connection, actor, now, pool.vault)
                result = await work(db)
                if db.events:
                    await write_events(db)
                return result
        except RETRIED as why:
            retried[type(why).__name__] += 1
            if attempt == TRIES - 1:
                raise
            await asyncio.sleep(random.uniform(0.002, 0.01) * 2 ** min(attempt, 5))
    raise AssertionError


WRITE_EVENTS = """
INSERT INTO event (at, topic, subject, area, person, role, data)
SELECT $1, topic, subject, area, $2, $3, data
FROM unnest($4::text[], $5::uuid[], $6::text[], $7::jsonb[]) AS told (topic, subject, area, data)
"""


async def write_events(db: Db) -> None:
    """Inserts what the transaction has to tell; the relay reads it once it has committed."""
    await db.connection.execute(WRITE_EVENTS, *event_rows(db))


def event_rows(db: Db) -> tuple[Any, ...]:
    """The parameters that insert what the transaction has to tell; it has then been told."""
    told, db.events = db.events, []
    return (
        db.now,
        db.actor.person,
        db.actor.role.value,
        [e.topic for e in told],
        [e.subject for e in told],
        [e.area for e in told],
        [json.dumps(e.data, default=str, ensure_ascii=False) for e in told],
    )
