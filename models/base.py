"""Columns that every area's tables are made of.

SQLModel declares a table, and does not validate it: what comes in is checked in the areas' rules. Enumerations are
stored as their text, with a CHECK generated from the enumeration; instants carry their zone; money is fen.
"""

from __future__ import annotations

import enum
import functools
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {
    "pk": "pk_%(table_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

INSTANT = TIMESTAMP(timezone=True)
APPEND_ONLY = {"append_only": True}
"""`info` of a table that the API's database role may read and insert into, and no more."""
READ_ONLY = {"read_only": True}
"""`info` of a table that the API's database role may only read: triggers, which run as the owner, write it."""
VIEW = {**READ_ONLY, "view": True}
"""`info` of what is declared like a table and is a view: a migration writes its SELECT, and drift is not looked for."""


class Table(SQLModel):
    """A noun that is stored. Every table has an `id` that the database makes, unless it says otherwise."""

    model_config = {"defer_build": True}
    """No validators are made, since nothing is validated by them."""


def key() -> Any:
    """A primary key that the database makes: uuidv7, in order of time."""
    return Field(default=None, primary_key=True, sa_column_kwargs={"server_default": sa.text("uuidv7()")})


def to(target: str, *, optional: bool = False, index: bool = True, **kw: Any) -> Any:
    """A reference to another table's key (`"need.id"`), with an index unless a wider one begins with it."""
    kw.setdefault("default", None) if optional else None
    return Field(foreign_key=target, index=index, nullable=optional, **kw)


def instant(*, optional: bool = False, index: bool = False) -> Any:
    """A point in time, with its zone."""
    return Field(default=None, sa_type=INSTANT, nullable=optional, index=index)


def fen(*, optional: bool = False) -> Any:
    """An amount of money in fen, 64 bits."""
    return Field(default=None, sa_type=sa.BigInteger, nullable=optional)


def text(*, optional: bool = False, index: bool = False, default: str | None = None) -> Any:
    """Text that people wrote or read."""
    more = {"server_default": default} if default is not None else {}
    return Field(default=default, sa_type=sa.Text, nullable=optional, index=index, sa_column_kwargs=more)


def choice(values: type[enum.StrEnum], *, optional: bool = False, default: enum.StrEnum | None = None) -> Any:
    """One value of an enumeration, stored as its name; the CHECK comes from `chosen`."""
    assert all(v.name == v.value for v in values), "an enumeration's name, value and stored text are one"
    more = {"server_default": default.value} if default is not None else {}
    return Field(default=default, sa_type=sa.Text, nullable=optional, sa_column_kwargs=more)


def sealed(kind: enum.StrEnum, subject: str | None = "person_id", *, optional: bool = False) -> Any:
    """Personal data, sealed by the vault (`keys.seal(kind, text, subject)`): a rotation of keys finds it by this.

    `subject` is the column of the same row that holds the person whom it is bound to; None for what is about nobody.
    """
    info = {"sealed": kind, "subject": subject}
    more: dict[str, Any] = {"default": None} if optional else {}
    return Field(sa_type=sa.LargeBinary, nullable=optional, sa_column_kwargs={"info": info}, **more)


def blind(of: str, *, optional: bool = False, index: bool = True, unique: bool = False) -> Any:
    """The blind index of what another column of the row holds sealed: `keys.index(kind, text)`, of that column's kind.

    Look it up with `= ANY(keys.indexes(kind, text))`. What is sealed is the normalized text, letter by letter: from it
    a rotation computes the index again.
    """
    more: dict[str, Any] = {"default": None} if optional else {}
    kwargs = {"info": {"blind": of}}
    return Field(sa_type=sa.LargeBinary, nullable=optional, index=index, unique=unique, sa_column_kwargs=kwargs, **more)


def km(*, optional: bool = False) -> Any:
    """A coordinate on the city's plane, or a distance, in kilometres; see `models.territory.geo`."""
    return Field(default=None, sa_type=sa.REAL, nullable=optional)


def grams() -> Any:
    """The keys that a row is found by; see `models.search`."""
    return several(sa.Integer)


def found_by(table: str) -> sa.Index:
    """The index of a table's `grams`. A search reads what is not yet in the index's tree, so that is kept small."""
    small = {"gin_pending_list_limit": "256"}
    return sa.Index(f"ix_{table}_grams", "grams", postgresql_using="gin", postgresql_with=small)


def placed(table: str) -> sa.Index:
    """An index of a table's positions: the nearest to a place come out of it first."""
    point = "point(x::double precision, y::double precision)"
    return sa.Index(f"ix_{table}_point", sa.text(point), postgresql_using="gist")


def flag(default: bool = False) -> Any:
    """Yes or no, never unknown."""
    return Field(default=default, sa_column_kwargs={"server_default": sa.text("true" if default else "false")})


def count(default: int | None = None) -> Any:
    """A whole number."""
    more = {"server_default": sa.text(str(default))} if default is not None else {}
    return Field(default=default, sa_column_kwargs=more)


def several(kind: Any = sa.Text) -> Any:
    """A short list of values in one column, never null."""
    from sqlalchemy.dialects.postgresql import ARRAY

    return Field(default_factory=list, sa_type=ARRAY(kind), sa_column_kwargs={"server_default": "{}"})


def chosen(column: str, values: type[enum.StrEnum]) -> sa.CheckConstraint:
    """The CHECK of a column declared by `choice`."""
    listed = ", ".join(f"'{v.value}'" for v in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def check(name: str, rule: str) -> sa.CheckConstraint:
    """A named CHECK; the table's name is put before it."""
    return sa.CheckConstraint(rule, name=name)


@functools.cache
def table(cls: type[SQLModel]) -> sa.Table:
    """The SQLAlchemy table behind a class of `tables.py`, for writing statements."""
    made: sa.Table = cls.__table__  # type: ignore[attr-defined]
    return made


__all__ = [
    "APPEND_ONLY",
    "INSTANT",
    "READ_ONLY",
    "UUID",
    "VIEW",
    "Table",
    "blind",
    "check",
    "choice",
    "chosen",
    "count",
    "datetime",
    "fen",
    "flag",
    "found_by",
    "grams",
    "instant",
    "key",
    "km",
    "placed",
    "sealed",
    "several",
    "table",
    "text",
    "to",
]
