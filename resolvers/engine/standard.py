"""The standard path's resolvers: one for all data fields, put in place once, when the schema is built.

Data lie under their response keys, so that two aliases of one field never clash.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLUnionType,
)

from resolvers.engine import words
from resolvers.engine.build import data_types
from resolvers.engine.plans import ERROR, TYPE


@dataclasses.dataclass(frozen=True)
class Told:
    """An object whose fields are known in Python, such as a refusal: its type, and its values by Python name.

    An object inside it is a Told of its own.
    """

    type_name: str
    values: Mapping[str, Any]


class Row:
    """What a computed field is given: its columns, by name, as Python values."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self.__dict__.update(columns)


def install(schema: GraphQLSchema) -> None:
    """Replaces the resolvers of every data field of a built schema."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            type_.resolve_type = _type_name
    for type_ in data_types(schema):
        type_.is_type_of = None
        _unprinted(type_)
        for field in type_.fields.values():
            word = words.word_of(field)
            field.resolve = _computed(type_, field, word) if isinstance(word, words.Computed) else _by_key


def _unprinted(type_: GraphQLObjectType) -> None:
    """Takes from a type's class what would print and compare its objects: none is ever made, and there are hundreds of classes."""
    origin = getattr(type_.extensions.get(words.BACKREF), "origin", None)
    for name in ("__repr__", "__eq__"):
        if origin is not None and name in vars(origin):
            delattr(origin, name)


def _type_name(value: Any, info: GraphQLResolveInfo[Any], abstract: Any) -> str:
    found: str = value.type_name if isinstance(value, Told) else value[TYPE]
    return found


def _by_key(source: Any, info: GraphQLResolveInfo[Any], **_: Any) -> Any:
    """What every field but computed ones resolves to: one function, since two thousand of them would be half a megabyte."""
    if isinstance(source, Told):
        definition = info.parent_type.fields[info.field_name].extensions.get(words.BACKREF)
        return source.values[getattr(definition, "python_name", None) or info.field_name]
    value = source[info.path.key]
    if isinstance(value, Exception):
        raise value
    if type(value) is dict and ERROR in value:
        raise GraphQLError(value[ERROR], extensions=value.get("extensions"))
    return value


READ: dict[type, Callable[[str], Any]] = {
    dt.datetime: dt.datetime.fromisoformat,
    dt.date: dt.date.fromisoformat,
    uuid.UUID: uuid.UUID,
    Decimal: Decimal,
    float: float,  # NaN comes as text
}


def _computed(type_: GraphQLObjectType, field: GraphQLField, word: words.Computed) -> Callable[..., Any]:
    entity = words.entity_of(type_)
    assert entity is not None
    reads = {name: _reader(entity.table.c[name]) for name in word.needs}

    def resolve(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        columns = source[info.path.key]
        row = Row({k: None if columns[k] is None else read(columns[k]) for k, read in reads.items()})
        return word.run(row, **words.by_python_name(field, arguments))

    return resolve


def _reader(column: sa.Column[Any]) -> Callable[[Any], Any]:
    return READ.get(column.type.python_type, lambda value: value)
