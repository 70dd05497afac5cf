"""When each need of a round may be served: the asker's appointments, or, where any time will do, times that people have.

An appointment keeps its place among the asker's, for the score knows which he would rather have. Whatever begins too
soon, too late, or after the need is due is left out; a need of which nothing remains is not in this round.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from models.exchange.kinds import Unit
from models.exchange.rounds.days import DAY, Days
from models.exchange.rounds.reading import Row, Snapshot
from models.exchange.rounds.states import MatchOpenReason
from models.exchange.rules import LONGEST_SLOT
from models.vault import NO_ONE

Time = tuple[int, int]
Instants = tuple[datetime, datetime]
ANY_LENGTH = 60
"""Minutes that help takes where nobody says."""
TIMES = tuple(h * 60 + m for h, m in ((8, 30), (10, 0), (14, 0), (15, 30), (18, 30)))
"""Minutes of a day at which help may begin where any time will do."""
MOST_TIMES, LEAST_TIMES, MANY = 12, 3, 5_000
"""Times that are tried where any will do: fewer in rounds of more than MANY needs, down to the least."""


@dataclasses.dataclass(frozen=True)
class Want:
    """A need in a round. `options`: the minutes of each time that comes into question, None for what does not.

    What is promised is the whole of an appointment. `named`: whether the asker named them, in his order.
    """

    row: Row
    quantity: int
    options: tuple[Time | None, ...]
    named: bool
    instants: tuple[Instants | None, ...]
    """The same to the second, where they were named."""

    def slot(self, option: int, days: Days) -> Instants:
        """From when until when it is served at one of its options."""
        exact = self.instants[option] if self.named else None
        if exact is not None:
            return exact
        time = self.options[option]
        assert time is not None
        return days.at(time[0]), days.at(time[1])

    @property
    def duration(self) -> int:
        """Minutes, of the longest."""
        return max(end - start for start, end in filter(None, self.options))

    @property
    def id(self) -> UUID:
        found: UUID = self.row["id"]
        return found

    @property
    def people(self) -> frozenset[UUID]:
        """Whose need it is: they serve it not."""
        return frozenset({self.row["requester_id"], self.row["subject_id"]} - {NO_ONE})

    @property
    def served(self) -> UUID:
        """Who meets whoever comes: the beneficiary; of a need of a place or a group whoever asked."""
        subject: UUID = self.row["subject_id"]
        return self.row["requester_id"] if subject == NO_ONE else subject


def wants(
    snapshot: Snapshot, days: Days, spans: Iterable[tuple[int, int]]
) -> tuple[list[Want], list[tuple[Row, MatchOpenReason]]]:
    """The needs to plan, and those that are left out, with the reason. `spans`: when helpers have time."""
    options: dict[UUID, list[Row]] = defaultdict(list)
    for row in snapshot.options:
        options[row["need_id"]].append(row)
    popular = _Popular(days, spans)
    most = max(LEAST_TIMES, min(MOST_TIMES, MOST_TIMES * MANY // max(1, len(snapshot.needs))))
    found, out = [], []
    for need in snapshot.needs:
        if need["refused"]:
            out.append((need, MatchOpenReason.NOT_AUTOMATIC))
            continue
        instants = _named(need, options[need["id"]])
        times = [t and (days.minute(t[0]), days.minute(t[1])) for t in instants] or _any_time(need, days, popular, most)
        kept = tuple(_kept(time, need, days) for time in times)
        if need["x"] is None or not any(kept):
            out.append((need, MatchOpenReason.NOT_IN_HORIZON))
            continue
        # of what is counted in visits or hours one is planned at a time; helpers are wanted together
        quantity = need["remaining"] if need["unit"] == Unit.HELPER else 1
        found.append(Want(need, quantity, kept, bool(instants), tuple(instants)))
    return found, out


def _kept(time: Time | None, need: Row, days: Days) -> Time | None:
    if time is None or not days.earliest <= time[0] < time[1] <= days.length:
        return None
    return time if days.at(time[0]) < need["due_at"] else None


def _named(need: Row, options: list[Row]) -> list[Instants | None]:
    """The appointments by their places, of which only one is left where it was chosen; or a window that is one; or none."""
    if options:
        chosen = need["option_place"]
        places: list[Instants | None] = [None] * (max(o["place"] for o in options) + 1)
        for o in options:
            if chosen is None or o["place"] == chosen:
                places[o["place"]] = o["starts_at"], o["ends_at"]
        return places
    start, end = need["window_from"], need["window_to"]
    return [(start, end)] if start is not None and end - start <= LONGEST_SLOT else []


def _any_time(need: Row, days: Days, popular: _Popular, most: int) -> list[Time]:
    """Times in the need's window at which people are free, for as long as the help takes: in a large round a few of
    them, other ones for the next need, that not all want the same hour."""
    duration = need["duration_minutes"] or ANY_LENGTH
    start, end = need["window_from"], need["window_to"]
    since = days.earliest if start is None else max(days.earliest, days.minute(start))
    until = days.length if end is None else min(days.length, days.minute(end))
    starts = popular.starts(since, until, duration)
    if len(starts) > most:
        first = need["id"].int % len(starts)
        starts = sorted(starts[(first + n * len(starts) // most) % len(starts)] for n in range(most))
    return [(at, at + duration) for at in starts]


class _Popular:
    """The times at which most helpers are free: those are tried for needs to which any time will do."""

    def __init__(self, days: Days, spans: Iterable[tuple[int, int]]) -> None:
        self.days = days
        self.spans: Mapping[tuple[int, int], int] = _counted(spans)
        self.known: dict[Any, list[int]] = {}

    def starts(self, since: int, until: int, duration: int) -> list[int]:
        """At most twelve minutes within a period, in order."""
        key = since, until, duration
        if key not in self.known:
            every = [day * DAY + minute for day in range(self.days.length // DAY) for minute in TIMES]
            fitting = [start for start in every if since <= start and start + duration <= until]
            free = {s: sum(n for (a, b), n in self.spans.items() if a <= s and b >= s + duration) for s in fitting}
            best = sorted(fitting, key=lambda s: (-free[s], s))[:MOST_TIMES]
            self.known[key] = sorted(best)
        return self.known[key]


def _counted(spans: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
    out: dict[tuple[int, int], int] = defaultdict(int)
    for span in spans:
        out[span] += 1
    return out
