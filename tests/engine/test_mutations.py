"""Mutations: each root field a transaction, its payload read before the commit, its refusal a member of the union."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import orjson
import pytest
from graphql import ExecutionResult

from models.funds.problems import InsufficientFunds
from models.problems import Fen, Problem
from resolvers.engine.engine import Hidden, Outcome, Told, Verb
from resolvers.problems import told
from resolvers.verbs import Call
from tests.engine import domain
from tests.engine.conftest import Asking, Reads, make_engine
from tests.engine.rows import World
from tests.engine.tables import Actor, Role

EVERY = Actor(Role.STAFF, path="")
RETITLE = """mutation($id: ID!, $title: String!, $price: Decimal) {
  taskRetitle(id: $id, changes: [{ title: $title, price: $price }], idempotencyKey: "12345678") {
    %s
  }
}"""
SHOWN = "__typename ... on Task { id title price pledges(first: 1) { minutes } } ... on Problem { code message } ... on InsufficientFunds { available { fen: amount c: currency __typename } retry }"


class Verbs:
    """Runs verbs, each in a transaction (here inside one that is rolled back after the test)."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.log: list[str] = []

    async def __call__(self, verb: Verb) -> Outcome | Told:
        verb.arguments.pop("idempotency_key", None)
        transaction = self.connection.transaction()
        await transaction.start()
        try:
            reference = await verb.run(Call(self.connection), **verb.arguments)
            outcome = await verb.payload(self.connection, verb.word.outcome, reference)
        except BaseException as error:
            await transaction.rollback()
            self.log.append(f"{verb.name} undone")
            if isinstance(error, Problem):
                return told(error)
            raise
        await transaction.commit()
        self.log.append(f"{verb.name} done")
        return outcome


class Doing(Asking):
    """Asks for mutations."""

    def __init__(self, verbs: Verbs, world: World) -> None:
        super().__init__(make_engine(verbs), None, world, verbs.connection)
        self.verbs = verbs
        self.id = f"task_{world.rows['task'][0]['id']}"
        self.other = f"task_{world.rows['task'][1]['id']}"

    async def do(self, text: str, /, actor: Actor = EVERY, **variables: Any) -> bytes | ExecutionResult:
        return await self.engine.answer(self.request(text, actor, **variables))

    async def title(self, given: str | None = None) -> str:
        key = (given or self.id).partition("_")[2]
        return await self.reads.connection.fetchval(f"SELECT title FROM task WHERE id = '{key}'")


@pytest.fixture
async def doing(worlds: list[World], at: dict[str, asyncpg.Connection]) -> AsyncIterator[Doing]:
    connection = at[worlds[0].name]
    transaction = connection.transaction()
    await transaction.start()
    yield Doing(Verbs(connection), worlds[0])
    await transaction.rollback()


async def test_success_is_bytes(doing: Doing) -> None:
    text = RETITLE.replace("%s", SHOWN + " ... on Task { place { code } cost { amount } viewerCan { edit } }")
    found = await doing.do(text, id=doing.id, title='新 "名"\\', price="12.50")
    assert isinstance(found, bytes)
    told = orjson.loads(found)["data"]["taskRetitle"]
    assert list(told) == ["__typename", "id", "title", "price", "pledges", "place", "cost", "viewerCan"]
    assert (told["__typename"], told["title"], told["price"]) == ("Task", '新 "名"\\', "12.50")
    assert await doing.title() == '新 "名"\\'
    assert doing.verbs.log == ["task_retitle done"]


async def test_a_plan_for_all_payloads_of_a_shape(doing: Doing) -> None:
    text = RETITLE.replace("%s", SHOWN)
    await doing.do(text, id=doing.id, title="a")
    before = doing.engine.compiled
    await doing.do(text, id=doing.other, title="b")
    await doing.do(text, id=doing.id, title="c")
    assert doing.engine.compiled == before


async def test_a_refusal_is_a_member_and_undoes(doing: Doing) -> None:
    before = await doing.title()
    found = await doing.do(RETITLE.replace("%s", SHOWN), id=doing.id, title="dear", price="1000.01")
    assert isinstance(found, ExecutionResult) and found.errors is None
    assert found.data == {
        "taskRetitle": {
            "__typename": "InsufficientFunds",
            "code": "INSUFFICIENT_FUNDS",
            "message": InsufficientFunds(available=Fen(100_000)).message,
            "available": {"fen": "1000.00", "c": "CNY", "__typename": "Money"},
            "retry": "CHANGE_INPUT",
        }
    }
    assert await doing.title() == before
    assert doing.verbs.log == ["task_retitle undone"]


async def test_what_is_not_there_and_what_is_no_id(doing: Doing) -> None:
    for given, code in (
        ("task_01890000-0000-7000-8000-000000000000", "NOT_FOUND"),
        (doing.id.replace("task", "team"), "NOT_FOUND"),
        ("x", "INVALID_INPUT"),
        ("task_\x00", "INVALID_INPUT"),
    ):
        found = await doing.do(RETITLE.replace("%s", SHOWN), id=given, title="x")
        assert isinstance(found, ExecutionResult) and found.errors is None
        assert found.data["taskRetitle"]["code"] == code


TWO = """mutation($one: ID!, $two: ID!, $title: String!, $price: Decimal) {
  __typename
  first: taskRetitle(id: $one, changes: [{ title: "一" }], idempotencyKey: "12345678") { ...Shown }
  second: taskRetitle(id: $two, changes: [{ title: $title, price: $price }], idempotencyKey: "12345679") { ...Shown }
}
fragment Shown on TaskRetitleResult { __typename ... on Task { title } ... on Problem { code } }"""


async def test_two_fields_both_done(doing: Doing) -> None:
    found = await doing.do(TWO, one=doing.id, two=doing.other, title="二")
    assert isinstance(found, ExecutionResult) and found.errors is None
    assert found.data == {
        "__typename": "Mutation",
        "first": {"__typename": "Task", "title": "一"},
        "second": {"__typename": "Task", "title": "二"},
    }
    assert list(found.data) == ["__typename", "first", "second"]


async def test_the_second_sees_what_the_first_did(doing: Doing) -> None:
    found = await doing.do(TWO, one=doing.id, two=doing.id, title="二")
    assert [found.data[k]["title"] for k in ("first", "second")] == ["一", "二"]  # type: ignore[union-attr,index]


async def test_the_second_is_refused(doing: Doing) -> None:
    before = await doing.title(doing.other)
    found = await doing.do(TWO, one=doing.id, two=doing.other, title="二", price="5000")
    assert isinstance(found, ExecutionResult) and found.errors is None
    assert found.data["first"] == {"__typename": "Task", "title": "一"}
    assert found.data["second"] == {"__typename": "InsufficientFunds", "code": "INSUFFICIENT_FUNDS"}
    assert (await doing.title(), await doing.title(doing.other)) == ("一", before)


async def test_the_second_meets_a_bug(doing: Doing) -> None:
    """The first one's work is committed, and told; the door masks what the bug says."""
    before = await doing.title(doing.other)
    found = await doing.do(TWO, one=doing.id, two=doing.other, title="bug")
    assert isinstance(found, ExecutionResult)
    assert found.data["first"]["title"] == "一" and found.data["second"] is None
    (error,) = found.errors or ()
    assert error.path == ["second"] and isinstance(error.original_error, domain.Bug)
    assert (await doing.title(), await doing.title(doing.other)) == ("一", before)
    assert doing.verbs.log == ["task_retitle done", "task_retitle undone"]


async def test_one_bug_is_loud(doing: Doing) -> None:
    before = await doing.title()
    with pytest.raises(domain.Bug):
        await doing.do(RETITLE.replace("%s", "__typename"), id=doing.id, title="bug")
    assert await doing.title() == before


async def test_bad_arguments_of_a_second_field(doing: Doing) -> None:
    text = 'mutation($t: String = "x") { first: pledgeTouch(id: "x") { ... on Problem { code } } second: pledgeTouch(id: "x", newTitle: $t) { __typename } }'
    found = await doing.do(text, t=None)
    assert isinstance(found, ExecutionResult)
    assert [e.path for e in found.errors or ()] == [["second"]]
    assert doing.verbs.log == ["pledge_touch undone"]


@pytest.mark.parametrize("beside", ["", "beside: __typename"])
async def test_bad_arguments_inside_a_payload(doing: Doing, beside: str) -> None:
    """The verb is done, and the error stands in its field, alone or not."""
    inside = "... on Task { title allPledges(first: $n) { totalCount } asker { pledges(first: $n) { totalCount } } }"
    text = RETITLE.replace("%s", inside).replace("($id", "($n: Int, $id").replace("{\n  task", f"{{ {beside}\n  task")
    for n in (5, 500, 5):
        found = await doing.do(text, id=doing.id, title=f"n{n}", n=n)
        if n == 5:
            data = orjson.loads(found)["data"] if isinstance(found, bytes) else found.data
            assert data["taskRetitle"]["title"] == "n5"  # type: ignore[index]
        else:
            assert isinstance(found, ExecutionResult)
            assert found.errors and found.errors[0].path == ["taskRetitle", "allPledges"]
            assert found.errors[0].extensions == {"code": "BAD_INPUT"}
        assert await doing.title() == f"n{n}"


@pytest.mark.parametrize("beside", ["", 'beside: pledgeTouch(id: "x") { __typename }'])
async def test_an_outcome_that_its_author_may_not_see_is_undone(doing: Doing, beside: str) -> None:
    before = await doing.title()
    text = RETITLE.replace("%s", "... on Task { id }").replace("{\n  task", f"{{ {beside}\n  task")
    if beside:
        found = await doing.do(text, Actor(Role.PUBLIC), id=doing.id, title="hide")
        assert isinstance(found, ExecutionResult)
        assert [type(e.original_error) for e in found.errors or ()] == [Hidden]
    else:
        with pytest.raises(Hidden):
            await doing.do(text, Actor(Role.PUBLIC), id=doing.id, title="hide")
    assert await doing.title() == before


async def test_a_computed_field_in_a_payload(doing: Doing) -> None:
    found = await doing.do(
        RETITLE.replace("%s", "... on Task { shouted(howOften: 2) a: shouted title }"), id=doing.id, title="ab"
    )
    assert isinstance(found, ExecutionResult) and found.errors is None
    told = found.data["taskRetitle"]
    assert told["shouted"].startswith("ABAB") and told["a"].startswith("AB") and told["title"] == "ab"


async def test_only_the_typename(doing: Doing) -> None:
    assert (
        await doing.do(RETITLE.replace("%s", "__typename"), id=doing.id, title="t")
        == b'{"data":{"taskRetitle":{"__typename":"Task"}}}'
    )
    found = await doing.do("mutation { __typename }")
    assert isinstance(found, ExecutionResult) and found.data == {"__typename": "Mutation"}
    skipped = RETITLE.replace("%s", "__typename").replace('"12345678")', '"12345678") @skip(if: true)')
    found = await doing.do(skipped, id=doing.id, title="skipped")
    assert isinstance(found, ExecutionResult) and found.data == {}
    assert await doing.title() == "t"


async def test_directives_on_roots(doing: Doing) -> None:
    text = "mutation($b: Boolean = true, $id: ID!) { pledgeTouch(id: $id) @include(if: $b) { __typename } }"
    given = f"pledge_{doing.world.rows['pledge'][0]['id']}"
    assert await doing.do(text, id=given) == b'{"data":{"pledgeTouch":{"__typename":"Pledge"}}}'
    found = await doing.do(text, id=given, b=None)
    assert isinstance(found, ExecutionResult) and found.data is None and found.errors
    assert doing.verbs.log == ["pledge_touch done"]


async def test_lists_of_inputs_become_python(doing: Doing) -> None:
    text = """mutation($id: ID!, $changes: [Change!]!) { taskRetitle(id: $id, changes: $changes, idempotencyKey: "12345678") { ... on Task { title price } } }"""
    found = await doing.do(text, id=doing.id, changes=[{"title": "a", "price": "3"}, {"title": "b"}])
    assert found == b'{"data":{"taskRetitle":{"title":"b","price":"3.00"}}}'
    found = await doing.do(text, id=doing.id, changes={"title": "alone"})
    assert isinstance(found, bytes) and b"alone" in found


async def test_a_poisoned_payload_is_told_and_done(broken_world: World, at: dict[str, asyncpg.Connection]) -> None:
    connection = at[broken_world.name]
    transaction = connection.transaction()
    await transaction.start()
    try:
        doing = Doing(Verbs(connection), broken_world)
        found = await doing.do(RETITLE.replace("%s", "... on Task { title score }"), id=doing.id, title="毒")
        assert isinstance(found, ExecutionResult)
        assert [e.path for e in found.errors or ()] == [["taskRetitle", "score"]]
        assert await doing.title() == "毒"
    finally:
        await transaction.rollback()


async def test_reads_of_a_mutation_are_on_its_connection(doing: Doing) -> None:
    reads = Reads(doing.reads.connection)
    request = doing.request(RETITLE.replace("%s", "... on Task { title }"), EVERY, id=doing.id, title="x")
    object.__setattr__(request, "reads", reads)
    await doing.engine.answer(request)
    assert reads.statements == []
