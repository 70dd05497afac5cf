"""A subscription as one statement: each event that is due is a row, and its answer the response text.

The rows come in order, a bounded number at a time; the thing that they are about is read once for all of them. Each
says whether the asker still sees the thing, and whether he is told of this event at all.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema, get_named_type
from graphql.execution.collect_fields import FieldDetails, collect_fields

from resolvers.engine import plans, words
from resolvers.engine.compiler import Compiler, Operation, utf8
from resolvers.engine.plans import Plan
from resolvers.engine.scope import Scope
from resolvers.engine.text import L, join, number

BATCH = 20
"""The most events that one statement answers."""


def root(schema: GraphQLSchema, op: Operation) -> tuple[str, GraphQLField, words.Change, list[FieldDetails]]:
    """The one root field of a subscription: its response key, itself, its word, and where it is selected."""
    type_ = schema.subscription_type
    assert type_ is not None
    fields = collect_fields(schema, op.fragments, op.values, type_, op.node).grouped_field_set
    ((key, details),) = fields.items()
    field = type_.fields[details[0].node.name.value]
    word = words.word_of(field)
    assert isinstance(word, words.Change)
    return key, field, word, details


def due(compiler: Compiler) -> Plan:
    """The plan of (xid, id, at, shown, told, text): the events after one place and up to another, in order."""
    key, field, word, details = root(compiler.schema, compiler.operation)
    rows = _judged(compiler, word)
    type_ = get_named_type(field.type)
    assert isinstance(type_, GraphQLObjectType)
    answer = [L('{"data":{"' + key + '":'), *compiler.object(type_, details, Scope(rows.c, None, rows)), L("}}")]
    text = sa.case((sa.and_(rows.c.shown, rows.c.told), utf8(join(answer))))
    cells = (*(rows.c[name] for name in ("xid", "id", "at", "shown", "told")), text.label("text"))
    return compiler.written(sa.select(*cells).order_by(rows.c.xid, rows.c.id))


def seen(compiler: Compiler) -> Plan:
    """The plan of one cell: whether the asker sees the thing; a stream is there for whoever it is for."""
    word = root(compiler.schema, compiler.operation)[2]
    if isinstance(word, words.Stream):
        return compiler.written(sa.select(sa.true()))
    thing, seen = _thing(compiler, word)
    return compiler.written(sa.select(sa.exists(sa.select(number(1)).select_from(thing).where(seen))))


def _thing(compiler: Compiler, word: words.Change, id: Any = None) -> tuple[Any, Any]:
    """The thing's table, and the condition that it is the one, and seen."""
    entity = words.entity_of(compiler.schema.type_map[word.subject])
    assert entity is not None
    thing = compiler.alias(entity.table)
    which = thing.c.id == (compiler.reference if id is None else id)
    return thing, sa.and_(which, *compiler.seen(thing, entity.table))


def _judged(compiler: Compiler, word: words.Change) -> Any:
    """The next events, and of each whether the thing is seen and the event told, as a FROM. Fenced: it is judged once."""
    if isinstance(word, words.Stream):
        page = _streamed(compiler, word)
        thing, seen = _thing(compiler, word, page.c.thing)
        told = compiler.checked(word.told(page.c, thing.c, compiler.view))
        mine = told if word.hidden else sa.and_(thing.c.id.is_not(None), told)
        # what he does not see is passed by: there is no one thing whose end would be this one's
        judged = sa.select(*page.c, sa.true().label("shown"), sa.func.coalesce(mine, sa.false()).label("told"))
    else:
        page = _page(compiler, word)
        thing, seen = _thing(compiler, word)
        told = compiler.checked(word.told(page.c, thing.c, compiler.view))
        judged = sa.select(*page.c, thing.c.id.is_not(None).label("shown"), told.label("told"))
    rows = judged.select_from(page.outerjoin(thing, seen)).offset(number(0)).subquery(compiler.name("f"))
    compiler.made.add(rows.name)
    return rows


def _page(compiler: Compiler, word: words.Change) -> Any:
    """The next events that concern the thing, by whatever way, as a FROM."""
    branches = []
    for way in word.ways:
        event = compiler.alias(word.events)
        place = sa.tuple_(event.c.xid, event.c.id)
        here = sa.select(*event.c).where(
            way(event.c, compiler.reference), place > _end(compiler, word, 0), place <= _end(compiler, word, 1)
        )
        branches.append(here.order_by(event.c.xid, event.c.id).limit(number(BATCH)).subquery(compiler.name("w")))
    whole = sa.union_all(*[sa.select(*branch.c) for branch in branches]).subquery(compiler.name("u"))
    first = sa.select(*whole.c).order_by(whole.c.xid, whole.c.id).limit(number(BATCH))
    page = first.subquery(compiler.name("e"))
    compiler.made.add(page.name)
    return page


def _streamed(compiler: Compiler, word: words.Stream) -> Any:
    """The next events of whatever is the asker's, each with its thing, as a FROM; of a throttled stream the newest."""
    branches = []
    for source in word.sources:
        event = compiler.alias(word.events)
        rows, condition, thing = source(event, compiler.view, compiler.alias)
        place = sa.tuple_(event.c.xid, event.c.id)
        due = (place > _end(compiler, word, 0), place <= _end(compiler, word, 1))
        here = sa.select(*event.c, thing.label("thing")).select_from(rows).where(compiler.checked(condition), *due)
        branches.append(_first(here, event.c, word).subquery(compiler.name("w")))
    whole = sa.union(*[sa.select(*branch.c) for branch in branches]).subquery(compiler.name("u"))
    page = _first(sa.select(*whole.c), whole.c, word).subquery(compiler.name("e"))
    compiler.made.add(page.name)
    return page


def _first(rows: sa.Select[Any], of: Any, word: words.Stream) -> sa.Select[Any]:
    if word.seconds:
        return rows.order_by(of.xid.desc(), of.id.desc()).limit(number(1))
    return rows.order_by(of.xid, of.id).limit(number(BATCH))


def _end(compiler: Compiler, word: words.Change, end: int) -> Any:
    """The place after which, or up to which, events are due."""
    columns = word.events.c
    xid = compiler.bind(("span", end, 0), columns.xid.type, plans.spanned(end, 0))
    id = compiler.bind(("span", end, 1), columns.id.type, plans.spanned(end, 1))
    return sa.tuple_(xid, id)
