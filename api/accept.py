"""Which form of an answer a client takes: its `Accept`, read as RFC 9110 §12.5.1 has it."""

from __future__ import annotations

import dataclasses
import functools

SPEC, PLAIN, EVENTS = "application/graphql-response+json", "application/json", "text/event-stream"
LONGEST = 500
"""Bytes of an `Accept` that is remembered; clients send a handful of different ones."""


@dataclasses.dataclass(frozen=True, slots=True)
class Accepted:
    """What may be answered with. `json`: the kind of JSON, None where none is taken."""

    json: str | None
    events: bool
    """Whether an event stream may be sent."""
    prefers_events: bool
    """Whether an event stream is what the client wants most: above all JSON, or in its place,
    as with `text/*`. Merely listing it beside
    JSON, as urql does for every query, is no wish for one."""


ANYTHING = Accepted(PLAIN, events=True, prefers_events=False)
USUAL = {None: ANYTHING, b"*/*": ANYTHING, b"application/json": Accepted(PLAIN, events=False, prefers_events=False)}


def accepted(accept: bytes | None) -> Accepted:
    """What a client takes. Without the header it takes anything."""
    found = USUAL.get(accept)
    if found is not None:
        return found
    assert accept is not None
    return _read(accept) if len(accept) <= LONGEST else _read.__wrapped__(accept)


@functools.lru_cache(maxsize=200)
def _read(accept: bytes) -> Accepted:
    ranges = _ranges(accept.decode("latin-1").lower())
    spec, plain, events = (_quality(ranges, media) for media in (SPEC, PLAIN, EVENTS))
    if SPEC not in ranges:
        spec = 0.0  # `*/*` is plain JSON: that is what a client means that does not know the other
    best = max(spec, plain)
    json = None if best <= 0 else SPEC if spec >= plain else PLAIN
    return Accepted(json, events > 0, events > best and (EVENTS in ranges or json is None))


def _ranges(accept: str) -> dict[str, float]:
    """Media ranges and their quality. One that cannot be read counts as not wanted."""
    out: dict[str, float] = {}
    for part in accept.split(","):
        media, *parameters = [p.strip() for p in part.split(";")]
        if media:
            out[media] = max(out.get(media, 0.0), next((_q(p[2:]) for p in parameters if p.startswith("q=")), 1.0))
    return out


def _q(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0


def _quality(ranges: dict[str, float], media: str) -> float:
    """That of the most specific range that a type lies in."""
    for found in (media, f"{media.partition('/')[0]}/*", "*/*"):
        if found in ranges:
            return ranges[found]
    return 0.0
