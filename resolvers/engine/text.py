"""SQL that builds JSON text: literals folded, scalars in their one written form.

A piece of text is a list of parts: `L` for what is known when the statement is written, SQL for the rest. `||` with a
NULL is NULL: that is how a broken promise of "non-null" reaches the top (see `compiler`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from graphql import GraphQLEnumType, GraphQLInputType, GraphQLList, GraphQLNamedType, GraphQLNonNull, GraphQLOutputType
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.sql.functions import FunctionElement

TEXT = sa.Text()
Parts = list[Any]


class L(str):
    """JSON text that is known when the statement is written."""


class concat(FunctionElement[str]):
    """`a || b || c`, flat: a tree of binary operators would recurse once for each field."""

    inherit_cache = False
    type = TEXT
    name = "concat"


@compiles(concat)
def _write(element: concat, compiler: SQLCompiler, **kw: Any) -> str:
    return "(" + " || ".join(compiler.process(c, **kw) for c in element.clauses) + ")"


def literal(text: str) -> Any:
    """Text as an SQL literal."""
    return sa.literal_column("'" + text.replace("'", "''") + "'", TEXT)


def number(n: int) -> Any:
    """A whole number as an SQL literal."""
    return sa.literal_column(str(n), sa.Integer())


def join(parts: Parts) -> Any:
    """One SQL expression of a piece's parts, with neighbouring literals folded."""
    folded: Parts = []
    for part in parts:
        if isinstance(part, L):
            if not part:
                continue
            if folded and isinstance(folded[-1], L):
                folded[-1] = L(folded[-1] + part)
                continue
        folded.append(part)
    elements = [literal(p) if isinstance(p, L) else p for p in folded]
    return elements[0] if len(elements) == 1 else concat(*elements) if elements else literal("")


def text(e: Any) -> Any:
    """An expression cast to text."""
    return sa.cast(e, TEXT)


def or_null(parts: Parts) -> Parts:
    """A piece that is `null` where it is NULL."""
    if len(parts) == 1 and isinstance(parts[0], L):
        return parts
    return [sa.func.coalesce(join(parts), literal("null"), type_=TEXT)]


STRICT = {"to_json", "to_char", "timezone", "encode"}
"""Functions that are NULL where an argument is."""
ARITHMETIC = {operators.add, operators.sub, operators.mul}


def falls_with(e: Any, columns: Collection[Any]) -> bool:
    """Whether an expression is certainly NULL where all of some columns are, since it rests on one of them."""
    if any(e is column for column in columns):
        return True
    match e:
        case sa.Cast():
            return falls_with(e.clause, columns)
        case sa.BinaryExpression() if e.operator in ARITHMETIC:
            return falls_with(e.left, columns) or falls_with(e.right, columns)
        case concat():
            return any(falls_with(part, columns) for part in e.clauses)
        case sa.Function() if e.name in STRICT:  # not PostgreSQL's own concat, which passes NULLs over
            return any(falls_with(part, columns) for part in e.clauses)
    return False


TRUTHS = {
    *(operators.eq, operators.ne, operators.lt, operators.le, operators.gt, operators.ge),
    *(operators.is_distinct_from, operators.is_not_distinct_from),
}
"""Comparisons that are true or false where neither side is NULL."""


def certain(e: Any) -> bool:
    """Whether an expression over a row that is there is certainly not NULL; its NOT NULL columns are believed."""
    match e:
        case sa.Column():
            return not e.nullable
        case sa.Label() | Grouping():
            return certain(e.element)
        case sa.Cast():
            return certain(e.clause)
        case sa.BindParameter():
            return e.value is not None
        case sa.Case():
            return e.else_ is not None and certain(e.else_) and all(certain(result) for _, result in e.whens)
        case sa.Exists() | sa.True_() | sa.False_():
            return True
        case sa.Function() if e.name == "coalesce":
            return any(certain(part) for part in e.clauses)
        case sa.BinaryExpression() if e.operator in (operators.is_, operators.is_not):
            return True
        case sa.BinaryExpression() if e.operator in ARITHMETIC | TRUTHS:
            return certain(e.left) and certain(e.right)
        case sa.BooleanClauseList():
            return all(certain(part) for part in e.clauses)
    return False


NOT_JSON = ("'NaN'::float8", "'Infinity'::float8", "'-Infinity'::float8")
PLAIN = {"Int", "Boolean"}
QUOTED = {"Decimal", "Date"}
LISTED = {"Int", "Boolean", "String", "Date"}
"""Scalars whose arrays `to_json` writes in the same form; so it does enumerations'."""


def scalar(type_: GraphQLOutputType, e: Any, prefix: str | None = None, *, strict: bool = False) -> Parts:
    """The JSON text of a scalar or enumeration, or of a list of them; NULL where the value is NULL.

    When strict, a list that has a NULL where the type allows none is NULL, and a number that is no Int is refused by
    the database (`asyncpg.DataError`), as the executor would refuse it.
    """
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    if isinstance(type_, GraphQLList):
        whole = text(sa.func.to_json(e))
        if strict and isinstance(type_.of_type, GraphQLNonNull):
            whole = sa.case((sa.func.array_position(e, sa.null()).is_(None), whole))
        return [whole]
    named: GraphQLNamedType = type_
    if isinstance(named, GraphQLEnumType) or named.name in QUOTED:
        return [L('"'), text(e), L('"')]
    if named.name == "ID":
        return [L(f'"{prefix}_' if prefix else '"'), text(e), L('"')]
    if strict and named.name == "Int" and not _holds_int(e):
        e = sa.cast(e, sa.Integer())
    if named.name in PLAIN:
        return [text(e)]
    if named.name == "Float":
        for no in NOT_JSON:
            e = sa.func.nullif(e, sa.literal_column(no))
        return [text(e)]
    if named.name == "DateTime":
        local = sa.func.timezone(literal("Asia/Shanghai"), e)
        return [L('"'), sa.func.to_char(local, literal('YYYY-MM-DD"T"HH24:MI:SS.MS"+08:00"'), type_=TEXT), L('"')]
    return [text(sa.func.to_json(e))]


def _holds_int(e: Any) -> bool:
    return isinstance(e, sa.Column) and isinstance(e.type, sa.Integer) and not isinstance(e.type, sa.BigInteger)


SURE = {"Int", "Boolean", "String", "ID", "Decimal", "Date"}
"""Scalars that are text wherever they are not NULL: not Float (NaN), not DateTime (infinity)."""


def always(type_: GraphQLOutputType) -> bool:
    """Whether a value that is not NULL always has a text."""
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    return isinstance(type_, GraphQLEnumType) or getattr(type_, "name", None) in SURE


SQL_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "Int": sa.Integer(),
    "Float": sa.Float(),
    "String": TEXT,
    "Boolean": sa.Boolean(),
    "ID": sa.Uuid(),
    "DateTime": TIMESTAMP(timezone=True),
    "Date": sa.Date(),
    "Decimal": sa.Numeric(),
}


def sql_type(type_: GraphQLInputType) -> sa.types.TypeEngine[Any]:
    """What an argument of a GraphQL type is bound as."""
    if isinstance(type_, GraphQLNonNull):
        return sql_type(type_.of_type)
    if isinstance(type_, GraphQLList):
        return ARRAY(sql_type(type_.of_type))
    return TEXT if isinstance(type_, GraphQLEnumType) else SQL_TYPES[type_.name]
