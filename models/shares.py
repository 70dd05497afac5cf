"""Who may hold how many of a pool's connections: slow statements do not hold up fast ones.

Each kind of work, a statement's text or a mutation's name, has a line of its own. Of a pool's connections

- the runs of one kind hold at most a half,
- all kinds that are slow hold at most a third together,
- all that are slow or have never been run hold at most two thirds together;

so a third is always left to what has proven fast. What the platform does for itself (tokens, keys, the audit log) is
short and never held back. Lines are served in turn, so that a long one takes nothing from a short one. Why it is so,
and what it costs: docs/decisions/slow-statements.md.
"""

from __future__ import annotations

import asyncio
import collections
import time
from typing import Any

SLOW = 0.2
"""Seconds that a kind of work takes, on average or right now, from which on it counts as slow."""
WEIGHT = 0.25
"""How much the newest run counts in the average."""
LONGEST = 1.0
"""Seconds that one run counts at most: after the slowest one, six fast ones and it is fast again."""
MOST = 5_000
"""Kinds that are remembered; when there are more, those of which nothing runs are forgotten."""


class Line:
    """One kind of work: how many connections it holds, how long its runs take, and who waits to run it."""

    __slots__ = ("fast", "held", "moved", "pace", "waiting")

    def __init__(self) -> None:
        self.held = 0
        self.pace: float | None = None
        """Seconds that a run takes, on average; None before the first has ended."""
        self.fast = False
        """Whether that is known, and short."""
        self.moved = 0.0
        """When the last run ended, or the first of those that run now began."""
        self.waiting: collections.deque[asyncio.Future[Any]] = collections.deque()

    def slow(self, now: float) -> bool:
        """Whether it takes long, or some of it runs and nothing of it has come to an end for long."""
        if self.pace is not None and not self.fast:
            return True
        return self.held > 0 and now - self.moved >= SLOW


class Shares:
    """The lines of one pool of `size` connections."""

    def __init__(self, size: int) -> None:
        self.one, self.slow, self.unproven = (-(-size * sixths // 6) for sixths in (3, 2, 4))
        """The most that one kind holds, slow ones together, and slow and new ones together: rounded up."""
        self.clock = time.monotonic
        self.own = Line()
        """What the platform does for itself."""
        self.lines: dict[Line, None] = {}
        """Those in which somebody waits, the next one first."""
        self.known: dict[str, Line] = {}
        """The lines by what they are for."""
        self._busy: set[Line] = set()

    @property
    def waiting(self) -> int:
        """How many wait, in all lines."""
        return sum(len(line.waiting) for line in self.lines)

    @property
    def slow_held(self) -> int:
        """Connections that slow work holds now."""
        now = self.clock()
        return sum(line.held for line in self._busy if line.slow(now))

    def line(self, kind: str) -> Line:
        """The line of a kind of work."""
        found = self.known.get(kind)
        if found is None:
            if len(self.known) >= MOST:
                self.known = {k: v for k, v in self.known.items() if v.held or v.waiting}
            found = self.known[kind] = Line()
        return found

    def admits(self, line: Line) -> bool:
        """Whether one more connection may go to a line, if there is one."""
        if line is self.own:
            return True
        if line.held >= self.one:
            return False
        now = self.clock()
        if line.fast and (line.held == 0 or now - line.moved < SLOW):
            return True
        slow = unproven = 0
        for each in self._busy:
            if each.slow(now):
                slow += each.held
            elif each.pace is None:
                unproven += each.held
        return slow + unproven < self.unproven and (slow < self.slow or not line.slow(now))

    def at_once(self, line: Line, now: float) -> bool:
        """Gives a connection to a line that is known to be fast and has its share free; False for any other."""
        held = line.held
        if held == 0:
            if not line.fast or line.waiting:
                return False
            line.moved = now
            self._busy.add(line)
        elif not line.fast or held >= self.one or now - line.moved >= SLOW or line.waiting:
            return False
        line.held = held + 1
        return True

    def taken(self, line: Line) -> None:
        """A connection goes to a line."""
        if line.held == 0 and line is not self.own:
            line.moved = self.clock()
            self._busy.add(line)
        line.held += 1

    def given_back(self, line: Line, began: float | None = None) -> None:
        """A connection comes back from a line. `began`: when the run did that has ended, if there was one."""
        line.moved = now = self.clock()
        line.held = held = line.held - 1
        if held == 0:
            self._busy.discard(line)
        if began is not None:
            seconds, pace = now - began, line.pace
            if seconds > LONGEST:
                seconds = LONGEST
            line.pace = pace = seconds if pace is None else pace + (seconds - pace) * WEIGHT
            line.fast = pace < SLOW

    def stand(self, line: Line, handed: asyncio.Future[Any]) -> None:
        """Somebody waits, behind whoever waits in the same line."""
        line.waiting.append(handed)
        self.lines[line] = None

    def leave(self, line: Line, handed: asyncio.Future[Any]) -> None:
        """Somebody waits no more, with or without a connection."""
        if handed in line.waiting:
            line.waiting.remove(handed)
        if not line.waiting:
            self.lines.pop(line, None)

    def next(self) -> asyncio.Future[Any] | None:
        """Who gets the next connection: the first of the first line that may have one, which goes behind the others.

        It counts as given.
        """
        for line in list(self.lines):
            while line.waiting and line.waiting[0].done():  # whose patience has just ended
                line.waiting.popleft()
            if line.waiting and self.admits(line):
                del self.lines[line]
                handed = line.waiting.popleft()
                if line.waiting:
                    self.lines[line] = None
                self.taken(line)
                return handed
        return None

    def turn_away(self, why: Exception) -> None:
        """Nobody gets one any more."""
        for line in self.lines:
            for handed in line.waiting:
                if not handed.done():
                    handed.set_exception(why)
