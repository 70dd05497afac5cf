"""The tables of states: what is over stays over, and every state is reached."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.exchange.rounds import rules
from models.exchange.rounds.states import (
    PROPOSAL_STEPS,
    ROUND_STEPS,
    UNDER_WAY,
    MatchProposalStatus,
    MatchRoundStatus,
)
from models.problems import InvalidTransition

TABLES: list[tuple[dict[Any, Any], Any, Any]] = [
    (ROUND_STEPS, MatchRoundStatus, MatchRoundStatus.QUEUED),
    (PROPOSAL_STEPS, MatchProposalStatus, MatchProposalStatus.OPEN),
]


@pytest.mark.parametrize(("steps", "states", "first"), TABLES)
def test_every_state_is_reached_from_the_first(steps: Any, states: Any, first: Any) -> None:
    reached = {first}
    for _ in states:
        reached |= {after for (_, before), after in steps.items() if before in reached}
    assert reached == set(states)


def test_what_is_over_stays_over() -> None:
    assert {before for _, before in PROPOSAL_STEPS} == {MatchProposalStatus.OPEN}
    assert {before for _, before in ROUND_STEPS} == {*UNDER_WAY, MatchRoundStatus.READY}


@given(st.lists(st.sampled_from(sorted({name for name, _ in ROUND_STEPS})), max_size=12))
def test_a_round_comes_to_one_end(steps: list[str]) -> None:
    status, ended = MatchRoundStatus.QUEUED, 0
    for name in steps:
        try:
            status = rules.step(ROUND_STEPS, name, status)
        except InvalidTransition:
            continue
        ended += status in (MatchRoundStatus.CLOSED, MatchRoundStatus.CANCELLED, MatchRoundStatus.FAILED)
    assert ended <= 1
