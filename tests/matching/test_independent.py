"""Rounds that are plain assignments: against trying everything, against the integer programme, against SciPy's own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from bench.matching import costs_of, instance_of, instance_of_costs, main
from bench.matching_verifier import verify
from models.exchange.matching import independent as of_independent
from models.exchange.matching import solve
from models.exchange.matching.candidates import candidates
from models.exchange.matching.exact import block
from models.exchange.matching.independent import independent
from models.exchange.matching.solver import gains
from tests.matching.make import arrays, as_good_as_can_be

SEEDS = st.integers(0, 10**6)


def drawn(seed: int, needs: int, people: int) -> dict[str, Any]:
    """Single helpers, who come once or are teams with room for all that they are given."""
    columns = arrays(seed, needs, people)
    columns["n_q"] = np.minimum(columns["n_q"], 1)
    columns["v_W"] = np.where(columns["v_cap"] > 1, np.minimum(columns["v_W"], columns["v_cap"]), columns["v_W"] > 0)
    return columns


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_the_plan_is_the_best_there_is(seed: int) -> None:
    columns = drawn(seed, 4, 3)
    instance = instance_of(columns)
    assert independent(instance, candidates(instance))
    as_good_as_can_be(columns, instance)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_it_is_worth_what_the_integer_programme_finds(seed: int) -> None:
    columns = drawn(seed, 40, 20)
    instance = instance_of(columns)
    given, none = candidates(instance), np.zeros(0, np.int64)
    gain = gains(instance, given)
    edges, proved = block(instance, given, gain, np.arange(40), none, 60.0)
    plan = solve(instance)
    assert edges is not None and proved
    assert plan.objective == gain[edges].sum()
    assert {stage.name for stage in plan.stages} == {"candidates", "assignment", "done"}
    assert verify(columns, plan.need, plan.option, plan.provider)["ok"]


def test_teams_with_room_for_everything_and_teams_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """A team with a place for each task, and one that has to choose; too many pairs of a task and a place, and it bids."""
    costs = np.random.default_rng(5).integers(0, 100, (30, 2))
    plain = instance_of_costs(costs)
    caps = np.array([40, 4])
    teams = replace(plain, providers=replace(plain.providers, weekly_cap=caps, parallel=caps))
    plan = solve(teams)
    by = np.bincount(plan.provider, minlength=2)
    gain = np.sort(costs[:, 0] - costs[:, 1])[-4:].clip(min=0).sum()  # the four that the second does cheaper
    assert len(plan.need) == 30 and by[1] <= 4
    assert costs[plan.need, plan.provider].sum() == costs[:, 0].sum() - gain
    given = candidates(teams)
    monkeypatch.setattr(of_independent, "ENTRIES", 30 + 4 * 30 - 1)
    assert not of_independent.independent(teams, given)
    monkeypatch.setattr(of_independent, "ENTRIES", 30 + 4 * 30)
    assert of_independent.independent(teams, given)


@pytest.mark.parametrize(
    "change",
    [{"n_q": 2}, {"v_W": 2, "v_cap": 1}, {"v_W": 3, "v_cap": 2}],
    ids=["two helpers", "comes twice", "a team with less room than tasks"],
)
def test_a_round_whose_tasks_can_collide_is_none(change: dict[str, int]) -> None:
    columns = drawn(1, 40, 20)
    for name, value in change.items():
        columns[name] = np.full_like(columns[name], value)
    instance = instance_of(columns)
    given = candidates(instance)
    assert len(given.provider) and not independent(instance, given)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 100, 10**6]))
def test_costs_come_to_the_least_sum(seed: int, tasks: int, people: int, most: int) -> None:
    costs = np.random.default_rng(seed).integers(0, most + 1, (tasks, people))
    plan = solve(instance_of_costs(costs))
    assert len(plan.need) == min(tasks, people) == len(set(plan.provider.tolist()))
    assert costs[plan.need, plan.provider].sum() == costs[linear_sum_assignment(costs)].sum()


def test_a_published_file_is_read_and_solved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As OR-Library writes them: the size, then rows that go on over several lines. 400 tasks are 160,000 pairs."""
    costs = np.random.default_rng(3).integers(1, 101, (400, 400))
    lines = "\n".join(" ".join(map(str, part)) for row in costs for part in np.array_split(row, 20))
    path = tmp_path / "assign.txt"
    path.write_text(f" 400\n{lines}\n", "ascii")
    assert main(["assign", str(path), str(tmp_path / "out.npz")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["cost"], told["tasks"]) == (costs[linear_sum_assignment(costs)].sum(), 400)


def test_a_file_that_lacks_costs_is_named(tmp_path: Path) -> None:
    path = tmp_path / "assign.txt"
    path.write_text("3\n1 2 3\n4 5 6\n", "ascii")
    with pytest.raises(ValueError, match="3 tasks need 9 costs, and there are 6"):
        costs_of(str(path))
