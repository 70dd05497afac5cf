"""The bidding of a whole round: lays out the market, lets everybody bid, hands back the edges that were taken."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.exchange.matching.auction import NEVER, Market, notes, spread
from models.exchange.matching.candidates import Candidates
from models.exchange.matching.instance import Instance, Ints

TURN = 2000
"""Needs that bid between two looks at the clock."""
DEAREST = 50_000
"""The largest step: beyond it nobody is pushed out twice, and the bids of all who are left soon end."""


def bids(
    instance: Instance,
    given: Candidates,
    gain: Ints,
    pulse: Callable[[float], None],
    left: Callable[[], float],
) -> Ints:
    """A plan's edges. A smaller step takes longer and gains more: it is chosen from the seconds `left` once the machine
    code is there (seven seconds at the first run ever), and doubles where they would not do after all.

    `pulse` is told the share done; it may raise.
    """
    market = _market(instance, given, gain)
    note = notes(int(instance.needs.quantity.max(initial=1)))
    order = np.argsort(-instance.needs.priority, kind="stable").astype(np.int64)
    spread(market, order[:0], 0, 0, note)
    step = _step(len(order), left())
    whole = left() * 0.9
    for k in range(0, len(order), TURN):
        spread(market, order[k : k + TURN], step, 0, note)
        done = min(1.0, (k + TURN) / len(order))
        pulse(done)
        if whole < float("inf") and left() - 0.1 * whole < whole * (1 - done) * 0.7:
            step = min(2 * step, DEAREST)
    if left() > 0.1 * whole:
        spread(market, order, step, 0, note)
    placed = np.flatnonzero((market.units[:, 2] >= 0) & (market.price < NEVER))
    edges: Ints = market.units[placed, 1]
    return edges


def _step(needs: int, seconds: float) -> int:
    """How much dearer each bid makes a place: 3000 takes ten seconds for 30,000 needs, twice as much half of that."""
    room = seconds / max(needs / 30_000, 0.3)
    if room > 30:
        return 2000
    return max(3000, min(12_000, int(30_000 / max(room, 0.1))))


def _market(instance: Instance, given: Candidates, gain: Ints) -> Market:
    """Live commitments of teams stand in their slots as needs that nobody can push out."""
    needs, people, busy = instance.needs, instance.providers, instance.busy
    live = np.flatnonzero(people.parallel[busy.provider] > 1)
    count, options = len(needs.quantity), needs.options.shape[1]
    table = np.zeros((count + len(live), 5), np.int64)
    table[:count, 0], table[:count, 1], table[:count, 3] = needs.quantity, needs.duration, -1
    table[count:, 0], table[count:, 1] = 1, (busy.end - busy.start)[live]
    table[:, 2] = np.cumsum(table[:, 0]) - table[:, 0]
    table[count:, 3] = count * options + np.arange(len(live))
    units = np.full((int(table[:, 0].sum()), 3), -1, np.int64)
    units[:, 0] = np.repeat(np.arange(len(table)), table[:, 0])
    start = np.r_[needs.options.ravel(), busy.start[live]].astype(np.int64)
    xy = np.ascontiguousarray(np.vstack([needs.xy, busy.xy[live]]), float)

    providers = np.zeros((len(people.weekly_cap), 5), np.int64)
    held = np.bincount(busy.provider[live], minlength=len(providers))
    useful = np.minimum(people.weekly_cap, np.bincount(given.provider, minlength=len(providers)))
    providers[:, 0], providers[:, 1] = np.maximum(useful, 0) + held, people.parallel
    providers[:, 2] = np.cumsum(providers[:, 0]) - providers[:, 0]
    slots = np.zeros(int(providers[:, 0].sum()) + 1, np.int64)
    price = np.zeros(len(units), np.int64)
    for k, who in enumerate(busy.provider[live]):
        unit = int(table[count + k, 2])
        slots[providers[who, 2] + providers[who, 3]] = unit
        providers[who, 3] += 1
        units[unit, 2], price[unit] = who, NEVER
    base = np.zeros(len(table), np.int64)
    first = given.begin[:-1].reshape(-1, options)
    for option in range(options):
        some = given.begin[1:].reshape(-1, options)[:, option] > first[:, option]
        edge = first[some, option]
        base[:count][some] = gain[edge] - given.quality[edge]
    zeros = np.zeros(len(units), np.int64)
    return Market(
        options, instance.travel, given.begin, given.provider, given.quality, base, start, xy, table, providers, units,
        slots, price, zeros,
    )  # fmt: skip
