"""Queries built from the schema: everything that can be read from a root, relations to a depth."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest
from graphql import (
    GraphQLField,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_interface_type,
    is_leaf_type,
    is_required_argument,
)

from models.access import Actor
from models.pool import Pool
from resolvers.context import Context, asker
from resolvers.engine import limits, words
from resolvers.engine.engine import Engine
from tests.conftest import NOW

GIVEN = {
    "from": '"2025-11-01"',
    "to": '"2026-11-30"',
    "level": "COMMUNITY",
    "byMonth": "false",
    "months": "12",
    "search": '"老人"',
}
"""What reports are asked with, and fields that must be asked with something."""


class Held(Pool):
    """A pool that is one connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        super().__init__("postgresql://nowhere", 1)
        self.held = connection

    @contextlib.asynccontextmanager
    async def connection(self, purpose: str | None = None) -> AsyncIterator[asyncpg.Connection]:
        yield self.held


@contextlib.contextmanager
def unmasked(type_: Any, name: str) -> Iterator[None]:
    """A planted error: a field that shows its column to everybody who sees the row."""
    word = words.word_of(type_.fields[name])
    honest = word.build
    object.__setattr__(word, "build", lambda row, view: getattr(row, name))
    try:
        yield
    finally:
        object.__setattr__(word, "build", honest)


@contextlib.contextmanager
def without_limits() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TOKENS", "DEPTH", "ALIASES", "COST", "FIELDS"):
            patch.setattr(limits, name, 10**8)
        yield


class Crawler:
    """Asks as one caller, on one connection, with the application's own context: what is sealed is opened as for him."""

    def __init__(self, engine: Engine, actor: Actor, connection: asyncpg.Connection, pool: Pool | None = None) -> None:
        self.engine, self.actor, self.connection = engine, actor, connection
        self.pool = pool or Held(connection)
        self.schema: GraphQLSchema = engine.schema
        self.statements = 0
        self.opened: set[tuple[str, UUID]] = set()
        """(kind, person) of every sealed value of others that an answer had."""

    async def fetchval(self, sql: str, *args: Any) -> Any:
        self.statements += 1
        return await self.connection.fetchval(sql, *args)

    def context(self, text: str, **variables: Any) -> Context:
        """A request of this caller."""
        return Context(
            text, variables, None, self.actor, asker(self.actor, NOW), self, pool=self.pool, now=NOW, deadline=20.0
        )

    async def ask(self, text: str, **variables: Any) -> Any:
        """The data, by the fast path."""
        context = self.context(text, **variables)
        document = self.engine.document(context)
        found = await self.engine.fast(context, document, self.engine.coerced(document, context))
        if found is None:  # a computed field
            answer = await self.engine.standard(context, document)
            assert answer.errors is None, (self.actor, text, answer.errors)
        self.opened.update(context.of_others)
        return orjson.loads(found)["data"] if found is not None else answer.data

    async def answer(self, text: str, **variables: Any) -> Any:
        """The whole answer, errors included, by whichever path: mutations too."""
        found = await self.engine.answer(self.context(text, **variables))
        if isinstance(found, bytes):
            return orjson.loads(found)
        return {"data": found.data, **({"errors": [e.formatted for e in found.errors]} if found.errors else {})}

    def roots(self) -> dict[str, GraphQLField]:
        """What can be read without an id."""
        assert self.schema.query_type is not None
        fields = self.schema.query_type.fields
        known = (words.Connection, words.Many, words.Single, words.Report, words.Listing)
        found = {name: f for name, f in fields.items() if isinstance(words.word_of(f), known)}
        return {name: f for name, f in found.items() if name != "openNeedsFor"}  # of an offer by its id

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

    def brief(self, root: str) -> str:
        """A query of one root that asks no more than whether there is something."""
        field = self.roots()[root]
        given = {name: GIVEN[name] for name in field.args if name in GIVEN}
        arguments = f"({', '.join(f'{k}: {v}' for k, v in given.items())})" if given else ""
        pages = "edges" in getattr(get_named_type(field.type), "fields", {})
        asked = "totalCount edges { node { __typename } }" if pages else "__typename"
        return f"{{ {root}{arguments} {{ {asked} }} }}"

    def field(self, name: str, field: GraphQLField, depth: int, given: Mapping[str, str]) -> str:
        arguments = f"({', '.join(f'{k}: {v}' for k, v in given.items())})" if given else ""
        type_: Any = get_named_type(field.type)
        if "edges" in getattr(type_, "fields", {}):
            item = get_named_type(get_named_type(type_.fields["edges"].type).fields["node"].type)
            return f"{name}{arguments} {{ totalCount edges {{ node {{ {self.selection(item, depth)} }} }} }}"
        return f"{name}{arguments} {{ {self.selection(type_, depth)} }}"

    def selection(self, type_: Any, depth: int) -> str:
        """All leaves of a type, and what it relates to while there is depth left."""
        if is_interface_type(type_):  # its types' own fields clash, and each is asked for where it stands
            return "__typename id"
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
                given = {n: GIVEN[n] for n, a in field.args.items() if is_required_argument(a)}
                if "first" in field.args:
                    given["first"] = str(min(3, getattr(word, "limit", 3)))
                out.append(self.field(name, field, depth - 1, given))
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
