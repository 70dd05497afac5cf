"""Who watches what, and how it is told: subscriptions, carried by the relay's announcements.

A subscriber is a place in the order of events and nothing more: no answer waits for him in memory. An announcement of
the relay wakes those whose thing it names. Whoever is woken reads what is due behind his place, as the person he is and
at the time it is then, and never beyond what the relay has told: below that nothing can appear any more. So nothing is
lost, told twice or out of order, whether the announcement came late, the connection that listens was lost, or the
client was slow: it all is only read later.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import structlog
from graphql import ExecutionResult

from api import metrics
from api.limits import OPERATION, Limits
from models import clock
from models.access import Actor, Role
from models.events import read_cursor
from models.pool import LOST, Pool
from models.problems import Busy
from models.relay import CHANNEL, place, when
from resolvers.context import Context, asker
from resolvers.engine.changes import BATCH
from resolvers.engine.documents import Document
from resolvers.engine.engine import Engine, Refused, Subscription
from resolvers.engine.plans import BadInput, Place

MOST = 20_000
"""The most subscribers of one process."""
FRESH = 30.0
"""Seconds after which it is asked again whether a subscriber is still who he was, before he is told more."""
STALE = 1.0
"""Seconds after which what was read for a slow client is read anew: what he may see may have changed."""
SHARED = 0.2
"""Seconds for which what was read is given to whoever asks the very same."""
LOOK = 5.0
"""Seconds between two looks at how far the relay is, by which a connection that is dead without a word is found out."""
PATIENCE = 5.0
"""Seconds that a subscriber waits for the connection that listens, and that it waits for an answer."""
LONGEST_PAUSE = 1.0
"""Seconds between two attempts at what the database did not let us do."""
KEPT = timedelta(days=7)
"""How old the event of a cursor may be: as long as a key of idempotency is kept (I29)."""
PLANNED = {"application_name": "wushe live", "plan_cache_mode": "force_generic_plan"}
"""What the connections are told that read for subscribers. The statement that tells an event has thirty tables to plan,
and nothing of its plan depends on a value: planned once it takes a tenth of the time. Left to itself PostgreSQL plans it
anew for each delivery from the first ANALYZE of the events on, since it then takes its own guess for a short span of them
for the cheaper one."""
PASSES = (
    *LOST,
    Busy,
    TimeoutError,
    asyncpg.QueryCanceledError,
    asyncpg.TooManyConnectionsError,
    asyncpg.LockNotAvailableError,
    asyncpg.DiskFullError,
)
"""What is tried again: the subscriber is told later."""
CUT_OFF = 3
"""How often in a row what a subscriber asks for may be cut off, because it takes too long; then his subscription ends."""
NOBODY_THERE = BadInput("没有找到该记录，或您无权查看。", "NOT_FOUND")
NO_CURSOR = BadInput("续传位置无效：请原样使用收到的 cursor，或重新读取后再订阅。", "BAD_CURSOR")
OLD_CURSOR = BadInput("续传位置已超过 7 天：请重新读取后再订阅。", "CURSOR_TOO_OLD")

T = TypeVar("T")
Rows = Sequence[asyncpg.Record]
log = structlog.get_logger("wushe.live")


class Subscriber:
    """Somebody who watches a thing: his place, and how far what was announced of the thing goes."""

    __slots__ = (
        "actor", "asked", "at", "checked", "context", "due", "fresh", "joined", "paid", "place", "points", "shift", "woken",
    )  # fmt: skip

    def __init__(
        self, context: Context, asked: Subscription, points: int, fresh: Callable[[], Awaitable[Actor]]
    ) -> None:
        self.context, self.asked, self.points, self.fresh = context, asked, points, fresh
        """`points`: what each statement costs that is run for him."""
        self.paid = False
        """Whether his next statement is paid for."""
        self.actor: Any = context.actor
        self.checked = asyncio.get_running_loop().time()
        self.shift = timedelta(seconds=round((context.now - clock.now()).total_seconds()))
        """How far the clock that his request gave is from ours; it goes on as ours does."""
        self.place: Place = (0, 0)
        self.due: Place = (0, 0)
        self.joined: Place = (0, 0)
        self.at: datetime | None = None
        """When what is due was announced: whoever is woken by one announcement reads as of one time."""
        self.woken = asyncio.Event()

    def wake(self, due: Place, at: datetime | None) -> None:
        """Something may be due up to this place."""
        self.due, self.at = max(self.due, due), at
        self.woken.set()

    def request(self) -> Context:
        """His request as it is asked now."""
        now = clock.now()
        if self.at is not None and (now - self.at).total_seconds() < STALE:
            now = self.at
        now += self.shift
        return dataclasses.replace(
            self.context, actor=self.actor, asker=asker(self.actor, now), now=now, secrets={}, read=set()
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """A statement about to be run for a subscriber: as whom and up to where he reads."""

    request: Context
    final: bool
    due: Place
    sql: str
    arguments: list[Any]
    key: tuple[str, str]
    """The same for whoever asks the same with the same rights, at the same time and place."""


class Hub:
    """The subscribers of one process, and the one connection that hears for all of them."""

    def __init__(
        self, pool: Pool, engine: Engine, limits: Limits, written: Callable[[bytes | ExecutionResult, str], bytes]
    ) -> None:
        self.pool, self.engine, self.limits, self.written = pool, engine, limits, written
        self.told: Place = (0, 0)
        """How far the relay has told, as far as this process has heard."""
        self.reads = 0
        """Statements that read what was due."""
        self._there = asyncio.Event()
        self._watched: dict[UUID, set[Subscriber]] = {}
        self._open = 0
        self.reading = Pool(pool.url, max(1, pool.size // 2), patience=pool.patience)
        """The connections that read what is due: their own, so that nobody's request waits for them."""
        self.reading.settings = {**pool.settings, **PLANNED}
        self._slots = asyncio.Semaphore(self.reading.size)
        self._reading: dict[Any, asyncio.Task[Rows]] = {}
        self._listening: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    def __len__(self) -> int:
        return self._open

    async def start(self) -> None:
        """Begins to listen. The database may come later."""
        self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Ends every subscription, as one that may be tried again, and the listening."""
        self._closed.set()
        self._wake_all()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        if self._reading:
            await asyncio.wait(list(self._reading.values()))
        await self.reading.close()

    async def subscribe(
        self, context: Context, document: Document, *, fresh: Callable[[], Awaitable[Actor]]
    ) -> AsyncGenerator[bytes]:
        """The answers to a subscription as events call for them, in order, until the caller closes this.

        `fresh` says who he is by now: it is asked before he is told more when 30 s have gone by since, and what it
        raises ends this. Raises Refused for what is no good, and, at the beginning or later, for a thing that is not
        there for him (NOT_FOUND); Busy where he should come again later; TimeoutError for what takes too long again
        and again.

        The caller has taken what the operation costs; each statement by which he is told costs the same again. Where
        his points are short he is told later: nothing is lost.
        """
        points = max(OPERATION, document.cost(context.variables))
        me = Subscriber(context, self.engine.subscription(context, document), points, fresh)
        await self.ready()
        self._join(me)
        try:
            if me.asked.since is not None:
                me.place = await self._resumed(me, me.asked.since)
                me.wake(self.told, None)
            await self._must_see(me)
            while True:
                await me.woken.wait()
                me.woken.clear()
                if self._closed.is_set() or me.place > self.told:
                    raise Busy()
                while me.place < me.due:
                    told = False
                    async for answer in self._deliver(me):
                        yield answer
                        told = True
                    if told and me.asked.seconds:
                        await self._quiet(me.asked.seconds)
        finally:
            self._leave(me)

    # who is there

    async def ready(self) -> None:
        """Waits until it listens. Raises Busy where nobody can subscribe now."""
        if self._open >= MOST:
            raise Busy()
        if not self._there.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._there.wait()
        if self._closed.is_set() or not self._there.is_set():
            raise Busy()

    def _join(self, me: Subscriber) -> None:
        me.place = me.due = me.joined = self.told
        for key in me.asked.keys:
            self._watched.setdefault(key, set()).add(me)
        self._open += 1
        metrics.SUBSCRIBERS.set(self._open)

    def _leave(self, me: Subscriber) -> None:
        for key in me.asked.keys:
            watching = self._watched[key]
            watching.discard(me)
            if not watching:
                del self._watched[key]
        self._open -= 1
        metrics.SUBSCRIBERS.set(self._open)

    async def _resumed(self, me: Subscriber, since: str) -> Place:
        """The place of a cursor. Raises Refused for what is none, is too old, or is of events that never were."""
        try:
            found, said = read_cursor(since)
        except ValueError:
            raise Refused([NO_CURSOR]) from None
        oldest = clock.now() + me.shift - KEPT
        if said < oldest:
            raise Refused([OLD_CURSOR])

        async def happened() -> datetime | None:
            async with self.pool.connection() as connection:
                return await when(connection, *found)

        at = await self._surely(happened)
        if at is None:
            raise Refused([NO_CURSOR])
        if at < oldest:
            raise Refused([OLD_CURSOR])
        if found > self.told:  # another process heard of it before this one

            async def look() -> Place:
                async with self.pool.connection() as connection:
                    return await place(connection)

            there = await self._surely(look)
            if there > self.told:
                self.told = there
                self._wake_all()  # no look of ours finds it new any more
            if found > self.told:
                raise Refused([NO_CURSOR])
        return found

    async def _must_see(self, me: Subscriber) -> None:
        async def see() -> bool:
            plan, arguments = self.engine.sees(me.request(), me.asked)
            return bool(await self.pool.fetchval(plan.sql, *arguments))

        if me.asked.subject is None or not await self._surely(see):
            raise Refused([NOBODY_THERE])

    # what is told

    async def _deliver(self, me: Subscriber) -> AsyncIterator[bytes]:
        """The answers to the next events that are due, at most a batch; his place is behind them then."""
        loop = asyncio.get_running_loop()
        request, strict, due, rows = await self._read(me)
        read = loop.time()
        for row in rows:
            if not row["shown"]:
                raise Refused([NOBODY_THERE])
            if row["told"]:
                if loop.time() - read > STALE:
                    return
                answer = await self._answer(me, request, row, strict)
                me.place = row["xid"], row["id"]
                if me.place > me.joined and not me.shift:
                    metrics.DELIVERY_LAG.observe(metrics.age(row["at"], clock.now()))
                metrics.DELIVERIES.inc()
                yield answer
            me.place = row["xid"], row["id"]
        if len(rows) < BATCH:
            me.place = due

    async def _quiet(self, seconds: float) -> None:
        """Tells nothing for a while: what happens meanwhile is told at once after it. Raises Busy when everything ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closed.wait()
            raise Busy()

    async def _read(self, me: Subscriber) -> tuple[Context, bool, Place, Rows]:
        """For which request, whether the texts are final, up to where, and the events behind his place so far."""
        strict = True

        async def read() -> tuple[Context, bool, Place, Rows]:
            nonlocal strict
            await self._check(me)
            try:
                return await self._shared(me, strict)
            except asyncpg.DataError as error:
                if not strict:
                    raise Refused([BadInput("输入含有无法存储或超出范围的值。")], variables=True) from error
                strict = False
            return await self._shared(me, strict)

        return await self._surely(read)

    async def _check(self, me: Subscriber) -> None:
        """Asks who he is by now, where that is due. Raises what `fresh` raises."""
        now = asyncio.get_running_loop().time()
        if now - me.checked >= FRESH:
            me.actor = await me.fresh()
            me.checked = now

    async def _shared(self, me: Subscriber, strict: bool) -> tuple[Context, bool, Place, Rows]:
        """What he reads; whoever asks the same of the same at that time is given the same.

        Where he has to wait for his turn, he then reads all that was announced by then: the more there is to do, the
        more is done by one statement. Who begins a statement pays for it.
        """
        while True:
            made = self._made(me, strict)
            running = self._reading.get(made.key)
            if running is None:
                async with self._slots:
                    made = self._made(me, strict)
                    running = self._reading.get(made.key)
                    if running is None and self._pays(me):
                        running = self._begun(made)
                    if running is not None:
                        await asyncio.wait([running])
            if running is not None:
                return made.request, made.final, made.due, await asyncio.shield(running)
            await self._solvent(me)

    def _pays(self, me: Subscriber) -> bool:
        """Takes what a statement costs of him for whom it is run; False where he has too little."""
        if me.paid:
            me.paid = False
            return True
        return self.limits.spend(me.actor, me.context.address, me.points)

    async def _solvent(self, me: Subscriber) -> None:
        """Waits until his next statement is paid for. Raises Busy when everything ends before."""
        while seconds := await self.limits.afford(me.actor, me.context.address, me.points):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._closed.wait()
                raise Busy()
            await self._check(me)
        me.paid = True

    def _made(self, me: Subscriber, strict: bool) -> Reading:
        request, due = me.request(), me.due
        plan, arguments, final = self.engine.due(request, me.asked, (me.place, due), strict=strict)
        return Reading(request, final, due, plan.sql, arguments, (plan.sql, repr(arguments)))

    def _begun(self, made: Reading) -> asyncio.Task[Rows]:
        """A statement that runs now, and is known for a moment when it has."""
        running = self._reading[made.key] = asyncio.create_task(self._rows(made.sql, made.arguments))
        loop = asyncio.get_running_loop()

        def done(task: asyncio.Task[Rows]) -> None:
            if task.cancelled() or task.exception() is not None:
                del self._reading[made.key]
            else:
                loop.call_later(SHARED, self._reading.pop, made.key)

        running.add_done_callback(done)
        return running

    async def _rows(self, sql: str, arguments: list[Any]) -> Rows:
        async with self.reading.connection(sql) as connection:
            self.reads += 1
            rows: Rows = await connection.fetch(sql, *arguments)
            return rows

    async def _answer(self, me: Subscriber, request: Context, row: asyncpg.Record, strict: bool) -> bytes:
        """An event's answer, what is sealed in it opened; that is on the audit log before the answer goes out."""
        assert request.request_id is not None
        text = row["text"]
        if strict and text is None:  # a promise of non-null is broken somewhere: the standard path says where
            at = row["xid"], row["id"]

            async def again() -> bytes:
                before = (at[0], at[1] - 1)
                plan, arguments, _ = self.engine.due(request, me.asked, (before, at), strict=False)
                while not self._pays(me):
                    await self._solvent(me)
                async with self._slots:
                    rows = await self._rows(plan.sql, arguments)
                found: bytes = rows[0]["text"]
                return found

            text, strict = await self._surely(again), False

        async def opened() -> bytes:
            plain = await request.unmark(text)
            if request.read or request.actor.role is Role.AUDITOR:
                await request.note_reading()
            return plain

        plain: bytes = await self._surely(opened) if b"\x01" in text else text
        if strict:
            return plain
        return self.written(await self.engine.told(request, me.asked, plain), request.request_id)

    async def _surely(self, work: Callable[[], Awaitable[T]]) -> T:
        """Does something, as often as it takes while the database is away or busy.

        Raises TimeoutError when it was cut off CUT_OFF times: it is what is asked for that takes too long. When
        everything ends, raises what was in the way.
        """
        pause, cut = 0.05, 0
        while True:
            try:
                return await work()
            except PASSES as problem:
                if self._closed.is_set():
                    raise
                cut += isinstance(problem, asyncpg.QueryCanceledError)
                if cut == CUT_OFF:
                    raise TimeoutError from problem
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)

    # what is heard

    async def _listen(self) -> None:
        """Listens, and listens again whenever the connection is lost: then everybody looks what he has missed."""
        pause = 0.05
        while True:
            try:
                async with self._ears() as connection:
                    pause = 0.05
                    await self._hear(connection)
            except PASSES as problem:
                log.warning("not listening", error=type(problem).__name__)
            except asyncpg.PostgresError as problem:
                log.error("not listening", error=type(problem).__name__)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    @contextlib.asynccontextmanager
    async def _ears(self) -> AsyncIterator[asyncpg.Connection]:
        settings = {**self.pool.settings, "application_name": "wushe live"}
        connection = await asyncpg.connect(self.pool.url, timeout=PATIENCE, server_settings=settings)
        try:
            yield connection
        finally:
            connection.terminate()

    async def _hear(self, connection: asyncpg.Connection) -> None:
        """Hears until the connection is lost. The look is after the listening began, so that nothing lies between."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(CHANNEL, self._announced)
        before = self.told
        async with asyncio.timeout(PATIENCE):
            there = await place(connection)
        # what was heard meanwhile may be further; it is behind only where a database was put back
        self.told = there if self.told == before else max(self.told, there)
        self._there.set()
        self._wake_all()
        while not lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await lost.wait()
                return
            async with asyncio.timeout(PATIENCE):
                there = await place(connection)
            if there > self.told:
                self.told = there
                self._wake_all()

    def _announced(self, connection: Any, pid: int, channel: str, payload: object) -> None:
        """Wakes those whose things a batch was about; all, where it does not say."""
        said = json.loads(str(payload))
        self.told = max(self.told, (int(said["xid"]), int(said["id"])))
        if "subjects" not in said:
            self._wake_all()
            return
        now = clock.now()
        for subject in said["subjects"]:
            for subscriber in self._watched.get(UUID(subject), ()):
                subscriber.wake(self.told, now)

    def _wake_all(self) -> None:
        now = clock.now()
        for watching in self._watched.values():
            for subscriber in watching:
                subscriber.wake(self.told, now)
