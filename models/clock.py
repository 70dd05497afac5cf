"""Time is an input: the only place that asks the machine what time it is.

Every rule, statement and visibility condition takes `now`; it comes from the request's context, which takes it
from here, or from the header `X-Wushe-Now` in demo and test mode.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""Days, months and reports are those of this zone."""

EARLIEST = datetime(1992, 1, 1, tzinfo=SHANGHAI)
"""Instants before this are refused: Shanghai kept summer time until 1991, and its offset is written as +08:00."""

LATEST = datetime(2200, 1, 1, tzinfo=SHANGHAI)
"""Instants from this on are refused."""


def now() -> datetime:
    """The machine's time, with Shanghai's offset."""
    return datetime.now(SHANGHAI)


def read(text: str) -> datetime:
    """An instant from ISO 8601 text that carries an offset. Raises ValueError when it cannot be one."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a date-time needs an offset, such as +08:00")
    if not EARLIEST <= at < LATEST:
        raise ValueError("a date-time lies between 1992 and 2199")
    return at.astimezone(SHANGHAI)


def day(at: datetime) -> date:
    """The calendar day of an instant, in Shanghai."""
    return at.astimezone(SHANGHAI).date()


def midnight(on: date) -> datetime:
    """The first instant of a calendar day, in Shanghai."""
    return datetime(on.year, on.month, on.day, tzinfo=SHANGHAI)


def month(at: datetime) -> date:
    """The first day of an instant's month, in Shanghai."""
    return day(at).replace(day=1)


def next_month(first: date) -> date:
    """The first day of the month after the one that `first` lies in."""
    return (first.replace(day=1) + timedelta(days=32)).replace(day=1)
