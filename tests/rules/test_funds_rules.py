"""The laws of money: balanced books, narrow gifts first, three pairs of hands, and no way out of a terminal state."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.access import Role
from models.funds import inputs, rules
from models.funds.books import (
    CHART,
    SIGN,
    Account,
    AccountKind,
    Entry,
    Part,
    Spending,
    TxnKind,
    gift,
    reversal,
    spending,
    standing,
)
from models.funds.inputs import AllocationInput, DisbursementInput, DonationInput, DonorInput, FundInput
from models.funds.problems import OutsideFundRestriction
from models.funds.restrictions import Purpose, Restriction, Share, bound, checked, take
from models.funds.rules import (
    ALLOCATION_STEPS,
    DISBURSEMENT_STEPS,
    DONATION_STEPS,
    AllocationStatus,
    Confirmation,
    DisbursementStatus,
    DonationChannel,
    DonorKind,
    FundKind,
)
from models.problems import InvalidInput, InvalidTransition
from tests.conftest import NOW

FUNDS = st.sampled_from(["甲", "乙", "丙"])
FEN = st.integers(1, 10**10)
CATEGORIES = st.sampled_from([None, "DISABLED", "DISABLED.REHAB", "DISABLED.REHAB.HOME", "ELDERLY", "DISABLEDS"])
AREAS = st.sampled_from([None, "2101", "210103", "210103005", "210103005024", "210102"])
DAYS = st.none() | st.dates(date(2026, 1, 1), date(2026, 12, 31))
RESTRICTIONS = st.builds(Restriction, CATEGORIES, AREAS, DAYS, DAYS)
PURPOSES = st.builds(Purpose, CATEGORIES, AREAS.filter(bool), st.dates(date(2026, 1, 1), date(2026, 12, 31)))


def summed(entries: list[Entry[str]]) -> dict[str, int]:
    out: dict[str, int] = {}
    for e in entries:
        out[e.fund] = out.get(e.fund, 0) + e.amount_fen
    return out


@given(st.lists(st.tuples(FUNDS, FEN, st.booleans()), max_size=20), st.data())
def test_every_posting_balances_within_each_fund(gifts: list[tuple[str, int, bool]], data: st.DataObject) -> None:
    postings: list[tuple[TxnKind, list[Entry[str]]]] = []
    left = [[fund, fen, bound_] for fund, fen, bound_ in gifts]
    received = spent = 0
    for fund, fen, restricted in gifts:
        postings.append((TxnKind.GIFT, gift(fund, fen, restricted)))
        received += fen
    for _ in range(data.draw(st.integers(0, 5))):
        parts = []
        for row in left:
            used = data.draw(st.integers(0, row[1]))
            if used:
                parts.append(Part(row[0], used, row[2]))
                row[1] -= used
        if parts:
            entries = spending(parts, data.draw(st.sampled_from(Spending)))
            postings.append((TxnKind.SPENDING, entries))
            spent += sum(p.amount_fen for p in parts)
            if data.draw(st.booleans()):
                postings.append((TxnKind.SPENDING_RETURN, reversal(entries)))
                spent -= sum(p.amount_fen for p in parts)
                break
    for _, entries in postings:
        assert len(entries) >= 2
        assert set(summed(entries).values()) == {0}
        assert all(e.amount_fen for e in entries)
    at = standing(postings)
    assert sum(s.balance for s in at.values()) == received - spent
    assert sum(s.received for s in at.values()) == received
    assert sum(s.spent for s in at.values()) == spent
    for s in at.values():
        assert s.balance == s.received - s.spent - s.refunded
        assert 0 <= s.restricted <= s.balance


def test_reversing_twice_is_doing() -> None:
    entries = spending([Part("甲", 500, True), Part("甲", 100, False), Part("乙", 7, False)], Spending.CHARITY)
    assert reversal(reversal(entries)) == entries
    assert entries == [
        Entry("甲", Account.EXPENSE_CHARITY, 600),
        Entry("甲", Account.BANK, -600),
        Entry("甲", Account.NET_RESTRICTED, 500),
        Entry("甲", Account.NET_UNRESTRICTED, -500),
        Entry("乙", Account.EXPENSE_CHARITY, 7),
        Entry("乙", Account.BANK, -7),
    ]


def test_the_chart_has_every_account_once() -> None:
    assert set(CHART) == set(Account)
    assert len({h.code for h in CHART.values()}) == len(CHART)
    assert set(SIGN) == set(AccountKind)
    assert {a for a, h in CHART.items() if h.restricted} == {Account.INCOME_RESTRICTED, Account.NET_RESTRICTED}


@given(RESTRICTIONS, PURPOSES)
def test_a_restriction_admits_what_lies_in_all_of_it(restriction: Restriction, purpose: Purpose) -> None:
    inside = (
        restriction.category is None
        or purpose.category == restriction.category
        or (purpose.category or "").startswith(restriction.category + ".")
    )
    under = restriction.area is None or purpose.area[: len(restriction.area)] == restriction.area
    then = (restriction.since or date.min) <= purpose.on <= (restriction.until or date.max)
    assert restriction.admits(purpose) == (inside and under and then)
    assert (restriction.refusal(purpose) is None) == restriction.admits(purpose)


@given(RESTRICTIONS, PURPOSES)
def test_binding_more_never_admits_more(restriction: Restriction, purpose: Purpose) -> None:
    if restriction.admits(purpose):
        assert Restriction(restriction.category, None, restriction.since).admits(purpose)
        assert Restriction().admits(purpose)
    for looser in (
        Restriction(None, restriction.area, restriction.since, restriction.until),
        Restriction(restriction.category, None, restriction.since, restriction.until),
        Restriction(restriction.category, restriction.area, None, None),
    ):
        assert restriction.breadth <= looser.breadth
    assert bool(restriction) == (restriction.breadth < Restriction().breadth)


def test_narrower_is_smaller() -> None:
    order = [
        Restriction("DISABLED.REHAB", "210103005", None, date(2026, 12, 31)),
        Restriction("DISABLED.REHAB", "210103005"),
        Restriction("DISABLED", "210103005"),
        Restriction("DISABLED", "210103"),
        Restriction("DISABLED", "2101"),
        Restriction(None, "210103"),
        Restriction("DISABLED.REHAB"),
        Restriction("DISABLED"),
        Restriction(None, None, None, date(2026, 12, 31)),
        Restriction(None, None, date(2026, 1, 1)),
        Restriction(),
    ]
    assert [r.breadth for r in order] == sorted({r.breadth for r in order})


@given(RESTRICTIONS, RESTRICTIONS, PURPOSES)
def test_a_gift_is_bound_by_its_fund_at_least(given_: Restriction, fund: Restriction, purpose: Purpose) -> None:
    try:
        both = bound(given_, fund)
    except OutsideFundRestriction:
        return
    if both.admits(purpose):
        assert fund.admits(purpose)
        assert given_.admits(purpose)


@given(st.lists(st.integers(0, 1_000), max_size=30), st.integers(1, 20_000))
def test_taking_is_in_order_and_to_the_fen(free: list[int], amount: int) -> None:
    shares, missing = take((Share(i, fen) for i, fen in enumerate(free)), amount)
    assert sum(s.fen for s in shares) + missing == amount
    assert missing == max(0, amount - sum(free))
    assert [s.of for s in shares] == sorted(s.of for s in shares)
    assert all(0 < s.fen <= free[s.of] for s in shares)
    for share in shares[:-1]:
        assert share.fen == free[share.of]
    taken = {s.of for s in shares}
    if shares:
        assert all(free[i] == 0 for i in range(shares[-1].of) if i not in taken)


@pytest.mark.parametrize("steps", [DONATION_STEPS, ALLOCATION_STEPS, DISBURSEMENT_STEPS])
def test_every_state_can_be_reached_and_terminal_ones_stay(steps: Mapping[tuple[str, Any], Any]) -> None:
    values = type(next(iter(steps.values())))
    first = next(iter(values))
    reached, before = {first}, set()
    while reached != before:
        before = set(reached)
        reached |= {after for (_, at), after in steps.items() if at in reached}
    assert reached == set(values)
    terminal = set(values) - {at for _, at in steps}
    for name in {n for n, _ in steps}:
        for status in terminal:
            with pytest.raises(InvalidTransition):
                rules.step(steps, name, status)


def test_terminal_states() -> None:
    assert set(DisbursementStatus) - {at for _, at in DISBURSEMENT_STEPS} == {
        DisbursementStatus.RETURNED,
        DisbursementStatus.REJECTED,
        DisbursementStatus.CANCELLED,
        DisbursementStatus.CLOSED,
    }
    assert set(AllocationStatus) - {at for _, at in ALLOCATION_STEPS} == {
        AllocationStatus.CLOSED,
        AllocationStatus.REJECTED,
    }


@given(st.lists(st.none() | st.sampled_from("abcde"), max_size=4))
def test_hands_are_the_same_when_one_person_acts_twice(hands: list[str | None]) -> None:
    acted = [h for h in hands if h is not None]
    assert rules.same_hands(*hands) == any(acted.count(h) > 1 for h in acted)


def test_who_may() -> None:
    assert not rules.MAY["disbursement.create"] & rules.MAY["disbursement.approve"]
    assert not rules.MAY["disbursement.approve"] & rules.MAY["disbursement.authorise"]
    assert not rules.MAY["donation.record"] & rules.MAY["donation.reverse"]
    for roles in rules.MAY.values():
        assert not roles & {Role.PUBLIC, Role.FUND_REPORTER, Role.AUDITOR, Role.ADMIN, Role.CITY_VIEWER}
    assert Role.FUND_REPORTER not in rules.FINANCE
    assert set(rules.CONFIRMING) == set(Confirmation)


def test_the_threshold() -> None:
    assert not rules.needs_authoriser(1_000_000)
    assert rules.needs_authoriser(1_000_001)


SOME = UUID(int=1)
GIFT = DonationInput(SOME, 100, DonationChannel.GRANT, donor=SOME)


@pytest.mark.parametrize(
    ("check", "given_", "field"),
    [
        (inputs.fund, FundInput("甲", FundKind.UNRESTRICTED), "name"),
        (inputs.fund, FundInput("甲基金", FundKind.PURPOSE), "restriction"),
        (inputs.fund, FundInput("甲基金", FundKind.TIME, Restriction("DISABLED")), "restriction"),
        (inputs.fund, FundInput("甲\0基金", FundKind.UNRESTRICTED), "name"),
        (inputs.donor, DonorInput(DonorKind.PERSON), "name"),
        (inputs.donor, DonorInput(DonorKind.PERSON, "赵", organization=SOME), "organization"),
        (inputs.donor, DonorInput(DonorKind.ORGANIZATION, "某公司", person=SOME), "person"),
        (inputs.donor, DonorInput(DonorKind.ANONYMOUS, "赵"), "name"),
        (inputs.disbursement, DisbursementInput(SOME, 1), "payee"),
        (inputs.disbursement, DisbursementInput(SOME, 1, "某店", SOME), "payee"),
        (inputs.disbursement, DisbursementInput(SOME, 0, "某店"), "amount"),
        (inputs.allocation, AllocationInput("项目", 1, category="DISABLED"), "areaCode"),
        (inputs.allocation, AllocationInput("项目", 1, area="2101"), "categoryCode"),
        (inputs.allocation, AllocationInput("项目", 10**13 + 1, category="DISABLED", area="2101"), "amount"),
        (
            inputs.allocation,
            AllocationInput("项目", 1, category="DISABLED", area="2101", donations=(SOME, SOME)),
            "donations",
        ),
        (checked, Restriction(since=date(2026, 2, 1), until=date(2026, 1, 1)), "until"),
    ],
)
def test_unsound_input_is_named(check: Any, given_: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(given_)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"donor": None}, "donor"),
        ({"giver": DonorInput(DonorKind.ANONYMOUS)}, "donor"),
        ({"donor": None, "giver": DonorInput(DonorKind.ANONYMOUS), "publish_name": True}, "publishName"),
        ({"public_name": "赵"}, "publicName"),
        ({"received_at": NOW + timedelta(seconds=1)}, "receivedAt"),
        ({"amount_fen": 0}, "amount"),
        ({"amount_fen": -1}, "amount"),
        ({"external_txn": " "}, "externalTxn"),
        ({"designation": "字" * 501}, "designation"),
    ],
)
def test_unsound_gifts_are_named(over: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        inputs.donation(dataclasses.replace(GIFT, **over), NOW)
    assert caught.value.field == field


@given(st.sampled_from(DonorKind), st.text("赵钱孙李周", min_size=2, max_size=4), st.booleans())
def test_a_name_is_shown_only_with_consent(kind: DonorKind, name: str, publish: bool) -> None:
    shown = inputs.shown_as(kind, name, publish, None)
    assert (name in shown) == (publish and kind is not DonorKind.ANONYMOUS)
    if kind is not DonorKind.ORGANIZATION:
        assert name not in inputs.label(kind, name)
