"""Related rows that a hand-written SELECT has read by itself: they are carried out of it, not joined a second time.

A report of funds reads `fund`, and a line's `fund { name }` means that very row: where the SELECT's column that refers
to it is the row's own id, and the row came from `view.rows`, the asker may see it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from resolvers.engine.scope import Columns


class Beside:
    """What a SELECT has at hand for some of the columns that refer to something.

    `handed`: what `view.rows` gave, and of which table. PostgreSQL computes no column of a sub-select that nobody reads,
    so that all of a row's are named.
    """

    def __init__(self, select: sa.Select[Any], referring: Collection[str], handed: Mapping[Any, sa.Table]) -> None:
        self._handed = handed
        self._rows: dict[str, Any] = {}
        if select._group_by_clauses or select._distinct:
            return  # what is added would be grouped by, too
        for column in select.selected_columns:
            own = column.element if isinstance(column, sa.Label) else column
            name = str(column.key)
            if name in referring and getattr(own, "key", None) == "id" and getattr(own, "table", None) in handed:
                self._rows[name] = own.table

    @property
    def columns(self) -> list[Any]:
        """What the SELECT is to have besides."""
        once = dict.fromkeys(self._rows.values())
        return [column.label(f"{rows.name}_{column.key}") for rows in once for column in rows.c]

    def found(self, select: Any) -> dict[tuple[str, str], Any]:
        """The related rows, as columns of the SELECT's alias, by the column that refers to them and their table."""
        return {
            (on, self._handed[rows].name): Columns({c.key: select.c[f"{rows.name}_{c.key}"] for c in rows.c})
            for on, rows in self._rows.items()
        }
