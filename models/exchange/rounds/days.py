"""The days of a round as minutes from its first midnight, and the weeks that they lie in: what caps are counted by."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime, timedelta

from models.clock import SHANGHAI, midnight

DAY = 24 * 60
MINUTE = timedelta(minutes=1)
WAY = timedelta(hours=12)
"""How long before and after a task a promise may still be in its way: for the way between two places."""


@dataclasses.dataclass(frozen=True)
class Days:
    """The days from `first` to `last`, both included, in Shanghai; nobody serves before `begins`."""

    first: date
    last: date
    begins: datetime

    @property
    def origin(self) -> datetime:
        return midnight(self.first)

    @property
    def ends(self) -> datetime:
        return midnight(self.last + timedelta(days=1))

    @property
    def monday(self) -> datetime:
        """The first instant of the week in which the first day lies."""
        return midnight(self.first - timedelta(days=self.first.weekday()))

    @property
    def length(self) -> int:
        """Minutes in all."""
        return self.minute(self.ends)

    @property
    def earliest(self) -> int:
        return max(0, -((self.origin - self.begins) // MINUTE))

    def minute(self, at: datetime) -> int:
        """The minute of an instant, rounded down; below zero before the first midnight."""
        return (at - self.origin) // MINUTE

    def at(self, minute: int) -> datetime:
        """The instant of a minute, with Shanghai's offset."""
        return (self.origin + minute * MINUTE).astimezone(SHANGHAI)

    def dates(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    def week(self, minute: int) -> int:
        """Which week a minute lies in; 0 is the one of the first day."""
        return (self.first.weekday() * DAY + minute) // (7 * DAY)

    @property
    def weeks(self) -> int:
        return self.week(self.length - 1) + 1

    def of_week(self, week: int) -> tuple[int, int]:
        """The minutes of a week that are planned."""
        start = week * 7 * DAY - self.first.weekday() * DAY
        return max(self.earliest, start, 0), min(self.length, start + 7 * DAY)


def joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that touch made one."""
    out: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = out[-1][0], max(out[-1][1], end)
        else:
            out.append((start, end))
    return out


def within(spans: list[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """What of some spans lies between two minutes."""
    return [(max(a, start), min(b, end)) for a, b in spans if a < end and b > start]
