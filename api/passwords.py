"""Passwords are hashed by argon2id, in threads of their own, so that nobody's guessing takes the machine from the rest.

At most two are hashed at once, and few may wait: whoever comes when the line is full is told that the server is busy,
at no cost.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from models.problems import Busy

T = TypeVar("T")

AT_ONCE = 2
WAITING = 16
"""Hashes that may wait besides: with a tenth of a second for each, the last waits less than one."""

THOROUGH = PasswordHasher(time_cost=2, memory_cost=64 * 1024, parallelism=1)
"""64 MiB twice over, about 0.1 s of a core: above what OWASP's cheat sheet asks for (19 MiB twice over)."""
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""For test mode only."""


class Hasher:
    """The passwords' hasher of one process (`models.identity.accounts.ports.Passwords`)."""

    def __init__(self, algorithm: PasswordHasher = THOROUGH, *, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self.algorithm, self.most = algorithm, at_once + waiting
        self.under_way = 0
        """Hashes that run or wait."""
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="argon2")
        self._nobodys = nobodys(algorithm)

    async def hash(self, password: str) -> str:
        """A new hash. Raises Busy."""
        return await self._run(self.algorithm.hash, password)

    async def verify(self, known: str | None, password: str) -> bool:
        """Whether a password is the one that was hashed; for None the same work, and false. Raises Busy."""
        found = await self._run(self._verified, known or self._nobodys, password)
        return found and known is not None

    def stale(self, known: str) -> bool:
        """Whether a hash was made with other parameters than new ones are."""
        return self.algorithm.check_needs_rehash(known)

    def _verified(self, known: str, password: str) -> bool:
        try:
            return self.algorithm.verify(known, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[..., T], *given: Any) -> T:
        if self.under_way >= self.most:
            raise Busy()
        loop = asyncio.get_running_loop()
        self.under_way += 1

        def done(future: Future[T]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody counts any more
                loop.call_soon_threadsafe(self._left)

        future = self._threads.submit(work, *given)
        future.add_done_callback(done)  # whoever leaves the line gives his place up; what runs holds it to its end
        return await asyncio.wrap_future(future)

    def _left(self) -> None:
        self.under_way -= 1


def nobodys(algorithm: PasswordHasher) -> str:
    """A hash that no password has, and that takes as long to find out as any other."""

    def random(size: int) -> str:
        return base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")

    costs = f"m={algorithm.memory_cost},t={algorithm.time_cost},p={algorithm.parallelism}"
    return f"$argon2id$v=19${costs}${random(algorithm.salt_len)}${random(algorithm.hash_len)}"
