"""Working days: what was announced for 2026, what the law says of years that are not announced yet."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.clock import SHANGHAI
from models.privacy.rules import due
from models.working_days import MOVING, after_working_days, announced, is_working_day

DAYS = st.dates(date(2004, 1, 1), date(2040, 12, 31))


def at(month: int, day: int, year: int = 2026) -> datetime:
    return datetime(year, month, day, 16, 0, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("asked", "days", "answered"),
    [
        (at(11, 6), 3, at(11, 11)),  # a Friday: over a weekend
        (at(9, 30), 3, at(10, 10)),  # 国庆 until the 7th; the 8th, the 9th, and Saturday the 10th is worked
        (at(9, 18), 1, at(9, 20)),  # a Friday: the Sunday after it is worked
        (at(9, 24), 3, at(9, 30)),  # 中秋 from Friday to Sunday
        (at(2, 13), 1, at(2, 14)),  # the Saturday before 春节 is worked
        (at(2, 13), 3, at(2, 25)),  # then free until the 23rd
        (at(2, 24), 4, at(2, 28)),  # and the Saturday after it is worked
        (at(12, 31), 1, at(1, 4, 2027)),  # 元旦 of a year that is not announced yet, a Friday
        (at(2, 4, 2027), 1, at(2, 9, 2027)),  # 除夕 is Friday the 5th, 初一 and 初二 the weekend, 初三 Monday the 8th
    ],
)
def test_a_term_ends_on_the_day_that_the_calendar_says(asked: datetime, days: int, answered: datetime) -> None:
    assert after_working_days(asked, days) == answered


def test_a_request_before_a_long_holiday_has_fifteen_working_days() -> None:
    assert due(at(9, 28)) == at(10, 23)  # without the holiday it would be 10-19


def test_days_that_were_entered_go_before_what_is_known() -> None:
    entered = {date(2026, 11, 3): False, date(2026, 11, 7): True}  # a Tuesday, a Saturday
    assert after_working_days(at(11, 2), 4, entered) == at(11, 7)
    assert due(at(11, 2), entered) == due(at(11, 2))  # one day less, one more


@pytest.mark.parametrize(
    ("on", "worked"),
    [
        (date(2025, 1, 26), True),  # the Sunday before 春节
        (date(2025, 1, 28), False),  # 除夕, a Tuesday
        (date(2025, 10, 8), False),  # 国庆 and 中秋 together: eight days
        (date(2025, 10, 11), True),  # and the Saturday after them
        (date(2026, 1, 2), False),  # 元旦 and the Friday after it
        (date(2026, 1, 4), True),  # which is worked on the Sunday
        (date(2026, 5, 1), False),
        (date(2026, 5, 9), True),  # the Saturday after 劳动节
        (date(2026, 11, 2), True),  # a Monday like any other
        (date(2026, 11, 7), False),  # a Saturday
        (date(2027, 2, 8), False),  # 初三, from here on by the law alone
        (date(2027, 2, 13), False),  # a Saturday, which may yet be announced
        (date(2028, 10, 2), False),  # 国庆
        (date(2028, 10, 4), True),  # the Wednesday after 中秋
        (date(2030, 6, 5), False),  # 端午
    ],
)
def test_days_that_are_known(on: date, worked: bool) -> None:
    assert is_working_day(on) is worked


@given(DAYS.map(lambda d: datetime(d.year, d.month, d.day, 9, tzinfo=SHANGHAI)), st.integers(0, 30))
def test_so_many_of_the_days_are_worked(asked: datetime, days: int) -> None:
    end = after_working_days(asked, days)
    passed = [asked + timedelta(days=n + 1) for n in range((end - asked).days)]
    assert sum(is_working_day(day.date()) for day in passed) == days
    assert days == 0 or is_working_day(end.date())
    assert end.time() == asked.time()


def test_the_table_goes_on_where_the_package_ends() -> None:
    years, _ = announced()
    assert {2026} <= years
    ahead = range(max(years) + 1, max(d.year for d in MOVING) + 1)
    assert len(ahead) >= 2, "the table of holidays runs out: add years to models/working_days.py"
    for year in ahead:
        free = [d for d in MOVING if d.year == year]
        assert len(free) == 7, year  # 春节 four, 清明, 端午 and 中秋 one each: with the fixed six, thirteen


def test_every_day_of_the_years_that_are_announced_is_as_the_package_has_it() -> None:
    years, _ = announced()
    for day in (date(min(years), 1, 1) + timedelta(days=n) for n in range(366 * len(years))):
        assert day.year not in years or is_working_day(day) is chinese_calendar.is_workday(day), day
