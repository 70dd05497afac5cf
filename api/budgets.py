"""What a machine's key may spend: a bucket of points for each, filled evenly, in this process.

A point is what `resolvers/engine/limits.py` counts. A full bucket holds a minute's worth, and never less than the
dearest operation there is, so a machine that waits can do everything that it may do at all.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID

from models.identity.rules import BUDGET_LEAST

MINUTE = 60.0
KEPT = 10_000
"""Keys whose buckets are kept; one that is forgotten begins with a full one."""


class Budgets:
    """The buckets of this process."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._budget: dict[UUID, int] = {}
        self._filled: OrderedDict[UUID, tuple[float, float]] = OrderedDict()
        """(points in it, when that was)"""

    def allow(self, key: UUID, budget: int) -> None:
        """Says how many points a minute a key may spend."""
        self._budget[key] = budget
        if key not in self._filled:
            self._filled[key] = (float(budget), self.now())
            if len(self._filled) > KEPT:
                gone, _ = self._filled.popitem(last=False)
                del self._budget[gone]

    def spend(self, key: UUID, points: int) -> int:
        """Takes points out of a key's bucket: 0. If it has too few, takes none: after how many seconds it would do."""
        if key not in self._filled:  # forgotten among too many others; the next look in the database says what it may
            self.allow(key, BUDGET_LEAST)
        budget, now = self._budget[key], self.now()
        left, at = self._filled[key]
        left = min(float(budget), left + (now - at) * budget / MINUTE)
        self._filled.move_to_end(key)
        enough = left >= points
        self._filled[key] = (left - points if enough else left, now)
        return 0 if enough else max(1, math.ceil((points - left) * MINUTE / budget))
