"""What keeps refused attempts from flooding the audit log: past a number of rows a minute they are counted instead.

They are counted by what was tried and with what it was refused, so that many harmless attempts hide no other kind.

Counts are each process's own. What was counted is written as one row, when its minute is over and the next refusal,
whoever's, comes by; a process that ends before loses its counts, which its log lines and metrics still have.
"""

from __future__ import annotations

import dataclasses
import json
import time
import weakref
from collections import Counter, OrderedDict
from datetime import datetime
from typing import Any

from models import audit
from models.pool import Pool

COLUMNS = audit.COLUMNS.split(", ")

MINUTE = 60.0
EACH = 60
"""Rows of refusals that one actor makes in a minute; for those who are not signed in, one address."""
KIND = 10
"""Rows of one kind among them: of one action and one code."""
DOOR = 1
"""Rows of refused tokens that one address makes in a minute."""
MOST = 20_000
"""Whose minutes are counted at once; then the oldest is closed early."""
MANY = "refusals.counted"
"""The action of the row that stands for the others: `detail` has how many, by action and code."""
ACTION, RESULT = COLUMNS.index("action"), COLUMNS.index("result")


@dataclasses.dataclass(slots=True)
class Minute:
    """A minute of one actor's refusals."""

    since: float
    row: tuple[Any, ...]
    """His first audit row of that minute."""
    written: Counter[tuple[str, str]] = dataclasses.field(default_factory=Counter)
    counted: Counter[tuple[str, str]] = dataclasses.field(default_factory=Counter)
    """By action and code: of these there are no more than the schema has mutations and problems."""


class Flood:
    """The refusals of the running minutes."""

    def __init__(self) -> None:
        self._minutes: OrderedDict[tuple[str, object], Minute] = OrderedDict()

    def admits(self, key: tuple[str, object], most: int, row: tuple[Any, ...], at: float) -> bool:
        """Whether a row is to be written, at a time in seconds; otherwise it is counted."""
        minute = self._minutes.get(key)
        if minute is None:
            minute = self._minutes[key] = Minute(at, row)
        kind = (row[ACTION], row[RESULT])
        if minute.written[kind] < KIND and minute.written.total() < most:
            minute.written[kind] += 1
            return True
        minute.counted[kind] += 1
        return False

    def over(self, at: float) -> list[Minute]:
        """The minutes that are over and have counted something; they are closed with that."""
        found = []
        while self._minutes:
            key, minute = next(iter(self._minutes.items()))
            if at - minute.since < MINUTE and len(self._minutes) <= MOST:
                break
            del self._minutes[key]
            if minute.counted:
                found.append(minute)
        return found


_by_pool: weakref.WeakKeyDictionary[Pool, Flood] = weakref.WeakKeyDictionary()


def of(pool: Pool) -> Flood:
    """The refusals that are written through one pool."""
    return _by_pool.setdefault(pool, Flood())


async def note(pool: Pool, key: tuple[str, object], most: int, row: tuple[Any, ...]) -> None:
    """Writes a refusal's audit row (`models.audit.row`), or counts it; and the rows of minutes that are over."""
    flood, at = of(pool), time.monotonic()
    rows = [summary(minute, row[0]) for minute in flood.over(at)]
    if flood.admits(key, most, row, at):
        rows.append(row)
    if rows:
        async with pool.connection() as connection:
            for each in rows:
                await audit.write(connection, *each)


def count(pool: Pool, key: tuple[str, object], row: tuple[Any, ...]) -> None:
    """Counts what cannot be written now; its row comes with a later refusal's."""
    of(pool).admits(key, 0, row, time.monotonic())


def summary(minute: Minute, at: datetime) -> tuple[Any, ...]:
    """The row that stands for what was counted of a minute."""
    said = dict(zip(COLUMNS, minute.row, strict=True))
    of: dict[str, dict[str, int]] = {}
    for (action, code), number in sorted(minute.counted.items()):
        of.setdefault(action, {})[code] = number
    detail = {"count": minute.counted.total(), "of": of}
    said |= {"at": at, "action": MANY, "request": None, "subject_type": None, "subject": None}
    return (*(said[name] for name in COLUMNS[:-1]), json.dumps(detail))
