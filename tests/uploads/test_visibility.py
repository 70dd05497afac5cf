"""An attachment is visible exactly where its subject is; of a need, where the note is. For every role, on all demo data."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import settings

from models.access import PUBLIC_ACTOR, Actor, Role
from models.files.rules import MAY_ADD, SubjectKind
from models.files.subjects import SUBJECTS
from models.files.tables import SUBJECTS as COLUMNS
from resolvers.engine.engine import Engine
from tests.access.conftest import Looking, as_api, engine, others
from tests.access.crawl import Crawler, without_limits
from tests.demo import Demo, demo_of_module

CHANCE = 3 * settings.default.max_examples // 5  # 30 in CI, 300 when thorough
EACH = 400
"""Things of a kind that have an attachment."""
FILL = """
INSERT INTO attachment ({column}, uploader_id, role, media, size_bytes, sha256, stored, opener, created_at)
SELECT id, (SELECT id FROM person LIMIT 1), 'COMMUNITY_STAFF', 'PNG', 1, decode(repeat('00', 32), 'hex'),
    '{table}' || id, '\\x00', created.at
FROM {table}, (SELECT timestamptz '2026-11-01 10:00+08' AS at) created WHERE {only} ORDER BY {table}.id DESC LIMIT {each}
"""
NEEDS = """
query ($after: String) { needs(first: 100, after: $after) {
    pageInfo { hasNextPage endCursor } edges { node { id note attachments { id } } }
} }
"""


@pytest.fixture(scope="module")
def filled(demo_of_module: Demo) -> Iterator[Demo]:
    async def fill() -> None:
        connection = await asyncpg.connect(demo_of_module.superuser)
        try:
            for subject in SUBJECTS.values():
                only = "note IS NOT NULL" if subject.kind is SubjectKind.NEED else "true"
                sql = FILL.format(column=subject.column, table=subject.rows.name, only=only, each=EACH)
                await connection.execute(sql)
        finally:
            await connection.close()

    asyncio.run(fill())
    yield demo_of_module


async def pages(crawler: Crawler, query: str) -> list[Any]:
    """The nodes of every page."""
    out, after = [], None
    while True:
        (page,) = (await crawler.answer(query, after=after))["data"].values()
        out += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return out


async def of(connection: asyncpg.Connection, column: str, subjects: set[Any]) -> set[UUID]:
    rows = await connection.fetch(f"SELECT id FROM attachment WHERE {column} = ANY($1::uuid[])", list(subjects))
    return {row["id"] for row in rows}


async def compared(engine: Engine, actor: Actor, connection: asyncpg.Connection, every: asyncpg.Connection) -> int:
    """How many attachments somebody sees: exactly those of what he sees, by list, by subject and by count."""
    looking, crawler = Looking(actor, connection), Crawler(engine, actor, connection)
    needs = await pages(crawler, NEEDS)
    read = {UUID(n["id"].partition("_")[2]) for n in needs if n["note"] is not None}
    expected: set[UUID] = set()
    for subject in SUBJECTS.values():
        seen = await looking.seen(subject.rows.name, "id")
        expected |= await of(every, subject.column, seen & read if subject.kind is SubjectKind.NEED else seen)
    visible = await looking.seen("attachment", "id")
    assert visible == expected, (actor.role, len(visible), len(expected), len(visible ^ expected))
    shown = {UUID(a["id"].partition("_")[2]) for n in needs for a in n["attachments"]}
    assert shown == await of(every, "need_id", read), actor.role
    hidden = [row["id"] for row in await every.fetch("SELECT id FROM attachment") if row["id"] not in visible]
    for id in (*hidden[:2], *sorted(visible)[:2]):
        text = "query ($id: ID!) { attachment(id: $id) { id url subject { __typename ... on Node { id } } } }"
        found = (await crawler.answer(text, id=f"attachment_{id}"))["data"]["attachment"]
        assert (found is not None) == (id in visible)
        assert found is None or found["subject"] is not None, "what it shows is seen whenever it is"
    return len(visible)


def test_every_role_sees_what_is_attached_to_what_it_sees(filled: Demo, engine: Engine) -> None:
    seen: dict[str, int] = {}

    async def look(connection: asyncpg.Connection) -> None:
        every = await asyncpg.connect(filled.superuser)
        try:
            for slug, actor in filled.actors.items():
                seen[slug] = await compared(engine, actor, connection, every)
            for actor in await others(connection, CHANCE, 7):
                await compared(engine, actor, connection, every)
        finally:
            await every.close()

    with without_limits():
        as_api(filled, look)
    assert {slug for slug, count in seen.items() if count == 0} <= {
        "person",
        "department",
        "admin",
        "city-viewer",
        "district-viewer",
        "party-secretary",
    }
    assert len(set(seen.values())) > 8, seen


def test_a_need_in_the_public_list_shows_no_picture_to_strangers(filled: Demo, engine: Engine) -> None:
    async def look(connection: asyncpg.Connection) -> None:
        for actor in (PUBLIC_ACTOR, filled.actors["person"], filled.actors["city-viewer"]):
            needs = await pages(Crawler(engine, actor, connection), NEEDS)
            assert not [n for n in needs if n["attachments"]]
            if actor is PUBLIC_ACTOR:
                assert len(needs) > 10

    with without_limits():
        as_api(filled, look)


def test_a_rule_without_its_subject_would_be_found(
    filled: Demo, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison is one that can fail: pictures of needs shown with the need's title are found."""
    import dataclasses

    monkeypatch.setitem(SUBJECTS, SubjectKind.NEED, dataclasses.replace(SUBJECTS[SubjectKind.NEED], more=None))

    async def look(connection: asyncpg.Connection) -> None:
        every = await asyncpg.connect(filled.superuser)
        try:
            await compared(engine, PUBLIC_ACTOR, connection, every)
        finally:
            await every.close()

    with without_limits(), pytest.raises(AssertionError):
        as_api(filled, look)


def test_every_kind_is_listed_everywhere(engine: Engine) -> None:
    assert set(SUBJECTS) == set(SubjectKind) == set(MAY_ADD)
    assert tuple(s.column for s in SUBJECTS.values()) == COLUMNS
    for subject in SUBJECTS.values():
        assert Role.PUBLIC not in MAY_ADD[subject.kind]


__all__ = ["demo_of_module", "engine"]
