"""A token into an Actor, and an Actor into a token.

A token is for one person in one capacity. What it says is checked against the database when it is first seen and
once a minute after that, so that a revoked membership ends within a minute; in between it costs a dictionary look-up.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from api.settings import Settings
from models import clock
from models.access import PUBLIC_ACTOR, Actor, Claims, Role
from models.people.queries import actor_of
from models.pool import Pool

ISSUER = "wushe"
AUDIENCE = "wushe-api"
ALGORITHMS = ["HS256"]
LIFETIME = timedelta(hours=12)
RECHECK = 60.0
KEPT = 20_000
LONGEST = 2_000
REQUIRED: dict[str, Any] = {
    "iss": {"essential": True, "value": ISSUER},
    "aud": {"essential": True, "value": AUDIENCE},
    "exp": {"essential": True},
    "iat": {"essential": True},
    "sub": {"essential": True},
}


class NotSignedIn(Exception):
    """A token that is not ours, has ended, or names a capacity that its person does not have."""


class Tokens:
    """Signs and reads tokens."""

    def __init__(self, secret: bytes, pool: Pool) -> None:
        self.key = OctKey.import_key(secret)
        self.pool = pool
        self._known: OrderedDict[str, tuple[Actor, float]] = OrderedDict()

    def issue(self, claims: Claims, now: datetime, lifetime: timedelta = LIFETIME) -> str:
        """A signed token."""
        said: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(claims.person),
            "role": claims.role.value,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
        }
        if claims.membership is not None:
            said["membership"] = str(claims.membership)
        return jwt.encode({"alg": "HS256"}, said, self.key, algorithms=ALGORITHMS)

    async def actor(self, authorization: str | None, now: datetime) -> Actor:
        """Who sends this header; the public without one. Raises NotSignedIn."""
        if not authorization:
            return PUBLIC_ACTOR
        known = self._known.get(authorization)
        if known is not None and now.timestamp() < known[1]:
            return known[0]
        return await self._look(authorization, now)

    async def _look(self, authorization: str, now: datetime) -> Actor:
        claims, ends = self._read(authorization, now)
        async with self.pool.connection() as connection:
            actor = await actor_of(connection, claims.person, claims.role, claims.membership, now)
        if actor is None:
            self._known.pop(authorization, None)
            raise NotSignedIn("that capacity has ended")
        self._known[authorization] = (actor, min(ends, now.timestamp() + RECHECK))
        self._known.move_to_end(authorization)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return actor

    def _read(self, authorization: str, now: datetime) -> tuple[Claims, float]:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > LONGEST:
            raise NotSignedIn("not a bearer token")
        try:
            said = jwt.decode(token.strip(), self.key, algorithms=ALGORITHMS).claims
            jwt.JWTClaimsRegistry(now=int(now.timestamp()), **REQUIRED).validate(said)
            membership = said.get("membership")
            claims = Claims(UUID(said["sub"]), Role(said["role"]), None if membership is None else UUID(membership))
            return claims, float(said["exp"])
        except (JoseError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise NotSignedIn(type(error).__name__) from error


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
            return Tokens(settings.secret(), pool).issue(claims, clock.now())
        finally:
            await pool.close()

    return asyncio.run(find())
