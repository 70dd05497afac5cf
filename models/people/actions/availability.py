"""Verb of a volunteer's availability: his week, absences, reach and languages, set whole."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models import clock
from models.access import may
from models.base import table
from models.database import Db, Statement
from models.people.actions.registrations import own
from models.people.availability import (
    DAY_MINUTES,
    LEAST_RADIUS_KM,
    MOST_RADIUS_KM,
    MOST_WEEKLY_CAP,
    RADIUS_KM,
    WEEKLY_CAP,
    Language,
    VolunteerAbsence,
    VolunteerWindow,
)
from models.people.scopes import MAY
from models.people.tables import Volunteer
from models.problems import InvalidInput, StaleVersion, refuses
from models.territory import geo

MOST = 50
"""Windows, and absences."""
FURTHEST = timedelta(days=730)
DAYS = "一二三四五六日"

volunteer, window, absence = table(Volunteer), table(VolunteerWindow), table(VolunteerAbsence)


@dataclasses.dataclass(frozen=True, order=True)
class Window:
    """Hours of a weekday (1 is Monday), in minutes since midnight in Shanghai; `to_minute` is not part of it."""

    weekday: int
    from_minute: int
    to_minute: int


@dataclasses.dataclass(frozen=True, order=True)
class Absence:
    """Days on which he cannot help, both included."""

    starts_on: date
    ends_on: date


@dataclasses.dataclass(frozen=True)
class Availability:
    """All that a volunteer says of when, where and how much he helps. `point`: latitude and longitude in degrees, where
    he sets out from; None: from his community's service centre."""

    windows: Sequence[Window] = ()
    absences: Sequence[Absence] = ()
    radius_km: float = RADIUS_KM
    weekly_cap: int = WEEKLY_CAP
    languages: Sequence[Language] = ()
    point: tuple[float, float] | None = None


def read_windows(given: Sequence[Window]) -> list[Window]:
    """Windows in order. Raises InvalidInput for too many, for days and minutes that are none, and for overlaps."""
    if len(given) > MOST:
        raise InvalidInput(field="windows", reason=f"服务时段最多 {MOST} 个。")
    for one in given:
        if not 1 <= one.weekday <= len(DAYS):
            raise InvalidInput(field="windows", reason="星期须为 1（周一）至 7（周日）。")
        if one.to_minute > DAY_MINUTES:
            raise InvalidInput(field="windows", reason="时段不能跨过零点，请拆成两段。")
        if one.from_minute < 0 or one.from_minute >= one.to_minute:
            raise InvalidInput(field="windows", reason="时段的结束时间须晚于开始时间。")
    ordered = sorted(given)
    for one, other in pairwise(ordered):
        if one.weekday == other.weekday and other.from_minute < one.to_minute:
            raise InvalidInput(field="windows", reason=f"周{DAYS[one.weekday - 1]}的时段有重叠，请合并。")
    return ordered


def read_absences(given: Sequence[Absence], today: date) -> list[Absence]:
    """Absences in order, without those that are over. Raises InvalidInput."""
    if len(given) > MOST:
        raise InvalidInput(field="absences", reason=f"请假最多 {MOST} 段。")
    for one in given:
        if one.ends_on < one.starts_on:
            raise InvalidInput(field="absences", reason="请假的结束日不能早于开始日。")
        if one.ends_on > today + FURTHEST:
            raise InvalidInput(field="absences", reason="请假最多登记到两年以后。")
    ordered = sorted(one for one in given if one.ends_on >= today)
    if any(other.starts_on <= one.ends_on for one, other in pairwise(ordered)):
        raise InvalidInput(field="absences", reason="请假日期有重叠，请合并。")
    return ordered


def read_reach(radius_km: float, weekly_cap: int) -> tuple[float, int]:
    """How far, rounded to 0.1 km, and how often a week. Raises InvalidInput."""
    if not (math.isfinite(radius_km) and LEAST_RADIUS_KM <= radius_km <= MOST_RADIUS_KM):
        raise InvalidInput(
            field="radiusKm", reason=f"服务半径须在 {LEAST_RADIUS_KM:g} 至 {MOST_RADIUS_KM:g} 公里之间。"
        )
    if not 1 <= weekly_cap <= MOST_WEEKLY_CAP:
        raise InvalidInput(field="weeklyCap", reason=f"每周次数须在 1 至 {MOST_WEEKLY_CAP} 之间。")
    return round(radius_km, 1), weekly_cap


def read_languages(given: Iterable[Language]) -> list[str]:
    """What is stored of the languages: those besides Mandarin, each once, in the order of the enumeration."""
    said = set(given)
    return [language.value for language in Language if language in said and language is not Language.MANDARIN]


def read_point(given: tuple[float, float] | None) -> tuple[float, float] | None:
    """A starting point on the city's plane, in km, rounded to 0.1: nobody's door. Raises InvalidInput outside the city."""
    if given is None:
        return None
    if not geo.in_city(*given):
        raise InvalidInput(field="point", reason="出发地须在沈阳市范围内。")
    x, y = geo.on_plane(*given)
    return round(x, 1), round(y, 1)


SET = Statement(
    sa.update(volunteer)
    .where(volunteer.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(
        own_point=sa.bindparam("own_point"),
        x=sa.bindparam("x"),
        y=sa.bindparam("y"),
        radius_km=sa.bindparam("radius_km"),
        weekly_cap=sa.bindparam("weekly_cap"),
        languages=sa.bindparam("languages"),
        version=volunteer.c.version + 1,
    )
)
PERSON: Any = sa.bindparam("person", type_=sa.Uuid())
FORGET = tuple(Statement(sa.delete(rows).where(rows.c.person_id == PERSON)) for rows in (window, absence))


def _written(rows: sa.Table, kind: Any, *columns: str) -> Statement:
    """Rows of one person, a list for each column."""
    each = sa.func.unnest(*(sa.bindparam(name, type_=sa.ARRAY(kind)) for name in columns))
    given = each.table_valued(*(sa.column(name, kind) for name in columns), name="given").render_derived()
    values = sa.select(PERSON, *(given.c[name] for name in columns))
    return Statement(sa.insert(rows).from_select(["person_id", *columns], values, include_defaults=False))


WINDOWS = _written(window, sa.Integer(), "weekday", "from_minute", "to_minute")
ABSENCES = _written(absence, sa.Date(), "starts_on", "ends_on")


@may(MAY["volunteer.edit"])
@refuses(StaleVersion)
async def set_availability(db: Db, id: UUID, version: int, given: Availability) -> UUID:
    """A volunteer says when, where and how much he helps: all of it at once, in the place of what he said before.

    Returns the volunteer's id. Raises Forbidden, NotFound, InvalidInput, StaleVersion.
    """
    windows, absences = read_windows(given.windows), read_absences(given.absences, clock.day(db.now))
    radius_km, weekly_cap = read_reach(given.radius_km, given.weekly_cap)
    point = read_point(given.point)
    row = await own(db, id)
    if row["version"] != version:
        raise StaleVersion(current=row["version"])
    whose = row["person_id"]
    for statement in FORGET:
        await db.one(statement, person=whose)
    await db.all(
        WINDOWS,
        person=whose,
        weekday=[one.weekday for one in windows],
        from_minute=[one.from_minute for one in windows],
        to_minute=[one.to_minute for one in windows],
    )
    days = {"starts_on": [one.starts_on for one in absences], "ends_on": [one.ends_on for one in absences]}
    await db.all(ABSENCES, person=whose, **days)
    x, y = point or (None, None)  # without one, a trigger writes the community's
    languages = read_languages(given.languages)
    reach = {"radius_km": radius_km, "weekly_cap": weekly_cap, "languages": languages}
    await db.one(SET, id=id, own_point=point is not None, x=x, y=y, **reach)
    db.tell("volunteer.edited", id, area=row["area"])
    return id
