"""What is near a place: distances on the city's plane, as SQL that an index of points answers.

`near` has the parameters of where somebody asks from: `near.x`, `near.y` and `near.km`, how far he would go.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from models.territory.tables import Division

KM: sa.Double[float] = sa.Double()


def point(x: Any, y: Any) -> Any:
    """A position as PostgreSQL's geometry has it: the expression that indexes hold."""
    return sa.func.point(sa.cast(x, KM), sa.cast(y, KM))


def distance(row: Any, near: Any) -> Any:
    """How far a row's position lies off, in km. Ordered by it, an index gives the nearest rows first."""
    return point(row.x, row.y).op("<->", return_type=KM)(point(near.x, near.y))


def within(row: Any, near: Any) -> Any:
    """Whether a row's position lies as near as was asked."""
    return point(row.x, row.y).op("<@", return_type=sa.Boolean())(sa.func.circle(point(near.x, near.y), near.km))


def points_by_distance(row: Any, near: Any, view: Any) -> list[tuple[Any, Any, tuple[Any, ...]]]:
    """Where rows with a position of their own are found nearest first: (distance, beside what, on what)."""
    return [(distance(row, near), None, (within(row, near),))]


def communities(near: Any, view: Any) -> Any:
    """The communities and villages whose centre is near, nearest first: `id`, `code`, `km`."""
    rows = view.rows(Division).c
    km = distance(rows, near).label("km")
    return sa.select(rows.id, rows.code, km).where(within(rows, near)).order_by(km)
