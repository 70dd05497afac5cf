"""A few needs at a time, exactly: an integer programme (HiGHS) over them, with everything else where it is.

Used for whole small rounds and to polish blocks of neighbours. Conflicts are stated as cliques: all tasks of a person that
are under way at the start of one of them; pairs that only the way between them forbids are stated one by one.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix

from models.exchange.matching.candidates import Candidates, live
from models.exchange.matching.instance import Bools, Instance, Ints


class Programme:
    """Rows of one: coefficients, and an upper bound for each."""

    def __init__(self) -> None:
        self.row: list[Ints] = []
        self.column: list[Ints] = []
        self.value: list[Ints] = []
        self.upper: list[float] = []

    def at_most(self, columns: Ints, bound: float, values: Ints | float = 1.0) -> None:
        """sum(values * x[columns]) <= bound"""
        self.row.append(np.full(len(columns), len(self.upper)))
        self.column.append(np.asarray(columns))
        self.value.append(np.broadcast_to(np.asarray(values, float), len(columns)))
        self.upper.append(bound)

    def solve(self, gain: Ints, seconds: float, gap: float) -> tuple[Bools | None, bool]:
        """The best 0/1 columns within the time, or None; and whether nothing is better (but for `gap`)."""
        shape = (len(self.upper), len(gain))
        matrix = csr_matrix(
            (np.concatenate(self.value), (np.concatenate(self.row), np.concatenate(self.column))), shape=shape
        )
        found = milp(
            -np.asarray(gain, float),
            integrality=np.ones(len(gain), np.int64),
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(matrix, -np.inf, np.array(self.upper)),
            options={"time_limit": max(0.05, seconds), "mip_rel_gap": gap},
        )
        return (None if found.x is None else found.x > 0.5), bool(found.status == 0)


def block(
    instance: Instance, given: Candidates, gain: Ints, needs: Ints, held: Ints, seconds: float, gap: float = 0.0
) -> tuple[Ints | None, bool]:
    """The best edges for `needs`, where the edges `held` by others stay: None if the time was too short.

    `gain` is each edge's value. Also whether this was proved to be the best.
    """
    options = instance.needs.options.shape[1]
    rows = (needs[:, None] * options + np.arange(options)).ravel()
    count = given.begin[rows + 1] - given.begin[rows]
    edges = np.repeat(given.begin[rows] - np.cumsum(count) + count, count) + np.arange(count.sum())
    row = np.repeat(rows, count)
    need, provider = row // options, given.provider[edges]
    begin = instance.needs.options.ravel()[row]
    end = begin + instance.needs.duration[need]

    all_rows = np.searchsorted(given.begin, held, side="right") - 1
    held_need, held_with = all_rows // options, given.provider[held]
    held_from = instance.needs.options.ravel()[all_rows]
    held_to = held_from + instance.needs.duration[held_need]
    fixed: dict[int, list[int]] = {}
    for k in np.flatnonzero(np.isin(held_with, provider)):
        fixed.setdefault(int(held_with[k]), []).append(int(k))

    programme = Programme()
    its_begin, its = live(instance)
    blocked = np.zeros(len(edges), bool)
    order = np.argsort(provider, kind="stable")
    cuts = np.flatnonzero(np.diff(provider[order])) + 1
    for mine in np.split(order, cuts) if len(order) else []:
        who = int(provider[mine[0]])
        there = np.array(fixed.get(who, []), np.int64)
        if instance.providers.parallel[who] == 1:
            blocked[mine] |= _meets(
                instance, need[mine], begin[mine], end[mine], held_need[there], held_from[there], held_to[there]
            ).any(1)
        mine = mine[~blocked[mine]]
        programme.at_most(mine, float(instance.providers.weekly_cap[who] - len(there)))
        promised = its[its_begin[who] : its_begin[who + 1]]
        taken_from = np.r_[held_from[there], instance.busy.start[promised]]
        taken_to = np.r_[held_to[there], instance.busy.end[promised]]
        _conflicts(instance, programme, who, mine, need, begin, end, taken_from, taken_to)
    extra = _whole_needs(instance, programme, row, need, options, len(edges))
    value = np.where(blocked, -1, gain[edges])
    if blocked.any():
        programme.at_most(np.flatnonzero(blocked), 0.0)
    if not len(edges):
        return edges, True
    chosen, proved = programme.solve(np.r_[value, np.zeros(extra, np.int64)], seconds, gap)
    return (None if chosen is None else edges[chosen[: len(edges)]]), proved


def _meets(instance: Instance, need: Ints, begin: Ints, end: Ints, other: Ints, its: Ints, its_end: Ints) -> Bools:
    """(n, m) whether one person could not do both, with the way between them."""
    gap = np.maximum(begin[:, None] - its_end[None, :], its[None, :] - end[:, None])
    way = instance.needs.xy[need][:, None, :] - instance.needs.xy[other][None, :, :]
    far: Bools = gap < instance.travel * np.hypot(way[..., 0], way[..., 1])
    return far


def _conflicts(
    instance: Instance,
    programme: Programme,
    who: int,
    mine: Ints,
    need: Ints,
    begin: Ints,
    end: Ints,
    held_from: Ints,
    held_to: Ints,
) -> None:
    """At each start at most as many tasks as the provider can do at once; for one person the ways, too."""
    parallel = int(instance.providers.parallel[who])
    starts, ends = begin[mine], end[mine]
    for minute in np.unique(np.r_[starts, held_from]):
        at = (starts <= minute) & (minute < np.maximum(ends, starts + 1))
        taken = int(((held_from <= minute) & (minute < held_to)).sum()) if parallel > 1 else 0
        if at.sum() + taken > parallel:
            programme.at_most(mine[at], float(parallel - taken))
    if parallel == 1 and len(mine) > 1:
        meets = _meets(instance, need[mine], starts, ends, need[mine], starts, ends)
        together = (starts[:, None] < ends[None, :]) & (starts[None, :] < ends[:, None])
        same = need[mine][:, None] == need[mine][None, :]
        for j in range(len(mine)):
            others = np.flatnonzero(meets[j] & ~together[j] & ~same[j])
            others = others[starts[others] >= ends[j]]
            if len(others):
                # they all begin after j and each excludes j; those that exclude one another share one row
                while len(others):
                    clique = [others[0]]
                    for k in others[1:]:
                        if all(meets[k, c] or same[k, c] for c in clique):
                            clique.append(k)
                    programme.at_most(mine[np.r_[j, clique]], 1.0)
                    others = np.setdiff1d(others, clique)


def _whole_needs(instance: Instance, programme: Programme, row: Ints, need: Ints, options: int, edges: int) -> int:
    """At most one option of each need, with all helpers or none: how many further columns that takes."""
    extra = 0
    cuts = np.flatnonzero(np.diff(need)) + 1
    for mine in np.split(np.arange(len(need)), cuts) if len(need) else []:
        want = int(instance.needs.quantity[need[mine[0]]])
        if want == 1:
            programme.at_most(mine, 1.0)
            continue
        chosen = []
        for at in np.unique(row[mine]):
            here = mine[row[mine] == at]
            served = edges + extra
            extra += 1
            chosen.append(served)
            coefficients = np.r_[np.ones(len(here)), -float(want)]
            programme.at_most(np.r_[here, served], 0.0, coefficients)
            programme.at_most(np.r_[here, served], 0.0, -coefficients)
        programme.at_most(np.array(chosen), 1.0)
    return extra
