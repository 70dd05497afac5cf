"""A plan: a statement, and where each of its parameters comes from."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import orjson
import sqlalchemy as sa
from asyncpg.pgproto.pgproto import UUID
from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLInputType,
    ListValueNode,
    ObjectValueNode,
    VariableNode,
    get_named_type,
)
from graphql.execution.values import VariableValues, get_argument_values


class BadInput(GraphQLError):
    """A value that cannot be what it should be: `extensions.code` is BAD_INPUT, BAD_ID or BAD_CURSOR."""

    def __init__(self, message: str, code: str = "BAD_INPUT") -> None:
        super().__init__(sayable(message), extensions={"code": code})


def sayable(message: str) -> str:
    """A message without the lone surrogates that it may quote: they cannot be sent."""
    return message.encode("utf-8", "replace").decode()


TYPE, ERROR = "?type", "?error"
"""Keys that only a loose plan writes: no client can name a field so, not even by an alias."""


MARK = "\x01"
"""Stands around what the request replaces. No JSON text has it: `to_json` writes control characters as escapes."""


class NotCompilable(Exception):
    """The operation needs the standard path."""


Convert = Callable[[Any], Any]
Get = Callable[["Run"], Any]


Place = tuple[int, int]
"""Where an event stands among all: (transaction, id)."""


class Run:
    """One run of a plan: the variables, the asker's values, a payload's or subscription's reference, and, for a
    subscription, between which places its events lie: after the first, up to the second."""

    __slots__ = ("_arguments", "asker", "coerced", "reference", "span", "values")

    def __init__(
        self,
        values: VariableValues,
        asker: Mapping[str, Any],
        reference: uuid.UUID | None = None,
        span: tuple[Place, Place] = ((0, 0), (0, 0)),
    ) -> None:
        self.values, self.coerced, self.asker, self.reference = values, values.coerced, asker, reference
        self.span = span
        self._arguments: dict[tuple[int, int], dict[str, Any]] = {}

    def arguments(self, field: GraphQLField, node: FieldNode) -> dict[str, Any]:
        """A field's arguments, exactly as graphql-core's executor would coerce them."""
        key = (id(field), id(node))  # in a fragment on an interface, a node is another field in each type
        found = self._arguments.get(key)
        if found is None:
            found = self._arguments[key] = get_argument_values(field, node, self.values)
        return found


@dataclasses.dataclass(eq=False)
class Plan:
    """SQL whose one cell is the response (strict), or its data with every NULL written as null (loose)."""

    sql: str
    gets: list[Get]
    checks: list[Get]
    """What the statement does not use, but may still be wrong."""
    failed: int
    """How many fields have an error in their place: such a plan is not kept."""
    marked: bool = False
    """Whether the text has marks in it that the request replaces: sealed values, and what is told once."""
    shows: tuple[str, ...] = ()
    """The response keys of roots under which something stands that is noted as seen."""

    def arguments(self, run: Run) -> list[Any]:
        """The parameters in order. Raises BadInput."""
        for check in self.checks:
            check(run)
        return [get(run) for get in self.gets]


def argument(
    field: GraphQLField, node: FieldNode, path: tuple[str, ...], convert: Convert | None, values: VariableValues
) -> Get:
    """Where an argument's value comes from.

    A variable, alone or in an object that the document writes, was coerced already; what no variable is part of is
    coerced at the first run, and kept. Only the rest is coerced at each run.
    """
    ast, rest = _written(node, path)
    if isinstance(ast, VariableNode) and ast.name.value in values.coerced:
        name = ast.name.value

        def variable(run: Run) -> Any:
            value = run.coerced[name]
            for key in rest:
                value = value[key]
            return value if convert is None or value is None else convert(value)

        return variable

    def general(run: Run) -> Any:
        value: Any = run.arguments(field, node)
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value if convert is None or value is None else convert(value)

    return general if _varies(ast) else once(general)


def varies(node: FieldNode, path: tuple[str, ...]) -> bool:
    """Whether an argument's value is made of variables."""
    return _varies(_written(node, path)[0])


def _written(node: FieldNode, path: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
    """What the document says at a path of an argument, as far as it is written out, and the rest of the path."""
    ast: Any = next((a.value for a in node.arguments or () if a.name.value == path[0]), None)
    rest = path[1:]
    while rest and isinstance(ast, ObjectValueNode):
        ast = next((f.value for f in ast.fields if f.name.value == rest[0]), None)
        rest = rest[1:]
    return ast, rest


def _varies(ast: Any) -> bool:
    """Whether a variable is part of a value."""
    if isinstance(ast, ObjectValueNode):
        return any(_varies(f.value) for f in ast.fields)
    return isinstance(ast, VariableNode) or (isinstance(ast, ListValueNode) and any(map(_varies, ast.values)))


def once(get: Get) -> Get:
    """A value that is the same at each run."""
    kept: list[Any] = []

    def known(run: Run) -> Any:
        if not kept:
            kept.append(get(run))
        return kept[0]

    return known


def asker(name: str) -> Get:
    """A value of who asks, or the time."""
    return lambda run: run.asker[name]


def constant(value: Any) -> Get:
    """A value that SQLAlchemy put into the statement."""
    return lambda run: value


def reference(run: Run) -> Any:
    """The id of a mutation's outcome, or of a subscription's subject."""
    return run.reference


def spanned(end: int, part: int) -> Get:
    """The transaction (0) or the id (1) of the place after which (0), or up to which (1), events are due."""
    return lambda run: run.span[end][part]


def an_id(value: Any) -> uuid.UUID:
    """The UUID in a global id."""
    text = str(value)
    prefix, _, rest = text.rpartition("_")
    try:
        if len(rest) != 36 or not prefix:
            raise ValueError
        read: uuid.UUID = UUID(rest)
        return read
    except ValueError:
        raise BadInput(f"“{text[:40]}”不是有效的 ID。", "BAD_ID") from None


def an_id_of(kind: str | None) -> Convert:
    """The UUID in a global id of one kind; None for another kind's, which finds nothing."""

    def read(value: Any) -> uuid.UUID | None:
        found = an_id(value)
        return found if value.rpartition("_")[0] == kind else None

    return read


def a_page_size(maximum: int, least: int = 1) -> Convert:
    """A check of `first` or `last`."""

    def check(value: Any) -> int:
        if not least <= value <= maximum:
            raise BadInput(f"每页条数须在 {least} 至 {maximum} 之间。")
        return int(value)

    return check


def storable(value: Any) -> Any:
    """Text that PostgreSQL can hold."""
    if "\x00" in value or (not value.isprintable() and any(0xD800 <= ord(c) < 0xE000 for c in value)):
        raise BadInput("文字中含有无法存储的字符。")
    return value


def converter(type_: GraphQLInputType) -> Convert | None:
    """How a value of a GraphQL type becomes a parameter."""
    named = get_named_type(type_)
    one: Convert | None = None
    if isinstance(named, GraphQLEnumType):
        one = _enum
    elif named.name == "ID":
        one = an_id
    elif named.name == "String":
        one = storable
    if one is None:
        return None
    chosen = one
    return lambda value: [None if v is None else chosen(v) for v in value] if isinstance(value, list) else chosen(value)


def _enum(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _instant(text: str) -> dt.datetime:
    at = dt.datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError
    return at


READ: dict[type, Callable[[str], Any]] = {
    str: storable,
    int: int,
    float: float,
    Decimal: Decimal,
    uuid.UUID: uuid.UUID,
    dt.datetime: _instant,
    dt.date: dt.date.fromisoformat,
    bool: lambda text: {"true": True, "false": False}[text],
}
"""What a list may be ordered by: how a cursor's text is read."""


def a_cursor_cell(tag: str, types: tuple[type, ...], index: int) -> Convert:
    """One value of a cursor. `tag` names the order that it was made for."""

    def read(value: Any) -> Any:
        return read_cursor(value, tag, types)[index]

    return read


def read_cursor(value: str, tag: str, types: tuple[type, ...]) -> list[Any]:
    """A cursor's values. Raises BadInput for text that is no cursor of this list in this order."""
    try:
        cells = orjson.loads(base64.b64decode(value, validate=True))
        if (
            type(cells) is not list
            or len(cells) != len(types) + 1
            or cells[0] != tag
            or not all(type(c) is str for c in cells)
        ):
            raise ValueError
        read = [READ[t](c) for t, c in zip(types, cells[1:], strict=True)]
        if any(isinstance(x, int) and not -(2**63) <= x < 2**63 for x in read):
            raise ValueError
        return read
    except (ValueError, ArithmeticError, KeyError, RecursionError, GraphQLError):
        raise BadInput("分页游标无效：请使用上一页返回的游标，且排序方式不变。", "BAD_CURSOR") from None


def python_type(column: sa.ColumnElement[Any]) -> type:
    """The Python type of an order column."""
    found: type = column.type.python_type
    return found
