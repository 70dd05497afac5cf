"""The city as a plane in kilometres: positions, distances, and cells to look for what is near.

x points east and y north from 41.80° N, 123.43° E, in the middle of Shenyang; one degree of latitude is 111.32 km, and
one of longitude that times the cosine of 41.80°. A distance taken on this plane is wrong by less than 1.5 % up to
42.7° N, where nine tenths of the city's communities lie, and by 2.2 % at its northern end. PostgreSQL has the same functions (`cell_of`, `cells_around`, `km_between`; migration 0023), which
give the same values: columns hold `real`, so everything here is rounded to that first.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

LONGITUDE, LATITUDE = 123.43, 41.80
"""Where the plane has its zero, in degrees."""
KM_NORTH = 111.32
"""Kilometres in a degree of latitude."""
KM_EAST = KM_NORTH * math.cos(math.radians(LATITUDE))
"""Kilometres in a degree of longitude."""
WEST, EAST = 122.3, 124.0
SOUTH, NORTH = 41.1, 43.2
"""What the city lies in, in degrees, and a little around it: 122°25'–123°48' E, 41°12'–43°02' N."""
WALK_KM = 1 / 15
"""Kilometres that a minute's walk leads away. GB 50180-2018 (urban residential areas) sets a 15-minute circle at
800 to 1000 m as the crow flies; we take the upper end."""
HALF, ROW = 512, 1024
"""Cells are counted from 512 km west and south of zero, so that a number is positive; 1024 of them in a row."""


def real(value: float) -> float:
    """A number as a column of type `real` holds it."""
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded


def in_city(latitude: float, longitude: float) -> bool:
    """Whether a place lies in the city, or just around it; false for what is no number."""
    return SOUTH <= latitude <= NORTH and WEST <= longitude <= EAST


def on_plane(latitude: float, longitude: float) -> tuple[float, float]:
    """x and y of a place given in degrees, in km, rounded to 0.01."""
    return round((longitude - LONGITUDE) * KM_EAST, 2), round((latitude - LATITUDE) * KM_NORTH, 2)


def in_degrees(x: float, y: float) -> tuple[float, float]:
    """Latitude and longitude of a position, in degrees, rounded to 0.0001 (about 10 m)."""
    return round(LATITUDE + y / KM_NORTH, 4), round(LONGITUDE + x / KM_EAST, 4)


def km_between(x1: float, y1: float, x2: float, y2: float) -> float:
    """How far two positions lie apart, in km."""
    x1, y1, x2, y2 = real(x1), real(y1), real(x2), real(y2)
    return real(math.sqrt((x1 - x2) * (x1 - x2) + (y1 - y2) * (y1 - y2)))


def cell_of(x: float, y: float) -> int:
    """The number of the cell, 1 km by 1 km, that a position lies in."""
    return (math.floor(real(x)) + HALF) * ROW + math.floor(real(y)) + HALF


def cells_around(x: float, y: float, km: float) -> list[int]:
    """The cells in which something may lie that is at most `km` from a position, in order of their numbers."""
    return list(_around(real(x), real(y), real(km)))


def _around(x: float, y: float, km: float) -> Iterator[int]:
    for i in range(math.floor(x - km), math.floor(x + km) + 1):
        dx = max(i - x, x - i - 1, 0.0)
        for j in range(math.floor(y - km), math.floor(y + km) + 1):
            dy = max(j - y, y - j - 1, 0.0)
            if dx * dx + dy * dy <= km * km:
                yield (i + HALF) * ROW + j + HALF
