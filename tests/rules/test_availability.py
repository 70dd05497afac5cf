"""Windows and absences: what is kept is what was said, in order; what meets is refused; nothing else is."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.people.actions.availability import (
    Absence,
    Window,
    read_absences,
    read_languages,
    read_point,
    read_reach,
    read_windows,
)
from models.people.availability import DAY_MINUTES, Language
from models.problems import InvalidInput

TODAY = date(2026, 11, 2)
minutes = st.integers(0, DAY_MINUTES)
windows = st.builds(
    lambda day, ends: Window(day, min(ends), max(ends)),
    st.integers(1, 7),
    st.tuples(minutes, minutes).filter(lambda ends: ends[0] != ends[1]),
)
absences = st.builds(
    lambda start, length: Absence(TODAY + timedelta(days=start), TODAY + timedelta(days=start + length)),
    st.integers(-60, 300),
    st.integers(0, 20),
)


def taken(one: Window) -> set[tuple[int, int]]:
    return {(one.weekday, minute) for minute in range(one.from_minute, one.to_minute)}


@given(st.lists(windows, max_size=6))
def test_windows_are_kept_unless_two_share_a_minute(said: list[Window]) -> None:
    minutes_of = [taken(one) for one in said]
    if sum(map(len, minutes_of)) == len(set().union(*minutes_of)):
        assert read_windows(said) == sorted(said)
    else:
        with pytest.raises(InvalidInput):
            read_windows(said)


@given(st.lists(absences, max_size=6))
def test_absences_that_are_not_over_are_kept_unless_two_share_a_day(said: list[Absence]) -> None:
    ahead = [one for one in said if one.ends_on >= TODAY]
    days = [{one.starts_on + timedelta(days=n) for n in range((one.ends_on - one.starts_on).days + 1)} for one in ahead]
    if sum(map(len, days)) == len(set().union(*days)):
        assert read_absences(said, TODAY) == sorted(ahead)
    else:
        with pytest.raises(InvalidInput):
            read_absences(said, TODAY)


@given(st.floats(41.3, 42.9), st.floats(122.5, 123.9))
def test_a_point_is_told_to_a_tenth_of_a_kilometre(latitude: float, longitude: float) -> None:
    point = read_point((latitude, longitude))
    assert point is not None
    assert all(round(km * 10) == pytest.approx(km * 10, abs=1e-6) for km in point)


@given(st.floats())
def test_a_radius_is_within_the_city_or_refused(km: float) -> None:
    if 0.5 <= km <= 50:
        assert abs(read_reach(km, 3)[0] - km) <= 0.05 + 1e-9
    else:
        with pytest.raises(InvalidInput):
            read_reach(km, 3)


@given(st.lists(st.sampled_from(Language)))
def test_mandarin_is_taken_for_granted(said: list[Language]) -> None:
    assert set(read_languages(said)) == set(said) - {Language.MANDARIN}
    assert len(read_languages(said)) == len(set(read_languages(said)))
