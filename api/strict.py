"""Requests that can be read in one way only: JSON in UTF-8 whose keys are each given once, one charset, one of each header.

Whoever stands in front (a firewall, a proxy, a log) must not have read something else than we do.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from api import errors
from api.operations import Failed

ONCE = (b"authorization", b"content-type", b"content-encoding", b"host", b"origin", b"x-wushe-now", b"x-wushe-wal")
"""Headers of which the last would silently count."""


class Unread(ValueError):
    """A text that is no JSON in UTF-8, or says something twice."""


def loads(body: bytes | str) -> Any:
    """What JSON says. Raises Unread."""
    try:
        said = orjson.loads(body)
    except (ValueError, RecursionError):
        raise Unread("not JSON in UTF-8") from None
    text = body.encode() if isinstance(body, str) else body
    if text.translate(None, SPACE).count(b'":') != _keys(said) and _repeats(text):
        raise Unread("a key is given twice")
    return said


SPACE = b" \t\r\n"


def _keys(said: Any) -> int:
    """How many keys there are in all objects.

    Without its spaces, a text has `":` after each key, and else only where a string has a quote and a colon. So a text
    that has no more of them than there are keys gives none twice, and Python's own reader, ten times slower, is spared.
    """
    count, deeper = 0, [said]
    for each in deeper:
        if type(each) is dict:
            count += len(each)
            each = each.values()
        elif type(each) is not list:
            continue
        for value in each:
            if value.__class__ is dict or value.__class__ is list:
                deeper.append(value)
    return count


class _Repeated(Exception):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _Repeated


def _repeats(text: bytes) -> bool:
    """Whether some object has a key twice, by Python's own reader."""
    try:
        json.loads(text, object_pairs_hook=_pairs, parse_int=len, parse_float=len)
    except _Repeated:
        return True
    except RecursionError:
        raise Unread("nested too deeply") from None
    return False


def plain_json(content_type: bytes) -> bool:
    """Whether a media type is JSON. Raises Failed (MEDIA_TYPE) for a charset other than UTF-8."""
    media, *parameters = content_type.lower().split(b";")
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"charset" and value.strip().strip(b'"') not in (b"utf-8", b"utf8"):
            raise Failed(errors.MEDIA_TYPE, "charset: only utf-8")
    return media.strip() == b"application/json"


def once(headers: list[tuple[bytes, bytes]]) -> None:
    """Raises Failed (MALFORMED) when a header that may be given once is given twice."""
    names = [name for name, _ in headers]
    for name in ONCE:
        if names.count(name) > 1:
            raise Failed(errors.MALFORMED, f"{name.decode()} is given twice")
