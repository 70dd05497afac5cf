"""The console's samples: every query answers its role with data, in one statement; every mutation does what it says."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from graphql import GraphQLUnionType, OperationDefinitionNode, OperationType, get_named_type, parse

from api.jobs import SYSTEM
from api.web import pages
from models import clock
from models.exchange.rounds.running import run_round
from resolvers.context import Context, asker
from tests.conftest import NOW
from tests.demo import Demo
from tests.site import Site, served

SAMPLES = Path(pages.__file__).parent / "samples"
MAYBE_NOTHING = {
    *(("auditor", "Revealed"), ("auditor", "Interests")),
    *(("community-staff", "Rounds"), ("volunteer", "Proposals")),
}
"""Nobody has revealed or declared anything in the demo yet, nor started a round."""
AFTER_ROUND = ("volunteer", "Accept")
"""What can be done once the round is planned that community staff start."""


def text(role: str) -> str:
    return (SAMPLES / f"{role}.graphql").read_text("utf-8")


def variables(role: str) -> dict[str, Any]:
    """As the console is given them."""
    file = SAMPLES / f"{role}.variables.json"
    found: dict[str, Any] = json.loads(pages.filled(file.read_text("utf-8"), NOW)) if file.exists() else {}
    return found


def operations(kind: OperationType) -> list[Any]:
    """(role, operation) of every sample."""
    out = []
    for role in pages.ROLES:
        for node in parse(text(role)).definitions:
            if isinstance(node, OperationDefinitionNode) and node.operation is kind:
                assert node.name is not None
                out.append(pytest.param(role, node, id=f"{role}-{node.name.value}"))
    return out


QUERIES, MUTATIONS = operations(OperationType.QUERY), operations(OperationType.MUTATION)
STREAMS = operations(OperationType.SUBSCRIPTION)


def empties(data: dict[str, Any]) -> Iterator[str]:
    """The root fields that say nothing."""
    for name, value in data.items():
        items = value.get("edges", [value]) if isinstance(value, dict) else value
        if not items:
            yield name


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(demo: Demo) -> AsyncIterator[Site]:
    async with served(demo.api) as found:
        yield found


async def ask(site: Site, demo: Demo, role: str, name: str, given: dict[str, Any]) -> Any:
    """The answer to one operation of a role's sample, sent whole, as the console does."""
    headers = {"x-wushe-now": NOW.isoformat()}
    if role != "public":
        headers["authorization"] = f"Bearer {site.token(demo.claims[role])}"
    body = {"query": text(role), "variables": given, "operationName": name}
    return (await site.client.post("/graphql", json=body, headers=headers)).json()


@pytest.mark.parametrize(("role", "node"), QUERIES)
async def test_a_query_answers_with_data(site: Site, demo: Demo, role: str, node: OperationDefinitionNode) -> None:
    assert node.name is not None
    answer = await ask(site, demo, role, node.name.value, variables(role))
    assert "errors" not in answer, answer["errors"]
    if (role, node.name.value) not in MAYBE_NOTHING:
        assert not list(empties(answer["data"])), answer["data"]


@pytest.mark.parametrize(("role", "node"), QUERIES)
def test_a_query_is_one_statement(site: Site, demo: Demo, role: str, node: OperationDefinitionNode) -> None:
    assert node.name is not None
    engine, actor = site.door.engine, demo.actors[role]
    pool: Any = None
    request = Context(
        text(role), variables(role), node.name.value, actor, asker(actor, NOW), pool, pool, NOW, deadline=5.0
    )
    document = engine.document(request)
    assert engine.plan(document, engine.coerced(document, request), actor.role, strict=True).failed == 0


PLACE = re.compile(r"← (\w+): ([\w.\[\]]+)")
"""A variable that a person fills in: from which operation's answer, and from where in it."""


def picked(data: Any, path: str) -> Any:
    for step in re.findall(r"\w+", path):
        data = data[int(step) if step.isdigit() else step]
    return data


async def done(site: Site, demo: Demo, role: str, node: OperationDefinitionNode) -> None:
    """Does what a sample says, with what its own queries find; or fails."""
    assert node.name is not None
    declared = {v.variable.name.value for v in node.variable_definitions or ()}
    given = {name: value for name, value in variables(role).items() if name in declared}
    for variable, value in given.items():
        if place := PLACE.fullmatch(value):
            found = await ask(site, demo, role, place[1], variables(role))
            given[variable] = picked(found["data"], place[2])
    answer = await ask(site, demo, role, node.name.value, given)
    assert "errors" not in answer, (role, answer)
    ((field, outcome),) = answer["data"].items()
    root = site.door.engine.schema.mutation_type
    assert root is not None
    union = get_named_type(root.fields[field].type)
    assert isinstance(union, GraphQLUnionType)
    assert outcome["__typename"] == union.types[0].name, (role, outcome)


async def test_every_mutation_does_what_it_says(demo_to_change: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(demo_to_change.api) as site:
        every = {(p.values[0], p.values[1].name.value): p.values[1] for p in MUTATIONS}
        last = every.pop(AFTER_ROUND)
        for (role, _), node in every.items():
            await done(site, demo_to_change, role, node)
        pool = site.door.databases.primary
        async with pool.connection() as connection:
            planned = await connection.fetchval("SELECT id FROM match_round")
        monkeypatch.setattr(clock, "now", lambda: NOW)
        assert await run_round(pool, SYSTEM, planned, asyncio.Event()) == "READY"
        rounds = await ask(site, demo_to_change, "community-staff", "Rounds", {})
        assert rounds["data"]["matchRounds"]["edges"][0]["node"]["proposals"]["edges"]
        await done(site, demo_to_change, AFTER_ROUND[0], last)


def test_the_first_operation_only_reads() -> None:
    for role in pages.ROLES:
        first = parse(text(role)).definitions[0]
        assert isinstance(first, OperationDefinitionNode) and first.operation is OperationType.QUERY, role


def test_a_comment_in_chinese_stands_above_every_operation() -> None:
    for role, label in pages.ROLES.items():
        lines = text(role).splitlines()
        for n, line in enumerate(lines):
            if line.startswith(("query", "mutation")):
                assert re.match(rf"# {label}：.*[\u4e00-\u9fff]", lines[n - 1]), (role, line)


def test_variables_are_those_of_the_operations_and_places_name_them() -> None:
    for role in pages.ROLES:
        nodes = {p.values[1].name.value: p.values[1] for p in (*QUERIES, *MUTATIONS, *STREAMS) if p.values[0] == role}
        declared = {v.variable.name.value for node in nodes.values() for v in node.variable_definitions or ()}
        assert set(variables(role)) == declared, role
        for value in variables(role).values():
            if place := PLACE.fullmatch(value):
                assert place[1] in nodes and f"{place[1]} 查到" in text(role), (role, value)


def test_days_in_variables_are_those_around_now() -> None:
    template = '{"a": "${today}", "b": "${yesterday}T10:00:00+08:00", "c": "${a_year_ago}", "key": "${key}"}'
    first, second = (json.loads(pages.filled(template, NOW)) for _ in range(2))
    assert (first["a"], first["b"], first["c"]) == ("2026-11-02", "2026-11-01T10:00:00+08:00", "2025-12-01")
    assert first["key"] != second["key"]
