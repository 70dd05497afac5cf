"""A header into an Actor: an access token of somebody's sign-in, or a machine's key.

What it says is checked against the database when it is first seen and once a minute after that, so that an ended
sign-in, a revoked membership and a revoked key end within a minute; in between it costs a dictionary look-up.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import asyncpg

from api.settings import Settings
from models import clock
from models.access import PUBLIC_ACTOR, Actor, Claims
from models.identity.queries import PREFIX, actor_of, machine_of, note_use
from models.identity.tokens import DEMO, BadToken, Read, UnknownKey, read, sign
from models.pool import LOST, Pool
from models.problems import Busy

RECHECK = 60.0
KEPT = 20_000
LONGEST = 4_096
"""Characters of a credential: what is longer is not looked at."""
TOKEN = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
"""Whatever else a reader might pass over: one credential is remembered once."""
LOOKS = 1.0
"""Seconds between two looks at the vault for a key that is not known: garbage asks for no more."""


class NotSignedIn(Exception):
    """A token or key that is not ours, has ended, or names a capacity that its person does not have."""


class Tokens:
    """Reads tokens and keys. `demo`: also tokens without a sign-in, and keys for trying things out; never in production."""

    def __init__(
        self, pool: Pool, *, demo: bool, allow: Callable[[UUID, int], None] = lambda key, budget: None
    ) -> None:
        self.pool, self.demo, self.allow = pool, demo, allow
        """`allow` is told how many points a minute a key may spend, whenever that was looked up."""
        self._known: OrderedDict[str, tuple[Actor, float, float]] = OrderedDict()
        """Who sends a token, and until when that stands: in seconds since 1970, and by a clock that nobody puts back."""
        self._looked = 0.0
        self._noting: set[asyncio.Task[None]] = set()

    async def issue(self, claims: Claims, now: datetime) -> str:
        """A demo token: for twelve hours, and of no sign-in."""
        assert self.demo
        async with self.pool.connection() as connection:
            return sign(await self.pool.vault.keys(connection), claims, now, DEMO)

    async def actor(self, authorization: str | None, now: datetime, at: datetime | None = None) -> Actor:
        """Which person sends this header; the public without one. Raises NotSignedIn, for a machine's key too."""
        actor = await self.caller(authorization, now, at)
        if actor.key is not None:
            raise NotSignedIn("keys open /graphql only")
        return actor

    async def caller(self, authorization: str | None, now: datetime, at: datetime | None = None) -> Actor:
        """Who or what sends this header; the public without one. Raises NotSignedIn.

        `at`: the time that the request says it is, outside production: a sign-in or key must count then. It is looked
        up each time.
        """
        if not authorization:
            return PUBLIC_ACTOR
        token = bearer(authorization)
        if at is None and token is not None and (known := self.at_hand(token, now)) is not None:
            return known
        if token is None or len(authorization) > LONGEST:
            raise NotSignedIn("not a bearer token")
        return await self._look(token, now, at)

    def at_hand(self, token: str, now: datetime) -> Actor | None:
        """Who sends this token, where that was looked up within the last minute and still stands."""
        known = self._known.get(token)
        if known is not None and now.timestamp() < known[1] and time.monotonic() < known[2]:
            return known[0]
        return None

    def knows(self, authorization: str) -> bool:
        """Whether a credential was good when it was last looked at, which may be a while ago: it is nobody's guess."""
        return authorization[SCHEME:] in self._known

    def until(self, authorization: str | None, now: datetime) -> float:
        """When who sends this header is to be asked for again: at his token's end, at the latest in a minute.

        By `time.monotonic()`. For those whose connection lasts longer than a request.
        """
        known, at = self._known.get((authorization or "")[SCHEME:]), time.monotonic()
        return at + RECHECK if known is None else min(known[2], at + max(0.0, known[1] - now.timestamp()))

    async def _look(self, token: str, now: datetime, at: datetime | None) -> Actor:
        if not TOKEN.fullmatch(token):
            raise NotSignedIn("not a bearer token")
        look = self._machine if token.startswith(PREFIX) else self._person
        try:
            actor, ends = await look(token, now, at)
        except NotSignedIn:
            if at is None:
                self._known.pop(token, None)
            raise
        if at is None:
            self._known[token] = (actor, min(ends, now.timestamp() + RECHECK), time.monotonic() + RECHECK)
            self._known.move_to_end(token)
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return actor

    async def _person(self, token: str, now: datetime, at: datetime | None) -> tuple[Actor, float]:
        try:
            said = await self._said(token, now, at)
        except BadToken as no:
            raise NotSignedIn(str(no)) from no
        if said.claims.sign_in is None and not self.demo:
            raise NotSignedIn("a token of no sign-in")
        when = now if at is None or said.claims.sign_in is None else at
        async with self.pool.connection() as connection:
            actor = await actor_of(connection, said.claims, when)
        if actor is None:
            raise NotSignedIn("that capacity, or that sign-in, has ended")
        return actor, said.ends

    async def _said(self, token: str, now: datetime, at: datetime | None) -> Read:
        """What a token says, by the keys of this minute. Raises BadToken. Garbage costs no connection."""
        keys = self.pool.vault.held
        if keys is not None:
            with contextlib.suppress(UnknownKey):
                read(keys, token, now, at)
                async with self.pool.connection() as connection:
                    keys = await self.pool.vault.keys(connection)
                return read(keys, token, now, at)
            if time.monotonic() < self._looked + LOOKS:
                raise BadToken("an unknown key")
        self._looked = time.monotonic()
        async with self.pool.connection() as connection:
            keys = await self.pool.vault.keys(connection, newest=True)
        return read(keys, token, now, at)

    async def _machine(self, key: str, now: datetime, at: datetime | None) -> tuple[Actor, float]:
        async with self.pool.connection() as connection:
            found = await machine_of(connection, key, at or now, live=not self.demo)
        if found is None or found.actor.key is None:
            raise NotSignedIn("no such key, or it has ended")
        self.allow(found.actor.key, found.budget)
        noting = asyncio.ensure_future(self._note(found.actor.key, at or now))
        self._noting.add(noting)
        noting.add_done_callback(self._noting.discard)
        return found.actor, found.until.timestamp()

    async def _note(self, key: UUID, now: datetime) -> None:
        """Writes that a key was used, beside the request. It does not matter much, so it does not fail it."""
        with contextlib.suppress(*LOST, Busy, TimeoutError, asyncpg.PostgresError):
            async with self.pool.connection() as connection:
                await note_use(connection, key, now)

    async def settle(self) -> None:
        """Waits for what is still being written."""
        await asyncio.gather(*self._noting)


SCHEME = len("Bearer ")


def bearer(authorization: str | None) -> str | None:
    """What a header has behind the scheme Bearer and one space; None for another scheme."""
    if authorization is None or authorization[:SCHEME].lower() != "bearer ":
        return None
    return authorization[SCHEME:]


def issue_demo_token(role: str, settings: Settings) -> str:
    """A token for a role's demo account. Raises LookupError, in a sentence, when there is none."""
    from models.seed import account

    async def find() -> str:
        pool = Pool(settings.database_url or "", 1)
        try:
            async with pool.connection() as connection:
                claims = await account(connection, role)
            if claims is None:
                raise LookupError(f"There is no demo account for {role!r}: load the demo data, and see ./wushe help.")
            return await Tokens(pool, demo=True).issue(claims, clock.now())
        finally:
            await pool.close()

    return asyncio.run(find())
