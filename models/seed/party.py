"""A party unit for every district, street, community and village, and for every grid that was made."""

from __future__ import annotations

import asyncpg

from models.seed.sheets import DAY, day
from models.seed.world import UNITS_SINCE, World

DIVISIONS = "SELECT code, name, level FROM division WHERE level <> 'CITY' AND valid_to IS NULL ORDER BY code"
GRIDS = "SELECT g.code, c.name || g.name AS name, 'GRID' AS level FROM grid g JOIN division c ON c.id = g.community_id ORDER BY 1"
CALLED = {"DISTRICT": "区委", "STREET": "党工委", "COMMUNITY": "党委", "VILLAGE": "党总支", "GRID": "党支部"}
"""What a unit is called after the name of its place."""
LEVELS = {6: 1, 9: 2, 12: 3, 15: 4}
"""A unit's level, by the digits of its place's code."""


async def found_party_units(connection: asyncpg.Connection, world: World) -> None:
    """Writes them, those above first."""
    at = world.now - UNITS_SINCE * DAY
    ids: dict[str, object] = {}
    for code, name, level in (*await connection.fetch(DIVISIONS), *await connection.fetch(GRIDS)):
        parent = ids.get(code[:-3])
        if parent is None and LEVELS[len(code)] > 1:
            continue  # a unit stands under another one: of a division that has ended there is none
        called = name[:-1] + CALLED[level] if level == "DISTRICT" and name.endswith("区") else name + CALLED[level]
        id = ids[code] = world.unit(code)
        world.sheets["party_unit"].append((id, called, world.key(called), LEVELS[len(code)], parent, code, day(at)))
    await world.sheets.write(connection)
