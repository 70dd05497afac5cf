"""Access tokens: signed for a quarter of an hour, read without the database, and worth nothing without their sign-in.

Each names the data key that signed it, so keys rotate while tokens are out: a new key signs, the older ones still
read, until they are retired. HS256 and nothing else: whoever reads is whoever signs.
"""

from __future__ import annotations

import dataclasses
import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from models.access import Claims, Role
from models.identity.rules import ACCESS
from models.vault import Keys, Kind

ISSUER = "wushe"
AUDIENCE = "wushe-api"
TYPE = "at+jwt"
"""RFC 9068: no other kind of signed text passes for an access token."""
ALGORITHM = "HS256"
SKEW = 5
"""Seconds by which one machine's clock may run before another's: a token is not refused for being signed just now elsewhere."""
LONGEST = 2_000
"""Characters of a token."""
DEMO = timedelta(hours=12)
"""How long a demo token lasts. It has no sign-in; production makes none, and takes none."""


class BadToken(Exception):
    """Not one of our tokens, or not one that counts now."""


class UnknownKey(BadToken):
    """It names a key that is not here: made by another process just now, retired, or never."""


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """What a token says, and when it ends: seconds since 1970."""

    claims: Claims
    ends: float


def sign(keys: Keys, claims: Claims, now: datetime, lifetime: timedelta = ACCESS) -> str:
    """A token, signed by the newest key."""
    id, secret = keys.secret(Kind.TOKEN)
    said: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(claims.person),
        "role": claims.role.value,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
        "jti": secrets.token_urlsafe(12),
    }
    if claims.membership is not None:
        said["membership"] = str(claims.membership)
    if claims.sign_in is not None:
        said["sid"] = str(claims.sign_in)
    header = {"alg": ALGORITHM, "typ": TYPE, "kid": str(id)}
    return jwt.encode(header, said, OctKey.import_key(secret), algorithms=[ALGORITHM])


def read(keys: Keys, token: str, now: datetime, at: datetime | None = None) -> Read:
    """What a token says. Raises BadToken, and UnknownKey when another look at the vault may help.

    `at` is the time that a request says it is, outside production: it counts for tokens of a sign-in, which were
    signed at such times too.
    """
    if len(token) > LONGEST:
        raise BadToken("too long")
    try:
        said = jwt.decode(token, lambda guest: _key(keys, guest.headers()), algorithms=[ALGORITHM]).claims
        return _judged(said, now, at)
    except (JoseError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadToken(type(error).__name__) from error


def _key(keys: Keys, header: dict[str, Any]) -> OctKey:
    if header.get("alg") != ALGORITHM or header.get("typ") != TYPE:
        raise BadToken("another kind of token")
    named = header["kid"]
    secret = keys.secrets(Kind.TOKEN).get(UUID(named))
    if secret is None:
        raise UnknownKey("an unknown key")
    return OctKey.import_key(secret)


def _judged(said: dict[str, Any], now: datetime, at: datetime | None) -> Read:
    """The claims, each of which must be there and of its kind. An end is an end: no leeway there."""
    if said["iss"] != ISSUER or said["aud"] != AUDIENCE:
        raise BadToken("not from here, or not for here")
    sign_in, membership = said.get("sid"), said.get("membership")
    today = (now if at is None or sign_in is None else at).timestamp()
    if (
        not isinstance(said["jti"], str)
        or _second(said["iat"]) > today + SKEW
        or _second(said.get("nbf", 0)) > today + SKEW
    ):
        raise BadToken("not yet")
    ends = _second(said["exp"])
    if ends <= today:
        raise BadToken("expired")
    claims = Claims(
        UUID(said["sub"]),
        Role(said["role"]),
        None if membership is None else UUID(membership),
        None if sign_in is None else UUID(sign_in),
    )
    return Read(claims, ends)


def _second(value: Any) -> int:
    if type(value) is not int:
        raise BadToken("no number of seconds")
    return value
