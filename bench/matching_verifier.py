"""An independent check of a round's plan: the hard rules and the objective, in plain numpy, without the solver's code."""

from __future__ import annotations

from typing import Any

import numpy as np

BASE = np.array([0, 10_000, 20_000, 40_000, 80_000], np.int64)
"""for each helper, by priority"""
TRAVEL = 5.0
"""minutes for a kilometre, door to door"""


def verify(given: dict[str, Any], need: Any, option: Any, provider: Any) -> dict[str, Any]:
    """The objective, the errors by name, and figures. `ok` if there are none."""
    need, option, provider = np.asarray(need), np.asarray(option), np.asarray(provider)
    errors: list[tuple[str, int]] = []

    def wrong(name: str, count: int) -> None:
        if count:
            errors.append((name, count))

    helpers = np.bincount(need, minlength=len(given["n_q"]))
    served = helpers > 0
    wrong("helpers", int((helpers[served] != given["n_q"][served]).sum()))
    if len(np.unique(need.astype(np.int64) * 10**7 + provider)) != len(need):
        errors.append(("dup provider", 0))
    start = given["n_opt"][need, option]
    end = start + given["n_dur"][need]
    wrong("option", int((start < 0).sum()))
    far = np.hypot(*(given["n_xy"][need] - given["v_xy"][provider]).T)
    wrong("skill/radius/gender", int(_unfit(given, need, provider, far).sum()))
    if (np.bincount(provider, minlength=len(given["v_W"])) > given["v_W"]).any():
        errors.append(("weekly cap", 0))
    wrong("outside window", _outside(given, provider, start, end))
    wrong("time conflict", _conflicts(given, need, provider, start, end) + _crowds(given, provider, start, end))
    score = np.array([_quality(given, *one) for one in zip(need, option, provider, far, strict=True)], np.int64)
    rate = [
        round(float(served[given["n_prio"] == p].mean()), 4) if (given["n_prio"] == p).any() else 1.0
        for p in range(1, 5)
    ]
    districts = [float(served[given["n_dist"] == d].mean()) for d in np.unique(given["n_dist"])]
    again = given["n_prev"][need] == provider
    return {
        "obj": int((BASE[given["n_prio"][need]] + score).sum()),
        "ok": not errors,
        "err": errors,
        "coverage": float(served.mean()) if len(served) else 1.0,
        "cov_by_prio": rate,
        "min_district": round(min(districts, default=1.0), 4),
        "mean_km": round(float(far.mean()), 3) if len(far) else 0.0,
        "within_15min_walk": round(float((far <= 1.2).mean()), 3) if len(far) else 0.0,
        "continuity": round(float(again.sum() / max(1, (given["n_prev"] >= 0).sum())), 3),
        "mean_quality": round(float(score.mean()), 1) if len(score) else 0.0,
    }


def _unfit(given: dict[str, Any], need: Any, provider: Any, far: Any) -> Any:
    category, gender, theirs = given["n_cat"][need], given["n_gpref"][need], given["v_gen"][provider]
    bad = far > given["v_rad"][provider] + 1e-9
    bad |= ~given["v_skill"][provider, category]
    bad |= given["n_cert"][need] & ~given["v_cert"][provider, category]
    bad |= given["n_ghard"][need] & (gender != 0) & (theirs != 0) & (gender != theirs)
    return bad | (given["n_lang"][need] == 3) & (given["v_lang"][provider] != 3)


def _outside(given: dict[str, Any], provider: Any, start: Any, end: Any) -> int:
    """Tasks that no window of their provider holds."""
    order = np.argsort(given["w_v"], kind="stable")
    begin = np.searchsorted(given["w_v"][order], np.arange(len(given["v_W"]) + 1))
    count = 0
    for who, a, b in zip(provider, start, end, strict=True):
        windows = order[begin[who] : begin[who + 1]]
        count += not ((given["w_s"][windows] <= a) & (given["w_e"][windows] >= b)).any()
    return count


def _conflicts(given: dict[str, Any], need: Any, provider: Any, start: Any, end: Any) -> int:
    """Successive tasks of one person without the time for the way between them."""
    order = np.lexsort((start, provider))
    x, y = order[:-1], order[1:]
    way = given["n_xy"][need[x]] - given["n_xy"][need[y]]
    short = start[y] - end[x] < TRAVEL * np.hypot(way[:, 0], way[:, 1])
    return int((short & (provider[x] == provider[y]) & (given["v_cap"][provider[x]] == 1)).sum())


def _crowds(given: dict[str, Any], provider: Any, start: Any, end: Any) -> int:
    """Of few tasks: teams with too many at one time; of many: moments at which a team has too many."""
    team = np.flatnonzero(given["v_cap"][provider] > 1)
    who = np.r_[provider[team], provider[team]]
    at = np.r_[end[team], start[team]]
    step = np.r_[-np.ones(len(team)), np.ones(len(team))]
    order = np.lexsort((step, at, who))
    over = np.cumsum(step[order]) > given["v_cap"][who[order]]
    return int(over.sum()) if len(provider) >= 50_000 else len(np.unique(who[order][over]))


def _quality(given: dict[str, Any], need: int, option: int, provider: int, far: float) -> int:
    category, gender, theirs = given["n_cat"][need], given["n_gpref"][need], given["v_gen"][provider]
    score = 3500.0 * max(0.0, 1.0 - far / given["v_rad"][provider]) + 800.0 * given["v_rel"][provider]
    score += 1500.0 if given["v_cert"][provider, category] else 0.0
    score += 2500.0 if given["n_prev"][need] == provider else 0.0
    score += 800.0 if gender == 0 or theirs == 0 or gender == theirs else 0.0
    score += 500.0 if given["n_lang"][need] == 0 or given["n_lang"][need] == given["v_lang"][provider] else 0.0
    return int(score + (400.0, 200.0)[option] if option < 2 else score)
