"""Manifests of trusted documents: what a front end's build says of every operation that it will ever send.

Two forms are read: Apollo's (`generate-persisted-query-manifest`, an object with `format` and `operations`), and the
plain object of ids and texts that Relay's compiler, urql's users and graphql-codegen write. In both an id must be the
SHA-256 of its text in lower-case hex, so that nobody can publish one text under another one's name; Relay says so with
`persistConfig: {algorithm: "SHA256"}`, graphql-codegen with `hashAlgorithm: "sha256"`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import Any

import orjson

DOCUMENTS, BYTES, LONGEST = 5_000, 8_000_000, 100_000
"""Documents and bytes of one manifest, and bytes of one document, at most."""
HASH = re.compile(r"[0-9a-f]{64}")
OPERATION = re.compile(r"\b(?:query|mutation|subscription)\s+([_A-Za-z][_0-9A-Za-z]*)")


class Unreadable(Exception):
    """A manifest that cannot be taken; says in English what is wrong with it, for whoever runs the command."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One document of a manifest."""

    hash: str
    """SHA-256 of the text in UTF-8, in lower-case hex."""
    name: str
    """The operation's name, for people; of an anonymous one the beginning of its hash."""
    text: str


def digest(text: str) -> str:
    """The hash that names a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def read(body: bytes) -> list[Entry]:
    """The documents of a manifest, each once, in its order. Raises Unreadable."""
    if len(body) > BYTES:
        raise Unreadable(f"it is longer than {BYTES:,} bytes")
    try:
        said = orjson.loads(body)
    except ValueError:
        raise Unreadable("it is not JSON in UTF-8") from None
    if not isinstance(said, dict):
        raise Unreadable("it is not a JSON object")
    entries = _apollo(said) if "operations" in said or "format" in said else _plain(said)
    if not entries:
        raise Unreadable("it holds no document")
    if len(entries) > DOCUMENTS:
        raise Unreadable(f"it holds more than {DOCUMENTS:,} documents")
    return list(entries.values())


def _apollo(said: dict[str, Any]) -> dict[str, Entry]:
    if said.get("format") != "apollo-persisted-query-manifest" or said.get("version") != 1:
        raise Unreadable("its format is not apollo-persisted-query-manifest, version 1")
    operations = said.get("operations")
    if not isinstance(operations, list):
        raise Unreadable("its `operations` are not a list")
    out: dict[str, Entry] = {}
    for n, operation in enumerate(operations):
        if not isinstance(operation, dict):
            raise Unreadable(f"operation {n} is not an object")
        out |= _entry(operation.get("id"), operation.get("body"), operation.get("name"))
    return out


def _plain(said: dict[str, Any]) -> dict[str, Entry]:
    out: dict[str, Entry] = {}
    for hash, text in said.items():
        out |= _entry(hash.removeprefix("sha256:"), text, None)
    return out


def _entry(hash: Any, text: Any, name: Any) -> dict[str, Entry]:
    """A checked entry by its hash. Raises Unreadable."""
    if not isinstance(hash, str) or not isinstance(text, str):
        raise Unreadable(f"the document {str(hash)[:80]!r} has no id or no text")
    if not HASH.fullmatch(hash):
        raise Unreadable(f"the id {hash[:80]!r} is no SHA-256 in lower-case hex: let the build hash with SHA-256")
    if len(text.encode()) > LONGEST:
        raise Unreadable(f"the document {hash} is longer than {LONGEST:,} bytes")
    if (found := digest(text)) != hash:
        raise Unreadable(f"the document {hash} does not match its hash: its text has {found}")
    if not isinstance(name, str) or not name:
        named = OPERATION.search(text)
        name = named[1] if named else hash[:12]
    return {hash: Entry(hash, name[:200], text)}
