"""A round, solved: candidates, then bids (large) or an integer programme (small), then blocks of neighbours exactly.

One in which tasks cannot get in each other's way is solved at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from models.exchange.matching.assignment import Assignment, Cancelled, Progress, Stage, Tell
from models.exchange.matching.candidates import Candidates, candidates, live
from models.exchange.matching.exact import block
from models.exchange.matching.independent import independent, matched
from models.exchange.matching.instance import Floats, Instance, Ints

SMALL = 60_000
"""edges: so many an integer programme alone can do"""
SKETCH = (4, 5)
"""candidates of each option in the first sketch: the best, and others by chance"""
BLOCK = 250
"""needs that are planned at one time"""
BLOCK_SECONDS = 4.0


def solve(
    instance: Instance,
    *,
    seconds: float | None = None,
    seed: int = 0,
    fairness: float = 0.0,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Assignment:
    """The best plan found in about `seconds`; without a limit, when every block of neighbours is exact.

    They are wall time in small rounds. In large ones they are this process's processor time, lest others' load on the
    machine spoil the plan, but never more than twice as much wall time, but for bids that are in the making.

    `fairness` adds, for districts served worse than the city, up to that share (twice) of a need's base to its worth. Such
    a plan is kept only if the worst district rises by it; what it costs in plain objective is not bounded. Small rounds
    without a limit are optimal. So are plain assignments (`independent.py`), which keep no limit: they take a second for
    5,000 needs of 90 candidates, at most some ten.
    Raises Cancelled between two steps once `cancelled()` is true.
    """
    work = Work(instance, seconds, seed, progress, cancelled)
    if not len(work.given.provider):
        return work.answer()
    if not work.independent:
        work.begin(greedy_edges(work.instance, work.given, work.gain) if work.small else None)
        if work.small and work.left() < 15:
            work.sketch()
    if fairness > 0:
        work.fair(fairness)
    else:
        work.polish()
    return work.answer()


def greedy(instance: Instance) -> Assignment:
    """What the city does without a round: urgent tiers first, in each the best score first."""
    began = time.monotonic()
    given = candidates(instance)
    gain = gains(instance, given)
    return _answer(instance, given, greedy_edges(instance, given, gain), (), "greedy", began)


def gains(instance: Instance, given: Candidates) -> Ints:
    """What each edge is worth: base and quality."""
    base = np.array((0, *instance.weights.base), np.int64)[instance.needs.priority]
    options = max(1, instance.needs.options.shape[1])
    found: Ints = base[given.rows() // options] + given.quality
    return found


class Work:
    """One round in the making: the edges that are taken, and the clock."""

    def __init__(
        self,
        instance: Instance,
        seconds: float | None,
        seed: int,
        tell: Tell | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self.began, self.used = time.monotonic(), time.process_time()
        self.instance, self.seconds, self.seed = instance, seconds, seed
        self.tell, self.cancelled = tell, cancelled
        self.stages: list[Stage] = []
        self.done = 0.0
        self.edges: Ints = np.zeros(0, np.int64)
        self.options = max(1, instance.needs.options.shape[1])
        self.given = candidates(instance)
        self.plain = self.gain = gains(instance, self.given)
        self.small = len(self.given.provider) <= SMALL
        self.independent = independent(instance, self.given)
        self.stage("candidates", 0.1)

    def left(self) -> float:
        if self.seconds is None:
            return float("inf")
        wall = time.monotonic() - self.began
        return self.seconds - (wall if self.small else max(wall / 2, time.process_time() - self.used))

    def stage(self, name: str, done: float) -> None:
        """Writes down where it is. Raises Cancelled."""
        objective = int(self.plain[self.edges].sum())
        self.stages.append(Stage(name, objective, time.monotonic() - self.began))
        self.pulse(name, done)

    def pulse(self, name: str, done: float) -> None:
        if self.cancelled is not None and self.cancelled():
            raise Cancelled
        if self.tell is not None:
            self.done = max(self.done, done)
            self.tell(Progress(name, self.done, int(self.plain[self.edges].sum())))

    def begin(self, start: Ints | None) -> None:
        """The first plan: given, or by bids."""
        if start is None:
            from models.exchange.matching.bidding import bids

            self.edges = bids(self.instance, self.given, self.gain, self.bidding, self.left)
            self.stage("bids", 0.7)
        else:
            self.edges = start
            self.stage("greedy", 0.2)

    def sketch(self) -> None:
        """The whole round exactly, but with few candidates of each option: some of the best, others by chance."""
        given, rows = self.given, self.given.rows()
        place = np.arange(len(rows)) - given.begin[rows]
        others = (
            np.random.default_rng(self.seed).random(len(rows)) * (np.diff(given.begin)[rows] - SKETCH[0]) < SKETCH[1]
        )
        want = 2 * self.instance.needs.quantity[rows // self.options]
        some = np.flatnonzero((place < np.maximum(SKETCH[0], want)) | others)
        begin = np.r_[0, np.cumsum(np.bincount(rows[some], minlength=len(given.begin) - 1))]
        few = Candidates(begin, given.provider[some], given.window[some], given.quality[some])
        everybody = np.arange(len(self.instance.needs.quantity))
        none = np.zeros(0, np.int64)
        found, _ = block(self.instance, few, self.gain[some], everybody, none, self.left() * 0.8, 0.008)
        if found is not None and self.gain[some[found]].sum() > self.gain[self.edges].sum():
            self.edges = some[found]
        self.stage("sketch", 0.6)

    def bidding(self, done: float) -> None:
        """So much of the bidding is over."""
        self.pulse("bids", 0.1 + 0.6 * done)

    def fair(self, fairness: float) -> None:
        """A plain plan in half the time, then one that favours: it is kept only where the worst district gains by it."""
        seconds = self.seconds
        self.seconds = None if seconds is None else seconds / 2
        self.polish()
        plain = self.edges
        self.seconds = seconds
        self.favour(fairness)
        self.polish()
        if self.worst(self.edges) <= self.worst(plain):
            self.edges = plain

    def worst(self, edges: Ints) -> float:
        """The least coverage of a district."""
        served = np.bincount(self.edges_need(edges), minlength=len(self.instance.needs.quantity)) > 0
        _, district = np.unique(self.instance.needs.district, return_inverse=True)
        return float((np.bincount(district, served) / np.bincount(district)).min())

    def favour(self, fairness: float) -> None:
        """Prices shortfall: needs of districts below the city's coverage gain a part of their base, and plans again."""
        needs = self.instance.needs
        base = np.array((0, *self.instance.weights.base), np.int64)[needs.priority]
        _, district = np.unique(needs.district, return_inverse=True)
        premium = np.zeros(district.max() + 1)
        for _ in range(2):
            served = np.bincount(self.edges_need(self.edges), minlength=len(base)) > 0
            coverage = np.bincount(district, served) / np.bincount(district)
            premium += fairness * np.clip((served.mean() - coverage) / max(0.02, served.mean() - coverage.min()), 0, 1)
            more = (premium[district] * base).astype(np.int64)
            self.gain = self.plain + more[self.given.rows() // self.options]
            if self.small or self.independent:
                self.polish()
            else:
                self.begin(None)

    def edges_need(self, edges: Ints) -> Ints:
        found: Ints = (np.searchsorted(self.given.begin, edges, side="right") - 1) // self.options
        return found

    def polish(self) -> None:
        """Blocks of neighbours, each exactly, the rest where it is: never worse; until the time is over or all are done."""
        if self.independent:
            self.edges = matched(self.instance, self.given, self.gain)
            self.stage("assignment", 0.95)
            return
        needs = self.instance.needs
        everybody = np.flatnonzero(np.diff(self.given.begin).reshape(-1, self.options).sum(1) > 0)
        size = len(everybody)
        if self.small and self.left() > 15 and self.replan(everybody, min(60.0, self.left() * 0.8)):
            self.stage("exact", 0.95)
            return
        random = np.random.default_rng(self.seed)
        rounds = 2 if self.seconds is None else 50
        for turn in range(rounds):
            width = min(size, BLOCK if turn < 2 else BLOCK * 2)
            angle = random.uniform(0, np.pi)
            for part in _blocks(needs.xy[everybody], width, angle):
                if self.left() < 0.3:
                    break
                self.replan(everybody[part], min(BLOCK_SECONDS, self.left()))
                spent = 0.5 if self.seconds is None else 1 - self.left() / self.seconds
                self.pulse("blocks", max(0.7, min(0.99, spent)))
            if self.left() < 0.3 or width == size:
                break
        self.stage("blocks", 0.99)

    def replan(self, needs: Ints, seconds: float) -> bool:
        """Plans these needs anew beside all others; whether nothing better exists."""
        inside = np.isin(self.edges_need(self.edges), needs)
        held = self.edges[~inside]
        found, proved = block(self.instance, self.given, self.gain, needs, held, seconds)
        if found is not None and self.gain[found].sum() > self.gain[self.edges[inside]].sum():
            self.edges = np.concatenate([held, found])
        return proved

    def answer(self) -> Assignment:
        return _answer(self.instance, self.given, self.edges, tuple(self.stages), "done", self.began)


def _blocks(xy: Floats, width: int, angle: float) -> list[Ints]:
    """Neighbours by `width`: the plane is halved, across and along in turn, from some angle."""
    turned = np.c_[xy @ [np.cos(angle), np.sin(angle)], xy @ [-np.sin(angle), np.cos(angle)]]
    done, open_ = [], [(np.arange(len(xy)), 0)]
    while open_:
        part, axis = open_.pop()
        if len(part) <= width:
            done.append(part)
            continue
        order = part[np.argsort(turned[part, axis], kind="stable")]
        open_ += [(order[: len(order) // 2], 1 - axis), (order[len(order) // 2 :], 1 - axis)]
    return done


def greedy_edges(instance: Instance, given: Candidates, gain: Ints) -> Ints:
    """Edge by edge, the dearest first, where it still fits; helpers of one need together or not at all."""
    needs, providers = instance.needs, instance.providers
    options = max(1, needs.options.shape[1])
    rows = given.rows()
    start = needs.options.ravel()
    its_begin, its = live(instance)
    served = np.zeros(len(needs.quantity), bool)
    tasks: dict[int, list[int]] = {}
    taken: list[int] = []

    def fits(edge: int) -> bool:
        who = int(given.provider[edge])
        mine = tasks.get(who, [])
        if len(mine) >= providers.weekly_cap[who]:
            return False
        need, begin = rows[edge] // options, int(start[rows[edge]])
        end = begin + int(needs.duration[need])
        spans = [(int(start[rows[e]]), int(start[rows[e]] + needs.duration[rows[e] // options])) for e in mine]
        if providers.parallel[who] == 1:
            for e, (a, b) in zip(mine, spans, strict=True):
                gap = max(begin - b, a - end)
                way = needs.xy[need] - needs.xy[rows[e] // options]
                if gap < instance.travel * np.hypot(way[0], way[1]):
                    return False
            return True
        promised = its[its_begin[who] : its_begin[who + 1]]
        spans += list(zip(instance.busy.start[promised].tolist(), instance.busy.end[promised].tolist(), strict=True))
        moments = [begin, *(a for a, _ in spans if begin <= a < end)]
        return all(sum(a <= t < b for a, b in spans) < providers.parallel[who] for t in moments)

    order = np.lexsort((np.arange(len(rows)), -given.quality, -needs.priority[rows // options]))
    for edge in order.tolist():
        need = rows[edge] // options
        if served[need]:
            continue
        want = int(needs.quantity[need])
        helpers = [edge] if want == 1 else range(int(given.begin[rows[edge]]), int(given.begin[rows[edge] + 1]))
        if len(helpers) < want:
            continue
        able: list[int] = []
        for e in helpers:
            if fits(e):
                able.append(e)
                if len(able) == want:
                    break
        if len(able) == want:
            served[need] = True
            taken += able
            for e in able:
                tasks.setdefault(int(given.provider[e]), []).append(e)
    return np.array(taken, np.int64)


def _answer(
    instance: Instance, given: Candidates, edges: Ints, stages: tuple[Stage, ...], name: str, began: float
) -> Assignment:
    rows = np.searchsorted(given.begin, edges, side="right") - 1
    options = max(1, instance.needs.options.shape[1])
    need, option, provider = rows // options, rows % options, given.provider[edges].astype(np.int64)
    order = np.lexsort((provider, need))
    base = np.array((0, *instance.weights.base), np.int64)[instance.needs.priority]
    objective = int((base[need] + given.quality[edges]).sum()) if len(edges) else 0
    last = Stage(name, objective, time.monotonic() - began)
    return Assignment(need[order], option[order], provider[order], objective, (*stages, last))
