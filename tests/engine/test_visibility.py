"""Nothing that may not be seen is in any answer, by whichever way it is reached."""

from __future__ import annotations

import re
from typing import Any

import asyncpg
import orjson
import pytest

from resolvers.engine.engine import Engine
from tests.engine.conftest import Asking
from tests.engine.reference import Context
from tests.engine.rows import World

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TASK = "id asker { id team { id } } team { id people { id } } owner { __typename ... on Node { id } } pledges(first: 6) { id person { id } team { id } }"
CRAWL = [
    "{ tasks(first: 24) { totalCount edges { cursor node { %s } } } }" % TASK,  # noqa: UP031
    "{ pledges(first: 90) { edges { cursor node { id task { id } team { id } person { id } } } } }",
    "{ people(first: 90) { edges { cursor node { id team { id place { id } } } } } }",
    "{ places(first: 6) { id teams(first: 8) { edges { node { id people { id } } } } openTeams { id } } }",
    "{ places(first: 6) { tasks(first: 50) { edges { node { id } } } } }",
    "{ urgentTasks(first: 10) { %s } me { id team { id } } myTeam { id people { id } }}" % TASK,  # noqa: UP031
    "{ people(first: 8) { edges { node { pledges(first: 40) { edges { cursor node { task { id } } } } } } } }",
    "{ tasks(first: 40, filter: { pledged: true }) { edges { node { id } } } }",
]
BY_ID = "query($id: ID!) { node(id: $id) { id } labelled(id: $id) { label ... on Node { id } } task(id: $id) { id } }"


@pytest.mark.parametrize("number", range(6))
async def test_no_answer_has_a_hidden_row(
    engine: Engine, oracle: Any, worlds: list[World], at: dict[str, asyncpg.Connection], number: int
) -> None:
    world = worlds[number]
    ask = Asking(engine, oracle, world, at[world.name])
    hidden_at_all = shown_at_all = 0
    for actor in world.actors:
        context = Context(world.rows, actor)
        seen = {str(row["id"]) for table in world.rows for row in context.table(table)}
        hidden = {str(row["id"]) for rows in world.rows.values() for row in rows} - seen
        answers = []
        for text in CRAWL:
            answers.append(orjson.dumps(await ask.fast(text, actor)).decode())
            answers.append(orjson.dumps((await ask.standard(text, actor)).data).decode())
        for table, rows in world.rows.items():
            for row in rows:
                given = f"{table}_{row['id']}"
                found = await ask.fast(BY_ID, actor, id=given)
                if str(row["id"]) in hidden:
                    assert found == {"node": None, "labelled": None, "task": None}
                else:
                    assert found["node"] == {"id": given}
        told = {u for answer in answers for u in UUID.findall(answer)}
        assert not told & hidden
        hidden_at_all += len(hidden)
        shown_at_all += len(told)
    assert hidden_at_all > 50 and shown_at_all > 200


async def test_counts_do_not_tell_of_hidden_rows(ask: Asking) -> None:
    for actor in ask.world.actors:
        context = Context(ask.world.rows, actor)
        data = await ask(
            "{ tasks(first: 40) { totalCount edges { node { id pledgeCount minutes allPledges { totalCount } } } } tally { tasks } }",
            actor,
        )
        tasks = len(context.table("task"))
        assert data["tasks"]["totalCount"] == len(data["tasks"]["edges"]) == tasks
        assert sum(row["tasks"] for row in data["tally"]) == tasks


async def test_a_cursor_on_a_hidden_row_tells_nothing_but_its_place(ask: Asking) -> None:
    """Cursors hold values, not rows: one of a row that has since been hidden still finds its place."""
    staff, anybody = ask.world.actors[3], ask.world.actors[0]
    data = await ask("{ tasks(first: 40) { edges { cursor node { id } } } }", staff)
    for edge in data["tasks"]["edges"]:
        await ask("query($c: String) { tasks(after: $c) { edges { node { id } } } }", anybody, c=edge["cursor"])
