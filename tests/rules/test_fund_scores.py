"""The reasons for which a fund's people see one need before another, as points and as words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.funds.eligibility import BORNE, DAY, MOST_DAYS, URGENT, Asked, FundTerm, points, sentence

T = FundTerm


@pytest.mark.parametrize(
    ("asked", "scored", "said"),
    [
        (
            Asked(4, timedelta(days=12, hours=23), 120_000, 500_000),
            {T.URGENCY: 4500, T.WAITING: 600, T.AMOUNT: 1000},
            "符合资助条件 · 紧急程度4级 +4500 · 已等候12天 +600 · 基金可承担 +1000",
        ),
        (
            Asked(1, timedelta(hours=23), 300_000, 100_000),
            {T.URGENCY: 0, T.WAITING: 0, T.AMOUNT: 333},
            "符合资助条件 · 基金可承担一部分 +333",
        ),
        (
            Asked(2, timedelta(days=400), 100, 0),
            {T.URGENCY: 1500, T.WAITING: 3000, T.AMOUNT: 0},
            "符合资助条件 · 紧急程度2级 +1500 · 已等候400天 +3000",
        ),
        (
            Asked(1, timedelta(0), 0, 0),
            {T.URGENCY: 0, T.WAITING: 0, T.AMOUNT: 1000},
            "符合资助条件 · 基金可承担 +1000",
        ),
    ],
)
def test_points_and_words(asked: Asked, scored: dict[FundTerm, int], said: str) -> None:
    assert points(asked) == scored
    assert sentence(asked) == said


FEN = st.integers(0, 10**12)


@given(st.integers(1, 4), st.integers(0, 10**6), FEN, FEN)
def test_a_score_is_bounded_and_only_rises_with_urgency_and_waiting(
    u: int, hours: int, planned: int, balance: int
) -> None:
    one = points(Asked(u, timedelta(hours=hours), planned, balance))
    assert all(n >= 0 for n in one.values())
    assert one[T.URGENCY] <= 3 * URGENT and one[T.WAITING] <= MOST_DAYS * DAY and one[T.AMOUNT] <= BORNE
    later = points(Asked(u, timedelta(hours=hours + 24), planned, balance))
    assert later[T.WAITING] >= one[T.WAITING] and later[T.AMOUNT] == one[T.AMOUNT]
    richer = points(Asked(u, timedelta(hours=hours), planned, balance + 1))
    assert richer[T.AMOUNT] >= one[T.AMOUNT]
