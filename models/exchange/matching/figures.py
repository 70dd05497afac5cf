"""What a plan does, in figures; what a helper's score is made of; why a need stays open."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial import cKDTree

from models.exchange.matching.assignment import Assignment, Figures, Reason
from models.exchange.matching.candidates import RADII, again, candidates, distance, inside, quality, refused
from models.exchange.matching.instance import SIGN, Instance, Ints

WALK = 1.2
"""km in a quarter of an hour"""
CHUNK = 2_000_000
"""Pairs of a need and a provider that are looked at in one go."""
RULES = (Reason.NO_SKILL, Reason.NO_CERTIFICATE, Reason.GENDER, Reason.LANGUAGE, Reason.REFUSED, Reason.ALL_TAKEN)
"""In the order in which they are asked, of who is in reach."""


def figures(instance: Instance, assignment: Assignment) -> Figures:
    """Coverage by tier and district, distance, continuity, load."""
    needs, (count, people) = instance.needs, instance.size
    need, provider = assignment.need, assignment.provider
    served = np.zeros(count, bool)
    served[need] = True
    far = distance(instance, need, provider)
    known = int((needs.previous >= 0).any(1).sum())
    kept = len(np.unique(need[again(instance, need, provider)]))
    districts = {int(d): float(served[needs.district == d].mean()) for d in np.unique(needs.district)}
    score = quality(instance, need, assignment.option, provider)
    tasks = len(need)
    return Figures(
        needs=count,
        served=int(served.sum()),
        helpers=tasks,
        wanted=int(needs.quantity.sum()),
        coverage={int(p): float(served[needs.priority == p].mean()) for p in np.unique(needs.priority)},
        coverage_by_district=districts,
        worst_district=min(districts.values(), default=1.0),
        mean_km=float(far.mean()) if tasks else 0.0,
        walkable=float((far <= WALK).mean()) if tasks else 0.0,
        continuity=kept / known if known else 0.0,
        mean_quality=float(score.mean()) if tasks else 0.0,
        load=np.bincount(provider, minlength=people),
    )


def terms(instance: Instance, need: int, option: int, provider: int) -> dict[str, int]:
    """The score of one pair, term by term; they add up to its quality."""
    one = terms_of(instance, np.array([need]), np.array([option]), np.array([provider]))
    return {name: int(values[0]) for name, values in one.items()}


def terms_of(instance: Instance, need: Ints, option: Ints, provider: Ints) -> dict[str, Ints]:
    """The same for many pairs. Proximity takes what rounding leaves."""
    needs, providers, weights = instance.needs, instance.providers, instance.weights
    gender, theirs = needs.gender[need], providers.gender[provider]
    language = needs.language[need]
    time = np.zeros(max(needs.options.shape[1], len(weights.time)) + 1, np.int64)
    time[: len(weights.time)] = weights.time
    suits = (gender == 0) | (theirs == 0) | (gender == theirs)
    speaks = (language == 0) | (language == providers.language[provider])
    found: dict[str, Ints] = {
        "continuity": weights.continuity * again(instance, need, provider).astype(np.int64),
        "certificate": weights.certificate * providers.certificate[provider, needs.category[need]].astype(np.int64),
        "reliability": (weights.reliability * providers.reliability[provider]).astype(np.int64),
        "gender": weights.gender * suits.astype(np.int64),
        "language": weights.language * speaks.astype(np.int64),
        "time": time[option],
    }
    rest = quality(instance, need, option, provider) - sum(found.values())
    return {"proximity": rest, **found}


def why_open(instance: Instance, assignment: Assignment) -> dict[int, Reason]:
    """For each need that is not served and wants somebody: the first hard rule that leaves nobody, or too few."""
    needs = instance.needs
    served = np.zeros(instance.size[0], bool)
    served[assignment.need] = True
    open_ = np.flatnonzero(~served & (needs.quantity > 0))
    able = _able(instance)
    found = _first(instance, open_[able[open_] == 0])
    found |= {int(n): Reason.TOO_FEW for n in open_[(able[open_] > 0) & (able[open_] < needs.quantity[open_])]}
    found |= {int(n): Reason.ALL_TAKEN for n in open_[able[open_] >= needs.quantity[open_]]}
    return dict(sorted(found.items()))


def _able(instance: Instance) -> Ints:
    """(N) how many could come at the best option, were they free."""
    if not instance.needs.options.size:
        return np.zeros(instance.size[0], np.int64)
    rows = np.diff(candidates(instance).begin).reshape(instance.needs.options.shape)
    most: Ints = rows.max(axis=1)
    return most


def _first(instance: Instance, part: Ints) -> dict[int, Reason]:
    """The first rule after which nobody is left for each of the needs, of which nobody can serve any."""
    needs, providers = instance.needs, instance.providers
    left = {reason: np.zeros(instance.size[0], bool) for reason in RULES}  # whether somebody is, after each
    for category in np.unique(needs.category[part]):
        mine = part[needs.category[part] == category]
        for need, provider in _reached(instance, mine, np.flatnonzero(providers.skill[:, category])):
            gender, theirs = needs.gender[need], providers.gender[provider]
            fits = np.ones(len(need), bool)
            rules = {
                Reason.NO_SKILL: fits,
                Reason.NO_CERTIFICATE: ~needs.certificate[need].astype(bool)
                | providers.certificate[provider, category],
                Reason.GENDER: ~needs.gender_hard[need].astype(bool)
                | (gender == 0)
                | (theirs == 0)
                | (gender == theirs),
                Reason.LANGUAGE: (needs.language[need] != SIGN) | (providers.language[provider] == SIGN),
                Reason.REFUSED: ~refused(instance, need, provider),
                Reason.ALL_TAKEN: (providers.weekly_cap[provider] > 0) & (providers.parallel[provider] > 0),
            }
            for reason in RULES:
                fits = fits & rules[reason]
                left[reason][need[fits]] = True
    found: dict[int, Reason] = {}
    for reason, somebody in left.items():
        found |= {int(n): reason for n in part[~somebody[part]] if int(n) not in found}
    unskilled = np.array([n for n, reason in found.items() if reason is Reason.NO_SKILL], np.int64)
    found |= dict.fromkeys(_far(instance, unskilled), Reason.NOBODY_IN_REACH)
    return {int(n): found.get(int(n), Reason.NO_TIME) for n in part}


def _reached(instance: Instance, part: Ints, able: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Pairs of a need and a provider who goes there, some at a time."""
    needs, providers = instance.needs, instance.providers
    bucket = np.searchsorted(np.array(RADII), providers.radius[able])
    for b in np.unique(bucket):
        some = able[(bucket == b) & (providers.radius[able] > 0)]
        if not len(some):
            continue
        tree, reach = cKDTree(providers.xy[some]), float(providers.radius[some].max()) + 1e-6
        step = max(1, CHUNK // len(some))
        for k in range(0, len(part), step):
            close = cKDTree(needs.xy[part[k : k + step]]).sparse_distance_matrix(tree, reach, output_type="ndarray")
            need, provider = part[k : k + step][close["i"]], some[close["j"]]
            goes = distance(instance, need, provider) <= providers.radius[provider] + 1e-9
            goes &= inside(instance, need, provider)
            yield need[goes], provider[goes]


def _far(instance: Instance, part: Ints) -> list[int]:
    """Those that nobody goes to. Needs of one place and sort are asked for once."""
    if not len(part):
        return []
    sort = np.zeros(len(part)) if instance.bounds is None else instance.bounds.sort[part]
    _, first, same = np.unique(np.c_[instance.needs.xy[part], sort], axis=0, return_index=True, return_inverse=True)
    near = np.zeros(instance.size[0], bool)
    for need, _ in _reached(instance, part[first], np.arange(instance.size[1])):
        near[need] = True
    return [int(n) for n in part[~near[part[first]][same.ravel()]]]
