"""No list tells of what it hides: not by an id, an exact value, a count or a cursor that somebody has from elsewhere."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest
import sqlalchemy as sa
from graphql import get_named_type

from api.access_cells import Reader, item_of
from models.access import PUBLIC
from models.territory import geo
from resolvers.engine import words
from resolvers.engine.engine import Engine
from resolvers.engine.text import sql_type
from tests.access.conftest import ROLES, Looking, Stock, as_api, prefixes
from tests.access.crawl import Crawler, without_limits
from tests.access.filling import nowhere
from tests.demo import Demo

ABSENT_TEXT = "查无此项000"
LINKED: dict[str, str] = {}
"""Filters by which a caller who has the id of something hidden learns that rows he sees refer to it, and why that is right."""


def lists(crawler: Crawler) -> Iterator[tuple[str, Any, Any, sa.Table]]:
    """(root, field, filter, table of its items) of every list of the query that goes by pages."""
    for name, field in crawler.roots().items():
        if isinstance(words.word_of(field), words.Connection):
            entity = words.entity_of(item_of(get_named_type(field.type)))
            assert entity is not None
            given = field.args.get("filter")
            yield name, field, None if given is None else get_named_type(given.type), entity.table


def compared(crawler: Crawler, table: sa.Table, part: Any) -> tuple[set[str], set[str]]:
    """(tables whose ids, columns of the list's own table whose text) an input field of a filter is compared with."""
    reader = Reader(crawler.engine, crawler.actor.role)
    rows = reader.alias(table)
    word = words.word_of(part)
    value: Any = sa.literal_column("value") if word.reads else sa.literal_column("value", sql_type(part.type))
    if word.reads:
        value = SimpleNamespace(**{name: sa.literal_column(f"v_{name}", r.type) for name, r in word.reads.items()})
    built = word.build(rows.c, value, reader.view)
    targets, texts = set(), set()
    for element in sa.sql.visitors.iterate(built):
        if not isinstance(element, sa.Column):
            continue
        targets |= {key.column.table.name for key in element.foreign_keys}
        if element.primary_key:
            targets.add(getattr(getattr(element.table, "element", element.table), "name", ""))
        if element.table is rows and isinstance(element.type, sa.Text):
            texts.add(element.name)
    return targets, texts


async def narrowed(crawler: Crawler, root: str, name: str, part: Any, value: str) -> Any:
    """The answer of a list that is narrowed by one field."""
    kind = get_named_type(part.type).name
    given = "[$value]" if "[" in str(part.type) else "$value"
    asked = f"{root}(first: 50, filter: {{{name}: {given}}}) {{ totalCount edges {{ node {{ __typename }} }} }}"
    return await crawler.answer(f"query ($value: {kind}!) {{ {asked} }}", value=value)


async def found_by(crawler: Crawler, root: str, name: str, value: str) -> Any:
    """What a list finds by a search or by what is near."""
    asked = f"{root}(first: 50, filter: {{{name}: {value}}}) {{ totalCount edges {{ node {{ id }} }} }}"
    answer = await crawler.answer(f"{{ {asked} }}")
    assert "errors" not in answer, (root, name, value, answer)
    return answer["data"][root]


@pytest.mark.parametrize("slug", ROLES)
def test_filters_are_no_oracles(demo: Demo, engine: Engine, stock: Stock, slug: str) -> None:
    """By an id or an exact value of something hidden, a list answers as by one that nothing has."""
    actor, chance = demo.actors[slug], random.Random(slug)
    of = {table: prefix for prefix, table in prefixes(engine).items()}
    wrong: list[Any] = []
    asked_for = 0

    async def look(connection: asyncpg.Connection) -> None:
        nonlocal asked_for
        crawler, looking = Crawler(engine, actor, connection), Looking(actor, connection)
        visible: dict[str, set[Any]] = {}

        async def hidden(table: str) -> list[UUID]:
            if table not in visible:
                visible[table] = await looking.seen(table, "id")
            return sorted(stock.ids[table] - visible[table])

        for root, _, filter_, table in lists(crawler):
            for name, part in ({} if filter_ is None else filter_.fields).items():
                kind = get_named_type(part.type).name
                targets, texts = compared(crawler, table, part)
                for target in sorted(targets & of.keys()) if kind == "ID" else ():
                    gone = await hidden(target)
                    referring = [c for c in table.c if any(k.column.table.name == target for k in c.foreign_keys)]
                    linked = {id for c in referring for id in await looking.seen(table.name, c.name)} & set(gone)
                    tried = [*chance.sample(gone, min(1, len(gone))), *sorted(linked)[:1]]
                    if not tried:
                        continue
                    absent = await narrowed(crawler, root, name, part, f"{of[target]}_{nowhere()}")
                    for key in tried:
                        asked_for += 1
                        if await narrowed(crawler, root, name, part, f"{of[target]}_{key}") != absent:
                            wrong.append((root, name, target))
                if words.word_of(part).reads and table.name in stock.ids:
                    gone = await hidden(table.name)
                    for found in await sought(table, name, chance.sample(gone, min(4, len(gone)))):
                        asked_for += 1
                        page = await found_by(crawler, root, name, found)
                        keys = {UUID(edge["node"]["id"].rpartition("_")[2]) for edge in page["edges"]}
                        if not keys <= visible[table.name] or page["totalCount"] != len(keys) < 50:
                            wrong.append((root, name, found))
                elif kind == "String" and table.name in stock.ids:
                    for column in sorted(texts):
                        gone = await hidden(table.name)
                        shown = await looking.seen(table.name, column)
                        for value in await values(table.name, column, chance.sample(gone, min(20, len(gone)))):
                            if value in shown or '"' in value:
                                continue
                            asked_for += 1
                            absent = await narrowed(crawler, root, name, part, ABSENT_TEXT)
                            answer = await narrowed(crawler, root, name, part, value)
                            if any(str(v) != str(value) and value in str(v) for v in shown):
                                continue  # part of what he sees
                            if answer != absent and "errors" not in answer:
                                wrong.append((root, name, column, value))
                            break

    async def sought(table: sa.Table, name: str, ids: list[UUID]) -> list[str]:
        """What would find hidden rows: their words, or where they are."""
        if name == "near":
            rows = await select(f"SELECT x, y FROM {table.name} WHERE id = ANY($1) AND x IS NOT NULL", ids)
            points = [geo.in_degrees(row["x"], row["y"]) for row in rows]
            return [f"{{latitude: {north}, longitude: {east}, withinKm: 0.5}}" for north, east in points]
        column = "title" if "title" in table.c else "name"
        rows = await select(f"SELECT DISTINCT {column} AS words FROM {table.name} WHERE id = ANY($1)", ids)
        return [f'"{row["words"][:20]}"' for row in rows if '"' not in row["words"]]

    async def select(query: str, ids: list[UUID]) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(demo.superuser)
        try:
            return list(await connection.fetch(query, ids))
        finally:
            await connection.close()

    async def values(table: str, column: str, ids: list[UUID]) -> list[str]:
        query = f"SELECT DISTINCT {column} FROM {table} WHERE id = ANY($1) AND {column} IS NOT NULL ORDER BY 1"

        async def read(connection: asyncpg.Connection) -> list[str]:
            return [row[0] for row in await connection.fetch(query, ids)]

        connection = await asyncpg.connect(demo.superuser)
        try:
            return await read(connection)
        finally:
            await connection.close()

    with without_limits():
        as_api(demo, look)
    assert [w for w in dict.fromkeys(map(str, wrong)) if w not in LINKED] == []
    assert asked_for or slug in ("admin", "auditor")


@pytest.mark.parametrize("slug", ROLES)
def test_cursors_of_hidden_rows_lead_to_seen_ones(demo: Demo, engine: Engine, stock: Stock, slug: str) -> None:
    actor, tables = demo.actors[slug], prefixes(engine)

    async def look(connection: asyncpg.Connection) -> int:
        crawler, looking = Crawler(engine, actor, connection), Looking(actor, connection)
        tried = 0
        for root, field, _, table in lists(crawler):
            if table.name in PUBLIC or table.name not in stock.ids:
                continue
            seen = await looking.seen(table.name, "id")
            gone = sorted(stock.ids[table.name] - seen)
            for tag, order in words.word_of(field).orders.items() if gone else ():
                measured = any(name not in table.c for name, _ in order)  # by distance: from the city's middle
                columns = [name if name in table.c else "0.5::float8" for name, _ in order]
                cells = await row_of(table.name, columns, gone[len(gone) // 2])
                cursor = base64.b64encode(orjson.dumps([tag or "", *cells])).decode()
                more = f", order: {tag}" if tag else ""
                if measured:
                    more += ", filter: {near: {latitude: 41.8, longitude: 123.43, withinKm: 50}}"
                for where in (f'first: 20, after: "{cursor}"', f'last: 20, before: "{cursor}"'):
                    answer = await crawler.answer(f"{{ {root}({where}{more}) {{ edges {{ node {{ id }} }} }} }}")
                    assert "errors" not in answer, (root, answer)
                    ids = [edge["node"]["id"].rpartition("_") for edge in answer["data"][root]["edges"]]
                    assert all(UUID(key) in seen and tables[prefix] == table.name for prefix, _, key in ids), root
                    tried += 1
        return tried

    async def row_of(table: str, columns: list[str], id: UUID) -> list[str]:
        connection = await asyncpg.connect(demo.superuser)
        try:
            cells = ", ".join(f"({c})::text" for c in columns)
            return list(await connection.fetchrow(f"SELECT {cells} FROM {table} WHERE id = $1", id))
        finally:
            await connection.close()

    with without_limits():
        assert as_api(demo, look) or slug in ("admin", "auditor")


def test_a_count_without_the_condition_would_be_found(demo: Demo, engine: Engine, stock: Stock) -> None:
    """The planted error: a total that counts what the list itself hides."""
    from resolvers.engine import pages

    honest = pages._Page._total

    def careless(self: Any, counted: Any) -> Any:
        alias, _ = counted
        return honest(self, (alias, []))

    actor = demo.actors["resident"]

    async def look(connection: asyncpg.Connection) -> Any:
        return await Crawler(engine, actor, connection).ask("{ residents(first: 100) { totalCount edges { cursor } } }")

    with without_limits(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages._Page, "_total", careless)
        found = as_api(demo, look)["residents"]
    assert found["totalCount"] == len(stock.ids["resident"]) > len(found["edges"])
