"""How much is written to the log: so many lines of a request, so many of all, and so much in a line, whatever is asked.

What is left out is counted, for Prometheus, and said in one line once there is room again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

from api import metrics

EACH = 5
"""Lines of one request. Its answer names it, so the first few are found."""
SECOND = 100
"""Lines of the whole process in a second, on the whole."""
BURST = 1_000
LONGEST = 2_000
"""Characters of one value; a list or an object is written as that many of its text."""
KEPT = 2_000
"""Requests whose lines are counted; one that is forgotten begins anew."""


class Bounds:
    """A processor of structlog that drops what is too much."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.dropped = 0
        """Lines since the last one that was let through."""
        self._room, self._at = float(BURST), now()
        self._of: OrderedDict[str, int] = OrderedDict()

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if not self._admits(event.get("request_id")):
            self.dropped += 1
            metrics.LOG_DROPPED.inc()
            raise structlog.DropEvent
        for name, value in event.items():
            if type(value) is str:
                event[name] = value[:LONGEST]
            elif value is not None and type(value) not in (int, float, bool):
                text = str(value)
                event[name] = value if len(text) <= LONGEST else text[:LONGEST]
        if self.dropped:
            event["dropped_before"], self.dropped = self.dropped, 0
        return event

    def _admits(self, request: Any) -> bool:
        now = self.now()
        self._room = min(float(BURST), self._room + (now - self._at) * SECOND)
        self._at = now
        if self._room < 1:
            return False
        if request is not None:
            said = self._of.get(request, 0)
            if said >= EACH:
                return False
            self._of[request] = said + 1
            if len(self._of) > KEPT:
                self._of.popitem(last=False)
        self._room -= 1
        return True
