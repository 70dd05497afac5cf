"""Statements that every kind of row here has: found as the asker sees it, read again under a lock, inserted."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from models.access import seen
from models.database import Seen, Statement

ID = sa.bindparam("id", type_=sa.Uuid(), unique=False)


def one_of(rows: sa.Table) -> Seen:
    """The row of an id, if the asker may see it."""
    return Seen(lambda viewer: sa.select(rows).where(rows.c.id == ID, *seen(rows, rows.name, viewer)))


def again(rows: sa.Table) -> Statement:
    """The same row, locked: once it has been found, and whose it is has been asked."""
    return Statement(sa.select(rows).where(rows.c.id == ID).with_for_update())


def insertion(rows: sa.Table, columns: Iterable[str]) -> Statement:
    """Inserts a row; returns its id."""
    values = {name: sa.bindparam(name, type_=rows.c[name].type) for name in columns}
    return Statement(sa.insert(rows).values(values).returning(rows.c.id))
