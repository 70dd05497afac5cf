"""Where somebody lives, serves or works: the division or grid that a verb was given, checked."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models import clock
from models.base import table
from models.database import Db, Statement
from models.problems import InvalidInput, NotFound
from models.territory.rules import DivisionLevel
from models.territory.tables import Division, Grid

division, grid = table(Division), table(Grid)
COMMUNITIES = (DivisionLevel.COMMUNITY, DivisionLevel.VILLAGE)

DIVISION = Statement(
    sa.select(division.c.id, division.c.code, division.c.level, division.c.valid_from, division.c.valid_to).where(
        division.c.id == sa.bindparam("id", type_=sa.Uuid())
    )
)
GRID = Statement(
    sa.select(grid.c.id, grid.c.code, grid.c.community_id, grid.c.officer_id, grid.c.valid_from, grid.c.valid_to).where(
        grid.c.id == sa.bindparam("id", type_=sa.Uuid())
    )
)
KNOWN = Statement(
    sa.select(
        sa.exists().where(division.c.code == sa.bindparam("code", type_=sa.Text()))
        | sa.exists().where(grid.c.code == sa.bindparam("code", type_=sa.Text(), unique=False))
    )
)


async def a_division(db: Db, given: UUID, field: str = "division") -> asyncpg.Record:
    """A division that is valid today. Raises NotFound; InvalidInput for one that is no longer, or not yet, valid."""
    found = await db.one(DIVISION, id=given)
    if found is None:
        raise NotFound(what="该区划")
    _check_valid(db, found, field)
    return found


async def a_community(db: Db, given: UUID, field: str = "community") -> asyncpg.Record:
    """A community or village that is valid today. Raises NotFound, InvalidInput."""
    found = await a_division(db, given, field)
    if found["level"] not in COMMUNITIES:
        raise InvalidInput(field=field, reason="请选择社区或村。")
    return found


async def a_grid(db: Db, given: UUID, community: UUID, field: str = "grid") -> asyncpg.Record:
    """A grid of a community, valid today. Raises NotFound, InvalidInput."""
    found = await db.one(GRID, id=given)
    if found is None:
        raise NotFound(what="该网格")
    if found["community_id"] != community:
        raise InvalidInput(field=field, reason="所选网格不属于所选社区。")
    _check_valid(db, found, field)
    return found


def _check_valid(db: Db, found: asyncpg.Record, field: str) -> None:
    today = clock.day(db.now)
    if found["valid_from"] > today or (found["valid_to"] is not None and found["valid_to"] < today):
        raise InvalidInput(field=field, reason="所选区划或网格目前未生效或已撤并。")
