"""Lists whose SELECT is written by hand: reports at the root, listings over a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from graphql import FieldNode, GraphQLField, GraphQLNamedType, GraphQLObjectType
from graphql.execution.values import get_argument_values

from resolvers.engine import pages, plans, words
from resolvers.engine.beside import Beside
from resolvers.engine.scope import From, Scope
from resolvers.engine.text import Parts, join, number, sql_type

if TYPE_CHECKING:
    from resolvers.engine.compiler import Compiler, Details


def report(c: Compiler, field: GraphQLField, type_: GraphQLNamedType, word: words.Report, details: Details) -> Parts:
    """The rows of a root's SELECT."""
    select = word.rows(c.view, **_given(c, field, word, details[0].node, {}))
    return _rows(c, c.checked(select), type_, details, None)


def listing(
    c: Compiler,
    field: GraphQLField,
    type_: GraphQLNamedType,
    word: words.Listing,
    details: Details,
    scope: Scope | None,
) -> Parts:
    """The rows of a SELECT over a row, or over none."""
    converts = {"first": plans.a_page_size(word.limit, least=0)}
    binds = _given(c, field, word, details[0].node, converts)
    select = word.rows(None if scope is None else scope.row, c.view, **binds)
    c.shows |= word.shows
    return _rows(c, c.checked(select), type_, details, scope)


def _given(
    c: Compiler,
    field: GraphQLField,
    word: words.Report | words.Listing,
    node: FieldNode,
    converts: Mapping[str, plans.Convert],
) -> dict[str, Any]:
    """A field's arguments as parameters, by their Python names. Raises BadInput as the word's check does."""
    given = get_argument_values(field, node, c.values)
    binds = {
        name: c.argument(field, node, (name,), sql_type(a.type), converts.get(name) or plans.converter(a.type))
        for name, a in field.args.items()
    }
    if word.check is not None:
        check = word.check
        gets = words.by_python_name(
            field, {name: plans.argument(field, node, (name,), None, c.values) for name in given}
        )

        def right(run: plans.Run) -> None:
            check({name: get(run) for name, get in gets.items()})

        right(c.run)
        c.bind(("check", id(field), id(node)), sa.Boolean(), right)  # in no statement: so each run checks it
    return words.by_python_name(field, binds)


def _rows(c: Compiler, select: Any, type_: GraphQLNamedType, details: Details, scope: Scope | None) -> Parts:
    """The rows of a SELECT with ORDER BY, as a list."""
    assert isinstance(type_, GraphQLObjectType)
    by = [pages.directed(clause) for clause in select._order_by_clauses]
    beside = Beside(select, _referring(c, type_, details), c.handed)
    carried = select.add_columns(*beside.columns, *pages.ordering(column for column, _ in by))
    if select._limit_clause is None:  # the order is made where the rows are aggregated: a join would lose it
        carried = carried.order_by(None).offset(number(0))
    rows = pages.within(carried, scope).subquery(c.name("r"))
    c.made.add(rows.name)
    source = From(rows)
    doubts = c.doubts
    inner = join(c.object(type_, details, Scope(rows.c, source, rows, beside.found(rows))))
    listed = sa.select(inner.label("j"), *(rows.c[f"o{i}"] for i in range(len(by)))).select_from(source.clause)
    directions = [direction for _, direction in by]
    return [pages.as_list(c, listed, directions, scope, sure=c.doubts == doubts)]


def _referring(c: Compiler, type_: GraphQLObjectType, details: Details) -> set[str]:
    """The columns by which the selected fields refer to rows by id."""
    found = (
        words.word_of(type_.fields[fields[0].node.name.value])
        for fields in c.selection(type_, details).values()
        if fields[0].node.name.value in type_.fields
    )
    return {word.on for word in found if isinstance(word, words.One) and word.target == "id"}
