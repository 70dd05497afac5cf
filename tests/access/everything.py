"""Every row that a role sees of a type, with every field, as the compiler writes them: one statement for each type."""

from __future__ import annotations

import dataclasses
from collections.abc import Container
from typing import Any

import orjson
import sqlalchemy as sa
from graphql import FieldNode, NameNode, get_named_type, is_abstract_type, is_leaf_type, parse
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.values import VariableValues

from resolvers.engine import words
from resolvers.engine.compiler import Compiler, Operation
from resolvers.engine.plans import Run
from resolvers.engine.scope import From, Scope
from resolvers.engine.text import join, literal
from tests.access.crawl import Crawler

NOTHING = VariableValues({}, {})
UNASKED = (words.Many, words.Connection, words.Listing)
"""Lists: a sub-select for each row. Of long tables, they are asked of some rows only."""


def selected(type_: Any, only: Container[str], *, lists: bool) -> str:
    """The fields of a type that are among `only`: what leads to other rows by their type alone."""
    wanted = [(name, field) for name, field in type_.fields.items() if name in only and _is_list(field) is lists]
    return " ".join(_one(name, field) for name, field in wanted)


def _is_list(field: Any) -> bool:
    return isinstance(words.word_of(field), UNASKED)


def _one(name: str, field: Any) -> str:
    type_: Any = get_named_type(field.type)
    if is_leaf_type(type_):
        return name
    word = words.word_of(field)
    if isinstance(word, words.Inside):
        return f"{name} {{ __typename {' '.join(_one(n, f) for n, f in type_.fields.items())} }}"
    if isinstance(word, words.Connection):
        return f"{name}(first: 1) {{ totalCount edges {{ node {{ __typename }} }} }}"
    return f"{name}{'(first: 1)' if 'first' in field.args else ''} {{ __typename }}"


@dataclasses.dataclass(frozen=True)
class Rows:
    """What a role was answered about a type: its rows, and how many of them have each column."""

    data: list[dict[str, Any]]
    counts: dict[str, int]


async def everything(
    crawler: Crawler, type_: Any, only: Container[str], *, lists: bool = False, most: int | None = None
) -> Rows:
    """The rows of a type that the caller sees, at most `most`, and of how many each column is not NULL."""
    entity = words.entity_of(type_)
    assert entity is not None
    text = selected(type_, only, lists=lists)
    if not text:
        return Rows([], {})
    operation: Any = parse(f"{{ {text} }}").definitions[0]
    compiler = Compiler(
        crawler.schema, crawler.engine.rules, Operation(operation, {}, NOTHING), crawler.actor.role, strict=False
    )
    alias = compiler.alias(entity.table)
    source = From(alias)
    details = [FieldDetails(FieldNode(name=NameNode(value="row"), selection_set=operation.selection_set), None)]
    inner = join(compiler.object(type_, details, Scope(alias.c, source, alias)))
    seen = compiler.seen(alias, entity.table)
    rows = sa.select(inner.label("j")).select_from(source.clause).where(*seen).limit(most).subquery("every")
    columns = [] if lists else [c for c in entity.table.c if c.name in _columns(type_)]
    counted = sa.select(*[sa.func.count(alias.c[c.name]) for c in columns]).select_from(alias).where(*seen)
    counts = sa.func.array_to_string(sa.func.array(_listed(counted, columns)), literal(",")) if columns else literal("")
    whole = literal('{"rows":[').concat(sa.func.coalesce(sa.func.string_agg(rows.c.j, literal(",")), literal("")))
    whole = whole.concat(literal('],"counts":[')).concat(counts).concat(literal("]}"))
    plan = compiler.finish(sa.select(whole).select_from(rows).scalar_subquery())
    context = crawler.context("")
    found: bytes = await crawler.fetchval(plan.sql, *plan.arguments(Run(NOTHING, context.asker)))
    answer = orjson.loads(await context.unmark(found) if plan.marked else found)
    crawler.opened.update(context.of_others)
    return Rows(answer["rows"], dict(zip([c.name for c in columns], answer["counts"], strict=True)))


def _columns(type_: Any) -> set[str]:
    found = [words.word_of(f) for f in type_.fields.values()]
    return {w.name for w in found if isinstance(w, words.Column)} | {w.on for w in found if isinstance(w, words.One)}


def _listed(counted: Any, columns: list[Any]) -> Any:
    """The counts of one row as rows, in order: said, since parts of a union may be run beside one another."""
    row = counted.subquery("counted")
    parts = [
        sa.select(sa.literal_column(str(i)).label("at"), c.label("n")).select_from(row) for i, c in enumerate(row.c)
    ]
    each = (sa.union_all(*parts) if len(parts) > 1 else parts[0]).subquery("each")
    return sa.select(each.c.n).order_by(each.c.at).scalar_subquery()


def told(value: Any) -> bool:
    """Whether an answer says anything: not null, no empty list, not no."""
    if isinstance(value, dict) and "edges" in value:
        return bool(value["edges"]) or bool(value["totalCount"])
    return value not in (None, [], False)


def at(row: Any, path: str) -> Any:
    """The value of a path such as `viewerCan.edit` in a row; None where something on the way is."""
    for name in path.split("."):
        row = None if row is None else row[name]
    return row


__all__ = ["Rows", "at", "everything", "is_abstract_type", "told"]
