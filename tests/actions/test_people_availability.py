"""A volunteer's availability: set whole, checked whole, and shown to nobody but himself and his community's staff."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from models.access import Role
from models.people import actions
from models.people.actions import Absence, Availability, Window
from models.people.availability import Language
from models.problems import Forbidden, InvalidInput, NotFound, StaleVersion
from models.territory import geo
from tests.make_people import Known, Town, as_volunteer, handle, staff, town, volunteer

WEEK = (Window(6, 540, 720), Window(1, 1080, 1200), Window(1, 540, 660))
DOOR = (41.7968, 123.4631)


async def said(connection: asyncpg.Connection, who: Known) -> tuple[list[tuple[int, ...]], list[tuple[date, ...]], Any]:
    windows = await connection.fetch(
        "SELECT weekday, from_minute, to_minute FROM volunteer_window WHERE person_id = $1 ORDER BY 1, 2", who.person
    )
    away = await connection.fetch(
        "SELECT starts_on, ends_on FROM volunteer_absence WHERE person_id = $1 ORDER BY 1", who.person
    )
    row = await connection.fetchrow(
        "SELECT x, y, own_point, radius_km, weekly_cap, languages, version FROM volunteer WHERE id = $1", who.id
    )
    return [tuple(w) for w in windows], [tuple(a) for a in away], tuple(row)


async def test_it_is_set_whole(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    await connection.execute("UPDATE division SET x = 2.5, y = -1.25 WHERE code = $1", Town.COMMUNITY)
    me = await volunteer(connection, there)
    mine, today = handle(connection, as_volunteer(me), now), now.date()
    away = [
        Absence(today + timedelta(days=9), today + timedelta(days=9)),
        Absence(today - timedelta(days=2), today),
        Absence(today - timedelta(days=30), today - timedelta(days=20)),
    ]
    given = Availability(WEEK, away, 4.25, 2, [Language.SIGN, Language.MANDARIN, Language.SIGN], DOOR)
    assert await actions.set_availability(mine, me.id, 1, given) == me.id
    x, y = (round(km, 1) for km in geo.on_plane(*DOOR))
    assert await said(connection, me) == (
        [(1, 540, 660), (1, 1080, 1200), (6, 540, 720)],
        [(today - timedelta(days=2), today), (today + timedelta(days=9), today + timedelta(days=9))],
        (pytest.approx(x, abs=1e-6), pytest.approx(y, abs=1e-6), True, pytest.approx(4.2, abs=0.06), 2, ["SIGN"], 2),
    )
    assert [(e.topic, e.subject) for e in mine.events] == [("volunteer.edited", me.id)]
    assert not {"x", "y", "point"} & set(mine.events[0].data)

    await actions.set_availability(mine, me.id, 2, Availability([Window(7, 0, 1440)]))
    assert await said(connection, me) == ([(7, 0, 1440)], [], (2.5, -1.25, False, 3.0, 3, [], 3))


async def test_without_a_point_of_his_own_he_starts_from_his_community(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await town(connection)
    await connection.execute("UPDATE division SET x = 2.5, y = -1.25 WHERE code = $1", Town.COMMUNITY)
    await connection.execute("UPDATE division SET x = 7, y = 8 WHERE code = $1", Town.NEIGHBOUR)
    me = await volunteer(connection, there, state="WITHDRAWN")
    assert (await said(connection, me))[2][:3] == (2.5, -1.25, False)
    given = actions.VolunteerInput(community=there.neighbour, skills=[], categories=[])
    await actions.register_volunteer(handle(connection, as_volunteer(me), now), given)
    assert (await said(connection, me))[2][:3] == (7.0, 8.0, False)


TODAY = date(2026, 11, 2)


@pytest.mark.parametrize(
    ("over", "field", "reason"),
    [
        ({"windows": [Window(1, 600, 600)]}, "windows", "时段的结束时间须晚于开始时间。"),
        ({"windows": [Window(1, 600, 540)]}, "windows", "时段的结束时间须晚于开始时间。"),
        ({"windows": [Window(1, -1, 540)]}, "windows", "时段的结束时间须晚于开始时间。"),
        ({"windows": [Window(5, 1320, 1560)]}, "windows", "时段不能跨过零点，请拆成两段。"),
        ({"windows": [Window(0, 540, 600)]}, "windows", "星期须为 1（周一）至 7（周日）。"),
        ({"windows": [Window(8, 540, 600)]}, "windows", "星期须为 1（周一）至 7（周日）。"),
        ({"windows": [Window(3, 540, 600), Window(3, 599, 660)]}, "windows", "周三的时段有重叠，请合并。"),
        ({"windows": [Window(7, 540, 600), Window(7, 540, 600)]}, "windows", "周日的时段有重叠，请合并。"),
        ({"windows": [Window(1, n, n + 1) for n in range(51)]}, "windows", "服务时段最多 50 个。"),
        ({"absences": [Absence(date(2026, 12, 2), date(2026, 12, 1))]}, "absences", "请假的结束日不能早于开始日。"),
        (
            {"absences": [Absence(TODAY, date(2026, 12, 1)), Absence(date(2026, 12, 1), date(2026, 12, 2))]},
            "absences",
            "请假日期有重叠，请合并。",
        ),
        ({"absences": [Absence(TODAY, date(2029, 1, 1))]}, "absences", "请假最多登记到两年以后。"),
        ({"radius_km": 50.1}, "radiusKm", "服务半径须在 0.5 至 50 公里之间。"),
        ({"radius_km": 0.4}, "radiusKm", "服务半径须在 0.5 至 50 公里之间。"),
        ({"radius_km": float("nan")}, "radiusKm", "服务半径须在 0.5 至 50 公里之间。"),
        ({"weekly_cap": 0}, "weeklyCap", "每周次数须在 1 至 21 之间。"),
        ({"weekly_cap": 22}, "weeklyCap", "每周次数须在 1 至 21 之间。"),
        ({"point": (39.9, 116.4)}, "point", "出发地须在沈阳市范围内。"),
        ({"point": (float("nan"), 123.4)}, "point", "出发地须在沈阳市范围内。"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_written(
    connection: asyncpg.Connection, now: datetime, over: dict[str, Any], field: str, reason: str
) -> None:
    there = await town(connection)
    me = await volunteer(connection, there)
    mine = handle(connection, as_volunteer(me), now)
    await actions.set_availability(mine, me.id, 1, Availability(WEEK, radius_km=2.0))
    before = await said(connection, me)
    with pytest.raises(InvalidInput) as refused:
        await actions.set_availability(mine, me.id, 2, Availability(**{"windows": WEEK, **over}))
    assert (refused.value.field, refused.value.reason) == (field, reason)
    assert await said(connection, me) == before


async def test_only_he_sets_it_and_only_what_he_has_read(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me, other = await volunteer(connection, there), await volunteer(connection, there, "赵六")
    given = Availability(WEEK)
    with pytest.raises(StaleVersion) as stale:
        await actions.set_availability(handle(connection, as_volunteer(me), now), me.id, 9, given)
    assert stale.value.current == 1
    for who, refusal in (
        (as_volunteer(other), Forbidden),
        (await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), Forbidden),
        (await staff(connection, Role.DISTRICT_VIEWER, area=Town.DISTRICT), NotFound),
    ):
        with pytest.raises(refusal):
            await actions.set_availability(handle(connection, who, now), me.id, 1, given)
    assert (await said(connection, me))[:2] == ([], [])


async def test_the_database_keeps_windows_and_absences_apart(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me, other = await volunteer(connection, there), await volunteer(connection, there, "赵六")
    window = "INSERT INTO volunteer_window (person_id, weekday, from_minute, to_minute) VALUES ($1, $2, $3, $4)"
    absence = "INSERT INTO volunteer_absence (person_id, starts_on, ends_on) VALUES ($1, $2, $3)"
    for who, *row in ((me, 1, 540, 600), (me, 1, 600, 660), (me, 2, 540, 600), (other, 1, 540, 600)):
        await connection.execute(window, who.person, *row)
    await connection.execute(absence, me.person, TODAY, TODAY)
    for sql, row in (
        (window, (1, 599, 700)),
        (window, (3, 700, 700)),
        (window, (3, 1300, 1441)),
        (absence, (TODAY - timedelta(days=1), TODAY)),
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with connection.transaction():
                await connection.execute(sql, me.person, *row)
