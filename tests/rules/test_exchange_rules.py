"""Laws of needs, offers and commitments."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from models.access import Role
from models.clock import SHANGHAI
from models.exchange import offering
from models.exchange import rules as r
from models.exchange.kinds import Fulfilment, Kind, Missing, Origin, Side, Unit
from models.exchange.problems import NotQualified
from models.exchange.states import (
    AGREED,
    BOOKED,
    CLAIMABLE,
    COMMITMENT_STEPS,
    HOLDING,
    LIVE,
    NEED_STEPS,
    OFFER_STEPS,
    SERVED,
    CommitmentStatus,
    NeedStatus,
    OfferStatus,
)
from models.migrations import functions_0028
from models.problems import InvalidInput, InvalidTransition

C, N, O = CommitmentStatus, NeedStatus, OfferStatus  # noqa: E741
NOW = datetime(2026, 11, 2, 10, 0, tzinfo=SHANGHAI)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda d: d.replace(tzinfo=SHANGHAI))


def reached(steps: dict[tuple[str, Any], Any], start: Any) -> set[Any]:
    out, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        for (_, before), after in steps.items():
            if before is here and after not in out:
                out.add(after)
                waiting.append(after)
    return out


def test_every_state_is_reached_and_has_its_place() -> None:
    assert reached(NEED_STEPS, N.DRAFT) == set(N)
    assert reached(OFFER_STEPS, O.DRAFT) == set(O)
    assert reached(COMMITMENT_STEPS, C.PROPOSED) == set(C)
    assert {before for _, before in COMMITMENT_STEPS} == set(LIVE)
    ends = set(N) - {before for _, before in NEED_STEPS}
    assert ends == {N.REJECTED, N.REFERRED, N.CANCELLED, N.EXPIRED, N.SPLIT}  # CLOSED may be asked for again
    assert set(SERVED) | set(AGREED) <= set(HOLDING)
    assert set(BOOKED) <= set(LIVE) <= set(HOLDING)
    assert set(HOLDING) - set(LIVE) == {C.COMPLETED}


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        ("verify", N.SUBMITTED, N.VERIFIED),
        ("open", N.VERIFIED, N.OPEN),
        ("close", N.DELIVERED, N.CLOSED),
        ("reopen", N.CLOSED, N.REOPENED),
        ("expire", N.OPEN, N.EXPIRED),
    ],
)
def test_needs_go_as_the_model_says(step: str, before: NeedStatus, after: NeedStatus) -> None:
    assert r.step(NEED_STEPS, step, before) is after


@given(st.sampled_from(sorted({name for name, _ in NEED_STEPS})), st.sampled_from(N))
def test_what_is_not_in_the_table_is_refused_by_its_label(name: str, status: NeedStatus) -> None:
    if (name, status) in NEED_STEPS:
        assert status in r.sources(NEED_STEPS, name)
        return
    with pytest.raises(InvalidTransition) as refused:
        r.step(NEED_STEPS, name, status)
    assert refused.value.status == status.value
    assert refused.value.label in refused.value.message


def test_every_step_has_somebody_who_may() -> None:
    automatic = {"start", "deliver", "settle", "return", "expire", "lapse", "aid"}
    assert {name for name, _ in NEED_STEPS} - automatic <= {k[5:] for k in r.MAY if k.startswith("need.")}
    assert {name for name, _ in OFFER_STEPS} - automatic <= {k[6:] for k in r.MAY if k.startswith("offer.")}
    assert {name for name, _ in COMMITMENT_STEPS} - automatic <= {k[11:] for k in r.MAY if k.startswith("commitment.")}
    for roles in r.MAY.values():
        assert roles
        assert not roles & {Role.PUBLIC, Role.DISTRICT_VIEWER, Role.CITY_VIEWER, Role.AUDITOR}
    assert r.MAY["commitment.confirm"] == {Role.COMMUNITY_STAFF, Role.SOCIAL_WORKER}


def test_who_moved_first_never_accepts() -> None:
    assert Side.PROVIDER not in r.ANSWERS[Origin.CLAIM]
    assert r.ANSWERS[Origin.PROPOSAL] == {Side.PROVIDER}


@given(st.integers(1, 10_000), st.integers(0, 10_000))
def test_fulfilment_is_derived(total: int, delivered: int) -> None:
    told = r.fulfilment(total, delivered)
    assert (told is Fulfilment.NONE) == (delivered == 0)
    assert (told is Fulfilment.FULL) == (delivered >= total and delivered > 0)


codes = st.lists(st.sampled_from(["A", "B", "AB"]), min_size=1, max_size=2).map(".".join)


@given(codes, codes)
def test_a_category_lies_in_those_above_it(one: str, other: str) -> None:
    assert r.lies_in(one, one)
    assert r.lies_in(one, other) == (one.split(".")[: len(other.split("."))] == other.split("."))
    assert r.lies_in(one, other) == (other <= one < other + "/")  # as `queries.in_category` has it


@given(moments, moments)
def test_windows_have_both_ends_ahead(start: datetime, end: datetime) -> None:
    good = start < end and end > NOW
    try:
        assert r.window(start, end, NOW) == (start, end)
    except InvalidInput as refused:
        assert not good
        assert refused.field == "windowTo"
    else:
        assert good
    appointment = r.slot(start, end)
    if start < end:
        assert (appointment is None) == (end - start > timedelta(hours=24))


def test_half_a_window_is_refused() -> None:
    assert r.window(None, None, NOW) == (None, None)
    for start, end, field in ((NOW, None, "slotTo"), (None, NOW, "slotFrom")):
        with pytest.raises(InvalidInput) as refused:
            r.window(start, end, NOW, ("slotFrom", "slotTo"))
        assert refused.value.field == field
    assert r.slot(None, None) is None


@given(st.integers())
def test_numbers_have_bounds(n: int) -> None:
    for check, least, most in ((r.quantity, 1, 10_000), (r.urgency, 1, 4), (r.rating, 1, 5)):
        if least <= n <= most:
            assert check(n) == n
        else:
            with pytest.raises(InvalidInput):
                check(n)


OFFER: dict[str, Any] = {
    "kind": Kind.SERVICE,
    "unit": Unit.HELPER,
    "category_code": "ELDERLY",
    "service_areas": ["210103"],
    "window_from": NOW,
    "window_to": NOW + timedelta(days=7),
}
NEED: dict[str, Any] = {
    "kind": Kind.SERVICE,
    "unit": Unit.HELPER,
    "category_code": "ELDERLY.ESCORT",
    "area": "210103005003001",
    "window_from": NOW + timedelta(days=1),
    "window_to": NOW + timedelta(days=1, hours=2),
}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"window_from": None, "window_to": None}, None),
        ({"kind": Kind.GOODS}, "种类不同"),
        ({"unit": Unit.HOUR}, "计量单位不同"),
        ({"category_code": "ELDERLY"}, None),
        ({"category_code": "ELDERLY_X"}, "服务类别不同"),
        ({"category_code": "HEALTH.TCM"}, "服务类别不同"),
        ({"area": "210102001001"}, "不在服务区域内"),
        ({"window_from": NOW + timedelta(days=7), "window_to": NOW + timedelta(days=8)}, "服务时间不重叠"),
    ],
)
def test_an_offer_that_does_not_fit_is_told_why(change: dict[str, Any], why: str | None) -> None:
    assert offering.misfit(OFFER, {**NEED, **change}, now=NOW) == why


class Exchange(RuleBasedStateMachine):
    """Any order of steps on the commitments of one need keeps what is held within what is wanted."""

    TOTAL = 4

    def __init__(self) -> None:
        super().__init__()
        self.need = N.OPEN
        self.commitments: list[tuple[CommitmentStatus, int]] = []

    @property
    def held(self) -> int:
        return sum(qty for status, qty in self.commitments if status in HOLDING)

    @rule(qty=st.integers(1, 4))
    def claim(self, qty: int) -> None:
        if self.need in CLAIMABLE and qty <= self.TOTAL - self.held:
            self.commitments.append((C.PROPOSED, qty))

    @rule(which=st.integers(0, 9), name=st.sampled_from(sorted({name for name, _ in COMMITMENT_STEPS})))
    def move(self, which: int, name: str) -> None:
        if which >= len(self.commitments):
            return
        status, qty = self.commitments[which]
        try:
            after = r.step(COMMITMENT_STEPS, name, status)
        except InvalidTransition:
            return
        self.commitments[which] = (after, qty)
        if name == "start" and self.need is N.OPEN:
            self.need = r.step(NEED_STEPS, "start", self.need)
        if name == "void" and self.need is N.DELIVERED:
            self.need = r.step(NEED_STEPS, "return", self.need)
        delivered = sum(q for s, q in self.commitments if s in SERVED)
        if name == "deliver" and delivered == self.TOTAL:
            self.need = r.step(NEED_STEPS, "deliver", self.need)
        if self.need is N.DELIVERED and not any(s in (C.DELIVERED, C.DISPUTED) for s, _ in self.commitments):
            self.need = r.step(NEED_STEPS, "close", self.need)

    @invariant()
    def never_more_than_wanted(self) -> None:
        assert 0 <= self.held <= self.TOTAL

    @invariant()
    def closed_only_when_all_is_completed(self) -> None:
        if self.need is N.CLOSED:
            assert sum(q for s, q in self.commitments if s is C.COMPLETED) == self.TOTAL


TestExchange = Exchange.TestCase


def test_a_refusal_says_what_is_missing_in_chinese() -> None:
    assert NotQualified(missing=Missing.LANGUAGE).message == "不符合该需求的要求：手语。"


def test_the_database_knows_what_is_risky() -> None:
    assert functions_0028.RISKY == r.RISKY
