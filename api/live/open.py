"""What is open in this process, socket or stream: looked at once a second, so that deadlines need no timers of their own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

LOOK = 1.0
"""Seconds between two looks."""


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
