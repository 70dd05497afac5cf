"""Random documents over random rows: the fast path, the standard path and the reference answer the same."""

from __future__ import annotations

import asyncio
import collections
from typing import Any

import asyncpg
import orjson
import pytest
from graphql import GraphQLError, parse, validate
from hypothesis import Phase, given, note, seed, settings
from hypothesis import strategies as st

from resolvers.engine.documents import Refused
from resolvers.engine.engine import Engine
from resolvers.engine.plans import Run
from tests.engine import documents, domain, reference, rows
from tests.engine import tables as t
from tests.engine.conftest import Opening, Reads, differences, keys, make_engine
from tests.engine.rows import World
from tests.engine.tables import Actor, Role

PARTS = 4
EXAMPLES = settings.default.max_examples
"""For each part: 50 in CI, 500 when thorough."""
THOROUGH = EXAMPLES > 50
NEEDS_PYTHON = ("shouted", "summary", "__schema", "__type(")


class Differential:
    """What the examples of one test are compared with, and what they had in them."""

    def __init__(self, url: str, worlds: list[World], oracle: Any) -> None:
        self.url, self.worlds, self.oracle = url, worlds, oracle
        self.engine: Engine = make_engine()
        self.cursors = {world.name: documents.cursors(oracle, world) for world in worlds}
        self.seen: collections.Counter[str] = collections.Counter()
        self.runner = asyncio.Runner()
        self.connections: dict[str, asyncpg.Connection] = {}

    def __enter__(self) -> Differential:
        self.runner.__enter__()
        return self

    def __exit__(self, *_: Any) -> None:
        for connection in self.connections.values():
            self.runner.run(connection.close())
        self.runner.__exit__(None, None, None)

    async def connection(self, world: World) -> asyncpg.Connection:
        if world.name not in self.connections:
            settings = {"search_path": world.name, "jit": "off", "timezone": "Asia/Shanghai"}
            self.connections[world.name] = await asyncpg.connect(
                self.url, server_settings=settings, statement_cache_size=0
            )
        return self.connections[world.name]

    def example(self, document: str, world: World, actor: Actor, chance: int) -> None:
        writer = documents.Writer(self.oracle, world, self.cursors[world.name], chance)
        text, variables, name = writer.write(document)
        self.seen["all"] += 1
        note(f"{world.name} {actor}\n{text}\n{variables}")
        self.runner.run(self.compare(world, actor, text, variables, name, writer.features))
        if writer.again:  # the plan is kept: other values, another asker of the same role
            other = next(a for a in (*world.actors[::-1], actor) if a.role is actor.role)
            variables = {**variables, **writer.again}
            note(f"then {other} {variables}")
            self.runner.run(self.compare(world, other, text, variables, name, {"again"}))

    async def compare(
        self, world: World, actor: Actor, text: str, variables: Any, name: str | None, features: set[str]
    ) -> None:
        """Asks thrice."""
        reads = Reads(await self.connection(world))
        request = Opening(text, variables, name, actor, t.asker(actor, rows.NOW), reads)
        try:
            found = self.engine.document(request)
        except Refused as refused:
            codes = {(error.extensions or {}).get("code", "") for error in refused.errors}
            assert all(code.startswith("TOO_") for code in codes) or validate(self.oracle, parse(text)), codes
            self.seen["invalid" if "" in codes else "over a limit"] += 1
            return
        expected = reference.run(self.oracle, world.rows, actor, text, variables, name)
        try:
            values = self.engine.coerced(found, request)
        except Refused:
            assert expected.data is None and expected.errors
            self.seen["bad variables"] += 1
            return
        fast = await self.engine.fast(request, found, values)
        assert len(reads.statements) <= 1
        standard = await self.engine.standard(request, found)
        assert not list(differences(standard.data, expected.data))
        assert list(keys(standard.data)) == list(keys(expected.data))
        assert bool(standard.errors) == bool(expected.errors), (standard.errors, expected.errors)
        if fast is None:
            if expected.errors:
                self.seen["with errors"] += 1
            elif any(word in text for word in NEEDS_PYTHON):
                self.seen["needs Python"] += 1
            else:  # a wrong argument in a place that no row reaches; anything else is a fast path lost
                with pytest.raises(GraphQLError):
                    plan = self.engine.plan(found, values, actor.role, strict=True)
                    plan.arguments(Run(values, request.asker))
                self.seen["wrong arguments that no row reaches"] += 1
            return
        data = orjson.loads(fast)["data"]
        assert not expected.errors
        assert not list(differences(data, expected.data))
        assert list(keys(data)) == list(keys(expected.data))
        self.seen["fast"] += 1
        self.seen.update(features)
        self.seen["variables not given"] += bool(features & {"variable null", "variable absent", "variable default"})
        everything = reference.run(self.oracle, world.rows, Actor(Role.STAFF, path=""), text, variables, name)
        self.seen["hidden rows"] += everything.data != expected.data
        self.seen["rows"] += b"[{" in fast


@pytest.mark.parametrize("part", range(PARTS))
def test_equal(engine_url: str, worlds: list[World], oracle: Any, part: int, capsys: Any) -> None:
    with Differential(engine_url, worlds, oracle) as differential:

        @settings(
            max_examples=EXAMPLES, database=None, phases=(Phase.generate, Phase.shrink), report_multiple_bugs=False
        )
        @given(
            documents.plain(domain.schema()),
            st.integers(0, len(worlds) - 1),
            st.integers(0, 4),
            st.integers(0, 2**32),
        )
        def examples(document: str, world: int, actor: int, chance: int) -> None:
            differential.example(document, worlds[world], worlds[world].actors[actor], chance)

        (examples if THOROUGH else seed(part)(examples))()
        seen = differential.seen
    if THOROUGH:
        with capsys.disabled():
            print("\n", dict(seen))
    # not by comparing nothing
    compared = {
        "fast": 0.5,
        "rows": 0.2,
        "hidden rows": 0.15,
        "variables": 0.3,
        "variable given": 0.2,
        "variables not given": 0.1,
        "variables in inputs": 0.02,
        "again": 0.2,
        "directives": 0.2,
        "fragments": 0.2,
        "aliases": 0.1,
        "merged": 0.1,
        "operations": 0.05,
    }
    few = {what: seen[what] for what, share in compared.items() if seen[what] < share * EXAMPLES}
    assert not few, (few, dict(seen))
