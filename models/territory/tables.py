"""Places: divisions as a tree of codes, grids, buildings, service points, and the counts that were published about them.

Nothing here is personal. A grid's officer is a reference to a person, shown only through that person's own rule.
A position is x and y on the city's plane, in km (`models.territory.geo`): a community's is that of its service centre.
Units merge and split, so each carries the days on which it is valid, and each count the day on which it was taken.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID

import sqlalchemy as sa

from models.base import Table, check, choice, chosen, count, found_by, grams, key, km, placed, text, to
from models.territory.rules import DivisionLevel, Measure, ServicePointKind

VALID = "valid_to IS NULL OR valid_from <= valid_to"
BOTH = "num_nonnulls(x, y) <> 1"
"""A position is known or not: never half of it."""


class Division(Table, table=True):
    """行政区划: a city, district, street, community or village."""

    __tablename__ = "division"
    __table_args__ = (
        sa.UniqueConstraint("code"),
        chosen("level", DivisionLevel),
        check("area", "area = code"),
        check(
            "code",
            "code ~ '^[0-9]+$' AND length(code) = CASE level WHEN 'CITY' THEN 4 WHEN 'DISTRICT' THEN 6"
            " WHEN 'STREET' THEN 9 ELSE 12 END",
        ),
        check("parent", "(parent_id IS NULL) = (level = 'CITY')"),
        check("valid", VALID),
        check("position", BOTH),
        placed("division"),
        sa.Index("ix_division_parent_id_code", "parent_id", "code"),
        sa.Index("ix_division_level_code", "level", "code"),
        sa.Index("ix_division_pinyin_id", "pinyin", "id"),
        sa.Index("ix_division_area", "area"),
    )
    id: UUID = key()
    code: str = text()
    name: str = text()
    pinyin: str = text()
    level: DivisionLevel = choice(DivisionLevel)
    parent_id: UUID | None = to("division.id", optional=True, index=False)
    area: str = text()
    valid_from: date
    valid_to: date | None = None
    as_of: date
    x: float | None = km(optional=True)
    y: float | None = km(optional=True)
    grams: list[int] = grams()
    """The keys of its name, and those by which searches are narrowed to it and to what it lies in."""


class Grid(Table, table=True):
    """网格: a part of a community, some hundred households, with one officer."""

    __tablename__ = "grid"
    __table_args__ = (
        sa.UniqueConstraint("code"),
        check("area", "area = code"),
        check("code", "code ~ '^[0-9]{15}$'"),
        check("valid", VALID),
        check("position", BOTH),
        sa.Index("ix_grid_community_id_code", "community_id", "code"),
        sa.Index("ix_grid_area", "area"),
    )
    id: UUID = key()
    code: str = text()
    name: str = text()
    community_id: UUID = to("division.id", index=False)
    area: str = text()
    officer_id: UUID | None = to("person.id", optional=True)
    valid_from: date
    valid_to: date | None = None
    x: float | None = km(optional=True)
    y: float | None = km(optional=True)


class Building(Table, table=True):
    """楼院: a building or courtyard of a grid."""

    __tablename__ = "building"
    __table_args__ = (
        check("area", "area ~ '^[0-9]{15}$'"),
        check("position", BOTH),
        sa.UniqueConstraint("grid_id", "name"),
        sa.Index("ix_building_community_id_name", "community_id", "name"),
        sa.Index("ix_building_area", "area"),
    )
    id: UUID = key()
    grid_id: UUID = to("grid.id", index=False)
    community_id: UUID = to("division.id", index=False)
    name: str = text()
    area: str = text()
    x: float | None = km(optional=True)
    y: float | None = km(optional=True)


class ServicePoint(Table, table=True):
    """服务点: a place where people are helped or can help, open to everybody."""

    __tablename__ = "service_point"
    __table_args__ = (
        chosen("kind", ServicePointKind),
        check("area", "area ~ '^([0-9]{12}|[0-9]{15})$'"),
        check("valid", VALID),
        placed("service_point"),
        found_by("service_point"),
        sa.Index("ix_service_point_community_id_name", "community_id", "name"),
        sa.Index("ix_service_point_pinyin_id", "pinyin", "id"),
        sa.Index("ix_service_point_area", "area"),
    )
    id: UUID = key()
    name: str = text()
    pinyin: str = text()
    kind: ServicePointKind = choice(ServicePointKind)
    community_id: UUID = to("division.id", index=False)
    area: str = text()
    x: float = km()
    y: float = km()
    address: str = text()
    """As it stands on the door: public."""
    opening: str = text()
    """When it is open, in words."""
    valid_from: date
    valid_to: date | None = None
    grams: list[int] = grams()
    """The keys of its name and of its community's."""


class DivisionCount(Table, table=True):
    """A count that was published about a division: what, how many, of which day, and where it stands."""

    __tablename__ = "division_count"
    __table_args__ = (
        sa.UniqueConstraint("division_id", "measure", "as_of", "source", postgresql_nulls_not_distinct=True),
        chosen("measure", Measure),
        check("value", "value >= 0"),
    )
    id: UUID = key()
    division_id: UUID = to("division.id", index=False)
    measure: Measure = choice(Measure)
    value: int = count()
    as_of: date | None = None
    """None when the source bears no date."""
    source: str = text()


class PartyUnit(Table, table=True):
    """党组织: of a district (1), a street (2), a community (3) or a grid (4), one each; it takes livelihood items on."""

    __tablename__ = "party_unit"
    __table_args__ = (
        sa.UniqueConstraint("area"),
        check("area", "length(area) = (ARRAY[6, 9, 12, 15])[level]"),
        check("level", "level BETWEEN 1 AND 4"),
        check("parent", "(parent_id IS NULL) = (level = 1)"),
        check("valid", VALID),
        sa.Index("ix_party_unit_parent_id_area", "parent_id", "area"),
    )
    id: UUID = key()
    name: str = text()
    pinyin: str = text()
    level: int = count()
    parent_id: UUID | None = to("party_unit.id", optional=True, index=False)
    area: str = text()
    """The code of its division or grid."""
    valid_from: date
    valid_to: date | None = None
