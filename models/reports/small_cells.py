"""Small cells: a count under five may point at somebody (I30), so those who do not see the people are not told it.

A cell of a table is also found out by subtraction: a total less the cells that are shown. So wherever cells add up to
a total that could be asked for, no cell is hidden alone, and what is hidden comes to five at least: the smallest cell
that is still shown is hidden as well, until that holds along every way of adding up.

The law stands here in Python; in the database `hidden_cells` (migration 0014) keeps it, and tests hold them equal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.access import STAFF_ROLES, Role

LEAST = 5
"""The smallest count that is told."""
EXEMPT = STAFF_ROLES | {Role.NGO_STAFF}
"""Roles that see the rows themselves, so that a count tells them nothing new."""

Cell = tuple[str | None, str | None, Hashable | None]
"""(code of a division, root category, month)"""


def sums(cell: Cell) -> list[Hashable]:
    """The totals that a cell is part of: of the divisions above its own, of all categories, of all months."""
    division, category, month = cell
    above = [division if division is None else division[:n] for n in (4, 6, 9)]
    return [
        *((n, code, category, month) for n, code in enumerate(above)),
        ("categories", division, month),
        ("months", division, category),
    ]


def hidden(counts: Sequence[int], cells: Sequence[Cell]) -> list[bool]:
    """Which of a table's counts are not told."""
    out = [0 < count < LEAST for count in counts]
    while True:
        groups: dict[Hashable, list[int]] = defaultdict(list)
        for n, cell in enumerate(cells):
            for total in sums(cell):
                groups[total].append(n)
        more = {chosen for group in groups.values() if (chosen := _further(group, counts, out)) is not None}
        if not more:
            return out
        for n in more:
            out[n] = True


def _further(group: Sequence[int], counts: Sequence[int], out: Sequence[bool]) -> int | None:
    """The cell that has to be hidden besides those of a group that are: the smallest one shown; None where none has to."""
    closed = [n for n in group if out[n]]
    shown = [n for n in group if not out[n] and counts[n] > 0]
    if not closed or not shown or (len(closed) > 1 and sum(counts[n] for n in closed) >= LEAST):
        return None
    return min(shown, key=lambda n: (counts[n], n))


def guarded(
    viewer: Any, lines: sa.Select[Any], groups: Sequence[str], counts: Sequence[str], following: dict[str, str]
) -> sa.Select[Any]:
    """A report's lines with small cells as NULL, and whether a line has any: `suppressed`.

    `counts` are counts of people or of their needs; `following` names columns that go with one of them.
    """
    order = ("month", "division_code", "category_code")
    if viewer.role in EXEMPT:
        rows = lines.subquery("lines")
        return sa.select(*rows.c, sa.false().label("suppressed")).order_by(*(rows.c[n] for n in order))
    rows = lines.subquery("lines")
    place = sa.func.row_number().over(order_by=[rows.c[n] for n in order]).label("place")
    line = sa.select(*rows.c, place).cte()

    def listed(name: str) -> Any:
        return sa.func.array_agg(postgresql.aggregate_order_by(line.c[name], line.c.place))

    masks = sa.select(
        *(sa.func.hidden_cells(listed(c), *(listed(g) for g in groups)).label(c) for c in counts)
    ).subquery("masks")

    def is_hidden(count: str) -> Any:
        mask: Any = sa.type_coerce(masks.c[count], postgresql.ARRAY(sa.Boolean()))
        return mask[sa.cast(line.c.place, sa.Integer())]

    told: list[Any] = []
    for name in rows.c.keys():  # noqa: SIM118 - a collection of columns is iterated by column
        column = line.c[name]
        if name in counts:
            column = sa.case((sa.not_(is_hidden(name)), column)).label(name)
        elif name in following:  # what is booked where nobody came is of people whom no count names
            by = following[name]
            known = sa.and_(sa.not_(is_hidden(by)), sa.or_(line.c[by] > 0, column == 0))
            column = sa.case((known, column)).label(name)
        told.append(column)
    return (
        sa.select(*told, sa.or_(*(is_hidden(c) for c in counts)).label("suppressed"))
        .select_from(line.join(masks, sa.true()))
        .order_by(line.c.place)
    )
