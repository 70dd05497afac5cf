"""What is open in this process, socket or stream: looked at once a second, so that deadlines need no timers of their own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

LOOK = 1.0
"""Seconds between two looks."""
STUCK = 10.0
"""Seconds after which a client that takes nothing is let go."""


class Lasting(Protocol):
    """Something that stays open."""

    def look(self) -> None:
        """Does what time asks for."""


T = TypeVar("T", bound=Lasting)


class Open(Generic[T]):
    """All that are open of one kind."""

    def __init__(self) -> None:
        self.all: set[T] = set()
        self._looking = False

    @contextlib.contextmanager
    def one(self, lasting: T) -> Iterator[None]:
        """It is open while the block runs."""
        self.all.add(lasting)
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_later(LOOK, self._look)
        try:
            yield
        finally:
            self.all.discard(lasting)

    def _look(self) -> None:
        for lasting in list(self.all):
            lasting.look()
        self._looking = bool(self.all)
        if self._looking:
            asyncio.get_running_loop().call_later(LOOK, self._look)


class Taking:
    """Whether a client takes what is sent: how many messages wait for him, and since when none has gone."""

    __slots__ = ("loop", "since", "waiting")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.waiting, self.since = 0, self.loop.time()

    def __enter__(self) -> None:
        if not self.waiting:
            self.since = self.loop.time()
        self.waiting += 1

    def __exit__(self, *_: object) -> None:
        self.waiting -= 1
        self.since = self.loop.time()

    @property
    def stuck(self) -> bool:
        """Whether he has taken nothing for too long."""
        return self.waiting > 0 and self.loop.time() - self.since > STUCK
