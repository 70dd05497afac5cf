"""Party units: who they are and what they may take on. All of it is open data."""

from __future__ import annotations

import strawberry

from models.territory import tables
from models.territory.queries import under
from resolvers.common import Connection, Node
from resolvers.engine import words as w


@w.entity(tables.PartyUnit, "party_unit")
@strawberry.type(description="A party unit, which takes livelihood items of its area on. 党组织。")
class PartyUnit(Node):
    name: str = w.column(tables.PartyUnit.name, description="Its name.")
    pinyin: str = w.column(tables.PartyUnit.pinyin, description="The name's pinyin.")
    level: int = w.column(
        tables.PartyUnit.level, description="1 of a district, 2 of a street, 3 of a community, 4 of a grid."
    )
    area: str = w.column(tables.PartyUnit.area, description="The code of its division or grid.")
    parent: PartyUnit | None = w.one(tables.PartyUnit.parent_id, description="The unit above it; null at the top.")
    children: list[PartyUnit] = w.many(
        tables.PartyUnit.parent_id,
        order=(tables.PartyUnit.area,),
        limit=100,
        default=20,
        description="The units below it, by the codes of their areas.",
    )


@strawberry.input(description="Which party units. What is not given does not narrow.")
class PartyUnitFilter:
    under: str | None = w.where(
        lambda row, value: under(row.area, value), description="In the division of this code, its own among them."
    )
    level: int | None = w.where(
        lambda row, value: row.level == value, description="Of this level, 1 (district) to 4 (grid)."
    )


@strawberry.type
class PartyQuery:
    party_unit: PartyUnit | None = w.by_id(description="A party unit.")
    party_units: Connection[PartyUnit] = w.connection(
        order=(tables.PartyUnit.area,), filter=PartyUnitFilter, description="Party units, by the codes of their areas."
    )
