"""How a client asks, as its headers say: read once for all of its requests that say the same.

A client sends the same headers with each request, but for the length of the body. What they mean (who asks, from where, what
may be answered) is looked up by them; a request with a header that means something for it alone is none of these.
"""

from __future__ import annotations

from typing import NamedTuple

from api import strict
from api.accept import SPEC, Accepted, accepted
from api.address import FORWARDED, client_address
from api.asgi import Scope
from api.auth import bearer
from api.operations import Failed
from api.protocol import written
from api.security import NOTHING

PLAIN_TYPE = b"application/json; charset=utf-8"
SPEC_TYPE = b"application/graphql-response+json; charset=utf-8"
LENGTH = b"content-length"
ALIKE = frozenset(
    {
        *(b"host", b"user-agent", b"connection", b"authorization", b"content-type", LENGTH, b"referer", FORWARDED),
        *(b"accept", b"accept-encoding", b"accept-language", b"cache-control", b"pragma", b"x-real-ip", b"priority"),
    }
)
"""Headers that say the same with each request of a client, or nothing to us."""
LONGEST = 2_000
"""Bytes of headers that are remembered."""
MOST = 2_000


class Means(NamedTuple):
    """What the headers of a plain request mean: JSON by POST, answered by JSON."""

    authorization: str | None
    token: str | None
    """The token that it has."""
    address: str | None
    takes: Accepted
    gzip: bool
    media: bytes
    """The media type of its answers."""
    lines: bytes
    """The headers of a plain answer, written; the request's name is put into them."""


class Known:
    """The means of those who have asked lately, behind so many proxies."""

    def __init__(self, proxies: int) -> None:
        self.proxies = proxies
        self._kept: dict[tuple[object, ...], Means] = {}

    def of(self, scope: Scope) -> Means | None:
        """The means of a POST; None for one that has to be looked at by itself."""
        client = scope["client"]
        key = (client and client[0], *[pair for pair in scope["headers"] if pair[0] != LENGTH])
        return self._kept.get(key) or self._read(scope, key)

    def _read(self, scope: Scope, key: tuple[object, ...]) -> Means | None:
        given: dict[bytes, bytes] = dict(scope["headers"])
        if len(given) != len(scope["headers"]) or not given.keys() <= ALIKE:
            return None
        takes = accepted(given.get(b"accept"))
        if takes.json is None or takes.prefers_events or not _is_json(given.get(b"content-type", b"")):
            return None
        sent = given.get(b"authorization")
        authorization = None if sent is None else sent.decode("latin-1")
        means = Means(
            authorization,
            bearer(authorization),
            client_address(scope, self.proxies),
            takes,
            b"gzip" in given.get(b"accept-encoding", b""),
            media(takes),
            written(headed(media(takes), b"%b")),
        )
        if sum(len(name) + len(value) for name, value in given.items()) <= LONGEST:
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[key] = means
        return means


def headed(media: bytes, request_id: bytes) -> list[tuple[bytes, bytes]]:
    """What every answer of GraphQL has as headers."""
    return [
        (b"content-type", media),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", NOTHING),
        (b"x-request-id", request_id),
    ]


def media(takes: Accepted) -> bytes:
    """The media type of an answer, as its header has it."""
    return SPEC_TYPE if takes.json == SPEC else PLAIN_TYPE


def _is_json(content_type: bytes) -> bool:
    try:
        return strict.plain_json(content_type)
    except Failed:
        return False
