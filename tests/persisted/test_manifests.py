"""Manifests, as the tools of front ends write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.manifests import BYTES, DOCUMENTS, LONGEST, Entry, Unreadable, digest, read

ONE, TWO = "query One { __typename }", "{ __typename }"
APOLLO = {
    "format": "apollo-persisted-query-manifest",
    "version": 1,
    "operations": [
        {"id": digest(ONE), "name": "One", "type": "query", "body": ONE},
        {"id": digest(TWO), "name": "", "type": "query", "body": TWO, "clientName": None},
    ],
}


def test_apollos_form() -> None:
    assert read(json.dumps(APOLLO).encode()) == [
        Entry(digest(ONE), "One", ONE),
        Entry(digest(TWO), digest(TWO)[:12], TWO),
    ]


@pytest.mark.parametrize("prefix", ["", "sha256:"])
def test_the_plain_form_of_relay_urql_and_codegen(prefix: str) -> None:
    found = read(json.dumps({prefix + digest(text): text for text in (ONE, TWO)}).encode())
    assert found == [Entry(digest(ONE), "One", ONE), Entry(digest(TWO), digest(TWO)[:12], TWO)]


@given(st.dictionaries(st.integers(), st.text(min_size=1).filter(lambda s: s.isprintable()), min_size=1, max_size=20))
def test_what_is_hashed_is_read_as_it_was(texts: dict[int, str]) -> None:
    found = read(json.dumps({digest(text): text for text in texts.values()}).encode())
    assert {e.text for e in found} == set(texts.values())
    assert all(e.hash == digest(e.text) and e.name for e in found)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (b"\xff", "it is not JSON in UTF-8"),
        (b"[]", "it is not a JSON object"),
        (b"{}", "it holds no document"),
        (b" " * (BYTES + 1), f"it is longer than {BYTES:,} bytes"),
        ({digest(ONE): TWO}, f"the document {digest(ONE)} does not match its hash: its text has {digest(TWO)}"),
        ({digest(ONE): None}, f"the document '{digest(ONE)}' has no id or no text"),
        ({digest(ONE).upper(): ONE}, "lower-case hex"),
        ({"3be4abb81fa595e25eb725b2c6a87508": ONE}, "let the build hash with SHA-256"),
        ({digest(long := "#" * (LONGEST + 1)): long}, f"is longer than {LONGEST:,} bytes"),
        ({digest(str(n)): str(n) for n in range(DOCUMENTS + 1)}, f"it holds more than {DOCUMENTS:,} documents"),
        ({**APOLLO, "version": 2}, "its format is not apollo-persisted-query-manifest, version 1"),
        ({**APOLLO, "operations": {}}, "its `operations` are not a list"),
        ({**APOLLO, "operations": [1]}, "operation 0 is not an object"),
        ({**APOLLO, "operations": [{"id": digest(ONE), "body": TWO}]}, "does not match its hash"),
    ],
)
def test_what_cannot_be_taken(said: Any, wrong: str) -> None:
    with pytest.raises(Unreadable) as told:
        read(said if isinstance(said, bytes) else json.dumps(said).encode())
    assert wrong in str(told.value)
