"""The laws of consents and requests: no way out of an end, every wait has a way on, childhood ends on a day."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.clock import SHANGHAI
from models.labels import TABLES
from models.privacy import rules
from models.privacy.actions.corrections import mask_birth_date
from models.privacy.rules import CONSENT_STEPS, REQUEST_STEPS, ConsentState, RequestState, is_child
from models.problems import InvalidTransition
from models.working_days import is_working_day

ENDS = {RequestState.DONE, RequestState.REFUSED, RequestState.WITHDRAWN}


def test_what_is_answered_stays_answered() -> None:
    assert {before for _, before in REQUEST_STEPS} == set(RequestState) - ENDS
    assert {before for _, before in CONSENT_STEPS} == {ConsentState.WAITING_COSIGN, ConsentState.GIVEN}
    assert set(rules.OPEN_REQUESTS) == set(RequestState) - ENDS


def test_whatever_waits_can_be_taken_back() -> None:
    for state in rules.OPEN_REQUESTS:
        assert REQUEST_STEPS["withdraw", state] is RequestState.WITHDRAWN
    for consent in rules.LIVE_CONSENTS:
        assert CONSENT_STEPS["withdraw", consent] is ConsentState.WITHDRAWN


@given(st.sampled_from(sorted({name for name, _ in REQUEST_STEPS})), st.sampled_from(RequestState))
def test_a_step_is_in_the_table_or_refused(name: str, state: RequestState) -> None:
    if (name, state) in REQUEST_STEPS:
        assert rules.step(name, state) is REQUEST_STEPS[name, state]
    else:
        with pytest.raises(InvalidTransition):
            rules.step(name, state)


@given(st.dates(date(1990, 1, 1), date(2026, 12, 31)), st.integers(0, 40 * 365))
def test_childhood_ends_on_the_fourteenth_birthday(born: date, days: int) -> None:
    at = datetime(born.year, born.month, born.day, 12, tzinfo=SHANGHAI) + timedelta(days=days)
    assert is_child(born, at) == (at.date() < rules.child_until(born))
    assert not is_child(None, at)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(SHANGHAI)))
def test_a_deadline_is_three_weeks_ahead_or_more_and_a_working_day(at: datetime) -> None:
    until = rules.due(at)
    assert is_working_day(until.date())
    assert timedelta(days=16) <= until - at <= timedelta(days=31)


def test_a_birth_date_is_masked_to_its_year() -> None:
    assert mask_birth_date(date(1944, 3, 8)) == "1944-**-**"


def test_every_bar_and_purpose_has_a_label() -> None:
    for name in ("ErasureBar", "ConsentPurpose", "RequestKind", "CorrectionField", "GuardianEvidence"):
        assert all(TABLES[name].labels.values())
