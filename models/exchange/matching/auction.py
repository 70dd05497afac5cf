"""Bids for places: who wants a helper most gets him, and whoever is pushed out bids again.

Each placed unit (one helper of one need) has a price: what would be lost, were it pushed out, given where else it could
go. A unit bids where its value less the prices of those whom it would push out is greatest, pushes them out, and is from
then on as dear as its second choice makes it (Bertsekas, "The auction algorithm", 1988), here with caps, times, ways and
several helpers at one time in the rules for who must go. `spread` lets prices rise to near the market's.

All of it is compiled: arrays in, numbers out, no Python object within. Threads may run on disjoint areas at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np

from models.exchange.matching.instance import Floats, Ints

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Machine code, made at the first call and kept beside the source; other threads run meanwhile."""
    done: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return cast(F, done)


NEVER = 1 << 60
"""A price that nobody pays."""
PATIENCE = 200
"""Bids after which an unbounded chain doubles its step: whole needs that give up let prices fall, and it could go round."""
DEPTH = 100_000
"""Units that may wait for their turn to bid."""

QUANTITY, MINUTES, FIRST, ROW, AREA = range(5)
"""Columns of `needs`: helpers, minutes, its first unit, the row at which it is served or -1, whose thread sees to it."""
CAP, PARALLEL, SLOT, COUNT, REGION = range(5)
"""Columns of `people`: tasks at most, at one time, where his slots begin, how many are taken, in which thread's area."""
NEED, EDGE, PLACE = range(3)
"""Columns of `units`: of which need, by which edge it is or was last placed, with whom or -1."""


class Market(NamedTuple):
    """The state of the bidding."""

    options: int
    travel: float
    begin: Ints
    """where the edges of a row begin; within a row the best comes first"""
    people_of: Ints
    """the provider of an edge"""
    quality: Ints
    base: Ints
    """(N) what a helper is worth beside the quality"""
    start: Ints
    """(rows) minutes"""
    xy: Floats
    needs: Ints
    people: Ints
    units: Ints
    slots: Ints
    """the units that a provider has, in the first COUNT of his slots"""
    price: Ints
    """of a placed unit: the least that must be gained to push it out"""
    paid: Ints
    """the prices that a unit's bid pushed out"""


class Notes(NamedTuple):
    """Paper to write on, one for each thread."""

    out: Ints
    """those who would be pushed out: how many, then who"""
    stack: Ints
    """units that have to bid"""
    bids: Ints
    """(…, 2) the best bids found: value less prices, edge"""
    chosen: Ints
    """the edges of the best option of a need with several helpers, the last the runner-up's value"""


def notes(widest: int) -> Notes:
    """For needs of at most `widest` helpers."""
    wide = widest + 2
    return Notes(
        np.zeros(512, np.int64),
        np.zeros(DEPTH + 4 * wide, np.int64),
        np.zeros((wide, 2), np.int64),
        np.zeros(wide, np.int64),
    )


@compiled
def crowd(m: Market, provider: int, skip: int, minute: int) -> int:
    """Tasks that a team is at in that minute."""
    count = 0
    first = m.people[provider, SLOT]
    for k in range(first, first + m.people[provider, COUNT]):
        unit = m.slots[k]
        if unit != skip:
            need = m.units[unit, NEED]
            begin = m.start[m.needs[need, ROW]]
            if begin <= minute < begin + m.needs[need, MINUTES]:
                count += 1
    return count


@compiled
def relieves(m: Market, provider: int, skip: int, unit: int, begin: int, end: int) -> bool:
    """Whether a team has a place free all the time, once the unit is gone; it counts its full moments at their starts."""
    need = m.units[unit, NEED]
    its = m.start[m.needs[need, ROW]]
    first = m.people[provider, SLOT]
    for k in range(first - 1, first + m.people[provider, COUNT]):
        minute = begin
        if k >= first:
            if m.slots[k] == skip:
                continue
            minute = m.start[m.needs[m.units[m.slots[k], NEED], ROW]]
        apart = begin <= minute < end and not its <= minute < its + m.needs[need, MINUTES]
        if apart and crowd(m, provider, skip, minute) >= m.people[provider, PARALLEL]:
            return False
    return True


@compiled
def room(m: Market, need: int, row: int, provider: int, skip: int, out: Ints) -> int:
    """The price of having the provider at that option, and in `out` who is pushed out; `skip` is gone already."""
    begin = m.start[row]
    end = begin + m.needs[need, MINUTES]
    first = m.people[provider, SLOT]
    parallel = m.people[provider, PARALLEL]
    total, left, cheapest, who, beside = 0, 0, NEVER, -1, 0
    out[0] = 0
    for k in range(first, first + m.people[provider, COUNT]):
        unit = m.slots[k]
        if unit == skip:
            continue
        other = m.units[unit, NEED]
        if other == need:
            return NEVER
        its = m.start[m.needs[other, ROW]]
        gap = max(begin - its - m.needs[other, MINUTES], its - end)
        meets = gap < 0
        if parallel > 1:
            beside += meets
            meets = False
        elif not meets:
            x, y = m.xy[need, 0] - m.xy[other, 0], m.xy[need, 1] - m.xy[other, 1]
            if gap * gap <= m.travel * m.travel * (x * x + y * y) * 1.000001:
                meets = gap < m.travel * math.hypot(x, y)
        if meets:
            total += m.price[unit]
            out[0] += 1
            out[out[0]] = unit
            if total >= NEVER:
                return NEVER
        else:
            left += 1
            if m.price[unit] < cheapest:
                cheapest, who = m.price[unit], unit
    if beside >= parallel > 1:
        full = False
        for k in range(first - 1, first + m.people[provider, COUNT]):
            minute = begin if k < first else m.start[m.needs[m.units[m.slots[k], NEED], ROW]]
            if begin <= minute < end and crowd(m, provider, skip, minute) >= parallel:
                full = True
                break
        if full:
            cheapest, who = NEVER, -1
            for k in range(first, first + m.people[provider, COUNT]):
                unit = m.slots[k]
                if unit != skip and m.price[unit] < cheapest and relieves(m, provider, skip, unit, begin, end):
                    cheapest, who = m.price[unit], unit
            left = m.people[provider, CAP]
    if left >= m.people[provider, CAP]:
        if who < 0:
            return NEVER
        total += cheapest
        out[0] += 1
        out[out[0]] = who
    return min(total, NEVER)


@compiled
def look(m: Market, need: int, unit: int, first: int, last: int, want: int, area: int, note: Notes) -> int:
    """The `want` + 1 best bids of a need at the rows from first to before last, best first; how many of them there are.

    `unit`, if it is none (-1), stays where it is and looks for another place. A need's other helpers are no place.
    """
    bids = note.bids
    found = 0
    for row in range(first, last):
        for edge in range(m.begin[row], m.begin[row + 1]):
            value = m.base[need] + m.quality[edge]
            if found > want and value <= bids[want, 0]:
                break
            provider: Any = np.int64(m.people_of[edge])
            if m.people[provider, REGION] != area:
                continue
            if unit >= 0 and m.units[unit, PLACE] >= 0 and m.units[unit, EDGE] == edge:
                continue
            value -= room(m, need, row, provider, unit, note.out)
            if value <= -(NEVER >> 1) or (found > want and value <= bids[want, 0]):
                continue
            if found <= want:
                found += 1
            k = found - 1
            while k > 0 and bids[k - 1, 0] < value:
                bids[k, 0], bids[k, 1] = bids[k - 1, 0], bids[k - 1, 1]
                k -= 1
            bids[k, 0], bids[k, 1] = value, edge
    return found


@compiled
def leave(m: Market, unit: int) -> int:
    """Takes a unit from its place. Its value there."""
    need, provider = m.units[unit, NEED], m.units[unit, PLACE]
    first, count = m.people[provider, SLOT], m.people[provider, COUNT]
    for k in range(first, first + count):
        if m.slots[k] == unit:
            m.slots[k] = m.slots[first + count - 1]
            break
    m.people[provider, COUNT] = count - 1
    m.units[unit, PLACE] = -1
    if m.needs[need, QUANTITY] == 1:
        m.needs[need, ROW] = -1
    value: int = m.base[need] + m.quality[m.units[unit, EDGE]]
    return value


@compiled
def take(m: Market, unit: int, edge: int, row: int, depth: int, note: Notes) -> tuple[int, int]:
    """Places a unit, after pushing out who must go: they go on the stack. The gain, and the stack's new depth."""
    need = m.units[unit, NEED]
    provider: Any = np.int64(m.people_of[edge])
    m.paid[unit] = room(m, need, row, provider, -1, note.out)
    gain = 0
    for k in range(1, note.out[0] + 1):
        gone = note.out[k]
        gain -= leave(m, gone)
        note.stack[depth] = gone
        depth += 1
    m.slots[m.people[provider, SLOT] + m.people[provider, COUNT]] = unit
    m.people[provider, COUNT] += 1
    m.units[unit, EDGE], m.units[unit, PLACE] = edge, provider
    m.needs[need, ROW] = row
    return gain + m.base[need] + m.quality[edge], depth


@compiled
def worth(m: Market, need: int) -> int:
    """What a need's placed helpers bring beyond what was paid for them."""
    total = 0
    for unit in range(m.needs[need, FIRST], m.needs[need, FIRST] + m.needs[need, QUANTITY]):
        if m.units[unit, PLACE] >= 0:
            total += m.base[need] + m.quality[m.units[unit, EDGE]] - m.paid[unit]
    return total


@compiled
def enter(m: Market, need: int, step: int, area: int, depth: int, note: Notes) -> tuple[int, int]:
    """Places all helpers of a need that has none, if that gains by the prices. The gain and the stack's depth."""
    want, first = m.needs[need, QUANTITY], m.needs[need, FIRST]
    most, at = 0, -1
    for row in range(need * m.options, (need + 1) * m.options):
        found = look(m, need, -1, row, row + 1, want, area, note)
        total = 0
        for k in range(want):
            total += note.bids[k, 0]
        if found >= want and total > most:
            most, at = total, row
            for k in range(want):
                note.chosen[k] = note.bids[k, 1]
            note.chosen[want] = max(0, note.bids[want, 0]) if found > want else 0
    gain = 0
    if at < 0:
        return gain, depth
    for k in range(want):
        more, depth = take(m, first + k, note.chosen[k], at, depth, note)
        gain += more
    for unit in range(first, first + want):
        value = m.base[need] + m.quality[m.units[unit, EDGE]]
        m.price[unit] = max(m.paid[unit], min(value - note.chosen[want], value + worth(m, need))) + step
    return gain, depth


@compiled
def settle(m: Market, gain: int, depth: int, step: int, area: int, note: Notes) -> int:
    """Lets the units on the stack bid, and those whom they push out, until all are placed or give up. The gain.

    `step` is added to each price: it bounds how long a chain can be.
    """
    bids, stack = note.bids, note.stack
    count = 0
    while depth > 0:
        depth -= 1
        unit = stack[depth]
        need = m.units[unit, NEED]
        if m.units[unit, PLACE] >= 0:
            continue
        alone = m.needs[need, QUANTITY] == 1
        if not alone and m.needs[need, ROW] < 0:
            continue
        count += 1
        if count % PATIENCE == 0:
            step *= 2
        first = need * m.options if alone else m.needs[need, ROW]
        last = first + m.options if alone else first + 1
        found = look(m, need, -1, first, last, 1, area, note)
        best = bids[0, 0] if found else -NEVER
        edge, second = bids[0, 1], bids[1, 0] if found > 1 else 0
        floor = 0 if alone else -worth(m, need)
        if best <= floor:
            for other in range(m.needs[need, FIRST], m.needs[need, FIRST] + m.needs[need, QUANTITY]):
                if m.units[other, PLACE] >= 0:
                    gain -= leave(m, other)
            m.needs[need, ROW] = -1
            continue
        row = first
        while m.begin[row + 1] <= edge:
            row += 1
        more, depth = take(m, unit, edge, row, depth, note)
        gain += more
        value = m.base[need] + m.quality[edge]
        m.price[unit] = value - max(second, floor) + step
    return gain


@compiled
def bid(m: Market, need: int, step: int, area: int, note: Notes) -> int:
    """One need without helpers bids, and whoever is pushed out. What was gained, or lost."""
    gain, depth = 0, 0
    if m.needs[need, QUANTITY] > 1:
        gain, depth = enter(m, need, step, area, depth, note)
    else:
        note.stack[0] = m.needs[need, FIRST]
        depth = 1
    return settle(m, gain, depth, step, area, note)


@compiled
def spread(m: Market, order: Ints, step: int, area: int, note: Notes) -> int:
    """Each need without helpers bids, whatever others lose: prices rise to the market's. What was gained, or lost."""
    gain = 0
    for need in order:
        if m.needs[need, AREA] == area and m.needs[need, ROW] < 0 and m.needs[need, QUANTITY] > 0:
            gain += bid(m, need, step, area, note)
    return gain
