"""What rules promise of each other: whoever sees a row sees what it refers to, where that is declared to be implied."""

from __future__ import annotations

import asyncpg
from hypothesis import settings

from models.access import IMPLIED, PUBLIC, VISIBLE, Role
from models.tables import METADATA
from resolvers.engine.engine import Engine
from tests.access.conftest import Looking, as_api, others
from tests.demo import Demo

CHANCE = 8 * settings.default.max_examples // 5  # 80 in CI, 800 when thorough
WRONG = {("commitment", "offer_id"), ("organization", "contact_id"), ("attendance", "commitment_id")}
"""References that are not implied: what is found of them shows that the search would find a wrong declaration."""


async def broken(look: Looking, table: str, column: str) -> set[object]:
    """The targets that are hidden, though rows that refer to them are seen."""
    (key,) = METADATA.tables[table].c[column].foreign_keys
    referred = await look.seen(table, column)
    return referred - await look.seen(key.column.table.name, key.column.name) if referred else set()


def found(demo: Demo, pairs: set[tuple[str, str]], seed: int) -> tuple[dict[tuple[str, str], set[Role]], int]:
    """The roles for which each pair is broken, and how many references were followed."""
    hidden: dict[tuple[str, str], set[Role]] = {}
    followed = 0

    async def look(connection: asyncpg.Connection) -> None:
        nonlocal followed
        for actor in (*demo.actors.values(), *await others(connection, CHANCE, seed)):
            looking = Looking(actor, connection)
            for table, column in sorted(pairs):
                followed += 1
                if await broken(looking, table, column):
                    hidden.setdefault((table, column), set()).add(actor.role)

    as_api(demo, look)
    return hidden, followed


def test_whoever_sees_a_row_sees_what_it_implies(demo: Demo, engine: Engine) -> None:
    pairs = {(t, c) for t, c in IMPLIED if _target(t, c) not in PUBLIC}
    assert pairs
    assert found(demo, pairs, 1)[0] == {}


def test_what_is_implied_is_a_reference(engine: Engine) -> None:
    for table, column in IMPLIED:
        assert _target(table, column) in VISIBLE.keys() | PUBLIC


def test_a_wrong_declaration_would_be_found(demo: Demo, engine: Engine) -> None:
    assert found(demo, WRONG, 2)[0].keys() == WRONG


NOT_IN_THE_DEMO = {("offer_batch_item", "batch_id")}
"""Batches are kept for 7 days; their sender alone sees them (tests/actions/test_offer_batches.py)."""


def test_everybody_looks_at_something(demo: Demo, engine: Engine) -> None:
    """No pair is proven by looking at nothing."""
    seen: set[tuple[str, str]] = set()

    async def look(connection: asyncpg.Connection) -> None:
        for actor in demo.actors.values():
            seen.update([pair for pair in IMPLIED if await Looking(actor, connection).seen(*pair)])

    as_api(demo, look)
    assert seen == IMPLIED - NOT_IN_THE_DEMO


def _target(table: str, column: str) -> str:
    (key,) = METADATA.tables[table].c[column].foreign_keys
    name: str = key.column.table.name
    return name
