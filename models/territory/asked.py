"""Where somebody asks from, and how far he would go: what of it can be asked."""

from __future__ import annotations

from models.problems import InvalidInput
from models.territory import geo

LEAST_KM, MOST_KM = 0.1, 50.0
"""The city's built-up part is 40 km across."""
WALK_MINUTES, MOST_MINUTES = 15, 120
"""A walk, where nobody says how long; and the longest."""


def place(latitude: float, longitude: float) -> tuple[float, float]:
    """A place given in degrees, on the city's plane, in km. Raises InvalidInput outside the city."""
    if not geo.in_city(latitude, longitude):
        raise InvalidInput(field="near", reason="位置不在沈阳市范围内。")
    return geo.on_plane(latitude, longitude)


def kilometres(given: float) -> float:
    """A distance, 0.1 to 50 km. Raises InvalidInput, also for what is no number."""
    if not LEAST_KM <= given <= MOST_KM:
        raise InvalidInput(field="withinKm", reason="距离须在 0.1 至 50 公里之间。")
    return float(given)


def reach(km: float | None, minutes: int | None) -> float:
    """How far to look, in km: as the crow flies, or on foot; a 15-minute walk where nothing is said. Raises
    InvalidInput for both, and out of bounds."""
    if km is not None and minutes is not None:
        raise InvalidInput(field="near", reason="公里数和步行分钟数只能填一个。")
    if km is not None:
        return kilometres(km)
    walked = WALK_MINUTES if minutes is None else minutes
    if not 1 <= walked <= MOST_MINUTES:
        raise InvalidInput(field="withinWalkMinutes", reason="步行时间须在 1 至 120 分钟之间。")
    return walked * geo.WALK_KM
