"""Requests that can be read in one way only: JSON in UTF-8 whose keys are each given once, one charset, one of each header.

Whoever stands in front (a firewall, a proxy, a log) must not have read something else than we do.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from api import errors
from api.operations import Failed

ONCE = (b"authorization", b"content-type", b"content-encoding", b"host", b"origin", b"x-wushe-now", b"x-wushe-wal")
"""Headers of which the last would silently count."""


INSIDE = 20_000
"""Lists and objects in a text, counted without reading it: each is some memory that Python looks through for cycles, so
that a megabyte of empty lists cost it a fifth of a second. No operation of ours needs a tenth of them."""


class Unread(ValueError):
    """A text that is no JSON in UTF-8, or says something twice."""


def loads(body: bytes | str) -> Any:
    """What JSON says. Raises Unread.

    Whether a key is given twice is found without a second reader, so that no text costs much more than to be read: of a
    key that is given twice one is kept, and what was read, written again, has fewer of them than the text.
    """
    text = body.encode() if isinstance(body, str) else body
    if len(text) > INSIDE and text.count(b"[") + text.count(b"{") > INSIDE:
        raise Unread("too many lists and objects")
    try:
        said = orjson.loads(text)
    except (ValueError, RecursionError):
        raise Unread("not JSON in UTF-8") from None
    if _keys(said) == text.count(KEY) and SPACED.search(text) is None:
        return said
    try:
        again = orjson.dumps(said)
    except TypeError:
        raise Unread("nested too deeply") from None
    if b"\\u00" in text:
        text, again = _plainer(text), _plainer(again)
    if text.translate(None, SPACE).count(KEY) != again.translate(None, SPACE).count(KEY):
        raise Unread("a key is given twice")
    return said


def _keys(said: Any) -> int:
    """How many keys a plain request has; -1 for anything else, which is looked at more closely."""
    if type(said) is not dict:
        return -1
    keys = len(said)
    for value in said.values():
        if type(value) is dict:
            keys += len(value)
            for inner in value.values():
                if type(inner) is dict or type(inner) is list:
                    return -1
        elif type(value) is list:
            return -1
    return keys


SPACED = re.compile(rb'"[ \t\r\n]+:')
"""A key that `KEY` does not count. Where there is none, `KEY` stands at least as often in a text as it has keys: so that,
where it stands no more often than keys were read, each of them is there once."""
SPACE = b" \t\r\n"
KEY = b'":'
"""What is behind each key once there are no spaces. Within strings it may stand too: but there as often in the text as in
what is written again, since both write a quote, a colon and a space in the same way; `_plainer` sees to that."""
ESCAPED = {rb"\u005c": b"", rb"\u005C": b"", rb"\u0022": rb"\"", rb"\u003a": b":", rb"\u003A": b":", rb"\u0020": b" "}


def _plainer(text: bytes) -> bytes:
    """A text whose quotes, colons and spaces are written in one way only. It is no JSON any more, merely counted."""
    text = text.replace(rb"\\", b"")  # then each backslash that is left begins another escape
    for escaped, plain in ESCAPED.items():
        text = text.replace(escaped, plain)
    return text


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
