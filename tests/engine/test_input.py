"""Bad input: a named error in its field's place, in Chinese where the words are ours; never an exception."""

from __future__ import annotations

from typing import Any

import pytest

from resolvers.engine.engine import Refused
from tests.engine.conftest import Asking
from tests.engine.tables import Actor, Role

EVERY = Actor(Role.STAFF, path="")
BY_ID = "query($id: ID!) { node(id: $id) { id } places(first: 1) { code } }"
FILTERED = "query($f: TaskFilter, $n: Int) { tasks(filter: $f, first: $n) { totalCount } places(first: 1) { code } }"
UUID = "01890000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    "given",
    ["", "x", "task", "task_", "task_x", UUID, f"_{UUID}", f"task_{UUID}0", f"task_{UUID.replace('-', '')}", "task_\x00", "\ud800", f"task_{UUID[:-1]}\ud800", "任务_一", 7, "9" * 5000],
)  # fmt: skip
async def test_ids(ask: Asking, given: Any) -> None:
    assert await ask.errors(BY_ID, id=given) == [(["node"], "BAD_ID")]
    result = await ask.standard(BY_ID, id=given)
    assert result.data == {"node": None, "places": [{"code": "21010"}]}
    assert "不是有效的 ID" in result.errors[0].message
    result.errors[0].message.encode()


async def test_ids_that_nothing_has(ask: Asking) -> None:
    for given in (f"task_{UUID}", f"nothing_{UUID}", f"Task_{UUID}", f"a_b_{UUID}", f"task_{{{UUID[1:-1]}}}"):
        data = await ask.fast("query($id: ID!) { node(id: $id) { id } }", id=given)
        assert data in ({"node": None}, None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"titleHas": "\x00"}, "BAD_INPUT"),
        ({"titleHas": "好\ud800"}, "BAD_INPUT"),
        ({"titleHas": "\udc00\ud800"}, "BAD_INPUT"),
        ({"ids": ["x"]}, "BAD_ID"),
        ({"ids": [f"task_{UUID}", "task_"]}, "BAD_ID"),
        ({"asker": "person"}, "BAD_ID"),
    ],
)
async def test_values_in_filters(ask: Asking, given: Any, expected: str) -> None:
    """Both when a plan is made for them, and when a plan was made for good ones."""
    (name,) = given
    good = {"titleHas": "A", "ids": [f"task_{UUID}"], "asker": f"person_{UUID}"}
    for _ in range(2):
        if name == "titleHas" and "\x00" not in given[name]:
            assert await ask.fast(FILTERED, f=given) is None
            result = await ask.standard(FILTERED, f=given)
            errors = [(e.path, e.extensions["code"]) for e in result.errors]
        else:
            errors = await ask.errors(FILTERED, f=given)
        assert errors == [(["tasks"], expected)]
        await ask(FILTERED, f={name: good[name]})
        assert (await ask.standard(FILTERED, f={name: good[name]})).errors is None


@pytest.mark.parametrize("selected", ["totalCount", "__typename", "edges @skip(if: true) { node { id } }"])
async def test_values_in_filters_are_looked_at_whatever_is_selected(ask: Asking, selected: str) -> None:
    text = f"query($f: TaskFilter) {{ tasks(filter: $f) {{ {selected} }} }}"
    for _ in range(2):
        assert (await ask.standard(text, f={"titleHas": "A"})).errors is None
        assert await ask.errors(text, f={"titleHas": "\x00"}) == [(["tasks"], "BAD_INPUT")]


@pytest.mark.parametrize(
    "variables",
    [
        {"f": {"state": ["NOTHING"]}},
        {"f": {"state": "\ud800"}},
        {"f": {"state": [[["OPEN"]]]}},
        {"f": {"urgencyMin": 2**31}},
        {"f": {"urgencyMin": -(2**40)}},
        {"f": {"urgencyMin": 1.5}},
        {"f": {"urgencyMin": "1"}},
        {"f": {"weightMin": float("inf")}},
        {"f": {"due": "2026-02-30"}},
        {"f": {"due": "2026-1-1"}},
        {"f": {"due": "0001-01-01"}},
        {"f": {"due": "20261102"}},
        {"f": {"due": 20261102}},
        {"f": {"atAfter": "2026-11-02T10:00:00"}},
        {"f": {"atAfter": "1991-01-01T00:00:00+08:00"}},
        {"f": {"atAfter": "9999-12-31T23:59:59-12:00"}},
        {"f": {"atAfter": "0001-01-01T00:00:00+14:00"}},
        {"f": {"atAfter": "+99999-01-01T00:00:00Z"}},
        {"f": {"priceMax": "1e3"}},
        {"f": {"priceMax": "NaN"}},
        {"f": {"priceMax": "9" * 40}},
        {"f": {"priceMax": "١"}},
        {"f": {"nothing": 1}},
        {"f": []},
        {"f": "x"},
        {"n": 2**31},
        {"n": "1"},
        {"n": True},
        {"n": 1.5},
        {"n": [1]},
    ],
)
async def test_variables_that_do_not_fit(ask: Asking, variables: Any) -> None:
    """Refused whole, as GraphQL says: nothing is read."""
    ask.reads.statements.clear()
    request = ask.request(FILTERED, **variables)
    with pytest.raises(Refused) as refused:
        await ask.engine.answer(request)
    assert refused.value.variables
    for error in refused.value.errors:
        error.message.encode()
    assert ask.reads.statements == []
    assert ask.reference(FILTERED, **variables).data is None


async def test_messages_of_our_scalars_are_chinese(ask: Asking) -> None:
    for given in ({"due": "x"}, {"atAfter": "x"}, {"priceMax": "x"}):
        with pytest.raises(Refused) as refused:
            await ask.engine.answer(ask.request(FILTERED, f=given))
        assert "无效" in refused.value.errors[0].message


@pytest.mark.parametrize(
    "text",
    [
        '{ tasks(filter: { titleHas: "\\u0000" }) { totalCount } me { id } }',
        '{ tasks(after: "\\u0000") { totalCount } me { id } }',
        "{ tasks(first: -5) { totalCount } me { id } }",
        "{ tasks(first: 0) { edges { node { id } } } me { id } }",
        "{ tasks(last: 1000) { totalCount } me { id } }",
        '{ task(id: "\\u0000") { id } me { id } }',
        "{ urgentTasks(first: -1) { id } me { id } }",
        "{ places(first: 1) { tasks(first: 1, last: 1) { totalCount } } me { id } }",
    ],
)
async def test_literals(ask: Asking, text: str) -> None:
    for _ in range(2):
        ((_, code),) = await ask.errors(text, ask.world.actors[1])
        assert code is not None and code.startswith("BAD_")


@pytest.mark.parametrize(
    "text",
    ["{ tasks(first: 99999999999) { totalCount } }", '{ task(id: "\\ud800") { id } }', "{ tasks(order: NOTHING) { totalCount } }", "{ me { id } }\x00", "{ me { id } } #\ud800"],
)  # fmt: skip
async def test_documents(ask: Asking, text: str) -> None:
    with pytest.raises(Refused):
        await ask.engine.answer(ask.request(text))


async def test_errors_stand_where_they_belong(ask: Asking) -> None:
    text = """query($n: Int! = 2) {
      good: places(first: $n) { code }
      bad: place(id: $id) { code children(first: $n) { code } tasks(first: 500) { totalCount } }
      none: task(id: "x") { id }
    }"""
    given = f"place_{ask.world.rows['place'][0]['id']}"
    text = text.replace("query(", "query($id: ID!, ")
    errors = await ask.errors(text, id=given)
    assert errors == [(["bad", "tasks"], "BAD_INPUT"), (["none"], "BAD_ID")]
    data = await ask(text.replace("500", "5").replace('"x"', f'"task_{UUID}"'), id=given)
    assert data["none"] is None and data["bad"]["code"] == "21010"


async def test_null_where_a_directive_wants_a_boolean(ask: Asking) -> None:
    text = "query($b: Boolean = true) { places(first: 1) { code label @include(if: $b) } }"
    assert (await ask(text))["places"][0].keys() == {"code", "label"}
    assert await ask.fast(text, b=None) is None
    result = await ask.standard(text, b=None)
    assert result.errors and result.data == ask.reference(text, b=None).data
    root = "query($b: Boolean = true) { places(first: 1) @include(if: $b) { code } }"
    assert await ask.fast(root, b=None) is None
    result = await ask.standard(root, b=None)
    assert result.errors and result.data == ask.reference(root, b=None).data


async def test_what_the_database_refuses(ask: Asking) -> None:
    """A cursor's number that is no integer of the column's size: found out by the driver."""
    from tests.engine.test_pages import ID, cursor_of

    cursor = cursor_of("URGENT", "true", str(2**40), "2026-11-02 10:00:00+08", ID)
    text = "query($c: String) { tasks(after: $c, order: URGENT) { totalCount edges { cursor } } }"
    assert await ask.fast(text, c=cursor) is None
    with pytest.raises(Refused) as refused:
        await ask.standard(text, c=cursor)
    assert refused.value.errors[0].extensions == {"code": "BAD_INPUT"}


async def test_aliases_that_look_like_the_engine_s_own_keys(ask: Asking) -> None:
    text = """query($id: ID!) { node(id: $id) { __t: id __error: __typename ... on Task { _: title T: urgency } } __error: places(first: 1) { __error: code } }"""
    given = next(i for i in ask.world.ids if i.startswith("task"))
    data = await ask(text, EVERY, id=given)
    assert data["node"]["__t"] == given
