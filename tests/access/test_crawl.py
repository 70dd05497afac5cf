"""Crawling as every role: no row that its rules hide, and no plain name or phone number, in any answer."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import settings

from api.access_cells import NEVER
from api.access_matrix import Matrix
from api.app import engine as build_engine
from api.schema import build
from models import access
from models.access import PUBLIC, Role
from resolvers.context import perform
from resolvers.engine.engine import Engine, Rules
from tests.access.conftest import ROLES, Key, Looking, Stock, as_api, prefixes
from tests.access.crawl import Crawler, unmasked, walk, without_limits
from tests.access.everything import told
from tests.demo import Demo

THOROUGH = settings.default.max_examples > 50
OWN = {("me", "name"): 0, ("me", "phone"): 1, ("me", "address"): 2}
"""Where one's own plain values stand."""
MINE = ("triageQueue", "myNeeds", "myOffers", "myCommitments", "myDonations")
"""Lists of what other lists have, too: not looked into."""
SAMPLE = 40 if THOROUGH else 3


def depths(slug: str, roots: list[str]) -> dict[str, int]:
    """How deep each root is crawled: in CI, each root is crawled deepest by one role."""
    turn = ROLES.index(slug)
    everywhere = {root: 0 if root in MINE else 1 for root in roots}
    deepest = [root for n, root in enumerate(everywhere) if everywhere[root] and (THOROUGH or n % len(ROLES) == turn)]
    return {**everywhere, **dict.fromkeys(deepest, 2)}


class Judge:
    """What one caller may read."""

    def __init__(
        self, slug: str, demo: Demo, stock: Stock, visible: dict[str, set[Key]], taken: set[Key], papers: set[Key]
    ) -> None:
        self.slug, self.actor, self.stock, self.visible, self.taken = slug, demo.actors[slug], stock, visible, taken
        self.papers = papers

    def plain(self, path: tuple[str, ...], text: str, around: Mapping[str, Any]) -> bool:
        """Whether a text may hold a plain name, or a number: his own, a volunteer's of his organization, a donor's who consents,
        and for a foundation's finance roles one of its donors'."""
        if (path[0], path[-1]) in OWN and len(path) == 2:
            return self.actor.person is not None and text == self.stock.of[self.actor.person][OWN[path[0], path[-1]]]
        if path[-1] == "fullName":
            person = UUID(around["id"].rpartition("_")[2])
            return text == self.stock.of[person][0] and (person == self.actor.person or person in self.taken)
        if path[-1] == "number" and around["__typename"] == "Qualification":
            return UUID(around["id"].rpartition("_")[2]) in self.papers
        return path[-1] == "publicName" and text in self.stock.consented

    def may_open(self, kind: str, person: UUID) -> bool:
        """Whether a query may open a sealed value of somebody else: phones, addresses and numbers never."""
        if kind == "NAME":
            return person in self.taken
        return kind == "CARE" and person in self.stock.near[self.slug]


@pytest.mark.parametrize("slug", ROLES)
def test_nothing_hidden_is_found(demo: Demo, engine: Engine, matrix: Matrix, stock: Stock, slug: str) -> None:
    actor, tables = demo.actors[slug], prefixes(engine)

    async def crawl(connection: asyncpg.Connection) -> None:
        crawler, looking = Crawler(engine, actor, connection), Looking(actor, connection)
        visible = {table: await looking.seen(table, "id") for table in set(tables.values())}
        taken = await looking.seen("organization_volunteer", "person_id") if actor.role is Role.NGO_STAFF else set()
        own = await connection.fetch("SELECT id FROM qualification WHERE person_id = $1", actor.person)
        judge = Judge(slug, demo, stock, visible, taken, {row["id"] for row in own})
        never = forbidden(matrix, actor.role)
        answered = 0
        for root, depth in depths(slug, list(crawler.roots())).items():
            data = await crawler.ask(crawler.document(root, depth, 60 if depth == 0 else 10))
            for path, text, around in walk(data):
                if path[-1] == "id":
                    prefix, _, key = text.rpartition("_")
                    assert UUID(key) in visible[tables[prefix]], (slug, root, path, text)
                    answered += 1
                elif named(text, stock):
                    assert judge.plain(path, text, around), (slug, root, path, text)
            wrong = [found for thing in things(data) for found in mistakes(thing, never, visible, tables)]
            assert wrong == [], (slug, root)
        assert answered > 100
        assert [found for found in crawler.opened if not judge.may_open(*found)] == []
        await ids_alone(crawler, visible)

    async def ids_alone(crawler: Crawler, visible: dict[str, set[Key]]) -> None:
        """By `node`, and by the type's own field: what is hidden is null, what is seen is there."""
        chance, roots = random.Random(slug), crawler.by_id()
        for prefix, table in tables.items():
            fields = ["node", roots[prefix]] if prefix in roots else ["node"]
            asked = [f"query ($id: ID!) {{ found: {field}(id: $id) {{ id }} }}" for field in fields]
            hidden, shown = sorted(stock.ids[table] - visible[table]), sorted(map(str, visible[table]))
            for key in chance.sample(hidden, min(len(hidden), SAMPLE)):
                for query in asked:
                    assert await crawler.ask(query, id=f"{prefix}_{key}") == {"found": None}, (slug, table, key)
            for key in chance.sample(shown, min(len(shown), 1)):
                for query in asked:
                    assert await crawler.ask(query, id=f"{prefix}_{key}") == {"found": {"id": f"{prefix}_{key}"}}

    with without_limits():
        as_api(demo, crawl)


@pytest.mark.parametrize(("table", "root"), [("donor", "donations"), ("offer", "offers"), ("resident", "residents")])
def test_a_rule_that_is_not_woven_in_would_be_found(demo: Demo, stock: Stock, table: str, root: str) -> None:
    def forgetful(alias: Any, name: str, viewer: Any) -> Any:
        return () if name == table else access.seen(alias, name, viewer)

    rules = Rules(forgetful, access.PUBLIC, access.IMPLIED, access.VIEWER_TYPES)
    engine = Engine(build(), rules, set(access.VISIBLE), perform)
    actor = demo.actors["resident"]

    async def crawl(connection: asyncpg.Connection) -> int:
        seen = await Looking(actor, connection).seen(table, "id")
        crawler = Crawler(engine, actor, connection)
        data = await crawler.ask(crawler.document(root, 1, 60))
        found = {text for path, text, _ in walk(data) if path[-1] == "id" and text.startswith(f"{table}_")}
        return len(found - {f"{table}_{key}" for key in seen})

    with without_limits():
        assert as_api(demo, crawl) > 0


def test_a_mask_that_is_removed_would_be_found(demo: Demo, stock: Stock) -> None:
    actor, judge = demo.actors["volunteer"], Judge("volunteer", demo, stock, {}, set(), set())

    def too_much() -> set[tuple[str, UUID]]:
        async def crawl(connection: asyncpg.Connection) -> set[tuple[str, UUID]]:
            crawler = Crawler(build_engine(production=False), actor, connection)
            await crawler.ask("{ needs(first: 100) { edges { node { note } } } }")
            return {found for found in crawler.opened if not judge.may_open(*found)}

        return as_api(demo, crawl)

    assert too_much() == set()
    with unmasked(build_engine(production=False).schema.type_map["Need"], "note"):
        assert too_much()


def forbidden(matrix: Matrix, role: Role) -> set[tuple[str, str]]:
    """(type, field) of every cell that is never anything for a role."""
    cells = [(t.name, path, row[role]) for t in matrix.types() for path, _, row in matrix.fields(t)]
    return {(name, path) for name, path, cell in cells if cell == NEVER and "." not in path}


def things(data: Any) -> Iterator[dict[str, Any]]:
    """Every object of an answer."""
    if isinstance(data, dict):
        yield data
    for value in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from things(value)


def mistakes(
    thing: dict[str, Any], never: set[tuple[str, str]], visible: dict[str, set[Key]], tables: dict[str, str]
) -> Iterator[Any]:
    """Fields that are never anything for this role, and yet are; and lists that count more than is seen."""
    for name, value in thing.items():
        if (thing.get("__typename"), name) in never and told(value):
            yield thing["__typename"], name, value
    if "totalCount" in thing and "edges" in thing:
        ids = [edge["node"]["id"] for edge in thing["edges"] if "id" in edge["node"]]
        if len(thing["edges"]) < 3 and thing["totalCount"] != len(thing["edges"]):
            yield "totalCount", thing["totalCount"], len(thing["edges"])
        if ids and thing["totalCount"] > len(visible[tables[ids[0].rpartition("_")[0]]]):
            yield "totalCount", thing["totalCount"], ids[0]


def named(text: str, stock: Stock) -> bool:
    """Whether a text has a person's plain name or phone number in it, or is an address or the number of a document."""
    if text in stock.plain["ADDRESS"] or text in stock.plain["IDENTITY"]:
        return True
    pieces = {text[i : i + n] for n in (2, 3, 4) for i in range(len(text) - n + 1)}
    numbers = {text[i : i + 11] for i in range(len(text) - 10)}
    return not stock.names.isdisjoint(pieces) or not stock.phones.isdisjoint(numbers)


def test_names_would_be_noticed(stock: Stock) -> None:
    name, phone, _ = next(p for p in stock.of.values() if p[1])
    assert named(f"请找{name}。", stock) and named(f"电话{phone}", stock)
    assert not named("张*", stock) and not named("138****1234", stock)
    assert {len(name) for name in stock.names} <= {2, 3, 4}


def test_every_table_with_a_rule_is_hidden_from_somebody(demo: Demo, engine: Engine, stock: Stock) -> None:
    """The crawl asks for hidden rows of every table that has a rule."""

    async def look(connection: asyncpg.Connection) -> dict[str, list[int]]:
        counts: dict[str, list[int]] = {}
        for actor in demo.actors.values():
            looking = Looking(actor, connection)
            for table in stock.ids:
                counts.setdefault(table, []).append(len(await looking.seen(table, "id")))
        return counts

    for table, counts in as_api(demo, look).items():
        total = len(stock.ids[table])
        if table in PUBLIC:
            assert set(counts) == {total}, table
        elif total:
            assert min(counts) < total, (table, counts)
