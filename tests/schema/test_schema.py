"""The schema is a promise: printed, described, and the same as what is committed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

from api.schema import build, sdl
from api.settings import ROOT
from models.problems import CATALOGUE, COMMON
from resolvers.engine import words


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build()._schema


def own(schema: GraphQLSchema) -> Iterator[object]:
    return (t for name, t in sorted(schema.type_map.items()) if not name.startswith("__"))


def test_the_committed_schema_is_what_the_code_says() -> None:
    assert (ROOT / "schema.graphql").read_text(encoding="utf-8") == sdl(), "run ./wushe export-schema"


def test_everything_is_described(schema: GraphQLSchema) -> None:
    bare = []
    for type_ in own(schema):
        name = type_.name  # type: ignore[attr-defined]
        if not type_.description and name not in ("Int", "Float", "String", "Boolean", "ID"):  # type: ignore[attr-defined]
            bare.append(name)
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, field in type_.fields.items():
                bare += [f"{name}.{field_name}"] if not field.description else []
                bare += [f"{name}.{field_name}({a})" for a, argument in field.args.items() if not argument.description]
        elif isinstance(type_, GraphQLInputObjectType):
            bare += [f"{name}.{f}" for f, field in type_.fields.items() if not field.description]
        elif isinstance(type_, GraphQLEnumType):
            bare += [f"{name}.{v}" for v, value in type_.values.items() if not value.description]
    assert bare == []


def test_lists_that_can_grow_are_connections_and_lists_hold_no_null(schema: GraphQLSchema) -> None:
    wrong = []
    for type_ in own(schema):
        if isinstance(type_, GraphQLObjectType):
            for name, field in type_.fields.items():
                inner = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
                if isinstance(inner, GraphQLList) and not isinstance(inner.of_type, GraphQLNonNull):
                    wrong.append(f"{type_.name}.{name}")
    assert wrong == []


def test_references_are_objects(schema: GraphQLSchema) -> None:
    wrong = []
    for type_ in own(schema):
        if isinstance(type_, GraphQLObjectType):
            others = ("id", "externalId")  # the latter is another system's own number, of no row of ours
            wrong += [f"{type_.name}.{n}" for n in type_.fields if n.endswith("Id") and n not in others]
    assert wrong == []


def test_every_field_of_a_row_has_a_place_in_the_database(schema: GraphQLSchema) -> None:
    placeless = []
    for type_ in own(schema):
        if isinstance(type_, GraphQLObjectType) and words.entity_of(type_) is not None:
            placeless += [f"{type_.name}.{n}" for n, f in type_.fields.items() if words.word_of(f) is None]
    for root in (schema.query_type, schema.mutation_type):
        assert root is not None
        placeless += [f"{root.name}.{n}" for n, f in root.fields.items() if words.word_of(f) is None]
    assert placeless == []


def test_every_mutation_answers_a_union_of_its_outcome_and_its_refusals(schema: GraphQLSchema) -> None:
    assert schema.mutation_type is not None
    for name, field in schema.mutation_type.fields.items():
        assert not isinstance(field.type, GraphQLNonNull), f"{name}: a bug in one field must not lose another's answer"
        union = get_named_type(field.type)
        assert isinstance(union, GraphQLUnionType), name
        word = words.word_of(field)
        members = {t.name for t in union.types}
        assert word.outcome in members, name
        assert {p.__name__ for p in COMMON} <= members, name
        refusals = [t for t in union.types if t.name != word.outcome]
        assert all("Problem" in [i.name for i in t.interfaces] for t in refusals), name
        assert ("idempotencyKey" in field.args) == word.idempotent, name


def test_members_of_one_union_can_be_asked_for_together(schema: GraphQLSchema) -> None:
    """`... on Need { status } ... on InvalidTransition { status }` is refused by GraphQL if their types differ."""
    clashes = set()
    for type_ in own(schema):
        if isinstance(type_, GraphQLUnionType):
            seen: dict[str, tuple[str, str]] = {}
            for member in type_.types:
                for name, field in member.fields.items():
                    if not is_leaf_type(get_named_type(field.type)):
                        continue
                    before = seen.setdefault(name, (str(field.type), member.name))
                    if before[0] != str(field.type):
                        clashes.add(f"{type_.name}: {before[1]}.{name} {before[0]}, {member.name}.{name} {field.type}")
    assert clashes == set()


def test_every_problem_is_in_the_catalogue_under_the_code_of_its_name(schema: GraphQLSchema) -> None:
    interface = schema.type_map["Problem"]
    assert isinstance(interface, GraphQLInterfaceType)
    names = {t.name for t in schema.get_possible_types(interface)}
    assert names <= {kind.__name__ for kind in CATALOGUE.values()}
    for kind in CATALOGUE.values():
        if kind.says:
            assert kind.__doc__, kind
            assert any("\u4e00" <= c <= "\u9fff" for c in kind.says) or "{" in kind.says, kind


def test_every_list_goes_by_an_index(schema: GraphQLSchema) -> None:
    """A list of a row's children that reads the whole table is no list of a city."""
    bare = []
    for type_ in own(schema):
        if not isinstance(type_, GraphQLObjectType):
            continue
        for name, field in type_.fields.items():
            word = words.word_of(field)
            if isinstance(word, words.Many | words.Connection) and word.on is not None:
                item = get_named_type(field.type)
                if isinstance(word, words.Connection):
                    item = get_named_type(get_named_type(item.fields["edges"].type).fields["node"].type)
                table = words.entity_of(item).table  # type: ignore[union-attr]
                firsts = {next(iter(i.expressions)).__str__().rpartition(".")[2] for i in table.indexes}
                firsts |= {next(iter(c.columns)).name for c in table.constraints if getattr(c, "columns", None)}
                bare += [f"{type_.name}.{name}: {table.name}.{word.on}"] if word.on not in firsts else []
    assert bare == []
