"""Repetition: which rules are taken, when their occurrences are, and that a daylight rule moves none of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.clock import SHANGHAI
from models.problems import InvalidInput
from models.recurrence import INTERVALS, occurrences, read_rule

HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")


def at(year: int, month: int, day: int, hour: int = 8, minute: int = 30) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=SHANGHAI)


def days(rule: str, start: datetime, *, most: int = 100, ahead: int = 400) -> list[str]:
    windows = occurrences(read_rule(rule), start, HOUR, after=start, before=start + timedelta(days=ahead), most=most)
    assert all(b - a == HOUR for a, b in windows)
    assert all((a.hour, a.minute) == (start.hour, start.minute) for a, _ in windows)
    return [f"{a:%m-%d}" for a, _ in windows]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=DAILY;COUNT=3", ["03-03", "03-04", "03-05"]),
        ("FREQ=DAILY;INTERVAL=10;UNTIL=20260323", ["03-03", "03-13", "03-23"]),
        ("FREQ=WEEKLY;COUNT=2", ["03-03", "03-10"]),
        ("FREQ=WEEKLY;BYDAY=TU,FR;COUNT=4", ["03-03", "03-06", "03-10", "03-13"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;UNTIL=20260331T003000Z", ["03-03", "03-17", "03-31"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;UNTIL=20260331T002959Z", ["03-03", "03-17"]),
        ("FREQ=WEEKLY;UNTIL=20260310T083000", ["03-03", "03-10"]),
        ("FREQ=MONTHLY;BYDAY=1TU;COUNT=3", ["03-03", "04-07", "05-05"]),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", ["03-27", "04-24"]),
        ("FREQ=MONTHLY;BYMONTHDAY=3,31;COUNT=4", ["03-03", "03-31", "04-03", "05-03"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=2", ["03-31", "04-30"]),
        ("RRULE:freq=weekly;count=1", ["03-03"]),
    ],
)
def test_occurrences_are_those_of_the_rule(rule: str, expected: list[str]) -> None:
    assert days(rule, at(2026, 3, 3)) == expected  # a Tuesday


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("FREQ=WEEKLY", "重复须有结束：填写次数或截止日期之一。"),
        ("FREQ=WEEKLY;COUNT=2;UNTIL=20260401", "重复须有结束：填写次数或截止日期之一。"),
        ("COUNT=2", "重复规则须写明频率：每天、每周或每月。"),
        ("FREQ=SECONDLY;COUNT=2", "重复规则无法识别，请用每天、每周或每月的规则。"),
        ("FREQ=YEARLY;COUNT=2", "重复规则无法识别，请用每天、每周或每月的规则。"),
        ("FREQ=DAILY;COUNT=2;COUNT=3", "重复规则无法识别，请用每天、每周或每月的规则。"),
        ("FREQ=DAILY;COUNT=2;BYSETPOS=1", "重复规则无法识别，请用每天、每周或每月的规则。"),
        ("FREQ=DAILY;COUNT=", "重复规则无法识别，请用每天、每周或每月的规则。"),
        ("FREQ=DAILY;COUNT=２", "重复规则无法识别，请用每天、每周或每月的规则。"),
        ("FREQ=WEEKLY;COUNT=2\nDTSTART:20260303T083000", "重复规则无法识别，请用每天、每周或每月的规则。"),
        ("", "重复规则无法识别，请用每天、每周或每月的规则。"),
        ("FREQ=DAILY;COUNT=0", "重复次数须在 1 至 400 之间。"),
        ("FREQ=DAILY;COUNT=401", "重复次数须在 1 至 400 之间。"),
        ("FREQ=DAILY;COUNT=1;INTERVAL=0", "重复的间隔过长或为零。"),
        ("FREQ=MONTHLY;COUNT=1;INTERVAL=13", "重复的间隔过长或为零。"),
        ("FREQ=DAILY;UNTIL=20260230", "重复的截止日期无效。"),
        ("FREQ=DAILY;UNTIL=99991231T230000Z", "重复的截止日期无效。"),
        ("FREQ=WEEKLY;COUNT=2;BYMONTHDAY=3", "按日期重复只用于每月，日期为 1 至 31。"),
        ("FREQ=MONTHLY;COUNT=2;BYMONTHDAY=32", "按日期重复只用于每月，日期为 1 至 31。"),
        ("FREQ=MONTHLY;COUNT=2;BYMONTHDAY=0", "按日期重复只用于每月，日期为 1 至 31。"),
        ("FREQ=MONTHLY;COUNT=2;BYMONTHDAY=3;BYDAY=MO", "按日期重复只用于每月，日期为 1 至 31。"),
        ("FREQ=WEEKLY;COUNT=2;BYDAY=1MO", "“第几个星期几”只用于每月的规则。"),
        ("FREQ=DAILY;COUNT=2;BYDAY=" + ",".join(["MO"] * 90), "重复规则过长。"),
    ],
)
def test_what_is_no_rule_is_refused_by_name(rule: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_rule(rule)
    assert (refused.value.field, refused.value.reason) == ("rrule", says)


def test_a_daylight_rule_moves_no_window() -> None:
    first = datetime(2026, 3, 24, 8, 30, tzinfo=BERLIN)  # summer time begins on Sunday the 29th
    windows = occurrences(
        read_rule("FREQ=WEEKLY;COUNT=2"),
        first,
        HOUR,
        after=first,
        before=first + timedelta(days=30),
        most=9,
        zone=BERLIN,
    )
    assert [(f"{a:%m-%d %H:%M%z}", f"{b:%H:%M}") for a, b in windows] == [
        ("03-24 08:30+0100", "09:30"),
        ("03-31 08:30+0200", "09:30"),
    ]
    assert windows[1][0].astimezone(UTC) - windows[0][0].astimezone(UTC) == timedelta(days=7) - HOUR


def test_an_hour_that_does_not_exist_is_read_by_the_offset_before_it() -> None:
    first = datetime(2026, 3, 28, 2, 30, tzinfo=BERLIN)
    windows = occurrences(
        "FREQ=DAILY;COUNT=3", first, HOUR, after=first, before=first + timedelta(days=9), most=9, zone=BERLIN
    )
    assert [a.astimezone(UTC).isoformat(" ", "minutes") for a, _ in windows] == [
        "2026-03-28 01:30+00:00",
        "2026-03-29 01:30+00:00",  # 02:30 does not exist: it is 03:30 by the new clock
        "2026-03-30 00:30+00:00",
    ]
    assert all(b.astimezone(UTC) - a.astimezone(UTC) == HOUR for a, b in windows)


def test_shanghai_has_no_daylight_rule_whatever_offset_the_start_was_written_with() -> None:
    written = at(2026, 3, 24).astimezone(BERLIN)
    windows = occurrences(
        "FREQ=WEEKLY;COUNT=30", written, HOUR, after=written, before=written + timedelta(days=400), most=60
    )
    assert len(windows) == 30
    assert {f"{a:%a %H:%M%z}" for a, _ in windows} == {"Tue 08:30+0800"}


def test_what_overlaps_is_in_and_what_only_touches_is_not() -> None:
    start = at(2026, 3, 3)
    found = occurrences(
        "FREQ=DAILY;COUNT=9",
        start,
        HOUR,
        after=start + timedelta(days=1) + HOUR,  # the second ends here
        before=start + timedelta(days=4),  # the fifth begins here
        most=9,
    )
    assert [f"{a:%d}" for a, _ in found] == ["05", "06"]
    running = occurrences("FREQ=DAILY;COUNT=1", start, HOUR, after=start + HOUR / 2, before=start + HOUR, most=9)
    assert len(running) == 1


def test_a_rule_that_never_comes_true_ends() -> None:
    start = at(2026, 2, 3)
    assert days("FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31;COUNT=5", start) == []


RULES = st.builds(
    lambda frequency, interval, count: f"FREQ={frequency};INTERVAL={interval};COUNT={count}",
    st.sampled_from(sorted(INTERVALS)),
    st.integers(1, 12),
    st.integers(1, 400),
)
STARTS = st.datetimes(datetime(2024, 1, 1), datetime(2040, 1, 1)).map(lambda d: d.replace(microsecond=0))


@given(RULES, STARTS, st.integers(0, 400), st.integers(1, 60), st.sampled_from([SHANGHAI, BERLIN]))
def test_a_part_of_the_occurrences_is_a_part_of_all(
    rule: str, local: datetime, ahead: int, most: int, zone: ZoneInfo
) -> None:
    start = local.replace(tzinfo=zone)
    end, far = start + timedelta(days=ahead), start + timedelta(days=800)
    every = occurrences(read_rule(rule), start, HOUR, after=start, before=far, most=1000, zone=zone)
    part = occurrences(read_rule(rule), start, HOUR, after=start, before=end, most=most, zone=zone)
    assert part == [w for w in every if w[0] < end][:most]
    assert every == sorted(every)
    assert {(a.hour, a.minute) for a, _ in every} <= {(local.hour, local.minute)} or zone is BERLIN
