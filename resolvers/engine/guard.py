"""SQL that people write: it may read no table past the asker's conditions, and means the rows that it names."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors


class Uncovered(Exception):
    """An expression reads a table that was not handed to it: use `view.rows(Table)`."""


def covered(expression: Any, made: set[str]) -> None:
    """Raises Uncovered if an expression names a table, or an alias of one, that the compiler did not make.

    `made` holds the names of those that it made; no other alias is called like them. What stands inside them (the
    conditions of visibility themselves) is not looked at.
    """
    seen: set[int] = set()
    waiting = [expression]
    while waiting:
        element = waiting.pop()
        if id(element) in seen or (getattr(element, "name", None) in made and isinstance(element, sa.FromClause)):
            continue
        seen.add(id(element))
        if isinstance(element, sa.Table) or (isinstance(element, sa.Alias) and isinstance(element.element, sa.Table)):
            raise Uncovered(f"{element}: rows come from view.rows(...)")
        waiting.extend(element.get_children())
        if isinstance(element, sa.Select):
            waiting.extend(element.get_final_froms())
        elif isinstance(element, sa.Column) and element.table is not None:
            waiting.append(element.table)


def correlated(expression: Any) -> Any:
    """The same expression, in which a sub-select reads the rows around it at any depth.

    SQLAlchemy by itself looks one level up: an EXISTS in the condition of a list would get its parent's table as a
    FROM of its own, and be true for every parent.
    """
    for element in visitors.iterate(expression):
        if isinstance(element, sa.Select) and element._auto_correlate:
            sa.Select.correlate_except.non_generative(element)  # type: ignore[attr-defined]
    return expression
