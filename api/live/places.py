"""How many sockets and streams may be open in this process: in all, and of one address or one caller."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Hashable, Iterator

from api import errors, metrics
from api.operations import Failed


class Places:
    """The places of a process. `each`: of one address, and of one caller, over all his addresses."""

    def __init__(self, most: int, each: int) -> None:
        self.most, self.each = most, each
        self.closed = False
        """Whether the process is about to end: nobody is let in any more."""
        self._taken: Counter[Hashable] = Counter()
        self._all = 0

    @contextlib.contextmanager
    def one(self, kind: str, *whose: Hashable) -> Iterator[None]:
        """A place in all, and among those of each in `whose`. Raises Failed: BUSY or TOO_MANY_CONNECTIONS."""
        if self.closed or self._all >= self.most:
            raise Failed(errors.BUSY, "the process is stopping" if self.closed else "no place is free")
        self._all += 1
        metrics.OPEN.labels(kind).inc()
        try:
            with self.among(*whose):
                yield
        finally:
            metrics.OPEN.labels(kind).dec()
            self._all -= 1

    @contextlib.contextmanager
    def among(self, *whose: Hashable) -> Iterator[None]:
        """A place among those of each in `whose`, for somebody who has one in all. Raises Failed."""
        known = [who for who in whose if who is not None]
        if any(self._taken[who] >= self.each for who in known):
            raise Failed(errors.TOO_MANY_CONNECTIONS)
        self._taken.update(known)
        try:
            yield
        finally:
            for who in known:
                self._taken[who] -= 1
                if not self._taken[who]:
                    del self._taken[who]
