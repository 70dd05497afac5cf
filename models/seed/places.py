"""Where invented things lie: a position for every community and village, for grids, buildings and service points.

Only the districts' centres are real, and those approximate: around them streets lie denser towards the core, around a
street its communities, around a community its grids. Each position follows from its code alone, so that no other
chance depends on it and a community lies in the same place at every scale.
"""

from __future__ import annotations

import math
import random

import asyncpg

from models.seed.sheets import DAY, day
from models.seed.world import SEED, Community, World
from models.territory import geo
from models.territory.rules import ServicePointKind

DISTRICTS = {
    "210102": (41.79, 123.41, 4.0),
    "210103": (41.80, 123.46, 4.0),
    "210104": (41.82, 123.49, 5.0),
    "210105": (41.83, 123.41, 5.0),
    "210106": (41.79, 123.35, 6.0),
    "210111": (41.66, 123.34, 12.0),
    "210112": (41.73, 123.48, 12.0),
    "210113": (42.02, 123.50, 14.0),
    "210114": (41.81, 123.30, 10.0),
    "210115": (41.51, 122.73, 20.0),
    "210123": (42.74, 123.35, 22.0),
    "210124": (42.50, 123.40, 22.0),
    "210181": (41.99, 122.83, 24.0),
}
"""Each district's approximate centre, in degrees north and east, and how far it reaches, in km."""
CORE = 0.7
"""Below 1, and streets lie closer together the nearer they are to the centre than chance would have them."""
STREET, GRID, BUILDING = 0.16, 0.08, 0.02
"""How far a street's communities, a community's grids, a grid's buildings lie off, as a share of the district's reach."""
WIDEST = 2.5
"""... and at most so many km."""
PLACE = "UPDATE division d SET x = p.x, y = p.y FROM placed p WHERE d.code = p.code AND (d.x, d.y) IS DISTINCT FROM (p.x, p.y)"
SINCE = 700
"""Service points have been there for so many days."""
SECOND = (ServicePointKind.ELDERLY_STATION, ServicePointKind.VOLUNTEER_STATION)
THIRD = (ServicePointKind.CHARITY_MARKET, ServicePointKind.SOCIAL_WORK_STATION)
NAMES = {
    ServicePointKind.SOCIAL_WORK_STATION: ("社工站", "周一至周五 9:00–17:00"),
    ServicePointKind.PARTY_SERVICE_CENTRE: ("党群服务中心", "周一至周五 8:30–17:00"),
    ServicePointKind.ELDERLY_STATION: ("养老服务站", "每天 8:00–18:00"),
    ServicePointKind.CHARITY_MARKET: ("慈善超市", "周二至周日 9:00–16:00"),
    ServicePointKind.VOLUNTEER_STATION: ("志愿服务站", "周六、周日 9:00–17:00"),
}


def _off(around: tuple[float, float], reach: float, code: str, power: float = 0.5) -> tuple[float, float]:
    """A position around another one, at most `reach` km away; the same for the same code."""
    chance = random.Random(f"{SEED} {code}")  # invented places
    away, angle = reach * chance.random() ** power, chance.random() * math.tau
    return round(around[0] + away * math.cos(angle), 2), round(around[1] + away * math.sin(angle), 2)


def position(code: str) -> tuple[float, float]:
    """x and y, in km, of a community or village."""
    north, east, reach = DISTRICTS[code[:6]]
    street = _off(geo.on_plane(north, east), reach, code[:9], CORE)
    return _off(street, min(reach * STREET, WIDEST), code)


def beside(place: tuple[float, float], code: str, share: float) -> tuple[float, float]:
    """x and y, in km, of what a code of its own says lies around a place."""
    return _off(place, min(DISTRICTS[code[:6]][2] * share, WIDEST), code)


async def place_divisions(connection: asyncpg.Connection) -> None:
    """Gives each community and village its position."""
    codes = await connection.fetch("SELECT code FROM division WHERE level IN ('COMMUNITY', 'VILLAGE')")
    await connection.execute("CREATE TEMP TABLE placed (code text, x real, y real) ON COMMIT DROP")
    await connection.copy_records_to_table("placed", records=[(r["code"], *position(r["code"])) for r in codes])
    await connection.execute(PLACE)


def open_service_points(world: World, community: Community) -> None:
    """Writes a community's service points: its service centre in its own place, and one or two more near it."""
    number = int(community.code)
    kinds = [ServicePointKind.PARTY_SERVICE_CENTRE, SECOND[number % 2]]
    if number % 5 < 3:
        kinds.append(THIRD[number // 2 % 2])
    at = world.now - SINCE * DAY
    for place, kind in enumerate(kinds):
        name, opening = NAMES[kind]
        x, y = community.position if place == 0 else beside(community.position, f"{community.code} {place}", GRID)
        world.sheets["service_point"].append(
            (
                world.sheets.id("service_point", at),
                community.name + name,
                f"{world.key(community.name)} {world.key(name)}",
                *(kind, community.id, community.code, x, y),
                f"{community.district_name}{community.name}{place + 1}号楼一层",
                *(opening, day(at)),
            )
        )
