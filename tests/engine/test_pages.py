"""Pages: cursors at both ends, in every order, backward, nested, and those that fit no list."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from tests.engine.conftest import Asking
from tests.engine.domain import TaskOrder
from tests.engine.tables import Actor, Role

EVERY = Actor(Role.STAFF, path="")
PAGE = """query($first: Int, $after: String, $last: Int, $before: String, $order: TaskOrder! = NEWEST) {
  tasks(first: $first, after: $after, last: $last, before: $before, order: $order) {
    edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""


def ids(page: Any) -> list[str]:
    return [edge["node"]["id"] for edge in page["edges"]]


async def whole(ask: Asking, order: TaskOrder) -> Any:
    return (await ask(PAGE, EVERY, first=100, order=order.name))["tasks"]


@pytest.mark.parametrize("order", TaskOrder)
async def test_pages_forward_and_backward_make_the_whole_list(ask: Asking, order: TaskOrder) -> None:
    everything = ids(await whole(ask, order))
    assert len(everything) == len(ask.world.rows["task"])
    forward: list[str] = []
    given: dict[str, Any] = {}
    while True:
        page = (await ask(PAGE, EVERY, first=5, order=order.name, **given))["tasks"]
        forward += ids(page)
        assert page["pageInfo"]["hasPreviousPage"] is bool(given)
        if not page["pageInfo"]["hasNextPage"]:
            break
        given = {"after": page["pageInfo"]["endCursor"]}
    assert forward == everything
    backward: list[str] = []
    given = {}
    while True:
        page = (await ask(PAGE, EVERY, last=5, order=order.name, **given))["tasks"]
        backward = ids(page) + backward
        assert page["pageInfo"]["hasNextPage"] is bool(given)
        if not page["pageInfo"]["hasPreviousPage"]:
            break
        given = {"before": page["pageInfo"]["startCursor"]}
    assert backward == everything


@pytest.mark.parametrize("order", TaskOrder)
async def test_cursors_at_the_ends(ask: Asking, order: TaskOrder) -> None:
    page = await whole(ask, order)
    first, last = page["edges"][0]["cursor"], page["edges"][-1]["cursor"]
    assert (page["pageInfo"]["startCursor"], page["pageInfo"]["endCursor"]) == (first, last)
    for size in ({"first": 3}, {"last": 3}):
        for beyond in ({"after": last}, {"before": first}):
            empty = (await ask(PAGE, EVERY, order=order.name, **size, **beyond))["tasks"]
            assert empty["edges"] == []
            assert empty["pageInfo"]["startCursor"] is empty["pageInfo"]["endCursor"] is None
        between = (await ask(PAGE, EVERY, order=order.name, **size, after=first, before=last))["tasks"]
        assert len(between["edges"]) == 3
    inner = (await ask(PAGE, EVERY, order=order.name, first=100, after=first, before=last))["tasks"]
    assert ids(inner) == ids(page)[1:-1]


async def test_a_cursor_of_another_order_is_refused(ask: Asking) -> None:
    cursor = (await whole(ask, TaskOrder.TITLE))["edges"][0]["cursor"]
    for order in TaskOrder:
        if order is not TaskOrder.TITLE:
            assert await ask.errors(PAGE, EVERY, order=order.name, after=cursor) == [(["tasks"], "BAD_CURSOR")]


def cursor_of(*cells: Any) -> str:
    return base64.b64encode(orjson.dumps(list(cells))).decode()


ID = "01890000-0000-7000-8000-000000000000"
FORGED = [
    "",
    "%",
    "不是游标",
    "AAAA",
    base64.b64encode(b"{}").decode(),
    base64.b64encode(b"[" * 2000).decode(),
    cursor_of(),
    cursor_of("NEWEST"),
    cursor_of("NEWEST", "2026-11-02 10:00:00+08"),
    cursor_of("NEWEST", "2026-11-02 10:00:00+08", "x"),
    cursor_of("NEWEST", "2026-11-02 10:00:00", ID),  # no offset
    cursor_of("NEWEST", "9999999-11-02 10:00:00+08", ID),
    cursor_of("NEWEST", 7, ID),
    cursor_of("NEWEST", None, ID),
    cursor_of("NEWEST", "2026-11-02 10:00:00+08", ID, ID),
    cursor_of("WEIGHT", "1.0", "21010", ID),
]


@pytest.mark.parametrize("forged", FORGED)
async def test_what_is_no_cursor_is_refused(ask: Asking, forged: str) -> None:
    assert await ask.errors(PAGE, EVERY, after=forged) == [(["tasks"], "BAD_CURSOR")]


@pytest.mark.parametrize(
    ("order", "cells"),
    [
        ("TITLE", ["\x00", ID]),
        ("TITLE", ["\ud800", ID]),
        ("PRICE", ["x", ID]),
        ("URGENT", ["maybe", "1", "2026-11-02 10:00:00+08", ID]),
        ("URGENT", ["true", str(2**70), "2026-11-02 10:00:00+08", ID]),
    ],
)
async def test_values_that_a_column_cannot_have(ask: Asking, order: str, cells: list[str]) -> None:
    text = (
        '["'
        + order
        + '",'
        + ",".join('"' + c.encode("unicode_escape").decode().replace("\\x00", "\\u0000") + '"' for c in cells)
        + "]"
    )
    forged = base64.b64encode(text.encode()).decode()
    assert await ask.errors(PAGE, EVERY, order=order, after=forged) == [(["tasks"], "BAD_CURSOR")]


async def test_first_and_last_exclude_each_other(ask: Asking) -> None:
    assert await ask.errors(PAGE, EVERY, first=1, last=1) == [(["tasks"], "BAD_INPUT")]
    assert len((await ask(PAGE, EVERY, first=None, last=2))["tasks"]["edges"]) == 2
    assert len((await ask(PAGE, EVERY, first=None))["tasks"]["edges"]) == 20


@pytest.mark.parametrize("size", [0, -1, 101, 2**31 - 1, -(2**31)])
async def test_a_page_has_1_to_100_items(ask: Asking, size: int) -> None:
    for name in ("first", "last"):
        assert await ask.errors(PAGE, EVERY, **{name: size}) == [(["tasks"], "BAD_INPUT")]


async def test_nested_pages_backward(ask: Asking) -> None:
    data = await ask(
        """{ places(first: 6) { code
          tasks(last: 2, order: URGENT) { totalCount edges { cursor node { title } } pageInfo { hasNextPage hasPreviousPage startCursor } }
          teams(last: 1) { edges { node { label } } pageInfo { hasPreviousPage } }
        } }""",
        EVERY,
    )
    assert any(p["tasks"]["pageInfo"]["hasPreviousPage"] for p in data["places"])


async def test_parts_of_a_page_alone(ask: Asking) -> None:
    for part in (
        "totalCount",
        "__typename",
        "pageInfo { hasPreviousPage }",
        "pageInfo { hasNextPage }",
        "pageInfo { __typename startCursor }",
        "edges { __typename }",
        "edges { cursor }",
        "a: totalCount edges { node { id } } b: totalCount pageInfo { endCursor } more: edges { cursor node { id } }",
    ):
        await ask("{ tasks(first: 2) { %s } places(first: 3) { tasks { %s } } }".replace("%s", part), EVERY)


async def test_a_bounded_list_is_cut(ask: Asking) -> None:
    text = "query($n: Int! = 3) { places(first: $n) { code } }"
    assert [len((await ask(text, first=n, n=n))["places"]) for n in (0, 1, 6)] == [0, 1, 6]
    for n in (-1, 21):
        assert await ask.errors(text, n=n) == [(["places"], "BAD_INPUT")]
    nullable = "query($n: Int = 3) { places(first: $n) { code } }"
    assert len((await ask(nullable))["places"]) == 3
    ((path, _),) = await ask.errors(nullable, n=None)
    assert path == ["places"]
