"""JSON is read in one way only, and what it costs to find that out is no more than to read it."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import orjson
import pytest

from api import strict

WORDS = [":", '\\"', "\\\\", "\\u0022", "\\u003a", "\\u003A", "\\u0020", " ", "a", "\\n", "\\u005c", "\\u005C", "u0022"]
HOSTILE = {
    "strings": b'[":",' + b",".join([b'":"'] * 240_000) + b"]",
    "escapes": b"[" + b",".join([b'"\\u0022:"'] * 90_000) + b"]",
    "objects": b'["\\":",' + b",".join([b'{"a":{}}'] * 9_900) + b"]" + b" " * 800_000,
}


class Twice(Exception):
    pass


def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in found}) != len(found):
        raise Twice
    return dict(found)


def value(chance: random.Random, depth: int = 0) -> str:
    """Some JSON, spaced anyhow, of strings that look like keys."""

    def string() -> str:
        return '"' + "".join(chance.choice(WORDS) for _ in range(chance.randrange(5))) + '"'

    def space() -> str:
        return chance.choice(["", " ", "\n", "\t "])

    kind = chance.random()
    if depth > 3 or kind < 0.4:
        return string()
    if kind < 0.5:
        return chance.choice(["1", "null", "1.50", "-0"])
    if kind < 0.65:
        return "[" + ",".join(space() + value(chance, depth + 1) for _ in range(chance.randrange(4))) + "]"
    keys = [string() for _ in range(chance.randrange(5))]
    if keys and chance.random() < 0.4:
        keys.append(chance.choice(keys))
    said = [space() + key + space() + ":" + space() + value(chance, depth + 1) + space() for key in keys]
    return "{" + ",".join(said) + "}"


def test_a_key_is_given_twice_where_another_reader_says_so() -> None:
    chance = random.Random(5)
    seen = {True: 0, False: 0}
    for _ in range(20_000):
        text = value(chance)
        try:
            json.loads(text, object_pairs_hook=pairs)
            twice = False
        except Twice:
            twice = True
        seen[twice] += 1
        if twice:
            with pytest.raises(strict.Unread, match="twice"):
                strict.loads(text)
        else:
            assert strict.loads(text) == orjson.loads(text)
    assert min(seen.values()) > 1_000


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_text_costs_many_times_what_its_reading_costs(kind: str) -> None:
    """Measured against the reading itself, so that a slow machine is none the wiser."""
    text = HOSTILE[kind]
    assert len(text) < 1_000_000

    def least(read: Any) -> float:
        taken = []
        for _ in range(5):
            began = time.process_time()
            read(text)
            taken.append(time.process_time() - began)
        return min(taken)

    assert least(strict.loads) < 3 * least(orjson.loads) + 0.01


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(strict.Unread):
        strict.loads("[" * 500 + "]" * 500)
    assert strict.loads("[" * 200 + "]" * 200)


@pytest.mark.parametrize("inside", [b"[]", b"{}"])
def test_what_has_too_many_lists_and_objects_is_not_even_read(inside: bytes) -> None:
    text = b'["\\":",' + b",".join([inside] * 330_000) + b"]"
    began = time.process_time()
    with pytest.raises(strict.Unread, match="too many"):
        strict.loads(text)
    assert time.process_time() - began < 0.02
    assert len(strict.loads(b"[" + b",".join([inside] * 19_000) + b"]")) == 19_000
