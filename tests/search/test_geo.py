"""The city's plane: what Python reckons is what PostgreSQL reckons, and what a globe says."""

from __future__ import annotations

import math

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.territory import geo

COORDINATE = st.integers(-20_000, 20_000).map(lambda n: n / 100)
REACH = st.integers(0, 1_000).map(lambda n: n / 100)
EAST = st.floats(122.42, 123.81)
CITY, MOST = st.tuples(st.floats(41.2, 43.03), EAST), st.tuples(st.floats(41.2, 42.7), EAST)
RADIUS = 6371.0088


def on_the_globe(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The distance of two places in degrees on a sphere, in km (haversine)."""
    (south, west), (north, east) = (tuple(map(math.radians, p)) for p in (a, b))
    half = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin((east - west) / 2) ** 2
    return 2 * RADIUS * math.asin(math.sqrt(half))


def wrong_by(a: tuple[float, float], b: tuple[float, float]) -> float:
    """By what share a distance is wrong, apart from rounding to 0.01 km."""
    true, on_plane = on_the_globe(a, b), geo.km_between(*geo.on_plane(*a), *geo.on_plane(*b))
    return max(0.0, abs(on_plane - true) - 0.02) / (true + 1e-9)


@given(MOST, MOST)
def test_a_distance_is_right_to_one_and_a_half_per_cent(a: tuple[float, float], b: tuple[float, float]) -> None:
    assert wrong_by(a, b) < 0.015


@given(CITY, CITY)
def test_and_to_two_and_a_bit_at_the_northern_end(a: tuple[float, float], b: tuple[float, float]) -> None:
    assert wrong_by(a, b) < 0.022


@given(CITY)
def test_degrees_come_back_within_ten_metres(place: tuple[float, float]) -> None:
    back = geo.in_degrees(*geo.on_plane(*place))
    assert on_the_globe(place, back) < 0.02


@given(COORDINATE, COORDINATE, REACH, st.floats(0, 1), st.floats(0, math.tau))
def test_what_is_near_lies_in_a_cell_around(x: float, y: float, km: float, share: float, angle: float) -> None:
    cells = geo.cells_around(x, y, km)
    assert cells == sorted(set(cells))
    there = x + km * share * math.cos(angle), y + km * share * math.sin(angle)
    if geo.km_between(x, y, *there) <= km:
        assert geo.cell_of(*there) in cells
    assert geo.cell_of(x, y) in cells
    assert len(cells) <= (2 * math.floor(km) + 3) ** 2


def test_a_cell_is_a_square_kilometre() -> None:
    assert geo.cell_of(0, 0) == 512 * 1024 + 512
    assert geo.cell_of(-0.01, 0) == 511 * 1024 + 512
    assert geo.cell_of(0.99, 0.99) == geo.cell_of(0, 0)
    assert geo.cell_of(0.0, 1.0) == 512 * 1024 + 513
    assert geo.cells_around(0.5, 0.5, 0.4) == [geo.cell_of(0, 0)]
    assert len(geo.cells_around(0.5, 0.5, 0.6)) == 5  # those that touch it at a corner are too far


@pytest.mark.parametrize(("latitude", "longitude"), [(41.8, 123.43), (41.1, 122.3), (43.2, 124.0)])
def test_what_lies_in_the_city(latitude: float, longitude: float) -> None:
    assert geo.in_city(latitude, longitude)


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [(39.9, 116.4), (-41.8, 123.43), (123.43, 41.8), (math.nan, 123.43), (41.8, math.nan), (math.inf, 123.43)],
)
def test_what_does_not(latitude: float, longitude: float) -> None:
    assert not geo.in_city(latitude, longitude)


async def test_postgresql_reckons_the_same(connection: asyncpg.Connection) -> None:
    import random

    chance = random.Random(5)

    def anywhere() -> float:
        return round(chance.uniform(-130, 130), 2)

    for _ in range(200):
        x, y, z, w, km = anywhere(), anywhere(), anywhere(), anywhere(), round(chance.uniform(0, 6), 2)
        row = await connection.fetchrow(
            "SELECT cell_of($1, $2), km_between($1, $2, $3, $4), cells_around($1, $2, $5)", x, y, z, w, km
        )
        assert tuple(row) == (geo.cell_of(x, y), geo.km_between(x, y, z, w), geo.cells_around(x, y, km))
