"""Selections of places: by the code of what they lie in, and their keys by code."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa


def under(area: Any, code: Any) -> sa.ColumnElement[bool]:
    """Whether an `area` column lies in the unit of a code, or is it. A range, so that an index on it serves."""
    return sa.and_(area >= code, area < code.concat("~"))


def valid_on(row: Any, day: Any) -> sa.ColumnElement[bool]:
    """Whether what has days of validity is valid on a day."""
    return sa.and_(row.valid_from <= day, sa.or_(row.valid_to.is_(None), row.valid_to >= day))


async def division_ids(connection: asyncpg.Connection) -> dict[str, UUID]:
    """Every division's id by its code: for those who load or seed rows that refer to divisions."""
    rows = await connection.fetch("SELECT code, id FROM division")
    return {row["code"]: row["id"] for row in rows}
