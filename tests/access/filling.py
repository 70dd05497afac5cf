"""Well-formed mutations made from the schema: what is required, with ids of one's choosing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    get_named_type,
)

from models.files.ports import Upload

Ids = Mapping[str, str]
"""path -> the id to give there; an optional one that is not among them is left out."""

PLAIN = {
    "String": '"说明文字"',
    "Int": "1",
    "Float": "1.5",
    "Boolean": "true",
    "DateTime": '"2026-11-10T10:00:00+08:00"',
    "Date": '"2026-11-10"',
    "Decimal": '"100.00"',
}
BY_NAME = {
    "phone": '"12000000017"',
    "windowTo": '"2026-11-12T10:00:00+08:00"',
    "endsAt": '"2026-11-10T12:00:00+08:00"',
    "birthDate": '"1980-05-05"',
}
"""What some fields must look like, by their name."""
_keys = itertools.count()


def written(path: str, name: str, type_: Any, ids: Ids, given: dict[str, Any]) -> str | None:
    """A value of a type, as GraphQL text; None for what may be left out and has no id of its own. Ids are variables."""
    required = isinstance(type_, GraphQLNonNull)
    inner = type_.of_type if required else type_
    if isinstance(inner, GraphQLList):
        item = written(path, name, inner.of_type, ids, given)
        return f"[{item}]" if item is not None else "[]" if required else None
    named: Any = get_named_type(inner)
    if named.name == "ID":
        if path not in ids:
            return None
        given[variable := f"id{len(given)}"] = ids[path]
        return f"${variable}"
    if isinstance(named, GraphQLInputObjectType):
        return _object(path, named, ids, given) if required else None
    if not required:
        return None
    if name == "idempotencyKey":
        given["key"] = f"access-{next(_keys):08d}"
        return "$key"
    if named.name == "Upload":
        given["file"] = Upload("a.png", 1, bytes(32), None, 10_000_000)
        return "$file"
    if isinstance(named, GraphQLEnumType):
        return next(iter(named.values))
    return BY_NAME.get(name) or PLAIN[named.name]


def _object(path: str, type_: GraphQLInputObjectType, ids: Ids, given: dict[str, Any]) -> str:
    fields = {n: written(f"{path}.{n}", n, f.type, ids, given) for n, f in type_.fields.items()}
    return "{" + ", ".join(f"{n}: {value}" for n, value in fields.items() if value is not None) + "}"


def mutation(schema: GraphQLSchema, name: str, ids: Ids) -> tuple[str, dict[str, Any]]:
    """A document that calls a mutation and asks for the refusal's every field, and its variables: ids and the key."""
    assert schema.mutation_type is not None
    field = schema.mutation_type.fields[name]
    given: dict[str, Any] = {}
    values = {n: written(n, n, a.type, ids, given) for n, a in field.args.items()}
    arguments = ", ".join(f"{n}: {value}" for n, value in values.items() if value is not None)
    kinds = {"key": "String", "file": "Upload"}
    declared = ", ".join(f"${n}: {kinds.get(n, 'ID')}!" for n in given)
    asked = "__typename ... on Problem { code message retry retryAfterSeconds }"
    called = f"{name}{f'({arguments})' if arguments else ''}"
    return f"mutation{f'({declared})' if declared else ''} {{ {called} {{ {asked} }} }}", given


def id_paths(schema: GraphQLSchema, name: str) -> list[tuple[str, bool]]:
    """(path, whether it is required) of every id that a mutation takes."""
    assert schema.mutation_type is not None

    def walk(path: str, type_: Any, required: bool) -> Iterator[tuple[str, bool]]:
        named: Any = get_named_type(type_)
        must = required and isinstance(type_, GraphQLNonNull)
        if named.name == "ID":
            yield path, must
        elif isinstance(named, GraphQLInputObjectType) and must:
            for part, field in named.fields.items():
                yield from walk(f"{path}.{part}", field.type, must)

    return [found for n, a in schema.mutation_type.fields[name].args.items() for found in walk(n, a.type, True)]


def nowhere(number: int = 0) -> UUID:
    """An id that nothing has."""
    return UUID(f"00000000-0000-7000-8000-{number:012d}")
