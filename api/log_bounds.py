"""How much is written to the log: so many lines of a request, so many of all, and so much in a line, whatever is asked.

Errors have bounds of their own, which no number of warnings uses up: who sends garbage hides no bug.

What is left out is counted, for Prometheus, and said in one line once there is room again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from typing import Any

import structlog

from api import metrics

EACH = 5
"""Errors of one request, and other lines of it. Its answer names it, so the first few are found."""
SECOND = 100
"""Errors of the whole process in a second, on the whole, and other lines."""
BURST = 1_000
LONGEST = 2_000
"""Characters of one value; a list or an object is written as that many of its text."""
KEPT = 2_000
"""Requests whose lines are counted; one that is forgotten begins anew."""


named: ContextVar[tuple[str, str] | None] = ContextVar("named", default=None)
"""The name that a client gave to its request, and our own. By ours its lines are counted: a client may give many
requests the same name, or one of each name that it was answered."""
ERRORS = frozenset({"error", "exception", "critical", "fatal"})


class Room:
    """How many lines there is room for: so many at once, and so many a second."""

    def __init__(self, now: float) -> None:
        self.left, self.at = float(BURST), now

    def free(self, now: float) -> bool:
        """Whether there is room for a line."""
        self.left = min(float(BURST), self.left + (now - self.at) * SECOND)
        self.at = now
        return self.left >= 1


class Bounds:
    """A processor of structlog that drops what is too much."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.dropped = 0
        """Lines since the last one that was let through."""
        self._errors, self._others = Room(now()), Room(now())
        self._of: OrderedDict[tuple[str, bool], int] = OrderedDict()

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        request = event.get("request_id")
        given = named.get()
        if given is not None and request == given[0]:
            request = event["own_id"] = given[1]
        if not self._admits(request, method in ERRORS):
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

    def _admits(self, request: Any, error: bool) -> bool:
        room = self._errors if error else self._others
        if not room.free(self.now()):
            return False
        if request is not None:
            said = self._of.get((request, error), 0)
            if said >= EACH:
                return False
            self._of[request, error] = said + 1
            if len(self._of) > KEPT:
                self._of.popitem(last=False)
        room.left -= 1
        return True
