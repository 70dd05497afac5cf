"""Places as GraphQL shows them: divisions, grids, buildings, published counts. All of it is open data."""

from __future__ import annotations

import enum
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
import strawberry

from models.labels import labelled
from models.territory import tables, visible
from models.territory.near import points_by_distance, within
from models.territory.queries import under, valid_on
from models.territory.rules import DivisionLevel, Measure, ServicePointKind
from resolvers.common import Connection, Node, Position, position
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.finding import (
    DISTANCE,
    NearInput,
    TextRange,
    by_distance,
    distance_km,
    highlights,
    near,
    searched,
)

if TYPE_CHECKING:
    from resolvers.people import Organization, Person

shown(DivisionLevel)
shown(Measure)
shown(ServicePointKind)


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
    position: Position | None = position(description="Where it stands; null while nobody has said.")


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
    position: Position | None = position(description="Its middle; null while nobody has said.")
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
        valid_on,
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


class ServicePointOrder(enum.StrEnum):
    """In which order service points come."""

    NAME = "NAME"
    NEAREST = "NEAREST"


labelled(
    ServicePointOrder,
    {ServicePointOrder.NAME: "按名称拼音", ServicePointOrder.NEAREST: "最近在前"},
    description="In which order service points come.",
    describe={
        ServicePointOrder.NAME: "By the pinyin of the name.",
        ServicePointOrder.NEAREST: "The nearest to `filter.near` first, which has to be given.",
    },
)
shown(ServicePointOrder)


@strawberry.input(description="Which service points. What is not given does not narrow.")
class ServicePointFilter:
    kind: list[ServicePointKind] | None = w.where(
        lambda row, value: row.kind == sa.any_(value), description="Of one of these kinds."
    )
    under: str | None = w.where(lambda row, value: under(row.area, value), description="In the division of this code.")
    valid_on: date | None = w.where(
        valid_on,
        description="There on this day.",
    )
    search: str | None = searched("In the name, or its community's.")
    near: NearInput | None = near(lambda row, near, view: within(row, near), "So near.")


@w.entity(tables.ServicePoint, "service_point")
@strawberry.type(description="A place where people are helped or can help, open to everybody. 服务点。")
class ServicePoint(Node):
    name: str = w.column(tables.ServicePoint.name, description="Its name.")

    @w.computed(tables.ServicePoint.name, description="What of the name was found by a search, in order.")
    def name_highlights(row: Any, search: str) -> list[TextRange]:
        return highlights(row.name, search)

    pinyin: str = w.column(tables.ServicePoint.pinyin, description="The name's pinyin, to sort by.")
    kind: ServicePointKind = w.column(tables.ServicePoint.kind, description="What it is for.")
    community: Division = w.one(tables.ServicePoint.community_id, description="The community that it lies in.")
    position: Position | None = position(description="Where it is.")
    address: str = w.column(tables.ServicePoint.address, description="Its address, as it stands on the door.")
    opening: str = w.column(tables.ServicePoint.opening, description="When it is open, in Chinese.")
    distance_km: float | None = distance_km(
        "In a list whose filter has `near`: how far it is, in kilometres to 0.1; null elsewhere."
    )
    valid_from: date = w.column(tables.ServicePoint.valid_from, description="The first day on which it was there.")
    valid_to: date | None = w.column(
        tables.ServicePoint.valid_to, description="The last day on which it is there; null while nobody knows of one."
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
    position: Position | None = position(
        description="Of a community or village: where its service centre is; null for wider divisions, and while nobody has said."
    )
    service_points: list[ServicePoint] = w.many(
        tables.ServicePoint.community_id,
        order=(tables.ServicePoint.name,),
        limit=50,
        default=20,
        description="The service points of a community, by name; none for wider divisions.",
    )


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
    service_point: ServicePoint | None = w.by_id(description="The service point of an id.")
    service_points: Connection[ServicePoint] = w.connection(
        order={ServicePointOrder.NAME: (tables.ServicePoint.pinyin,), ServicePointOrder.NEAREST: (DISTANCE,)},
        filter=ServicePointFilter,
        measure=by_distance(points_by_distance),
        description="Service points by pages.",
    )


__all__ = ["Building", "Division", "DivisionCount", "Grid", "ServicePoint", "TerritoryQuery", "visible"]
