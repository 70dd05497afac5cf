"""An eye on queries that take long: their client may have left, or their time be up. Fast ones pay nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from api.asgi import Receive

T = TypeVar("T")
SLOW = 0.05
"""Seconds after which a query is watched, at the latest after twice as many."""


class Gone(Exception):
    """The client has left; nobody waits for an answer."""


class Running:
    """A query that is being answered: since when, for whom, and why it was ended."""

    __slots__ = ("receive", "since", "task", "watcher", "why")

    def __init__(self, task: asyncio.Task[Any], receive: Receive | None, since: float) -> None:
        self.task, self.receive, self.since = task, receive, since
        self.watcher: asyncio.Task[None] | None = None
        self.why: type[BaseException] | None = None


class Watching:
    """All queries that are being answered; each has so many seconds."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self._running: set[Running] = set()
        self._looking = False

    async def run(self, work: Coroutine[Any, Any, T], receive: Receive | None) -> T:
        """What the work answers. Raises Gone when the client leaves meanwhile, and TimeoutError after the deadline."""
        me = asyncio.current_task()
        assert me is not None
        loop = me.get_loop()
        running = Running(me, receive, loop.time())
        self._running.add(running)
        if not self._looking:
            self._looking = True
            loop.call_later(SLOW, self._look)
        try:
            return await work
        except asyncio.CancelledError:
            if running.why is None:
                raise
            me.uncancel()
            raise running.why() from None
        finally:
            self._running.discard(running)
            if running.watcher is not None:
                running.watcher.cancel()

    def _look(self) -> None:
        """Begins to watch the queries that have run for long. One timer looks at all, so that fast ones need none."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for running in self._running:
            if running.watcher is None and now - running.since >= SLOW:
                running.watcher = loop.create_task(self._watch(running, self.deadline - (now - running.since)))
        self._looking = bool(self._running)
        if self._looking:
            loop.call_later(SLOW, self._look)

    async def _watch(self, running: Running, seconds: float) -> None:
        """Ends a query whose client leaves, or that has taken its time."""
        if running.receive is None:
            await asyncio.sleep(seconds)
            running.why = TimeoutError
        else:
            leaves = asyncio.ensure_future(_left(running.receive))
            try:
                done, _ = await asyncio.wait([leaves], timeout=seconds)
            finally:
                leaves.cancel()
            running.why = Gone if done else TimeoutError
        running.task.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
