"""What accounts need of the world outside: who asks and from where, and somebody who hashes passwords."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from models.pool import Pool


class Asking(Protocol):
    """A request, before its transaction begins."""

    @property
    def pool(self) -> Pool: ...

    @property
    def actor(self) -> Any: ...

    @property
    def now(self) -> datetime: ...

    @property
    def address(self) -> str | None: ...


class Passwords(Protocol):
    """Slow hashes of passwords, off the event loop, a few at once. Asked for while no transaction is open."""

    async def hash(self, password: str) -> str:
        """A new hash with its parameters. Raises Busy when too many wait."""

    async def verify(self, known: str | None, password: str) -> bool:
        """Whether a password is the one that was hashed. None, for nobody's, costs as much and is false. Raises Busy."""

    def stale(self, known: str) -> bool:
        """Whether a hash was made with other parameters than new ones are."""
