"""One statement for an operation, however many rows; and nothing in it is computed twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from resolvers.engine.plans import Run
from tests.engine import rows
from tests.engine import tables as t
from tests.engine.conftest import Asking
from tests.engine.tables import Actor, Role

EVERY = Actor(Role.STAFF, path="")
DEEP = """query($n: Int!) { tasks(first: $n) { totalCount pageInfo { hasNextPage endCursor } edges { cursor node {
  title place { code parent { label } } asker { label team { label } } owner { __typename ... on Team { label } ... on Person { label } }
  viewerCan { pledge } pledgeCount cost { amount } budget { amount }
  pledges { minutes at person { label } team { label place { code } } }
  allPledges(first: 2) { totalCount pageInfo { hasNextPage } edges { cursor node { task { title } person { label pledges(first: 2) { totalCount } } } } }
} } } places(first: 3) { code children { code openTeams { label people { label } } } } tally { place { code } cost { amount } } }"""


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_one_statement_however_many_rows(ask: Asking, size: int) -> None:
    for path in (ask.fast, ask.standard):
        ask.reads.statements.clear()
        await path(DEEP, EVERY, n=size)
        assert len(ask.reads.statements) == 1
    ask.reads.statements.clear()
    await ask.standard(
        "{ __schema { queryType { name } } tasks(first: 2) { edges { node { summary shouted } } } me { id } }", EVERY
    )
    assert len(ask.reads.statements) == 1


async def plan_of(ask: Asking, text: str, actor: Actor = EVERY, **variables: Any) -> dict[str, Any]:
    """What PostgreSQL does for a query, from EXPLAIN ANALYZE."""
    request = ask.request(text, actor, **variables)
    document = ask.engine.document(request)
    values = ask.engine.coerced(document, request)
    plan = ask.engine.plan(document, values, actor.role, strict=True)
    explain = "EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF, VERBOSE, FORMAT JSON) "
    arguments = plan.arguments(Run(values, t.asker(actor, rows.NOW)))
    return json.loads(await ask.reads.connection.fetchval(explain + plan.sql, *arguments))[0]["Plan"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def scans(plan: dict[str, Any], table: str) -> int:
    """How many places of the plan read a table."""
    return sum(node.get("Relation Name") == table for node in nodes(plan))


SHAPES = [
    # (query, how often each table stands in it for an asker who sees all that is in `path` "")
    ("{ tasks { edges { node { pledges { minutes } } } } }", {"pledge": 1}),
    ("{ tasks { edges { node { pledges { team { label } } } } } }", {"pledge": 1, "team": 1}),
    ("{ tasks { edges { node { score pledges { at team { label } } } } } }", {"pledge": 1, "team": 1}),
    ("{ tasks { pageInfo { hasNextPage } edges { cursor node { score allPledges { edges { node { at } } } } } } }", {"pledge": 1}),
    ("{ tasks { edges { node { score allPledges { pageInfo { hasNextPage } edges { node { at team { label } } } } } } } }", {"pledge": 1, "team": 1}),
    ("{ places { tasks(first: 5) { edges { node { score pledges { at team { label } } } } } } }", {"pledge": 1, "team": 1}),
    ("{ places(first: 5) { tasks(first: 2) { edges { node { at score pledges { at team { people { label } } } } } } } }", {"pledge": 1, "team": 1, "person": 1}),
    ("{ tally { place { code } cost { amount } highest } }", {"task": 1}),
    # what a report has read by itself is not read again for what refers to it (who may see a pledge hangs on its task)
    ("{ shifts { minutes task { title label } pledge { at } person { label } } }", {"task": 2, "pledge": 1, "person": 1}),
    ("{ turns { place { label code } task { title } cost { amount } } }", {"task": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SHAPES)
async def test_nothing_is_computed_twice(ask: Asking, text: str, expected: dict[str, int]) -> None:
    """Each list stands once in the plan: PostgreSQL would write a sub-plan as often as it is used."""
    plan = await plan_of(ask, text)
    for table, times in expected.items():
        assert scans(plan, table) == times, json.dumps(plan, ensure_ascii=False)[:3000]
    names = [node["Subplan Name"] for node in nodes(plan) if "Subplan Name" in node]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("item", "checked"), [("minutes length", False), ("minutes at", True)])
async def test_a_list_is_checked_only_where_an_item_could_drop_out(ask: Asking, item: str, checked: bool) -> None:
    """An instant may be infinite, and has no text then; a number and a choice between two texts always have one."""
    await ask.fast(f"{{ tasks {{ edges {{ node {{ pledges {{ {item} }} }} }} }} }}", EVERY)
    sql, _ = ask.reads.statements[-1]
    inner = sql[sql.index("pledges") :]
    assert ("(count(*) = count(" in inner) is checked
    assert inner.count("OFFSET 0") == 1 + checked  # the page of tasks, fenced


async def test_work_grows_with_the_rows_and_not_with_the_depth(ask: Asking) -> None:
    """A sub-plan of a list runs once for each of its parents."""
    plan = await plan_of(ask, "{ tasks(first: 10) { edges { node { score pledges { at task { at score } } } } } }")
    loops = [node["Actual Loops"] for node in nodes(plan) if node.get("Relation Name") == "pledge"]
    assert loops == [10]


async def test_a_row_more_is_read_only_if_asked_for(ask: Asking) -> None:
    for text, read in (
        ("{ tasks(first: 3) { edges { node { id } } } }", 3),
        ("{ tasks(first: 3) { pageInfo { endCursor } edges { node { id } } } }", 3),
        ("{ tasks(first: 3) { pageInfo { hasNextPage } edges { node { id } } } }", 4),
        ("{ tasks(last: 3) { pageInfo { hasNextPage startCursor } } }", 3),
        ("{ tasks(last: 3) { pageInfo { hasPreviousPage } } }", 4),
    ):
        plan = await plan_of(ask, text)
        (limit,) = [node for node in nodes(plan) if node["Node Type"] == "Limit" and node["Actual Rows"] > 1]
        assert limit["Actual Rows"] == read, text


async def test_what_is_not_asked_for_is_not_counted(ask: Asking) -> None:
    assert scans(await plan_of(ask, "{ pledges { edges { node { minutes } } } }"), "pledge") == 1
    assert scans(await plan_of(ask, "{ pledges { totalCount edges { node { minutes } } } }"), "pledge") == 2
