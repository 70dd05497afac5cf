"""Small rounds, drawn at random, and the best plan of a tiny one by trying everything."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from bench.matching import instance_of
from bench.matching_verifier import verify
from models.exchange.matching import Instance, solve


def arrays(seed: int, needs: int, people: int) -> dict[str, Any]:
    """The generator's columns, dense: everybody is near, times collide, some are teams, some needs want two."""
    r = np.random.default_rng(seed)
    given: dict[str, Any] = {
        "n_xy": r.integers(0, 4, (needs, 2)) * 0.5,
        "n_dist": r.integers(0, 2, needs),
        "n_cat": r.integers(0, 2, needs),
        "n_cert": r.random(needs) < 0.2,
        "n_prio": r.integers(1, 5, needs),
        "n_q": r.choice([1, 1, 2], needs),
        "n_gpref": r.integers(0, 3, needs),
        "n_ghard": r.random(needs) < 0.3,
        "n_lang": r.choice([0, 0, 1, 3], needs),
        "n_dur": r.choice([30, 60, 120], needs),
        "n_opt": 480 + 30 * r.integers(0, 5, (needs, 2)),
        "n_prev": r.integers(-1, people, needs),
        "v_xy": r.integers(0, 4, (people, 2)) * 0.5,
        "v_skill": r.random((people, 2)) < 0.8,
        "v_cert": r.random((people, 2)) < 0.5,
        "v_gen": r.integers(0, 3, people),
        "v_lang": r.choice([0, 1, 3], people),
        "v_rad": r.choice([1.0, 2.0, 6.0], people),
        "v_rel": r.random(people),
        "v_W": r.integers(0, 4, people),
        "v_cap": r.choice([1, 1, 2], people),
    }
    given["n_opt"][r.random(needs) < 0.5, 1] = -1
    given["w_v"] = np.arange(people)
    given["w_s"] = 480 + 30 * r.integers(0, 3, people)
    given["w_e"] = given["w_s"] + r.choice([60, 180, 240], people)
    return given


def tiny(seed: int, needs: int = 4, people: int = 3) -> tuple[dict[str, Any], Instance]:
    """One that can be tried out."""
    given = arrays(seed, needs, people)
    return given, instance_of(given)


def best_of_all(given: dict[str, Any]) -> int:
    """The best objective: each need with nobody, or at each option with each set of providers."""
    choices: list[list[list[tuple[int, int, int]]]] = []
    for n, want in enumerate(given["n_q"].tolist()):
        mine: list[list[tuple[int, int, int]]] = [[]]
        for o in np.flatnonzero(given["n_opt"][n] >= 0).tolist():
            for team in itertools.combinations(range(len(given["v_W"])), want):
                one = [(n, o, v) for v in team]
                if verify(given, *np.array(one).T)["ok"]:
                    mine.append(one)
        choices.append(mine)
    best = 0
    for plan in itertools.product(*choices):
        tasks = [task for part in plan for task in part]
        if tasks:
            found = verify(given, *np.array(tasks).T)
            if found["ok"]:
                best = max(best, found["obj"])
    return best


def as_good_as_can_be(given: dict[str, Any], instance: Instance) -> None:
    """Looks that a tiny round's plan breaks no rule and is worth as much as the best of all."""
    plan = solve(instance)
    found = verify(given, plan.need, plan.option, plan.provider)
    assert (found["ok"], found["obj"], plan.objective) == (True, best_of_all(given), found["obj"])


def emptied(instance: Instance, *, windows: bool = False, needs: bool = False) -> Instance:
    """Without windows, or without needs."""
    if windows:
        none = np.zeros(0, np.int64)
        instance = replace(instance, windows=type(instance.windows)(none, none, none))
    if needs:
        fields = instance.needs.__slots__
        instance = replace(instance, needs=type(instance.needs)(*(getattr(instance.needs, f)[:0] for f in fields)))
    return instance
