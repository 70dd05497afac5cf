"""What everybody may spend: buckets of points for each key, person and network address, shared by all processes.

A point is what `resolvers/engine/limits.py` counts. A process takes a lease from a bucket's row, a part of what is in
it, and spends that by itself: a request within its lease costs two look-ups and two subtractions. Leases that run low
are renewed beside the requests, all in one statement (`models/limits.py`). Only who asks for more than the lease holds
waits for that statement. What is left of a lease when its owner has gone quiet flows back.

Whoever is new has a small advance, which is reckoned against his first lease: one who asks little has no row at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from uuid import UUID

import asyncpg
import structlog
from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode, OperationType

from api import metrics
from api.logs import traced
from api.rates import Rates
from models import clock
from models.access import PUBLIC_ACTOR, Actor
from models.identity.accounts.rules import network
from models.identity.rules import BUDGET_LEAST
from models.limits import MINUTE, Wish, take
from models.pool import LOST, Pool
from models.problems import Busy
from models.vault import Locked
from resolvers.engine.documents import Document

log = structlog.get_logger("wushe.limits")

ADVANCE = 1 / 50
"""Of a bucket, what a process lets somebody new spend before it has asked: once a minute, in each process, this much
may go uncounted. It is all by which the sum over the processes can exceed a bucket."""
LEASE = 1 / 16
"""Of a bucket, what a process takes in advance."""
ALONE = 1 / 4
"""Of a bucket's flow, what a process lets through while the database is away: four of them keep the limit."""
DRY = 0.5
"""Seconds in which a bucket that had too little is not asked again."""
QUIET = 5.0
"""Seconds without a request after which a lease flows back."""
KEPT = 20_000
"""Buckets of each kind in this process's memory; then those go that nobody used since the last look."""
BATCH = 1_000
"""Buckets in one statement."""
PATIENCE = 0.25
"""Seconds that a request waits for a lease; then it is refused."""
OUTAGE = 1.0
"""Seconds that a renewal may take, and between two while the database is away."""

OPERATION = 1
"""Points of any operation, refused ones included."""
MUTATION = 25
"""Points of a mutation besides what it asks for: it writes its own row, its key's and the audit log's."""
STRANGE_TOKEN = 50
"""Points of a token that is not ours: an unknown key costs a look at the database."""
FILE = 200
"""Points of a file that is made to be fetched."""
ATTACHMENT = 50
"""Points of a file that lies there."""
FREE, PIECE = 16_000, 4_000
"""Bytes of a body or a message that cost nothing, and how many beyond those cost a point: reading them costs 10 to 40 ns
each, so that a megabyte is dearer than a page of a list."""
SIGN_INS = frozenset({"signInWithPassword", "signInWithWechat", "accountActivate"})
"""What is counted by the sign-ins' own bucket too: each costs a slow hash or a call of the WeChat platform."""


class Bucket:
    """What this process holds of one bucket."""

    __slots__ = ("asking", "at", "debt", "dry", "leased", "left", "low", "name", "need", "size", "used")

    def __init__(self, name: str, size: float, now: float) -> None:
        self.name, self.size, self.at = name, size, now
        self.left = self.debt = max(1.0, size * ADVANCE)
        """`debt`: how much of what it spends, or may spend, the shared bucket has not been told."""
        self.low = self.left / 2
        self.need = 0.0
        self.dry = -math.inf
        """Until when the shared bucket is not asked again."""
        self.used = True
        self.leased = False
        """Whether the shared bucket was ever asked."""
        self.asking: asyncio.Future[None] | None = None

    def wish(self) -> Wish:
        """What to ask for: debts, and a lease, or what somebody waits for if that is more."""
        most = max(1.0, self.size * LEASE, self.need)
        return Wish(self.name, min(self.debt + max(0.0, most - self.left), self.size), self.size)

    def receive(self, wished: float, got: float, now: float) -> None:
        """Takes what the shared bucket gave; debts are paid first."""
        paid = min(got, self.debt)
        self.debt -= paid
        self.left += got - paid
        self.low = max(1.0, self.size * LEASE) / 2
        self.leased = True
        self.need = 0.0
        self.at = now
        self.dry = now + DRY if got < wished - 0.5 else -math.inf

    def alone(self, wished: float, now: float) -> None:
        """Fills by itself, slowly: the database is away."""
        self.left += min(max(0.0, wished - self.debt), (now - self.at) * self.size / MINUTE * ALONE)
        self.need = 0.0
        self.at = now
        self.dry = now + OUTAGE

    def seconds(self, points: float) -> int:
        """After how long it would hold so many points, if nobody else spent any."""
        return max(1, min(math.ceil((points - self.left) * MINUTE / self.size), math.ceil(MINUTE)))


class Family:
    """The buckets of one kind: of persons, say."""

    def __init__(self, word: str, size: float, kept: int) -> None:
        self.word, self.size, self.most = word, size, kept
        self.kept: dict[object, Bucket] = {}

    def make(self, who: object, size: float, now: float) -> Bucket:
        """A new bucket; if there are too many, one that nobody used of late goes, and none that is just being asked."""
        made = self.kept[who] = Bucket(f"{self.word} {who}", size, now)
        for looks in range(9):
            if len(self.kept) <= self.most:
                break
            oldest = next(iter(self.kept))
            found = self.kept.pop(oldest)
            if found.asking is not None or (found.used and looks < 8):
                found.used = False
                self.kept[oldest] = found
        return made


class Limits:
    """The limits of this process, over the buckets that all share."""

    def __init__(
        self, pool: Pool, rates: Rates, *, now: Callable[[], float] = time.monotonic, kept: int = KEPT
    ) -> None:
        self.pool, self.rates, self.now = pool, rates, now
        self.keys = Family("key", BUDGET_LEAST, kept)
        self.people = Family("person", rates.person, kept)
        self.anonymous = Family("anonymous", rates.anonymous, kept)
        self.addresses = Family("address", rates.address, kept)
        self.sign_ins = Family("sign-in", rates.sign_in, kept)
        self.families = (self.keys, self.people, self.anonymous, self.addresses, self.sign_ins)
        self.away = False
        """Whether the last renewal failed."""
        self.renewals = 0
        self._budgets: dict[UUID, int] = {}
        self._due: list[Bucket] = []
        self._renewing: asyncio.Task[None] | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._settling: set[asyncio.Task[None]] = set()
        self._kept = kept

    def allow(self, key: UUID, budget: int) -> None:
        """Says how many points a minute a key may spend. Until that is said it is the least."""
        self._budgets.pop(key, None)
        self._budgets[key] = budget
        if len(self._budgets) > self._kept:
            del self._budgets[next(iter(self._budgets))]
        bucket = self.keys.kept.get(key)
        if bucket is not None and bucket.size != budget:
            bucket.left = min(bucket.left, max(1.0, budget * LEASE))
            bucket.size = budget

    def spend(self, actor: Actor, address: str | None, points: float) -> bool:
        """Takes points from whoever asks, and from where he asks; from neither when one has too few at hand."""
        who, where = self._of(actor, address)
        if who.left < points or where.left < points:
            return False
        who.left -= points
        where.left -= points
        who.used = where.used = True
        if who.left < who.low:
            self._ask(who)
        if where.left < where.low:
            self._ask(where)
        return True

    async def afford(self, actor: Actor, address: str | None, points: float) -> int:
        """Takes points, and waits for a lease where there are too few at hand: 0, or after how many seconds it would do.

        What a bucket cannot hold at all costs all that it can.
        """
        who, where = self._of(actor, address)
        points = min(points, who.size, where.size)
        if self.spend(actor, address, points):
            return 0
        await self._leased(points, who, where)
        if self.spend(actor, address, points):
            return 0
        return self._short(points, who, where)

    def arrive(self, actor: Actor, address: str | None, points: float = OPERATION) -> int:
        """Takes what an operation costs before anything is known of it: 0, or after how many seconds it would do.

        Who is merely waiting for his lease is let through, by a debt: it is a point.
        """
        if self.spend(actor, address, points):
            return 0
        now = self.now()
        who, where = self._of(actor, address)
        for bucket in (who, where):
            if bucket.left < points:
                if now < bucket.dry or bucket.left < -bucket.size * ADVANCE:
                    return self._short(points, who, where)
                self._ask(bucket)
        who.left -= points
        where.left -= points
        who.used = where.used = True
        return 0

    def fine(self, address: str | None, points: float = OPERATION, actor: Actor = PUBLIC_ACTOR) -> None:
        """Takes from whoever asks what a request costs that came to nothing: whether he can pay or not.

        Who is not known is one of the strangers at his address. What they are fined is not taken from the address, which
        those share who are signed in there. Nothing, where no address is known: nobody pays for strangers.
        """
        if address is None:
            return
        who, _ = self._of(actor, address)
        who.left = min(who.left, max(who.left - points, -who.size * LEASE))
        who.used = True
        if who.left < who.low:
            self._ask(who)

    def closed(self, address: str | None) -> int:
        """0; where an address, or the strangers there, have used up everything, after how many seconds they may ask again.

        It is for those who are not known: a credential that is pays for itself.
        """
        if address is None:
            return 0
        now = self.now()
        for bucket in self._of(PUBLIC_ACTOR, address):
            if bucket.left < OPERATION and now < bucket.dry:
                return self._short(OPERATION, bucket)
        return 0

    async def enter(self, address: str | None, sign_ins: int) -> int:
        """Takes sign-ins from an address' bucket: 0, or after how many seconds it would do."""
        bucket = self._at(self.sign_ins, address)
        wanted = min(float(sign_ins), bucket.size)
        if bucket.left < wanted:
            await self._leased(wanted, bucket)
        if bucket.left < wanted:
            return self._short(wanted, bucket)
        bucket.left -= wanted
        bucket.used = True
        if bucket.left < bucket.low:
            self._ask(bucket)
        return 0

    async def close(self) -> None:
        """Gives back what was not used."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._renewing is not None:
            await asyncio.wait([self._renewing])
        await self._settle([b for f in self.families for b in f.kept.values() if b.leased])
        await asyncio.gather(*self._settling)

    def _of(self, actor: Actor, address: str | None) -> tuple[Bucket, Bucket]:
        where = self.addresses.kept.get(address) or self._at(self.addresses, address)
        if actor.key is not None:
            who = self.keys.kept.get(actor.key) or self._made(
                self.keys, actor.key, self._budgets.get(actor.key, BUDGET_LEAST)
            )
        elif actor.person is not None:
            who = self.people.kept.get(actor.person) or self._made(self.people, actor.person, self.rates.person)
        else:
            who = self.anonymous.kept.get(address) or self._at(self.anonymous, address)
        return who, where

    def _at(self, family: Family, address: str | None) -> Bucket:
        """The bucket of an address: of the whole network, for IPv6, which one subscriber has."""
        name = "" if address is None else network(address)
        return family.kept.get(name) or self._made(family, name, family.size)

    def _made(self, family: Family, who: object, size: float) -> Bucket:
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(QUIET, self._sweep)
        return family.make(who, size, self.now())

    def _short(self, points: float, *buckets: Bucket) -> int:
        short = [b for b in buckets if b.left < points] or list(buckets)
        metrics.RATE_LIMITED.labels(short[0].name.partition(" ")[0]).inc()
        return max(b.seconds(points) for b in short)

    # leases

    def _ask(self, bucket: Bucket) -> asyncio.Future[None] | None:
        """Sees to it that a bucket is asked with the next statement; None when it had nothing just now."""
        if bucket.asking is None:
            if self.now() < bucket.dry:
                return None
            loop = asyncio.get_running_loop()
            bucket.asking = loop.create_future()
            self._due.append(bucket)
            if self._renewing is None:
                self._renewing = loop.create_task(self._renew())
        return bucket.asking

    async def _leased(self, points: float, *buckets: Bucket) -> None:
        """Waits until those that have too few points at hand were asked; not for what was empty just now."""
        for _ in range(2):  # a statement may be under way that knows nothing of these points
            waiting = []
            for bucket in buckets:
                if bucket.left < points:
                    bucket.need = max(bucket.need, points)
                    asked = self._ask(bucket)
                    if asked is None:
                        return
                    waiting.append(asked)
            if not waiting:
                return
            await asyncio.wait(waiting, timeout=PATIENCE)

    async def _renew(self) -> None:
        """Renews leases until none is due: one statement for all that are, then for those that have come meanwhile."""
        try:
            while self._due:
                batch, self._due = self._due[:BATCH], self._due[BATCH:]
                wishes = [bucket.wish() for bucket in batch]
                got = await self._taken(wishes)
                now = self.now()
                for bucket, wish in zip(batch, wishes, strict=True):
                    if got is None:
                        bucket.alone(wish.points, now)
                    else:
                        bucket.receive(wish.points, got.pop(wish.name, 0.0), now)
                    asking, bucket.asking = bucket.asking, None
                    if asking is not None and not asking.done():
                        asking.set_result(None)
        finally:
            self._renewing = None

    async def _taken(self, wishes: list[Wish]) -> dict[str, float] | None:
        """What the shared buckets gave; None when the database is away."""
        self.renewals += 1
        metrics.RENEWALS.inc()
        try:
            async with asyncio.timeout(OUTAGE), self.pool.connection() as connection:
                got = await take(connection, await self.pool.vault.keys(connection), wishes, clock.now())
        except (*LOST, asyncpg.PostgresError, Busy, Locked, TimeoutError) as no:
            if not self.away:
                log.warning("limits stand alone", error=type(no).__name__)
        except Exception as bug:  # whoever waits for his lease must not wait for ever
            log.error("bug", error=traced(bug))
        else:
            self.away = False
            metrics.ALONE.set(0)
            return got
        self.away = True
        metrics.ALONE.set(1)
        return None

    # quiet ones

    def _sweep(self) -> None:
        """Lets go of whoever has not asked since the last look: his lease flows back, or his debt is told."""
        now, settled = self.now(), []
        for family in self.families:
            for who, bucket in list(family.kept.items()):
                if bucket.used or bucket.asking is not None:
                    bucket.used = False
                elif bucket.leased:
                    settled.append(bucket)
                    del family.kept[who]
                elif now - bucket.at > MINUTE:
                    del family.kept[who]
        loop = asyncio.get_running_loop()
        if settled:
            task = loop.create_task(self._settle(settled))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)
        self._sweeping = loop.call_later(QUIET, self._sweep) if any(f.kept for f in self.families) else None

    async def _settle(self, buckets: list[Bucket]) -> None:
        """Tells the shared buckets what is left, or owed. Nobody waits for it; what cannot be told ages out."""
        wishes = [Wish(b.name, b.debt - b.left, b.size) for b in buckets if b.debt != b.left]
        with contextlib.suppress(asyncio.CancelledError):
            for start in range(0, len(wishes), BATCH):
                await self._taken(wishes[start : start + BATCH])


def weight(size: int) -> int:
    """What the bytes of a body or a message cost, whatever they say."""
    return max(0, -((FREE - size) // PIECE))


def price(document: Document, points: int) -> int:
    """What an operation costs besides OPERATION; `points` is what it asks for."""
    return points + MUTATION if document.kind is OperationType.MUTATION else points


def sign_ins(document: Document) -> int:
    """How many sign-ins an operation tries, whatever fragments they are in."""
    if document.kind is not OperationType.MUTATION:
        return 0
    found, open_ = 0, [document.operation.selection_set]
    while open_:
        for node in open_.pop().selections:
            if isinstance(node, FieldNode):
                found += node.name.value in SIGN_INS
            elif isinstance(node, FragmentSpreadNode):
                open_.append(document.measure.fragments[node.name.value].selection_set)
            elif isinstance(node, InlineFragmentNode):
                open_.append(node.selection_set)
    return found
