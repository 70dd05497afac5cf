"""Every mutation for every role: refused to exactly those who may not, and alike for what is hidden and what is not there."""

from __future__ import annotations

import dataclasses
import random
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import settings

from models.access import PUBLIC_ACTOR, Role
from models.tables import METADATA
from resolvers import verbs
from resolvers.engine import words
from resolvers.engine.engine import Engine
from resolvers.scopes import scope_of
from tests.access.conftest import ROLES, Looking, Stock, as_api, prefixes
from tests.access.crawl import Crawler, without_limits
from tests.access.filling import id_paths, mutation, nowhere
from tests.demo import Demo

THOROUGH = settings.default.max_examples > 50
TRIED = 5 if THOROUGH else 1
"""How many hidden things each mutation is called with."""

BY_SCOPE: dict[str, str] = {
    **dict.fromkeys(("signInSwitch", "signInsEnd", "wechatUnbind"), "a demo token comes from no sign-in"),
    "personClaim": "who claims a record has a sign-in with WeChat and a proven number; demo tokens have neither",
}
"""Mutations that refuse some role that may call them before they look at a row, and why."""


@dataclasses.dataclass(frozen=True)
class Mutation:
    """A mutation as the schema has it."""

    name: str
    may: frozenset[Role]
    prepared: bool
    """Whether something is done before its transaction: then other systems are needed to call it."""
    scope: str | None


def mutations(engine: Engine) -> list[Mutation]:
    assert engine.schema.mutation_type is not None
    out = []
    for name, field in engine.schema.mutation_type.fields.items():
        word = words.word_of(field)
        scope = scope_of(field.extensions[words.BACKREF].python_name)
        out.append(Mutation(name, word.does.may, word.before is not None, scope))
    return out


async def undone(connection: asyncpg.Connection, work: Callable[[], Awaitable[None]]) -> None:
    """Runs something in a transaction that is rolled back: mutations are savepoints in it."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await work()
    finally:
        await transaction.rollback()


COUNTED = [t.name for t in METADATA.sorted_tables if t.name != "audit_event"]


REFUSED = "SELECT count(*) FROM audit_event WHERE result = 'FORBIDDEN'"


async def counts(connection: asyncpg.Connection, readable: list[str]) -> list[int]:
    return list(await connection.fetchrow("SELECT " + ", ".join(f"(SELECT count(*) FROM {n})" for n in readable)))


async def readable(connection: asyncpg.Connection) -> list[str]:
    """The tables that the API's role may read."""
    return [n for n in COUNTED if await connection.fetchval("SELECT has_table_privilege($1, 'SELECT')", n)]


def code(answer: dict[str, Any], name: str) -> str | None:
    """A refusal's code; None for what was done."""
    assert "errors" not in answer, answer
    found: str | None = answer["data"][name].get("code")
    return found


async def called(crawler: Crawler, name: str, ids: dict[str, str]) -> Any:
    """The answer to a mutation with these ids."""
    text, variables = mutation(crawler.schema, name, ids)
    return await crawler.answer(text, **variables)


def nothing(engine: Engine, name: str, kinds: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ids that nothing has, for what a mutation requires."""
    known = kinds or {}
    return {path: f"{known.get(path, 'nothing')}_{nowhere()}" for path, must in id_paths(engine.schema, name) if must}


@pytest.mark.parametrize("slug", ROLES)
def test_refused_to_exactly_those_who_may_not(demo: Demo, engine: Engine, slug: str) -> None:
    actor = demo.actors[slug]

    async def call(connection: asyncpg.Connection) -> None:
        crawler = Crawler(engine, actor, connection)
        tables = await readable(connection)
        before = await counts(connection, tables)
        refused = [m for m in mutations(engine) if actor.role not in m.may]
        noted = await connection.fetchval(REFUSED)
        for m in refused:
            answer = await called(crawler, m.name, nothing(engine, m.name))
            assert code(answer, m.name) == "FORBIDDEN", (slug, m.name, answer)
        assert await counts(connection, tables) == before
        assert await connection.fetchval(REFUSED) >= noted + min(len(refused), 30)  # a flood is not written out
        unlooked = []
        for m in mutations(engine):
            if actor.role in m.may and not m.prepared:
                answer = await called(crawler, m.name, nothing(engine, m.name))
                if code(answer, m.name) == "FORBIDDEN" and m.name not in BY_SCOPE:
                    unlooked.append(m.name)
        assert unlooked == [], slug

    async def all_undone(connection: asyncpg.Connection) -> None:
        await undone(connection, lambda: call(connection))

    with without_limits():
        as_api(demo, all_undone)


def test_a_key_does_what_its_scopes_say_and_nothing_else(demo: Demo, engine: Engine) -> None:
    staff = demo.actors["ngo-staff"]
    scopes = sorted({m.scope for m in mutations(engine) if m.scope is not None})

    async def call(connection: asyncpg.Connection) -> None:
        for given in [frozenset[str](), *(frozenset({scope}) for scope in scopes)]:
            keyed = dataclasses.replace(staff, key=nowhere(), scopes=given)
            crawler = Crawler(engine, keyed, connection)
            for m in mutations(engine):
                if m.prepared:
                    continue
                found = code(await called(crawler, m.name, nothing(engine, m.name)), m.name)
                if m.scope not in given or staff.role not in m.may:
                    assert found == "FORBIDDEN", (given, m.name)
                else:
                    assert found != "FORBIDDEN" or m.name in BY_SCOPE, (given, m.name)

    async def all_undone(connection: asyncpg.Connection) -> None:
        await undone(connection, lambda: call(connection))

    with without_limits():
        as_api(demo, all_undone)


@pytest.fixture(scope="module")
def kinds(demo: Demo, engine: Engine) -> dict[str, dict[str, str]]:
    """Which kind of thing each id of a mutation is of, as its resolver reads it: by mutation and path."""
    found: dict[str, dict[str, str]] = {}
    reading: dict[str, tuple[str, str]] = {}
    read = verbs.read_id

    def noted(given: str, kind: str, field: str = "id") -> UUID:
        if given in reading:
            name, path = reading[given]
            found.setdefault(name, {})[path] = kind
        return read(given, kind, field)

    async def call(connection: asyncpg.Connection) -> None:
        number = 0
        for m in mutations(engine):
            if m.prepared:
                continue
            asking = next((a for a in demo.actors.values() if a.role in m.may), PUBLIC_ACTOR)
            for path, _ in id_paths(engine.schema, m.name):  # one optional id at a time
                number += 1
                given = f"nothing_{nowhere(number)}"
                reading[given] = m.name, path
                ids = {**nothing(engine, m.name), path: given}
                await called(Crawler(engine, asking, connection), m.name, ids)

    async def all_undone(connection: asyncpg.Connection) -> None:
        await undone(connection, lambda: call(connection))

    with pytest.MonkeyPatch.context() as patch, without_limits():
        for module in list(sys.modules.values()):
            if getattr(module, "read_id", None) is read and module.__name__.startswith("resolvers"):
                patch.setattr(module, "read_id", noted)
        as_api(demo, all_undone)
    return found


def test_ids_are_of_a_kind(engine: Engine, kinds: dict[str, dict[str, str]]) -> None:
    """Nearly every id of a mutation is tried: those that are not read are named."""
    every = {(m.name, path) for m in mutations(engine) if not m.prepared for path, _ in id_paths(engine.schema, m.name)}
    known = {(name, path) for name, paths in kinds.items() for path in paths}
    assert len(known) > 100
    assert every - known <= UNREAD
    assert {kind for paths in kinds.values() for kind in paths.values()} <= prefixes(engine).keys()


TELLS = {
    ("interestDeclare", "person"): "whoever was given a relative's id may declare him, and need not see him",
    ("avoidanceAdd", "person"): "whom somebody has met he may avoid, and need not see him any more",
}
"""Ids of which a mutation tells whether something has them, and why it must."""
UNREAD: set[tuple[str, str]] = set()
"""Ids that a mutation reads only after something else: of a list that is empty, beside another that is there."""
ID = re.compile(r"[a-z_]+_[0-9a-f]{8}-[0-9a-f-]{27}")


@pytest.mark.parametrize("slug", ROLES)
def test_hidden_is_answered_as_absent(
    demo: Demo, engine: Engine, stock: Stock, kinds: dict[str, dict[str, str]], slug: str
) -> None:
    """With an id of something that he may not see, and with one of nothing: the whole answer is the same."""
    actor, tables = demo.actors[slug], prefixes(engine)
    chance = random.Random(slug)

    async def call(connection: asyncpg.Connection) -> None:
        looking, crawler = Looking(actor, connection), Crawler(engine, actor, connection)
        every = {kind for paths in kinds.values() for kind in paths.values()}
        visible = {kind: await looking.seen(tables[kind], "id") for kind in every}
        anybody = {kind: min(map(str, seen), default=str(nowhere())) for kind, seen in visible.items()}
        for m in mutations(engine):
            if actor.role not in m.may or m.prepared:
                continue
            known = kinds.get(m.name, {})
            absent = nothing(engine, m.name, known)
            there = {path: f"{kind}_{anybody[kind]}" for path, kind in known.items() if path in absent}
            for path, kind in known.items():
                hidden = sorted(stock.ids[tables[kind]] - visible[kind])
                for key in chance.sample(hidden, min(len(hidden), TRIED)):
                    for others in (absent, {**absent, **there}) if len(absent) > 1 else (absent,):
                        given = [{**others, path: f"{kind}_{id}"} for id in (key, nowhere())]
                        told = [ID.sub("ID", str(await attempted(connection, crawler, m.name, ids))) for ids in given]
                        tried.append(m.name)
                        if told[0] != told[1] and (m.name, path) not in TELLS:
                            apart.append((m.name, path, *told))

    async def attempted(connection: asyncpg.Connection, crawler: Crawler, name: str, ids: dict[str, str]) -> Any:
        found: list[Any] = []

        async def work() -> None:
            found.append(await called(crawler, name, ids))

        await undone(connection, work)
        return found[0]

    tried: list[str] = []
    apart: list[tuple[str, ...]] = []
    with without_limits():
        as_api(demo, call)
    assert apart == []
    assert tried or not any(actor.role in m.may for m in mutations(engine) if m.name in kinds)
