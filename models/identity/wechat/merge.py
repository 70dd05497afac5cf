"""What moves when two records are one person: found in the tables themselves, so that a new one is not forgotten.

Every column that refers to a person is pointed at the other one, and what is sealed for the one is sealed for the
other. What must not be rewritten is history, and where there is any, nothing is moved at all. All of it runs in the
transaction of a verb, so a constraint that objects undoes everything.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlmodel import SQLModel

from models.database import Db, Statement
from models.identity.wechat.problems import BothHaveHistory
from models.vault import Kind

HIS = frozenset({"person_name", "person_contact", "person_identity"})
"""One row a person, which `merging.adopt` makes one of two."""
STAY = frozenset(
    {
        "sign_in",
        "claim_try",
        "person_merge",
        "contact_reveal",
        "donor_reveal",
        "person_search",
        "pii_access",
    }
)
"""Logs of what was done with the record that is given up: they name it, and it stands there still."""
HISTORY = frozenset(
    {"account", "allocation", "attendance", "break_glass", "disbursement", "manual_proposal", "social_worker"}
)
"""What is not rewritten although it could be: who was there, who was paid, who approved, who signs in and how. So is
every table to which rows are only ever added."""
FOLDED = frozenset({"resident", "volunteer"})
"""Registrations of which a person has one: of two, the one of the record that stays counts, and what hangs on the
other is hung on it."""
LEFT = frozenset(
    {
        *(
            "consent",
            "guardianship",
            "guardian_consent",
            "membership_request",
            "organization_volunteer",
            "contact_grant",
        ),
        *("volunteer_window", "volunteer_absence", "qualification", "avoidance"),
    }
)
"""Of which a row may stay behind where the other record has the same already."""
OBJECTS = (asyncpg.IntegrityConstraintViolationError, asyncpg.RaiseError, asyncpg.InsufficientPrivilegeError)


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """A column that says which person, resident or volunteer a row is about, and what of the row is sealed for him."""

    table: sa.Table
    column: str
    sealed: dict[str, Kind]

    @property
    def history(self) -> bool:
        """Whether what it says is never rewritten."""
        info = self.table.info
        return self.table.name in HISTORY or bool(info.get("append_only") or info.get("read_only"))

    @functools.cached_property
    def where(self) -> sa.ColumnElement[bool]:
        return self.table.c[self.column] == sa.bindparam("from_", type_=sa.Uuid())

    @functools.cached_property
    def any(self) -> Statement:
        return Statement(
            sa.select(sa.exists(sa.select(sa.literal_column("1")).select_from(self.table).where(self.where)))
        )

    @functools.cached_property
    def rows(self) -> Statement:
        """Key and sealed values of each of its rows."""
        columns = [*self.table.primary_key.columns, *(self.table.c[name] for name in self.sealed)]
        return Statement(sa.select(*columns).where(self.where).with_for_update())

    @functools.cached_property
    def move(self) -> Statement:
        """Points one row, or without anything sealed all of them, at the other; answers a row for each."""
        values: dict[str, Any] = {self.column: sa.bindparam("into", type_=sa.Uuid())}
        values |= {name: sa.bindparam(f"new_{name}", type_=sa.LargeBinary()) for name in self.sealed}
        keys = [
            column == sa.bindparam(f"key_{column.name}", type_=column.type) for column in self.table.primary_key.columns
        ]
        update = sa.update(self.table).where(self.where, *keys).values(values)
        return Statement(update.returning(sa.literal_column("1")))


@functools.cache
def references(target: str) -> tuple[Reference, ...]:
    """Every reference to a table's rows; for people also the columns that say for whom something is sealed."""
    tables = SQLModel.metadata.tables
    assert set(tables) >= HISTORY | STAY | FOLDED | LEFT, "merging needs to know every table there is"
    return tuple(_references(target))


def _references(target: str) -> Iterator[Reference]:
    for table in SQLModel.metadata.sorted_tables:
        if table.info.get("view"):
            continue
        subjects: dict[str, dict[str, Kind]] = {}
        if target == "person":
            for column in table.columns:
                subject = column.info.get("subject") if "sealed" in column.info else None
                if subject is not None:
                    subjects.setdefault(subject, {})[column.name] = column.info["sealed"]
        for column in table.columns:
            refers = any(key.column.table.name == target for key in column.foreign_keys)
            if refers or column.name in subjects:
                yield Reference(table, column.name, subjects.get(column.name, {}))


async def history(db: Db, target: str, id: UUID) -> list[str]:
    """In which tables something stands of him that is never rewritten."""
    found = {
        reference.table.name
        for reference in references(target)
        if reference.history and reference.table.name not in HIS | STAY and await db.value(reference.any, from_=id)
    }
    return sorted(found)


async def move_all(db: Db, target: str, from_: UUID, into: UUID) -> dict[str, int]:
    """Points everything that refers to one row of a table at another one; table → how many rows.

    Raises BothHaveHistory where something must not be rewritten, and where a promise of the database stands against it.
    """
    if told := await history(db, target, from_):
        raise BothHaveHistory(where=told)
    moved: dict[str, int] = {}
    for reference in references(target):
        name = reference.table.name
        if name in HIS | STAY or reference.history:
            continue
        try:
            count = await _move(db, reference, from_, into)
        except OBJECTS as no:
            raise BothHaveHistory(where=[name]) from no
        if count:
            moved[name] = moved.get(name, 0) + count
    return moved


async def move_document(db: Db, from_: UUID, into: UUID) -> None:
    """Makes the document that staff have seen of the one the other's, who has none; who saw it and when stays."""
    for reference in references("person"):
        if (reference.table.name, reference.column) == ("person_identity", "person_id"):
            await _move(db, reference, from_, into)


async def _move(db: Db, reference: Reference, from_: UUID, into: UUID) -> int:
    """Moves the rows of one reference, one by one: a row that the other has already is folded, or stays."""
    keys, count = await db.keys(), 0
    for row in await db.all(reference.rows, from_=from_):
        values: dict[str, Any] = {f"key_{c.name}": row[c.name] for c in reference.table.primary_key.columns}
        for name, kind in reference.sealed.items():
            old = row[name]
            values[f"new_{name}"] = None if old is None else keys.seal(kind, keys.open(kind, old, from_), into)
        try:
            async with db.connection.transaction():
                count += len(await db.all(reference.move, from_=from_, into=into, **values))
        except (asyncpg.UniqueViolationError, asyncpg.ExclusionViolationError):
            if reference.table.name in FOLDED and reference.column == "person_id":
                await _fold(db, reference.table, row["id"], into)
            elif reference.table.name not in LEFT:
                raise
    return count


async def _fold(db: Db, table: sa.Table, old: UUID, person: UUID) -> None:
    """Hangs what hangs on a registration on the other record's, and takes it away. Raises BothHaveHistory."""
    row = await db.one(_of(table.name), person=person)
    assert row is not None, "the constraint found one"
    gone = await db.one(_one(table.name), id=old)
    if gone is not None and gone.get("state") == "SUSPENDED":  # nobody is rid of that by becoming another
        raise BothHaveHistory(where=[table.name])
    await move_all(db, table.name, old, row["id"])
    await db.one(_refusing(table.name), old=old, new=row["id"])
    await db.one(_delete(table.name), id=old)


@functools.cache
def _of(table: str) -> Statement:
    found = SQLModel.metadata.tables[table]
    return Statement(sa.select(found).where(found.c.person_id == sa.bindparam("person", type_=sa.Uuid())))


@functools.cache
def _one(table: str) -> Statement:
    found = SQLModel.metadata.tables[table]
    return Statement(sa.select(found).where(found.c.id == sa.bindparam("id", type_=sa.Uuid())))


@functools.cache
def _refusing(table: str) -> Statement:
    """What he refused on either record he refuses on the one that stays (PIPL art. 15, 24)."""
    found, old = SQLModel.metadata.tables[table], SQLModel.metadata.tables[table].alias("old")
    flags = {
        c.name: sa.or_(c, old.c[c.name])
        for c in found.columns
        if c.name.startswith("no_") and isinstance(c.type, sa.Boolean)
    }
    which = (found.c.id == sa.bindparam("new", type_=sa.Uuid()), old.c.id == sa.bindparam("old", type_=sa.Uuid()))
    return Statement(sa.update(found).where(*which).values(flags))


@functools.cache
def _delete(table: str) -> Statement:
    found = SQLModel.metadata.tables[table]
    return Statement(sa.delete(found).where(found.c.id == sa.bindparam("id", type_=sa.Uuid())))
