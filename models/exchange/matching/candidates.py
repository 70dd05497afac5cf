"""Who could serve what: every pair that the hard rules allow, with its value.

An option is looked up among the windows of its quarter day, of its category, by distance: the city's three hundred
thousand needs meet some tens of millions of pairs in half a minute, one process, no index kept.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from models.exchange.matching.instance import SIGN, Bools, Floats, Instance, Ints

SLOT = 360
"""minutes: how finely windows are sorted before distances are looked at"""
RADII = (1.25, 2.0, 3.0, 5.0, 10.0, 1000.0)
"""km: providers are searched by the next larger of these"""
LARGE = 30_000
"""options: from here on only some candidates of each are kept"""
KEPT = (32, 32)
"""the best, and as many others by chance: with the best alone everybody wants the same few"""
PAIRS = 4_000_000
"""Distances looked at in one go: what bounds the memory."""
FEW = 64
"""options: categories of which there are fewer at one time are looked for together"""
LOOKED_AT = (256, 256)
"""of an option's pairs those that are valued in large rounds: the nearest, others by chance, and whoever came before"""
HELD = 500_000
"""Pairs whose provider has live commitments, looked at in one go."""


@dataclass(frozen=True, eq=False, slots=True)
class Candidates:
    """Edges by row; a row is an option of a need: `need * K + option`. Within a row the best first, no provider twice."""

    begin: Ints
    """(N * K + 1) where the edges of a row begin"""
    provider: Ints
    window: Ints
    """the one that holds the task"""
    quality: Ints
    """0..10000 with the usual weights"""

    def rows(self) -> Ints:
        """(E) the row of each edge."""
        rows: Ints = np.repeat(np.arange(len(self.begin) - 1), np.diff(self.begin))
        return rows


@functools.lru_cache(maxsize=1)
def candidates(instance: Instance) -> Candidates:
    """All pairs of an option and a provider that may be chosen alone; in large rounds those of `KEPT` for each option.

    Caps and conflicts between tasks are no concern of theirs; live commitments are.
    """
    rows, windows, value = _pairs(instance, sparse=instance.needs.options.size > LARGE)
    count = instance.needs.options.size
    order = np.argsort(rows, kind="stable")
    begin = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=count), out=begin[1:])
    windows = windows[order]
    return Candidates(begin, instance.windows.provider[windows].astype(np.int32), windows, value[order])


def distance(instance: Instance, need: Ints, provider: Ints) -> Floats:
    """km"""
    gap = instance.needs.xy[need] - instance.providers.xy[provider]
    km: Floats = np.hypot(gap[:, 0], gap[:, 1])
    return km


def quality(instance: Instance, need: Ints, option: Ints, provider: Ints) -> Ints:
    """The score of each (need, option, provider) without the base: the terms in one order, cut to an integer."""
    if instance.worth is not None:
        known: Ints = instance.worth[need, provider]
        return known
    needs, providers, weights = instance.needs, instance.providers, instance.weights
    category, gender = needs.category[need], needs.gender[need]
    with np.errstate(divide="ignore", invalid="ignore"):
        near = np.maximum(0.0, 1.0 - distance(instance, need, provider) / providers.scale[provider])
    time = np.zeros(max(needs.options.shape[1], len(weights.time)) + 1)
    time[: len(weights.time)] = weights.time
    theirs = providers.gender[provider]
    suits = (gender == 0) | (theirs == 0) | (gender == theirs)
    speaks = (needs.language[need] == 0) | (needs.language[need] == providers.language[provider])
    total = weights.proximity * near + weights.reliability * providers.reliability[provider]
    total += weights.certificate * providers.certificate[provider, category].astype(float)
    total += weights.continuity * again(instance, need, provider)
    total += weights.gender * suits
    total += weights.language * speaks
    total += time[option]
    whole: Ints = total.astype(np.int64)
    return whole


def again(instance: Instance, need: Ints, provider: Ints) -> Bools:
    """Whether it was each provider that came last time."""
    same: Bools = (instance.needs.previous[need] == instance.providers.identity[provider, None]).any(1)
    return same


def allowed(instance: Instance, need: Ints, provider: Ints) -> Bools:
    """Whether the hard rules beside time let each pair meet, but for refusals."""
    needs, providers = instance.needs, instance.providers
    category = needs.category[need]
    gender, theirs = needs.gender[need], providers.gender[provider]
    far = distance(instance, need, provider)
    fits = (far <= providers.radius[provider] + 1e-9) & inside(instance, need, provider)
    fits &= providers.skill[provider, category]
    fits &= ~needs.certificate[need].astype(bool) | providers.certificate[provider, category]
    fits &= ~needs.gender_hard[need].astype(bool) | (gender == 0) | (theirs == 0) | (gender == theirs)
    fits &= (needs.language[need] != SIGN) | (providers.language[provider] == SIGN)
    return fits


def inside(instance: Instance, need: Ints, provider: Ints) -> Bools:
    """Whether each need lies within what bounds each provider."""
    bounds = instance.bounds
    if bounds is None:
        return np.ones(len(need), bool)
    found: Bools = bounds.serves[bounds.group[provider], bounds.sort[need]]
    return found


@functools.lru_cache(maxsize=1)
def _refusals(instance: Instance) -> Ints:
    """The refused pairs as sorted numbers: a city has some hundred thousand, and is asked of them thousands of times."""
    keys: Ints = np.unique(instance.refused[:, 0].astype(np.int64) * instance.size[1] + instance.refused[:, 1])
    return keys


def refused(instance: Instance, need: Ints, provider: Ints) -> Bools:
    """Which of the pairs were refused."""
    keys = _refusals(instance)
    if not len(keys):
        return np.zeros(len(need), bool)
    pair = need.astype(np.int64) * instance.size[1] + provider
    found: Bools = keys[np.minimum(np.searchsorted(keys, pair), len(keys) - 1)] == pair
    return found


@functools.lru_cache(maxsize=1)
def live(instance: Instance) -> tuple[Ints, Ints]:
    """Live commitments by provider: those of `p` are `order[begin[p] : begin[p + 1]]`. Returns begin, order."""
    order = np.argsort(instance.busy.provider, kind="stable")
    return np.searchsorted(instance.busy.provider[order], np.arange(instance.size[1] + 1)), order


def _pairs(instance: Instance, *, sparse: bool) -> tuple[Ints, Ints, Ints]:
    """Rows, windows and qualities: the hard rules hold, nothing live is in the way. Whole rows, the best first."""
    found = [(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int32))]
    options = max(1, instance.needs.options.shape[1])
    for rows, windows, far in _near(instance):
        need, provider = rows // options, instance.windows.provider[windows]
        left = np.flatnonzero(allowed(instance, need, provider))
        left = left[~refused(instance, need[left], provider[left])]
        left = left[~_occupied(instance, rows[left], need[left], provider[left])]
        if sparse:
            left = left[np.lexsort((far[left], rows[left]))]
            keep = _some(rows[left], provider[left], LOOKED_AT, 31)
            left = left[keep | again(instance, need[left], provider[left])]
        rows, windows, need, provider = rows[left], windows[left], need[left], provider[left]
        value = quality(instance, need, rows % options, provider)
        order = np.lexsort((provider, -value, rows))
        rows, windows, provider, value = rows[order], windows[order], provider[order], value[order]
        keep = np.ones(len(rows), bool)
        keep[1:] = (rows[1:] != rows[:-1]) | (provider[1:] != provider[:-1])
        if sparse:
            keep &= _some(rows, provider, KEPT, 1)
        found.append((rows[keep].astype(np.int32), windows[keep].astype(np.int32), value[keep].astype(np.int32)))
    rows, windows, value = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return rows, windows, value


def _some(rows: Ints, provider: Ints, most: tuple[int, int], draw: int) -> Bools:
    """Of each row's pairs, which stand together, the first so many, and as many others by chance. `draw`: which lot."""
    first = np.ones(len(rows), bool)
    first[1:] = rows[1:] != rows[:-1]
    begin = np.flatnonzero(first)
    size = np.diff(np.r_[begin, len(rows)])
    place = np.arange(len(rows)) - np.repeat(begin, size)
    chance = (rows * 2_654_435_761 + provider * 40_503_001 * draw) % 65_521 / 65_521
    taken: Bools = (place < most[0]) | (chance * (np.repeat(size, size) - most[0]) < most[1])
    return taken


def _occupied(instance: Instance, rows: Ints, need: Ints, provider: Ints) -> Bools:
    """Which pairs a live commitment forbids: one person cannot be at both, a team has no place left."""
    busy, parallel = instance.busy, instance.providers.parallel
    begin, order = live(instance)
    taken = np.zeros(len(rows), bool)
    start = instance.needs.options.ravel()[rows]
    end = start + instance.needs.duration[need]
    held = np.flatnonzero(begin[provider + 1] > begin[provider])
    for k in range(0, len(held), HELD):
        some = held[k : k + HELD]
        at, place = _slots(begin[provider[some]], begin[provider[some] + 1] - 1)
        edge, other = some[at], order[place]
        alone = parallel[provider[edge]] == 1
        gap = np.maximum(start[edge] - busy.end[other], busy.start[other] - end[edge])
        way = instance.needs.xy[need[edge]] - busy.xy[other]
        taken[edge[alone & (gap < instance.travel * np.hypot(way[:, 0], way[:, 1]))]] = True
        beside = ~alone & (gap < 0)
        crowd = np.bincount(at[beside], minlength=len(some))
        for full in some[(parallel[provider[some]] > 1) & (crowd >= parallel[provider[some]])]:
            its = order[begin[provider[full]] : begin[provider[full] + 1]]
            its = its[(busy.start[its] < end[full]) & (busy.end[its] > start[full])]
            moments = np.maximum(busy.start[its], start[full])
            during = (busy.start[its][None, :] <= moments[:, None]) & (moments[:, None] < busy.end[its][None, :])
            taken[full] = during.sum(1).max() >= parallel[provider[full]]
    return taken


def _near(instance: Instance) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Rows and windows within the larger radius whose times fit, of needs that somebody could be sent to, and how far it
    is: some at a time."""
    needs, providers, windows = instance.needs, instance.providers, instance.windows
    if not needs.options.size or not len(windows.provider):
        return
    options = needs.options.shape[1]
    start = needs.options.ravel().astype(np.int64)
    need = np.repeat(np.arange(len(needs.quantity)), options)
    rows = np.flatnonzero((start >= 0) & (needs.quantity[need] > 0))
    who = windows.provider
    usable = np.flatnonzero(
        (windows.end > windows.start)
        & (providers.radius[who] > 0)
        & (providers.weekly_cap[who] > 0)
        & (providers.parallel[who] > 0)
    )
    radius = providers.radius[who[usable]] + 1e-9
    bucket = np.searchsorted(np.array(RADII), radius)
    at_slot, slot = _slots(windows.start[usable] // SLOT, (windows.end[usable] - 1) // SLOT)
    table: dict[tuple[int, int], Ints] = {}
    order = np.lexsort((bucket[at_slot], slot))
    keys = slot[order] * (len(RADII) + 1) + bucket[at_slot][order]
    cuts = np.flatnonzero(np.diff(keys)) + 1
    for part in np.split(order, cuts):
        if len(part):
            table[int(slot[part[0]]), int(bucket[at_slot][part[0]])] = usable[at_slot[part]]
    group = start[rows] // SLOT * 1_000_000 + needs.category[need[rows]]
    rows = rows[np.argsort(group, kind="stable")]
    group = start[rows] // SLOT * 1_000_000 + needs.category[need[rows]]
    for asked in np.split(rows, _cuts(group)):
        if not len(asked):
            continue
        wanted, at = np.unique(needs.category[need[asked]]), int(start[asked[0]] // SLOT)
        step = max(1, PAIRS // max(1, sum(len(table.get((at, b), who[:0])) for b in range(len(RADII) + 1))))
        for k in range(0, len(asked), step):
            parts = [(asked[:0], who[:0], radius[:0])]
            for b in range(len(RADII) + 1):
                there = table.get((at, b), usable[:0])
                there = there[providers.skill[np.ix_(who[there], wanted)].any(1)]
                if len(there):
                    reach = float(providers.radius[who[there]].max()) + 1e-6
                    parts.append(_within(instance, asked[k : k + step], there, start, need, reach))
            found, there, far = (np.concatenate(of) for of in zip(*parts, strict=True))
            yield found, there, far


def _cuts(group: Ints) -> Ints:
    """Where sorted groups are parted: each category of a slot by itself, but small ones that are neighbours together."""
    cuts: list[int] = []
    for at in (np.flatnonzero(np.diff(group)) + 1).tolist():
        if at - (cuts[-1] if cuts else 0) >= FEW or group[at] // 1_000_000 != group[at - 1] // 1_000_000:
            cuts.append(at)
    return np.array(cuts, np.int64)


def _within(
    instance: Instance, rows: Ints, windows: Ints, start: Ints, need: Ints, reach: float
) -> tuple[Ints, Ints, Floats]:
    needs, given = instance.needs, instance.windows
    tree = cKDTree(instance.providers.xy[given.provider[windows]])
    close = cKDTree(needs.xy[need[rows]]).sparse_distance_matrix(tree, reach, output_type="ndarray")
    row, window = rows[close["i"]], windows[close["j"]]
    begin = start[row]
    holds = (given.start[window] <= begin) & (given.end[window] >= begin + needs.duration[need[row]])
    return row[holds], window[holds], close["v"][holds]


def _slots(first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Each index as often as it has slots from first to last, and the slots."""
    count = (last - first + 1).astype(np.int64)
    index = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(index)) - np.repeat(np.cumsum(count) - count, count)
    return index, first[index] + within
