"""Promises of non-null that data break: an error with its path, null as far up as it must go, on no other path."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from resolvers.engine.engine import Engine
from tests.engine.conftest import Asking
from tests.engine.rows import World
from tests.engine.tables import Actor, Role

EVERY = Actor(Role.STAFF, path="")


@pytest.fixture
def broken(engine: Engine, oracle: Any, broken_world: World, at: dict[str, asyncpg.Connection]) -> Asking:
    """Asks in the world whose first task breaks every promise, whose second is whole."""
    return Asking(engine, oracle, broken_world, at[broken_world.name])


@pytest.fixture
def bad(broken_world: World) -> str:
    return f"task_{broken_world.rows['task'][0]['id']}"


@pytest.mark.parametrize("field", ["score", "tags", "at", "kinds"])
async def test_in_a_single_row(broken: Asking, bad: str, field: str) -> None:
    text = f"query($id: ID!) {{ task(id: $id) {{ id {field} }} }}"
    ((path, _),) = await broken.errors(text, EVERY, id=bad)
    assert path[:2] == ["task", field]
    good = f"task_{broken.world.rows['task'][1]['id']}"
    assert (await broken(text, EVERY, id=good))["task"]["id"] == good


@pytest.mark.parametrize("field", ["score", "tags", "at", "kinds"])
@pytest.mark.parametrize(
    "text",
    [
        "{ tasks(first: 50) { edges { node { id %s } } } }",
        "{ tasks(first: 50) { pageInfo { hasNextPage } edges { cursor node { id %s } } } }",
        "{ tasks(first: 1, order: PRICE) { pageInfo { hasNextPage } edges { cursor node { %s } } } }",
        "{ urgentTasks(first: 10) { %s } }",
        "{ places { code tasks { edges { node { viewerCan { edit } %s } } } } }",
        "{ places(first: 6) { tasks { edges { node { pledges(first: 2) { task { %s } } } } } } }",
    ],
)
async def test_in_lists(broken: Asking, text: str, field: str) -> None:
    """No item may silently be left out."""
    ((path, _), *_) = await broken.errors(text.replace("%s", field), EVERY)
    assert field in path


async def test_a_number_that_is_no_int(broken: Asking, bad: str) -> None:
    assert [p for p, _ in await broken.errors("query($id: ID!) { task(id: $id) { id big } }", EVERY, id=bad)] == [
        ["task", "big"]
    ]
    data = (await broken.standard("query($id: ID!) { task(id: $id) { id big } }", EVERY, id=bad)).data
    assert data == {"task": {"id": bad, "big": None}}


async def test_a_hidden_target_that_was_promised(broken: Asking, bad: str) -> None:
    text = "query($id: ID!) { task(id: $id) { title pledges { minutes team { label } } allPledges { edges { node { team { id } } } } } }"
    errors = await broken.errors(text, id=bad)
    assert ["task", "pledges", 0, "team"] in [path for path, _ in errors]
    assert (await broken.standard(text, id=bad)).data == {"task": None}
    assert (await broken(text, EVERY, id=bad))["task"]["pledges"][0]["team"]["label"] == "关"


async def test_null_goes_up_to_the_next_nullable(broken: Asking, bad: str) -> None:
    text = """query($id: ID!) { node(id: $id) { id ... on Task {
        owner { ... on Team { tasks(first: 9) { edges { node { score } } } } } asker { pledges(first: 3) { edges { node { task { at } } } } }
    } } }"""
    await broken.errors(text, EVERY, id=bad)
    data = (await broken.standard(text, EVERY, id=bad)).data
    assert data["node"]["id"] == bad
    assert data["node"]["owner"] is None


async def test_what_is_not_asked_for_breaks_nothing(broken: Asking) -> None:
    await broken("{ tasks(first: 50) { edges { node { title rating big: urgency } } } }", EVERY)
