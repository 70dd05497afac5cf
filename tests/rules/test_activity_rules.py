"""Laws of sessions, attendances and hours."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from models.access import Role
from models.activity import rules as r
from models.clock import SHANGHAI
from models.problems import InvalidInput, InvalidTransition

A = r.AttendanceStatus
S = r.SessionStatus


def at(text: str, day: int = 3) -> datetime:
    hour, minute = text.split(":")
    return datetime(2026, 11, day, int(hour), int(minute), tzinfo=SHANGHAI)


moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 4)).map(lambda d: d.replace(tzinfo=SHANGHAI))


@pytest.mark.parametrize(
    ("came", "left", "starts", "ends", "minutes"),
    [
        ("08:27", "11:05", "08:30", "11:00", 150),
        ("09:00", "12:04", "09:00", "12:00", 180),
        ("09:00", "10:30", "09:00", "12:00", 90),
        ("08:00", "08:20", "08:30", "11:00", 0),
        ("08:00", "22:00", "08:00", "22:00", 720),
    ],
)
def test_minutes_are_those_inside_the_session(came: str, left: str, starts: str, ends: str, minutes: int) -> None:
    assert r.credited_minutes(at(came), at(left), at(starts), at(ends)) == minutes


def test_the_cap_is_for_the_day() -> None:
    full = (at("08:00"), at("12:00"), at("08:00"), at("12:00"))
    assert r.credited_minutes(*full, most=120) == 120
    assert r.credited_minutes(*full, most=0) == 0


@given(moments, moments, moments, moments, st.integers(-80, 720))
def test_credit_is_never_negative_nor_above_any_bound(
    came: datetime, left: datetime, starts: datetime, ends: datetime, most: int
) -> None:
    minutes = r.credited_minutes(came, left, starts, ends, most=most)
    assert 0 <= minutes <= max(0, most)
    assert minutes <= max(0, r.length_minutes(starts, ends))
    assert minutes <= max(0, (left - came).total_seconds() / 60)


@given(st.lists(moments, min_size=4, max_size=4).map(sorted))
def test_coming_early_and_leaving_late_adds_nothing(times: list[datetime]) -> None:
    early, starts, ends, late = times
    assert r.credited_minutes(early, late, starts, ends) == r.credited_minutes(starts, ends, starts, ends)


def test_seconds_are_cut_not_rounded() -> None:
    assert r.credited_minutes(at("09:00"), at("09:00") + timedelta(seconds=119), at("09:00"), at("10:00")) == 1


@given(st.dates(date(1930, 1, 1), date(2040, 1, 1)), st.integers(0, 120))
def test_ages_are_counted_from_the_birthday(adult_on: date, age: int) -> None:
    on = r.old_enough_on(adult_on, age)
    assert on.year - adult_on.year == age - r.ADULT_AGE
    assert (on.month, on.day) in {(adult_on.month, adult_on.day), (3, 1)}
    assert r.old_enough_on(adult_on, r.ADULT_AGE) == adult_on


@given(st.floats(-80, 80), st.floats(-179, 179))
def test_distance_is_zero_here_and_grows_by_the_degree(lat: float, lon: float) -> None:
    assert r.distance_m(lat, lon, lat, lon) == 0
    assert r.distance_m(lat, lon, lat + 1, lon) == pytest.approx(111_195, abs=1)
    assert r.distance_m(lat, lon, 41.8, 123.4) == pytest.approx(r.distance_m(41.8, 123.4, lat, lon))


@pytest.mark.parametrize(
    ("starts", "ends", "night"),
    [
        (at("06:00"), at("22:00"), False),
        (at("05:59"), at("07:00"), True),
        (at("21:00"), at("22:01"), True),
        (at("20:00"), at("08:00", 4), True),
        (at("12:00"), at("13:00", 4), True),
    ],
)
def test_the_night_is_from_ten_to_six(starts: datetime, ends: datetime, night: bool) -> None:
    assert r.at_night(starts, ends) is night


def test_windows() -> None:
    now = at("10:00")
    r.window(at("09:00"), at("10:01"), now)
    for starts, ends in [
        (at("12:00"), at("12:00")),
        (at("12:00"), at("11:00")),
        (at("08:00"), at("09:59")),
        (at("11:00"), at("11:01", 4)),
    ]:
        with pytest.raises(InvalidInput) as caught:
            r.window(starts, ends, now)
        assert caught.value.field == "endsAt"


@pytest.mark.parametrize("bad", [0, -1, 10_001])
def test_capacity_is_bounded(bad: int) -> None:
    with pytest.raises(InvalidInput):
        r.capacity(bad)


@pytest.mark.parametrize("bad", [(1.0, None), (None, 1.0), (91.0, 0.0), (0.0, 181.0), (float("nan"), 0.0)])
def test_positions_are_whole_and_on_earth(bad: tuple[float | None, float | None]) -> None:
    with pytest.raises(InvalidInput):
        r.position(*bad)
    assert r.position(None, None) is None
    assert r.position(41.8, 123.4) == (41.8, 123.4)


def test_every_session_leads_to_an_end() -> None:
    ends = {S.LOCKED, S.CANCELLED}
    for status in S:
        leads = [to for (_, start), to in r.SESSION_STEPS.items() if start is status]
        assert bool(leads) is (status not in ends), status
    assert r.before(r.SESSION_STEPS, "cancel") == (S.PLANNED, S.PUBLISHED)


def test_a_session_that_runs_cannot_be_cancelled() -> None:
    for status in set(S) - {S.PLANNED, S.PUBLISHED}:
        with pytest.raises(InvalidTransition) as caught:
            r.step(r.SESSION_STEPS, "cancel", status)
        assert caught.value.status == status.value


def test_hours_come_only_from_a_check_out_an_approval_or_a_correction() -> None:
    assert {name for (name, _), to in r.ATTENDANCE_STEPS.items() if to is A.CONFIRMED} == {
        "credit",
        "credit_manually",
        "credit_again",
    }


def test_who_leaves_his_place_is_not_booked() -> None:
    assert r.BOOKED < r.HOLDS_SEAT
    assert r.WAS_THERE <= r.BOOKED
    assert not r.HOLDS_SEAT & {A.WITHDRAWN, A.EXCUSED, A.LAPSED, A.REFUSED, A.WAITLISTED, A.APPLIED}


def test_nobody_proposes_without_organizing_and_organizations_decide_no_hours() -> None:
    assert Role.NGO_STAFF in r.MAY["hours.propose"]
    for name in ("hours.decide", "hours.reverse", "session.lock"):
        assert r.MAY[name] == {Role.COMMUNITY_STAFF, Role.SOCIAL_WORKER}
    assert all(roles and Role.PUBLIC not in roles and Role.ADMIN not in roles for roles in r.MAY.values())


class AttendanceMachine(RuleBasedStateMachine):
    """Whatever is tried in whatever order: terminal states stay, and a credit stands exactly in CONFIRMED."""

    def __init__(self) -> None:
        super().__init__()
        self.status = A.APPLIED
        self.credits = 0

    @rule(name=st.sampled_from(sorted({name for name, _ in r.ATTENDANCE_STEPS})))
    def take(self, name: str) -> None:
        before = self.status
        try:
            self.status = r.step(r.ATTENDANCE_STEPS, name, before)
        except InvalidTransition:
            assert (name, before) not in r.ATTENDANCE_STEPS
            return
        if name.startswith("credit"):
            self.credits += 1
        if name == "reverse":
            self.credits -= 1

    @precondition(lambda self: self.status in {A.REFUSED, A.WITHDRAWN, A.LAPSED, A.ABSENT, A.EXCUSED})
    @rule(name=st.sampled_from(sorted({name for name, _ in r.ATTENDANCE_STEPS})))
    def ended(self, name: str) -> None:
        with pytest.raises(InvalidTransition):
            r.step(r.ATTENDANCE_STEPS, name, self.status)

    @invariant()
    def one_credit(self) -> None:
        assert self.credits == (self.status is A.CONFIRMED)


TestAttendance = AttendanceMachine.TestCase
