"""Working days, in which the law counts some of its terms: who has so many to answer has them beside the holidays.

The State Council's office announces each November which days of the next year are free and which Saturdays and Sundays
are worked instead; `chinese-calendar` has what it has announced. Of later years only the days of the 全国年节及纪念日放假
办法 (2024) are known: they are free, Saturdays and Sundays too, and every other day is worked. So a term that reaches into
a year which is not announced yet may still move by some days: it is counted when it begins, and stands.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType

FIXED = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})
"""元旦, 劳动节 and 国庆节, as (month, day)."""
MOVING = frozenset(
    day
    for spring, *others in (  # 春节's first day, of which the eve and two more are free; 清明; 端午; 中秋
        (date(2027, 2, 6), date(2027, 4, 5), date(2027, 6, 9), date(2027, 9, 15)),
        (date(2028, 1, 26), date(2028, 4, 4), date(2028, 5, 28), date(2028, 10, 3)),
        (date(2029, 2, 13), date(2029, 4, 4), date(2029, 6, 16), date(2029, 9, 22)),
        (date(2030, 2, 3), date(2030, 4, 5), date(2030, 6, 5), date(2030, 9, 12)),
    )
    for day in (*(spring + timedelta(days=n) for n in range(-1, 3)), *others)
)
"""The holidays of the lunar calendar and 清明, for the years that follow: to be added to when they run out."""


@functools.cache
def announced() -> tuple[frozenset[int], frozenset[date]]:
    """The years that the package knows, and their days that are not what their day of the week says."""
    import chinese_calendar  # type: ignore[import-untyped]  # it has no types; 8 MB that few processes need

    free = {day for day in chinese_calendar.holidays if day.weekday() < 5}
    return frozenset(day.year for day in chinese_calendar.holidays), frozenset(free | set(chinese_calendar.workdays))


def is_working_day(on: date) -> bool:
    """Whether a day is worked, by what is announced, or else by the law's list."""
    years, turned = announced()
    if on.year in years:
        return (on.weekday() < 5) is not (on in turned)
    return on.weekday() < 5 and (on.month, on.day) not in FIXED and on not in MOVING


def after_working_days(at: datetime, days: int, entered: Mapping[date, bool] = MappingProxyType({})) -> datetime:
    """The same time of day, so many working days later. `at` with Shanghai's offset: its day counts, and is day 0.

    `entered`: whether days are worked, as an administrator entered them; they go before what is known here.
    """
    while days:
        at += timedelta(days=1)
        day = at.date()
        days -= entered[day] if day in entered else is_working_day(day)
    return at
