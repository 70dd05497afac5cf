"""What large rounds reckon at once is what one pair after the other says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.matching import instance_of
from models.exchange.matching import Instance, Reason, solve, why_open
from models.exchange.matching import candidates as looked
from models.exchange.matching.candidates import again, allowed, candidates, distance, inside, refused
from models.exchange.matching.instance import SIGN, Busy
from tests.matching.make import arrays

SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed: int, needs: int = 12, people: int = 8) -> Instance:
    """A round with live commitments and refusals."""
    r = np.random.default_rng(seed)
    start = 480 + 30 * r.integers(0, 8, 10)
    busy = Busy(r.integers(0, people, 10), start, start + 60, r.integers(0, 4, (10, 2)) * 0.5)
    apart = np.unique(r.integers(0, (needs, people), (6, 2)), axis=0)
    return replace(instance_of(arrays(seed, needs, people)), busy=busy, refused=apart)


def stands_in_the_way(instance: Instance, need: int, start: int, who: int) -> bool:
    """Whether a live commitment forbids a task, minute by minute."""
    busy, end = instance.busy, start + int(instance.needs.duration[need])
    its = [k for k in range(len(busy.provider)) if busy.provider[k] == who]
    if instance.providers.parallel[who] == 1:
        for k in its:
            way = float(np.hypot(*(instance.needs.xy[need] - busy.xy[k])))
            if max(start - busy.end[k], busy.start[k] - end) < instance.travel * way:
                return True
            if max(start, busy.start[k]) < min(end, busy.end[k]):
                return True
        return False
    most = max(sum(busy.start[k] <= minute < busy.end[k] for k in its) for minute in range(start, end))
    return most >= int(instance.providers.parallel[who])


def one_by_one(instance: Instance) -> set[tuple[int, int]]:
    """(row, provider) of all that may be chosen alone."""
    found = set()
    needs, options = instance.needs, instance.needs.options.shape[1]
    bars = {(int(n), int(p)) for n, p in instance.refused}
    for n in range(instance.size[0]):
        for o in range(options):
            start = int(needs.options[n, o])
            for p in range(instance.size[1]):
                end = start + int(needs.duration[n])
                held = any(
                    instance.windows.start[w] <= start and end <= instance.windows.end[w]
                    for w in np.flatnonzero(instance.windows.provider == p)
                )
                able = instance.providers.weekly_cap[p] > 0 and needs.quantity[n] > 0 and start >= 0 and held
                if not able or (n, p) in bars or not allowed(instance, np.array([n]), np.array([p]))[0]:
                    continue
                if not stands_in_the_way(instance, n, start, p):
                    found.add((n * options + o, p))
    return found


@pytest.mark.parametrize("few", [1, 64, 10**6])
@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_every_pair_that_may_be_and_no_other(few: int, seed: int) -> None:
    """However small categories are looked for together."""
    instance = drawn(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looked, "FEW", few)
        given_ = candidates(instance)
    assert set(zip(given_.rows().tolist(), given_.provider.tolist(), strict=True)) == one_by_one(instance)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_of_a_large_round_each_option_keeps_some_of_its_own(seed: int) -> None:
    """However many are near to its neighbours: the nearest of those who may, and whoever came before."""
    instance = drawn(seed, people=20)
    options = instance.needs.options.shape[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looked, "LARGE", 0)
        patch.setattr(looked, "LOOKED_AT", (2, 1))
        patch.setattr(looked, "FEW", 10**6)
        thin = candidates(instance)
    kept = set(zip(thin.rows().tolist(), thin.provider.tolist(), strict=True))
    may = one_by_one(instance)
    assert kept <= may
    for row in {row for row, _ in may}:
        need = row // options
        its = np.array(sorted(p for r, p in may if r == row))
        far = distance(instance, np.full(len(its), need), its)
        mine = {p for r, p in kept if r == row}
        assert len(mine) >= min(2, len(its))
        assert set(its[far < np.sort(far)[:2][-1]].tolist()) <= mine
        assert set(its[again(instance, np.full(len(its), need), its)].tolist()) <= mine


def reason(instance: Instance, need: int) -> Reason:
    """The first rule that leaves nobody, asked of everybody."""
    providers, people = instance.providers, np.arange(instance.size[1])
    same, needs = np.full(len(people), need), instance.needs
    category, wish = needs.category[need], needs.gender[need]
    left = (distance(instance, same, people) <= providers.radius + 1e-9) & inside(instance, same, people)
    rules = {
        Reason.NOBODY_IN_REACH: left & (providers.radius > 0),
        Reason.NO_SKILL: providers.skill[:, category],
        Reason.NO_CERTIFICATE: providers.certificate[:, category] | ~needs.certificate[need].astype(bool),
        Reason.GENDER: (providers.gender == wish) | (providers.gender == 0) | (wish == 0) | ~needs.gender_hard[need],
        Reason.LANGUAGE: (providers.language == SIGN) | (needs.language[need] != SIGN),
        Reason.REFUSED: ~refused(instance, same, people),
        Reason.ALL_TAKEN: (providers.weekly_cap > 0) & (providers.parallel > 0),
    }
    for name, rule in rules.items():
        left = left & rule
        if not left.any():
            return name
    return Reason.NO_TIME


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_reasons_are_those_that_everybody_asked_would_give(seed: int) -> None:
    instance = drawn(seed)
    able = np.diff(candidates(instance).begin).reshape(instance.needs.options.shape).max(axis=1)
    told = why_open(instance, solve(instance, seconds=1))
    for need, why in told.items():
        if able[need] == 0:
            assert why is reason(instance, need)
        else:
            assert why in (Reason.TOO_FEW, Reason.ALL_TAKEN)
