"""Checks of a schema when it is built: what could not be kept true at run time is refused here."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
)

from resolvers.engine import plans, text, words
from resolvers.engine.compiler import Rules


class SchemaError(Exception):
    """The schema promises what the engine cannot keep."""


def check(schema: GraphQLSchema, rules: Rules, has_rule: set[str]) -> None:
    """Raises SchemaError, naming every field that is wrong."""
    wrong = list(_wrong(schema, rules, has_rule))
    if wrong:
        raise SchemaError("\n".join(wrong))


def data_types(schema: GraphQLSchema) -> Iterator[GraphQLObjectType]:
    """The object types whose fields the engine answers."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            yield type_


def _wrong(schema: GraphQLSchema, rules: Rules, has_rule: set[str]) -> Iterator[str]:
    for type_ in data_types(schema):
        entity = words.entity_of(type_)
        if entity is not None and entity.table.name not in rules.public | has_rule:
            yield f"{type_.name}: table {entity.table.name} has neither a rule nor the mark PUBLIC"
        for name, field in type_.fields.items():
            where = f"{type_.name}.{name}"
            word = words.word_of(field)
            if word is None and (entity is not None or type_ in (schema.query_type, schema.subscription_type)):
                yield f"{where}: no word says where it lives"
            if isinstance(word, words.Column | words.Expression):
                yield from _list(where, field.type)
            named = get_named_type(field.type)
            if isinstance(word, words.ById) and is_abstract_type(named):
                entities = [e for e in map(words.entity_of, schema.get_possible_types(named)) if e is not None]
                for prefix, times in collections.Counter(e.prefix for e in entities).items():
                    if times > 1:
                        yield f"{where}: the prefix {prefix} leads to {times} types"
            if isinstance(word, words.Report | words.Listing):
                for argument, of in field.args.items():
                    yield from _bound(f"{where}({argument})", of.type)
            if isinstance(word, words.Change) != (type_ is schema.subscription_type):
                yield f"{where}: changes are told by subscriptions, and by nothing else"
            match word:
                case words.Once() if isinstance(field.type, GraphQLNonNull) or named.name != "String":
                    yield f"{where}: it is told once and is null ever after, so it is nullable text"
                case words.Made() if isinstance(field.type, GraphQLNonNull) or named.name != "String":
                    yield f"{where}: what the request makes may be kept from a key, so it is nullable text"
                case words.One() as word:
                    yield from _one(where, type_, field, word, rules)
                case words.Variant() | words.ById() | words.Single() | words.Subject() if isinstance(
                    field.type, GraphQLNonNull
                ):
                    yield f"{where}: what it refers to may be hidden, so it is nullable"
                case words.Variant() as word:
                    members = {kind.name for kind in schema.get_possible_types(get_named_type(field.type))}
                    for name in {*word.on.values()} - members:
                        yield f"{where}: {name} is no member of it"
                case words.Many() as word:
                    yield from _items(where, get_named_type(field.type), word, [word.order])
                case words.Connection() as word:
                    edge = get_named_type(get_named_type(field.type).fields["edges"].type)
                    item = get_named_type(edge.fields["node"].type)
                    yield from _items(where, item, word, word.orders.values())
                    if "filter" in field.args:
                        yield from _filter(where, get_named_type(field.args["filter"].type))
                case words.Column() as word if entity is not None:
                    column = entity.table.c.get(word.name)
                    if column is None:
                        yield f"{where}: {entity.table.name} has no column {word.name}"
                    elif column.nullable and isinstance(field.type, GraphQLNonNull):
                        yield f"{where}: the column may be NULL, the field may not"


def _one(where: str, type_: GraphQLObjectType, field: GraphQLField, word: words.One, rules: Rules) -> Iterator[str]:
    target = words.entity_of(get_named_type(field.type))
    if target is None:
        yield f"{where}: {get_named_type(field.type).name} has no table"
        return
    unique = (
        target.table.c[word.target].primary_key
        or any(
            isinstance(c, sa.UniqueConstraint) and [x.name for x in c.columns] == [word.target]
            for c in target.table.constraints
        )
        or any(
            i.unique
            and [x.name for x in i.columns] == [word.target]
            and i.dialect_options["postgresql"]["where"] is None
            for i in target.table.indexes
        )
        or bool(target.table.c[word.target].unique)
    )
    if not unique:
        yield f"{where}: {target.table.name}.{word.target} is not unique"
    source = words.entity_of(type_)
    if source is not None and word.on not in source.table.c:
        yield f"{where}: {source.table.name} has no column {word.on}"
        return
    if not isinstance(field.type, GraphQLNonNull):
        return
    if source is not None and source.table.c[word.on].nullable:
        yield f"{where}: {source.table.name}.{word.on} may be NULL, the field may not"
    if word.when is not None:
        yield f"{where}: shown only when its condition holds, so it is nullable"
    declared = source is not None and (source.table.name, word.on) in rules.implied
    if target.table.name not in rules.public and not declared:
        yield f"{where}: non-null, but its target may be hidden: make it nullable, or declare and prove that it is implied"


def _items(
    where: str, item: GraphQLNamedType, word: words.Many | words.Connection, orders: Iterable[words.Order]
) -> Iterator[str]:
    entity = words.entity_of(item)
    if entity is None:
        yield f"{where}: the items have no table"
        return
    table = entity.table
    measure = word.measure.name if isinstance(word, words.Connection) and word.measure else None
    for name in dict.fromkeys([word.on, *[name for order in orders for name, _ in order]]):
        if name == measure:
            continue
        if name is not None and name not in table.c:
            yield f"{where}: {table.name} has no column {name}"
        elif name is not None and name != word.on:
            if table.c[name].nullable:
                yield f"{where}: ordered by {table.name}.{name}, which may be NULL"
            if table.c[name].type.python_type not in plans.READ:
                yield f"{where}: ordered by {table.name}.{name}, whose type no cursor can hold"


def _filter(where: str, type_: GraphQLNamedType) -> Iterator[str]:
    assert isinstance(type_, GraphQLInputObjectType)
    for name, field in type_.fields.items():
        if not isinstance(words.word_of(field), words.Where):
            yield f"{where}: {type_.name}.{name} has no condition"
        elif words.word_of(field).reads is not None:
            continue  # each parameter says what it is bound as
        yield from _bound(f"{where}: {type_.name}.{name}", field.type)


def _bound(where: str, type_: GraphQLInputType) -> Iterator[str]:
    named = get_named_type(type_)
    if not isinstance(named, GraphQLEnumType) and named.name not in text.SQL_TYPES:
        yield f"{where}: {named.name} cannot be bound"


def _list(where: str, type_: GraphQLOutputType) -> Iterator[str]:
    inner = get_nullable_type(type_)
    if isinstance(inner, GraphQLList):
        of = get_nullable_type(inner.of_type)
        if not isinstance(of, GraphQLEnumType) and getattr(of, "name", None) not in text.LISTED:
            yield f"{where}: a list of {of} has no written form"
