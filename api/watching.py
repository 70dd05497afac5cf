"""An eye on queries that take long: their client may have left, or their time be up. Fast ones pay nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from api.asgi import Receive

T = TypeVar("T")
SLOW = 0.05
"""Seconds after which a query is watched, at the latest after twice as many."""


class Gone(Exception):
    """The client has left; nobody waits for an answer."""


class Watched:
    """A query that takes long: who waits for its client, and why it was ended."""

    __slots__ = ("task", "watcher", "why")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        self.watcher: asyncio.Task[None] | None = None
        self.why: type[BaseException] | None = None


class Watching:
    """All queries that are being answered; each has so many seconds."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self._running: dict[asyncio.Task[Any], tuple[Receive | None, float]] = {}
        """Where its client is heard of, and since when it runs."""
        self._watched: dict[asyncio.Task[Any], Watched] = {}
        self._looking = False

    async def run(self, work: Coroutine[Any, Any, T], receive: Receive | None) -> T:
        """What the work answers. Raises Gone when the client leaves meanwhile, and TimeoutError after the deadline."""
        me = self.begin(receive)
        try:
            return await work
        except asyncio.CancelledError:
            self.told(me)
            raise
        finally:
            self.end(me)

    def begin(self, receive: Receive | None) -> asyncio.Task[Any]:
        """Counts this task, which answers a query, as running: until `end`, where `told` is asked if it was cancelled."""
        me = asyncio.current_task()
        assert me is not None
        self._running[me] = receive, time.monotonic()
        if not self._looking:
            self._looking = True
            me.get_loop().call_later(SLOW, self._look)
        return me

    def told(self, me: asyncio.Task[Any]) -> None:
        """Raises why a query was ended, if it was ended from here."""
        watched = self._watched.get(me)
        if watched is not None and watched.why is not None:
            me.uncancel()
            raise watched.why() from None

    def end(self, me: asyncio.Task[Any]) -> None:
        """Counts it as running no more."""
        del self._running[me]
        if self._watched and (watched := self._watched.pop(me, None)) is not None and watched.watcher is not None:
            watched.watcher.cancel()

    def _look(self) -> None:
        """Begins to watch the queries that have run for long. One timer looks at all, so that fast ones need none."""
        loop = asyncio.get_running_loop()
        now = time.monotonic()
        for task, (receive, since) in self._running.items():
            if now - since >= SLOW and task not in self._watched:
                watched = self._watched[task] = Watched(task)
                watched.watcher = loop.create_task(self._watch(watched, receive, self.deadline - (now - since)))
        self._looking = bool(self._running)
        if self._looking:
            loop.call_later(SLOW, self._look)

    async def _watch(self, watched: Watched, receive: Receive | None, seconds: float) -> None:
        """Ends a query whose client leaves, or that has taken its time."""
        if receive is None:
            await asyncio.sleep(seconds)
            watched.why = TimeoutError
        else:
            leaves = asyncio.ensure_future(_left(receive))
            try:
                done, _ = await asyncio.wait([leaves], timeout=seconds)
            finally:
                leaves.cancel()
            watched.why = Gone if done else TimeoutError
        watched.task.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
