"""Queries built from the schema: everything that can be read from a root, relations to a depth."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg
import orjson
import pytest
from graphql import GraphQLField, GraphQLSchema, get_named_type, is_abstract_type, is_leaf_type

from models.access import Actor
from resolvers.context import asker
from resolvers.engine import limits, words
from resolvers.engine.engine import Engine, Request
from tests.conftest import NOW

GIVEN = {
    "from": '"2025-11-01"',
    "to": '"2026-11-30"',
    "level": "COMMUNITY",
    "byMonth": "false",
    "months": "12",
}
"""What reports are asked with."""


@contextlib.contextmanager
def without_limits() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TOKENS", "DEPTH", "ALIASES", "COST", "FIELDS"):
            patch.setattr(limits, name, 10**8)
        yield


class Crawler:
    """Asks as one caller, on one connection."""

    def __init__(self, engine: Engine, actor: Actor, connection: asyncpg.Connection) -> None:
        self.engine, self.actor, self.connection = engine, actor, connection
        self.schema: GraphQLSchema = engine.schema
        self.statements = 0

    async def fetchval(self, sql: str, *args: Any) -> Any:
        self.statements += 1
        return await self.connection.fetchval(sql, *args)

    async def ask(self, text: str, **variables: Any) -> Any:
        """The data, by the fast path."""
        request = Request(text, variables, None, self.actor, asker(self.actor, NOW), self)
        document = self.engine.document(request)
        found = await self.engine.fast(request, document, self.engine.coerced(document, request))
        assert found is not None, ("not by the fast path", self.actor, text)
        return orjson.loads(found)["data"]

    def roots(self) -> dict[str, GraphQLField]:
        """What can be read without an id."""
        assert self.schema.query_type is not None
        fields = self.schema.query_type.fields
        known = (words.Connection, words.Many, words.Single, words.Report)
        return {name: f for name, f in fields.items() if isinstance(words.word_of(f), known)}

    def by_id(self) -> dict[str, str]:
        """The roots that take an id, by the prefix of the ids that they take; `node` apart."""
        assert self.schema.query_type is not None
        out = {}
        for name, field in self.schema.query_type.fields.items():
            entity = words.entity_of(get_named_type(field.type))
            if isinstance(words.word_of(field), words.ById) and entity is not None and entity.prefix is not None:
                out[entity.prefix] = name
        return out

    def document(self, root: str, depth: int, first: int = 10) -> str:
        """A query of one root, its items' fields, and their relations to a depth."""
        field = self.roots()[root]
        given = {name: GIVEN[name] for name in field.args if name in GIVEN}
        if "first" in field.args:
            given["first"] = str(first)
        return f"{{ {self.field(root, field, depth, given)} }}"

    def field(self, name: str, field: GraphQLField, depth: int, given: Mapping[str, str]) -> str:
        arguments = f"({', '.join(f'{k}: {v}' for k, v in given.items())})" if given else ""
        type_: Any = get_named_type(field.type)
        if "edges" in getattr(type_, "fields", {}):
            item = get_named_type(get_named_type(type_.fields["edges"].type).fields["node"].type)
            return f"{name}{arguments} {{ totalCount edges {{ node {{ {self.selection(item, depth)} }} }} }}"
        return f"{name}{arguments} {{ {self.selection(type_, depth)} }}"

    def selection(self, type_: Any, depth: int) -> str:
        """All leaves of a type, and what it relates to while there is depth left."""
        if is_abstract_type(type_):
            kinds = self.schema.get_possible_types(type_)
            return "__typename " + " ".join(f"... on {k.name} {{ {self.selection(k, depth)} }}" for k in kinds)
        out = ["__typename"]
        for name, field in type_.fields.items():
            word = words.word_of(field)
            if is_leaf_type(get_named_type(field.type)):
                out.append(name)
            elif isinstance(word, words.Inside):
                if name != "viewerCan":  # yes or no; long to write, and no row's id or name
                    out.append(self.field(name, field, depth, {}))
            elif depth > 0:
                out.append(self.field(name, field, depth - 1, {"first": "3"} if "first" in field.args else {}))
        return " ".join(out)


def walk(data: Any, path: tuple[str, ...] = (), around: Mapping[str, Any] | None = None) -> Iterator[Any]:
    """(path without positions, text, the object that it stands in) of every text in an answer."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from walk(value, (*path, key), data)
    elif isinstance(data, list):
        for value in data:
            yield from walk(value, path, around)
    elif isinstance(data, str):
        yield path, data, around
