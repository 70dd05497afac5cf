"""Places as GraphQL shows them: divisions, grids, buildings, published counts. All of it is open data."""

from __future__ import annotations

import enum
from datetime import date
from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
import strawberry

from models.labels import labelled
from models.territory import tables, visible
from models.territory.queries import under
from models.territory.rules import DivisionLevel, Measure
from resolvers.common import Connection, Node
from resolvers.engine import words as w
from resolvers.enums import shown

if TYPE_CHECKING:
    from resolvers.people import Organization, Person

shown(DivisionLevel)
shown(Measure)


@w.entity(tables.DivisionCount)
@strawberry.type(description="A count that was published about a division. Sources differ, and so do their dates.")
class DivisionCount:
    measure: Measure = w.column(tables.DivisionCount.measure, description="What is counted.")
    value: int = w.column(tables.DivisionCount.value, description="How many.")
    as_of: date | None = w.column(
        tables.DivisionCount.as_of, description="The day of the count; null when its source bears no date."
    )
    source: str = w.column(tables.DivisionCount.source, description="Where it was published.")


@w.entity(tables.Building, "building")
@strawberry.type(description="A building or courtyard of a grid. 楼院。")
class Building(Node):
    name: str = w.column(tables.Building.name, description="Its name or number within the grid.")
    grid: Grid = w.one(tables.Building.grid_id, description="The grid that it lies in.")
    community: Division = w.one(tables.Building.community_id, description="The community that it lies in.")


@w.entity(tables.Grid, "grid")
@strawberry.type(description="A part of a community, some hundred households, with one officer. 网格。")
class Grid(Node):
    code: str = w.column(tables.Grid.code, description="15 digits: the community's code, and three of its own.")
    name: str = w.column(tables.Grid.name, description="Its name.")
    community: Division = w.one(tables.Grid.community_id, description="The community that it is a part of.")
    officer: Annotated[Person, strawberry.lazy("resolvers.people")] | None = w.one(
        tables.Grid.officer_id,
        description="Its officer, masked; null when there is none, or for callers who see no persons.",
    )
    buildings: list[Building] = w.many(
        tables.Building.grid_id, order=(tables.Building.name,), limit=50, description="Its buildings, by name."
    )
    valid_from: date = w.column(tables.Grid.valid_from, description="The first day on which it is valid.")
    valid_to: date | None = w.column(
        tables.Grid.valid_to, description="The last day on which it is valid; null while nobody knows of one."
    )


class DivisionOrder(enum.StrEnum):
    """In which order divisions come."""

    CODE = "CODE"
    NAME = "NAME"


labelled(
    DivisionOrder,
    {DivisionOrder.CODE: "按代码", DivisionOrder.NAME: "按名称拼音"},
    description="In which order divisions come.",
    describe={
        DivisionOrder.CODE: "By code, so that each unit's parts follow it.",
        DivisionOrder.NAME: "By the pinyin of the name.",
    },
)
shown(DivisionOrder)


@strawberry.input(description="Which divisions. What is not given does not narrow.")
class DivisionFilter:
    level: list[DivisionLevel] | None = w.where(
        lambda row, value: row.level == sa.any_(value), description="Of one of these levels."
    )
    parent: strawberry.ID | None = w.where(
        lambda row, value: row.parent_id == value,
        null=lambda row: row.parent_id.is_(None),
        description="Directly under this division; null for the city.",
    )
    under: str | None = w.where(
        lambda row, value: under(row.area, value), description="Below the unit of this code, at any level, or itself."
    )
    code: str | None = w.where(lambda row, value: row.code == value, description="Of this code.")
    name_contains: str | None = w.where(
        lambda row, value: sa.func.strpos(row.name, value) > 0, description="With this text in the name."
    )
    valid_on: date | None = w.where(
        lambda row, value: sa.and_(row.valid_from <= value, sa.or_(row.valid_to.is_(None), row.valid_to >= value)),
        description="Valid on this day.",
    )


@strawberry.input(description="Which grids. What is not given does not narrow.")
class GridFilter:
    under: str | None = w.where(
        lambda row, value: under(row.area, value), description="In the division of this code, or the grid of this code."
    )
    name_contains: str | None = w.where(
        lambda row, value: sa.func.strpos(row.name, value) > 0, description="With this text in the name."
    )


@w.entity(tables.Division, "division")
@strawberry.type(description="An administrative division: city, district, street, community or village. 行政区划。")
class Division(Node):
    code: str = w.column(
        tables.Division.code,
        description="4, 6, 9 or 12 digits; it begins with the parent's code (GB/T 2260 and the statistical division codes).",
    )
    name: str = w.column(tables.Division.name, description="Its name.")
    pinyin: str = w.column(tables.Division.pinyin, description="The name's pinyin, to sort by.")
    level: DivisionLevel = w.column(tables.Division.level, description="Its level.")
    parent: Division | None = w.one(tables.Division.parent_id, description="The division above; null for the city.")
    children: list[Division] = w.many(
        tables.Division.parent_id,
        order=(tables.Division.code,),
        limit=100,
        default=50,
        description="The divisions directly below, by code.",
    )
    grids: Connection[Grid] = w.connection(
        match=lambda item, parent: under(item.area, parent.area),
        order=(tables.Grid.code,),
        description="The grids of the communities in it, by code.",
    )
    counts: list[DivisionCount] = w.many(
        tables.DivisionCount.division_id,
        order=(tables.DivisionCount.measure, tables.DivisionCount.source),
        limit=30,
        description="Counts that were published about it: each with its day and its source, for they differ.",
    )
    organizations: Connection[Annotated[Organization, strawberry.lazy("resolvers.people")]] = w.connection(
        match=lambda item, parent: under(item.area, parent.area),
        order=("pinyin",),
        description="Organizations that belong to it or to a division in it, by the pinyin of their names.",
    )
    valid_from: date = w.column(
        tables.Division.valid_from, description="The first day on which it is known to be valid."
    )
    valid_to: date | None = w.column(
        tables.Division.valid_to, description="The last day on which it is valid; null while nobody knows of one."
    )
    as_of: date = w.column(tables.Division.as_of, description="The day of the list that it stands in.")


@strawberry.type
class TerritoryQuery:
    division: Division | None = w.by_id(description="The division of an id.")
    divisions: Connection[Division] = w.connection(
        order={DivisionOrder.CODE: (tables.Division.code,), DivisionOrder.NAME: (tables.Division.pinyin,)},
        filter=DivisionFilter,
        description="Divisions by pages.",
    )
    grid: Grid | None = w.by_id(description="The grid of an id.")
    grids: Connection[Grid] = w.connection(
        order=(tables.Grid.code,), filter=GridFilter, description="Grids by pages, by code."
    )
    building: Building | None = w.by_id(description="The building of an id.")


__all__ = ["Building", "Division", "DivisionCount", "Grid", "TerritoryQuery", "visible"]
